//! Live segments, and the vectors that are kept for them.

use super::CatalogFixture;
use super::sample::{LeaseLost, NotFound, Stage, content, model, refused, tenant, unreadable};
use crate::catalog::{JobEnd, Lease, NewVector};
use crate::ids::{BlobHash, ContentKey, SegmentId};
use crate::job::Progress;
use crate::names::ModelName;

/// In the order asked for, each with its own part and document; what is not there is left out.
pub async fn segments_are_seen_with_part_and_document(fixture: &dyn CatalogFixture) {
    let stage = Stage::open(fixture).await;
    let (catalog, acme) = (&stage.catalog, &stage.acme);
    let first = stage.ready(None, &["one", "two"]).await;
    let second = stage.ready(None, &["three"]).await;
    let mut ids = stage.live_ids(first.id).await;
    ids.extend(stage.live_ids(second.id).await);
    ids.reverse();
    ids.insert(2, SegmentId::from_uuid(first.id.uuid()));
    let views = catalog.segment_views(acme, &ids).await.unwrap();
    let unknown = ids.remove(2);
    assert_eq!(views.iter().map(|view| view.segment.id).collect::<Vec<_>>(), ids);
    assert_eq!(views.len(), 6);
    for view in &views {
        assert_eq!(view.part, catalog.part(acme, view.segment.part).await.unwrap());
        assert_eq!(view.document.id, view.segment.document);
    }
    assert_eq!((&views[0].document, &views[5].document), (&second, &first));
    let twice = catalog.segment_views(acme, &[ids[1], ids[1]]).await.unwrap();
    assert_eq!(twice, [views[1].clone(), views[1].clone()]);
    assert_eq!(catalog.segment_views(acme, &[]).await.unwrap(), []);
    assert_eq!(catalog.live_segments(acme, &[ids[3], unknown, ids[0]]).await.unwrap(), [ids[3], ids[0]]);
    refused(catalog.segments(acme, stage.document_id(), 0, 1).await, NotFound);
}

/// By tenant, model and content, to the precision of half floats.
pub async fn vectors_come_back_as_halves(fixture: &dyn CatalogFixture) {
    let stage = Stage::open(fixture).await;
    let (catalog, acme) = (&stage.catalog, &stage.acme);
    let keys: Vec<_> = (0..3u8).map(|number| ContentKey::of(&[&[number]])).collect();
    let [text, sound] = [model("text@1"), model("sound@1")];
    let exact = vec![0.5, -0.25, 1.0, 0.0];
    let rounded: Vec<f32> = (0..384).map(|number| (number as f32 * 0.37).sin()).collect();
    let vectors = [(keys[0], exact.clone()), (keys[1], rounded.clone())];
    catalog.put_vectors(acme, &text, &vectors).await.unwrap();
    catalog.put_vectors(acme, &text, &vectors[..1]).await.unwrap();

    let found = catalog.vectors(acme, &text, &[keys[1], keys[2], keys[0], keys[0]]).await.unwrap();
    assert_eq!((&found[2], &found[3]), (&Some(exact.clone()), &Some(exact)));
    assert_eq!(found[1], None);
    let close = found[0].as_ref().unwrap().iter().zip(&rounded).all(|(a, b)| (a - b).abs() < 6e-4);
    assert!(close && found[0].as_ref().unwrap().len() == 384);
    assert_eq!(catalog.vectors(acme, &sound, &keys).await.unwrap(), [None, None, None]);
    let other = tenant("umbrella");
    assert_eq!(catalog.vectors(&other, &text, &keys).await.unwrap(), [None, None, None]);
    assert_eq!(catalog.vectors(acme, &text, &[]).await.unwrap(), Vec::<Option<Vec<f32>>>::new());
}

