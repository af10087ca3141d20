//! What an index folder was built for, written beside it, so that another profile never reads it by mistake.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use qdrant_edge::{Distance, EdgeConfig, EdgeSparseVectorParams, EdgeVectorParams, Modifier, WalOptions};
use sensorium_domain::{IndexError, SpaceName};
use serde::{Deserialize, Serialize};

use super::disk;
use super::log;
use super::options::{EdgeOptions, WordsOptions};
use super::words::WORDS;

const FILE: &str = "sensorium-index.json";
const VERSION: u32 = 1;

/// Spaces with their dimensions, and the rules for words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Shape {
    version: u32,
    spaces: BTreeMap<String, usize>,
    words: WordsOptions,
}

impl Shape {
    pub(super) fn new(spaces: &[(SpaceName, usize)], options: &EdgeOptions) -> Result<Self, IndexError> {
        let mut by_name = BTreeMap::new();
        for (name, dimension) in spaces {
            if *dimension == 0 || name.as_str() == WORDS {
                return Err(IndexError::Rejected(format!(
                    "space \"{name}\" of dimension {dimension} cannot be indexed"
                )));
            }
            if by_name.insert(name.to_string(), *dimension).is_some() {
                return Err(IndexError::Rejected(format!("space \"{name}\" is given twice")));
            }
        }
        Ok(Self { version: VERSION, spaces: by_name, words: options.words.clone() })
    }

    /// The dimension of a space.
    pub(super) fn dimension(&self, space: &SpaceName) -> Result<usize, IndexError> {
        self.spaces
            .get(space.as_str())
            .copied()
            .ok_or_else(|| IndexError::Rejected(format!("there is no space \"{space}\"")))
    }

    /// Compares with the folder's; whether the folder has one (a new one has none, and fits).
    pub(super) fn check(&self, folder: &Path) -> Result<bool, IndexError> {
        let bytes = match fs::read(folder.join(FILE)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(IndexError::Internal(format!("{FILE}: {error}"))),
        };
        let found: Self =
            serde_json::from_slice(&bytes).map_err(|error| IndexError::Corrupt(format!("{FILE}: {error}")))?;
        if found == *self {
            return Ok(true);
        }
        Err(IndexError::Mismatch(format!("it was built for {found}, not for {self}")))
    }

    /// Writes it beside the index, whole or not at all.
    pub(super) fn save(&self, folder: &Path) -> Result<(), IndexError> {
        let failed = |error: String| IndexError::Internal(format!("{FILE}: {error}"));
        let bytes = serde_json::to_vec_pretty(self).map_err(|error| failed(error.to_string()))?;
        disk::replace(&folder.join(FILE), &bytes).map_err(|error| failed(error.to_string()))
    }

    /// The library's configuration for this shape.
    pub(super) fn config(&self, options: &EdgeOptions) -> EdgeConfig {
        let words = EdgeSparseVectorParams { modifier: Some(Modifier::Idf), ..EdgeSparseVectorParams::default() };
        let log = WalOptions { segment_capacity: log::FILE_BYTES, ..WalOptions::default() };
        let mut builder = EdgeConfig::builder()
            .wal_options(log)
            .hnsw_config(options.hnsw_config())
            .optimizers(options.optimizers_config())
            .sparse_vector(WORDS, words);
        for (name, dimension) in &self.spaces {
            let dense = EdgeVectorParams::builder(*dimension, Distance::Cosine).build();
            builder = builder.vector(name.as_str(), dense);
        }
        builder.build()
    }
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "format {} with spaces", self.version)?;
        for (name, dimension) in &self.spaces {
            write!(f, " {name}({dimension})")?;
        }
        let words = &self.words;
        write!(f, " and words {}(k1 {}, b {}, average {})", words.language, words.k1, words.b, words.average_words)
    }
}
