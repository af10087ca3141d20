//! The models that a deployment runs, and what their numbers mean.

mod choose;
mod load;
mod reading;
mod room;
mod towers;
mod writers;

use std::sync::Arc;

use sensorium_domain::encoder::{CountTokens, SoundFormat, SpaceInfo};
use sensorium_domain::{EncodeError, EncodeInput, Encoder, Modality, ModelName, Priority, SpaceName};
use sensorium_inference::{LocalEncoder, Metrics, SetupError};
use sensorium_models::ModelError;
use sensorium_models::device::DeviceError;
use sensorium_models::labels::Labels;

pub use choose::{Chosen, choose, is_here, read};

use crate::caption::Captioner;
use crate::config::Config;
use crate::models::ModelsError;
use crate::transcribe::Transcriber;
use reading::Reading;
use towers::TowerHere;

/// The running profile.
pub struct Profile {
    /// Its name.
    pub name: String,
    /// Its towers behind their queues.
    pub encoder: Arc<dyn Encoder>,
    /// What writes down speech, where it has it.
    pub transcriber: Option<Transcriber>,
    /// What describes pictures in sentences, where it has it.
    pub captioner: Option<Captioner>,
    local: Arc<LocalEncoder>,
    summary: String,
    spaces: Vec<Space>,
    counter: Option<Arc<CountTokens>>,
    sound: SoundFormat,
    labels: Option<Labels>,
    towers: Vec<TowerHere>,
    writers: Vec<(ModelName, ModelFacts)>,
    /// What the profile's file names and is not used: it is not here, or not in this version.
    unused: Vec<String>,
    note: Option<String>,
}

/// What there is to know about a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFacts {
    /// Its licence.
    pub licence: String,
    /// In which it computes: `f32`, `bf16` or `f16`.
    pub precision: &'static str,
    /// On what it computes: `cpu`, `cuda:0`.
    pub device: String,
    /// Bytes of its files of weights.
    pub weights_bytes: u64,
    /// Bytes of its weights in memory, as it computes with them.
    pub memory_bytes: u64,
}

impl ModelFacts {
    fn unknown() -> Self {
        let not_known = || "not known".to_owned();
        Self { licence: not_known(), precision: "not known", device: not_known(), weights_bytes: 0, memory_bytes: 0 }
    }
}

