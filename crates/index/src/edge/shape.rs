//! The shape beside an index folder, and in the library's configuration.

use std::fs;
use std::path::Path;

use qdrant_edge::{Distance, EdgeConfig, EdgeSparseVectorParams, EdgeVectorParams, Modifier, WalOptions};
use sensorium_domain::IndexError;

use super::options::EdgeOptions;
use super::{disk, log};
use crate::shape::Shape;
use crate::words::WORDS;

const FILE: &str = "sensorium-index.json";

/// Compares with the folder's; whether the folder has one (a new one has none, and fits).
pub(super) fn check(shape: &Shape, folder: &Path) -> Result<bool, IndexError> {
    let bytes = match fs::read(folder.join(FILE)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(IndexError::Internal(format!("{FILE}: {error}"))),
    };
    shape.check(&Shape::read(&bytes)?)?;
    Ok(true)
}

/// Writes it beside the index, whole or not at all.
pub(super) fn save(shape: &Shape, folder: &Path) -> Result<(), IndexError> {
    let failed = |error: String| IndexError::Internal(format!("{FILE}: {error}"));
    let bytes = serde_json::to_vec_pretty(shape).map_err(|error| failed(error.to_string()))?;
    disk::replace(&folder.join(FILE), &bytes).map_err(|error| failed(error.to_string()))
}

/// The library's configuration for this shape.
pub(super) fn config(shape: &Shape, options: &EdgeOptions) -> EdgeConfig {
    let words = EdgeSparseVectorParams { modifier: Some(Modifier::Idf), ..EdgeSparseVectorParams::default() };
    let log = WalOptions { segment_capacity: log::FILE_BYTES, ..WalOptions::default() };
    let mut builder = EdgeConfig::builder()
        .wal_options(log)
        .hnsw_config(options.hnsw_config())
        .optimizers(options.optimizers_config())
        .sparse_vector(WORDS, words);
    for (name, dimension) in shape.stored() {
        let dense = EdgeVectorParams::builder(dimension, Distance::Cosine).build();
        builder = builder.vector(name, dense);
    }
    builder.build()
}
