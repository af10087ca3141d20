//! Jobs as workers see them: taken under a lease, kept alive, ended.

use sensorium_domain::catalog::{JobEnd, Lease, LeaseState};
use sensorium_domain::job::{PartResult, Progress};
use sensorium_domain::{JobState, Timestamp};
use sqlx::SqliteConnection;

use super::error::{Fail, Result};
use super::jobs::{self, job_columns};
use super::rows::{Columns, blob};
use super::versions::{self, Abandoned};
use super::{SqliteCatalog, vectors};

/// That no job before `j` stands in its way: jobs of one document run one by one in the order in which they were enqueued,
/// and the deletion of a collection waits for the jobs of its documents.
macro_rules! unblocked {
    () => {
        "NOT EXISTS (SELECT 1 FROM jobs e \
           WHERE e.finished_at IS NULL AND e.document = j.document AND e.seq < j.seq) \
         AND (j.kind <> 'delete_collection' OR NOT EXISTS (SELECT 1 FROM jobs e \
           WHERE e.finished_at IS NULL AND e.tenant = j.tenant AND e.collection = j.collection AND e.seq < j.seq))"
    };
}

/// The next job: each tenant's first that may run, then of these the one whose tenant has the fewest running. The
/// tenants are found by hopping over the index, so the cost grows with the tenants that wait and not with their jobs.
pub(super) const NEXT: &str = concat!(
    "WITH RECURSIVE tenants (tenant) AS ( \
       SELECT min(tenant) FROM jobs WHERE finished_at IS NULL \
       UNION ALL \
       SELECT (SELECT min(o.tenant) FROM jobs o WHERE o.finished_at IS NULL AND o.tenant > t.tenant) \
       FROM tenants t WHERE t.tenant IS NOT NULL \
     ), heads (running, seq) AS ( \
       SELECT (SELECT count(*) FROM jobs r WHERE r.finished_at IS NULL AND r.attempts > 0 \
                AND r.tenant = t.tenant AND r.state = 'running' AND r.ready_at > ?1), \
              (SELECT j.seq FROM jobs j \
               WHERE j.finished_at IS NULL AND j.tenant = t.tenant AND j.ready_at <= ?1 AND ",
    unblocked!(),
    "          ORDER BY j.seq LIMIT 1) \
       FROM tenants t WHERE t.tenant IS NOT NULL \
     ) \
     SELECT seq FROM heads WHERE seq IS NOT NULL ORDER BY running, seq LIMIT 1"
);

