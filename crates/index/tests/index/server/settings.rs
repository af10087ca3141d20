//! Settings that a collection takes on, when it is made and later.
#![allow(deprecated)] // see the crate's `tuning`

use qdrant_client::qdrant::{CollectionInfo, Modifier, quantization_config, vectors_config};
use sensorium_domain::VectorIndex;
use sensorium_domain::index::Scope;
use sensorium_index::{HnswOptions, QdrantIndex, QdrantOptions, Quantization};

use super::fresh::Place;
use crate::sample::{acme, near, point, spaces, vector};

fn changed(place: &Place) -> QdrantOptions {
    QdrantOptions {
        quantization: Quantization::Scalar,
        vectors_on_disk: true,
        payload_on_disk: false,
        indexing_threshold_kb: 77,
        write_consistency_factor: 2.try_into().unwrap(),
        hnsw: HnswOptions { m: 24, ef_construct: 99, full_scan_threshold_kb: 55, ..HnswOptions::default() },
        ..place.options()
    }
}

/// What the server has of the settings that `changed` changes.
fn settings(info: CollectionInfo) -> String {
    let config = info.config.unwrap();
    let params = config.params.unwrap();
    let acks = params.write_consistency_factor();
    let hnsw = config.hnsw_config.unwrap();
    let quantization = config.quantization_config.and_then(|config| config.quantization);
    let is_scalar = matches!(quantization, Some(quantization_config::Quantization::Scalar(_)));
    let Some(vectors_config::Config::ParamsMap(vectors)) = params.vectors_config.unwrap().config else {
        panic!("one vector without a name");
    };
    let words = &params.sparse_vectors_config.unwrap().map["lexical"];
    assert_eq!(words.modifier(), Modifier::Idf);
    format!(
        "m {} build {} scan {} graph {} scalar {is_scalar} vectors {} words {} payload {} acks {acks}",
        hnsw.m(),
        hnsw.ef_construct(),
        hnsw.full_scan_threshold(),
        config.optimizer_config.unwrap().indexing_threshold(),
        vectors.map["shared.image"].on_disk(),
        words.index.unwrap().on_disk(),
        params.on_disk_payload
    )
}

const FIRST: &str = "m 16 build 128 scan 4000 graph 10000 scalar false vectors false words false payload true acks 1";
const CHANGED: &str = "m 24 build 99 scan 55 graph 77 scalar true vectors true words true payload false acks 2";

#[tokio::test]
async fn changed_settings_are_taken_on_by_the_collection_that_is_there() {
    let place = Place::shared();
    let index = place.open(&spaces()).await.unwrap();
    assert_eq!(settings(place.info().await), FIRST);
    index.upsert(&acme(), (0..300).map(|number| point(number, 1)).collect()).await.unwrap();
    let legs = [near(vector(7, 1), 10)];
    let before = index.query_batch(&acme(), &Scope::default(), &legs).await.unwrap();

    for (options, wanted) in [(changed(&place), CHANGED), (place.options(), FIRST)] {
        let index = QdrantIndex::open(options, &spaces(), 1).await.unwrap();
        assert_eq!(settings(place.info().await), wanted);
        let after = index.query_batch(&acme(), &Scope::default(), &legs).await.unwrap();
        assert_eq!(after[0][0].segment, before[0][0].segment);
        assert!((after[0][0].score - before[0][0].score).abs() < 1e-4, "scores are those of the full vectors");
        assert_eq!(index.count(&acme(), &Scope::default()).await.unwrap(), 300);
    }
}

#[tokio::test]
async fn a_new_collection_is_as_set() {
    let place = Place::shared();
    QdrantIndex::open(changed(&place), &spaces(), 1).await.unwrap();
    assert_eq!(settings(place.info().await), CHANGED);
    let copies = QdrantOptions { shard_number: Some(3.try_into().unwrap()), ..place.options() };
    QdrantIndex::open(copies, &spaces(), 2).await.unwrap();
    let info = place.client().collection_info(format!("{}_g2", place.name)).await.unwrap().result.unwrap();
    assert_eq!(info.config.unwrap().params.unwrap().shard_number, 3);
}
