//! CLIP (Radford et al., "Learning transferable visual models from natural language supervision", 2021): pictures and texts in one space.
//!
//! Read are folders of `CLIPModel` in the layout of the Transformers library, those of OpenAI and those of LAION's OpenCLIP:
//! `config.json`, `preprocessor_config.json`, `model.safetensors`, and `tokenizer.json` or `vocab.json` with `merges.txt`.

mod config;
pub(crate) mod encoder;
mod text;
mod tokens;
mod vision;
pub(crate) mod vision_config;
pub(crate) mod words;

pub use text::ClipText;
pub use vision::ClipVision;
