//! Jobs as workers see them.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::CatalogFixture;
use super::sample::{HOUR_MS, LEASE_MS, LeaseLost, Stage, refused, tenant};
use crate::catalog::{JobEnd, Lease, NewDocument, Taker};
use crate::job::{JobKind, JobState, Progress};

/// Eight workers of two processes take fifty jobs: each is taken once.
pub async fn no_job_is_leased_twice(fixture: &dyn CatalogFixture) {
    let stages = [Arc::new(Stage::open(fixture).await), Arc::new(Stage::open(fixture).await)];
    for _ in 0..50 {
        stages[0].accept(None, &["text"]).await;
    }
    let mut tasks = Vec::new();
    for worker in 0..8 {
        let stage = stages[worker % 2].clone();
        tasks.push(tokio::spawn(async move {
            let mut taken = Vec::new();
            let worker = format!("worker-{worker}");
            while let Some(lease) = stage.catalog.lease_job(&worker, LEASE_MS).await.unwrap() {
                assert_eq!((lease.job.attempts, lease.job.state), (1, JobState::Running));
                taken.push(lease.job.id);
                if taken.len() % 2 == 0 {
                    stage.finish(&lease, 1).await;
                }
            }
            taken
        }));
    }
    let mut taken = Vec::new();
    for task in tasks {
        taken.extend(task.await.unwrap());
    }
    assert_eq!(taken.len(), 50);
    assert_eq!(taken.iter().collect::<HashSet<_>>().len(), 50);
}

/// A worker takes as many as it has room for: the oldest, never two of one document, and of each tenant that waits.
pub async fn jobs_are_leased_many_at_a_time(fixture: &dyn CatalogFixture) {
    let stage = Stage::open(fixture).await;
    let take = async |most| {
        let leases = stage.catalog.lease_jobs("worker", LEASE_MS, most).await.unwrap();
        assert!(leases.iter().all(|lease| lease.job.state == JobState::Running && lease.worker == "worker"));
        leases.into_iter().map(|lease| lease.job.id).collect::<Vec<_>>()
    };
    assert!(take(8).await.is_empty());
    let (document, first) = stage.accept(None, &["one"]).await;
    let deletion = stage.catalog.delete_document(&stage.acme, document.id, stage.job_id()).await.unwrap();
    let (_, second) = stage.accept(None, &["two"]).await;
    let (_, third) = stage.accept(None, &["three"]).await;
    assert!(take(0).await.is_empty());
    assert!(stage.job(first.id).await.state.is_final(), "the deletion has stopped it");
    assert_eq!(take(2).await, [deletion.id, second.id]);
    assert_eq!(take(2).await, [third.id]);

    for _ in 0..4 {
        stage.accept(Some("the same"), &["text"]).await;
        for name in ["busy", "quiet"] {
            let new = stage.unstored(None, &["text"]);
            stage.accept_new(&tenant(name), new).await;
        }
    }
    let leases = stage.catalog.lease_jobs("worker", LEASE_MS, 6).await.unwrap();
    let of = |name: &str| leases.iter().filter(|lease| lease.tenant == tenant(name)).count();
    assert_eq!((of("busy"), of("quiet"), of("acme")), (2, 2, 1));
    assert_eq!(take(6).await.len(), 4);
}

/// A job whose worker has gone silent goes to another when the lease ends, not before.
pub async fn a_lease_that_expired_goes_to_another(fixture: &dyn CatalogFixture) {
    let stage = Stage::open(fixture).await;
    let catalog = &stage.catalog;
    let (_, job) = stage.accept(None, &["one"]).await;
    let first = stage.lease("first").await;
    stage.clock.advance(LEASE_MS - 1);
    assert!(stage.nothing_to_lease().await);
    catalog.heartbeat(&first, LEASE_MS).await.unwrap();
    stage.clock.advance(LEASE_MS - 1);
    assert!(stage.nothing_to_lease().await, "the heartbeat has extended it");
    stage.clock.advance(1);
    catalog.heartbeat(&first, LEASE_MS).await.unwrap();
    assert!(stage.nothing_to_lease().await, "late, but nobody was there to take it");
    stage.clock.advance(LEASE_MS);
    let second = stage.lease("second").await;
    assert_eq!((second.job.id, second.job.attempts), (job.id, 2));
    assert_eq!(second.job.started_at, first.job.started_at);
    refused(catalog.heartbeat(&first, LEASE_MS).await, LeaseLost);
    stage.finish(&second, 1).await;
    refused(catalog.heartbeat(&second, LEASE_MS).await, LeaseLost);
}

