//! Documents are accepted: a new one, or the next version of one that is known.

use std::collections::{BTreeSet, HashMap, HashSet};

use sensorium_domain::catalog::{BlobState, NewDocument, NewPart, StorageQuota, Usage};
use sensorium_domain::{
    BlobHash, CollectionName, Document, DocumentStatus, Job, JobKind, PartStatus, TenantId, Timestamp,
};
use sqlx::QueryBuilder;

use super::dialect::{storable, uuid_value};
use super::documents::{self, by_external_id_with};
use super::generations::{self, MayTake};
use super::settings::usage_with;
use super::{Connection, Database, ROWS, Store, blobs, collections, conclude, idempotency, jobs};
use crate::error::{Fail, Result, is_duplicate};
use crate::gathering::{Answers, Together};

/// A document to accept.
pub(super) struct Accept(NewDocument);

/// Accepts a document. One that nobody knows comes together with others, and beside others of its tenant. For a next version, for a tenant
/// whose things are counted, and where something clashes, the tenant is locked.
pub(super) async fn accept(catalog: &Store, tenant: &TenantId, new: NewDocument) -> Result<(Document, Job)> {
    if new.quota == StorageQuota::default() {
        catalog.groups.accepted.call(catalog, tenant.clone(), Accept(new)).await
    } else {
        accept_alone(catalog, tenant, &new).await
    }
}

impl Together for Accept {
    type Store = Store;
    type Lane = TenantId;
    type Answer = (Document, Job);

    async fn run(catalog: &Store, tenant: &TenantId, calls: &[Self]) -> Answers<Self::Answer> {
        let accepted = accept_beside(catalog, tenant, calls).await;
        match (accepted, calls) {
            (Ok(accepted), [Self(new)]) if accepted.iter().all(Option::is_none) => {
                Ok(vec![Some(accept_alone(catalog, tenant, new).await)])
            }
            (Err(error), [Self(new)]) if error.is_conflict() => {
                Ok(vec![Some(accept_alone(catalog, tenant, new).await)])
            }
            (accepted, _) => Ok(accepted?.into_iter().map(|accepted| accepted.map(Ok)).collect()),
        }
    }
}

/// Accepts those that nobody knows, all or none of them.
async fn accept_beside(catalog: &Store, tenant: &TenantId, calls: &[Accept]) -> Result<Vec<Option<(Document, Job)>>> {
    let mut tx = catalog.begin_accepting(tenant, true).await?;
    let are_new = are_new(&mut tx, tenant, calls).await?;
    let new: Vec<_> =
        calls.iter().zip(&are_new).filter(|(_, is_new)| **is_new).map(|(Accept(new), _)| (new, None)).collect();
    let mut accepted = write(catalog, &mut tx, tenant, &new).await?.into_iter();
    tx.commit().await?;
    Ok(are_new.into_iter().map(|is_new| if is_new { accepted.next() } else { None }).collect())
}

/// Which of the documents have an external id that nobody has: no document, and none of those before it.
async fn are_new(connection: &mut Connection, tenant: &TenantId, calls: &[Accept]) -> Result<Vec<bool>> {
    let mut taken: HashMap<&CollectionName, HashSet<String>> = HashMap::new();
    for Accept(new) in calls.iter().filter(|Accept(new)| new.external_id.is_some()) {
        taken.entry(&new.collection).or_default();
    }
    for (collection, known) in &mut taken {
        let ids = calls.iter().filter(|Accept(new)| new.collection == **collection);
        let ids = ids.filter_map(|Accept(new)| new.external_id.as_deref());
        *known = documents::known_external_ids(connection, tenant, collection, ids).await?;
    }
    let mut is_new = |Accept(new): &Accept| match (&new.external_id, taken.get_mut(&new.collection)) {
        (Some(id), Some(taken)) => taken.insert(id.clone()),
        _ => true,
    };
    Ok(calls.iter().map(&mut is_new).collect())
}

/// Accepts a document, or a document's next version, with the tenant locked.
async fn accept_alone(catalog: &Store, tenant: &TenantId, new: &NewDocument) -> Result<(Document, Job)> {
    let mut tx = catalog.begin_accepting(tenant, false).await?;
    let accepted = accept_with(catalog, &mut tx, tenant, new).await;
    conclude(tx, accepted).await
}

