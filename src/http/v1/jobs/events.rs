//! GET /v1/jobs/{id}/events: a job's changes as server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::Stream;
use futures::stream;
use sensorium_domain::{Job, JobId, TenantId};

use crate::error::ApiError;
use crate::http::access::Read;
use crate::http::extract::Id;
use crate::http::problem::Problems;
use crate::http::v1::jobs::view::JobView;
use crate::jobs::Changes;
use crate::startup::App;

/// A job's changes. Each event `job` holds the job as it then was and has its revision as id; the stream ends after the final
/// state. With `Last-Event-ID` only later revisions are sent. A comment every 15 seconds keeps the line open.
#[utoipa::path(get, path = "/v1/jobs/{id}/events", operation_id = "job_events", tag = "jobs",
    params(("id" = JobId, Path), ("Last-Event-ID" = Option<u64>, Header, description = "The last revision that was seen")),
    responses((status = 200, description = "Events", content_type = "text/event-stream", body = JobView), Problems))]
pub async fn events(
    State(app): State<App>,
    caller: Read,
    Id(id): Id<JobId>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    app.catalog.job(&caller.tenant, id).await?;
    let seen = headers.get("last-event-id").and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok());
    let watch = Watch { changes: app.bell.changes_of(id), app, tenant: caller.tenant.clone(), id, seen, ended: false };
    let events = stream::unfold(watch, |mut watch| async move {
        let job = watch.next().await?;
        let view = JobView::new(job, watch.app.clock.now());
        let event = Event::default().event("job").id(view.revision.to_string());
        let event = event.json_data(&view).unwrap_or_default();
        Some((Ok(event), watch))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))))
}

struct Watch {
    app: App,
    tenant: TenantId,
    id: JobId,
    seen: Option<u64>,
    ended: bool,
    changes: Changes,
}

impl Watch {
    /// The job at its next revision; `None` after the final state, or when the job or the server is gone.
    async fn next(&mut self) -> Option<Job> {
        while !self.ended {
            let job = self.app.catalog.job(&self.tenant, self.id).await.ok()?;
            self.ended = job.state.is_final();
            if self.seen.is_none_or(|seen| job.revision > seen) {
                self.seen = Some(job.revision);
                return Some(job);
            }
            if self.ended {
                break;
            }
            tokio::select! {
                () = self.app.stopping.cancelled() => return None,
                () = self.changes.next() => {}
                () = tokio::time::sleep(Duration::from_millis(250)) => {}
            }
        }
        None
    }
}
