//! Jobs as users see them: enqueued, listed, asked to stop. What workers do with them is in `leases`.

use std::collections::HashMap;

use sensorium_domain::catalog::{JobQuery, Taker};
use sensorium_domain::job::Progress;
use sensorium_domain::{CollectionName, DocumentId, Job, JobId, JobKind, JobState, TenantId, Timestamp};
use sqlx::QueryBuilder;

use super::dialect::{among, for_update, uuid_list, uuid_value};
use super::versions::{self, Abandoned};
use super::{Connection, Database, ROWS, Row, Store, collections, conclude};
use crate::columns::Columns;
use crate::error::{Fail, Result, is_duplicate};
use crate::gathering::{Answers, Together, each};

macro_rules! job_columns {
    () => {
        "id, kind, document, version, collection, state, revision, progress, parts, error, attempts, \
         cancel_requested, created_at, started_at, finished_at"
    };
}

/// That an ingest of the tenant `$1` is under way: running, or to be tried again. It may count on vectors that no segment uses yet.
macro_rules! ingest_under_way {
    () => {
        "EXISTS (SELECT 1 FROM jobs WHERE tenant = $1 AND finished_at IS NULL AND attempts > 0 AND kind = 'ingest') \
         OR EXISTS (SELECT 1 FROM jobs WHERE finished_at IS NULL AND attempts > 0 AND kind = 'reindex')"
    };
}

pub(super) use {ingest_under_way, job_columns};

pub(super) fn read(row: &Row) -> Result<Job> {
    let state = row.word("state")?;
    let mut progress: Progress = row.json("progress")?;
    match state {
        JobState::Queued => "waiting".clone_into(&mut progress.stage),
        JobState::Succeeded => "done".clone_into(&mut progress.stage),
        JobState::Running | JobState::Failed | JobState::Cancelled => {}
    }
    Ok(Job {
        id: JobId::from_uuid(row.uuid("id")?),
        kind: read_kind(row)?,
        state,
        revision: row.count("revision")?,
        progress,
        parts: row.json("parts")?,
        error: row.maybe_text("error")?,
        attempts: row.count("attempts")?,
        cancel_requested: row.flag("cancel_requested")?,
        created_at: row.time("created_at")?,
        started_at: row.maybe_time("started_at")?,
        finished_at: row.maybe_time("finished_at")?,
    })
}

fn read_kind(row: &Row) -> Result<JobKind> {
    let document = || Ok::<_, Fail>(DocumentId::from_uuid(row.uuid("document")?));
    Ok(match row.text("kind")?.as_str() {
        "ingest" => JobKind::Ingest { document: document()?, version: row.count("version")? },
        "refresh" => JobKind::Refresh { document: document()? },
        "delete" => JobKind::Delete { document: document()? },
        "delete_collection" => JobKind::DeleteCollection { collection: row.word("collection")? },
        "rebuild" => JobKind::Rebuild,
        "reindex" => JobKind::Reindex { generation: row.count("version")? },
        other => return Err(Fail::corrupt("kind", other)),
    })
}

/// A job to enqueue. `collection` is that of the job's document.
pub(super) struct New<'a> {
    pub(super) id: JobId,
    pub(super) kind: JobKind,
    pub(super) collection: Option<&'a str>,
    /// Who takes it at once; else it waits.
    pub(super) taker: Option<&'a Taker>,
}

impl<'a> New<'a> {
    /// A job that waits for a worker.
    pub(super) fn waiting(id: JobId, kind: JobKind, collection: Option<&'a str>) -> Self {
        Self { id, kind, collection, taker: None }
    }
}

/// Enqueues a job inside the caller's transaction.
pub(super) async fn insert(
    connection: &mut Connection,
    tenant: &TenantId,
    new: New<'_>,
    now: Timestamp,
) -> Result<Job> {
    let mut inserted = insert_all(connection, tenant, &[new], now).await?;
    inserted.pop().ok_or_else(|| Fail::not_found("job"))
}

