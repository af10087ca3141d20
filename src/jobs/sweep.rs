//! Removes what nobody needs any more: blobs without an owner, jobs that ended long ago, counts of tenants that are quiet.

use std::time::{Duration, SystemTime};

use crate::error::ApiError;
use crate::startup::App;

/// Sweeps whenever something was deleted, and from time to time for what dead processes and expired claims have left.
pub async fn sweep(app: App) {
    remove_leftovers(&app).await;
    loop {
        app.allowances.forget_the_quiet();
        if let Err(error) = sweep_blobs(&app).await {
            tracing::warn!(%error, "sweep failed");
        }
        if let Err(error) = prune(&app).await {
            tracing::warn!(%error, "old jobs were not forgotten");
        }
        tokio::select! {
            () = app.stopping.cancelled() => return,
            () = app.bell.next_sweep() => {}
            () = tokio::time::sleep(Duration::from_millis(app.config.jobs.sweep_interval_ms)) => {}
        }
    }
}

async fn remove_leftovers(app: &App) {
    let (blobs, now) = (app.blobs.clone(), SystemTime::now());
    match tokio::task::spawn_blocking(move || blobs.remove_leftovers(now)).await {
        Ok(Ok(0)) => {}
        Ok(Ok(files)) => tracing::info!(files, "half-written files of a process that died are removed"),
        Ok(Err(error)) => tracing::warn!(%error, "half-written files were not looked for"),
        Err(panic) => tracing::error!(%panic, "half-written files were not looked for"),
    }
}

async fn sweep_blobs(app: &App) -> Result<(), ApiError> {
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

async fn prune(app: &App) -> Result<(), ApiError> {
    const AT_ONCE: u32 = 1_000;
    const DAY_MS: i64 = 86_400_000;
    let days = app.config.jobs.keep_days;
    if days == 0 {
        return Ok(());
    }
    let ended_before = app.clock.now().plus_ms(-days * DAY_MS);
    while app.catalog.prune_jobs(ended_before, AT_ONCE).await? == u64::from(AT_ONCE) {}
    Ok(())
}
