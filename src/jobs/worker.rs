//! The workers: lease, run, end. As many jobs as `jobs.workers` side by side, of which `jobs.media_workers` with large parts; what they ask of the
//! catalog at the same time goes there together.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;
use rand::Rng;
use sensorium_domain::JobKind;
use sensorium_domain::catalog::{EndedIngest, JobEnd, Lease};
use tracing::Instrument;

use crate::error::ApiError;
use crate::ingest;
use crate::jobs::{JobFailure, Place, Running};
use crate::reindex;
use crate::startup::App;

/// The longest sleep between looks at the catalog: another process may have enqueued a job.
const LONGEST_SLEEP_MS: i64 = 2_000;
/// The shortest: a job may be due and yet have to wait for another of its document.
const SHORTEST_SLEEP_MS: i64 = 200;

/// Takes jobs and runs them, as many side by side as there are workers, until the server stops; returns when every job that was running has
/// ended or given its lease back.
pub async fn run_workers(app: App) {
    let jobs = &app.config.jobs;
    app.places.open();
    while !app.stopping.is_cancelled() {
        // While as many large parts are worked on as may be, others may have the next: another process can be idle.
        let most = if app.media_turns.available_permits() == 0 { jobs.media_workers } else { jobs.workers };
        let places = app.places.for_waiting_jobs(most, jobs.media_workers);
        if places.is_empty() {
            tokio::select! {
                () = app.places.freed() => {}
                () = pause(&app, SHORTEST_SLEEP_MS.unsigned_abs()) => {}
            }
            // Jobs that end in one transaction end at the same moment: the others' places are free as soon as they have run.
            tokio::task::yield_now().await;
            continue;
        }
        let rings = app.bell.rings();
        let leased = app.catalog.lease_jobs(&app.instance, jobs.lease_ms, places.len() as u32).await;
        match leased {
            Ok(leases) => {
                let (found, are_all) = (leases.len(), leases.len() < places.len());
                for (lease, place) in leases.into_iter().zip(places) {
                    app.places.run(work(app.clone(), lease, place));
                }
                if found == 0 {
                    app.places.none_waits();
                }
                if are_all && rings == app.bell.rings() {
                    match found {
                        0 => sleep_until_next(&app).await,
                        _ => next_job(&app, SHORTEST_SLEEP_MS.unsigned_abs()).await,
                    }
                }
            }
            Err(error) => {
                tracing::warn!(%error, "no lease");
                drop(places);
                pause(&app, 1_000).await;
            }
        }
    }
    app.places.emptied().await;
}

/// A place for the job of a document that is about to be accepted, if one is free and no other job waits for it. Of documents with large parts this
/// process takes no more than it works on: another can be idle. A quarter of the places, one at least where there are two, is for jobs that wait,
/// however long new ones wait for the catalog.
pub fn place_for_new_job(app: &App, has_large_parts: bool) -> Option<Place> {
    let jobs = &app.config.jobs;
    let most = if has_large_parts { jobs.media_workers } else { jobs.workers };
    let most = most.min(jobs.workers - (jobs.workers / 4).max(usize::from(jobs.workers > 1)));
    if app.stopping.is_cancelled() { None } else { app.places.for_new_job(most) }
}

/// Begins to work on a job that was taken as it was enqueued, when as many had been enqueued before it as `rings`.
pub fn take_up(app: &App, lease: Lease, place: Place, rings: u64) {
    app.places.run(work_on_new(app.clone(), lease, place, rings));
}

async fn work(app: App, lease: Lease, place: Place) {
    run_and_tell(&app, lease).await;
    drop(place);
    app.bell.look_again(); // another job may have waited for this one
}

async fn work_on_new(app: App, lease: Lease, place: Place, rings: u64) {
    let has_succeeded = run_and_tell(&app, lease).await;
    drop(place);
    // What waits for a job that was new came after it, and rang. What another process has enqueued is found by looking from time to time.
    if !has_succeeded || rings != app.bell.rings() {
        app.bell.look_again();
    }
}

/// Whether it has succeeded.
async fn run_and_tell(app: &App, lease: Lease) -> bool {
    let job = &lease.job;
    let id = job.id;
    app.bell.changed(id);
    let span = tracing::info_span!("job", job = %id, kind = job.kind.as_str(), attempt = job.attempts);
    let ended = run(app, lease).instrument(span).await;
    let has_succeeded = ended.is_ok();
    app.bell.ended(id, ended.ok().flatten());
    has_succeeded
}

/// A job that has not succeeded; what becomes of it is written.
struct Unsuccessful;