/// Vectors stay while a segment of the tenant uses them, and while an ingest may have found them; then they go.
pub async fn vectors_go_with_their_last_segment(fixture: &dyn CatalogFixture) {
    let stage = Stage::open(fixture).await;
    let (catalog, acme) = (&stage.catalog, &stage.acme);
    let text = model("text@1");
    let keys = [content(BlobHash::of(b"shared"), 0), content(BlobHash::of(b"alone"), 0)];
    let put = async || {
        let vectors = [(keys[0], vec![1.0]), (keys[1], vec![0.5])];
        catalog.put_vectors(acme, &text, &vectors).await.unwrap();
    };
    let kept = async || {
        let vectors = catalog.vectors(acme, &text, &keys).await.unwrap();
        [vectors[0].is_some(), vectors[1].is_some()]
    };
    put().await;
    let first = stage.ready(None, &["shared", "alone"]).await;
    let second = stage.ready(Some("a"), &["shared"]).await;
    assert_eq!(kept().await, [true, true]);
    stage.delete(first.id).await;
    assert_eq!(kept().await, [true, false]);

    put().await;
    let third = stage.ready(None, &["alone"]).await;
    stage.accept(None, &["alone"]).await;
    let ingest = stage.lease("slow").await;
    stage.delete(third.id).await;
    assert_eq!(kept().await, [true, true], "the ingest that runs may have found them");
    stage.finish(&ingest, 1).await;
    assert_eq!(kept().await, [true, true], "and now uses them");

    stage.accept(Some("a"), &["other"]).await;
    let replacement = stage.lease("worker").await;
    stage.finish(&replacement, 1).await;
    assert_eq!(kept().await, [false, true], "no version uses the first any more");
    let fourth = ingest.job.kind.document().unwrap();
    stage.delete(fourth).await;
    assert_eq!(kept().await, [false, false]);

    stage.accept(None, &["shared"]).await;
    let lease = stage.lease("worker").await;
    put().await;
    let (error, at) = ("the index is away".to_owned(), stage.clock_now());
    stage.end(&lease, JobEnd::Retry { error, at }).await;
    assert_eq!(kept().await, [true, true], "the next attempt need not encode again");
    let given_up = stage.lease("worker").await;
    stage.end(&given_up, JobEnd::Cancelled).await;
    assert_eq!(kept().await, [false, false], "what a cancelled ingest has put goes too");
    assert_eq!(second.version, 1);
}

/// Vectors that come with the end of an ingest are kept as long as its segments; those of no segment are not.
pub async fn vectors_are_kept_with_their_segments(fixture: &dyn CatalogFixture) {
    let stage = Stage::open(fixture).await;
    let (catalog, acme) = (&stage.catalog, &stage.acme);
    let [text, sound] = [model("text@1"), model("sound@1")];
    stage.accept(None, &["one", "bad"]).await;
    let lease = stage.lease("worker").await;
    let mut outcomes = stage.outcomes(&lease, 2).await;
    outcomes[1] = unreadable(outcomes[1].part);
    let [one, bad] = [content(BlobHash::of(b"one"), 0), content(BlobHash::of(b"bad"), 0)];
    let made = |model: &ModelName, content, vector| NewVector { model: model.clone(), content, vector: vec![vector] };
    let vectors = vec![made(&text, one, 0.5), made(&sound, one, 1.0), made(&text, bad, 0.5), made(&text, one, 0.5)];
    let progress = Progress::default();
    let stranger = Lease { worker: "stranger".to_owned(), ..lease.clone() };
    refused(catalog.finish_ingest(&stranger, 1, outcomes.clone(), vectors.clone(), &progress).await, LeaseLost);
    assert_eq!(catalog.vectors(acme, &text, &[one]).await.unwrap(), [None]);
    catalog.finish_ingest(&lease, 1, outcomes, vectors, &progress).await.unwrap();
    assert_eq!(catalog.vectors(acme, &text, &[one, bad]).await.unwrap(), [Some(vec![0.5]), None]);
    assert_eq!(catalog.vectors(acme, &sound, &[one]).await.unwrap(), [Some(vec![1.0])]);

    stage.delete(lease.job.kind.document().unwrap()).await;
    assert_eq!(catalog.vectors(acme, &text, &[one]).await.unwrap(), [None]);
}
