//! Every architecture beside its reference implementation (Hugging Face Transformers): small models with committed expectations, and,
//! where `make parity` has written them, models of full size: every module has a test `models_of_full_size`, which `scripts/parity` runs by that
//! name. How expectations are made: `parity/` at the root.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::float_cmp)]

mod blip;
mod case;
mod clap;
mod clip;
mod pair;
mod rerank;
mod siglip;
mod text;
mod whisper;