/// Once another has the job, nothing that the first worker calls has an effect, even under the same name.
pub async fn the_loser_of_a_lease_can_write_nothing(fixture: &dyn CatalogFixture) {
    let stage = Stage::open(fixture).await;
    let (catalog, acme) = (&stage.catalog, &stage.acme);
    let doomed = stage.ready(None, &["doomed"]).await;
    let (_, ingest_job) = stage.accept(None, &["one"]).await;
    let ingest = stage.lease("worker").await;
    let outcomes = stage.outcomes(&ingest, 1).await;
    catalog.delete_document(acme, doomed.id, stage.job_id()).await.unwrap();
    let delete = stage.lease("worker").await;
    let collection = "empty".parse().unwrap();
    catalog.create_collection(acme, &collection, None, serde_json::Map::new()).await.unwrap();
    catalog.delete_collection(acme, &collection, stage.job_id()).await.unwrap();
    let delete_collection = stage.lease("worker").await;

    stage.clock.advance(HOUR_MS);
    for _ in 0..3 {
        assert_eq!(stage.lease("worker").await.job.attempts, 2);
    }
    refused(catalog.heartbeat(&ingest, LEASE_MS).await, LeaseLost);
    refused(catalog.progress(&ingest, &Progress::default()).await, LeaseLost);
    refused(catalog.finish_ingest(&ingest, 1, outcomes, Vec::new(), &Progress::default()).await, LeaseLost);
    refused(catalog.release_lease(&ingest).await, LeaseLost);
    for end in [
        JobEnd::Succeeded { parts: Vec::new() },
        JobEnd::Failed { error: String::new() },
        JobEnd::Cancelled,
        JobEnd::Retry { error: String::new(), at: stage.in_an_hour() },
    ] {
        refused(catalog.end_job(&ingest, end).await, LeaseLost);
    }
    refused(catalog.finish_delete(&delete, doomed.id).await, LeaseLost);
    refused(catalog.remove_document(&delete, doomed.id).await, LeaseLost);
    refused(catalog.finish_delete_collection(&delete_collection, &collection).await, LeaseLost);
    assert_eq!(stage.job(ingest_job.id).await.state, JobState::Running);
    assert!(catalog.stats(acme).await.unwrap().open_jobs == 3);
}

/// Jobs of one document run one at a time, as they were enqueued, also when an earlier one has to wait.
pub async fn jobs_of_one_document_run_in_order(fixture: &dyn CatalogFixture) {
    let stage = Stage::open(fixture).await;
    let (catalog, acme) = (&stage.catalog, &stage.acme);
    let (document, ingest) = stage.accept(None, &["one"]).await;
    let kind = JobKind::Refresh { document: document.id };
    let mut wanted = vec![ingest.id];
    for _ in 0..3 {
        wanted.push(catalog.enqueue(acme, stage.job_id(), kind.clone()).await.unwrap().id);
    }
    let lease = stage.lease("worker").await;
    assert!(stage.nothing_to_lease().await);
    let at = stage.in_an_hour();
    stage.end(&lease, JobEnd::Retry { error: "later".to_owned(), at }).await;
    assert!(stage.nothing_to_lease().await);
    let (_, other) = stage.accept(None, &["two"]).await;
    assert_eq!(stage.lease("worker").await.job.id, other.id);

    stage.clock.advance(HOUR_MS);
    let mut found = Vec::new();
    for _ in 0..5 {
        let lease = stage.lease("worker").await;
        if lease.job.id != other.id {
            found.push(lease.job.id);
        }
        stage.end(&lease, JobEnd::Succeeded { parts: Vec::new() }).await;
    }
    assert_eq!(found, wanted);
}

