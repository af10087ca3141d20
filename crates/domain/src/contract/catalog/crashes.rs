//! What was promised is there after a crash: handles are dropped without a word, and others opened.

use super::CatalogFixture;
use super::sample::{HOUR_MS, LEASE_MS, Stage, claim, model};
use crate::catalog::BlobState;
use crate::document::DocumentStatus;
use crate::ids::BlobHash;
use crate::job::JobState;

/// A document goes from upload to deletion, and after every step the process dies.
pub async fn a_crash_loses_no_promise(fixture: &dyn CatalogFixture) {
    let stage = Stage::open(fixture).await;
    let mut new = stage.unstored(Some("a"), &["one"]);
    stage.store_blobs(&stage.acme, &new).await;
    drop(stage);

    let stage = Stage::open(fixture).await;
    let blobs = [(new.parts[0].blob, 3)];
    let expires = stage.in_an_hour();
    new.claim = claim();
    let states = stage.catalog.claim_blobs(&stage.acme, new.claim, &blobs, expires).await.unwrap();
    assert_eq!(states, [BlobState::Stored]);
    let (document, job) = stage.catalog.accept_document(&stage.acme, new).await.unwrap();
    drop(stage);

    let stage = Stage::open(fixture).await;
    assert_eq!(stage.job(job.id).await, job);
    let lost = stage.lease("dies").await;
    let model = model("text@1");
    let key = super::sample::content(BlobHash::of(b"one"), 0);
    stage.catalog.put_vectors(&stage.acme, &model, &[(key, vec![1.0])]).await.unwrap();
    drop(stage);

    let stage = Stage::open(fixture).await;
    assert!(stage.nothing_to_lease().await);
    stage.clock.advance(LEASE_MS);
    let lease = stage.lease("lives").await;
    assert_eq!((lease.job.id, lease.job.attempts), (lost.job.id, 2));
    let kept = stage.catalog.vectors(&stage.acme, &model, &[key]).await.unwrap();
    assert_eq!(kept, [Some(vec![1.0])]);
    stage.finish(&lease, 2).await;
    drop(stage);

    let stage = Stage::open(fixture).await;
    let found = stage.catalog.document(&stage.acme, document.id).await.unwrap();
    assert_eq!(found.status, DocumentStatus::Ready);
    assert_eq!(stage.live_ids(document.id).await.len(), 2);
    let deletion = stage.catalog.delete_document(&stage.acme, document.id, stage.job_id()).await.unwrap();
    drop(stage);

    let stage = Stage::open(fixture).await;
    let lease = stage.lease("worker").await;
    assert_eq!(lease.job.id, deletion.id);
    stage.catalog.finish_delete(&lease, document.id).await.unwrap();
    assert_eq!(stage.orphans().await, [], "the claim of the process that died first still holds");
    stage.clock.advance(HOUR_MS);
    assert_eq!(stage.orphans().await, [BlobHash::of(b"one")]);
    drop(stage);

    let stage = Stage::open(fixture).await;
    assert_eq!(stage.job(deletion.id).await.state, JobState::Succeeded);
    assert!(stage.nothing_to_lease().await);
}

/// Two processes on one catalog: what one writes the other reads, and a job goes to one of them.
pub async fn a_second_handle_sees_the_same(fixture: &dyn CatalogFixture) {
    let first = Stage::open(fixture).await;
    let second = Stage::open(fixture).await;
    let (document, job) = first.accept(None, &["one"]).await;
    assert_eq!(second.catalog.document(&second.acme, document.id).await.unwrap(), document);
    let lease = second.lease("second").await;
    assert_eq!(lease.job.id, job.id);
    assert!(first.nothing_to_lease().await);
    second.finish(&lease, 1).await;
    assert_eq!(first.live_ids(document.id).await.len(), 1);
}
