//! The models that a deployment runs, and what their numbers mean.

use std::path::PathBuf;
use std::sync::Arc;

use sensorium_domain::encoder::{SpaceInfo, Tower, TowerInfo};
use sensorium_domain::{EncodeInput, Encoder, Modality, ModelName, SpaceName};
use sensorium_inference::{LocalEncoder, Options, SetupError};
use sensorium_models::labels::Labels;
use sensorium_models::source::sha256_of;
use sensorium_models::starter::{Calibration, PictureTower, SoundTower};
use sensorium_models::{ModelError, Source, TextEncoder};
use sensorium_sources::{Check, ProfileFile};

use crate::config::Config;
use crate::ingest::CountTokens;
use crate::models::{Models, ModelsError, TEXT_MODEL, starter_dir};

/// Length of the vectors of the starter's space.
const DIMENSIONS: usize = 384;

/// The running profile.
pub struct Profile {
    /// Its name.
    pub name: String,
    /// Its towers behind their queues.
    pub encoder: Arc<dyn Encoder>,
    text: Arc<TextEncoder>,
    calibration: Calibration,
    labels: Labels,
    chosen_by_default: bool,
}

/// Why the models could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// A model.
    #[error("{0}")]
    Model(#[from] ModelError),
    /// The encoder.
    #[error("{0}")]
    Encoder(#[from] SetupError),
    /// Files that are not here, or are not the right ones.
    #[error("{0}")]
    Files(#[from] ModelsError),
}

/// Loads the configured profile on a thread of its own.
pub async fn load(config: &Config) -> Result<Profile, ProfileError> {
    let config = config.clone();
    let loading = tokio::task::spawn_blocking(move || load_starter(&config));
    loading.await.unwrap_or_else(|error| Err(SetupError::Threads(error.to_string()).into()))
}

fn load_starter(config: &Config) -> Result<Profile, ProfileError> {
    let text_source = Source::Folder(text_model_dir(config)?);
    let towers_source = Source::Bundled(starter_dir(&config.profile)?);
    let text = Arc::new(TextEncoder::load(&text_source)?);
    let calibration = Calibration::load(&towers_source)?;
    let labels = Labels::load(&towers_source, &calibration)?;
    let towers: Vec<Box<dyn Tower>> = vec![
        Box::new(text.as_passage()),
        Box::new(PictureTower::load(&towers_source)?),
        Box::new(SoundTower::load(&towers_source)?),
    ];
    let info = |modality, name: &str, file: PathBuf| {
        let revision = sha256_of(&file)?;
        Ok::<_, ModelError>(TowerInfo { modality, model: ModelName(format!("{name}@{}", &revision[..12])) })
    };
    let shared = SpaceInfo {
        name: shared_space(),
        dimensions: DIMENSIONS,
        towers: vec![
            info(Modality::Text, TEXT_MODEL, text_source.weights("model.safetensors")?)?,
            info(Modality::Image, "starter-picture", towers_source.weights("picture.safetensors")?)?,
            info(Modality::Audio, "starter-sound", towers_source.weights("sound.safetensors")?)?,
        ],
    };
    let options = Options {
        threads: config.encoder.threads,
        interactive_queue_cost: config.encoder.interactive_queue_cost,
        bulk_queue_cost: config.encoder.bulk_queue_cost,
        batch_cost: config.encoder.batch_cost,
        interactive_deadline_ms: config.encoder.interactive_deadline_ms,
        cache_bytes: config.encoder.cache_bytes,
        ..Options::default()
    };
    let encoder = Arc::new(LocalEncoder::new(vec![(shared, towers)], options)?);
    let chosen_by_default = config.profile.name == "auto";
    Ok(Profile { name: "starter".to_owned(), encoder, text, calibration, labels, chosen_by_default })
}

fn shared_space() -> SpaceName {
    "shared".parse().unwrap_or_else(|_| unreachable!("a plain name"))
}

/// The folder with the text model, checked: from a package, from the hub, or the one that the settings name.
fn text_model_dir(config: &Config) -> Result<PathBuf, ModelsError> {
    let starter = ProfileFile::bundled("starter").transpose()?;
    let entry = starter.as_ref().and_then(|starter| starter.models.get(TEXT_MODEL));
    let Some(entry) = entry else { unreachable!("a test reads the bundled profiles") };
    Models::new(config)?.check(TEXT_MODEL, entry, Check::Quick, &mut |_| {})
}

impl Profile {
    /// Counts tokens as the text tower does.
    pub fn token_counter(&self) -> Arc<CountTokens> {
        let text = self.text.clone();
        Arc::new(move |words| text.count_tokens(words))
    }

    /// A query's vector for one target modality. Stored vectors are never changed; a query across modalities loses what all
    /// queries of its modality share.
    pub fn query_vector(&self, asked_by: Modality, target: Modality, vector: &[f32]) -> Vec<f32> {
        self.calibration.query_vector(asked_by, target, vector)
    }

    /// The calibrated confidence of a cosine, from 0 to 1.
    pub fn confidence(&self, asked_by: Modality, target: Modality, cosine: f32) -> f32 {
        self.calibration.confidence(asked_by, target, cosine)
    }

    /// How likely an input is something that the profile knows, from 0 to 1. Below one half it looks like a photograph.
    pub fn in_scope(&self, input: &EncodeInput) -> f32 {
        let EncodeInput::Image { width_px, height_px, rgb } = input else { return 1.0 };
        let gate = self.calibration.out_of_scope();
        match gate.score(*width_px, *height_px, rgb) {
            Ok(score) if score < gate.threshold => 1.0,
            Ok(score) => (1.0 - score).min(0.4),
            Err(_) => 1.0,
        }
    }

    /// What to say of an input that it does not know.
    pub fn scope_note(&self) -> String {
        format!(
            "it looks like a photograph, and the profile {} knows drawings, icons and instruments; use `standard`",
            self.name
        )
    }

    /// The temperature of zero-shot classification.
    pub fn temperature(&self) -> f32 {
        0.05
    }

    /// The entries of the vocabulary nearest to a picture or sound, with cosine and confidence; none for other modalities.
    pub fn nearest_labels(&self, modality: Modality, vector: &[f32], most: usize) -> Vec<(String, f32, f32)> {
        let nearest = self.labels.nearest(modality, vector, most);
        nearest.into_iter().map(|label| (label.text.to_owned(), label.cosine, label.confidence)).collect()
    }

    /// The licence of a model.
    pub fn licence(&self, model: &ModelName) -> &'static str {
        if model.0.starts_with("starter-") {
            "Apache-2.0 (ingredients: models/starter/README.md)"
        } else {
            "Apache-2.0"
        }
    }

    /// What users should know.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = vec![format!(
            "profile {}: good at text, drawings, icons and instruments; photographs and real-world recordings need the profile standard",
            self.name
        )];
        if self.chosen_by_default {
            notes.push("profile auto took starter: standard is not in this version".to_owned());
        }
        notes
    }
}
