//! The layers that transformer models share, on candle tensors: one code for CPU, CUDA and Metal.
//!
//! Every layer is read from a [`Scope`](crate::scope::Scope) by the tensor names of the Transformers library and says the shapes that it takes.

mod activation;
mod attention;
mod cached;
mod embedding;
mod linear;
mod norm;
mod patches;
mod transformer;

pub use activation::Activation;
pub(crate) use attention::{Added, Scoring, softmax};
pub use attention::{Mask, attend};
pub(crate) use cached::{CachedAttention, Kept, Past, indices, later_tokens};
pub use embedding::Embedding;
pub use linear::Linear;
pub use norm::LayerNorm;
pub use patches::Patches;
pub(crate) use transformer::{Block, Transformer};
