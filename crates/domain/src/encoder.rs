//! The port to models: content in, unit vectors out.

use std::ops::Deref;
use std::sync::Arc;

use async_trait::async_trait;

use crate::names::{ModelName, SpaceName};
use crate::segment::Modality;

/// Prepared content for a tower. Decoding has been done; resizing and spectra belong to the model.
#[derive(Debug, Clone)]
pub enum EncodeInput {
    /// Words that can be found.
    Text(Arc<str>),
    /// Words that somebody asks with. Some models give them another vector than if they were to be found.
    Query(Arc<str>),
    /// 8-bit RGB rows without padding, on white where the picture was transparent.
    Image {
        /// Width.
        width_px: u32,
        /// Height.
        height_px: u32,
        /// `width * height * 3` bytes.
        rgb: Arc<[u8]>,
    },
    /// Mono samples in [-1, 1].
    Audio {
        /// Sample rate in hertz.
        sample_rate_hz: u32,
        /// The samples.
        samples: Arc<[f32]>,
    },
}

impl EncodeInput {
    /// The words, whatever they are for.
    pub fn words(&self) -> Option<&str> {
        match self {
            Self::Text(words) | Self::Query(words) => Some(words),
            Self::Image { .. } | Self::Audio { .. } => None,
        }
    }

    /// The kind of content.
    pub const fn modality(&self) -> Modality {
        match self {
            Self::Text(_) | Self::Query(_) => Modality::Text,
            Self::Image { .. } => Modality::Image,
            Self::Audio { .. } => Modality::Audio,
        }
    }
}

/// Searches go before ingest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Priority {
    /// Somebody is waiting for it.
    Interactive,
    /// Nobody is.
    Bulk,
}

/// Why there is no vector.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum EncodeError {
    /// The queue is full.
    #[error("the encoder's queue is full; try again in {retry_after_ms} ms")]
    Overloaded {
        /// When there should be room, from the measured rate.
        retry_after_ms: u64,
    },
    /// No tower of this space takes the modality.
    #[error("space \"{space}\" takes no {modality}")]
    Unsupported {
        /// The space asked for.
        space: SpaceName,
        /// The modality asked for.
        modality: Modality,
    },
    /// This input cannot be encoded; others can.
    #[error("this input cannot be encoded: {0}")]
    Input(String),
    /// The model failed.
    #[error("the model failed: {0}")]
    Model(String),
    /// The encoder has stopped.
    #[error("the encoder has stopped")]
    Stopped,
}

/// A profile's towers behind their queues.
#[async_trait]
pub trait Encoder: Send + Sync {
    /// The spaces and what they take.
    fn spaces(&self) -> &[SpaceInfo];

    /// Encodes one input into `space`: a unit vector of the space's length.
    async fn encode(&self, space: &SpaceName, input: EncodeInput, priority: Priority) -> Result<Vec<f32>, EncodeError>;
}

/// A space of the running profile.
#[derive(Debug, Clone, PartialEq)]
pub struct SpaceInfo {
    /// Its name; the named vector in the index.
    pub name: SpaceName,
    /// Length of its vectors.
    pub dimensions: usize,
    /// The tower of each modality that it takes.
    pub towers: Vec<TowerInfo>,
}

impl SpaceInfo {
    /// The tower that takes `modality`.
    pub fn tower(&self, modality: Modality) -> Option<&TowerInfo> {
        self.towers.iter().find(|tower| tower.modality == modality)
    }
}

/// One tower of a space.
#[derive(Debug, Clone, PartialEq)]
pub struct TowerInfo {
    /// What it takes.
    pub modality: Modality,
    /// `name@revision`; part of the key under which its vectors are kept.
    pub model: ModelName,
}

/// Work, in millions of floating-point operations; an estimate is enough.
///
/// One unit for every tower, so that a queue can bound and share what differs in kind: a token of a
/// small text model is about 20, a picture of a small tower about 600.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Cost(pub u64);

/// What one pass over a batch gives: for each input, in order, its vector or what is wrong with it.
/// The outer error is the model's: it says nothing about which input is to blame.
pub type TowerOutput = Result<Vec<Result<Vec<f32>, String>>, String>;

/// How sounds must be brought to a tower.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SoundFormat {
    /// Samples a second.
    pub sample_rate_hz: u32,
    /// The longest sound that the tower hears whole, in milliseconds.
    pub window_ms: u64,
}

/// Counts the tokens of a text as a model does. It is small: it holds none of the model's weights.
pub type CountTokens = dyn Fn(&str) -> usize + Send + Sync;

/// A tower whose weights are in memory, where they stay as long as this is held.
pub type HeldTower = Box<dyn Deref<Target = Box<dyn Tower>>>;

/// A model as the queue sees it: plain and synchronous, knowing neither queues nor threads.
pub trait Tower: Send + Sync {
    /// What it takes.
    fn modality(&self) -> Modality;

    /// Length of its vectors.
    fn dimensions(&self) -> usize;

    /// The work that one input is; cheap to ask, and never waits for weights.
    fn cost(&self, input: &EncodeInput) -> Cost;

    /// What counts the tokens of the model in a text, where it takes texts and can tell. It goes on counting while the weights are away.
    fn token_counter(&self) -> Option<Arc<CountTokens>> {
        None
    }

    /// How it wants sounds, where it takes them.
    fn sound_format(&self) -> Option<SoundFormat> {
        None
    }

    /// The tower with its weights in memory, for one that has them only while it works; nothing for one that has them always. May block for
    /// as long as reading them takes, so threads that compute ask it and no others. An error is about no input: a smaller batch would have it too.
    fn hold(&self) -> Result<Option<HeldTower>, String> {
        Ok(None)
    }

    /// Encodes a batch. What an input gets does not depend on its company.
    fn forward(&self, inputs: &[EncodeInput]) -> TowerOutput;
}
