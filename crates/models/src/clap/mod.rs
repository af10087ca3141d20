//! CLAP: sounds and texts in one space (Wu et al., "Large-scale contrastive language-audio pretraining with feature fusion and
//! keyword-to-caption augmentation", 2022), in the layout of Transformers' `ClapModel`: `config.json`, `preprocessor_config.json`,
//! `model.safetensors`, and `tokenizer.json` or `vocab.json` with `merges.txt`.
//!
//! A sound becomes decibels over mel bands and time (`features`, `views`), that a square picture of patches (`patches`; models with fusion also
//! `fusion`), and that a vector by HTS-AT, a Swin transformer (`windows`, `swin`). A text goes through RoBERTa (`roberta`).

mod audio;
mod config;
mod features;
mod fusion;
mod packed;
mod patches;
mod projection;
mod roberta;
mod swin;
mod text;
mod views;
mod windows;

pub use audio::ClapAudio;
pub use text::ClapText;
