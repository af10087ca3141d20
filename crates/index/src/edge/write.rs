//! Writing and removing points. Everything here blocks, and no two calls may run at once.

use std::collections::HashMap;

use qdrant_edge::{
    Filter, Payload, PointId, PointInsertOperations, PointOperations, PointStructPersisted, VectorPersisted,
    VectorStructPersisted,
};
use sensorium_domain::index::Point;
use sensorium_domain::{DocumentId, IndexError, SegmentId, TenantId};

use super::shard::Shard;
use super::{filter, read};
use crate::filter::{of_document, of_segments};
use crate::payload;
use crate::points::{BATCH, last_of_each};
use crate::shape::stored_name;
use crate::words::{WORDS, Words};

/// Writes points, those of equal id being replaced whole; of two with one id, the last counts.
pub(super) fn upsert(shard: &Shard, words: &Words, tenant: &TenantId, points: Vec<Point>) -> Result<(), IndexError> {
    let mut points = last_of_each(points).into_iter().map(|point| encode(words, tenant, point)).peekable();
    while points.peek().is_some() {
        write(shard, points.by_ref().take(BATCH).collect())?;
    }
    Ok(())
}

fn write(shard: &Shard, batch: Vec<PointStructPersisted>) -> Result<(), IndexError> {
    shard.deletions().written(batch.iter().map(|point| point.id));
    shard.update(PointOperations::UpsertPoints(PointInsertOperations::PointsList(batch)))
}

fn encode(words: &Words, tenant: &TenantId, point: Point) -> PointStructPersisted {
    let modality = point.payload.modality;
    let mut vectors: HashMap<String, VectorPersisted> = point
        .dense
        .into_iter()
        .map(|(space, vector)| (stored_name(space.as_str(), modality), VectorPersisted::Dense(vector)))
        .collect();
    let sparse = point.words.and_then(|text| words.of_document(&text));
    if let Some(sparse) = sparse {
        vectors.insert(WORDS.to_owned(), VectorPersisted::Sparse(sparse));
    }
    PointStructPersisted {
        id: PointId::Uuid(point.id.uuid()),
        vector: VectorStructPersisted::Named(vectors),
        payload: Some(Payload(payload::encode(tenant, point.payload))),
    }
}

/// Removes those of the segments that are the tenant's.
pub(super) fn delete_segments(shard: &Shard, tenant: &TenantId, segments: &[SegmentId]) -> Result<(), IndexError> {
    segments.chunks(BATCH).try_for_each(|some| delete(shard, &filter::of(&of_segments(tenant, some))?))
}

/// Removes every point of the tenant's document.
pub(super) fn delete_document(shard: &Shard, tenant: &TenantId, document: DocumentId) -> Result<(), IndexError> {
    delete(shard, &filter::of(&of_document(tenant, document))?)
}

/// By their ids and not by the filter, since they must be known.
fn delete(shard: &Shard, filter: &Filter) -> Result<(), IndexError> {
    let ids = read::ids(shard, filter)?;
    if ids.is_empty() {
        return Ok(());
    }
    shard.deletions().deleted(&ids);
    shard.update(PointOperations::DeletePoints { ids })
}
