//! Jobs as workers see them: taken under a lease, kept alive, ended.

use std::collections::HashMap;
use std::sync::Arc;

use sensorium_domain::catalog::{JobEnd, Lease, LeaseState};
use sensorium_domain::job::{PartResult, Progress};
use sensorium_domain::{Job, JobId, JobKind, JobState, TenantId, Timestamp};
use serde_json::Value;

use super::dialect::{among, for_update_by, row_uuid, rows_of, skip_locked, uuid_list, uuid_value};
use super::generations::MayTake;
use super::jobs::{self, job_columns};
use super::versions::{self, Abandoned};
use super::{Connection, Row, Store, conclude, documents, generations, vectors};
use crate::columns::Columns;
use crate::error::{Fail, Result};

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

/// The tenants that have a job to give: the one with the fewest running first, then the one whose job waits longest. They
/// are found by hopping over the index, so the cost grows with the tenants that wait and not with their jobs.
const WAITING: &str = concat!(
    "WITH RECURSIVE tenants (tenant) AS ( \
       SELECT min(tenant) FROM jobs WHERE finished_at IS NULL \
       UNION ALL \
       SELECT (SELECT min(o.tenant) FROM jobs o WHERE o.finished_at IS NULL AND o.tenant > t.tenant) \
       FROM tenants t WHERE t.tenant IS NOT NULL \
     ), heads (tenant, running, seq) AS MATERIALIZED ( \
       SELECT t.tenant, \
              (SELECT count(*) FROM jobs r WHERE r.finished_at IS NULL AND r.attempts > 0 \
                AND r.tenant = t.tenant AND r.state = 'running' AND r.ready_at > $1), \
              (SELECT j.seq FROM jobs j \
               WHERE j.finished_at IS NULL AND j.tenant = t.tenant AND j.ready_at <= $1 AND ",
    unblocked!(),
    "          ORDER BY j.seq LIMIT 1) \
       FROM tenants t WHERE t.tenant IS NOT NULL \
     ) \
     SELECT tenant FROM heads WHERE seq IS NOT NULL ORDER BY running, seq LIMIT 100"
);

/// Takes the tenant's first jobs that may run and that nobody else is about to take.
const TAKE: &str = concat!(
    "UPDATE jobs SET state = 'running', worker = $3, ready_at = $4, attempts = attempts + 1, \
     started_at = coalesce(started_at, $2), revision = revision + 1 WHERE id IN (SELECT j.id FROM jobs j \
     WHERE j.finished_at IS NULL AND j.tenant = $1 AND j.ready_at <= $2 AND ",
    unblocked!(),
    " ORDER BY j.seq LIMIT $5",
    skip_locked!(),
    ") RETURNING ",
    job_columns!()
);

/// The same of a reindex whose worker has died, which all other jobs wait for.
const TAKE_REINDEX: &str = concat!(
    "UPDATE jobs SET state = 'running', worker = $2, ready_at = $3, attempts = attempts + 1, \
     started_at = coalesce(started_at, $1), revision = revision + 1 WHERE id = (SELECT j.id FROM jobs j \
     WHERE j.finished_at IS NULL AND j.kind = 'reindex' AND j.ready_at <= $1 ORDER BY j.ready_at LIMIT 1",
    skip_locked!(),
    ") RETURNING tenant, ",
    job_columns!()
);

