//! POST /v1/jobs/{id}/cancel: asks a job to stop.

use axum::Json;
use axum::extract::State;
use sensorium_domain::{JobId, JobKind, JobState};

use crate::error::ApiError;
use crate::http::access::Write;
use crate::http::extract::Id;
use crate::http::problem::{Problem, Problems};
use crate::http::v1::jobs::view::JobView;
use crate::ingest::scrub;
use crate::startup::App;

/// Asks a job to stop. A queued one stops at once, a running one at its next step; the document stays as it was before.
#[utoipa::path(post, path = "/v1/jobs/{id}/cancel", operation_id = "cancel_job", tag = "jobs",
    params(("id" = JobId, Path)),
    responses(
        (status = 200, body = JobView),
        (status = 409, description = "The job has ended", body = Problem, content_type = "application/problem+json"),
        Problems,
    ))]
pub async fn cancel(State(app): State<App>, caller: Write, Id(id): Id<JobId>) -> Result<Json<JobView>, ApiError> {
    let job = app.catalog.cancel_job(&caller.tenant, id).await?;
    app.bell.cancel();
    app.bell.ended(id, None);
    // A queued job ends at once, with no worker to tidy up after an attempt that died.
    if let (JobState::Cancelled, JobKind::Ingest { document, .. }) = (job.state, &job.kind) {
        scrub(&app, &caller.tenant, *document).await?;
    }
    Ok(Json(JobView::new(job, app.clock.now())))
}
