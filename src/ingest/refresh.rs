//! The job after a change of title, tags or metadata: the points are written anew with the vectors they have.

use sensorium_domain::DocumentId;
use sensorium_domain::catalog::JobEnd;

use crate::ingest::points::rebuild_document;
use crate::jobs::{JobFailure, Running};
use crate::startup::App;

/// Runs a refresh.
pub async fn refresh(app: &App, running: &Running, document: DocumentId) -> Result<(), JobFailure> {
    let lease = &running.lease;
    let document = app.catalog.document(&lease.tenant, document).await?;
    rebuild_document(app, &lease.tenant, &document).await?;
    app.index.flush().await?;
    app.catalog.end_job(lease, JobEnd::Succeeded { parts: Vec::new() }).await?;
    Ok(())
}
