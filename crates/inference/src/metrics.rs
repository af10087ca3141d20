//! What the encoders have done, for `/metrics` and `/v1/models`.

use std::time::Duration;

use sensorium_domain::names::SpaceName;
use sensorium_domain::segment::Modality;

/// Batches are counted by size up to these, the rest beyond.
pub const BATCH_SIZES: [usize; 7] = [1, 2, 4, 8, 16, 32, 64];

/// A snapshot. Counts are since the start.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Metrics {
    /// Per tower, in the order in which they were given.
    pub towers: Vec<TowerMetrics>,
    /// The queue of searches.
    pub interactive: QueueMetrics,
    /// The queue of ingest.
    pub bulk: QueueMetrics,
    /// Inputs that are at a model now, of both queues.
    pub running: usize,
    /// Inputs whose vector was remembered.
    pub cache_hits: u64,
    /// Inputs of searches whose vector was not.
    pub cache_misses: u64,
    /// Vectors that are remembered now.
    pub cache_entries: usize,
    /// The bytes that they take.
    pub cache_bytes: usize,
    /// Inputs that joined an equal one that was on its way.
    pub joined: u64,
    /// The measured rate of a batch, whichever queue it is from, in millions of floating-point operations a second; 0 before the first.
    pub cost_per_second: f64,
}

/// One queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueMetrics {
    /// Inputs that wait now.
    pub depth: usize,
    /// Their work, in millions of floating-point operations.
    pub cost: u64,
    /// Inputs that were refused because it was full.
    pub refused: u64,
    /// Inputs that waited past their deadline.
    pub late: u64,
    /// Inputs whose caller went away while they waited.
    pub abandoned: u64,
}

/// One tower.
#[derive(Debug, Clone, PartialEq)]
pub struct TowerMetrics {
    /// Its space.
    pub space: SpaceName,
    /// What it takes.
    pub modality: Modality,
    /// Inputs that came out as vectors.
    pub encoded: u64,
    /// Inputs that did not.
    pub failed: u64,
    /// Batches.
    pub batches: u64,
    /// Batches by size: of at most [`BATCH_SIZES`], and larger ones.
    pub batches_by_size: [u64; BATCH_SIZES.len() + 1],
    /// Time spent in the model, and on reading it where it was not in memory.
    pub busy: Duration,
    /// Panics of the model that were caught.
    pub panics: u64,
}

impl TowerMetrics {
    pub(crate) fn new(space: SpaceName, modality: Modality) -> Self {
        Self {
            space,
            modality,
            encoded: 0,
            failed: 0,
            batches: 0,
            batches_by_size: [0; BATCH_SIZES.len() + 1],
            busy: Duration::ZERO,
            panics: 0,
        }
    }

    pub(crate) fn count_batch(&mut self, size: usize, busy: Duration) {
        self.batches += 1;
        self.busy += busy;
        let class = BATCH_SIZES.iter().position(|most| size <= *most).unwrap_or(BATCH_SIZES.len());
        self.batches_by_size[class] += 1;
    }
}
