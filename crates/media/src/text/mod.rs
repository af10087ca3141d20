//! Text: decoding to UTF-8, and cutting into chunks that fit a model.

mod chunk;
mod decode;
mod outline;
mod pack;
mod positions;
mod settle;
mod split;

pub use chunk::{Chunk, chunk};
pub use decode::decode_text;
pub(crate) use decode::to_utf8;
