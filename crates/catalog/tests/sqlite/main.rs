//! SQLite keeps the contract of the catalog, and what is its own.

#![allow(clippy::unwrap_used)]

mod kills;
mod plans;
#[path = "../recorder/mod.rs"]
mod recorder;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sensorium_catalog::{SqliteCatalog, SqliteOptions};
use sensorium_domain::catalog::{BlobState, ClaimId, IdempotencyState, NewDocument, ReservedKey, StorageQuota};
use sensorium_domain::contract::TestClock;
use sensorium_domain::contract::catalog::CatalogFixture;
use sensorium_domain::{BlobHash, Catalog, CatalogError, Clock, DocumentId, JobId, JobKind, TenantId, Timestamp};
use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tempfile::TempDir;

struct Folder {
    folder: TempDir,
    clock: Arc<TestClock>,
}

impl Folder {
    fn fresh() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), clock: Arc::default() }
    }

    /// A connection past the catalog.
    async fn connect(&self) -> SqliteConnection {
        SqliteConnectOptions::new().filename(self.path()).connect().await.unwrap()
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("catalog.db")
    }

    async fn open_with(&self, options: SqliteOptions) -> Result<SqliteCatalog, CatalogError> {
        SqliteCatalog::open(&self.path(), self.clock.clone(), options).await
    }
}

#[async_trait]
impl CatalogFixture for Folder {
    fn clock(&self) -> Arc<TestClock> {
        self.clock.clone()
    }

    async fn open(&self) -> Arc<dyn Catalog> {
        Arc::new(self.open_with(SqliteOptions::default()).await.unwrap())
    }
}

sensorium_domain::catalog_contract!(Folder::fresh());

#[tokio::test]
async fn a_newer_database_is_refused_with_a_reason() {
    let folder = Folder::fresh();
    let catalog = folder.open_with(SqliteOptions::default()).await.unwrap();
    catalog.close().await;
    let mut connection = folder.connect().await;
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (999, 'from the future', 1, x'00', 0)",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    let Err(error) = folder.open_with(SqliteOptions::default()).await else { panic!("it was opened") };
    assert!(error.to_string().contains("newer version of Sensorium (schema 999)"), "{error}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let folder = Folder::fresh();
    std::fs::write(folder.path(), [7; 8192]).unwrap();
    let opened = folder.open_with(SqliteOptions::default()).await;
    assert!(matches!(opened.map(|_| ()), Err(CatalogError::Internal(_))));
}

#[tokio::test]
async fn a_lock_that_is_not_let_go_makes_the_catalog_unavailable() {
    let folder = Folder::fresh();
    let options = SqliteOptions { patience: Duration::from_secs(2), ..SqliteOptions::default() };
    let catalog = folder.open_with(options).await.unwrap();
    let tenant: TenantId = "acme".parse().unwrap();
    let mut other = folder.connect().await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let id = JobId::new(Timestamp::from_millis(0), 1);
    let refused = catalog.enqueue(&tenant, id, JobKind::Rebuild).await;
    assert!(matches!(refused, Err(CatalogError::Unavailable(_))), "{refused:?}");
    catalog.ping().await.unwrap();
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    catalog.enqueue(&tenant, id, JobKind::Rebuild).await.unwrap();
}

#[tokio::test]
async fn the_only_process_takes_over_what_a_dead_one_held() {
    let folder = Folder::fresh();
    let tenant: TenantId = "acme".parse().unwrap();
    let hash = BlobHash::of(b"red");
    let now = folder.clock.now();
    let dies = folder.open_with(SqliteOptions::default()).await.unwrap();
    let id = JobId::new(now, 1);
    dies.enqueue(&tenant, id, JobKind::Rebuild).await.unwrap();
    dies.lease_job("dies", 60_000).await.unwrap().unwrap();
    dies.claim_blobs(&tenant, ClaimId(1), &[(hash, 3)], now).await.unwrap();
    assert_eq!(dies.take_orphan_blobs(9).await.unwrap().len(), 1);
    let expires = now.plus_ms(60_000);
    dies.idempotency_begin(&tenant, "key", &hash, expires).await.unwrap();
    dies.idempotency_begin(&tenant, "accepted", &hash, expires).await.unwrap();
    let once = ReservedKey { key: "accepted".to_owned(), request: hash, keep_until: expires };
    let accepted = NewDocument {
        id: DocumentId::new(now, 2),
        job: JobId::new(now, 3),
        collection: "default".parse().unwrap(),
        external_id: None,
        title: None,
        tags: Vec::new(),
        metadata: serde_json::Map::new(),
        parts: Vec::new(),
        claim: ClaimId(3),
        stored: Vec::new(),
        once: Some(once),
        quota: StorageQuota::default(),
        taker: None,
    };
    let (_, accepted) = dies.accept_document(&tenant, accepted).await.unwrap();
    dies.lease_job("dies", 60_000).await.unwrap().unwrap();
    drop(dies);

    let beside = folder.open_with(SqliteOptions::default()).await.unwrap();
    assert!(beside.lease_job("beside", 60_000).await.unwrap().is_none());
    drop(beside);
    let options = SqliteOptions { take_over: true, ..SqliteOptions::default() };
    let heir = folder.open_with(options).await.unwrap();
    let lease = heir.lease_job("heir", 60_000).await.unwrap().unwrap();
    assert_eq!((lease.job.id, lease.job.attempts), (id, 2));
    let states = heir.claim_blobs(&tenant, ClaimId(2), &[(hash, 3)], expires).await.unwrap();
    assert_eq!(states, [BlobState::Missing]);
    let state = heir.idempotency_begin(&tenant, "key", &hash, expires).await.unwrap();
    assert_eq!(state, IdempotencyState::New);
    let state = heir.idempotency_begin(&tenant, "accepted", &hash, expires).await.unwrap();
    assert_eq!(state, IdempotencyState::Accepted(accepted.id), "its document is there, so is its key");
}