/// Also when they are enqueued and taken by two processes at the same time.
pub async fn jobs_of_one_document_never_run_side_by_side(fixture: &dyn CatalogFixture) {
    const JOBS: usize = 24;
    let stages = [Arc::new(Stage::open(fixture).await), Arc::new(Stage::open(fixture).await)];
    let document = stages[0].ready(None, &["one"]).await.id;
    let runs = Arc::new(AtomicBool::new(false));
    let ended = Arc::new(AtomicUsize::new(0));
    let mut tasks = Vec::new();
    for stage in &stages {
        let enqueuer = stage.clone();
        tasks.push(tokio::spawn(async move {
            for _ in 0..JOBS / 2 {
                let id = enqueuer.job_id();
                enqueuer.catalog.enqueue(&enqueuer.acme, id, JobKind::Refresh { document }).await.unwrap();
            }
        }));
        for _ in 0..2 {
            let (worker, runs, ended) = (stage.clone(), runs.clone(), ended.clone());
            tasks.push(tokio::spawn(async move {
                while ended.load(Ordering::SeqCst) < JOBS {
                    let Some(lease) = worker.catalog.lease_job("worker", LEASE_MS).await.unwrap() else {
                        tokio::task::yield_now().await;
                        continue;
                    };
                    assert!(!runs.swap(true, Ordering::SeqCst), "two jobs of the document run");
                    tokio::task::yield_now().await;
                    worker.catalog.heartbeat(&lease, LEASE_MS).await.unwrap();
                    runs.store(false, Ordering::SeqCst);
                    worker.end(&lease, JobEnd::Succeeded { parts: Vec::new() }).await;
                    ended.fetch_add(1, Ordering::SeqCst);
                }
            }));
        }
    }
    for task in tasks {
        task.await.unwrap();
    }
}

/// The tenant with the fewest running jobs is served first, so a large import does not starve the others.
pub async fn tenants_take_turns(fixture: &dyn CatalogFixture) {
    let stage = Stage::open(fixture).await;
    for _ in 0..4 {
        stage.accept(None, &["text"]).await;
    }
    for name in ["umbrella", "zeta"] {
        for _ in 0..2 {
            let new = stage.unstored(None, &["text"]);
            stage.accept_new(&tenant(name), new).await;
        }
    }
    let mut order = Vec::new();
    for _ in 0..8 {
        order.push(stage.lease("worker").await.tenant.to_string());
    }
    let turns = ["acme", "umbrella", "zeta", "acme", "umbrella", "zeta", "acme", "acme"];
    assert_eq!(order, turns);
    assert!(stage.nothing_to_lease().await);
}

/// A retry is due at its time and counts; a job that is given back is due at once and does not count.
pub async fn a_retry_waits_and_a_release_does_not_count(fixture: &dyn CatalogFixture) {
    let stage = Stage::open(fixture).await;
    let catalog = &stage.catalog;
    let (_, job) = stage.accept(None, &["one"]).await;
    let lease = stage.lease("worker").await;
    let at = stage.in_an_hour();
    stage.end(&lease, JobEnd::Retry { error: "the index is away".to_owned(), at }).await;
    let waiting = stage.job(job.id).await;
    assert_eq!((waiting.state, waiting.attempts), (JobState::Queued, 1));
    assert_eq!(waiting.error.as_deref(), Some("the index is away"));
    refused(catalog.heartbeat(&lease, LEASE_MS).await, LeaseLost);
    stage.clock.advance(HOUR_MS - 1);
    assert!(stage.nothing_to_lease().await);
    stage.clock.advance(1);

    let lease = stage.lease("worker").await;
    assert_eq!(lease.job.attempts, 2);
    catalog.release_lease(&lease).await.unwrap();
    refused(catalog.heartbeat(&lease, LEASE_MS).await, LeaseLost);
    assert_eq!(stage.job(job.id).await.attempts, 1);
    let lease = stage.lease("worker").await;
    assert_eq!(lease.job.attempts, 2);
    stage.finish(&lease, 1).await;
    assert_eq!(stage.job(job.id).await.error, None);
}

