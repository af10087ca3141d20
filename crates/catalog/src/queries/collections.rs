//! Collections.

use sensorium_domain::catalog::CollectionPatch;
use sensorium_domain::{Collection, CollectionName, Job, JobId, JobKind, TenantId};
use serde_json::{Map, Value};

use super::dialect::uuid_value;
use super::{Connection, Row, Store, jobs};
use crate::columns::Columns;
use crate::error::{Fail, Result, is_duplicate};
use crate::merge_patch::merge;

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT c.name, c.description, c.metadata, c.created_at, c.updated_at, ",
            "(SELECT count(*) FROM documents d WHERE d.tenant = c.tenant AND d.collection = c.name ",
            "AND d.status <> 'deleting') AS documents ",
            "FROM collections c WHERE c.tenant = $1 AND NOT c.deleting AND ",
            $tail
        )
    };
}

fn read(row: &Row) -> Result<Collection> {
    Ok(Collection {
        name: row.word("name")?,
        description: row.maybe_text("description")?,
        metadata: row.json("metadata")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
        documents: row.count("documents")?,
    })
}

pub(super) async fn create(
    catalog: &Store,
    tenant: &TenantId,
    name: &CollectionName,
    description: Option<String>,
    metadata: Map<String, Value>,
) -> Result<Collection> {
    let now = catalog.now();
    let inserted = sqlx::query(
        "INSERT INTO collections (tenant, name, description, metadata, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $5)",
    )
    .bind(tenant.as_str())
    .bind(name.as_str())
    .bind(description.as_deref())
    .bind(serde_json::to_string(&metadata)?)
    .bind(now.as_millis())
    .execute(catalog.writer())
    .await;
    match inserted {
        Ok(_) => {
            Ok(Collection { name: name.clone(), description, metadata, created_at: now, updated_at: now, documents: 0 })
        }
        Err(error) if is_duplicate(&error) => Err(Fail::conflict(format!("the collection \"{name}\" exists already"))),
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn get(catalog: &Store, tenant: &TenantId, name: &CollectionName) -> Result<Collection> {
    let mut reader = catalog.reader().acquire().await?;
    get_with(&mut reader, tenant, name).await
}

async fn get_with(connection: &mut Connection, tenant: &TenantId, name: &CollectionName) -> Result<Collection> {
    sqlx::query(select!("c.name = $2"))
        .bind(tenant.as_str())
        .bind(name.as_str())
        .fetch_optional(connection)
        .await?
        .as_ref()
        .map_or_else(|| Err(Fail::not_found("collection")), read)
}

pub(super) async fn list(
    catalog: &Store,
    tenant: &TenantId,
    after: Option<&CollectionName>,
    limit: u32,
) -> Result<Vec<Collection>> {
    sqlx::query(select!("c.name > $2 ORDER BY c.name LIMIT $3"))
        .bind(tenant.as_str())
        .bind(after.map_or("", CollectionName::as_str))
        .bind(i64::from(limit))
        .fetch_all(catalog.reader())
        .await?
        .iter()
        .map(read)
        .collect()
}

pub(super) async fn patch(
    catalog: &Store,
    tenant: &TenantId,
    name: &CollectionName,
    patch: CollectionPatch,
) -> Result<Collection> {
    let mut tx = catalog.begin(tenant).await?;
    let mut collection = get_with(&mut tx, tenant, name).await?;
    if let Some(description) = patch.description {
        collection.description = description;
    }
    if let Some(changes) = patch.metadata {
        merge(&mut collection.metadata, changes);
    }
    collection.updated_at = catalog.now();
    sqlx::query(
        "UPDATE collections SET description = $3, metadata = $4, updated_at = $5 WHERE tenant = $1 AND name = $2",
    )
    .bind(tenant.as_str())
    .bind(name.as_str())
    .bind(collection.description.as_deref())
    .bind(serde_json::to_string(&collection.metadata)?)
    .bind(collection.updated_at.as_millis())
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(collection)
}

/// Makes the collection if it is not there. One that is being deleted is a conflict.
pub(super) async fn ensure(
    catalog: &Store,
    connection: &mut Connection,
    tenant: &TenantId,
    name: &CollectionName,
) -> Result<()> {
    match is_doomed(connection, tenant, name).await? {
        Some(false) => Ok(()),
        Some(true) => Err(Fail::conflict(format!("the collection \"{name}\" is being deleted"))),
        None => {
            sqlx::query(
                "INSERT INTO collections (tenant, name, metadata, created_at, updated_at) \
                 VALUES ($1, $2, '{}', $3, $3) ON CONFLICT DO NOTHING",
            )
            .bind(tenant.as_str())
            .bind(name.as_str())
            .bind(catalog.now().as_millis())
            .execute(connection)
            .await?;
            Ok(())
        }
    }
}

/// Whether the collection is being deleted; `None` where there is none.
pub(super) async fn is_doomed(
    connection: &mut Connection,
    tenant: &TenantId,
    name: &CollectionName,
) -> Result<Option<bool>> {
    let deleting = sqlx::query("SELECT deleting FROM collections WHERE tenant = $1 AND name = $2")
        .bind(tenant.as_str())
        .bind(name.as_str())
        .fetch_optional(connection)
        .await?;
    deleting.map(|row| row.flag("deleting")).transpose()
}

/// Marks the collection and its documents. Asked again, it answers the job that is on it already, or enqueues another
/// where that one has failed.
pub(super) async fn delete(catalog: &Store, tenant: &TenantId, name: &CollectionName, job: JobId) -> Result<Job> {
    let now = catalog.now();
    let mut tx = catalog.begin(tenant).await?;
    match is_doomed(&mut tx, tenant, name).await? {
        None => return Err(Fail::not_found("collection")),
        Some(true) => {
            if let Some(open) = jobs::open_deletion_of_collection(&mut tx, tenant, name).await? {
                return Ok(open);
            }
        }
        Some(false) => {
            sqlx::query("UPDATE collections SET deleting = TRUE, updated_at = $3 WHERE tenant = $1 AND name = $2")
                .bind(tenant.as_str())
                .bind(name.as_str())
                .bind(now.as_millis())
                .execute(&mut *tx)
                .await?;
            sqlx::query(
                "UPDATE documents SET status = 'deleting' \
                 WHERE tenant = $1 AND collection = $2 AND status <> 'deleting'",
            )
            .bind(tenant.as_str())
            .bind(name.as_str())
            .execute(&mut *tx)
            .await?;
            jobs::stop_jobs_of_collection(&mut tx, tenant, name, now).await?;
        }
    }
    let kind = JobKind::DeleteCollection { collection: name.clone() };
    let job = jobs::insert(&mut tx, tenant, jobs::New::waiting(job, kind, Some(name.as_str())), now).await?;
    tx.commit().await?;
    Ok(job)
}

/// The collection of a document, whatever its status.
pub(super) async fn of_document(
    connection: &mut Connection,
    tenant: &TenantId,
    document: sensorium_domain::DocumentId,
) -> Result<String> {
    sqlx::query("SELECT collection FROM documents WHERE id = $1 AND tenant = $2")
        .bind(uuid_value(document.uuid()))
        .bind(tenant.as_str())
        .fetch_optional(connection)
        .await?
        .map_or_else(|| Err(Fail::not_found("document")), |row| row.text("collection"))
}