/// Enqueues jobs in their order inside the caller's transaction.
pub(super) async fn insert_all(
    connection: &mut Connection,
    tenant: &TenantId,
    new: &[New<'_>],
    now: Timestamp,
) -> Result<Vec<Job>> {
    let progress = serde_json::to_string(&Progress::default())?;
    let mut jobs = HashMap::with_capacity(new.len());
    for rows in new.chunks(ROWS) {
        let mut sql = QueryBuilder::<Database>::new(
            "INSERT INTO jobs (id, tenant, kind, document, version, collection, progress, ready_at, created_at, \
             state, worker, attempts, started_at) ",
        );
        sql.push_values(rows, |mut row, New { id, kind, collection, taker }| {
            let version = match kind {
                JobKind::Ingest { version, .. } => Some(*version),
                JobKind::Reindex { generation } => Some(*generation),
                _ => None,
            };
            row.push_bind(uuid_value(id.uuid()))
                .push_bind(tenant.as_str())
                .push_bind(kind.as_str())
                .push_bind(kind.document().map(|document| uuid_value(document.uuid())))
                .push_bind(version.map(i64::from))
                .push_bind(*collection)
                .push_bind(progress.as_str())
                .push_bind(taker.map_or(now, |taker| now.plus_ms(taker.lease_ms)).as_millis())
                .push_bind(now.as_millis())
                .push_bind(if taker.is_some() { JobState::Running } else { JobState::Queued }.as_str())
                .push_bind(taker.map(|taker| taker.worker.as_str()))
                .push_bind(i64::from(taker.is_some()))
                .push_bind(taker.map(|_| now.as_millis()));
        });
        sql.push(concat!(" RETURNING ", job_columns!()));
        let inserted = sql.build().persistent(rows.len() == 1).fetch_all(&mut *connection).await;
        let inserted = inserted.map_err(|error| {
            if is_duplicate(&error) { Fail::conflict("a job with this id exists already") } else { error.into() }
        })?;
        for row in &inserted {
            let job = read(row)?;
            jobs.insert(job.id, job);
        }
    }
    Ok(new.iter().filter_map(|new| jobs.remove(&new.id)).collect())
}

pub(super) async fn enqueue(catalog: &Store, tenant: &TenantId, id: JobId, kind: JobKind) -> Result<Job> {
    let mut tx = catalog.begin(tenant).await?;
    let collection = match (&kind, kind.document()) {
        (_, Some(document)) => Some(collections::of_document(&mut tx, tenant, document).await?),
        (JobKind::DeleteCollection { collection }, None) => {
            if collections::is_doomed(&mut tx, tenant, collection).await?.is_none() {
                return Err(Fail::not_found("collection"));
            }
            Some(collection.to_string())
        }
        _ => None,
    };
    let job = insert(&mut tx, tenant, New::waiting(id, kind, collection.as_deref()), catalog.now()).await?;
    tx.commit().await?;
    Ok(job)
}

/// A job.
pub(super) struct Get(pub(super) JobId);

impl Together for Get {
    type Store = Store;
    type Lane = TenantId;
    type Answer = Job;

    async fn run(catalog: &Store, tenant: &TenantId, calls: &[Self]) -> Answers<Job> {
        // `tenant || ''` keeps the planner from walking over all of the tenant's jobs.
        let found = sqlx::query(concat!(
            "SELECT ",
            job_columns!(),
            " FROM jobs WHERE ",
            among!("id", "$1"),
            " AND tenant || '' = $2"
        ))
        .bind(uuid_list(calls.iter().map(|call| call.0.uuid())))
        .bind(tenant.as_str())
        .fetch_all(catalog.reader_by_key())
        .await?
        .iter()
        .map(|row| read(row).map(|job| (job.id, job)))
        .collect::<Result<HashMap<_, _>>>()?;
        let answer = |call: &Self| found.get(&call.0).cloned().ok_or_else(|| Fail::not_found("job"));
        Ok(each(calls, answer))
    }
}

/// A job that no worker takes or ends until the transaction is over.
pub(super) async fn hold(connection: &mut Connection, tenant: &TenantId, id: JobId) -> Result<Job> {
    sqlx::query(concat!("SELECT ", job_columns!(), " FROM jobs WHERE id = $1 AND tenant = $2", for_update!()))
        .bind(uuid_value(id.uuid()))
        .bind(tenant.as_str())
        .fetch_optional(connection)
        .await?
        .as_ref()
        .map_or_else(|| Err(Fail::not_found("job")), read)
}

pub(super) async fn list(catalog: &Store, tenant: &TenantId, query: &JobQuery) -> Result<Vec<Job>> {
    let mut sql = QueryBuilder::<Database>::new(concat!("SELECT ", job_columns!(), " FROM jobs WHERE tenant = "));
    sql.push_bind(tenant.as_str());
    if let Some(state) = query.state {
        sql.push(" AND state = ").push_bind(state.as_str());
    }
    if let Some(kind) = &query.kind {
        sql.push(" AND kind = ").push_bind(kind.as_str());
    }
    if let Some(document) = query.document {
        sql.push(" AND document = ").push_bind(uuid_value(document.uuid()));
    }
    if let Some(before) = query.before {
        sql.push(" AND id < ").push_bind(uuid_value(before.uuid()));
    }
    sql.push(" ORDER BY id DESC LIMIT ").push_bind(i64::from(query.limit));
    sql.build().fetch_all(catalog.reader()).await?.iter().map(read).collect()
}

/// Deletions are not stopped: half a deletion would leave things that are neither there nor gone.
pub(super) async fn cancel(catalog: &Store, tenant: &TenantId, id: JobId) -> Result<Job> {
    let now = catalog.now();
    let mut tx = catalog.begin(tenant).await?;
    let stopped = cancel_with(&mut tx, tenant, id, now).await;
    conclude(tx, stopped).await
}

async fn cancel_with(connection: &mut Connection, tenant: &TenantId, id: JobId, now: Timestamp) -> Result<Job> {
    let job = hold(connection, tenant, id).await?;
    if job.state.is_final() {
        return Err(Fail::conflict(format!("the job has {} already", job.state.as_str())));
    }
    if matches!(job.kind, JobKind::Delete { .. } | JobKind::DeleteCollection { .. }) {
        return Err(Fail::conflict("a deletion cannot be stopped"));
    }
    stop(connection, tenant, &job, now).await?;
    hold(connection, tenant, id).await
}

/// Cancels a queued job at once and asks a running one to stop.
async fn stop(connection: &mut Connection, tenant: &TenantId, job: &Job, now: Timestamp) -> Result<()> {
    if job.state == JobState::Running {
        sqlx::query(
            "UPDATE jobs SET cancel_requested = TRUE, revision = revision + 1 WHERE id = $1 AND NOT cancel_requested",
        )
        .bind(uuid_value(job.id.uuid()))
        .execute(connection)
        .await?;
        return Ok(());
    }
    sqlx::query(
        "UPDATE jobs SET state = 'cancelled', cancel_requested = TRUE, finished_at = $2, revision = revision + 1 \
         WHERE id = $1",
    )
    .bind(uuid_value(job.id.uuid()))
    .bind(now.as_millis())
    .execute(&mut *connection)
    .await?;
    versions::abandon(connection, tenant, &job.kind, &Abandoned::Cancelled).await
}

/// Which open jobs of a document are asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// Ingests: a newer version takes their place.
    Ingests,
    /// All but deletions.
    All,
}

