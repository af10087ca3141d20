//! Points to tell stories with, and a small generator of random numbers that gives the same ones every time.

use serde_json::{Map, Value, json};

use crate::filter::Filter;
use crate::ids::{DocumentId, PartId, SegmentId};
use crate::index::{IndexedSpace, Leg, LegQuery, Point, PointPayload, Scope, VectorIndex};
use crate::names::{SpaceName, TenantId};
use crate::segment::{Modality, SegmentKind};
use crate::time::Timestamp;

/// The spaces that the index under test is opened for, with their dimensions.
pub fn spaces() -> Vec<IndexedSpace> {
    let space = |name, dimension| IndexedSpace { name, dimension, modalities: Modality::ALL.to_vec() };
    vec![space(shared(), 8), space(sound(), 4)]
}

pub(super) fn shared() -> SpaceName {
    "shared".parse().unwrap()
}

pub(super) fn sound() -> SpaceName {
    "sound".parse().unwrap()
}

pub(super) fn tenant(name: &str) -> TenantId {
    name.parse().unwrap()
}

/// SplitMix64.
#[derive(Debug, Clone)]
pub(super) struct Chance(pub u64);

impl Chance {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// True once in `n` times.
    pub(super) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub(super) fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len() as u64) as usize]
    }

    pub(super) fn vector(&mut self, dimension: usize) -> Vec<f32> {
        (0..dimension).map(|_| self.below(20_001) as f32 / 10_000.0 - 1.0).collect()
    }

    pub(super) fn unit_vector(&mut self, dimension: usize) -> Vec<f32> {
        let vector = self.vector(dimension);
        let length = dot(&vector, &vector).sqrt();
        vector.into_iter().map(|number| number / length).collect()
    }
}

pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

pub(super) fn cosine(a: &[f32], b: &[f32]) -> f32 {
    dot(a, b) / (dot(a, a).sqrt() * dot(b, b).sqrt())
}

/// The document number `number`.
pub(super) fn document(number: u32) -> DocumentId {
    DocumentId::new(Timestamp::from_millis(1_700_000_000_000 + i64::from(number)), u128::from(number))
}

/// The segment number `ordinal` of document number `number`.
pub(super) fn segment(number: u32, ordinal: u32) -> SegmentId {
    SegmentId::derive(part(number), "chunk", ordinal)
}

fn part(number: u32) -> PartId {
    PartId::from_uuid(document(number).uuid())
}

/// A point of text without vectors, words, tags or metadata.
pub(super) fn bare(number: u32, ordinal: u32) -> Point {
    Point {
        id: segment(number, ordinal),
        payload: PointPayload {
            collection: "default".parse().unwrap(),
            document: document(number),
            part: part(number),
            modality: Modality::Text,
            kind: SegmentKind::Chunk,
            media_type: "text/plain".to_owned(),
            external_id: None,
            title: None,
            tags: Vec::new(),
            metadata: Map::new(),
            created_at: Timestamp::from_millis(1_700_000_000_000 + i64::from(number)),
            updated_at: Timestamp::from_millis(1_800_000_000_000 + i64::from(number)),
        },
        dense: Vec::new(),
        words: None,
    }
}

/// A point with one vector in the space `shared`.
pub(super) fn dense(number: u32, vector: Vec<f32>) -> Point {
    Point { dense: vec![(shared(), vector)], ..bare(number, 0) }
}

/// A point with words.
pub(super) fn words(number: u32, text: &str) -> Point {
    Point { words: Some(text.to_owned()), ..bare(number, 0) }
}

/// Points of random vectors in both spaces, words, modality, tags and a metadata number.
pub(super) fn crowd(chance: &mut Chance, count: u32) -> Vec<Point> {
    let vocabulary = ["river", "stone", "bridge", "lamp", "train", "violin", "harbour", "winter"];
    (0..count)
        .map(|number| {
            let mut point = dense(number, chance.unit_vector(8));
            if !chance.one_in(4) {
                point.dense.push((sound(), chance.unit_vector(4)));
            }
            let text: Vec<&str> = (0..=chance.below(5)).map(|_| *chance.pick(&vocabulary)).collect();
            point.words = Some(text.join(" "));
            point.payload.modality = *chance.pick(&Modality::ALL);
            point.payload.tags = vec![(*chance.pick(&["red", "green"])).to_owned()];
            let year = 2000 + chance.below(5);
            point.payload.metadata.insert("year".to_owned(), year.into());
            point
        })
        .collect()
}

pub(super) fn dense_leg(space: SpaceName, vector: Vec<f32>, limit: usize) -> Leg {
    Leg { query: LegQuery::Dense { space, vector }, modality: None, limit }
}

pub(super) fn words_leg(text: &str, limit: usize) -> Leg {
    Leg { query: LegQuery::Words(text.to_owned()), modality: None, limit }
}

/// The scope of a filter in its JSON form.
pub(super) fn scope(filter: Value) -> Scope {
    let filter: Filter = serde_json::from_value(filter).unwrap();
    assert_eq!(filter.check(), vec![]);
    Scope { collections: Vec::new(), filter }
}

/// The scope of points with a tag.
pub(super) fn tagged(tag: &str) -> Scope {
    scope(json!({"must": [{"key": "tags", "match": {"value": tag}}]}))
}

/// The segments that a leg finds, best first.
pub(super) async fn found(index: &dyn VectorIndex, tenant: &TenantId, scope: &Scope, leg: Leg) -> Vec<SegmentId> {
    let mut lists = index.query_batch(tenant, scope, &[leg]).await.unwrap();
    assert_eq!(lists.len(), 1);
    let list = lists.remove(0);
    list.into_iter().map(|hit| hit.segment).collect()
}
