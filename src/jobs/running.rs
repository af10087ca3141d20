//! A job while a worker holds it, with the heartbeat that keeps the lease.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use sensorium_domain::CatalogError;
use sensorium_domain::catalog::{Lease, LeaseState};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::jobs::JobFailure;
use crate::startup::App;

const GOING: u8 = 0;
const CANCELLED: u8 = 1;
const LOST: u8 = 2;

/// A leased job. The heartbeat stops when it is dropped.
pub struct Running {
    /// The lease.
    pub lease: Lease,
    signal: Arc<AtomicU8>,
    stopping: CancellationToken,
    heartbeat: JoinHandle<()>,
}

impl Running {
    /// Starts the heartbeat of a lease.
    pub fn start(app: &App, lease: Lease) -> Self {
        let signal = Arc::new(AtomicU8::new(GOING));
        let heartbeat = tokio::spawn(beat(app.clone(), lease.clone(), signal.clone()));
        Self { lease, signal, stopping: app.stopping.clone(), heartbeat }
    }

    /// Whether to go on; asked between steps.
    pub fn check(&self) -> Result<(), JobFailure> {
        match self.signal.load(Ordering::Relaxed) {
            CANCELLED => Err(JobFailure::Cancelled),
            LOST => Err(JobFailure::LeaseLost),
            _ if self.stopping.is_cancelled() => Err(JobFailure::Stopping),
            _ => Ok(()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.heartbeat.abort();
    }
}

async fn beat(app: App, lease: Lease, signal: Arc<AtomicU8>) {
    let lease_ms = app.config.jobs.lease_ms;
    let mut every = tokio::time::interval(app.config.jobs.heartbeat());
    every.tick().await;
    let mut cancels = app.bell.cancels();
    loop {
        // A request to cancel made in this process is seen at once, others at the next beat.
        tokio::select! {
            _ = every.tick() => {}
            cancelled = cancels.changed() => if cancelled.is_err() { return },
        }
        match app.catalog.heartbeat(&lease, lease_ms).await {
            Ok(LeaseState::Held) => {}
            Ok(LeaseState::CancelRequested) => signal.store(CANCELLED, Ordering::Relaxed),
            Err(CatalogError::LeaseLost) => return signal.store(LOST, Ordering::Relaxed),
            Err(error) => tracing::warn!(%error, job = %lease.job.id, "heartbeat failed"),
        }
    }
}
