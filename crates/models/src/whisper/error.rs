//! Why a sound could not be transcribed.

use crate::error::ModelError;

/// Why a sound could not be transcribed.
#[derive(Debug, thiserror::Error)]
pub enum WhisperError {
    /// The language is not one of this model's.
    #[error("language \"{found}\" is not one of this model's; it has: {known}")]
    UnknownLanguage {
        /// What was asked for.
        found: String,
        /// The codes that it has.
        known: String,
    },
    /// A model of English only was asked for something else.
    #[error("this model knows English only; {what} needs one of many languages")]
    EnglishOnly {
        /// What was asked for.
        what: String,
    },
    /// The checkpoint does not say which attention heads follow the sound.
    #[error("word timestamps need \"alignment_heads\" in generation_config.json, which this model does not have")]
    NoAlignmentHeads,
    /// An option is out of its range.
    #[error("{option} is {found}, allowed: {allowed}")]
    Option {
        /// Its name.
        option: &'static str,
        /// What was given.
        found: String,
        /// What it may be.
        allowed: String,
    },
    /// The prompt cannot be used.
    #[error("the prompt cannot be used: {reason}")]
    Prompt {
        /// Why.
        reason: String,
    },
    /// The sound holds a sample that is no number.
    #[error("sample {index} of the sound is not a finite number")]
    Samples {
        /// Its place.
        index: usize,
    },
    /// The caller stopped it.
    #[error("cancelled")]
    Cancelled,
    /// The device failed.
    #[error(transparent)]
    Model(#[from] ModelError),
}

impl From<candle_core::Error> for WhisperError {
    fn from(error: candle_core::Error) -> Self {
        Self::Model(ModelError::device("transcription", &error))
    }
}
