//! Waits for a job on behalf of a caller.

use std::sync::Arc;
use std::time::Duration;

use sensorium_domain::catalog::EndedIngest;
use sensorium_domain::{Job, JobId, TenantId};

use super::bell::Changes;
use crate::error::ApiError;
use crate::startup::App;

/// The job as it is when it reaches a final state, `patience` is over or the server stops.
pub async fn wait_for_job(app: &App, tenant: &TenantId, id: JobId, patience: Duration) -> Result<Job, ApiError> {
    let changes = app.bell.changes_of(id);
    let job = app.catalog.job(tenant, id).await?;
    Ok(wait_for_changes(app, tenant, job, changes, patience).await?.0)
}

/// The same of a job that was seen as it is here while its changes were listened to; with all that an ingest has ended with, if it has ended well and was
/// worked on in this process.
pub async fn wait_for_changes(
    app: &App,
    tenant: &TenantId,
    mut job: Job,
    mut changes: Changes,
    patience: Duration,
) -> Result<(Job, Option<Arc<EndedIngest>>), ApiError> {
    let deadline = tokio::time::Instant::now() + patience;
    loop {
        if job.state.is_final() || app.stopping.is_cancelled() || tokio::time::Instant::now() >= deadline {
            return Ok((job, None));
        }
        // Jobs of other processes ring no bell here, so look again after a while all the same.
        let look_again = tokio::time::Instant::now() + Duration::from_millis(500);
        tokio::select! {
            ended = changes.end() => if let Some(ended) = ended {
                return Ok((ended.job.clone(), Some(ended)));
            },
            () = app.stopping.cancelled() => {}
            () = tokio::time::sleep_until(deadline.min(look_again)) => {}
        }
        job = app.catalog.job(tenant, job.id).await?;
    }
}
