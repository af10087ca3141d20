//! POST /v1/jobs/{id}/retry: queues a failed job again.

use axum::Json;
use axum::extract::State;
use sensorium_domain::JobId;

use crate::error::ApiError;
use crate::http::access::Write;
use crate::http::extract::Id;
use crate::http::problem::{Problem, Problems};
use crate::http::v1::jobs::view::JobView;
use crate::startup::App;

/// Queues a failed job again with all its attempts. Failed jobs are listed by `GET /v1/jobs?state=failed`.
#[utoipa::path(post, path = "/v1/jobs/{id}/retry", operation_id = "retry_job", tag = "jobs",
    params(("id" = JobId, Path)),
    responses(
        (status = 200, body = JobView),
        (status = 409, description = "It has not failed, or its document has a newer version", body = Problem, content_type = "application/problem+json"),
        Problems,
    ))]
pub async fn retry(State(app): State<App>, caller: Write, Id(id): Id<JobId>) -> Result<Json<JobView>, ApiError> {
    let job = app.catalog.retry_job(&caller.tenant, id).await?;
    app.bell.ring();
    Ok(Json(JobView::new(job, app.clock.now())))
}
