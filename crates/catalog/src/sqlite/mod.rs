//! Opening the database, and the two ways into it: one writer, several readers.

mod accept;
mod blobs;
mod collections;
mod deletions;
mod documents;
mod endings;
mod error;
mod idempotency;
mod jobs;
mod leases;
mod listing;
mod port;
mod rows;
mod segments;
mod settings;
mod vectors;
mod versions;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sensorium_domain::{CatalogError, Clock, Timestamp};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Sqlite, Transaction};

use error::{Result, migration_error};

/// How a [`SqliteCatalog`] is opened.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    /// Connections that read beside each other.
    pub readers: u32,
    /// How long a call waits for a lock that another process holds, and for a free connection.
    pub patience: Duration,
    /// After this time a blob that was marked as being deleted belongs to a process that died: whoever comes next may
    /// delete it again or store it anew. Longer than the longest deletion of bytes.
    pub blob_deletion_ms: i64,
    /// Nobody else works on this database (the caller holds a lock on the data folder): what a process that died
    /// left behind (leases, claimed and marked blobs, reserved idempotency keys) is taken over at once, not when it expires.
    pub take_over: bool,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self { readers: 4, patience: Duration::from_secs(5), blob_deletion_ms: 60_000, take_over: false }
    }
}

/// The catalog in a SQLite file.
///
/// All writes go through one connection and begin with `BEGIN IMMEDIATE`, so a transaction that has read something
/// never finds it changed when it writes. Reads have connections of their own and never wait for a writer.
#[derive(Clone)]
pub struct SqliteCatalog {
    writer: SqlitePool,
    readers: SqlitePool,
    clock: Arc<dyn Clock>,
    blob_deletion_ms: i64,
}

impl SqliteCatalog {
    /// Opens the database at `path`, made and brought up to date if need be. A database of a newer version of
    /// Sensorium is refused.
    pub async fn open(path: &Path, clock: Arc<dyn Clock>, options: SqliteOptions) -> Result<Self, CatalogError> {
        let common = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .foreign_keys(true)
            .busy_timeout(options.patience)
            .synchronous(SqliteSynchronous::Full)
            .pragma("cache_size", "-8000")
            .pragma("temp_store", "MEMORY");
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(options.patience)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(common.clone().journal_mode(SqliteJournalMode::Wal).pragma("journal_size_limit", "67108864"))
            .await
            .map_err(error::Fail::from)?;
        sqlx::migrate!("../../migrations/sqlite").run(&writer).await.map_err(|error| migration_error(path, &error))?;
        let readers = SqlitePoolOptions::new()
            .max_connections(options.readers.max(1))
            .acquire_timeout(options.patience)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(common.pragma("query_only", "ON"))
            .await
            .map_err(error::Fail::from)?;
        let catalog = Self { writer, readers, clock, blob_deletion_ms: options.blob_deletion_ms };
        if options.take_over {
            catalog.take_over().await?;
        }
        Ok(catalog)
    }

    /// Closes the connections; the log is folded into the database file.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    /// Ends what a process that died held: see [`SqliteOptions::take_over`].
    async fn take_over(&self) -> Result<()> {
        let mut tx = self.begin().await?;
        for statement in [
            "UPDATE jobs SET ready_at = 0 WHERE state = 'running'",
            "UPDATE blobs SET taken_at = 0 WHERE owners = 0 AND state = 'deleting'",
            "DELETE FROM blob_claims",
            "DELETE FROM idempotency_keys WHERE status IS NULL",
        ] {
            sqlx::query(statement).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// A transaction that holds the write lock from its beginning.
    async fn begin(&self) -> Result<Transaction<'static, Sqlite>> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
