//! Jobs as users see them: enqueued, listed, asked to stop. What workers do with them is in `leases`.

use sensorium_domain::catalog::JobQuery;
use sensorium_domain::job::Progress;
use sensorium_domain::{CollectionName, DocumentId, Job, JobId, JobKind, JobState, TenantId, Timestamp};
use sqlx::QueryBuilder;

use super::dialect::{for_update, uuid_value};
use super::versions::{self, Abandoned};
use super::{Connection, Database, Row, Store, collections};
use crate::columns::Columns;
use crate::error::{Fail, Result, is_duplicate};

macro_rules! job_columns {
    () => {
        "id, kind, document, version, collection, state, revision, progress, parts, error, attempts, \
         cancel_requested, created_at, started_at, finished_at"
    };
}

pub(super) use job_columns;

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

/// Enqueues a job inside the caller's transaction. `collection` is that of the job's document.
pub(super) async fn insert(
    connection: &mut Connection,
    tenant: &TenantId,
    id: JobId,
    kind: &JobKind,
    collection: Option<&str>,
    now: Timestamp,
) -> Result<Job> {
    let version = match kind {
        JobKind::Ingest { version, .. } => Some(*version),
        JobKind::Reindex { generation } => Some(*generation),
        _ => None,
    };
    let inserted = sqlx::query(concat!(
        "INSERT INTO jobs (id, tenant, kind, document, version, collection, progress, ready_at, created_at) ",
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8) RETURNING ",
        job_columns!()
    ))
    .bind(uuid_value(id.uuid()))
    .bind(tenant.as_str())
    .bind(kind.as_str())
    .bind(kind.document().map(|document| uuid_value(document.uuid())))
    .bind(version.map(i64::from))
    .bind(collection)
    .bind(serde_json::to_string(&Progress::default())?)
    .bind(now.as_millis())
    .fetch_one(connection)
    .await;
    match inserted {
        Ok(row) => read(&row),
        Err(error) if is_duplicate(&error) => Err(Fail::conflict("a job with this id exists already")),
        Err(error) => Err(error.into()),
    }
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
    let job = insert(&mut tx, tenant, id, &kind, collection.as_deref(), catalog.now()).await?;
    tx.commit().await?;
    Ok(job)
}

pub(super) async fn get(catalog: &Store, tenant: &TenantId, id: JobId) -> Result<Job> {
    sqlx::query(concat!("SELECT ", job_columns!(), " FROM jobs WHERE id = $1 AND tenant = $2"))
        .bind(uuid_value(id.uuid()))
        .bind(tenant.as_str())
        .fetch_optional(catalog.reader())
        .await?
        .as_ref()
        .map_or_else(|| Err(Fail::not_found("job")), read)
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
    let job = hold(&mut tx, tenant, id).await?;
    if job.state.is_final() {
        return Err(Fail::conflict(format!("the job has {} already", job.state.as_str())));
    }
    if matches!(job.kind, JobKind::Delete { .. } | JobKind::DeleteCollection { .. }) {
        return Err(Fail::conflict("a deletion cannot be stopped"));
    }
    stop(&mut tx, tenant, &job, now).await?;
    let job = hold(&mut tx, tenant, id).await?;
    tx.commit().await?;
    Ok(job)
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

/// Whether an ingest of the tenant is under way: running, or to be tried again. It may count on vectors that no segment
/// uses yet.
pub(super) async fn ingest_under_way(connection: &mut Connection, tenant: &TenantId) -> Result<bool> {
    let row = sqlx::query(
        "SELECT EXISTS (SELECT 1 FROM jobs WHERE tenant = $1 AND finished_at IS NULL AND attempts > 0 \
         AND kind = 'ingest') \
         OR EXISTS (SELECT 1 FROM jobs WHERE finished_at IS NULL AND attempts > 0 AND kind = 'reindex') AS found",
    )
    .bind(tenant.as_str())
    .fetch_one(connection)
    .await?;
    row.flag("found")
}
