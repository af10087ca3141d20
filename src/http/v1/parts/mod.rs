//! `/v1/parts`.

pub mod content;
pub mod get;
pub mod peaks;
pub mod thumbnail;
