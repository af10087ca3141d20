//! Segments that are live: those of the live version of a document that is not being deleted, in this handle's generation.

use std::collections::{HashMap, HashSet};

use sensorium_domain::catalog::SegmentView;
use sensorium_domain::{ContentKey, DocumentId, PartId, Segment, SegmentId, TenantId};

use super::dialect::{among, uuid_list, uuid_value};
use super::documents::{self, read_part, select_document, select_part};
use super::{Row, Store};
use crate::columns::Columns;
use crate::error::{Fail, Result};

// Where ids are given, `s.tenant || ''` keeps the planner from walking all of the tenant's segments by the index of
// tenants: it does not know that the list is short.

macro_rules! select {
    () => {
        concat!(
            "SELECT s.id, s.document, s.part, s.modality, s.kind, s.ordinal, s.place, s.text, s.content ",
            "FROM segments s JOIN documents d ON d.id = s.document AND d.live_version = s.version ",
            "WHERE d.status <> 'deleting' AND "
        )
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
    sqlx::query(concat!(select!(), "d.id = $1 AND s.generation = $4 AND s.position >= $2 ORDER BY s.position LIMIT $3"))
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

/// Three queries in one snapshot: the segments, then each part and each document once.
pub(super) async fn views(catalog: &Store, tenant: &TenantId, ids: &[SegmentId]) -> Result<Vec<SegmentView>> {
    let mut tx = catalog.snapshot().await?;
    let mut segments = HashMap::with_capacity(ids.len());
    for row in sqlx::query(concat!(select!(), among!("s.id", "$1"), " AND s.tenant || '' = $2 AND s.generation = $3"))
        .bind(uuid_list(ids.iter().map(|id| id.uuid())))
        .bind(tenant.as_str())
        .bind(i64::from(catalog.generation))
        .fetch_all(&mut *tx)
        .await?
    {
        let segment = read(&row)?;
        segments.insert(segment.id, segment);
    }
    let part_ids: HashSet<_> = segments.values().map(|segment| segment.part.uuid()).collect();
    let mut parts = HashMap::with_capacity(part_ids.len());
    for row in sqlx::query(concat!(select_part!("WHERE "), among!("p.id", "$1")))
        .bind(uuid_list(part_ids))
        .fetch_all(&mut *tx)
        .await?
    {
        let part = read_part(&row)?;
        parts.insert(part.id, part);
    }
    let document_ids: HashSet<_> = segments.values().map(|segment| segment.document.uuid()).collect();
    let mut found = HashMap::with_capacity(document_ids.len());
    for row in sqlx::query(concat!(select_document!("WHERE "), among!("d.id", "$1")))
        .bind(uuid_list(document_ids))
        .fetch_all(&mut *tx)
        .await?
    {
        let document = documents::read(&row)?;
        found.insert(document.id, document);
    }
    let view = |id: &SegmentId| {
        let segment = segments.get(id)?;
        Some(SegmentView {
            segment: segment.clone(),
            part: parts.get(&segment.part)?.clone(),
            document: found.get(&segment.document)?.clone(),
        })
    };
    Ok(ids.iter().filter_map(view).collect())
}
