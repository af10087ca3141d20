//! Wakes workers and waiting requests of this process. Other processes are found by polling the catalog.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sensorium_domain::JobId;
use sensorium_domain::catalog::EndedIngest;
use tokio::sync::{Notify, watch};

/// The bells: there is a job; a job has changed; a job is to stop; there may be blobs to sweep.
#[derive(Debug)]
pub struct Bell {
    jobs: Notify,
    rings: AtomicU64,
    watched: Arc<Watched>,
    cancels: watch::Sender<u64>,
    sweeps: Notify,
}

/// The jobs that somebody waits for.
type Watched = Mutex<HashMap<JobId, WatchedJob>>;

#[derive(Debug, Default)]
struct WatchedJob {
    told: watch::Sender<Changed>,
    watchers: usize,
}

/// What has become of a job since somebody began to wait for it.
#[derive(Debug, Clone, Default)]
struct Changed {
    counts: Counts,
    /// How it has ended, if it has ended well and is an ingest.
    ended: Option<Arc<EndedIngest>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    changes: u64,
    ends: u64,
}

impl Default for Bell {
    fn default() -> Self {
        Self {
            jobs: Notify::new(),
            rings: AtomicU64::new(0),
            watched: Arc::default(),
            cancels: watch::Sender::new(0),
            sweeps: Notify::new(),
        }
    }
}

impl Bell {
    /// A job was enqueued, and waits.
    pub fn ring(&self) {
        self.rings.fetch_add(1, Ordering::Relaxed);
        self.look_again();
    }

    /// A job that waits may have become one that can be taken.
    pub fn look_again(&self) {
        self.jobs.notify_one();
    }

    /// How many were enqueued to wait.
    pub fn rings(&self) -> u64 {
        self.rings.load(Ordering::Relaxed)
    }

    /// Waits for the next job.
    pub async fn next_job(&self) {
        self.jobs.notified().await;
    }

    /// A job has changed, and goes on.
    pub fn changed(&self, job: JobId) {
        self.tell(job, |changed| changed.counts.changes += 1);
    }

    /// A job has ended, or is to be tried again. Of an ingest that has ended well those who wait for it need not ask how.
    pub fn ended(&self, job: JobId, ended: Option<EndedIngest>) {
        self.tell(job, |changed| {
            changed.counts.changes += 1;
            changed.counts.ends += 1;
            changed.ended = ended.map(Arc::new);
        });
    }

    fn tell(&self, job: JobId, change: impl FnOnce(&mut Changed)) {
        if let Some(watched) = locked(&self.watched).get(&job) {
            watched.told.send_modify(change);
        }
    }

    /// Changes of a job from now on.
    pub fn changes_of(&self, job: JobId) -> Changes {
        let told = {
            let mut watched = locked(&self.watched);
            let watched = watched.entry(job).or_default();
            watched.watchers += 1;
            watched.told.subscribe()
        };
        let seen = told.borrow().counts;
        Changes { told, seen, job, watched: self.watched.clone() }
    }

    /// Some jobs were asked to stop.
    pub fn cancel(&self) {
        self.cancels.send_modify(|count| *count += 1);
    }

    /// Requests to stop from now on.
    pub fn cancels(&self) -> watch::Receiver<u64> {
        self.cancels.subscribe()
    }

    /// Something was deleted, replaced or refused.
    pub fn sweep(&self) {
        self.sweeps.notify_one();
    }

    /// Waits for the next reason to sweep.
    pub async fn next_sweep(&self) {
        self.sweeps.notified().await;
    }
}

fn locked(watched: &Watched) -> MutexGuard<'_, HashMap<JobId, WatchedJob>> {
    // Nothing that holds the lock can panic half-way.
    watched.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The changes of one job. It is watched until the last of these has gone.
#[derive(Debug)]
pub struct Changes {
    told: watch::Receiver<Changed>,
    seen: Counts,
    job: JobId,
    watched: Arc<Watched>,
}

impl Changes {
    /// Waits for the next change.
    pub async fn next(&mut self) {
        self.wait(|seen, now| now.changes > seen.changes).await;
    }

    /// Waits until the job has ended an attempt, and tells how if it is an ingest that has ended well.
    pub async fn end(&mut self) -> Option<Arc<EndedIngest>> {
        self.wait(|seen, now| now.ends > seen.ends).await
    }

    async fn wait(&mut self, counts: impl Fn(Counts, Counts) -> bool) -> Option<Arc<EndedIngest>> {
        let seen = self.seen;
        match self.told.wait_for(|now| counts(seen, now.counts)).await.map(|now| now.clone()) {
            Ok(now) => {
                self.seen = now.counts;
                now.ended
            }
            // The sender stays as long as this does.
            Err(_) => std::future::pending().await,
        }
    }
}

impl Drop for Changes {
    fn drop(&mut self) {
        if let Entry::Occupied(mut watched) = locked(&self.watched).entry(self.job) {
            watched.get_mut().watchers -= 1;
            if watched.get().watchers == 0 {
                watched.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use sensorium_domain::Timestamp;

    use super::*;

    fn job(number: u128) -> JobId {
        JobId::new(Timestamp::from_millis(1), number)
    }

    #[tokio::test]
    async fn who_waits_hears_of_his_job_alone_and_misses_nothing() {
        let bell = Bell::default();
        let (mut mine, mut also_mine, mut other) =
            (bell.changes_of(job(1)), bell.changes_of(job(1)), bell.changes_of(job(2)));
        bell.changed(job(1));
        bell.ended(job(1), None);
        bell.ended(job(3), None);
        mine.end().await;
        also_mine.next().await;
        let again = tokio::time::timeout(std::time::Duration::ZERO, mine.next()).await;
        assert!(again.is_err(), "what was seen does not come again");
        assert!(tokio::time::timeout(std::time::Duration::ZERO, other.next()).await.is_err());
    }

    #[tokio::test]
    async fn a_job_is_watched_as_long_as_somebody_waits() {
        let bell = Bell::default();
        let (first, mut second) = (bell.changes_of(job(1)), bell.changes_of(job(1)));
        drop(first);
        bell.ended(job(1), None);
        second.end().await;
        assert_eq!(locked(&bell.watched).len(), 1);
        drop(second);
        assert!(locked(&bell.watched).is_empty());
    }
}
