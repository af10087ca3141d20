//! Documents and their parts, as users see them.

use sensorium_domain::catalog::{DocumentPatch, NewDocument, NewPart};
use sensorium_domain::{
    BlobHash, CollectionName, Document, DocumentId, DocumentStatus, Job, JobId, JobKind, Part,
    PartId, PartStatus, TenantId, Timestamp,
};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use super::error::{Fail, Result, is_duplicate};
use super::rows::{Columns, blob};
use super::{SqliteCatalog, blobs, collections, jobs};

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

pub(super) fn read(row: &SqliteRow) -> Result<Document> {
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

pub(super) fn read_part(row: &SqliteRow) -> Result<Part> {
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

pub(super) async fn accept(
    catalog: &SqliteCatalog,
    tenant: &TenantId,
    new: NewDocument,
) -> Result<(Document, Job)> {
    let now = catalog.now();
    let mut tx = catalog.begin().await?;
    collections::ensure(catalog, &mut tx, tenant, &new.collection).await?;
    let known = match &new.external_id {
        Some(external_id) => {
            by_external_id_with(&mut tx, tenant, &new.collection, external_id).await?
        }
        None => None,
    };
    let document = Document {
        id: known.as_ref().map_or(new.id, |known| known.id),
        collection: new.collection,
        external_id: new.external_id,
        title: new.title,
        tags: new.tags,
        metadata: new.metadata,
        status: DocumentStatus::Processing,
        version: known.as_ref().map_or(1, |known| known.version + 1),
        created_at: known.as_ref().map_or(now, |known| known.created_at),
        updated_at: now,
    };
    if known.is_some() {
        update(&mut tx, &document).await?;
        jobs::stop_jobs_of_document(&mut tx, tenant, document.id, now, jobs::Stop::Ingests).await?;
    } else {
        insert(&mut tx, tenant, &document).await?;
    }
    for (ordinal, part) in new.parts.iter().enumerate() {
        insert_part(&mut tx, tenant, &document, ordinal, part).await?;
    }
    blobs::release_with(&mut tx, tenant, new.claim).await?;
    let kind = JobKind::Ingest {
        document: document.id,
        version: document.version,
    };
    let job = jobs::insert(
        &mut tx,
        tenant,
        new.job,
        &kind,
        Some(document.collection.as_str()),
        now,
    )
    .await?;
    tx.commit().await?;
    Ok((document, job))
}

async fn insert(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    document: &Document,
) -> Result<()> {
    let inserted = sqlx::query(
        "INSERT INTO documents \
         (id, tenant, collection, external_id, title, tags, metadata, status, version, created_at, updated_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )
    .bind(blob(document.id.uuid()))
    .bind(tenant.as_str())
    .bind(document.collection.as_str())
    .bind(document.external_id.as_deref())
    .bind(document.title.as_deref())
    .bind(serde_json::to_string(&document.tags)?)
    .bind(serde_json::to_string(&document.metadata)?)
    .bind(document.status.as_str())
    .bind(document.version)
    .bind(document.created_at.as_millis())
    .bind(document.updated_at.as_millis())
    .execute(connection)
    .await;
    match inserted {
        Ok(_) => Ok(()),
        Err(error) if is_duplicate(&error) => {
            Err(Fail::conflict("a document with this id exists already"))
        }
        Err(error) => Err(error.into()),
    }
}

/// Writes what a patch or a next version changes.
async fn update(connection: &mut SqliteConnection, document: &Document) -> Result<()> {
    sqlx::query(
        "UPDATE documents SET title = ?2, tags = ?3, metadata = ?4, status = ?5, version = ?6, updated_at = ?7 \
         WHERE id = ?1",
    )
    .bind(blob(document.id.uuid()))
    .bind(document.title.as_deref())
    .bind(serde_json::to_string(&document.tags)?)
    .bind(serde_json::to_string(&document.metadata)?)
    .bind(document.status.as_str())
    .bind(document.version)
    .bind(document.updated_at.as_millis())
    .execute(connection)
    .await?;
    Ok(())
}

async fn insert_part(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    document: &Document,
    ordinal: usize,
    part: &NewPart,
) -> Result<()> {
    // A part that was refused on sight need not have its bytes kept.
    if part.error.is_none() && !blobs::is_stored(connection, tenant, part.blob).await? {
        return Err(Fail::conflict(format!(
            "the blob {} is not stored; its claim may have expired",
            part.blob
        )));
    }
    let status = if part.error.is_some() {
        PartStatus::Failed
    } else {
        PartStatus::Pending
    };
    let inserted = sqlx::query(
        "INSERT INTO parts \
         (id, tenant, document, version, ordinal, name, modality, media_type, blob, size_bytes, status, error) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )
    .bind(blob(part.id.uuid()))
    .bind(tenant.as_str())
    .bind(blob(document.id.uuid()))
    .bind(document.version)
    .bind(ordinal as i64)
    .bind(part.name.as_deref())
    .bind(part.modality.as_str())
    .bind(part.media_type.as_str())
    .bind(&part.blob.as_bytes()[..])
    .bind(part.size_bytes as i64)
    .bind(status.as_str())
    .bind(part.error.as_ref().map(serde_json::to_string).transpose()?)
    .execute(connection)
    .await;
    match inserted {
        Ok(_) => Ok(()),
        Err(error) if is_duplicate(&error) => {
            Err(Fail::conflict("a part with this id exists already"))
        }
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn get(
    catalog: &SqliteCatalog,
    tenant: &TenantId,
    id: DocumentId,
) -> Result<Document> {
    let mut reader = catalog.readers.acquire().await?;
    get_with(&mut reader, tenant, id).await
}

async fn get_with(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    id: DocumentId,
) -> Result<Document> {
    sqlx::query(select_document!(
        "WHERE d.id = ?1 AND d.tenant = ?2 AND d.status <> 'deleting'"
    ))
    .bind(blob(id.uuid()))
    .bind(tenant.as_str())
    .fetch_optional(connection)
    .await?
    .as_ref()
    .map_or_else(|| Err(Fail::not_found("document")), read)
}

pub(super) async fn by_external_id(
    catalog: &SqliteCatalog,
    tenant: &TenantId,
    collection: &CollectionName,
    external_id: &str,
) -> Result<Document> {
    let mut reader = catalog.readers.acquire().await?;
    let found = by_external_id_with(&mut reader, tenant, collection, external_id).await?;
    found.ok_or_else(|| Fail::not_found("document"))
}

async fn by_external_id_with(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    collection: &CollectionName,
    external_id: &str,
) -> Result<Option<Document>> {
    sqlx::query(select_document!(
        "WHERE d.tenant = ?1 AND d.collection = ?2 AND d.external_id = ?3 AND d.status <> 'deleting'"
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
    catalog: &SqliteCatalog,
    tenant: &TenantId,
    id: DocumentId,
    patch: DocumentPatch,
    job: JobId,
) -> Result<(Document, Job)> {
    let now = catalog.now();
    let mut tx = catalog.begin().await?;
    let mut document = get_with(&mut tx, tenant, id).await?;
    if let Some(title) = patch.title {
        document.title = title;
    }
    if let Some(tags) = patch.tags {
        document.tags = tags;
    }
    if let Some(changes) = patch.metadata {
        collections::merge(&mut document.metadata, changes);
    }
    document.updated_at = now;
    update(&mut tx, &document).await?;
    let kind = JobKind::Refresh { document: id };
    let job = jobs::insert(
        &mut tx,
        tenant,
        job,
        &kind,
        Some(document.collection.as_str()),
        now,
    )
    .await?;
    tx.commit().await?;
    Ok((document, job))
}

/// Marks the document. Asked again, it answers the job that is on it already, or enqueues another where that one has
/// failed. A document of a collection that is being deleted goes with it.
pub(super) async fn delete(
    catalog: &SqliteCatalog,
    tenant: &TenantId,
    id: DocumentId,
    job: JobId,
) -> Result<Job> {
    let now = catalog.now();
    let mut tx = catalog.begin().await?;
    let collection = collections::of_document(&mut tx, tenant, id).await?;
    let name: CollectionName = collection
        .parse()
        .map_err(|error| Fail::corrupt("collection", error))?;
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

async fn mark_deleting(
    connection: &mut SqliteConnection,
    id: DocumentId,
    now: Timestamp,
) -> Result<()> {
    sqlx::query("UPDATE documents SET status = 'deleting', updated_at = ?2 WHERE id = ?1")
        .bind(blob(id.uuid()))
        .bind(now.as_millis())
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn parts(
    catalog: &SqliteCatalog,
    tenant: &TenantId,
    document: DocumentId,
    version: Option<u32>,
) -> Result<Vec<Part>> {
    let mut tx = catalog.readers.begin().await?;
    get_with(&mut tx, tenant, document).await?;
    sqlx::query(select_part!(
        "JOIN documents d ON d.id = p.document \
         WHERE d.id = ?1 AND p.version = coalesce(?2, d.live_version, d.version) ORDER BY p.ordinal"
    ))
    .bind(blob(document.uuid()))
    .bind(version)
    .fetch_all(&mut *tx)
    .await?
    .iter()
    .map(read_part)
    .collect()
}

pub(super) async fn part(catalog: &SqliteCatalog, tenant: &TenantId, id: PartId) -> Result<Part> {
    sqlx::query(select_part!(
        "JOIN documents d ON d.id = p.document WHERE p.id = ?1 AND d.tenant = ?2 AND d.status <> 'deleting'"
    ))
    .bind(blob(id.uuid()))
    .bind(tenant.as_str())
    .fetch_optional(&catalog.readers)
    .await?
    .as_ref()
    .map_or_else(|| Err(Fail::not_found("part")), read_part)
}

/// Documents that have a live version, of every tenant.
pub(super) async fn live(
    catalog: &SqliteCatalog,
    after: Option<DocumentId>,
    limit: u32,
) -> Result<Vec<(TenantId, Document)>> {
    sqlx::query(
        "SELECT d.tenant, d.id, d.collection, d.external_id, d.title, d.tags, d.metadata, d.status, d.version, \
         d.created_at, d.updated_at FROM documents d \
         WHERE d.id > ?1 AND d.live_version IS NOT NULL AND d.status <> 'deleting' ORDER BY d.id LIMIT ?2",
    )
    .bind(after.map_or_else(Vec::new, |id| blob(id.uuid())))
    .bind(limit)
    .fetch_all(&catalog.readers)
    .await?
    .iter()
    .map(|row| Ok((row.word("tenant")?, read(row)?)))
    .collect()
}
