//! Which code reads a model: the architecture that a model names, and the modality that is wanted of it, to a tower.

use std::sync::Arc;

pub use candle_core::{DType, Device};
use sensorium_domain::Modality;
use sensorium_domain::encoder::Tower;
use serde::Deserialize;

use crate::clap::{ClapAudio, ClapText};
use crate::clip::{ClipText, ClipVision};
use crate::error::ModelError;
use crate::siglip::{SiglipText, SiglipVision};
use crate::source::Source;
use crate::starter::{PictureTower, SoundTower};
use crate::text::{TextEncoder, TextOptions};
use crate::weights::Weights;

/// How a tower is to be loaded.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// The architecture, where it is not what the model's own `config.json` says.
    pub architecture: Option<String>,
    /// The numbers that it computes with.
    pub dtype: DType,
    /// Where it runs.
    pub device: Device,
    /// For sentence encoders.
    pub text: TextOptions,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self { architecture: None, dtype: DType::F32, device: Device::Cpu, text: TextOptions::default() }
    }
}

/// Loads a tower.
type Load = fn(&Source, &LoadOptions) -> Result<Box<dyn Tower>, ModelError>;

/// Every tower that can be loaded: the `model_type` of its `config.json`, or what a profile calls it, and what it takes. Those of the starter
/// have kernels of their own and run in f32 on the CPU.
const TOWERS: [(&str, Modality, Load); 13] = [
    ("bert", Modality::Text, sentences),
    ("roberta", Modality::Text, sentences),
    ("xlm-roberta", Modality::Text, sentences),
    ("mpnet", Modality::Text, sentences),
    ("modernbert", Modality::Text, sentences),
    ("clip", Modality::Text, |source, with| Ok(Box::new(ClipText::load(source, with.dtype, &with.device)?))),
    ("clip", Modality::Image, |source, with| Ok(Box::new(ClipVision::load(source, with.dtype, &with.device)?))),
    ("siglip", Modality::Text, |source, with| Ok(Box::new(SiglipText::load(source, with.dtype, &with.device)?))),
    ("siglip", Modality::Image, |source, with| Ok(Box::new(SiglipVision::load(source, with.dtype, &with.device)?))),
    ("clap", Modality::Text, |source, with| Ok(Box::new(ClapText::load(source, with.dtype, &with.device)?))),
    ("clap", Modality::Audio, |source, with| Ok(Box::new(ClapAudio::load(source, with.dtype, &with.device)?))),
    ("sensorium-picture-tower", Modality::Image, |source, _| Ok(Box::new(PictureTower::load(source)?))),
    ("sensorium-sound-tower", Modality::Audio, |source, _| Ok(Box::new(SoundTower::load(source)?))),
];

/// The table above, for messages.
const SUPPORTED: &str = "bert (text), roberta (text), xlm-roberta (text), mpnet (text), modernbert (text), clip (text), clip (image), \
    siglip (text), siglip (image), clap (text), clap (audio), sensorium-picture-tower (image), sensorium-sound-tower (audio)";

fn sentences(source: &Source, with: &LoadOptions) -> Result<Box<dyn Tower>, ModelError> {
    let encoder = TextEncoder::load_on(source, with.dtype, &with.device, with.text.clone())?;
    Ok(Box::new(Arc::new(encoder).tower()))
}

/// How the tensors of a model with two towers begin, by the tower that reads them.
const PARTS: [(&str, Modality); 4] = [
    ("text_", Modality::Text),
    ("vision_", Modality::Image),
    ("visual_", Modality::Image),
    ("audio_", Modality::Audio),
];

/// How many numbers a tower holds of the model in `files`: all of a model that is one tower; of a model that has another beside it, all but the
/// other's.
pub fn parameters(files: &[Weights], modality: Modality) -> u64 {
    let of_parts = |counts: fn(Modality, Modality) -> bool| -> u64 {
        let parts = PARTS.iter().filter(|(_, takes)| counts(*takes, modality));
        parts.flat_map(|(beginning, _)| files.iter().map(move |file| file.parameters_of(beginning))).sum()
    };
    let all: u64 = files.iter().map(Weights::parameters).sum();
    match of_parts(|takes, modality| takes == modality) {
        0 => all,
        _ => all - of_parts(|takes, modality| takes != modality),
    }
}

/// The one field of `config.json` that every architecture has.
#[derive(Deserialize)]
struct Architecture {
    model_type: String,
}

/// Loads the tower of `source` that takes `modality`. The architecture is the one that the options name, or else the one
/// that the model's own `config.json` does.
pub fn load(source: &Source, modality: Modality, with: &LoadOptions) -> Result<Box<dyn Tower>, ModelError> {
    let architecture = match &with.architecture {
        Some(name) => name.clone(),
        None => source.json::<Architecture>("config.json")?.model_type,
    };
    let found = TOWERS.iter().find(|(name, takes, _)| *name == architecture && *takes == modality);
    match found {
        Some((.., load)) => load(source, with),
        None => Err(ModelError::Unsupported {
            what: "architecture",
            found: format!("{architecture} ({modality})"),
            supported: SUPPORTED,
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn load(source: &Source, named: Option<&str>, modality: Modality) -> Result<Box<dyn Tower>, ModelError> {
        super::load(source, modality, &LoadOptions { architecture: named.map(str::to_owned), ..LoadOptions::default() })
    }

    #[test]
    fn the_message_names_what_the_table_has() {
        let names = TOWERS.map(|(name, modality, _)| format!("{name} ({modality})"));
        assert_eq!(SUPPORTED, names.join(", "));
    }

    #[test]
    fn a_tower_holds_what_is_not_the_other_ones() {
        let files = |path: &str| vec![Weights::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()];
        let pair = files("tests/parity/small/siglip-small/model.safetensors");
        let [text, image] = [Modality::Text, Modality::Image].map(|modality| parameters(&pair, modality));
        let both = 2; // scale and bias of the pair
        assert!(text > both && image > both && text != image);
        assert_eq!(text + image, pair[0].parameters() + both);
        for (path, modality) in [
            ("tests/parity/small/text-e5-small/model.safetensors", Modality::Text),
            ("../../models/starter/sound.safetensors", Modality::Audio),
            ("../../models/starter/picture.safetensors", Modality::Image),
        ] {
            let files = files(path);
            assert_eq!(parameters(&files, modality), files[0].parameters(), "{path}");
        }
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
