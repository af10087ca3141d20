//! Version 1 of the API: a file an operation.

pub mod audio;
pub mod audit;
pub mod captions;
pub mod classify;
pub mod collections;
pub mod documents;
pub mod embeddings;
pub mod generations;
pub mod idempotency;
pub mod jobs;
pub mod keys;
pub mod models;
pub mod parts;
pub mod reindex;
pub mod search;
pub mod usage;
