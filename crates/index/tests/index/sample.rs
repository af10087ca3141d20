//! Points for these tests.

use sensorium_domain::index::{IndexedSpace, Leg, LegQuery, Point, PointPayload, Scope};
use sensorium_domain::{DocumentId, Modality, PartId, SegmentId, SegmentKind, SpaceName, TenantId, Timestamp};
use sensorium_index::EdgeOptions;
use sensorium_index::edge::OptimizerOptions;
use serde_json::{Map, json};

pub const DIMENSION: usize = 64;

pub fn space() -> SpaceName {
    "shared".parse().unwrap()
}

pub fn spaces() -> Vec<IndexedSpace> {
    vec![indexed(space(), DIMENSION)]
}

/// A space for every modality.
pub fn indexed(name: SpaceName, dimension: usize) -> IndexedSpace {
    IndexedSpace { name, dimension, modalities: Modality::ALL.to_vec() }
}

pub fn acme() -> TenantId {
    "acme".parse().unwrap()
}

/// Graphs are built for a few hundred points already, so that tests reach that code.
pub fn eager() -> EdgeOptions {
    EdgeOptions {
        optimizer: OptimizerOptions {
            indexing_threshold_kb: 32,
            vacuum_min_vectors: 100,
            ..OptimizerOptions::default()
        },
        ..EdgeOptions::default()
    }
}

pub fn document(number: u64) -> DocumentId {
    DocumentId::new(Timestamp::from_millis(1_700_000_000_000), u128::from(number))
}

pub fn segment(number: u64) -> SegmentId {
    SegmentId::derive(PartId::from_uuid(document(number).uuid()), "chunk", 0)
}

/// The direction of point `number` in its `round`-th state.
pub fn vector(number: u64, round: u64) -> Vec<f32> {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(round) | 1;
    (0..DIMENSION)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % 2_001) as f32 / 1_000.0 - 1.0
        })
        .collect()
}

pub fn point(number: u64, round: u64) -> Point {
    let mut metadata = Map::new();
    metadata.insert("round".to_owned(), json!(round));
    Point {
        id: segment(number),
        payload: PointPayload {
            collection: "default".parse().unwrap(),
            document: document(number),
            part: PartId::from_uuid(document(number).uuid()),
            modality: Modality::Text,
            kind: SegmentKind::Chunk,
            media_type: "text/plain".to_owned(),
            external_id: None,
            title: None,
            tags: vec![format!("round-{round}")],
            metadata,
            created_at: Timestamp::from_millis(1_700_000_000_000),
            updated_at: Timestamp::from_millis(1_700_000_000_000),
        },
        dense: vec![(space(), vector(number, round))],
        words: Some(format!("word{number} round{round}")),
    }
}

pub fn near(vector: Vec<f32>, limit: usize) -> Leg {
    Leg { query: LegQuery::Dense { space: space(), vector }, modality: None, limit }
}

/// The scope of points with a tag.
pub fn tagged(tag: &str) -> Scope {
    let filter = json!({"must": [{"key": "tags", "match": {"value": tag}}]});
    Scope { collections: Vec::new(), filter: serde_json::from_value(filter).unwrap() }
}
