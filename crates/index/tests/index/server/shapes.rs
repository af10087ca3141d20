//! Collections: made once, opened again, refused where they do not fit, named by the alias.

use std::collections::HashMap;

use qdrant_client::qdrant::{
    CreateCollection, Distance, Modifier, SparseVectorConfig, SparseVectorParams, Value, VectorParams, VectorParamsMap,
    vectors_config,
};
use sensorium_domain::index::Scope;
use sensorium_domain::{IndexError, Modality, SpaceName, VectorIndex};
use sensorium_index::{QdrantIndex, QdrantOptions, WordsOptions};

use super::fresh::Place;
use crate::sample::{acme, indexed, near, point, segment, space, spaces, vector};

fn mismatch(opened: Result<QdrantIndex, IndexError>) -> String {
    match opened.map(|_| ()) {
        Err(IndexError::Mismatch(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn another_shape_is_a_mismatch_and_harms_nothing() {
    let place = Place::shared();
    let index = place.open(&spaces()).await.unwrap();
    index.upsert(&acme(), vec![point(1, 1)]).await.unwrap();

    let other: SpaceName = "other".parse().unwrap();
    let wider = vec![indexed(space(), 128)];
    let renamed = vec![indexed(other.clone(), 64)];
    let more = vec![indexed(space(), 64), indexed(other, 64)];
    for shape in [wider, renamed, more, Vec::new()] {
        let text = mismatch(place.open(&shape).await);
        assert!(text.contains("shared(64 of text, ") && text.contains(&place.collection()), "{text}");
    }
    let words = WordsOptions { language: "german".to_owned(), ..WordsOptions::default() };
    mismatch(QdrantIndex::open(QdrantOptions { words, ..place.options() }, &spaces(), 1).await);
    let copies = QdrantOptions { replication_factor: 2.try_into().unwrap(), ..place.options() };
    let text = mismatch(QdrantIndex::open(copies, &spaces(), 1).await);
    assert!(text.contains("replication_factor 1"), "{text}");
    let shards = QdrantOptions { shard_number: Some(3.try_into().unwrap()), ..place.options() };
    let text = mismatch(QdrantIndex::open(shards, &spaces(), 1).await);
    assert!(text.contains("shard_number 1"), "{text}");

    let again = place.open(&spaces()).await.unwrap();
    assert_eq!(again.count(&acme(), &Scope::default()).await.unwrap(), 1);
    let lists = again.query_batch(&acme(), &Scope::default(), &[near(vector(1, 1), 5)]).await.unwrap();
    assert_eq!(lists[0][0].segment, segment(1), "found by an index that did not write it");
}

/// Makes the collection as another program might.
async fn make(place: &Place, distance: Distance, modifier: Option<Modifier>, metadata: HashMap<String, Value>) {
    let vector = VectorParams { size: 64, distance: distance.into(), ..VectorParams::default() };
    let vectors = Modality::ALL.iter().map(|modality| (format!("shared.{modality}"), vector)).collect();
    let words = SparseVectorParams { modifier: modifier.map(Into::into), ..SparseVectorParams::default() };
    let request = CreateCollection {
        collection_name: place.collection(),
        vectors_config: Some(vectors_config::Config::ParamsMap(VectorParamsMap { map: vectors }).into()),
        sparse_vectors_config: Some(SparseVectorConfig { map: HashMap::from([("lexical".to_owned(), words)]) }),
        metadata,
        ..CreateCollection::default()
    };
    place.client().create_collection(request).await.unwrap();
}

#[tokio::test]
async fn what_another_program_made_is_a_mismatch() {
    let place = Place::shared();
    drop(place.open(&spaces()).await.unwrap());
    let metadata = place.info().await.config.unwrap().metadata;

    let foreign = Place::shared();
    make(&foreign, Distance::Cosine, Some(Modifier::Idf), HashMap::new()).await;
    let text = mismatch(foreign.open(&spaces()).await);
    assert!(text.contains("not made by"), "{text}");

    let far = Place::shared();
    make(&far, Distance::Euclid, Some(Modifier::Idf), metadata.clone()).await;
    let text = mismatch(far.open(&spaces()).await);
    assert!(
        text.contains("shared.text(64, Euclid)") && text.contains("not") && text.contains("shared.text(64, Cosine)"),
        "{text}"
    );

    let plain = Place::shared();
    make(&plain, Distance::Cosine, None, metadata.clone()).await;
    let text = mismatch(plain.open(&spaces()).await);
    assert!(text.contains("lexical(sparse, None)"), "{text}");

    let equal = Place::shared();
    make(&equal, Distance::Cosine, Some(Modifier::Idf), metadata).await;
    equal.open(&spaces()).await.unwrap();
}

#[tokio::test]
async fn processes_that_start_at_once_share_the_collection() {
    let place = Place::shared();
    let spaces = spaces();
    let (first, second, third) = tokio::join!(place.open(&spaces), place.open(&spaces), place.open(&spaces));
    first.unwrap().upsert(&acme(), vec![point(1, 1)]).await.unwrap();
    for index in [second, third] {
        assert_eq!(index.unwrap().count(&acme(), &Scope::default()).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn generations_are_apart_and_the_alias_names_the_current_one() {
    let place = Place::shared();
    let client = place.client();
    let current = async || {
        let aliases = client.list_aliases().await.unwrap().aliases;
        aliases.into_iter().find(|known| known.alias_name == place.name).map(|known| known.collection_name)
    };
    let first = place.open(&spaces()).await.unwrap();
    assert_eq!(current().await, None);
    first.make_current().await.unwrap();
    first.make_current().await.unwrap();
    assert_eq!(current().await, Some(place.collection()));
    first.upsert(&acme(), vec![point(1, 1)]).await.unwrap();

    let second = QdrantIndex::open(place.options(), &[indexed(space(), 32)], 2).await.unwrap();
    assert_eq!(current().await, Some(place.collection()), "a generation is built in the background");
    assert_eq!(second.count(&acme(), &Scope::default()).await.unwrap(), 0);
    second.make_current().await.unwrap();
    assert_eq!(current().await, Some(format!("{}_g2", place.name)));
    assert_eq!(first.count(&acme(), &Scope::default()).await.unwrap(), 1, "kept for a rollback");
}