pub(super) async fn lease(catalog: &Store, worker: &str, lease_ms: i64, most: u32) -> Result<Vec<Lease>> {
    let now = catalog.now();
    let until = now.plus_ms(lease_ms);
    let waiting = sqlx::query(WAITING).bind(now.as_millis()).fetch_all(catalog.reader_by_key()).await?;
    let mut leases: Vec<Lease> = Vec::new();
    for (index, row) in waiting.iter().enumerate() {
        // What is left is shared among the tenants that are left.
        let left = (most as usize).saturating_sub(leases.len());
        if left == 0 {
            break;
        }
        let share = left.div_ceil(waiting.len() - index);
        let tenant: TenantId = row.word("tenant")?;
        let mut tx = catalog.begin_lease(&tenant).await?;
        let taken = match generations::may_take(catalog, &mut tx).await? {
            MayTake::All => {
                sqlx::query(TAKE)
                    .bind(tenant.as_str())
                    .bind(now.as_millis())
                    .bind(worker)
                    .bind(until.as_millis())
                    .bind(share as i64)
                    .fetch_all(&mut *tx)
                    .await?
            }
            MayTake::Reindexes => {
                let taken = sqlx::query(TAKE_REINDEX)
                    .bind(now.as_millis())
                    .bind(worker)
                    .bind(until.as_millis())
                    .fetch_optional(&mut *tx)
                    .await?;
                tx.commit().await?;
                return taken.iter().map(|row| leased(row, row.word("tenant")?, worker)).collect();
            }
            MayTake::None => break,
        };
        tx.commit().await?;
        let mut taken = taken.iter().map(|row| leased(row, tenant.clone(), worker)).collect::<Result<Vec<_>>>()?;
        taken.sort_unstable_by_key(|lease| lease.job.id);
        // The jobs are taken: whoever gets one without its input reads it for himself.
        let _ = bring_inputs(catalog, &tenant, &mut taken).await;
        leases.append(&mut taken);
    }
    Ok(leases)
}

/// Brings along what ingests work on.
async fn bring_inputs(catalog: &Store, tenant: &TenantId, leases: &mut [Lease]) -> Result<()> {
    let (ingests, wanted): (Vec<_>, Vec<_>) = leases
        .iter_mut()
        .filter_map(|lease| match lease.job.kind {
            JobKind::Ingest { document, version } => Some((lease, (document, version))),
            _ => None,
        })
        .unzip();
    if wanted.is_empty() {
        return Ok(());
    }
    for (lease, input) in ingests.into_iter().zip(documents::ingest_inputs(catalog, tenant, &wanted).await?) {
        lease.input = input.map(Arc::new);
    }
    Ok(())
}

fn leased(row: &Row, tenant: TenantId, worker: &str) -> Result<Lease> {
    Ok(Lease { tenant, job: jobs::read(row)?, worker: worker.to_owned(), input: None })
}

pub(super) async fn heartbeat(catalog: &Store, lease: &Lease, lease_ms: i64) -> Result<LeaseState> {
    let row = sqlx::query(
        "UPDATE jobs SET ready_at = $5 \
         WHERE id = $1 AND tenant = $2 AND state = 'running' AND worker = $3 AND attempts = $4 \
         RETURNING cancel_requested",
    )
    .bind(uuid_value(lease.job.id.uuid()))
    .bind(lease.tenant.as_str())
    .bind(lease.worker.as_str())
    .bind(i64::from(lease.job.attempts))
    .bind(catalog.now().plus_ms(lease_ms).as_millis())
    .fetch_optional(catalog.writer())
    .await?
    .ok_or_else(Fail::lease_lost)?;
    Ok(if row.flag("cancel_requested")? { LeaseState::CancelRequested } else { LeaseState::Held })
}

pub(super) async fn progress(catalog: &Store, lease: &Lease, progress: &Progress) -> Result<()> {
    let changed = sqlx::query(
        "UPDATE jobs SET progress = $5, revision = revision + CASE WHEN progress <> $5 THEN 1 ELSE 0 END \
         WHERE id = $1 AND tenant = $2 AND state = 'running' AND worker = $3 AND attempts = $4",
    )
    .bind(uuid_value(lease.job.id.uuid()))
    .bind(lease.tenant.as_str())
    .bind(lease.worker.as_str())
    .bind(i64::from(lease.job.attempts))
    .bind(serde_json::to_string(progress)?)
    .execute(catalog.writer())
    .await?;
    if changed.rows_affected() == 0 { Err(Fail::lease_lost()) } else { Ok(()) }
}

/// Whether the worker still has the job; and whether somebody has asked for it to stop. A lease that has expired is held
/// as long as nobody else has taken the job.
pub(super) async fn check_held(connection: &mut Connection, lease: &Lease) -> Result<LeaseState> {
    held(connection, &lease.tenant, [lease]).await?.states.pop().flatten().ok_or_else(Fail::lease_lost)
}

