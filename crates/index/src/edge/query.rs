//! One ranked list: a leg of a search as the library's request, and its answer as hits.

use std::cmp::Ordering;
use std::collections::HashMap;

use qdrant_edge::external::ordered_float::OrderedFloat;
use qdrant_edge::{
    AcornSearchParams, Filter, NamedQuery, PointId, QueryEnum, SearchParams, SearchRequest, VectorInternal,
};
use sensorium_domain::index::{Leg, LegQuery, Point, ScoredPoint};
use sensorium_domain::{IndexError, SegmentId, SpaceName};

use super::options::HnswOptions;
use super::places::{Place, Places};
use super::read;
use super::shape::Shape;
use super::shard::Shard;
use super::words::{WORDS, Words};

/// The library reserves memory for as many hits as are asked for.
const MOST_HITS: usize = 1_000_000;

/// Walks over points that do not pass the filter to their neighbours that do, whatever share passes.
const BEYOND_FILTERED: AcornSearchParams = AcornSearchParams { enable: true, max_selectivity: Some(OrderedFloat(1.0)) };

/// A leg with all that its search needs, checked.
#[derive(Debug)]
pub(super) struct Search {
    query: VectorInternal,
    vector_name: String,
    filter: Filter,
    limit: usize,
    params: SearchParams,
}

impl Search {
    /// `None` where the leg can have no hits: nothing is asked for.
    pub(super) fn plan(
        leg: &Leg,
        filter: Filter,
        shape: &Shape,
        words: &Words,
        hnsw: &HnswOptions,
    ) -> Result<Option<Self>, IndexError> {
        let (query, vector_name) = match &leg.query {
            LegQuery::Dense { space, vector } => {
                check_vector(shape, space, vector)?;
                (VectorInternal::Dense(vector.clone()), space.to_string())
            }
            LegQuery::Words(text) => match words.of_query(text) {
                Some(vector) => (VectorInternal::Sparse(vector), WORDS.to_owned()),
                None => return Ok(None),
            },
        };
        if leg.limit == 0 {
            return Ok(None);
        }
        Ok(Some(Self {
            query,
            vector_name,
            filter,
            limit: leg.limit.min(MOST_HITS),
            params: SearchParams {
                hnsw_ef: Some(hnsw.ef),
                exact: hnsw.exact,
                acorn: hnsw.beyond_filtered.then_some(BEYOND_FILTERED),
                ..SearchParams::default()
            },
        }))
    }

    /// The hits, best first, equal scores by ascending id. Blocks.
    pub(super) fn run(self, shard: &Shard, places: &Places) -> Result<Vec<ScoredPoint>, IndexError> {
        let request = SearchRequest {
            query: QueryEnum::Nearest(NamedQuery { query: self.query, using: Some(self.vector_name) }),
            filter: Some(self.filter),
            params: Some(self.params),
            limit: self.limit,
            offset: 0,
            with_payload: None,
            with_vector: None,
            score_threshold: None,
        };
        let found = shard.with(|shard| shard.search(request))?;
        let found =
            found.into_iter().map(|hit| Ok((segment(hit.id)?, hit.score))).collect::<Result<Vec<_>, IndexError>>()?;
        let mut hits = with_places(shard, places, &found)?;
        hits.sort_unstable_by(best_first);
        Ok(hits)
    }
}

/// Adds document and modality. Hits that were removed meanwhile are left out.
fn with_places(shard: &Shard, places: &Places, found: &[(SegmentId, f32)]) -> Result<Vec<ScoredPoint>, IndexError> {
    let mut known = places.get(found.iter().map(|(segment, _)| *segment));
    let unknown: Vec<SegmentId> =
        found.iter().zip(&known).filter(|(_, place)| place.is_none()).map(|((segment, _), _)| *segment).collect();
    if !unknown.is_empty() {
        let read: HashMap<SegmentId, Place> = read::places(shard, &unknown)?.into_iter().collect();
        for ((segment, _), place) in found.iter().zip(&mut known) {
            *place = place.or_else(|| read.get(segment).copied());
        }
        places.remember(read);
    }
    let hits = found.iter().zip(known).filter_map(|((segment, score), place)| {
        let (document, modality) = place?;
        Some(ScoredPoint { segment: *segment, document, modality, score: *score })
    });
    Ok(hits.collect())
}

fn best_first(a: &ScoredPoint, b: &ScoredPoint) -> Ordering {
    b.score.total_cmp(&a.score).then_with(|| a.segment.cmp(&b.segment))
}

/// The segment behind a point's id.
pub(super) fn segment(id: PointId) -> Result<SegmentId, IndexError> {
    match id {
        PointId::Uuid(uuid) => Ok(SegmentId::from_uuid(uuid)),
        PointId::NumId(number) => Err(IndexError::Corrupt(format!("point {number} is not a segment"))),
    }
}

/// Checks every vector of a point that is to be written.
pub(super) fn check_point(shape: &Shape, point: &Point) -> Result<(), IndexError> {
    point.dense.iter().try_for_each(|(space, vector)| check_vector(shape, space, vector))
}

/// A vector must be of its space's length and have a direction.
fn check_vector(shape: &Shape, space: &SpaceName, vector: &[f32]) -> Result<(), IndexError> {
    let wanted = shape.dimension(space)?;
    if vector.len() != wanted {
        return Err(IndexError::Rejected(format!(
            "a vector of space \"{space}\" has {wanted} numbers, not {}",
            vector.len()
        )));
    }
    let square: f32 = vector.iter().map(|number| number * number).sum();
    if !square.is_normal() {
        return Err(IndexError::Rejected(format!(
            "a vector of space \"{space}\" has no direction: it is zero or not finite"
        )));
    }
    Ok(())
}
