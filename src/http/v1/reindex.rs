//! POST /v1/reindex: another generation of the index.

use axum::extract::State;
use axum::response::Response;

use crate::error::ApiError;
use crate::http::access::Admin;
use crate::http::extract::Body;
use crate::http::problem::{Problem, Problems};
use crate::http::v1::jobs::view::{JobView, accepted};
use crate::reindex::{self, ReindexRequest};
use crate::startup::App;

/// Builds another generation of the index beside the live one, compares their answers to recent searches and switches to it. Searches and
/// documents go on meanwhile; the generation before is kept, and `{"generation": N}` goes back to it. For administrators of the first tenant.
#[utoipa::path(post, path = "/v1/reindex", operation_id = "reindex", tag = "server",
    request_body = ReindexRequest,
    responses(
        (status = 202, body = JobView, headers(("Location" = String, description = "The job"))),
        (status = 409, description = "A generation is being built, or the settings name another profile", body = Problem, content_type = "application/problem+json"),
        Problems,
    ))]
pub async fn reindex(
    State(app): State<App>,
    caller: Admin,
    Body(request): Body<ReindexRequest>,
) -> Result<Response, ApiError> {
    caller.must_operate(&app)?;
    let job = reindex::start(&app, request).await?;
    Ok(accepted(job, app.clock.now()))
}