async fn accept_with(
    catalog: &Store,
    connection: &mut Connection,
    tenant: &TenantId,
    new: &NewDocument,
) -> Result<(Document, Job)> {
    let is_bounded = new.quota != StorageQuota::default();
    let before = if is_bounded { usage_with(connection, tenant).await? } else { Usage::default() };
    let known = match &new.external_id {
        Some(external_id) => by_external_id_with(connection, tenant, &new.collection, external_id).await?,
        None => None,
    };
    let accepted = write(catalog, connection, tenant, &[(new, known)]).await?;
    // The rows have counted themselves, and a tenant's count is locked by who changes it: others wait for this to end.
    if is_bounded && let Some(broken) = new.quota.broken(before, usage_with(connection, tenant).await?) {
        return Err(Fail::over_quota(broken));
    }
    accepted.into_iter().next().ok_or_else(Fail::broken_off)
}

/// Writes the documents, or the next versions of those that are known, their parts and jobs. The row of the tenant's usage, which all who add have
/// to change, is changed last.
async fn write(
    catalog: &Store,
    connection: &mut Connection,
    tenant: &TenantId,
    new: &[(&NewDocument, Option<Document>)],
) -> Result<Vec<(Document, Job)>> {
    if new.is_empty() {
        return Ok(Vec::new());
    }
    let now = catalog.now();
    let may_take = may_take(catalog, connection, new).await?;
    for (new, _) in new {
        if let Some(reserved) = &new.once {
            idempotency::accepted(connection, tenant, reserved, new.job).await?;
        }
    }
    for collection in new.iter().map(|(new, _)| &new.collection).collect::<BTreeSet<_>>() {
        collections::ensure(catalog, connection, tenant, collection).await?;
    }
    take_blobs(connection, tenant, new.iter().map(|(new, _)| *new), now).await?;
    let documents: Vec<_> = new.iter().map(|(new, known)| version_of(new, known.as_ref(), now)).collect();
    for document in documents.iter().filter(|document| document.version > 1) {
        update(connection, document).await?;
        jobs::stop_jobs_of_document(connection, tenant, document.id, now, jobs::Stop::Ingests).await?;
    }
    let enqueued: Vec<_> = new
        .iter()
        .zip(&documents)
        .map(|((new, _), document)| jobs::New {
            id: new.job,
            kind: JobKind::Ingest { document: document.id, version: document.version },
            collection: Some(document.collection.as_str()),
            taker: new.taker.as_ref().filter(|_| may_take && document.version == 1),
        })
        .collect();
    let jobs = jobs::insert_all(connection, tenant, &enqueued, now).await?;
    insert(connection, tenant, documents.iter().filter(|document| document.version == 1)).await?;
    let parts = documents.iter().zip(new).flat_map(|(document, (new, _))| {
        new.parts.iter().enumerate().map(move |(ordinal, part)| (document, ordinal, part))
    });
    insert_parts(connection, tenant, &parts.collect::<Vec<_>>()).await?;
    Ok(documents.into_iter().zip(jobs).collect())
}

/// Whether those who would take the new documents' jobs may. No other generation is made ready to be live until the transaction ends: see [`Store::begin_accepting`].
async fn may_take(
    catalog: &Store,
    connection: &mut Connection,
    new: &[(&NewDocument, Option<Document>)],
) -> Result<bool> {
    if !new.iter().any(|(new, known)| new.taker.is_some() && known.is_none()) {
        return Ok(false);
    }
    Ok(matches!(generations::may_take(catalog, connection).await?, MayTake::All))
}

