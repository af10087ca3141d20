//! Removes blobs that nobody owns.

use std::time::Duration;

use crate::error::ApiError;
use crate::startup::App;

/// Sweeps whenever something was deleted, and every ten minutes for what dead processes and expired claims have left.
pub async fn sweep_blobs(app: App) {
    loop {
        if let Err(error) = sweep(&app).await {
            tracing::warn!(%error, "sweep failed");
        }
        tokio::select! {
            () = app.stopping.cancelled() => return,
            () = app.bell.next_sweep() => {}
            () = tokio::time::sleep(Duration::from_mins(10)) => {}
        }
    }
}

async fn sweep(app: &App) -> Result<(), ApiError> {
    loop {
        let orphans = app.catalog.take_orphan_blobs(100).await?;
        if orphans.is_empty() {
            return Ok(());
        }
        for (tenant, hash) in &orphans {
            app.blobs.delete(tenant, *hash).await?;
        }
        app.catalog.blobs_deleted(&orphans).await?;
        tracing::debug!(blobs = orphans.len(), "swept");
    }
}
