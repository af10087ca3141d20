//! Jobs that were given up: tried again by an operator, or forgotten in the end.

use sensorium_domain::{
    CollectionName, DocumentId, DocumentStatus, Job, JobId, JobKind, JobState, TenantId, Timestamp,
};

use super::dialect::{next_seq, skip_locked, uuid_value};
use super::jobs::{self, job_columns};
use super::{Connection, Store, collections, conclude, versions};
use crate::error::{Fail, Result};

/// Queues a failed job again. Its new number puts it behind the jobs that were enqueued since: no job ever comes to stand
/// before one that may run already.
pub(super) async fn retry(catalog: &Store, tenant: &TenantId, id: JobId) -> Result<Job> {
    let now = catalog.now();
    let mut tx = catalog.begin(tenant).await?;
    let queued = retry_with(&mut tx, tenant, id, now).await;
    conclude(tx, queued).await
}

async fn retry_with(connection: &mut Connection, tenant: &TenantId, id: JobId, now: Timestamp) -> Result<Job> {
    let job = jobs::hold(connection, tenant, id).await?;
    if job.state != JobState::Failed {
        let state = job.state.as_str();
        return Err(Fail::conflict(format!("only a failed job is tried again, and this one is {state}")));
    }
    match &job.kind {
        JobKind::Ingest { document, version } => versions::revive(connection, tenant, *document, *version).await?,
        JobKind::Refresh { document } => {
            check_document(connection, tenant, *document, |status| status != DocumentStatus::Deleting).await?;
        }
        JobKind::Delete { document } => {
            check_document(connection, tenant, *document, |status| status == DocumentStatus::Deleting).await?;
        }
        JobKind::DeleteCollection { collection } => check_doomed(connection, tenant, collection).await?,
        JobKind::Rebuild | JobKind::Reindex { .. } => {}
    }
    let row = sqlx::query(concat!(
        "UPDATE jobs SET seq = ",
        next_seq!(),
        ", state = 'queued', ready_at = $2, attempts = 0, cancel_requested = FALSE, finished_at = NULL, \
         revision = revision + 1 WHERE id = $1 RETURNING ",
        job_columns!()
    ))
    .bind(uuid_value(id.uuid()))
    .bind(now.as_millis())
    .fetch_one(connection)
    .await?;
    jobs::read(&row)
}

async fn check_document(
    connection: &mut Connection,
    tenant: &TenantId,
    document: DocumentId,
    fits: impl Fn(DocumentStatus) -> bool,
) -> Result<()> {
    match versions::of_document(connection, tenant, document).await? {
        Some(versions) if fits(versions.status) => Ok(()),
        _ => Err(Fail::conflict("the document is gone or is being deleted")),
    }
}

async fn check_doomed(connection: &mut Connection, tenant: &TenantId, collection: &CollectionName) -> Result<()> {
    match collections::is_doomed(connection, tenant, collection).await? {
        Some(true) => Ok(()),
        _ => Err(Fail::conflict(format!("the collection \"{collection}\" is not being deleted any more"))),
    }
}

pub(super) async fn prune(catalog: &Store, ended_before: Timestamp, limit: u32) -> Result<u64> {
    let pruned = sqlx::query(concat!(
        "DELETE FROM jobs WHERE id IN (SELECT id FROM jobs WHERE finished_at < $1 ORDER BY finished_at LIMIT $2",
        skip_locked!(),
        ")"
    ))
    .bind(ended_before.as_millis())
    .bind(i64::from(limit))
    .execute(catalog.writer())
    .await?;
    Ok(pruned.rows_affected())
}
