//! Wakes workers and waiting requests of this process. Other processes are found by polling the catalog.

use sensorium_domain::JobId;
use tokio::sync::{Notify, broadcast, watch};

/// Changes that a waiting request may be behind before it is told to look for itself.
const BACKLOG: usize = 256;

/// The bells: there is a job; a job has changed; a job is to stop; there may be blobs to sweep.
#[derive(Debug)]
pub struct Bell {
    jobs: Notify,
    changes: broadcast::Sender<Change>,
    cancels: watch::Sender<u64>,
    sweeps: Notify,
}

impl Default for Bell {
    fn default() -> Self {
        Self {
            jobs: Notify::new(),
            changes: broadcast::Sender::new(BACKLOG),
            cancels: watch::Sender::new(0),
            sweeps: Notify::new(),
        }
    }
}

impl Bell {
    /// A job was enqueued.
    pub fn ring(&self) {
        self.jobs.notify_one();
    }

    /// Waits for the next job.
    pub async fn next_job(&self) {
        self.jobs.notified().await;
    }

    /// A job has changed, and goes on.
    pub fn changed(&self, job: JobId) {
        // That nobody waits for it is no fault.
        let _ = self.changes.send(Change { job, may_be_the_end: false });
    }

    /// A job has ended, or is to be tried again.
    pub fn ended(&self, job: JobId) {
        let _ = self.changes.send(Change { job, may_be_the_end: true });
    }

    /// Changes of a job from now on.
    pub fn changes_of(&self, job: JobId) -> Changes {
        Changes { all: self.changes.subscribe(), job }
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

#[derive(Debug, Clone, Copy)]
struct Change {
    job: JobId,
    may_be_the_end: bool,
}

/// The changes of one job.
#[derive(Debug)]
pub struct Changes {
    all: broadcast::Receiver<Change>,
    job: JobId,
}

impl Changes {
    /// Waits for the next change; also returns when it may have been missed.
    pub async fn next(&mut self) {
        self.wait(|_| true).await;
    }

    /// Waits until the job may have ended; also returns when that may have been missed.
    pub async fn end(&mut self) {
        self.wait(|change| change.may_be_the_end).await;
    }

    async fn wait(&mut self, counts: impl Fn(Change) -> bool) {
        loop {
            match self.all.recv().await {
                Ok(change) if change.job != self.job || !counts(change) => {}
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => return,
                Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}
