//! What both kinds of index let an operator set.

use serde::{Deserialize, Serialize};

/// The share of points that pass a filter below which a search walks on through the others.
pub(crate) const BEYOND_FILTERED_BELOW: f64 = 0.4;

/// The graph of nearest neighbours (HNSW), one per space, modality and index segment.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HnswOptions {
    /// Edges per node. More finds better and takes more memory. A change is applied when graphs are next built.
    pub m: usize,
    /// Neighbours considered while building. More finds better and builds slower.
    pub ef_construct: usize,
    /// Neighbours considered while searching; the number of hits asked for where that is more.
    pub ef: usize,
    /// Scopes whose vectors take less than this many KiB are compared one by one, exactly, instead of walking the graph.
    pub full_scan_threshold_kb: usize,
    /// Walk on through points that the filter excludes (ACORN), where fewer than four in ten pass. A search then takes about twice
    /// as long and finds its neighbours also where those that pass lie apart from the rest.
    pub beyond_filtered: bool,
    /// Compare every vector of the scope, always: exact and slow.
    pub exact: bool,
    /// Threads that build a graph; chosen by the number of cores when 0.
    pub indexing_threads: usize,
}

impl Default for HnswOptions {
    fn default() -> Self {
        Self {
            m: 16,
            ef_construct: 128,
            ef: 128,
            full_scan_threshold_kb: 4_000,
            beyond_filtered: true,
            exact: false,
            indexing_threads: 0,
        }
    }
}

/// How words are weighed (BM25).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WordsOptions {
    /// The language of stop words and endings.
    pub language: String,
    /// Saturation: how much a repeated word still adds.
    pub k1: f64,
    /// How much long segments are held back, 0 to 1.
    pub b: f64,
    /// The length that counts as usual, in words without stop words.
    pub average_words: f64,
}

impl Default for WordsOptions {
    fn default() -> Self {
        Self { language: "english".to_owned(), k1: 1.2, b: 0.75, average_words: 100.0 }
    }
}