struct Space {
    name: SpaceName,
    reading: Reading,
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
    /// Where they should compute.
    #[error("encoder.device: {0}")]
    Device(#[from] DeviceError),
    /// Files that are not here, or are not the right ones.
    #[error("{0}")]
    Files(#[from] ModelsError),
    /// No such profile.
    #[error("profile.name: \"{name}\" is neither auto, nor a profile ({names}), nor a file ending in .toml")]
    Unknown {
        /// What the settings say.
        name: String,
        /// What there is.
        names: String,
    },
    /// Sounds are brought to all towers in one way.
    #[error("the profile has towers that want sounds at {} Hz in {} ms and others at {} Hz in {} ms; one profile can have one", .0.sample_rate_hz, .0.window_ms, .1.sample_rate_hz, .1.window_ms)]
    TwoSounds(SoundFormat, SoundFormat),
    /// A speech recogniser for another rate than that at which sounds are given to it.
    #[error("{model} wants sounds at {rate_hz} Hz; speech recognisers are given {rate} Hz here", rate = crate::transcribe::SAMPLE_RATE_HZ)]
    SampleRate {
        /// The model.
        model: ModelName,
        /// What it wants.
        rate_hz: u32,
    },
    /// What is longer than a window would not be heard.
    #[error("ingest.window_ms: is {set}, and the towers of the profile hear at most {most} ms at once")]
    Window {
        /// What the settings say.
        set: u64,
        /// The towers' own.
        most: u64,
    },
    /// There is no room for a model, even alone.
    #[error("profile.memory_bytes: is {budget}; {model} alone takes {bytes}")]
    Memory {
        /// What the settings say.
        budget: u64,
        /// The model.
        model: String,
        /// Bytes of its weights in memory.
        bytes: u64,
    },
    /// A fault of the program.
    #[error("loading a model panicked; the log has the reason")]
    Panicked,
}

/// Loads a profile's models on threads of their own.
pub async fn load(config: &Config, chosen: Chosen) -> Result<Profile, ProfileError> {
    let config = config.clone();
    let loading = tokio::task::spawn_blocking(move || load::load(&config, chosen));
    loading.await.unwrap_or(Err(ProfileError::Panicked))
}

impl Profile {
    /// What the towers have done so far.
    pub fn encoder_metrics(&self) -> Metrics {
        self.local.metrics()
    }

    /// Has a model make a vector of a word; of a profile that takes no words nothing is asked. Asked often, it is remembered. A model that had to make
    /// room is not asked either: it would come back for this alone, in the place of one that is needed.
    pub async fn ping(&self) -> Result<(), EncodeError> {
        let Some(space) = self.space(None, &[Modality::Text]) else { return Ok(()) };
        if self.tower(&space.name, Modality::Text).is_some_and(|tower| !tower.is_loaded()) {
            return Ok(());
        }
        let word = EncodeInput::Query(Arc::from("ready"));
        self.encoder.encode(&space.name, word, Priority::Interactive).await.map(drop)
    }

    /// Counts tokens as the tower does that finds texts.
    pub fn token_counter(&self) -> Arc<CountTokens> {
        // Four letters a token is usual for English; no tower of this profile reads texts.
        self.counter.clone().unwrap_or_else(|| Arc::new(|words: &str| words.len().div_ceil(4)))
    }

    /// How sounds are to be brought to the towers.
    pub fn sound_format(&self) -> SoundFormat {
        self.sound
    }

    /// The space of this name, or else the first one that takes all of `modalities`.
    pub fn space(&self, name: Option<&SpaceName>, modalities: &[Modality]) -> Option<&SpaceInfo> {
        self.encoder.spaces().iter().find(|space| match name {
            Some(name) => space.name == *name,
            None => modalities.iter().all(|modality| space.tower(*modality).is_some()),
        })
    }

    /// Whether a space is to answer `target` when `asked_by` asks: one in which texts meet pictures or sounds leaves texts that look for
    /// texts to a space of texts alone, where the profile has one.
    pub fn answers(&self, space: &SpaceInfo, asked_by: Modality, target: Modality) -> bool {
        let of_texts_alone = |space: &SpaceInfo| space.towers.iter().all(|tower| tower.modality == Modality::Text);
        (asked_by, target) != (Modality::Text, Modality::Text)
            || of_texts_alone(space)
            || !self.encoder.spaces().iter().any(of_texts_alone)
    }

    /// A query's vector for one target modality. Stored vectors are never changed; with the starter, a query across modalities loses what
    /// all queries of its modality share.
    pub fn query_vector(&self, space: &SpaceName, asked_by: Modality, target: Modality, vector: &[f32]) -> Vec<f32> {
        self.reading(space).query_vector(asked_by, target, vector)
    }

    /// The confidence of a cosine, from 0 to 1, where the space has one for these modalities.
    pub fn confidence(&self, space: &SpaceName, asked_by: Modality, target: Modality, cosine: f32) -> Option<f32> {
        self.reading(space).confidence(asked_by, target, cosine)
    }

    /// Whether cosines of a space have a confidence for these modalities.
    pub fn is_calibrated(&self, space: &SpaceName, asked_by: Modality, target: Modality) -> bool {
        self.reading(space).is_calibrated(asked_by, target)
    }

    fn reading(&self, space: &SpaceName) -> &Reading {
        self.spaces.iter().find(|known| known.name == *space).map_or(&Reading::Ranks, |space| &space.reading)
    }

    /// How likely an input is something that the profile knows, from 0 to 1. Below one half it looks like a photograph.
    pub fn in_scope(&self, input: &EncodeInput) -> f32 {
        let EncodeInput::Image { width_px, height_px, rgb } = input else { return 1.0 };
        let Some(calibration) = self.spaces.iter().find_map(|space| space.reading.starter()) else { return 1.0 };
        let gate = calibration.out_of_scope();
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

    /// The temperature of zero-shot classification in a space.
    pub fn temperature(&self, space: &SpaceName) -> f32 {
        self.reading(space).temperature()
    }

    /// The entries of the vocabulary nearest to a picture or sound, with cosine and confidence; none for other modalities, and in profiles
    /// without a vocabulary.
    pub fn nearest_labels(&self, modality: Modality, vector: &[f32], most: usize) -> Vec<(String, f32, f32)> {
        let nearest = self.labels.iter().flat_map(|labels| labels.nearest(modality, vector, most));
        nearest.map(|label| (label.text.to_owned(), label.cosine, label.confidence)).collect()
    }

    /// What there is to know about a tower, and whether its weights are in memory. That there always is of one that the profile runs.
    pub fn tower_facts(&self, space: &SpaceName, modality: Modality) -> (ModelFacts, bool) {
        let known = self.tower(space, modality);
        known.map_or_else(|| (ModelFacts::unknown(), true), |tower| (tower.facts.clone(), tower.is_loaded()))
    }

    /// The same of a model that writes.
    pub fn writer_facts(&self, model: &ModelName) -> ModelFacts {
        let known = self.writers.iter().find(|(known, _)| known == model);
        known.map_or_else(ModelFacts::unknown, |(_, facts)| facts.clone())
    }

    fn tower(&self, space: &SpaceName, modality: Modality) -> Option<&TowerHere> {
        self.towers.iter().find(|tower| tower.space == *space && tower.modality == modality)
    }

    /// What users should know.
    pub fn notes(&self) -> Vec<String> {
        let about = format!("profile {}: {}", self.name, self.summary);
        std::iter::once(about).chain(self.unused.iter().cloned()).chain(self.note.clone()).collect()
    }
}
