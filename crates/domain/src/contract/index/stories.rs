//! Writing, removing, counting and walking.

use serde_json::json;

use super::sample::{
    Chance, bare, cosine, crowd, dense, dense_leg, document, found, scope, segment, shared, sound, tagged, tenant,
    words_leg,
};
use crate::index::{IndexError, Point, Scope, VectorIndex};
use crate::names::CollectionName;

/// A second write under an id leaves nothing of the first: not its words, tags, vectors or metadata.
pub async fn a_point_is_replaced_whole(index: &dyn VectorIndex) {
    let acme = tenant("acme");
    let all = Scope::default();
    let mut first = dense(1, vec![1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    first.dense.push((sound(), vec![1.0, 0.0, 0.0, 0.0]));
    first.words = Some("giraffe".to_owned());
    first.payload.tags = vec!["old".to_owned()];
    first.payload.title = Some("Old".to_owned());
    first.payload.metadata.insert("old".to_owned(), json!(1));
    index.upsert(&acme, vec![first]).await.unwrap();
    assert_eq!(index.count(&acme, &tagged("old")).await.unwrap(), 1);

    let stale = dense(1, vec![0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    let mut second = dense(1, vec![0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    second.words = Some("zebra".to_owned());
    second.payload.tags = vec!["new".to_owned()];
    index.upsert(&acme, vec![stale, second]).await.unwrap();

    assert_eq!(index.count(&acme, &all).await.unwrap(), 1);
    assert_eq!(index.count(&acme, &tagged("old")).await.unwrap(), 0);
    assert_eq!(index.count(&acme, &tagged("new")).await.unwrap(), 1);
    for key in ["title", "metadata.old"] {
        let has = scope(json!({"must": [{"key": key, "exists": true}]}));
        assert_eq!(index.count(&acme, &has).await.unwrap(), 0, "{key}");
    }
    let giraffe = found(index, &acme, &all, words_leg("giraffe", 5)).await;
    assert!(giraffe.is_empty());
    let zebra = found(index, &acme, &all, words_leg("zebra", 5)).await;
    assert_eq!(zebra, [segment(1, 0)]);
    let kept = index.vectors(&acme, &shared(), &[segment(1, 0)]).await.unwrap();
    assert_eq!(kept.len(), 1);
    assert!(kept[0].1[1] > 0.999, "{kept:?}");
    let gone = index.vectors(&acme, &sound(), &[segment(1, 0)]).await.unwrap();
    assert!(gone.is_empty(), "{gone:?}");
}

/// Every call on an index without points gives an empty answer, never an error.
pub async fn an_empty_index_answers(index: &dyn VectorIndex) {
    let acme = tenant("acme");
    let all = Scope::default();
    let legs = [dense_leg(shared(), vec![1.0; 8], 10), words_leg("word", 10)];
    let lists = index.query_batch(&acme, &all, &legs).await.unwrap();
    assert_eq!(lists, [vec![], vec![]]);
    assert!(index.query_batch(&acme, &all, &[]).await.unwrap().is_empty());
    assert_eq!(index.count(&acme, &all).await.unwrap(), 0);
    assert!(index.facet(&acme, &all, "tags", 5).await.unwrap().is_empty());
    assert!(index.scroll(None, 5).await.unwrap().is_empty());
    assert_eq!(index.stats().await.unwrap().points, 0);
    index.upsert(&acme, Vec::new()).await.unwrap();
    index.delete_segments(&acme, &[]).await.unwrap();
    index.flush().await.unwrap();
    index.optimize().await.unwrap();
}

/// A tenant neither sees nor removes what is another's, by any call.
pub async fn tenants_are_apart(index: &dyn VectorIndex) {
    let (acme, zeta) = (tenant("acme"), tenant("zeta"));
    let all = Scope::default();
    let axis = vec![1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    for (owner, number) in [(&acme, 1), (&zeta, 2)] {
        let mut point = dense(number, axis.clone());
        point.words = Some("lighthouse".to_owned());
        point.payload.tags = vec![owner.to_string()];
        index.upsert(owner, vec![point]).await.unwrap();
    }
    let both = [segment(1, 0), segment(2, 0)];
    for (owner, number) in [(&acme, 1), (&zeta, 2)] {
        let own = [segment(number, 0)];
        let near = found(index, owner, &all, dense_leg(shared(), axis.clone(), 10)).await;
        assert_eq!(near, own);
        let read = found(index, owner, &all, words_leg("lighthouse", 10)).await;
        assert_eq!(read, own);
        assert_eq!(index.count(owner, &all).await.unwrap(), 1);
        let facet = index.facet(owner, &all, "tags", 10).await.unwrap();
        assert_eq!(facet, [(owner.as_str().into(), 1)]);
        let vectors = index.vectors(owner, &shared(), &both).await.unwrap();
        assert_eq!(vectors.len(), 1);
        assert_eq!(vectors[0].0, own[0]);
    }
    index.delete_segments(&acme, &[segment(2, 0)]).await.unwrap();
    index.delete_document(&acme, document(2)).await.unwrap();
    assert_eq!(index.count(&zeta, &all).await.unwrap(), 1);
    index.delete_segments(&zeta, &both).await.unwrap();
    assert_eq!(index.count(&zeta, &all).await.unwrap(), 0);
    assert_eq!(index.count(&acme, &all).await.unwrap(), 1);
    let walked = index.scroll(None, 10).await.unwrap();
    assert_eq!(walked, [(acme, segment(1, 0))]);
}

/// A scope of collections holds those collections' points; an empty list holds all.
pub async fn collections_narrow_the_scope(index: &dyn VectorIndex) {
    let acme = tenant("acme");
    let names: Vec<CollectionName> = ["a", "b", "c"].map(|name| name.parse().unwrap()).to_vec();
    for (number, name) in names.iter().enumerate() {
        let mut point = dense(number as u32, vec![1.0; 8]);
        point.payload.collection = name.clone();
        index.upsert(&acme, vec![point]).await.unwrap();
    }
    for (collections, wanted) in [
        (vec![], vec![0, 1, 2]),
        (vec![names[1].clone()], vec![1]),
        (vec![names[2].clone(), names[0].clone()], vec![0, 2]),
        (vec!["nowhere".parse().unwrap()], vec![]),
    ] {
        let scope = Scope { collections, ..Scope::default() };
        let wanted: Vec<_> = wanted.into_iter().map(|number| segment(number, 0)).collect();
        let mut near = found(index, &acme, &scope, dense_leg(shared(), vec![1.0; 8], 10)).await;
        near.sort();
        assert_eq!(near, wanted);
        let count = index.count(&acme, &scope).await.unwrap();
        assert_eq!(count, wanted.len() as u64);
    }
}

/// Removed points are found by nothing any more; others stay; unknown ids are no error.
pub async fn deleted_points_are_gone(index: &dyn VectorIndex) {
    let acme = tenant("acme");
    let all = Scope::default();
    let mut points = Vec::new();
    for (number, ordinal) in [(1, 0), (1, 1), (2, 0), (2, 1), (3, 0)] {
        let mut point = bare(number, ordinal);
        point.dense = vec![(shared(), vec![1.0; 8])];
        point.words = Some("orchard".to_owned());
        points.push(point);
    }
    index.upsert(&acme, points).await.unwrap();
    index.delete_document(&acme, document(1)).await.unwrap();
    index.delete_document(&acme, document(99)).await.unwrap();
    index.delete_segments(&acme, &[segment(2, 1), segment(98, 0)]).await.unwrap();
    let left = [segment(2, 0), segment(3, 0)];
    let near = found(index, &acme, &all, dense_leg(shared(), vec![1.0; 8], 10)).await;
    assert_eq!(near, left);
    let read = found(index, &acme, &all, words_leg("orchard", 10)).await;
    assert_eq!(read, left);
    assert_eq!(index.count(&acme, &all).await.unwrap(), 2);
    assert_eq!(index.scroll(None, 10).await.unwrap().len(), 2);
    let gone = index.vectors(&acme, &shared(), &[segment(1, 0)]).await.unwrap();
    assert!(gone.is_empty());

    let again = dense(1, vec![1.0; 8]);
    index.upsert(&acme, vec![again]).await.unwrap();
    assert_eq!(index.count(&acme, &all).await.unwrap(), 3);
}

/// A facet counts each point once per value, most first, inside its scope.
pub async fn facets_count_points_by_value(index: &dyn VectorIndex) {
    let acme = tenant("acme");
    let all = Scope::default();
    let mut points = Vec::new();
    for (number, tags, year) in [
        (1, vec!["red", "round", "red"], json!(2020)),
        (2, vec!["red"], json!(2020)),
        (3, vec!["blue"], json!([2021, 2020, 2021])),
        (4, vec![], json!(null)),
    ] {
        let mut point = bare(number, 0);
        point.payload.tags = tags.into_iter().map(str::to_owned).collect();
        point.payload.metadata.insert("year".to_owned(), year);
        points.push(point);
    }
    index.upsert(&acme, points).await.unwrap();

    let tags = index.facet(&acme, &all, "tags", 10).await.unwrap();
    assert_eq!(tags, [(json!("red"), 2), (json!("blue"), 1), (json!("round"), 1)]);
    let years = index.facet(&acme, &all, "metadata.year", 10).await.unwrap();
    assert_eq!(years, [(json!(2020), 3), (json!(2021), 1)]);
    let modalities = index.facet(&acme, &all, "modality", 10).await.unwrap();
    assert_eq!(modalities, [(json!("text"), 4)]);
    let documents = index.facet(&acme, &all, "document", 10).await.unwrap();
    assert_eq!(documents.len(), 4);
    assert!(documents.contains(&(document(3).to_string().into(), 1)));
    let types = index.facet(&acme, &all, "media_type", 10).await.unwrap();
    assert_eq!(types, [(json!("text/plain"), 4)]);
    let first = index.facet(&acme, &all, "tags", 1).await.unwrap();
    assert_eq!(first, [(json!("red"), 2)]);
    let of_red = index.facet(&acme, &tagged("red"), "tags", 10).await.unwrap();
    assert_eq!(of_red, [(json!("red"), 2), (json!("round"), 1)]);
    let unknown = index.facet(&acme, &all, "nonsense", 10).await;
    assert!(matches!(unknown, Err(IndexError::Rejected(_))), "{unknown:?}");
}

/// The walk gives every point of every tenant once, in order of id, in pages of any size.
pub async fn the_walk_meets_every_point_once(index: &dyn VectorIndex) {
    let mut chance = Chance(4);
    let mut wanted = Vec::new();
    for (number, point) in crowd(&mut chance, 57).into_iter().enumerate() {
        let owner = tenant(["acme", "zeta", "beta"][number % 3]);
        wanted.push((point.id, owner.clone()));
        index.upsert(&owner, vec![point]).await.unwrap();
    }
    wanted.sort();
    for limit in [1, 10, 57, 1000] {
        let mut walked = Vec::new();
        let mut after = None;
        loop {
            let page = index.scroll(after, limit).await.unwrap();
            assert!(page.len() <= limit);
            let Some((_, last)) = page.last() else {
                break;
            };
            after = Some(*last);
            walked.extend(page.into_iter().map(|(owner, id)| (id, owner)));
        }
        assert_eq!(walked, wanted, "in pages of {limit}");
    }
}

/// Stored vectors come back in direction; segments without one in the space are left out.
pub async fn vectors_come_back(index: &dyn VectorIndex) {
    let acme = tenant("acme");
    let points = crowd(&mut Chance(5), 40);
    let mut ids: Vec<_> = points.iter().map(|point| point.id).collect();
    ids.push(segment(99, 0));
    index.upsert(&acme, points.clone()).await.unwrap();
    for space in [shared(), sound()] {
        let of_space = |point: &Point| {
            let vector = point.dense.iter().find(|(name, _)| *name == space);
            vector.map(|(_, vector)| (point.id, vector.clone()))
        };
        let wanted: Vec<_> = points.iter().filter_map(of_space).collect();
        let mut kept = index.vectors(&acme, &space, &ids).await.unwrap();
        kept.sort_by_key(|(id, _)| *id);
        assert_eq!(kept.len(), wanted.len());
        for ((id, vector), (wanted_id, wanted_vector)) in kept.iter().zip(&wanted) {
            assert_eq!(id, wanted_id);
            assert!(cosine(vector, wanted_vector) > 0.9999);
        }
    }
}

/// Vectors of the wrong length, without direction or of an unknown space are refused, and nothing of their batch is written.
pub async fn vectors_without_sense_are_rejected(index: &dyn VectorIndex) {
    let acme = tenant("acme");
    let all = Scope::default();
    let mut not_finite = vec![1.0; 8];
    not_finite[3] = f32::NAN;
    let senseless = [
        (shared(), vec![1.0; 7]),
        (shared(), Vec::new()),
        (shared(), vec![0.0; 8]),
        (shared(), not_finite),
        (shared(), vec![f32::INFINITY; 8]),
        ("nowhere".parse().unwrap(), vec![1.0; 8]),
    ];
    for (space, vector) in senseless {
        let mut bad = bare(2, 0);
        bad.dense = vec![(space.clone(), vector.clone())];
        let written = index.upsert(&acme, vec![dense(1, vec![1.0; 8]), bad]).await;
        assert!(matches!(written, Err(IndexError::Rejected(_))), "{written:?} for {space} {vector:?}");
        let legs = [dense_leg(space.clone(), vector.clone(), 5)];
        let asked = index.query_batch(&acme, &all, &legs).await;
        assert!(matches!(asked, Err(IndexError::Rejected(_))), "{asked:?} for {space} {vector:?}");
    }
    assert_eq!(index.count(&acme, &all).await.unwrap(), 0);
}

/// Flushes that meet each other and writes all succeed, and lose nothing.
pub async fn many_flush_at_once(index: &dyn VectorIndex) {
    let acme = tenant("acme");
    let points = crowd(&mut Chance(6), 60);
    for some in points.chunks(20) {
        let (written, first, second, third) =
            tokio::join!(index.upsert(&acme, some.to_vec()), index.flush(), index.flush(), index.flush());
        written.unwrap();
        first.unwrap();
        second.unwrap();
        third.unwrap();
    }
    assert_eq!(index.count(&acme, &Scope::default()).await.unwrap(), 60);
    assert_eq!(index.stats().await.unwrap().points, 60);
}

/// After graphs are built the same questions get the same answers.
pub async fn optimizing_changes_no_answer(index: &dyn VectorIndex) {
    let acme = tenant("acme");
    let all = Scope::default();
    let mut chance = Chance(7);
    let mut points = crowd(&mut chance, 300);
    index.upsert(&acme, points.split_off(100)).await.unwrap();
    index.upsert(&acme, points).await.unwrap();
    for number in 0..90 {
        index.delete_document(&acme, document(number)).await.unwrap();
    }
    let legs = [dense_leg(shared(), chance.vector(8), 300), words_leg("violin winter", 300)];
    let before = index.query_batch(&acme, &all, &legs).await.unwrap();
    assert_eq!(before[0].len(), 210);
    index.optimize().await.unwrap();
    let after = index.query_batch(&acme, &all, &legs).await.unwrap();
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before.len(), after.len());
        for (before, after) in before.iter().zip(after) {
            assert!((before.score - after.score).abs() < 1e-4);
        }
    }
    assert_eq!(index.count(&acme, &all).await.unwrap(), 210);
    assert_eq!(index.stats().await.unwrap().points, 210);
}
