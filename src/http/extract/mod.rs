//! Extractors whose rejections are problems.

mod id;
mod json;
mod objects;
mod prefer;
mod query;

pub use id::Id;
pub use json::{Body, parse_json};
pub use prefer::Wait;
pub use query::Params;
