//! Opening the database, and the two ways into it: one writer, several readers.

mod dialect;
mod json;
#[path = "../queries/mod.rs"]
mod queries;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sensorium_domain::{CatalogError, Clock, TenantId, Timestamp};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow,
    SqliteSynchronous,
};
use sqlx::{Connection as _, Sqlite, Transaction};

use crate::error::{Fail, Result, migration_error};

// What `queries` is compiled against.
type Store = SqliteCatalog;
type Database = Sqlite;
type Connection = SqliteConnection;
type Row = SqliteRow;
type Tx = Transaction<'static, Sqlite>;

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
    /// The generation whose segments this handle sees and writes.
    generation: u32,
    groups: Arc<queries::Groups>,
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
            .map_err(Fail::from)?;
        sqlx::migrate!("../../migrations/sqlite")
            .run(&writer)
            .await
            .map_err(|error| migration_error(path.display(), error))?;
        let readers = SqlitePoolOptions::new()
            .max_connections(options.readers.max(1))
            // Each is a thread. One that a thread of jobs opened would be as nice as that one, and searches would read by it.
            .min_connections(options.readers.max(1))
            .acquire_timeout(options.patience)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(common.pragma("query_only", "ON"))
            .await
            .map_err(Fail::from)?;
        let mut catalog = Self {
            writer,
            readers,
            clock,
            blob_deletion_ms: options.blob_deletion_ms,
            generation: 1,
            groups: Arc::default(),
        };
        if let Some(live) = queries::generations::live(&catalog).await? {
            catalog.generation = live.number;
        }
        if options.take_over {
            catalog.take_over().await?;
        }
        Ok(catalog)
    }

    /// Copies the database at `from`, which others may be writing to, to the new file `to`, as it is at one moment.
    pub async fn copy(from: &Path, to: &Path) -> Result<(), CatalogError> {
        let options = SqliteConnectOptions::new().filename(from).read_only(true).busy_timeout(Duration::from_mins(1));
        let mut connection = SqliteConnection::connect_with(&options).await.map_err(Fail::from)?;
        let copied = sqlx::query("VACUUM INTO $1").bind(to.display().to_string()).execute(&mut connection).await;
        connection.close().await.map_err(Fail::from)?;
        copied.map_err(Fail::from)?;
        Ok(())
    }

    /// Closes the connections; the log is folded into the database file.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    /// Ends what a process that died held: see [`SqliteOptions::take_over`].
    async fn take_over(&self) -> Result<()> {
        let mut tx = self.begin_write().await?;
        for statement in [
            "UPDATE jobs SET ready_at = 0 WHERE state = 'running'",
            "UPDATE blobs SET taken_at = 0 WHERE owners = 0 AND state = 'deleting'",
            "DELETE FROM blob_claims",
            "DELETE FROM idempotency_keys WHERE status IS NULL AND job IS NULL",
        ] {
            sqlx::query(statement).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// A transaction that holds the write lock from its beginning.
    async fn begin_write(&self) -> Result<Tx> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// A transaction that may look and then write, without anybody writing between.
    async fn begin(&self, _: &TenantId) -> Result<Tx> {
        self.begin_write().await
    }

    /// A transaction that could go beside others of its kind; here all go one by one.
    async fn begin_beside(&self, _: &TenantId) -> Result<Tx> {
        self.begin_write().await
    }

    /// A transaction that accepts documents, and may take their jobs.
    async fn begin_accepting(&self, _: &TenantId, _is_beside: bool) -> Result<Tx> {
        self.begin_write().await
    }

    /// The same as [`Self::begin_beside`] for what nobody has been promised yet; here it is as safe as all else.
    async fn begin_beside_unpromised(&self, _: &TenantId) -> Result<Tx> {
        self.begin_write().await
    }

    /// A transaction that takes a job of the tenant.
    async fn begin_lease(&self, _: &TenantId) -> Result<Tx> {
        self.begin_write().await
    }

    /// Reads of one moment.
    async fn snapshot(&self) -> Result<Tx> {
        Ok(self.readers.begin().await?)
    }

    fn reader(&self) -> &SqlitePool {
        &self.readers
    }

    /// For statements that find what they want by key; here they need nothing else than others.
    fn reader_by_key(&self) -> &SqlitePool {
        &self.readers
    }

    fn writer(&self) -> &SqlitePool {
        &self.writer
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
