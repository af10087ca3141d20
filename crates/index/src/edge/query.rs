//! One ranked list: a leg of a search as the library's request, and its answer as hits.

use qdrant_edge::external::ordered_float::OrderedFloat;
use qdrant_edge::{AcornSearchParams, NamedQuery, PointId, QueryEnum, SearchParams, SearchRequest, VectorInternal};
use sensorium_domain::index::ScoredPoint;
use sensorium_domain::{IndexError, SegmentId};

use super::shard::Shard;
use super::{filter, read};
use crate::hits::Found;
use crate::legs::{Plan, PlanQuery};
use crate::options::{BEYOND_FILTERED_BELOW, HnswOptions};
use crate::places::Places;

/// Walks over points that do not pass the filter to their neighbours that do, where few pass.
const BEYOND_FILTERED: AcornSearchParams =
    AcornSearchParams { enable: true, max_selectivity: Some(OrderedFloat(BEYOND_FILTERED_BELOW)) };

/// A leg as the library wants it.
#[derive(Debug)]
pub(super) struct Search(SearchRequest);

impl Search {
    pub(super) fn new(plan: Plan, hnsw: &HnswOptions) -> Result<Self, IndexError> {
        let query = match plan.query {
            PlanQuery::Dense(vector) => VectorInternal::Dense(vector),
            PlanQuery::Words(vector) => VectorInternal::Sparse(vector),
        };
        Ok(Self(SearchRequest {
            query: QueryEnum::Nearest(NamedQuery { query, using: Some(plan.using) }),
            filter: Some(filter::of(&plan.clauses)?),
            params: Some(SearchParams {
                hnsw_ef: Some(hnsw.ef),
                exact: hnsw.exact,
                acorn: hnsw.beyond_filtered.then_some(BEYOND_FILTERED),
                ..SearchParams::default()
            }),
            limit: plan.limit,
            offset: 0,
            with_payload: None,
            with_vector: None,
            score_threshold: None,
        }))
    }

    /// The hits, best first, equal scores by ascending id. Blocks.
    pub(super) fn run(self, shard: &Shard, places: &Places) -> Result<Vec<ScoredPoint>, IndexError> {
        let ranked = shard.with(|shard| shard.search(self.0))?;
        let ranked =
            ranked.into_iter().map(|hit| Ok((segment(hit.id)?, hit.score))).collect::<Result<_, IndexError>>()?;
        let found = Found::new(ranked, places);
        let unknown: Vec<SegmentId> = found.unknown().collect();
        let read = if unknown.is_empty() { Vec::new() } else { read::places(shard, &unknown)? };
        places.remember(read.iter().copied());
        Ok(found.into_hits(&read.into_iter().collect()))
    }
}

/// The segment behind a point's id.
pub(super) fn segment(id: PointId) -> Result<SegmentId, IndexError> {
    match id {
        PointId::Uuid(uuid) => Ok(SegmentId::from_uuid(uuid)),
        PointId::NumId(number) => Err(IndexError::Corrupt(format!("point {number} is not a segment"))),
    }
}