/// What a tenant's workers still have.
pub(super) struct Held {
    /// The state of each lease; none of one that is lost.
    pub(super) states: Vec<Option<LeaseState>>,
    /// Whether the tenant has vectors that may go.
    pub(super) has_candidates: bool,
}

/// The same of a tenant's leases. The jobs stay as they are until the transaction ends.
pub(super) async fn held<'a>(
    connection: &mut Connection,
    tenant: &TenantId,
    leases: impl IntoIterator<Item = &'a Lease>,
) -> Result<Held> {
    let leases: Vec<_> = leases.into_iter().collect();
    let rows = sqlx::query(concat!(
        "SELECT id, worker, attempts, cancel_requested, \
         EXISTS (SELECT 1 FROM vector_candidates c WHERE c.tenant = $2) AS candidates FROM jobs WHERE ",
        among!("id", "$1"),
        " AND tenant || '' = $2 AND state = 'running'",
        for_update_by!("id")
    ))
    .bind(uuid_list(leases.iter().map(|lease| lease.job.id.uuid())))
    .bind(tenant.as_str())
    .fetch_all(connection)
    .await?;
    let has_candidates = rows.first().map(|row| row.flag("candidates")).transpose()?.unwrap_or(false);
    let running = rows
        .iter()
        .map(|row| {
            let state = if row.flag("cancel_requested")? { LeaseState::CancelRequested } else { LeaseState::Held };
            Ok((row.uuid("id")?, (row.text("worker")?, row.count::<u32>("attempts")?, state)))
        })
        .collect::<Result<HashMap<_, _>>>()?;
    let state = |lease: &Lease| {
        let (worker, attempts, state) = running.get(&lease.job.id.uuid())?;
        (*worker == lease.worker && *attempts == lease.job.attempts).then_some(*state)
    };
    Ok(Held { states: leases.into_iter().map(state).collect(), has_candidates })
}

/// The same of a worker that ends its job well, which it may not for a generation that is live no more.
pub(super) async fn check_may_finish(catalog: &Store, connection: &mut Connection, lease: &Lease) -> Result<()> {
    check_held(connection, lease).await?;
    generations::check_current(catalog, connection, lease).await
}

pub(super) async fn end(catalog: &Store, lease: &Lease, end: JobEnd) -> Result<()> {
    let now = catalog.now();
    let mut tx = catalog.begin(&lease.tenant).await?;
    let ended = end_with(catalog, &mut tx, lease, end, now).await;
    conclude(tx, ended).await
}

async fn end_with(
    catalog: &Store,
    connection: &mut Connection,
    lease: &Lease,
    end: JobEnd,
    now: Timestamp,
) -> Result<()> {
    let asked = check_held(connection, lease).await?;
    match end {
        JobEnd::Succeeded { parts } => {
            generations::check_current(catalog, connection, lease).await?;
            close(connection, lease, JobState::Succeeded, &parts, None, now).await?;
        }
        JobEnd::Failed { error } => {
            close(connection, lease, JobState::Failed, &[], Some(&error), now).await?;
            versions::abandon(connection, &lease.tenant, &lease.job.kind, &Abandoned::Failed(error)).await?;
        }
        JobEnd::Retry { error, at } if asked == LeaseState::Held || !is_stoppable(lease) => {
            requeue(connection, lease, at, Some(&error), 0).await?;
        }
        JobEnd::Cancelled | JobEnd::Retry { .. } => cancel(connection, lease, now).await?,
    }
    generations::release_jobs(connection, lease).await?;
    vectors::sweep(connection, &lease.tenant).await
}

pub(super) async fn release(catalog: &Store, lease: &Lease) -> Result<()> {
    let now = catalog.now();
    let mut tx = catalog.begin(&lease.tenant).await?;
    let released = release_with(&mut tx, lease, now).await;
    conclude(tx, released).await
}

async fn release_with(connection: &mut Connection, lease: &Lease, now: Timestamp) -> Result<()> {
    let asked = check_held(connection, lease).await?;
    if asked == LeaseState::Held || !is_stoppable(lease) {
        requeue(connection, lease, now, None, 1).await?;
    } else {
        cancel(connection, lease, now).await?;
    }
    generations::release_jobs(connection, lease).await
}

