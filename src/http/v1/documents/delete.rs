//! DELETE /v1/documents/{id}: removes a document.

use axum::extract::State;
use axum::response::Response;
use sensorium_domain::{DocumentId, JobId};

use crate::error::ApiError;
use crate::http::access::Write;
use crate::http::extract::{Id, Wait};
use crate::http::problem::Problems;
use crate::http::v1::jobs::view::{JobView, accepted};
use crate::jobs::wait_for_job;
use crate::startup::App;

/// Removes a document: it is not found any more at once, and the job removes its vectors, blobs and rows.
#[utoipa::path(delete, path = "/v1/documents/{id}", operation_id = "delete_document", tag = "documents",
    params(("id" = DocumentId, Path), ("Prefer" = Option<String>, Header, description = "`wait=N`: wait up to N seconds for the job")),
    responses((status = 202, body = JobView, headers(("Location" = String, description = "The job"))), Problems))]
pub async fn delete(
    State(app): State<App>,
    caller: Write,
    Id(id): Id<DocumentId>,
    Wait(patience): Wait,
) -> Result<Response, ApiError> {
    let job = JobId::new(app.clock.now(), app.randomness());
    let job = app.catalog.delete_document(&caller.tenant, id, job).await?;
    app.bell.ring();
    app.bell.cancel();
    let job = wait_for_job(&app, &caller.tenant, job.id, patience).await?;
    Ok(accepted(job, app.clock.now()))
}
