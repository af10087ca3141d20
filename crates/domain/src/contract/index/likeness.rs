//! Two indexes beside each other.

use std::collections::HashMap;

use super::filters::{random_filter, random_point};
use super::sample::{Chance, dense_leg, document, scope, shared, sound, tenant, words_leg};
use crate::ids::SegmentId;
use crate::index::{Leg, Point, Scope, ScoredPoint, VectorIndex};
use crate::names::TenantId;
use crate::segment::Modality;

/// Scores nearer than this are the same.
const NEAR: f32 = 1e-4;
const POINTS: u32 = 120;
const QUESTIONS: usize = 60;

/// Told the same, in the same order, both give the same answers to random questions: the same segments, with scores to 1e-4. The
/// rarity of a word counts the points of all tenants.
pub async fn two_indexes_answer_alike(one: &dyn VectorIndex, other: &dyn VectorIndex, seed: u64) {
    let mut chance = Chance(seed);
    let tenants = [tenant("acme"), tenant("zeta")];
    tell(&mut chance, &tenants, one, other).await;
    let ids = walk(one).await;
    assert_eq!(ids, walk(other).await);
    for _ in 0..QUESTIONS {
        let owner = chance.pick(&tenants).clone();
        let scope = random_scope(&mut chance);
        let legs: Vec<Leg> = (0..=chance.below(4)).map(|_| random_leg(&mut chance)).collect();
        let lists = one.query_batch(&owner, &scope, &legs).await.unwrap();
        let others = other.query_batch(&owner, &scope, &legs).await.unwrap();
        assert_eq!(lists.len(), others.len());
        for (leg, (list, other)) in legs.iter().zip(lists.iter().zip(&others)) {
            assert_alike(list, other, leg);
        }
        assert_eq!(one.count(&owner, &scope).await.unwrap(), other.count(&owner, &scope).await.unwrap());
        for key in ["tags", "modality", "document", "title", "metadata.year", "metadata.camera.under_score"] {
            let limit = chance.below(8) as usize;
            let counts = one.facet(&owner, &scope, key, limit).await.unwrap();
            assert_eq!(counts, other.facet(&owner, &scope, key, limit).await.unwrap(), "{key} {scope:?}");
        }
    }
    for owner in &tenants {
        let kept = vectors(one, owner, &ids).await;
        let others = vectors(other, owner, &ids).await;
        assert_eq!(kept.len(), others.len());
        for (segment, vector) in kept {
            let differ = vector.iter().zip(&others[&segment]).any(|(a, b)| (a - b).abs() > NEAR);
            assert!(!differ, "{segment}: {vector:?} {:?}", others[&segment]);
        }
    }
}

/// Writes in batches, some points twice, and removes some again.
async fn tell(chance: &mut Chance, tenants: &[TenantId], one: &dyn VectorIndex, other: &dyn VectorIndex) {
    let numbers = (0..POINTS).chain((0..POINTS / 4).map(|number| number * 2));
    let mut rest: Vec<(u32, Point)> = numbers.map(|number| (number, point(chance, number))).collect();
    while !rest.is_empty() {
        let batch = rest.split_off(rest.len().saturating_sub(1 + chance.below(40) as usize));
        for (position, owner) in tenants.iter().enumerate() {
            // A document keeps its tenant however often it is written.
            let theirs = batch.iter().filter(|(number, _)| *number as usize % tenants.len() == position);
            let theirs: Vec<Point> = theirs.map(|(_, point)| point.clone()).collect();
            one.upsert(owner, theirs.clone()).await.unwrap();
            other.upsert(owner, theirs).await.unwrap();
        }
    }
    for _ in 0..POINTS / 10 {
        let owner = chance.pick(tenants).clone();
        let gone = document(chance.below(u64::from(POINTS)) as u32);
        one.delete_document(&owner, gone).await.unwrap();
        other.delete_document(&owner, gone).await.unwrap();
    }
    one.flush().await.unwrap();
    other.flush().await.unwrap();
}

const WORDS: [&str; 12] =
    ["the", "of", "river", "rivers", "RIVER", "stone", "bridge", "naïve", "café", "don't", "2026", "e-mail"];

fn point(chance: &mut Chance, number: u32) -> Point {
    let mut point = random_point(chance, number);
    if chance.one_in(3) {
        point.dense.push((sound(), chance.vector(4)));
    }
    let length = chance.below(30);
    point.words = (length > 0).then(|| random_text(chance, length));
    point
}

/// Words of which the first are the commonest.
fn random_text(chance: &mut Chance, length: u64) -> String {
    let words: Vec<&str> = (0..length)
        .map(|_| {
            let end = 1 + chance.below(WORDS.len() as u64) as usize;
            *chance.pick(&WORDS[..end])
        })
        .collect();
    words.join(*chance.pick(&[" ", ", ", "\n"]))
}

fn random_scope(chance: &mut Chance) -> Scope {
    if chance.one_in(3) { Scope::default() } else { scope(random_filter(chance)) }
}

fn random_leg(chance: &mut Chance) -> Leg {
    let limit = chance.below(70) as usize;
    let length = 1 + chance.below(4);
    let leg = match chance.below(3) {
        0 => dense_leg(shared(), chance.vector(8), limit),
        1 => dense_leg(sound(), chance.vector(4), limit),
        _ => words_leg(&random_text(chance, length), limit),
    };
    let modality = chance.one_in(3).then(|| *chance.pick(&Modality::ALL));
    Leg { modality, ..leg }
}

/// Where scores are equal at the end of a full list, either may have kept others.
fn assert_alike(list: &[ScoredPoint], other: &[ScoredPoint], leg: &Leg) {
    assert_eq!(list.len(), other.len(), "{leg:?}");
    for (hit, other) in list.iter().zip(other) {
        assert!((hit.score - other.score).abs() < NEAR, "{hit:?} {other:?} {leg:?}");
    }
    let others: HashMap<SegmentId, &ScoredPoint> = other.iter().map(|hit| (hit.segment, hit)).collect();
    let last = list.last().filter(|_| list.len() == leg.limit).map_or(f32::MIN, |hit| hit.score);
    for hit in list.iter().filter(|hit| hit.score > last + NEAR) {
        let other = others.get(&hit.segment);
        let is_same = other.is_some_and(|other| {
            (hit.score - other.score).abs() < NEAR && (hit.document, hit.modality) == (other.document, other.modality)
        });
        assert!(is_same, "{hit:?} {other:?} {leg:?}");
    }
}

async fn walk(index: &dyn VectorIndex) -> Vec<(TenantId, SegmentId)> {
    let walked = index.scroll(None, 10_000).await.unwrap();
    assert!(walked.len() > POINTS as usize / 2);
    walked
}

async fn vectors(
    index: &dyn VectorIndex,
    owner: &TenantId,
    ids: &[(TenantId, SegmentId)],
) -> HashMap<SegmentId, Vec<f32>> {
    let segments: Vec<SegmentId> = ids.iter().map(|(_, segment)| *segment).collect();
    index.vectors(owner, &shared(), &segments).await.unwrap().into_iter().collect()
}