fn is_stoppable(lease: &Lease) -> bool {
    use sensorium_domain::JobKind::{Delete, DeleteCollection};
    !matches!(lease.job.kind, Delete { .. } | DeleteCollection { .. })
}

async fn cancel(connection: &mut Connection, lease: &Lease, now: Timestamp) -> Result<()> {
    close(connection, lease, JobState::Cancelled, &[], None, now).await?;
    versions::abandon(connection, &lease.tenant, &lease.job.kind, &Abandoned::Cancelled).await
}

/// Queues a job again, with `uncounted` attempts less.
async fn requeue(
    connection: &mut Connection,
    lease: &Lease,
    at: Timestamp,
    error: Option<&str>,
    uncounted: u32,
) -> Result<()> {
    sqlx::query(
        "UPDATE jobs SET state = 'queued', worker = NULL, ready_at = $2, error = coalesce($3, error), \
         attempts = attempts - $4, revision = revision + 1 \
         WHERE id = $1",
    )
    .bind(uuid_value(lease.job.id.uuid()))
    .bind(at.as_millis())
    .bind(error)
    .bind(i64::from(uncounted))
    .execute(connection)
    .await?;
    Ok(())
}

/// Brings a job to a final state.
pub(super) async fn close(
    connection: &mut Connection,
    lease: &Lease,
    state: JobState,
    parts: &[PartResult],
    error: Option<&str>,
    now: Timestamp,
) -> Result<()> {
    sqlx::query(
        "UPDATE jobs SET state = $2, worker = NULL, parts = $3, error = $4, finished_at = $5, \
         revision = revision + 1 WHERE id = $1",
    )
    .bind(uuid_value(lease.job.id.uuid()))
    .bind(state.as_str())
    .bind(serde_json::to_string(parts)?)
    .bind(error)
    .bind(now.as_millis())
    .execute(connection)
    .await?;
    Ok(())
}

/// Brings jobs to their good end; each row has the `id` of one, the results of its `parts` and its last `progress`. The answer is the jobs as they are
/// then.
pub(super) async fn succeed(
    connection: &mut Connection,
    results: &[Value],
    now: Timestamp,
) -> Result<HashMap<JobId, Job>> {
    let rows = sqlx::query(concat!(
        "UPDATE jobs SET state = 'succeeded', worker = NULL, parts = r.value->>'parts', \
         progress = r.value->>'progress', error = NULL, finished_at = $2, \
         revision = revision + 1 FROM ",
        rows_of!("$1"),
        " WHERE jobs.id = ",
        row_uuid!("id"),
        " RETURNING ",
        job_columns!()
    ))
    .bind(serde_json::to_string(results)?)
    .bind(now.as_millis())
    .fetch_all(connection)
    .await?;
    rows.iter().map(|row| jobs::read(row).map(|job| (job.id, job))).collect()
}

/// The earliest moment at which a job that nothing blocks may be taken.
const NEXT_AT: &str = concat!(
    "SELECT ready_at FROM jobs j WHERE j.finished_at IS NULL AND ",
    unblocked!(),
    " ORDER BY j.ready_at LIMIT 1"
);

pub(super) async fn open(catalog: &Store) -> Result<Vec<(JobState, u64)>> {
    let mut open = Vec::new();
    for state in [JobState::Queued, JobState::Running] {
        let row = sqlx::query("SELECT count(*) AS jobs FROM jobs WHERE state = $1 AND finished_at IS NULL")
            .bind(state.as_str())
            .fetch_one(catalog.reader())
            .await?;
        open.push((state, row.count("jobs")?));
    }
    open.retain(|(_, jobs)| *jobs > 0);
    Ok(open)
}

pub(super) async fn next_at(catalog: &Store) -> Result<Option<Timestamp>> {
    let row = sqlx::query(NEXT_AT).fetch_optional(catalog.reader_by_key()).await?;
    row.map(|row| row.time("ready_at")).transpose()
}