/// Keeps the bytes that come along, and takes the documents' other blobs over from their claims.
async fn take_blobs<'a>(
    connection: &mut Connection,
    tenant: &TenantId,
    new: impl Iterator<Item = &'a NewDocument> + Clone,
    now: Timestamp,
) -> Result<()> {
    let parts = new.clone().flat_map(|new| &new.parts);
    let small = parts.filter_map(|part| Some((part.blob, &**part.bytes.as_ref()?))).collect();
    blobs::keep(connection, tenant, &small).await?;
    let new = new.filter(|new| new.parts.iter().any(|part| !small.contains_key(&part.blob)));
    let hashes = new.clone().flat_map(|new| &new.parts).map(|part| &part.blob);
    let hashes: Vec<_> = hashes.filter(|hash| !small.contains_key(hash)).collect();
    if hashes.is_empty() {
        return Ok(());
    }
    let held = blobs::hold(connection, tenant, hashes).await?;
    let claimed = blobs::release_with(connection, tenant, new.clone().map(|new| new.claim), now).await?;
    let mut put = BTreeSet::new();
    for new in new {
        let is_put = |hash: &BlobHash| new.stored.contains(hash) && claimed.contains(&(new.claim, *hash));
        for part in new.parts.iter().filter(|part| !small.contains_key(&part.blob)) {
            match held.get(&part.blob) {
                Some(BlobState::Stored) => {}
                Some(BlobState::Missing) if is_put(&part.blob) => {
                    put.insert(&part.blob);
                }
                // A part that was refused on sight need not have its bytes kept.
                _ if part.error.is_some() => {}
                _ => {
                    return Err(Fail::conflict(format!(
                        "the blob {} is not stored; its claim may have expired",
                        part.blob
                    )));
                }
            }
        }
    }
    if put.is_empty() { Ok(()) } else { blobs::set_stored(connection, tenant, put).await }
}

fn version_of(new: &NewDocument, known: Option<&Document>, now: Timestamp) -> Document {
    Document {
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
    }
}

async fn insert(
    connection: &mut Connection,
    tenant: &TenantId,
    documents: impl Iterator<Item = &Document>,
) -> Result<()> {
    let written = documents
        .map(|document| {
            Ok((document, serde_json::to_string(&document.tags)?, serde_json::to_string(&document.metadata)?))
        })
        .collect::<Result<Vec<_>>>()?;
    for rows in written.chunks(ROWS) {
        let mut sql = QueryBuilder::<Database>::new(
            "INSERT INTO documents \
             (id, tenant, collection, external_id, title, tags, metadata, status, version, created_at, updated_at) ",
        );
        sql.push_values(rows, |mut row, (document, tags, metadata)| {
            row.push_bind(uuid_value(document.id.uuid()))
                .push_bind(tenant.as_str())
                .push_bind(document.collection.as_str())
                .push_bind(document.external_id.as_deref())
                .push_bind(document.title.as_deref())
                .push_bind(tags.as_str())
                .push_bind(metadata.as_str())
                .push_bind(document.status.as_str())
                .push_bind(i64::from(document.version))
                .push_bind(document.created_at.as_millis())
                .push_bind(document.updated_at.as_millis());
        });
        let inserted = sql.build().persistent(rows.len() == 1).execute(&mut *connection).await;
        inserted.map_err(|error| clash(error, "a document with this id exists already"))?;
    }
    Ok(())
}

fn clash(error: sqlx::Error, what: &'static str) -> Fail {
    if is_duplicate(&error) { Fail::conflict(what) } else { error.into() }
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

async fn insert_parts(
    connection: &mut Connection,
    tenant: &TenantId,
    parts: &[(&Document, usize, &NewPart)],
) -> Result<()> {
    for rows in parts.chunks(ROWS) {
        let errors = rows
            .iter()
            .map(|(.., part)| Ok(part.error.as_ref().map(serde_json::to_string).transpose()?))
            .collect::<Result<Vec<_>>>()?;
        let mut sql = QueryBuilder::<Database>::new(
            "INSERT INTO parts \
             (id, tenant, document, version, ordinal, name, modality, media_type, blob, size_bytes, status, error) ",
        );
        sql.push_values(rows.iter().zip(errors), |mut row, ((document, ordinal, part), error)| {
            let status = if error.is_some() { PartStatus::Failed } else { PartStatus::Pending };
            row.push_bind(uuid_value(part.id.uuid()))
                .push_bind(tenant.as_str())
                .push_bind(uuid_value(document.id.uuid()))
                .push_bind(i64::from(document.version))
                .push_bind(*ordinal as i64)
                .push_bind(part.name.as_deref().map(storable))
                .push_bind(part.modality.as_str())
                .push_bind(part.media_type.as_str())
                .push_bind(&part.blob.as_bytes()[..])
                .push_bind(part.size_bytes as i64)
                .push_bind(status.as_str())
                .push_bind(error);
        });
        let inserted = sql.build().persistent(rows.len() == 1).execute(&mut *connection).await;
        inserted.map_err(|error| clash(error, "a part with this id exists already"))?;
    }
    Ok(())
}
