//! Points in the server's types.

use std::collections::HashMap;
use std::str::FromStr;

use qdrant_client::Payload;
use qdrant_client::qdrant::point_id::PointIdOptions;
use qdrant_client::qdrant::{
    DenseVector, NamedVectors, PointId, PointStruct, SparseVector, Value, Vector, WithPayloadSelector, vector,
};
use sensorium_domain::index::Point;
use sensorium_domain::{IndexError, SegmentId, TenantId};
use uuid::Uuid;

use crate::payload;
use crate::shape::stored_name;
use crate::words::{WORDS, Words};

/// What the server keeps with a point.
pub(super) type Stored = HashMap<String, Value>;

/// A segment's id on the server.
pub(super) fn id(segment: SegmentId) -> PointId {
    uuid(segment.uuid())
}

/// Any id on the server.
pub(super) fn uuid(uuid: Uuid) -> PointId {
    PointId { point_id_options: Some(PointIdOptions::Uuid(uuid.to_string())) }
}

/// The segment behind an id.
pub(super) fn segment(id: Option<PointId>) -> Result<SegmentId, IndexError> {
    match id.and_then(|id| id.point_id_options) {
        Some(PointIdOptions::Uuid(text)) => Uuid::try_parse(&text)
            .map(SegmentId::from_uuid)
            .map_err(|error| IndexError::Corrupt(format!("point {text} is not a segment: {error}"))),
        other => Err(IndexError::Corrupt(format!("point {other:?} is not a segment"))),
    }
}

/// Asks the server for some fields only.
pub(super) fn only(fields: &[&str]) -> WithPayloadSelector {
    fields.to_vec().into()
}

/// Reads a stored text back.
pub(super) fn read<T: FromStr>(stored: &Stored, name: &str) -> Result<T, IndexError> {
    payload::read(stored.get(name).and_then(|value| value.as_str()).map(String::as_str), name)
}

/// A point as it is written.
pub(super) fn encode(words: &Words, tenant: &TenantId, point: Point) -> PointStruct {
    let modality = point.payload.modality;
    let mut vectors: HashMap<String, Vector> = point
        .dense
        .into_iter()
        .map(|(space, data)| {
            let vector = vector::Vector::Dense(DenseVector { data });
            (stored_name(space.as_str(), modality), named(vector))
        })
        .collect();
    if let Some(sparse) = point.words.and_then(|text| words.of_document(&text)) {
        let sparse = SparseVector { indices: sparse.indices, values: sparse.values };
        vectors.insert(WORDS.to_owned(), named(vector::Vector::Sparse(sparse)));
    }
    PointStruct {
        id: Some(id(point.id)),
        payload: Payload::from(payload::encode(tenant, point.payload)).into(),
        vectors: Some(NamedVectors { vectors }.into()),
    }
}

fn named(vector: vector::Vector) -> Vector {
    Vector { vector: Some(vector), ..Vector::default() }
}
