//! Which code reads a model: the architecture that a model names, and the modality that is wanted of it, to a tower.

use std::sync::Arc;

use candle_core::{DType, Device};
use sensorium_domain::Modality;
use sensorium_domain::encoder::Tower;
use serde::Deserialize;

use crate::clap::{ClapAudio, ClapText};
use crate::clip::ClipVision;
use crate::error::ModelError;
use crate::siglip::{SiglipText, SiglipVision};
use crate::source::Source;
use crate::starter::{PictureTower, SoundTower};
use crate::text::{TextEncoder, TextOptions};

/// Loads a tower in a precision on a device.
type Load = fn(&Source, DType, &Device) -> Result<Box<dyn Tower>, ModelError>;

/// Every tower that can be loaded: the `model_type` of its `config.json`, or what a profile calls it, and what it takes. Those of the starter
/// have kernels of their own and run in f32 on the CPU. CLIP's texts are not among them while the library of tokenizers gives wrong tokens to words of
/// one letter (an ignored test in tests/parity/clip.rs tells when that ends).
const TOWERS: [(&str, Modality, Load); 12] = [
    ("bert", Modality::Text, sentences),
    ("roberta", Modality::Text, sentences),
    ("xlm-roberta", Modality::Text, sentences),
    ("mpnet", Modality::Text, sentences),
    ("modernbert", Modality::Text, sentences),
    ("clip", Modality::Image, |source, dtype, device| Ok(Box::new(ClipVision::load(source, dtype, device)?))),
    ("siglip", Modality::Text, |source, dtype, device| Ok(Box::new(SiglipText::load(source, dtype, device)?))),
    ("siglip", Modality::Image, |source, dtype, device| Ok(Box::new(SiglipVision::load(source, dtype, device)?))),
    ("clap", Modality::Text, |source, dtype, device| Ok(Box::new(ClapText::load(source, dtype, device)?))),
    ("clap", Modality::Audio, |source, dtype, device| Ok(Box::new(ClapAudio::load(source, dtype, device)?))),
    ("sensorium-picture-tower", Modality::Image, |source, _, _| Ok(Box::new(PictureTower::load(source)?))),
    ("sensorium-sound-tower", Modality::Audio, |source, _, _| Ok(Box::new(SoundTower::load(source)?))),
];

/// The table above, for messages.
const SUPPORTED: &str = "bert (text), roberta (text), xlm-roberta (text), mpnet (text), modernbert (text), clip (image), \
    siglip (text), siglip (image), clap (text), clap (audio), sensorium-picture-tower (image), sensorium-sound-tower (audio)";

/// A sentence encoder, for texts that are stored.
fn sentences(source: &Source, dtype: DType, device: &Device) -> Result<Box<dyn Tower>, ModelError> {
    Ok(Box::new(Arc::new(TextEncoder::load_on(source, dtype, device, TextOptions::default())?).as_passage()))
}

/// The one field of `config.json` that every architecture has.
#[derive(Deserialize)]
struct Architecture {
    model_type: String,
}

/// Loads the tower of `source` that takes `modality`. The architecture is the one that the profile names, or else the one
/// that the model's own `config.json` does.
pub fn load(
    source: &Source,
    named: Option<&str>,
    modality: Modality,
    dtype: DType,
    device: &Device,
) -> Result<Box<dyn Tower>, ModelError> {
    let architecture = match named {
        Some(name) => name.to_owned(),
        None => source.json::<Architecture>("config.json")?.model_type,
    };
    let found = TOWERS.iter().find(|(name, takes, _)| *name == architecture && *takes == modality);
    match found {
        Some((.., load)) => load(source, dtype, device),
        None => Err(ModelError::Unsupported {
            what: "architecture",
            found: format!("{architecture} ({modality})"),
            supported: SUPPORTED,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(source: &Source, named: Option<&str>, modality: Modality) -> Result<Box<dyn Tower>, ModelError> {
        super::load(source, named, modality, DType::F32, &Device::Cpu)
    }

    #[test]
    fn the_message_names_what_the_table_has() {
        let names = TOWERS.map(|(name, modality, _)| format!("{name} ({modality})"));
        assert_eq!(SUPPORTED, names.join(", "));
    }

    #[test]
    fn a_tower_is_found_by_its_architecture_and_its_modality() {
        let starter = crate::starter::goldens::source();
        let picture = load(&starter, Some("sensorium-picture-tower"), Modality::Image).unwrap();
        assert_eq!((picture.modality(), picture.dimensions()), (Modality::Image, 384));
        let error = load(&starter, Some("sensorium-picture-tower"), Modality::Text).err().unwrap().to_string();
        assert!(
            error.contains("\"sensorium-picture-tower (text)\" is not supported") && error.contains("bert"),
            "{error}"
        );
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.json"), r#"{"model_type":"owlvit"}"#).unwrap();
        let error = load(&Source::Folder(folder.path().to_owned()), None, Modality::Image).err().unwrap().to_string();
        assert!(error.contains("architecture \"owlvit (image)\" is not supported"), "{error}");
    }
}
