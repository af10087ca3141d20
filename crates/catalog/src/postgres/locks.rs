//! What keeps the transactions of one tenant apart.
//!
//! Many rules of the catalog look at several rows before they write: an external id has one document, a blob without owner
//! and claim goes, jobs of a document run in the order of their numbers. SQLite has one writer, so nothing changes between
//! the look and the write. Here the transactions that look and then write hold an advisory lock of their tenant; tenants do
//! not wait for each other. Each statement sees what was committed before it (`READ COMMITTED`), so after the lock
//! everything of the transactions before.
//!
//! Most of what happens while documents come does not need the tenant for itself: blobs are claimed and stored, vectors are
//! kept, new documents are accepted, first versions are finished. Such transactions share the lock: they keep out those that
//! look and then write, and not each other. Where two of them may write the same rows, they do so in the order of the rows'
//! keys (small blobs, other blobs, then vectors by model, then candidates), so that neither waits for the other in turn.
//!
//! Taking a job that waits needs no such lock (`SKIP LOCKED` keeps workers apart) and must not wait for a long transaction. It only
//! must not fall between a sweep's look for ingests under way and its deletion of vectors, on which an ingest counts from
//! its first moment: hence a second lock, shared by those who take jobs and held for the short end of a transaction by
//! those who sweep. Who takes a job as he enqueues it has the tenant's lock, which sweeps hold alone.
//!
//! Nor must a job be taken for a generation after another was found ready to take its place: a third lock, not of a tenant, is shared by those who
//! look which generation is live and then take a job, and held by those who stop that. Locks are taken in this order: tenant, generations, rows,
//! leases.

use sensorium_domain::TenantId;
use sqlx::{AssertSqlSafe, Executor, raw_sql};

use super::Connection;
use crate::error::Result;

/// Advisory locks have two numbers: which lock, and a hash of the tenant. Tenants of equal hash share a lock, which costs
/// time only.
#[derive(Debug, Clone, Copy)]
pub(super) enum Lock<'a> {
    /// Held by transactions that look and then write, shared by those that go beside each other.
    Tenant(&'a TenantId),
    /// Shared by those who take jobs, held by those who sweep.
    Leases(&'a TenantId),
    /// Shared by those who take jobs, held by those who stop that for a switch.
    Generations,
}

impl<'a> Lock<'a> {
    /// Waits for all others, until the transaction ends.
    pub(super) async fn exclusive(self, connection: &mut Connection) -> Result<()> {
        connection.execute(raw_sql(AssertSqlSafe(self.statement(false)))).await?;
        Ok(())
    }

    /// The statement that waits for those who hold it alone, or for all others.
    pub(super) fn statement(self, is_shared: bool) -> String {
        let (number, of) = self.key();
        let shared = if is_shared { "_shared" } else { "" };
        format!("SELECT pg_advisory_xact_lock{shared}({number}, hashtext('{}'));", of.replace('\'', "''"))
    }

    fn key(self) -> (i32, &'a str) {
        match self {
            Self::Tenant(tenant) => (0x5e50_0001, tenant.as_str()),
            Self::Leases(tenant) => (0x5e50_0002, tenant.as_str()),
            Self::Generations => (0x5e50_0003, ""),
        }
    }
}
