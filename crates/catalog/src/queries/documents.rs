//! Documents and their parts, as users see them.

use sensorium_domain::catalog::DocumentPatch;
use sensorium_domain::{
    BlobHash, CollectionName, Document, DocumentId, Job, JobId, JobKind, Part, PartId, TenantId, Timestamp,
};
use uuid::Uuid;

use super::dialect::{external_id_is, uuid_value};
use super::{Connection, Row, Store, accept, collections, jobs};
use crate::columns::Columns;
use crate::error::{Fail, Result};
use crate::merge_patch::merge;

macro_rules! select_document {
    ($tail:literal) => {
        concat!(
            "SELECT d.id, d.collection, d.external_id, d.title, d.tags, d.metadata, d.status, d.version, ",
            "d.created_at, d.updated_at FROM documents d ",
            $tail
        )
    };
}

macro_rules! select_part {
    ($tail:literal) => {
        concat!(
            "SELECT p.id, p.document, p.version, p.ordinal, p.name, p.modality, p.media_type, p.blob, p.size_bytes, ",
            "p.status, p.error, p.segments, p.facts FROM parts p ",
            $tail
        )
    };
}

pub(super) use {select_document, select_part};

pub(super) fn read(row: &Row) -> Result<Document> {
    Ok(Document {
        id: DocumentId::from_uuid(row.uuid("id")?),
        collection: row.word("collection")?,
        external_id: row.maybe_text("external_id")?,
        title: row.maybe_text("title")?,
        tags: row.json("tags")?,
        metadata: row.json("metadata")?,
        status: row.word("status")?,
        version: row.count("version")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

pub(super) fn read_part(row: &Row) -> Result<Part> {
    let error = row.maybe_text("error")?;
    Ok(Part {
        id: PartId::from_uuid(row.uuid("id")?),
        document: DocumentId::from_uuid(row.uuid("document")?),
        version: row.count("version")?,
        ordinal: row.count("ordinal")?,
        name: row.maybe_text("name")?,
        modality: row.word("modality")?,
        media_type: row.text("media_type")?,
        blob: BlobHash::from_bytes(row.digest("blob")?),
        size_bytes: row.count("size_bytes")?,
        status: row.word("status")?,
        error: error.map(|json| serde_json::from_str(&json)).transpose()?,
        segments: row.count("segments")?,
        facts: row.json("facts")?,
    })
}

pub(super) async fn get(catalog: &Store, tenant: &TenantId, id: DocumentId) -> Result<Document> {
    let mut reader = catalog.reader().acquire().await?;
    get_with(&mut reader, tenant, id).await
}

async fn get_with(connection: &mut Connection, tenant: &TenantId, id: DocumentId) -> Result<Document> {
    sqlx::query(select_document!("WHERE d.id = $1 AND d.tenant = $2 AND d.status <> 'deleting'"))
        .bind(uuid_value(id.uuid()))
        .bind(tenant.as_str())
        .fetch_optional(connection)
        .await?
        .as_ref()
        .map_or_else(|| Err(Fail::not_found("document")), read)
}

pub(super) async fn by_external_id(
    catalog: &Store,
    tenant: &TenantId,
    collection: &CollectionName,
    external_id: &str,
) -> Result<Document> {
    let mut reader = catalog.reader().acquire().await?;
    let found = by_external_id_with(&mut reader, tenant, collection, external_id).await?;
    found.ok_or_else(|| Fail::not_found("document"))
}

pub(super) async fn by_external_id_with(
    connection: &mut Connection,
    tenant: &TenantId,
    collection: &CollectionName,
    external_id: &str,
) -> Result<Option<Document>> {
    sqlx::query(concat!(
        select_document!("WHERE d.tenant = $1 AND d.collection = $2 AND "),
        external_id_is!("$3"),
        " AND d.status <> 'deleting'"
    ))
    .bind(tenant.as_str())
    .bind(collection.as_str())
    .bind(external_id)
    .fetch_optional(connection)
    .await?
    .as_ref()
    .map(read)
    .transpose()
}

pub(super) async fn patch(
    catalog: &Store,
    tenant: &TenantId,
    id: DocumentId,
    patch: DocumentPatch,
    job: JobId,
) -> Result<(Document, Job)> {
    let now = catalog.now();
    let mut tx = catalog.begin(tenant).await?;
    let mut document = get_with(&mut tx, tenant, id).await?;
    if let Some(title) = patch.title {
        document.title = title;
    }
    if let Some(tags) = patch.tags {
        document.tags = tags;
    }
    if let Some(changes) = patch.metadata {
        merge(&mut document.metadata, changes);
    }
    document.updated_at = now;
    accept::update(&mut tx, &document).await?;
    let kind = JobKind::Refresh { document: id };
    let job = jobs::insert(&mut tx, tenant, job, &kind, Some(document.collection.as_str()), now).await?;
    tx.commit().await?;
    Ok((document, job))
}

/// Marks the document. Asked again, it answers the job that is on it already, or enqueues another where that one has
/// failed. A document of a collection that is being deleted goes with it.
pub(super) async fn delete(catalog: &Store, tenant: &TenantId, id: DocumentId, job: JobId) -> Result<Job> {
    let now = catalog.now();
    let mut tx = catalog.begin(tenant).await?;
    let collection = collections::of_document(&mut tx, tenant, id).await?;
    let name: CollectionName = collection.parse().map_err(|error| Fail::corrupt("collection", error))?;
    if collections::is_doomed(&mut tx, tenant, &name).await? == Some(true) {
        return Err(Fail::not_found("document"));
    }
    if let Some(open) = jobs::open_deletion_of_document(&mut tx, tenant, id).await? {
        return Ok(open);
    }
    mark_deleting(&mut tx, id, now).await?;
    jobs::stop_jobs_of_document(&mut tx, tenant, id, now, jobs::Stop::All).await?;
    let kind = JobKind::Delete { document: id };
    let job = jobs::insert(&mut tx, tenant, job, &kind, Some(&collection), now).await?;
    tx.commit().await?;
    Ok(job)
}

async fn mark_deleting(connection: &mut Connection, id: DocumentId, now: Timestamp) -> Result<()> {
    sqlx::query("UPDATE documents SET status = 'deleting', updated_at = $2 WHERE id = $1")
        .bind(uuid_value(id.uuid()))
        .bind(now.as_millis())
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn parts(
    catalog: &Store,
    tenant: &TenantId,
    document: DocumentId,
    version: Option<u32>,
) -> Result<Vec<Part>> {
    // `d.tenant || ''` leaves the planner only the key of the document, of which there is one, so that nothing has to be sorted.
    let rows = sqlx::query(select_part!(
        "JOIN documents d ON d.id = p.document WHERE d.id = $1 AND d.tenant || '' = $3 AND d.status <> 'deleting' \
         AND p.version = coalesce($2, d.live_version, d.version) ORDER BY p.ordinal"
    ))
    .bind(uuid_value(document.uuid()))
    .bind(version.map(i64::from))
    .bind(tenant.as_str())
    .fetch_all(catalog.reader())
    .await?;
    if rows.is_empty() {
        // There is no such version, or no such document.
        get(catalog, tenant, document).await?;
    }
    rows.iter().map(read_part).collect()
}

pub(super) async fn part(catalog: &Store, tenant: &TenantId, id: PartId) -> Result<Part> {
    sqlx::query(select_part!(
        "JOIN documents d ON d.id = p.document WHERE p.id = $1 AND d.tenant = $2 AND d.status <> 'deleting'"
    ))
    .bind(uuid_value(id.uuid()))
    .bind(tenant.as_str())
    .fetch_optional(catalog.reader())
    .await?
    .as_ref()
    .map_or_else(|| Err(Fail::not_found("part")), read_part)
}

/// Documents that have a live version, of every tenant.
pub(super) async fn live(catalog: &Store, after: Option<DocumentId>, limit: u32) -> Result<Vec<(TenantId, Document)>> {
    sqlx::query(
        "SELECT d.tenant, d.id, d.collection, d.external_id, d.title, d.tags, d.metadata, d.status, d.version, \
         d.created_at, d.updated_at FROM documents d \
         WHERE d.id > $1 AND d.live_version IS NOT NULL AND d.status <> 'deleting' ORDER BY d.id LIMIT $2",
    )
    .bind(uuid_value(after.map_or(Uuid::nil(), DocumentId::uuid)))
    .bind(i64::from(limit))
    .fetch_all(catalog.reader())
    .await?
    .iter()
    .map(|row| Ok((row.word("tenant")?, read(row)?)))
    .collect()
}
