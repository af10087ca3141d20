//! GET /v1/jobs: jobs, newest first.

use axum::Json;
use axum::extract::State;
use sensorium_domain::catalog::JobQuery;
use sensorium_domain::{DocumentId, JobState};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::error::ApiError;
use crate::http::access::Read;
use crate::http::extract::Params;
use crate::http::page;
use crate::http::problem::Problems;
use crate::http::v1::jobs::view::JobView;
use crate::startup::App;

/// Which jobs.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListJobs {
    /// Only in this state.
    pub state: Option<JobState>,
    /// Only of this document.
    pub document: Option<DocumentId>,
    /// Jobs on a page, 1 to 500.
    pub page_size: Option<u32>,
    /// The `next_page_token` of the page before.
    pub page_token: Option<String>,
}

/// A page of jobs.
#[derive(Debug, Serialize, ToSchema)]
pub struct JobPage {
    /// Newest first.
    pub jobs: Vec<JobView>,
    /// Ask again with it for the next page; null at the end.
    pub next_page_token: Option<String>,
}

/// Jobs, newest first.
#[utoipa::path(get, path = "/v1/jobs", operation_id = "list_jobs", tag = "jobs",
    params(ListJobs), responses((status = 200, body = JobPage), Problems))]
pub async fn list(
    State(app): State<App>,
    caller: Read,
    Params(asked): Params<ListJobs>,
) -> Result<Json<JobPage>, ApiError> {
    let size = page::size(asked.page_size)?;
    let before = page::read(asked.page_token.as_deref())?;
    let query = JobQuery { state: asked.state, kind: None, document: asked.document, before, limit: size + 1 };
    let jobs = app.catalog.jobs(&caller.tenant, &query).await?;
    let (jobs, next_page_token) = page::cut(jobs, size, |job| job.id.to_string());
    let now = app.clock.now();
    Ok(Json(JobPage { jobs: jobs.into_iter().map(|job| JobView::new(job, now)).collect(), next_page_token }))
}
