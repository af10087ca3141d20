//! Jobs as users see them.

use super::CatalogFixture;
use super::sample::{Conflict, LEASE_MS, NotFound, Stage, refused};
use crate::catalog::{JobEnd, JobQuery, LeaseState};
use crate::document::DocumentStatus;
use crate::job::{JobKind, JobState, Progress};

/// A queued job is cancelled at once, a running one when its worker hears of it, a final one not at all.
pub async fn a_cancel_stops_what_can_be_stopped(fixture: &dyn CatalogFixture) {
    let stage = Stage::open(fixture).await;
    let (catalog, acme) = (&stage.catalog, &stage.acme);
    let (document, job) = stage.accept(None, &["one"]).await;
    let cancelled = catalog.cancel_job(acme, job.id).await.unwrap();
    assert_eq!((cancelled.state, cancelled.cancel_requested), (JobState::Cancelled, true));
    assert!(cancelled.finished_at.is_some() && cancelled.revision > job.revision);
    assert_eq!(catalog.document(acme, document.id).await.unwrap().status, DocumentStatus::Failed);
    assert!(stage.nothing_to_lease().await);
    refused(catalog.cancel_job(acme, job.id).await, Conflict);
    refused(catalog.cancel_job(acme, stage.job_id()).await, NotFound);

    let (_, job) = stage.accept(None, &["two"]).await;
    let lease = stage.lease("worker").await;
    let asked = catalog.cancel_job(acme, job.id).await.unwrap();
    assert_eq!((asked.state, asked.cancel_requested), (JobState::Running, true));
    let again = catalog.cancel_job(acme, job.id).await.unwrap();
    assert_eq!(again.revision, asked.revision, "nothing new");
    assert_eq!(catalog.heartbeat(&lease, LEASE_MS).await.unwrap(), LeaseState::CancelRequested);
    stage.end(&lease, JobEnd::Cancelled).await;
    assert_eq!(stage.job(job.id).await.state, JobState::Cancelled);

    for release in [true, false] {
        let (_, job) = stage.accept(None, &["three"]).await;
        let lease = stage.lease("worker").await;
        catalog.cancel_job(acme, job.id).await.unwrap();
        if release {
            catalog.release_lease(&lease).await.unwrap();
        } else {
            stage.end(&lease, JobEnd::Retry { error: "later".to_owned(), at: stage.in_an_hour() }).await;
        }
        let state = stage.job(job.id).await.state;
        assert_eq!(state, JobState::Cancelled, "it does not go back to the queue");
    }
}

/// The `id:` of a job's events grows with all that can be seen, and with nothing else.
pub async fn every_visible_change_raises_the_revision(fixture: &dyn CatalogFixture) {
    let stage = Stage::open(fixture).await;
    let (catalog, acme) = (&stage.catalog, &stage.acme);
    let (_, job) = stage.accept(None, &["one"]).await;
    let mut last = job.revision;
    let mut grown = async || {
        let revision = stage.job(job.id).await.revision;
        let grown = revision > last;
        last = revision;
        grown
    };
    let lease = stage.lease("worker").await;
    assert!(grown().await);
    assert_eq!(lease.job, stage.job(job.id).await);
    catalog.heartbeat(&lease, LEASE_MS).await.unwrap();
    assert!(!grown().await);
    let progress = Progress { stage: "encode".to_owned(), done: 1, total: 2, segments: 3, reused: 1 };
    catalog.progress(&lease, &progress).await.unwrap();
    assert!(grown().await);
    assert_eq!(stage.job(job.id).await.progress, progress);
    catalog.progress(&lease, &progress).await.unwrap();
    assert!(!grown().await);
    let at = stage.clock_now();
    stage.end(&lease, JobEnd::Retry { error: "later".to_owned(), at }).await;
    assert!(grown().await);
    let lease = stage.lease("worker").await;
    assert!(grown().await);
    catalog.cancel_job(acme, job.id).await.unwrap();
    assert!(grown().await);
    stage.end(&lease, JobEnd::Cancelled).await;
    assert!(grown().await);
}

/// By state, by document, page by page.
pub async fn jobs_are_listed_newest_first(fixture: &dyn CatalogFixture) {
    let stage = Stage::open(fixture).await;
    let (catalog, acme) = (&stage.catalog, &stage.acme);
    let (document, first) = stage.accept(None, &["one"]).await;
    stage.clock.advance(1);
    let (_, second) = stage.accept(None, &["two"]).await;
    stage.clock.advance(1);
    let kind = JobKind::Refresh { document: document.id };
    let third = catalog.enqueue(acme, stage.job_id(), kind.clone()).await.unwrap();
    assert_eq!(third.kind, kind);
    let rebuild = catalog.enqueue(acme, stage.job_id(), JobKind::Rebuild).await.unwrap();
    refused(catalog.enqueue(acme, rebuild.id, JobKind::Rebuild).await, Conflict);
    let nothing = JobKind::Refresh { document: stage.document_id() };
    refused(catalog.enqueue(acme, stage.job_id(), nothing).await, NotFound);
    let lease = stage.lease("worker").await;

    let list = async |query: JobQuery| {
        let jobs = catalog.jobs(acme, &query).await.unwrap();
        jobs.iter().map(|job| job.id).collect::<Vec<_>>()
    };
    let all = JobQuery { limit: 10, ..JobQuery::default() };
    assert_eq!(list(all.clone()).await, [rebuild.id, third.id, second.id, first.id]);
    assert_eq!(list(JobQuery { limit: 2, ..all.clone() }).await, [rebuild.id, third.id]);
    assert_eq!(list(JobQuery { before: Some(third.id), ..all.clone() }).await, [second.id, first.id]);
    assert_eq!(list(JobQuery { document: Some(document.id), ..all.clone() }).await, [third.id, first.id]);
    assert_eq!(list(JobQuery { state: Some(JobState::Running), ..all }).await, [lease.job.id]);
}
