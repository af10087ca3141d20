//! GET /v1/jobs/{id}: one job.

use axum::Json;
use axum::extract::State;
use sensorium_domain::JobId;

use crate::error::ApiError;
use crate::http::access::Read;
use crate::http::extract::{Id, Wait};
use crate::http::problem::Problems;
use crate::http::v1::jobs::view::JobView;
use crate::jobs::wait_for_job;
use crate::startup::App;

/// One job. `Prefer: wait=N` waits up to N seconds for its end.
#[utoipa::path(get, path = "/v1/jobs/{id}", operation_id = "get_job", tag = "jobs",
    params(("id" = JobId, Path), ("Prefer" = Option<String>, Header, description = "`wait=N`: wait up to N seconds for the job")),
    responses((status = 200, body = JobView), Problems))]
pub async fn get(
    State(app): State<App>,
    caller: Read,
    Id(id): Id<JobId>,
    Wait(patience): Wait,
) -> Result<Json<JobView>, ApiError> {
    let job = wait_for_job(&app, &caller.tenant, id, patience).await?;
    Ok(Json(JobView::new(job, app.clock.now())))
}
