//! Why a text could not be written.

use crate::error::ModelError;

/// Why a text could not be written.
#[derive(Debug, thiserror::Error)]
pub enum BlipError {
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
    /// A question cannot be read.
    #[error("question {index} cannot be read: {reason}")]
    Question {
        /// Its place, from 0.
        index: usize,
        /// Why.
        reason: String,
    },
    /// There are not as many questions as pictures.
    #[error("there are {questions} questions for {pictures} pictures")]
    Count {
        /// How many questions.
        questions: usize,
        /// How many pictures.
        pictures: usize,
    },
    /// What was written cannot be spelt.
    #[error("the tokenizer cannot spell what the model wrote: {reason}")]
    Spelling {
        /// Why.
        reason: String,
    },
    /// The device failed.
    #[error(transparent)]
    Model(#[from] ModelError),
}

impl From<candle_core::Error> for BlipError {
    fn from(error: candle_core::Error) -> Self {
        Self::Model(ModelError::device("captioning", &error))
    }
}