/// Who accepts a document may take its job at once, if the document is new.
pub async fn a_new_job_is_taken_as_it_is_enqueued(fixture: &dyn CatalogFixture) {
    let stage = Stage::open(fixture).await;
    let (catalog, acme) = (&stage.catalog, &stage.acme);
    let accept = async |external_id: Option<&str>| {
        let taker = Some(Taker { worker: "worker".to_owned(), lease_ms: LEASE_MS });
        stage.accept_new(acme, NewDocument { taker, ..stage.unstored(external_id, &["one"]) }).await.1
    };
    let job = accept(Some("a")).await;
    assert_eq!((job.state, job.attempts), (JobState::Running, 1));
    assert_eq!(job, stage.job(job.id).await);
    assert!(stage.nothing_to_lease().await);
    let lease = Lease { tenant: acme.clone(), job, worker: "worker".to_owned(), input: None };
    catalog.heartbeat(&lease, LEASE_MS).await.unwrap();
    let next = accept(Some("a")).await;
    assert_eq!(next.state, JobState::Queued, "the first version's is under way");
    assert!(stage.nothing_to_lease().await);
    stage.finish(&lease, 1).await;
    assert_eq!(stage.lease("worker").await.job.id, next.id);

    let left = accept(None).await;
    stage.clock.advance(LEASE_MS);
    let heir = catalog.lease_jobs("heir", LEASE_MS, 9).await.unwrap();
    let heir = heir.iter().find(|lease| lease.job.id == left.id).unwrap();
    assert_eq!(heir.job.attempts, 2);
}

/// The time to sleep until is that of the next retry or the next lease to end; a job that waits for another does not count.
pub async fn workers_know_how_long_to_sleep(fixture: &dyn CatalogFixture) {
    let stage = Stage::open(fixture).await;
    let (catalog, acme) = (&stage.catalog, &stage.acme);
    assert_eq!(catalog.next_job_at().await.unwrap(), None);
    let now = stage.clock_now();
    let (document, _) = stage.accept(None, &["one"]).await;
    assert_eq!(catalog.next_job_at().await.unwrap(), Some(now));
    let lease = stage.lease("worker").await;
    let refresh = JobKind::Refresh { document: document.id };
    catalog.enqueue(acme, stage.job_id(), refresh).await.unwrap();
    assert_eq!(catalog.next_job_at().await.unwrap(), Some(now.plus_ms(LEASE_MS)));
    let at = stage.in_an_hour();
    stage.end(&lease, JobEnd::Retry { error: "later".to_owned(), at }).await;
    assert_eq!(catalog.next_job_at().await.unwrap(), Some(at));
    stage.clock.advance(HOUR_MS);
    for _ in 0..2 {
        let lease = stage.lease("worker").await;
        stage.end(&lease, JobEnd::Succeeded { parts: Vec::new() }).await;
    }
    assert_eq!(catalog.next_job_at().await.unwrap(), None);
}

/// Whoever takes an ingest gets its document and the parts of its version with it.
pub async fn an_ingest_brings_its_input_along(fixture: &dyn CatalogFixture) {
    let stage = Stage::open(fixture).await;
    let (catalog, acme) = (&stage.catalog, &stage.acme);
    stage.accept(Some("a"), &["one", "two"]).await;
    let umbrella = tenant("umbrella");
    let new = stage.unstored(Some("a"), &["three"]);
    stage.accept_new(&umbrella, new).await;
    let leases = catalog.lease_jobs("worker", LEASE_MS, 2).await.unwrap();
    assert_eq!(leases.len(), 2);
    for lease in &leases {
        let document = lease.job.kind.document().unwrap();
        let input = lease.input.as_ref().unwrap();
        assert_eq!(input.document, catalog.document(&lease.tenant, document).await.unwrap());
        assert_eq!(input.parts, catalog.parts(&lease.tenant, document, Some(1)).await.unwrap());
        assert_eq!(input.parts.len(), if lease.tenant == *acme { 2 } else { 1 });
        stage.finish(lease, 1).await;
    }

    let (document, _) = stage.accept(Some("a"), &["four"]).await;
    let next = stage.lease("worker").await;
    let input = next.input.clone().unwrap();
    assert_eq!((&input.document, input.parts.len()), (&document, 1), "the parts of its version, not of the live one");
    assert_eq!(input.parts[0].version, 2);
    stage.finish(&next, 1).await;
    catalog.delete_document(acme, document.id, stage.job_id()).await.unwrap();
    assert_eq!(stage.lease("worker").await.input, None, "a deletion needs none");
}
