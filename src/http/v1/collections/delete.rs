//! DELETE /v1/collections/{name}: removes a collection with its documents.

use axum::extract::State;
use axum::response::Response;
use sensorium_domain::{CollectionName, JobId};

use crate::error::ApiError;
use crate::http::access::Write;
use crate::http::extract::{Id, Wait};
use crate::http::problem::Problems;
use crate::http::v1::jobs::view::{JobView, accepted};
use crate::jobs::wait_for_job;
use crate::startup::App;

/// Removes a collection: nothing in it is found any more at once, and the job removes its documents.
#[utoipa::path(delete, path = "/v1/collections/{name}", operation_id = "delete_collection", tag = "collections",
    params(("name" = CollectionName, Path), ("Prefer" = Option<String>, Header, description = "`wait=N`: wait up to N seconds for the job")),
    responses((status = 202, body = JobView, headers(("Location" = String, description = "The job"))), Problems))]
pub async fn delete(
    State(app): State<App>,
    caller: Write,
    Id(name): Id<CollectionName>,
    Wait(patience): Wait,
) -> Result<Response, ApiError> {
    let job = JobId::new(app.clock.now(), app.randomness());
    let job = app.catalog.delete_collection(&caller.tenant, &name, job).await?;
    app.bell.ring();
    app.bell.cancel();
    let job = wait_for_job(&app, &caller.tenant, job.id, patience).await?;
    Ok(accepted(job, app.clock.now()))
}
