//! What an operator can set, with defaults that suit a laptop.

use std::num::NonZeroUsize;

use qdrant_edge::{EdgeOptimizersConfig, HnswIndexConfig};
use serde::Deserialize;

use crate::options::{HnswOptions, WordsOptions};

/// Settings of the embedded index. Every field has a default; unknown fields are refused.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EdgeOptions {
    /// How many searches run at once, each on a thread of its own; the number of cores when absent.
    pub search_threads: Option<NonZeroUsize>,
    /// How many segments' documents are kept in memory, at about 100 bytes each, so that hits need not be read from disk.
    pub remembered_segments: usize,
    /// The graph of nearest neighbours.
    pub hnsw: HnswOptions,
    /// When `optimize` has work to do.
    pub optimizer: OptimizerOptions,
    /// How words are weighed. Part of the index's shape: a change needs a reindex.
    pub words: WordsOptions,
}

impl Default for EdgeOptions {
    fn default() -> Self {
        Self {
            search_threads: None,
            remembered_segments: 2_000_000,
            hnsw: HnswOptions::default(),
            optimizer: OptimizerOptions::default(),
            words: WordsOptions::default(),
        }
    }
}

/// When `optimize` has work to do.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OptimizerOptions {
    /// Index segments with more KiB of vectors than this get a graph.
    pub indexing_threshold_kb: usize,
    /// The number of index segments aimed at; the number of cores when 0.
    pub segments: usize,
    /// An index segment is rewritten when more than this share of it is deleted.
    pub deleted_share: f64,
    /// Index segments with fewer vectors than this are not rewritten for their deleted ones.
    pub vacuum_min_vectors: usize,
    /// The log of operations, which nothing reads again, is cut when it is larger than this many MiB.
    pub log_limit_mb: u64,
}

impl Default for OptimizerOptions {
    fn default() -> Self {
        Self {
            indexing_threshold_kb: 10_000,
            segments: 0,
            deleted_share: 0.2,
            vacuum_min_vectors: 1_000,
            log_limit_mb: 256,
        }
    }
}

impl EdgeOptions {
    /// How many searches run at once.
    pub fn search_threads(&self) -> usize {
        self.search_threads.or_else(|| std::thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get)
    }

    pub(super) fn hnsw_config(&self) -> HnswIndexConfig {
        HnswIndexConfig {
            m: self.hnsw.m,
            ef_construct: self.hnsw.ef_construct,
            full_scan_threshold: self.hnsw.full_scan_threshold_kb,
            max_indexing_threads: self.hnsw.indexing_threads,
            ..HnswIndexConfig::default()
        }
    }

    pub(super) fn optimizers_config(&self) -> EdgeOptimizersConfig {
        EdgeOptimizersConfig {
            deleted_threshold: Some(self.optimizer.deleted_share),
            vacuum_min_vector_number: Some(self.optimizer.vacuum_min_vectors),
            default_segment_number: Some(self.optimizer.segments),
            indexing_threshold: Some(self.optimizer.indexing_threshold_kb),
            ..EdgeOptimizersConfig::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_not_given_has_a_default_and_what_is_unknown_is_refused() {
        let options: Result<EdgeOptions, _> = serde_json::from_value(json!({"hnsw": {"m": 32}}));
        let mut wanted = EdgeOptions::default();
        wanted.hnsw.m = 32;
        assert_eq!(options.ok(), Some(wanted));
        for unknown in [json!({"hnws": {}}), json!({"hnsw": {"n": 1}}), json!({"search_threads": 0})] {
            assert!(serde_json::from_value::<EdgeOptions>(unknown).is_err());
        }
    }
}
