//! What an operator can set.

use std::num::NonZeroU32;

use sensorium_domain::encoder::{Cost, Priority};
use serde::Deserialize;

/// How searches and ingest share the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lanes {
    /// One batch at a time: searches go first, and each waits for the batch that runs. For a GPU, where nothing that runs is interrupted.
    Shared,
    /// Each has an actor and threads of its own, those of ingest at a lower priority of the system. For a CPU, which the system takes away from ingest at
    /// once, so that no search waits for a batch of it.
    Apart,
}

/// How much waits, how much goes at a time, and what is remembered. Work is in millions of floating-point operations
/// ([`Cost`]); two cores do some 100,000 a second.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// How searches and ingest share the device.
    pub lanes: Lanes,
    /// Most work of one batch of searches. A search that arrives while one runs waits for its end, so on a slow device this bounds its delay.
    pub interactive_batch_cost: u64,
    /// Most work of one batch of ingest. Where lanes are shared, searches wait for it too.
    pub bulk_batch_cost: u64,
    /// Of shared lanes: most work of one batch of ingest while searches come; the smaller, the less they wait and the slower ingest is meanwhile.
    pub batch_cost_beside_searches: u64,
    /// Most work of searches that may wait; what comes on top is refused.
    pub interactive_queue_cost: u64,
    /// Most work of ingest that may wait.
    pub bulk_queue_cost: u64,
    /// Of shared lanes: how many batches of searches may go one after the other while ingest waits.
    pub interactive_batches_in_a_row: NonZeroU32,
    /// After how many milliseconds a search that still waits is refused; 0 means never.
    pub interactive_deadline_ms: u64,
    /// After how many milliseconds ingest that still waits is refused; 0 means never.
    pub bulk_deadline_ms: u64,
    /// Most bytes of remembered vectors of searches; 0 turns the memory off.
    pub cache_bytes: usize,
    /// Threads that compute, of each lane where lanes are apart; 0 means as many as the process may use.
    pub threads: usize,
}

impl Default for Options {
    /// What suits a CPU.
    fn default() -> Self {
        Self {
            lanes: Lanes::Apart,
            interactive_batch_cost: 40_000,
            bulk_batch_cost: 160_000,
            batch_cost_beside_searches: 800,
            interactive_queue_cost: 400_000,
            bulk_queue_cost: 1_600_000,
            interactive_batches_in_a_row: NonZeroU32::MIN.saturating_add(7),
            interactive_deadline_ms: 10_000,
            bulk_deadline_ms: 0,
            cache_bytes: 16 << 20,
            threads: 0,
        }
    }
}

impl Options {
    /// What suits a CPU whose lanes are shared: batches are small, since a search waits for the one that runs.
    pub fn shared_cpu() -> Self {
        Self {
            lanes: Lanes::Shared,
            interactive_batch_cost: 2_000,
            bulk_batch_cost: 2_000,
            bulk_queue_cost: 400_000,
            ..Self::default()
        }
    }

    /// What suits a GPU, which does a thousand times as much in the same time, and that only with large batches.
    pub fn gpu() -> Self {
        Self {
            lanes: Lanes::Shared,
            interactive_batch_cost: 2_000_000,
            bulk_batch_cost: 2_000_000,
            batch_cost_beside_searches: 500_000,
            interactive_queue_cost: 400_000_000,
            bulk_queue_cost: 400_000_000,
            ..Self::default()
        }
    }

    /// The bound of a queue.
    pub(crate) fn queue_cost(&self, priority: Priority) -> Cost {
        Cost(match priority {
            Priority::Interactive => self.interactive_queue_cost,
            Priority::Bulk => self.bulk_queue_cost,
        })
    }

    /// The deadline of a queue in milliseconds, where it has one.
    pub(crate) fn deadline_ms(&self, priority: Priority) -> Option<u64> {
        let deadline = match priority {
            Priority::Interactive => self.interactive_deadline_ms,
            Priority::Bulk => self.bulk_deadline_ms,
        };
        (deadline > 0).then_some(deadline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_set_has_its_default_and_what_is_unknown_is_refused() {
        let options: Options = serde_json::from_str(r#"{"threads": 3}"#).unwrap();
        assert_eq!(options, Options { threads: 3, ..Options::default() });
        assert!(serde_json::from_str::<Options>(r#"{"thread": 3}"#).is_err());
        let options: Options = serde_json::from_str(r#"{"lanes": "shared"}"#).unwrap();
        assert_eq!(options.lanes, Lanes::Shared);
    }
}
