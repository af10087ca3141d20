//! Pictures to words: BLIP (Li et al., "Bootstrapping language-image pre-training", 2022, <https://arxiv.org/abs/2201.12086>).
//!
//! - [`BlipCaptioner`] says what is in a picture, base and large, with or without the beginning of a text.
//! - [`BlipAnswerer`] answers questions about a picture.
//!
//! Read are folders in the layout of the Transformers library: `config.json`, `preprocessor_config.json`, `tokenizer.json` or `vocab.txt`, and
//! the weights. `vision` turns a picture into states, `text` reads and writes with an eye on them, `decoder` gives the logits of the next
//! token, and `writer` has [`generation`](crate::generation) choose it. From the same files the same tokens come as from `generate` there,
//! greedily and by beams.

mod answerer;
mod captioner;
mod config;
mod decoder;
mod error;
mod options;
mod rules;
mod text;
mod tokens;
mod vision;
mod writer;

use candle_core::DType;

use crate::error::ModelError;

pub use answerer::BlipAnswerer;
pub use captioner::BlipCaptioner;
pub use error::BlipError;
pub use options::{Decoding, GenerateOptions, MaxTokens};
pub use writer::GeneratedText;

/// Refuses numbers that models are not computed with.
fn precision(dtype: DType) -> Result<(), ModelError> {
    if matches!(dtype, DType::F32 | DType::F16 | DType::BF16) {
        return Ok(());
    }
    let (found, supported) = (dtype.as_str().to_owned(), "f32, f16, bf16");
    Err(ModelError::Unsupported { what: "precision", found, supported })
}
