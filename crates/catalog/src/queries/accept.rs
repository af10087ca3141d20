//! Documents are accepted: a new one, or the next version of one that is known.

use sensorium_domain::catalog::{NewDocument, NewPart, StorageQuota, Usage};
use sensorium_domain::{Document, DocumentStatus, Job, JobKind, PartStatus, TenantId};

use super::dialect::{storable, uuid_value};
use super::documents::by_external_id_with;
use super::settings::usage_with;
use super::{Connection, Store, blobs, collections, idempotency, jobs};
use crate::error::{Fail, Result, is_duplicate};

/// Accepts a document. One that nobody knows comes beside others of its tenant. For a next version, for a tenant whose things are counted, and
/// where something clashes, the tenant is locked.
pub(super) async fn accept(catalog: &Store, tenant: &TenantId, new: NewDocument) -> Result<(Document, Job)> {
    let is_bounded = new.quota != StorageQuota::default();
    if !is_bounded {
        let mut tx = catalog.begin_beside(tenant).await?;
        if known(&mut tx, tenant, &new).await?.is_none() {
            match write(catalog, &mut tx, tenant, &new, None).await {
                Ok(accepted) => {
                    tx.commit().await?;
                    return Ok(accepted);
                }
                Err(error) if error.is_conflict() => {}
                Err(error) => return Err(error),
            }
        }
    }
    let mut tx = catalog.begin(tenant).await?;
    let before = if is_bounded { usage_with(&mut tx, tenant).await? } else { Usage::default() };
    let known = known(&mut tx, tenant, &new).await?;
    let accepted = write(catalog, &mut tx, tenant, &new, known.as_ref()).await?;
    // The rows have counted themselves, and a tenant's count is locked by who changes it: others wait for this to end.
    if is_bounded && let Some(broken) = new.quota.broken(before, usage_with(&mut tx, tenant).await?) {
        return Err(Fail::over_quota(broken));
    }
    tx.commit().await?;
    Ok(accepted)
}

/// The document that has its external id.
async fn known(connection: &mut Connection, tenant: &TenantId, new: &NewDocument) -> Result<Option<Document>> {
    match &new.external_id {
        Some(external_id) => by_external_id_with(connection, tenant, &new.collection, external_id).await,
        None => Ok(None),
    }
}

/// Writes the document, or the next version of the known one, its parts and its job. The row of the tenant's usage, which all who add have to
/// change, is changed last.
async fn write(
    catalog: &Store,
    connection: &mut Connection,
    tenant: &TenantId,
    new: &NewDocument,
    known: Option<&Document>,
) -> Result<(Document, Job)> {
    let now = catalog.now();
    if let Some(reserved) = &new.once {
        idempotency::accepted(connection, tenant, reserved, new.job).await?;
    }
    collections::ensure(catalog, connection, tenant, &new.collection).await?;
    let stored = blobs::hold_stored(connection, tenant, new.parts.iter().map(|part| &part.blob)).await?;
    // A part that was refused on sight need not have its bytes kept.
    if let Some(part) = new.parts.iter().find(|part| part.error.is_none() && !stored.contains(&part.blob)) {
        return Err(Fail::conflict(format!("the blob {} is not stored; its claim may have expired", part.blob)));
    }
    let document = Document {
        id: known.map_or(new.id, |known| known.id),
        collection: new.collection.clone(),
        external_id: new.external_id.clone(),
        title: new.title.clone(),
        tags: new.tags.clone(),
        metadata: new.metadata.clone(),
        status: DocumentStatus::Processing,
        version: known.map_or(1, |known| known.version + 1),
        created_at: known.map_or(now, |known| known.created_at),
        updated_at: now,
    };
    if known.is_some() {
        update(connection, &document).await?;
        jobs::stop_jobs_of_document(connection, tenant, document.id, now, jobs::Stop::Ingests).await?;
    }
    blobs::release_with(connection, tenant, new.claim).await?;
    let kind = JobKind::Ingest { document: document.id, version: document.version };
    let job = jobs::insert(connection, tenant, new.job, &kind, Some(document.collection.as_str()), now).await?;
    if known.is_none() {
        insert(connection, tenant, &document).await?;
    }
    for (ordinal, part) in new.parts.iter().enumerate() {
        insert_part(connection, tenant, &document, ordinal, part).await?;
    }
    Ok((document, job))
}

async fn insert(connection: &mut Connection, tenant: &TenantId, document: &Document) -> Result<()> {
    let inserted = sqlx::query(
        "INSERT INTO documents \
         (id, tenant, collection, external_id, title, tags, metadata, status, version, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(uuid_value(document.id.uuid()))
    .bind(tenant.as_str())
    .bind(document.collection.as_str())
    .bind(document.external_id.as_deref())
    .bind(document.title.as_deref())
    .bind(serde_json::to_string(&document.tags)?)
    .bind(serde_json::to_string(&document.metadata)?)
    .bind(document.status.as_str())
    .bind(i64::from(document.version))
    .bind(document.created_at.as_millis())
    .bind(document.updated_at.as_millis())
    .execute(connection)
    .await;
    match inserted {
        Ok(_) => Ok(()),
        Err(error) if is_duplicate(&error) => Err(Fail::conflict("a document with this id exists already")),
        Err(error) => Err(error.into()),
    }
}

/// Writes what a patch or a next version changes.
pub(super) async fn update(connection: &mut Connection, document: &Document) -> Result<()> {
    sqlx::query(
        "UPDATE documents SET title = $2, tags = $3, metadata = $4, status = $5, version = $6, updated_at = $7 \
         WHERE id = $1",
    )
    .bind(uuid_value(document.id.uuid()))
    .bind(document.title.as_deref())
    .bind(serde_json::to_string(&document.tags)?)
    .bind(serde_json::to_string(&document.metadata)?)
    .bind(document.status.as_str())
    .bind(i64::from(document.version))
    .bind(document.updated_at.as_millis())
    .execute(connection)
    .await?;
    Ok(())
}

async fn insert_part(
    connection: &mut Connection,
    tenant: &TenantId,
    document: &Document,
    ordinal: usize,
    part: &NewPart,
) -> Result<()> {
    let status = if part.error.is_some() { PartStatus::Failed } else { PartStatus::Pending };
    let inserted = sqlx::query(
        "INSERT INTO parts \
         (id, tenant, document, version, ordinal, name, modality, media_type, blob, size_bytes, status, error) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(uuid_value(part.id.uuid()))
    .bind(tenant.as_str())
    .bind(uuid_value(document.id.uuid()))
    .bind(i64::from(document.version))
    .bind(ordinal as i64)
    .bind(part.name.as_deref().map(storable))
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
        Err(error) if is_duplicate(&error) => Err(Fail::conflict("a part with this id exists already")),
        Err(error) => Err(error.into()),
    }
}
