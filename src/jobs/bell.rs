//! Wakes workers and waiting requests of this process. Other processes are found by polling the catalog.

use tokio::sync::{Notify, watch};

/// The bells: there is a job; a job has changed; a job is to stop; there may be blobs to sweep.
#[derive(Debug)]
pub struct Bell {
    jobs: Notify,
    changes: watch::Sender<u64>,
    cancels: watch::Sender<u64>,
    sweeps: Notify,
}

impl Default for Bell {
    fn default() -> Self {
        Self {
            jobs: Notify::new(),
            changes: watch::Sender::new(0),
            cancels: watch::Sender::new(0),
            sweeps: Notify::new(),
        }
    }
}

impl Bell {
    /// A job was enqueued.
    pub fn ring(&self) {
        self.jobs.notify_one();
        self.changed();
    }

    /// Waits for the next job.
    pub async fn next_job(&self) {
        self.jobs.notified().await;
    }

    /// A job has changed.
    pub fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// Changes from now on.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// A job was asked to stop.
    pub fn cancel(&self) {
        self.cancels.send_modify(|count| *count += 1);
        self.changed();
    }

    /// Requests to stop from now on.
    pub fn cancels(&self) -> watch::Receiver<u64> {
        self.cancels.subscribe()
    }

    /// Something was deleted or replaced.
    pub fn sweep(&self) {
        self.sweeps.notify_one();
    }

    /// Waits for the next reason to sweep.
    pub async fn next_sweep(&self) {
        self.sweeps.notified().await;
    }
}