pub(super) async fn lease(catalog: &SqliteCatalog, worker: &str, lease_ms: i64) -> Result<Option<Lease>> {
    let now = catalog.now();
    let mut tx = catalog.begin().await?;
    let Some(next) = sqlx::query(NEXT).bind(now.as_millis()).fetch_optional(&mut *tx).await? else {
        return Ok(None);
    };
    let row = sqlx::query(concat!(
        "UPDATE jobs SET state = 'running', worker = ?2, ready_at = ?3, attempts = attempts + 1, \
         started_at = coalesce(started_at, ?4), revision = revision + 1 WHERE seq = ?1 RETURNING tenant, ",
        job_columns!()
    ))
    .bind(next.int("seq")?)
    .bind(worker)
    .bind(now.plus_ms(lease_ms).as_millis())
    .bind(now.as_millis())
    .fetch_one(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(Some(Lease { tenant: row.word("tenant")?, job: jobs::read(&row)?, worker: worker.to_owned() }))
}

pub(super) async fn heartbeat(catalog: &SqliteCatalog, lease: &Lease, lease_ms: i64) -> Result<LeaseState> {
    let row = sqlx::query(
        "UPDATE jobs SET ready_at = ?5 \
         WHERE id = ?1 AND tenant = ?2 AND state = 'running' AND worker = ?3 AND attempts = ?4 \
         RETURNING cancel_requested",
    )
    .bind(blob(lease.job.id.uuid()))
    .bind(lease.tenant.as_str())
    .bind(lease.worker.as_str())
    .bind(lease.job.attempts)
    .bind(catalog.now().plus_ms(lease_ms).as_millis())
    .fetch_optional(&catalog.writer)
    .await?
    .ok_or_else(Fail::lease_lost)?;
    Ok(if row.flag("cancel_requested")? { LeaseState::CancelRequested } else { LeaseState::Held })
}

pub(super) async fn progress(catalog: &SqliteCatalog, lease: &Lease, progress: &Progress) -> Result<()> {
    let changed = sqlx::query(
        "UPDATE jobs SET progress = ?5, revision = revision + (progress <> ?5) \
         WHERE id = ?1 AND tenant = ?2 AND state = 'running' AND worker = ?3 AND attempts = ?4",
    )
    .bind(blob(lease.job.id.uuid()))
    .bind(lease.tenant.as_str())
    .bind(lease.worker.as_str())
    .bind(lease.job.attempts)
    .bind(serde_json::to_string(progress)?)
    .execute(&catalog.writer)
    .await?;
    if changed.rows_affected() == 0 { Err(Fail::lease_lost()) } else { Ok(()) }
}

/// Whether the worker still has the job; and whether somebody has asked for it to stop. A lease that has expired is held
/// as long as nobody else has taken the job.
pub(super) async fn check_held(connection: &mut SqliteConnection, lease: &Lease) -> Result<LeaseState> {
    let row = sqlx::query(
        "SELECT cancel_requested FROM jobs \
         WHERE id = ?1 AND tenant = ?2 AND state = 'running' AND worker = ?3 AND attempts = ?4",
    )
    .bind(blob(lease.job.id.uuid()))
    .bind(lease.tenant.as_str())
    .bind(lease.worker.as_str())
    .bind(lease.job.attempts)
    .fetch_optional(connection)
    .await?
    .ok_or_else(Fail::lease_lost)?;
    Ok(if row.flag("cancel_requested")? { LeaseState::CancelRequested } else { LeaseState::Held })
}

pub(super) async fn end(catalog: &SqliteCatalog, lease: &Lease, end: JobEnd) -> Result<()> {
    let now = catalog.now();
    let mut tx = catalog.begin().await?;
    let asked = check_held(&mut tx, lease).await?;
    match end {
        JobEnd::Succeeded { parts } => {
            close(&mut tx, lease, JobState::Succeeded, &parts, None, now).await?;
        }
        JobEnd::Failed { error } => {
            close(&mut tx, lease, JobState::Failed, &[], Some(&error), now).await?;
            versions::abandon(&mut tx, &lease.tenant, &lease.job.kind, &Abandoned::Failed(error)).await?;
        }
        JobEnd::Retry { error, at } if asked == LeaseState::Held || !is_stoppable(lease) => {
            requeue(&mut tx, lease, at, Some(&error), 0).await?;
        }
        JobEnd::Cancelled | JobEnd::Retry { .. } => cancel(&mut tx, lease, now).await?,
    }
    vectors::sweep(&mut tx, &lease.tenant).await?;
    tx.commit().await?;
    Ok(())
}

pub(super) async fn release(catalog: &SqliteCatalog, lease: &Lease) -> Result<()> {
    let now = catalog.now();
    let mut tx = catalog.begin().await?;
    let asked = check_held(&mut tx, lease).await?;
    if asked == LeaseState::Held || !is_stoppable(lease) {
        requeue(&mut tx, lease, now, None, 1).await?;
    } else {
        cancel(&mut tx, lease, now).await?;
    }
    tx.commit().await?;
    Ok(())
}

fn is_stoppable(lease: &Lease) -> bool {
    use sensorium_domain::JobKind::{Delete, DeleteCollection};
    !matches!(lease.job.kind, Delete { .. } | DeleteCollection { .. })
}

async fn cancel(connection: &mut SqliteConnection, lease: &Lease, now: Timestamp) -> Result<()> {
    close(connection, lease, JobState::Cancelled, &[], None, now).await?;
    versions::abandon(connection, &lease.tenant, &lease.job.kind, &Abandoned::Cancelled).await
}

/// Queues a job again, with `uncounted` attempts less.
async fn requeue(
    connection: &mut SqliteConnection,
    lease: &Lease,
    at: Timestamp,
    error: Option<&str>,
    uncounted: u32,
) -> Result<()> {
    sqlx::query(
        "UPDATE jobs SET state = 'queued', worker = NULL, ready_at = ?2, error = coalesce(?3, error), \
         attempts = attempts - ?4, progress = json_set(progress, '$.stage', 'waiting'), revision = revision + 1 \
         WHERE id = ?1",
    )
    .bind(blob(lease.job.id.uuid()))
    .bind(at.as_millis())
    .bind(error)
    .bind(uncounted)
    .execute(connection)
    .await?;
    Ok(())
}

/// Brings a job to a final state.
pub(super) async fn close(
    connection: &mut SqliteConnection,
    lease: &Lease,
    state: JobState,
    parts: &[PartResult],
    error: Option<&str>,
    now: Timestamp,
) -> Result<()> {
    sqlx::query(
        "UPDATE jobs SET state = ?2, worker = NULL, parts = ?3, error = ?4, finished_at = ?5, \
         progress = CASE ?2 WHEN 'succeeded' THEN json_set(progress, '$.stage', 'done') ELSE progress END, \
         revision = revision + 1 WHERE id = ?1",
    )
    .bind(blob(lease.job.id.uuid()))
    .bind(state.as_str())
    .bind(serde_json::to_string(parts)?)
    .bind(error)
    .bind(now.as_millis())
    .execute(connection)
    .await?;
    Ok(())
}

/// The earliest moment at which a job that nothing blocks may be taken.
pub(super) const NEXT_AT: &str = concat!(
    "SELECT ready_at FROM jobs j WHERE j.finished_at IS NULL AND ",
    unblocked!(),
    " ORDER BY j.ready_at LIMIT 1"
);

pub(super) async fn next_at(catalog: &SqliteCatalog) -> Result<Option<Timestamp>> {
    let row = sqlx::query(NEXT_AT).fetch_optional(&catalog.readers).await?;
    row.map(|row| row.time("ready_at")).transpose()
}
