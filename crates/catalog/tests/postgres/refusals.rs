//! A call that was refused has let go of its job when it answers: a worker of another process takes it at once.
//!
//! The runtimes of these tests have one thread, which stands still while the other process is at work. So nothing that a call leaves to be done
//! after its answer can be done before the job is asked for.

use sensorium_catalog::{PostgresCatalog, PostgresOptions};
use sensorium_domain::catalog::{ClaimId, JobEnd, NewDocument, NewPart, StorageQuota};
use sensorium_domain::contract::catalog::CatalogFixture;
use sensorium_domain::{
    BlobHash, Catalog, CatalogError, Clock, CollectionName, Document, DocumentId, Job, JobId, JobKind, Modality,
    PartId, TenantId, Timestamp,
};
use serde_json::Map;

use crate::server::Database;

const LEASE_MS: i64 = 1_000;

async fn open(database: &Database) -> PostgresCatalog {
    database.open_with(PostgresOptions::default()).await.unwrap()
}

fn acme() -> TenantId {
    "acme".parse().unwrap()
}

/// The job that a worker of another process takes. This thread waits for it, without letting its own runtime go on.
fn taken_elsewhere(database: &Database) -> Option<JobId> {
    let take = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let catalog = open(database).await;
            let lease = catalog.lease_job("elsewhere", LEASE_MS).await.unwrap();
            catalog.close().await;
            lease.map(|lease| lease.job.id)
        })
    };
    std::thread::scope(|scope| scope.spawn(take).join().unwrap())
}

#[tokio::test]
async fn a_job_that_has_not_failed_goes_on() {
    let database = Database::fresh().await;
    let (catalog, now) = (open(&database).await, database.clock().now());
    let job = catalog.enqueue(&acme(), JobId::new(now, 1), JobKind::Rebuild).await.unwrap().id;
    let refused = catalog.retry_job(&acme(), job).await;
    assert_eq!(taken_elsewhere(&database), Some(job));
    assert!(matches!(refused, Err(CatalogError::Conflict(_))), "{refused:?}");
}

#[tokio::test]
async fn a_deletion_that_is_not_stopped_goes_on() {
    let database = Database::fresh().await;
    let (catalog, now) = (open(&database).await, database.clock().now());
    let collection: CollectionName = "empty".parse().unwrap();
    catalog.create_collection(&acme(), &collection, None, Map::new()).await.unwrap();
    let job = catalog.delete_collection(&acme(), &collection, JobId::new(now, 1)).await.unwrap().id;
    let refused = catalog.cancel_job(&acme(), job).await;
    assert_eq!(taken_elsewhere(&database), Some(job));
    assert!(matches!(refused, Err(CatalogError::Conflict(_))), "{refused:?}");
}

/// A next version that is refused has stopped the ingest of the last one, and taken that back.
#[tokio::test]
async fn an_ingest_whose_next_version_is_too_large_goes_on() {
    let database = Database::fresh().await;
    let (catalog, now) = (open(&database).await, database.clock().now());
    let (_, job) = offer(&catalog, now, 1, "one", StorageQuota::default()).await.unwrap();
    let quota = StorageQuota { documents: None, blob_bytes: Some(4) };
    let refused = offer(&catalog, now, 2, "three", quota).await;
    assert_eq!(taken_elsewhere(&database), Some(job.id));
    assert!(matches!(refused, Err(CatalogError::OverQuota(_))), "{refused:?}");
}

/// Offers a version of the one document.
async fn offer(
    catalog: &PostgresCatalog,
    now: Timestamp,
    number: u128,
    text: &str,
    quota: StorageQuota,
) -> Result<(Document, Job), CatalogError> {
    let (claim, blob, size_bytes) = (ClaimId(number), BlobHash::of(text.as_bytes()), text.len() as u64);
    catalog.claim_blobs(&acme(), claim, &[(blob, size_bytes)], now.plus_ms(60_000)).await.unwrap();
    catalog.blobs_stored(&acme(), claim, &[blob]).await.unwrap();
    let part = NewPart {
        id: PartId::new(now, number),
        name: None,
        modality: Modality::Text,
        media_type: "text/plain".to_owned(),
        blob,
        size_bytes,
        bytes: None,
        error: None,
    };
    let new = NewDocument {
        id: DocumentId::new(now, number),
        job: JobId::new(now, number),
        collection: "default".parse().unwrap(),
        external_id: Some("a".to_owned()),
        title: None,
        tags: Vec::new(),
        metadata: Map::new(),
        parts: vec![part],
        claim,
        stored: Vec::new(),
        once: None,
        quota,
        taker: None,
    };
    catalog.accept_document(&acme(), new).await
}

/// Another worker has had the job meanwhile, and has gone silent too.
#[tokio::test]
async fn a_job_whose_loser_is_refused_goes_on() {
    let database = Database::fresh().await;
    let (catalog, clock) = (open(&database).await, database.clock());
    let job = catalog.enqueue(&acme(), JobId::new(clock.now(), 1), JobKind::Rebuild).await.unwrap().id;
    let lost = catalog.lease_job("loser", LEASE_MS).await.unwrap().unwrap();
    clock.advance(LEASE_MS);
    assert_eq!(taken_elsewhere(&database), Some(job));
    let document = DocumentId::new(clock.now(), 1);
    let collection: CollectionName = "default".parse().unwrap();
    let calls = [
        ("release_lease", catalog.release_lease(&lost)),
        ("end_job", catalog.end_job(&lost, JobEnd::Cancelled)),
        ("finish_delete", catalog.finish_delete(&lost, document)),
        ("remove_document", catalog.remove_document(&lost, document)),
        ("finish_delete_collection", catalog.finish_delete_collection(&lost, &collection)),
    ];
    for (name, call) in calls {
        clock.advance(LEASE_MS);
        let refused = call.await;
        assert_eq!(taken_elsewhere(&database), Some(job), "after {name}");
        assert!(matches!(refused, Err(CatalogError::LeaseLost)), "{name}: {refused:?}");
    }
}
