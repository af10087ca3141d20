//! Flushes that many callers share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Mutex, OwnedMutexGuard};

/// Lets callers who wait for the same thing wait for one run of it: a run counts for all who asked before it started.
#[derive(Debug, Clone, Default)]
pub(super) struct Turns {
    /// Number of the last run that began.
    started: Arc<AtomicU64>,
    /// Number of the last run that succeeded.
    succeeded: Arc<Mutex<u64>>,
}

/// The right and duty to run. Nobody else runs until it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    number: u64,
    succeeded: OwnedMutexGuard<u64>,
}

impl Turns {
    /// Waits for its turn; `None` where a run that began after this call has succeeded meanwhile.
    pub(super) async fn take(&self) -> Option<Turn> {
        let begun_before = self.started.load(Ordering::SeqCst);
        let succeeded = self.succeeded.clone().lock_owned().await;
        if *succeeded > begun_before {
            return None;
        }
        let number = self.started.fetch_add(1, Ordering::SeqCst) + 1;
        Some(Turn { number, succeeded })
    }
}

impl Turn {
    /// The run went well.
    pub(super) fn succeeded(mut self) {
        *self.succeeded = self.number;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn those_who_asked_before_a_run_share_it() {
        let turns = Turns::default();
        let first = turns.take().await.unwrap();
        let waiting: Vec<_> = (0..5)
            .map(|_| {
                let turns = turns.clone();
                tokio::spawn(async move {
                    let turn = turns.take().await;
                    let ran = turn.is_some();
                    if let Some(turn) = turn {
                        turn.succeeded();
                    }
                    ran
                })
            })
            .collect();
        tokio::task::yield_now().await;
        first.succeeded();
        let mut runs = 0;
        for task in waiting {
            runs += u32::from(task.await.unwrap());
        }
        assert_eq!(runs, 1);
    }

    #[tokio::test]
    async fn a_failed_run_counts_for_nobody() {
        let turns = Turns::default();
        let first = turns.take().await.unwrap();
        let waiting = tokio::spawn({
            let turns = turns.clone();
            async move { turns.take().await.is_some() }
        });
        tokio::task::yield_now().await;
        drop(first);
        assert!(waiting.await.unwrap());
    }
}
