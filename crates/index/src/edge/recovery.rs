//! What a killed process may leave in a folder, and how it is put right.
//!
//! A mark in the folder says that it is open; finding it when opening means that the process was killed. Then two things can be
//! left over. Files of an unfinished `optimize`, which the library never removes. And points that are in two index segments,
//! since a changed point is written to a new one before it is taken out of the old one: rankings see the newer, counts see both.

use std::fs;
use std::path::Path;

use qdrant_edge::{
    CountRequest, EdgeShard, Filter, HasIdCondition, OperationResult, PointId, PointInsertOperations, PointOperations,
    PointStructPersisted, Record, ScrollRequest, UpdateOperation, VectorStructPersisted, WithPayloadInterface,
    WithVector,
};
use sensorium_domain::IndexError;
use uuid::Uuid;

const MARK: &str = "sensorium-index.open";
const LEFTOVERS: &str = "temp_segments";
const PAGE: usize = 10_000;

/// Marks the folder as open; whether it was so already.
pub(super) fn mark_open(folder: &Path) -> Result<bool, IndexError> {
    let mark = folder.join(MARK);
    let was_open = mark.exists();
    fs::write(&mark, "").map_err(|error| IndexError::Unavailable(format!("{}: {error}", mark.display())))?;
    Ok(was_open)
}

/// Takes the mark away: all is on the disk.
pub(super) fn mark_closed(folder: &Path) {
    if let Err(error) = fs::remove_file(folder.join(MARK)) {
        tracing::warn!(folder = %folder.display(), %error, "the index stays marked as open");
    }
}

/// Removes what an unfinished `optimize` left. The index must be closed.
pub(super) fn remove_leftovers(folder: &Path) -> std::io::Result<()> {
    match fs::remove_dir_all(folder.join(LEFTOVERS)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes one of every point that is there more than once, keeping the newest; how many there were.
pub(super) fn unite_doubles(shard: &EdgeShard) -> OperationResult<usize> {
    let ids = all_ids(shard)?;
    if ids.len() == count(shard, None)? {
        return Ok(0);
    }
    let mut doubles = Vec::new();
    for some in ids.chunks(PAGE) {
        find_doubles(shard, some, &mut doubles)?;
    }
    for some in doubles.chunks(100) {
        let newest = shard.retrieve(some, Some(WithPayloadInterface::Bool(true)), Some(WithVector::Bool(true)))?;
        let newest = newest.into_iter().filter_map(whole).collect();
        let write = PointInsertOperations::PointsList(newest);
        shard.update(UpdateOperation::PointOperation(PointOperations::DeletePoints { ids: some.to_vec() }))?;
        shard.update(UpdateOperation::PointOperation(PointOperations::UpsertPoints(write)))?;
    }
    Ok(doubles.len())
}

/// The ids of all points, each once.
fn all_ids(shard: &EdgeShard) -> OperationResult<Vec<PointId>> {
    let mut ids = Vec::new();
    let mut next = Some(PointId::Uuid(Uuid::nil()));
    while let Some(offset) = next {
        let (records, following) = shard.scroll(ScrollRequest {
            offset: Some(offset),
            limit: Some(PAGE),
            filter: None,
            with_payload: Some(WithPayloadInterface::Bool(false)),
            with_vector: WithVector::Bool(false),
            order_by: None,
        })?;
        ids.extend(records.into_iter().map(|record| record.id));
        next = following;
    }
    Ok(ids)
}

/// Halves the list until what counts more than once stands alone.
fn find_doubles(shard: &EdgeShard, ids: &[PointId], doubles: &mut Vec<PointId>) -> OperationResult<()> {
    let all: HasIdCondition = ids.iter().copied().collect();
    let filter = Filter::new_must(qdrant_edge::Condition::HasId(all));
    if ids.is_empty() || count(shard, Some(filter))? == ids.len() {
        return Ok(());
    }
    if let [double] = ids {
        doubles.push(*double);
        return Ok(());
    }
    let (left, right) = ids.split_at(ids.len() / 2);
    find_doubles(shard, left, doubles)?;
    find_doubles(shard, right, doubles)
}

fn count(shard: &EdgeShard, filter: Option<Filter>) -> OperationResult<usize> {
    shard.count(CountRequest { filter, exact: true })
}

fn whole(record: Record) -> Option<PointStructPersisted> {
    Some(PointStructPersisted {
        id: record.id,
        vector: VectorStructPersisted::from(record.vector?),
        payload: record.payload,
    })
}
