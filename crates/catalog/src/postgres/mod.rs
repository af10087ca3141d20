//! Opening the database, and the transactions on it.

mod dialect;
mod json;
mod locks;
mod migrations;
#[path = "../queries/mod.rs"]
mod queries;
mod transaction;

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sensorium_domain::{CatalogError, Clock, TenantId, Timestamp};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions, PgRow};
use sqlx::{Postgres, Transaction};

use crate::error::{Fail, Result};
use locks::Lock;
use transaction::Tx;

// What `queries` is compiled against.
type Store = PostgresCatalog;
type Database = Postgres;
type Connection = PgConnection;
type Row = PgRow;

/// How a [`PostgresCatalog`] is opened.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// Connections at most, four at least. Half of them are for statements that find what they want by key. Those that are not used for ten minutes are closed.
    pub connections: u32,
    /// How long a call waits for a connection, also while the server is away.
    pub patience: Duration,
    /// How long one statement may take, waits for locks included; and how long the server lets a transaction of ours
    /// stand still before it ends it, so that a process that hangs holds up nobody.
    pub statement_timeout: Duration,
    /// After this time a blob that was marked as being deleted belongs to a process that died: whoever comes next may
    /// delete it again or store it anew. Longer than the longest deletion of bytes.
    pub blob_deletion_ms: i64,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            connections: 16,
            patience: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(30),
            blob_deletion_ms: 60_000,
        }
    }
}

/// The catalog in a Postgres database (15 or newer), shared by any number of processes. Their clocks must agree to within
/// a fraction of a lease.
///
/// A connection that breaks is replaced; while the server is away, calls fail with `Unavailable`.
#[derive(Clone)]
pub struct PostgresCatalog {
    /// For statements that are planned for what they are asked for.
    pool: PgPool,
    /// For statements that find what they want by key. They are planned once a connection, and no index is passed over then because a table was
    /// still small.
    by_key: PgPool,
    clock: Arc<dyn Clock>,
    blob_deletion_ms: i64,
    /// The generation whose segments this handle sees and writes.
    generation: u32,
    groups: Arc<queries::Groups>,
}

impl PostgresCatalog {
    /// Opens the database at `url` (`postgres://user:password@host:port/database?sslmode=verify-full`), brought up to date
    /// if need be; processes that start together wait for the one that does it. A database of a newer version of
    /// Sensorium with which this one cannot work is refused.
    pub async fn open(url: &str, clock: Arc<dyn Clock>, options: PostgresOptions) -> Result<Self, CatalogError> {
        let timeout = options.statement_timeout.as_millis().to_string();
        let connect = PgConnectOptions::from_str(url)
            .map_err(|error| CatalogError::Internal(format!("the URL of the database cannot be read: {error}")))?
            .application_name("sensorium");
        let server = format!(
            "the database {} on {}",
            connect.get_database().unwrap_or_else(|| connect.get_username()),
            connect.get_host()
        );
        migrations::run(&connect, options.patience, &server).await?;
        let most = options.connections.max(4);
        let pool = async |connections, more: &[(&str, &str)]| {
            let set = [
                ("statement_timeout", timeout.as_str()),
                ("idle_in_transaction_session_timeout", timeout.as_str()),
                // Nothing here runs for so long that compiling it would pay.
                ("jit", "off"),
            ];
            PgPoolOptions::new()
                .max_connections(connections)
                // A connection is served by the threads of who opened it. The pool opens these; those that a job opened would be as slow for searches as jobs are.
                .min_connections(connections)
                .acquire_timeout(options.patience)
                .idle_timeout(Duration::from_mins(10))
                .max_lifetime(Duration::from_mins(30))
                .connect_with(connect.clone().options(set.iter().chain(more).copied()))
                .await
                .map_err(Fail::from)
        };
        // A plan for tenants of average size walks over the rows of all others for a small one.
        let custom = pool(most / 2, &[("plan_cache_mode", "force_custom_plan")]).await?;
        // Rows by their keys are met one by one. A plan that reads a table is right only as long as the table is small.
        let by_key = [
            ("plan_cache_mode", "force_generic_plan"),
            ("enable_seqscan", "off"),
            ("enable_hashjoin", "off"),
            ("enable_mergejoin", "off"),
        ];
        let by_key = pool(most - most / 2, &by_key).await?;
        let mut catalog = Self {
            pool: custom,
            by_key,
            clock,
            blob_deletion_ms: options.blob_deletion_ms,
            generation: 1,
            groups: Arc::default(),
        };
        if let Some(live) = queries::generations::live(&catalog).await? {
            catalog.generation = live.number;
        }
        Ok(catalog)
    }

    /// Closes the connections.
    pub async fn close(&self) {
        self.pool.close().await;
        self.by_key.close().await;
    }

    /// A transaction that may look and then write, without anybody writing to the tenant between.
    async fn begin(&self, tenant: &TenantId) -> Result<Tx> {
        let lock = Lock::Tenant(tenant).statement(false);
        Tx::begin(&self.pool, format!("BEGIN; {lock}")).await
    }

    /// A transaction that goes beside others of its kind: what it does is right whatever they write. No transaction that looks and then
    /// writes is under way meanwhile.
    async fn begin_beside(&self, tenant: &TenantId) -> Result<Tx> {
        let lock = Lock::Tenant(tenant).statement(true);
        Tx::begin(&self.by_key, format!("BEGIN; {lock}")).await
    }

    /// A transaction that accepts documents, and may take their jobs: beside others, or with the tenant locked.
    async fn begin_accepting(&self, tenant: &TenantId, is_beside: bool) -> Result<Tx> {
        let (lock, generations) = (Lock::Tenant(tenant).statement(is_beside), Lock::Generations.statement(true));
        let pool = if is_beside { &self.by_key } else { &self.pool };
        Tx::begin(pool, format!("BEGIN; {lock} {generations}")).await
    }

    /// The same as [`Self::begin_beside`] for what nobody has been promised yet: a crash of the server may take it back, unless a later transaction was committed.
    async fn begin_beside_unpromised(&self, tenant: &TenantId) -> Result<Tx> {
        let lock = Lock::Tenant(tenant).statement(true);
        // The commit does not wait for the disk. A later one that does brings it there too.
        Tx::begin(&self.by_key, format!("BEGIN; SET LOCAL synchronous_commit = off; {lock}")).await
    }

    /// A transaction that takes a job of the tenant.
    async fn begin_lease(&self, tenant: &TenantId) -> Result<Tx> {
        let (generations, leases) = (Lock::Generations.statement(true), Lock::Leases(tenant).statement(true));
        Tx::begin(&self.by_key, format!("BEGIN; {generations} {leases}")).await
    }

    /// Reads of one moment that find what they want by key.
    async fn snapshot(&self) -> Result<Transaction<'static, Postgres>> {
        Ok(self.by_key.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").await?)
    }

    fn reader(&self) -> &PgPool {
        &self.pool
    }

    /// For statements that find what they want by key.
    fn reader_by_key(&self) -> &PgPool {
        &self.by_key
    }

    fn writer(&self) -> &PgPool {
        &self.pool
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
