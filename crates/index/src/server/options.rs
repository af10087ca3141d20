//! What an operator can set for an index on a server.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::Deserialize;

use crate::options::{HnswOptions, WordsOptions};

/// Settings of an index on a Qdrant server. [`QdrantOptions::new`] gives the defaults.
#[derive(Clone, PartialEq)]
pub struct QdrantOptions {
    /// Where its gRPC port is: `http://HOST:6334`, or `https://...`.
    pub url: String,
    /// The key that the server asks for.
    pub api_key: Option<String>,
    /// The index is the collection of this name with `_g` and the generation behind it; the name alone is the alias of the current
    /// generation.
    pub name: String,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long the server may take for a search or another question.
    pub read_timeout: Duration,
    /// How long the server may take for a batch of points, a deletion, or a change of the collection.
    pub write_timeout: Duration,
    /// Copies of every shard on as many nodes. Fixed when the collection is made.
    pub replication_factor: NonZeroU32,
    /// Shards of the collection; the server chooses when `None`. Fixed when the collection is made. The rarity of a word is counted
    /// within a shard, so its weight varies a little with more than one.
    pub shard_number: Option<NonZeroU32>,
    /// Copies that must have a write before it counts.
    pub write_consistency_factor: NonZeroU32,
    /// A smaller form of the vectors that searches look at first.
    pub quantization: Quantization,
    /// Vectors and words stay on disk and are read when they are compared.
    pub vectors_on_disk: bool,
    /// Payloads stay on disk.
    pub payload_on_disk: bool,
    /// Index segments with more KiB of vectors than this get a graph.
    pub indexing_threshold_kb: usize,
    /// How many segments' documents are kept in memory, at about 100 bytes each, so that the server need not send them with hits.
    pub remembered_segments: usize,
    /// The graph of nearest neighbours.
    pub hnsw: HnswOptions,
    /// How words are weighed. Part of the index's shape: a change needs a reindex.
    pub words: WordsOptions,
}

/// A smaller form of the vectors, kept in memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Quantization {
    /// The vectors alone.
    #[default]
    None,
    /// A byte for every number, a quarter of the memory. Twice as many candidates as hits are found by it and put in order by
    /// their full vectors, so that scores are exact.
    Scalar,
}

impl QdrantOptions {
    /// The defaults, for the server at `url`.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            api_key: None,
            name: "sensorium".to_owned(),
            connect_timeout: Duration::from_secs(2),
            read_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_mins(1),
            replication_factor: NonZeroU32::MIN,
            shard_number: None,
            write_consistency_factor: NonZeroU32::MIN,
            quantization: Quantization::None,
            vectors_on_disk: false,
            payload_on_disk: true,
            indexing_threshold_kb: 10_000,
            remembered_segments: 2_000_000,
            hnsw: HnswOptions::default(),
            words: WordsOptions::default(),
        }
    }
}

impl std::fmt::Debug for QdrantOptions {
    /// Without the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("QdrantOptions").field("url", &self.url).field("name", &self.name).finish_non_exhaustive()
    }
}