pub(super) async fn stop_jobs_of_document(
    connection: &mut Connection,
    tenant: &TenantId,
    document: DocumentId,
    now: Timestamp,
    which: Stop,
) -> Result<()> {
    let open = sqlx::query(concat!(
        "SELECT ",
        job_columns!(),
        " FROM jobs WHERE finished_at IS NULL AND document = $1 AND kind <> 'delete' ORDER BY seq",
        for_update!()
    ))
    .bind(uuid_value(document.uuid()))
    .fetch_all(&mut *connection)
    .await?;
    for row in &open {
        let job = read(row)?;
        if which == Stop::All || matches!(job.kind, JobKind::Ingest { .. }) {
            stop(connection, tenant, &job, now).await?;
        }
    }
    Ok(())
}

/// Stops the open jobs of a collection's documents, which are all being deleted: none needs to be settled.
pub(super) async fn stop_jobs_of_collection(
    connection: &mut Connection,
    tenant: &TenantId,
    collection: &CollectionName,
    now: Timestamp,
) -> Result<()> {
    sqlx::query(
        "UPDATE jobs SET cancel_requested = TRUE, revision = revision + 1, \
         finished_at = CASE state WHEN 'queued' THEN CAST($3 AS BIGINT) END, \
         state = CASE state WHEN 'queued' THEN 'cancelled' ELSE state END \
         WHERE finished_at IS NULL AND tenant = $1 AND collection = $2 AND kind IN ('ingest', 'refresh')",
    )
    .bind(tenant.as_str())
    .bind(collection.as_str())
    .bind(now.as_millis())
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn open_deletion_of_document(
    connection: &mut Connection,
    tenant: &TenantId,
    document: DocumentId,
) -> Result<Option<Job>> {
    sqlx::query(concat!(
        "SELECT ",
        job_columns!(),
        " FROM jobs WHERE finished_at IS NULL AND document = $1 AND tenant = $2 AND kind = 'delete' LIMIT 1"
    ))
    .bind(uuid_value(document.uuid()))
    .bind(tenant.as_str())
    .fetch_optional(connection)
    .await?
    .as_ref()
    .map(read)
    .transpose()
}

pub(super) async fn open_deletion_of_collection(
    connection: &mut Connection,
    tenant: &TenantId,
    collection: &CollectionName,
) -> Result<Option<Job>> {
    sqlx::query(concat!(
        "SELECT ",
        job_columns!(),
        " FROM jobs WHERE finished_at IS NULL AND tenant = $1 AND collection = $2 AND kind = 'delete_collection' LIMIT 1"
    ))
    .bind(tenant.as_str())
    .bind(collection.as_str())
    .fetch_optional(connection)
    .await?
    .as_ref()
    .map(read)
    .transpose()
}

/// Whether [`ingest_under_way!`].
pub(super) async fn is_ingest_under_way(connection: &mut Connection, tenant: &TenantId) -> Result<bool> {
    let sql = concat!("SELECT ", ingest_under_way!(), " AS found");
    sqlx::query(sql).bind(tenant.as_str()).fetch_one(connection).await?.flag("found")
}
