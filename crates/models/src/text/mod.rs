//! Sentence encoders and re-rankers, from folders in the layout of sentence-transformers (Reimers and Gurevych, "Sentence-BERT", 2019).
//!
//! - [`TextEncoder`] gives texts vectors: BERT, RoBERTa, XLM-R, MPNet and ModernBERT, with the pooling, dense layers, lengths and
//!   prompts that the folder's files say.
//! - [`Reranker`] gives pairs of texts a score.
//! - On the processor in f32, BERT, RoBERTa and XLM-R run without padding on the crate's own kernels; all else runs on tensors.

mod batch;
mod bert;
mod blocks;
mod config;
mod encoder;
mod modern_bert;
mod network;
mod pooling;
mod post_norm;
mod reranker;
mod sentence;
mod steps;
pub mod tiny;
mod tokens;
mod vocabulary;

pub use self::encoder::{TextEncoder, TextOptions, TextTower};
pub use self::pooling::Pooling;
pub use self::reranker::{Reranker, ScoreActivation};
pub use self::tokens::Tokens;
