//! SigLIP (Zhai et al., "Sigmoid loss for language image pre-training", 2023) and SigLIP 2 (Tschannen et al., 2025) of fixed resolution:
//! pictures and texts in one space.
//!
//! Read are folders of `SiglipModel` in the layout of the Transformers library: `config.json`, `preprocessor_config.json`, `tokenizer.json`,
//! `tokenizer_config.json`, `model.safetensors`. SigLIP 2 of any resolution (NaFlex, `siglip2`) is another architecture.

mod config;
mod pooling;
mod text;
mod tokens;
mod vision;

pub use text::SiglipText;
pub use vision::SiglipVision;