async fn sleep_until_next(app: &App) {
    let due = app.catalog.next_job_at().await.ok().flatten();
    let wait_ms = due.map_or(LONGEST_SLEEP_MS, |due| due.since_ms(app.clock.now()));
    next_job(app, wait_ms.clamp(SHORTEST_SLEEP_MS, LONGEST_SLEEP_MS).unsigned_abs()).await;
}

/// Waits until there is a job, or for so long.
async fn next_job(app: &App, wait_ms: u64) {
    tokio::select! {
        () = app.bell.next_job() => {}
        () = pause(app, wait_ms) => {}
    }
}

async fn pause(app: &App, ms: u64) {
    tokio::select! {
        () = app.stopping.cancelled() => {}
        () = tokio::time::sleep(Duration::from_millis(ms)) => {}
    }
}

/// Runs a job to an end of its attempt.
async fn run(app: &App, lease: Lease) -> Result<Option<EndedIngest>, Unsuccessful> {
    let running = Running::start(app, lease.clone());
    let attempt = AssertUnwindSafe(dispatch(app, &running)).catch_unwind().await;
    drop(running);
    let failure = match attempt {
        Ok(Ok(ended)) => {
            tracing::info!("job done");
            app.metrics.job_ended(lease.job.kind.as_str(), "succeeded");
            return Ok(ended);
        }
        Ok(Err(failure)) => failure,
        Err(_) => JobFailure::Request(ApiError::internal("the job panicked")),
    };
    app.metrics.job_ended(lease.job.kind.as_str(), failure.outcome());
    let end = match &failure {
        JobFailure::LeaseLost => {
            tracing::warn!("lease lost; another worker has the job");
            return Err(Unsuccessful);
        }
        JobFailure::Stopping => None,
        JobFailure::Cancelled | JobFailure::Gone(_) => Some(JobEnd::Cancelled),
        failure @ JobFailure::Request(_)
            if failure.is_worth_retrying() && lease.job.attempts < app.config.jobs.max_attempts =>
        {
            let at = app.clock.now().plus_ms(back_off_ms(app, lease.job.attempts));
            tracing::warn!(%failure, %at, "attempt failed; trying again");
            Some(JobEnd::Retry { error: failure.to_string(), at })
        }
        failure @ JobFailure::Request(_) => {
            tracing::error!(%failure, "job failed");
            Some(JobEnd::Failed { error: failure.to_string() })
        }
    };
    let ended = match end {
        None => app.catalog.release_lease(&lease).await,
        Some(end) => {
            if !matches!(end, JobEnd::Retry { .. }) {
                clean_up(app, &lease).await;
            }
            app.catalog.end_job(&lease, end).await
        }
    };
    if let Err(error) = ended {
        tracing::warn!(%error, "the job's end was not written; its lease will expire");
    }
    Err(Unsuccessful)
}

/// An ingest that ends without success may have written points that no row knows. They go before the job ends, so that a
/// crash between the two runs this again.
async fn clean_up(app: &App, lease: &Lease) {
    let JobKind::Ingest { document, .. } = &lease.job.kind else { return };
    if let Err(error) = ingest::scrub(app, &lease.tenant, *document).await {
        tracing::warn!(%error, "points of an abandoned ingest may be left; fsck --repair removes them");
    }
}

async fn dispatch(app: &App, running: &Running) -> Result<Option<EndedIngest>, JobFailure> {
    if running.lease.job.cancel_requested {
        return Err(JobFailure::Cancelled);
    }
    match &running.lease.job.kind {
        JobKind::Ingest { document, version } => return ingest::ingest(app, running, *document, *version).await,
        JobKind::Refresh { document } => ingest::refresh(app, running, *document).await,
        JobKind::Delete { document } => ingest::delete_document(app, running, *document).await,
        JobKind::DeleteCollection { collection } => ingest::delete_collection(app, running, collection).await,
        JobKind::Rebuild => ingest::rebuild_index(app, running).await,
        JobKind::Reindex { generation } => reindex::reindex(app, running, *generation).await,
    }?;
    Ok(None)
}

/// Doubles from `jobs.retry_first_ms` up to the cap, half of it by chance.
fn back_off_ms(app: &App, attempts: u32) -> i64 {
    let settings = &app.config.jobs;
    let doubled = settings.retry_first_ms.saturating_mul(1i64 << attempts.saturating_sub(1).min(30));
    let capped = doubled.min(settings.retry_cap_ms);
    capped / 2 + rand::rng().random_range(0..=capped / 2)
}
