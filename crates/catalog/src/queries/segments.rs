//! Segments that are live: those of the live version of a document that is not being deleted, in this handle's generation.

use std::collections::{HashMap, HashSet};

use sensorium_domain::catalog::SegmentView;
use sensorium_domain::{ContentKey, DocumentId, PartId, Segment, SegmentId, TenantId};

use super::dialect::{among, uuid_list, uuid_value};
use super::documents::{self, read_part};
use super::{Row, Store};
use crate::columns::{Columns, Joined};
use crate::error::{Fail, Result};

// Where ids are given, `s.tenant || ''` keeps the planner from walking all of the tenant's segments by the index of
// tenants: it does not know that the list is short.

macro_rules! columns {
    () => {
        "s.id, s.document, s.part, s.modality, s.kind, s.ordinal, s.place, s.text, s.content"
    };
}

fn read(row: &Row) -> Result<Segment> {
    Ok(Segment {
        id: SegmentId::from_uuid(row.uuid("id")?),
        document: DocumentId::from_uuid(row.uuid("document")?),
        part: PartId::from_uuid(row.uuid("part")?),
        modality: row.word("modality")?,
        kind: row.word("kind")?,
        ordinal: row.count("ordinal")?,
        place: row.json("place")?,
        text: row.maybe_text("text")?,
        content: ContentKey::from_bytes(row.digest("content")?),
    })
}

pub(super) async fn of_document(
    catalog: &Store,
    tenant: &TenantId,
    document: DocumentId,
    offset: u32,
    limit: u32,
) -> Result<Vec<Segment>> {
    let mut tx = catalog.snapshot().await?;
    let found = sqlx::query("SELECT 1 FROM documents WHERE id = $1 AND tenant = $2 AND status <> 'deleting'")
        .bind(uuid_value(document.uuid()))
        .bind(tenant.as_str())
        .fetch_optional(&mut *tx)
        .await?;
    if found.is_none() {
        return Err(Fail::not_found("document"));
    }
    sqlx::query(concat!(
        "SELECT ",
        columns!(),
        " FROM segments s JOIN documents d ON d.id = s.document AND d.live_version = s.version \
         WHERE d.status <> 'deleting' AND d.id = $1 AND s.generation = $4 AND s.position >= $2 \
         ORDER BY s.position LIMIT $3"
    ))
    .bind(uuid_value(document.uuid()))
    .bind(i64::from(offset))
    .bind(i64::from(limit))
    .bind(i64::from(catalog.generation))
    .fetch_all(&mut *tx)
    .await?
    .iter()
    .map(read)
    .collect()
}

pub(super) async fn live(catalog: &Store, tenant: &TenantId, ids: &[SegmentId]) -> Result<Vec<SegmentId>> {
    let found = sqlx::query(concat!(
        "SELECT s.id FROM segments s JOIN documents d ON d.id = s.document AND d.live_version = s.version WHERE ",
        among!("s.id", "$1"),
        " AND s.tenant || '' = $2 AND s.generation = $3 AND d.status <> 'deleting'"
    ))
    .bind(uuid_list(ids.iter().map(|id| id.uuid())))
    .bind(tenant.as_str())
    .bind(i64::from(catalog.generation))
    .fetch_all(catalog.reader_by_key())
    .await?
    .iter()
    .map(|row| Ok(SegmentId::from_uuid(row.uuid("id")?)))
    .collect::<Result<HashSet<_>>>()?;
    Ok(ids.iter().copied().filter(|id| found.contains(id)).collect())
}

/// One statement, which sees one moment and is one way to the database and back. What may be large of a document comes once, with one of its segments.
pub(super) async fn views(catalog: &Store, tenant: &TenantId, ids: &[SegmentId]) -> Result<Vec<SegmentView>> {
    let rows = sqlx::query(concat!(
        "SELECT ",
        columns!(),
        ", p.id AS p_id, p.document AS p_document, p.version AS p_version, p.ordinal AS p_ordinal, p.name AS p_name, ",
        "p.modality AS p_modality, p.media_type AS p_media_type, p.blob AS p_blob, p.size_bytes AS p_size_bytes, ",
        "p.status AS p_status, p.error AS p_error, p.segments AS p_segments, p.facts AS p_facts, ",
        "d.id AS d_id, d.collection AS d_collection, d.external_id AS d_external_id, d.title AS d_title, ",
        "d.status AS d_status, d.version AS d_version, d.created_at AS d_created_at, d.updated_at AS d_updated_at, ",
        "CASE WHEN row_number() OVER document = 1 THEN d.tags END AS d_tags, ",
        "CASE WHEN row_number() OVER document = 1 THEN d.metadata END AS d_metadata ",
        "FROM segments s JOIN documents d ON d.id = s.document AND d.live_version = s.version JOIN parts p ON p.id = s.part ",
        "WHERE ",
        among!("s.id", "$1"),
        " AND s.tenant || '' = $2 AND s.generation = $3 AND d.status <> 'deleting' ",
        "WINDOW document AS (PARTITION BY s.document ORDER BY s.id)"
    ))
    .bind(uuid_list(ids.iter().map(|id| id.uuid())))
    .bind(tenant.as_str())
    .bind(i64::from(catalog.generation))
    .fetch_all(catalog.reader_by_key())
    .await?;
    let mut documents = HashMap::new();
    let mut found = HashMap::with_capacity(rows.len());
    for row in &rows {
        if row.maybe_text("d_metadata")?.is_some() {
            let document = documents::read(&Joined(row, "d"))?;
            documents.insert(document.id, document);
        }
        let segment = read(row)?;
        found.insert(segment.id, (segment, read_part(&Joined(row, "p"))?));
    }
    let view = |id: &SegmentId| {
        let (segment, part) = found.get(id)?.clone();
        let document = documents.get(&segment.document)?.clone();
        Some(SegmentView { segment, part, document })
    };
    Ok(ids.iter().filter_map(view).collect())
}
