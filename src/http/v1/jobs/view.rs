//! Jobs as the API shows them.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use sensorium_domain::job::{PartResult, Progress};
use sensorium_domain::{DocumentId, Job, JobId, JobState, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

/// A job.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Job)]
pub struct JobView {
    /// Its id.
    pub id: JobId,
    /// What it does: `ingest`, `refresh`, `delete`, `delete_collection`, `rebuild`, `reindex`.
    #[schema(example = "ingest")]
    pub kind: String,
    /// The document that it works on.
    pub document: Option<DocumentId>,
    /// How far it has come.
    pub state: JobState,
    /// Grows with every change; the id of its events.
    pub revision: u64,
    /// Counts and stage.
    pub progress: Progress,
    /// Milliseconds until it should be done, from its pace so far; null while unknown.
    pub eta_ms: Option<i64>,
    /// What became of each part, once known.
    pub parts: Vec<PartResult>,
    /// Why it failed, or failed last time.
    pub error: Option<String>,
    /// Times a worker has taken it.
    pub attempts: u32,
    /// Somebody has asked for it to stop.
    pub cancel_requested: bool,
    /// When it was enqueued.
    pub created_at: Timestamp,
    /// When a worker first took it.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

/// Where a job is found.
pub fn location(job: JobId) -> String {
    format!("/v1/jobs/{job}")
}

/// The answer of an operation that is this job: 202 with its place.
pub fn accepted(job: Job, now: Timestamp) -> Response {
    let location = location(job.id);
    (StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(JobView::new(job, now))).into_response()
}

impl JobView {
    /// From the catalog's row.
    pub fn new(job: Job, now: Timestamp) -> Self {
        Self {
            eta_ms: eta_ms(&job, now),
            id: job.id,
            kind: job.kind.as_str().to_owned(),
            document: job.kind.document(),
            state: job.state,
            revision: job.revision,
            progress: job.progress,
            parts: job.parts,
            error: job.error,
            attempts: job.attempts,
            cancel_requested: job.cancel_requested,
            created_at: job.created_at,
            started_at: job.started_at,
            finished_at: job.finished_at,
        }
    }
}

fn eta_ms(job: &Job, now: Timestamp) -> Option<i64> {
    let (done, total) = (job.progress.done, job.progress.total);
    let started = job.started_at.filter(|_| job.state == JobState::Running && done > 0 && total >= done)?;
    let elapsed = now.since_ms(started).max(0) as f64;
    Some((elapsed / done as f64 * (total - done) as f64) as i64)
}
