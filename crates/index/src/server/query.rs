//! Ranked lists: legs of a search as one request, and its answer as hits.

use std::collections::HashSet;

use qdrant_client::qdrant::{
    AcornSearchParams, DenseVector, QuantizationSearchParams, Query, QueryBatchPoints, QueryPoints, SearchParams,
    SparseVector, VectorInput, query, vector_input,
};
use sensorium_domain::index::ScoredPoint;
use sensorium_domain::{IndexError, SegmentId};

use super::options::{QdrantOptions, Quantization};
use super::points::segment;
use super::{Reader, filter, read};
use crate::filter::Clauses;
use crate::hits::Found;
use crate::legs::{Plan, PlanQuery};
use crate::options::BEYOND_FILTERED_BELOW;
use crate::places::Places;

/// Candidates by the smaller form for every hit.
const OVERSAMPLING: f64 = 2.0;

/// Runs plans; a list for each.
pub(super) async fn run(
    reader: Reader<'_>,
    plans: Vec<Plan>,
    options: &QdrantOptions,
    places: &Places,
) -> Result<Vec<Vec<ScoredPoint>>, IndexError> {
    if plans.is_empty() {
        return Ok(Vec::new());
    }
    let asked: Vec<QueryPoints> = plans.into_iter().map(|plan| request(reader.collection, plan, options)).collect();
    let wanted = asked.len();
    let answer = reader
        .client
        .answer(reader.client.ask().query_batch(QueryBatchPoints {
            collection_name: reader.collection.to_owned(),
            query_points: asked,
            timeout: Some(reader.client.timeout_s()),
            ..QueryBatchPoints::default()
        }))
        .await?;
    if answer.result.len() != wanted {
        return Err(IndexError::Internal(format!("{} answers to {wanted} legs", answer.result.len())));
    }
    let mut found = Vec::with_capacity(wanted);
    for list in answer.result {
        let ranked = list.result.into_iter().map(|hit| Ok((segment(hit.id)?, hit.score)));
        found.push(Found::new(ranked.collect::<Result<_, IndexError>>()?, places));
    }
    let unknown: HashSet<SegmentId> = found.iter().flat_map(Found::unknown).collect();
    let read = read::places(reader, unknown).await?;
    places.remember(read.iter().map(|(segment, place)| (*segment, *place)));
    Ok(found.into_iter().map(|found| found.into_hits(&read)).collect())
}

fn request(collection: &str, plan: Plan, options: &QdrantOptions) -> QueryPoints {
    let params = search_params(options, &plan.clauses);
    let vector = match plan.query {
        PlanQuery::Dense(data) => vector_input::Variant::Dense(DenseVector { data }),
        PlanQuery::Words(words) => {
            vector_input::Variant::Sparse(SparseVector { indices: words.indices, values: words.values })
        }
    };
    let nearest = query::Variant::Nearest(VectorInput { variant: Some(vector) });
    QueryPoints {
        collection_name: collection.to_owned(),
        query: Some(Query { variant: Some(nearest) }),
        using: Some(plan.using),
        filter: Some(filter::of(&plan.clauses)),
        params: Some(params),
        limit: Some(plan.limit as u64),
        with_payload: Some(false.into()),
        with_vectors: Some(false.into()),
        ..QueryPoints::default()
    }
}

/// A tenant's points have links of their own among each other, so that a search which asks for no more than the tenant need not walk through those of others.
fn search_params(options: &QdrantOptions, clauses: &Clauses) -> SearchParams {
    let hnsw = &options.hnsw;
    SearchParams {
        hnsw_ef: Some(hnsw.ef as u64),
        exact: Some(hnsw.exact),
        acorn: Some(AcornSearchParams {
            enable: Some(hnsw.beyond_filtered && clauses.narrow_a_tenant()),
            max_selectivity: Some(BEYOND_FILTERED_BELOW),
        }),
        quantization: (options.quantization == Quantization::Scalar).then_some(QuantizationSearchParams {
            ignore: Some(false),
            rescore: Some(true),
            oversampling: Some(OVERSAMPLING),
        }),
        ..SearchParams::default()
    }
}
