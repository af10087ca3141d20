//! Documents and their parts, as users see them.

use std::collections::{BTreeSet, HashMap, HashSet};

use sensorium_domain::catalog::{DocumentPatch, IngestInput};
use sensorium_domain::{
    BlobHash, CollectionName, Document, DocumentId, Job, JobId, JobKind, Part, PartId, TenantId, Timestamp,
};
use uuid::Uuid;

use super::dialect::{among, external_id_among, external_id_is, text_list, uuid_list, uuid_value};
use super::{Connection, Store, accept, collections, jobs};
use crate::columns::Columns;
use crate::error::{Fail, Result};
use crate::gathering::{Answers, Together, each};
use crate::merge_patch::merge;

macro_rules! document_columns {
    () => {
        "id, collection, external_id, title, tags, metadata, status, version, created_at, updated_at"
    };
}

macro_rules! part_columns {
    () => {
        "id, document, version, ordinal, name, modality, media_type, blob, size_bytes, status, error, segments, facts"
    };
}

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
        select_part!("", $tail)
    };
    ($more:literal, $tail:literal) => {
        concat!(
            "SELECT p.id, p.document, p.version, p.ordinal, p.name, p.modality, p.media_type, p.blob, p.size_bytes, ",
            "p.status, p.error, p.segments, p.facts",
            $more,
            " FROM parts p ",
            $tail
        )
    };
}

pub(super) use {document_columns, part_columns, select_document, select_part};

pub(super) fn read(row: &impl Columns) -> Result<Document> {
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

pub(super) fn read_part(row: &impl Columns) -> Result<Part> {
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

/// A document.
pub(super) struct Get(pub(super) DocumentId);

impl Together for Get {
    type Store = Store;
    type Lane = TenantId;
    type Answer = Document;

    async fn run(catalog: &Store, tenant: &TenantId, calls: &[Self]) -> Answers<Document> {
        // `d.tenant || ''` keeps the planner from walking over all of the tenant's documents.
        let found = sqlx::query(concat!(
            select_document!("WHERE "),
            among!("d.id", "$1"),
            " AND d.tenant || '' = $2 AND d.status <> 'deleting'"
        ))
        .bind(uuid_list(calls.iter().map(|call| call.0.uuid())))
        .bind(tenant.as_str())
        .fetch_all(catalog.reader_by_key())
        .await?
        .iter()
        .map(|row| read(row).map(|document| (document.id, document)))
        .collect::<Result<HashMap<_, _>>>()?;
        let answer = |call: &Self| found.get(&call.0).cloned().ok_or_else(|| Fail::not_found("document"));
        Ok(each(calls, answer))
    }
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

/// Those of a collection's documents that have one of these external ids.
pub(super) async fn known_external_ids<'a>(
    connection: &mut Connection,
    tenant: &TenantId,
    collection: &CollectionName,
    external_ids: impl IntoIterator<Item = &'a str>,
) -> Result<HashSet<String>> {
    sqlx::query(concat!(
        "SELECT d.external_id FROM documents d WHERE d.tenant = $1 AND d.collection = $2 AND ",
        external_id_among!("$3"),
        " AND d.status <> 'deleting'"
    ))
    .bind(tenant.as_str())
    .bind(collection.as_str())
    .bind(text_list(external_ids))
    .fetch_all(connection)
    .await?
    .iter()
    .map(|row| row.text("external_id"))
    .collect()
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
    let job =
        jobs::insert(&mut tx, tenant, jobs::New::waiting(job, kind, Some(document.collection.as_str())), now).await?;
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
    let job = jobs::insert(&mut tx, tenant, jobs::New::waiting(job, kind, Some(&collection)), now).await?;
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

/// The parts of a document's version, or of the one that is shown: the live one, if there is one.
pub(super) struct PartsOf {
    pub(super) document: DocumentId,
    pub(super) version: Option<u32>,
}

impl Together for PartsOf {
    type Store = Store;
    type Lane = TenantId;
    type Answer = Vec<Part>;

    async fn run(catalog: &Store, tenant: &TenantId, calls: &[Self]) -> Answers<Vec<Part>> {
        let ids: BTreeSet<_> = calls.iter().map(|call| call.document).collect();
        let rows = sqlx::query(concat!(
            select_part!(
                ", coalesce(d.live_version, d.version) AS shown",
                "JOIN documents d ON d.id = p.document WHERE "
            ),
            among!("d.id", "$1"),
            " AND d.tenant || '' = $2 AND d.status <> 'deleting'"
        ))
        .bind(uuid_list(ids.iter().map(|id| id.uuid())))
        .bind(tenant.as_str())
        .fetch_all(catalog.reader_by_key())
        .await?;
        let mut shown = HashMap::new();
        let mut parts: HashMap<_, Vec<Part>> = HashMap::new();
        for row in &rows {
            let part = read_part(row)?;
            shown.insert(part.document, row.count("shown")?);
            parts.entry((part.document, part.version)).or_default().push(part);
        }
        for parts in parts.values_mut() {
            parts.sort_unstable_by_key(|part| part.ordinal);
        }
        // A document without parts is one all the same.
        let lacking: Vec<_> = ids.into_iter().filter(|id| !shown.contains_key(id)).map(Get).collect();
        if !lacking.is_empty() {
            let found = Get::run(catalog, tenant, &lacking).await?;
            let found = lacking.iter().zip(found).filter(|(_, found)| matches!(found, Some(Ok(_))));
            shown.extend(found.map(|(Get(id), _)| (*id, 0)));
        }
        let answer = |call: &Self| {
            let shown = shown.get(&call.document).ok_or_else(|| Fail::not_found("document"))?;
            Ok(parts.get(&(call.document, call.version.unwrap_or(*shown))).cloned().unwrap_or_default())
        };
        Ok(each(calls, answer))
    }
}

/// What ingests of these documents' versions work on; nothing where a document is gone.
pub(super) async fn ingest_inputs(
    catalog: &Store,
    tenant: &TenantId,
    wanted: &[(DocumentId, u32)],
) -> Result<Vec<Option<IngestInput>>> {
    let documents: Vec<_> = wanted.iter().map(|(document, _)| Get(*document)).collect();
    let parts: Vec<_> =
        wanted.iter().map(|(document, version)| PartsOf { document: *document, version: Some(*version) }).collect();
    let documents = Get::run(catalog, tenant, &documents).await?;
    let parts = PartsOf::run(catalog, tenant, &parts).await?;
    let input = |(document, parts): (Option<Result<_>>, Option<Result<_>>)| {
        Some(IngestInput { document: document?.ok()?, parts: parts?.ok()? })
    };
    Ok(documents.into_iter().zip(parts).map(input).collect())
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
