//! `/v1/documents`.

pub mod batch;
pub mod create;
pub mod delete;
pub mod get;
pub mod list;
pub mod patch;
pub mod segments;
pub mod view;
