//! Many tenants in one collection.

use std::time::Duration;

use qdrant_client::qdrant::payload_index_params::IndexParams;
use sensorium_domain::index::{Leg, LegQuery, Scope};
use sensorium_domain::{SegmentId, TenantId, VectorIndex};
use sensorium_index::{HnswOptions, QdrantIndex, QdrantOptions, Quantization};

use super::fresh::Place;
use crate::sample::{near, point, segment, spaces, vector};

const TENANTS: u64 = 12;
const POINTS: u64 = 60;

fn tenant(number: u64) -> TenantId {
    format!("tenant-{number}").parse().unwrap()
}

fn numbers(tenant: u64) -> impl Iterator<Item = u64> {
    (0..POINTS).map(move |number| number * TENANTS + tenant)
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

#[tokio::test]
async fn each_finds_its_own_exactly_through_graphs_and_bytes() {
    let place = Place::shared();
    // Graphs and the smaller form are built for a few hundred points already.
    let options = QdrantOptions {
        quantization: Quantization::Scalar,
        indexing_threshold_kb: 10,
        hnsw: HnswOptions { full_scan_threshold_kb: 10, ..HnswOptions::default() },
        ..place.options()
    };
    let index = QdrantIndex::open(options, &spaces(), 1).await.unwrap();
    for tenant_number in 0..TENANTS {
        let points = numbers(tenant_number).map(|number| point(number, 1)).collect();
        index.upsert(&tenant(tenant_number), points).await.unwrap();
    }
    while index.stats().await.unwrap().indexed == 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for tenant_number in 0..TENANTS {
        let query = vector(1_000_000 + tenant_number, 1);
        let mut wanted: Vec<(f32, SegmentId)> =
            numbers(tenant_number).map(|number| (cosine(&query, &vector(number, 1)), segment(number))).collect();
        wanted.sort_by(|a, b| b.0.total_cmp(&a.0));
        let words = Leg { query: LegQuery::Words("round1".to_owned()), modality: None, limit: 1_000 };
        let legs = [near(query, 10), words];
        let lists = index.query_batch(&tenant(tenant_number), &Scope::default(), &legs).await.unwrap();
        assert_eq!(lists[0].len(), 10);
        for (hit, (score, id)) in lists[0].iter().zip(&wanted) {
            assert_eq!(hit.segment, *id);
            assert!((hit.score - score).abs() < 1e-4, "{hit:?} {score}");
        }
        let mut own: Vec<SegmentId> = lists[1].iter().map(|hit| hit.segment).collect();
        let mut all: Vec<SegmentId> = numbers(tenant_number).map(segment).collect();
        own.sort();
        all.sort();
        assert_eq!(own, all, "words find a tenant's own");
    }
    let schema = place.info().await.payload_schema;
    let params = schema["tenant"].params.as_ref().and_then(|params| params.index_params.as_ref());
    let Some(IndexParams::KeywordIndexParams(params)) = params else { panic!("{params:?}") };
    assert!(params.is_tenant());
}
