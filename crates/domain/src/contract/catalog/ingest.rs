//! What the end of an ingest does to a document, its parts and its segments.

use super::CatalogFixture;
use super::sample::{Conflict, Stage, outcome, part_error, refused, unreadable};
use crate::catalog::JobEnd;
use crate::document::{DocumentStatus, PartStatus};
use crate::ids::{BlobHash, SegmentId};
use crate::job::{JobKind, JobState, Progress};

/// Segments, facts, statuses and the job's result appear in one moment.
pub async fn an_ingest_brings_a_version_to_life(fixture: &dyn CatalogFixture) {
    let stage = Stage::open(fixture).await;
    let (catalog, acme) = (&stage.catalog, &stage.acme);
    let (document, job) = stage.accept(None, &["one", "two"]).await;
    let lease = stage.lease("worker").await;
    let mut outcomes = stage.outcomes(&lease, 3).await;
    outcomes.reverse();
    let other_version = catalog.finish_ingest(&lease, 2, outcomes.clone(), Vec::new(), &Progress::default()).await;
    refused(other_version, Conflict);
    refused(catalog.finish_delete(&lease, document.id).await, Conflict);
    let progress = Progress { stage: "index".to_owned(), done: 2, total: 2, segments: 6, reused: 1 };
    let ended = catalog.finish_ingest(&lease, 1, outcomes, Vec::new(), &progress).await.unwrap().unwrap();

    let found = catalog.document(acme, document.id).await.unwrap();
    assert_eq!(found.status, DocumentStatus::Ready);
    assert_eq!(found.updated_at, document.updated_at, "the content is what was accepted");
    let parts = catalog.parts(acme, document.id, None).await.unwrap();
    for part in &parts {
        assert_eq!((part.status, part.segments), (PartStatus::Ready, 3));
        assert_eq!(part.facts.characters, Some(30));
    }
    let wanted: Vec<_> =
        parts.iter().flat_map(|part| (0..3).map(|ordinal| SegmentId::derive(part.id, "chunk", ordinal))).collect();
    assert_eq!(stage.live_ids(document.id).await, wanted);
    let middle = catalog.segments(acme, document.id, 2, 3).await.unwrap();
    assert_eq!(middle.iter().map(|segment| segment.id).collect::<Vec<_>>(), wanted[2..5]);
    assert_eq!(middle[0], outcome(&parts[0], 3).result.unwrap()[2]);

    let job = stage.job(job.id).await;
    assert_eq!((&ended.job, &ended.document, &ended.parts), (&job, &found, &parts), "the answer is what is found");
    assert_eq!(job.state, JobState::Succeeded);
    assert_eq!(job.progress, Progress { stage: "done".to_owned(), ..progress });
    assert_eq!(job.finished_at, Some(document.updated_at));
    let results: Vec<_> = job.parts.iter().map(|result| (result.part, result.segments)).collect();
    assert_eq!(results, [(parts[0].id, 3), (parts[1].id, 3)]);
    assert_eq!(job.parts[0].name, parts[0].name);
    let live = catalog.live_documents(None, 10).await.unwrap();
    assert_eq!(live, [(acme.clone(), found)]);
    assert_eq!(catalog.live_documents(Some(document.id), 10).await.unwrap(), []);
}

/// Parts that failed are named and the rest is found; when all failed, the document has.
pub async fn failed_parts_fail_alone(fixture: &dyn CatalogFixture) {
    let stage = Stage::open(fixture).await;
    let (catalog, acme) = (&stage.catalog, &stage.acme);
    let mut new = stage.unstored(None, &["good", "bad", "refused", "forgotten"]);
    new.parts[2].error = Some(part_error("image_too_large"));
    let (document, job) = stage.accept_new(acme, new).await;
    let lease = stage.lease("worker").await;
    let parts = catalog.parts(acme, document.id, None).await.unwrap();
    let outcomes = vec![outcome(&parts[0], 1), unreadable(parts[1].id)];
    catalog.finish_ingest(&lease, 1, outcomes, Vec::new(), &Progress::default()).await.unwrap();

    assert_eq!(catalog.document(acme, document.id).await.unwrap().status, DocumentStatus::Partial);
    assert_eq!(stage.live_ids(document.id).await.len(), 1);
    let codes = |codes: Vec<Option<String>>| codes.into_iter().map(Option::unwrap_or_default).collect::<Vec<_>>();
    let results = stage.job(job.id).await.parts;
    let of_job = codes(results.into_iter().map(|result| result.error.map(|error| error.code)).collect());
    assert_eq!(of_job, ["", "unreadable", "image_too_large", "not_processed"]);
    let parts = catalog.parts(acme, document.id, None).await.unwrap();
    let of_parts = codes(parts.into_iter().map(|part| part.error.map(|error| error.code)).collect());
    assert_eq!(of_parts, of_job);

    let (document, job) = stage.accept(None, &["bad"]).await;
    let lease = stage.lease("worker").await;
    let parts = catalog.parts(acme, document.id, None).await.unwrap();
    let stray = crate::ids::PartId::from_uuid(document.id.uuid());
    refused(
        catalog.finish_ingest(&lease, 1, vec![unreadable(stray)], Vec::new(), &Progress::default()).await,
        Conflict,
    );
    catalog.finish_ingest(&lease, 1, vec![unreadable(parts[0].id)], Vec::new(), &Progress::default()).await.unwrap();
    assert_eq!(catalog.document(acme, document.id).await.unwrap().status, DocumentStatus::Failed);
    assert_eq!(stage.job(job.id).await.state, JobState::Succeeded);
    assert_eq!(catalog.parts(acme, document.id, None).await.unwrap()[0].status, PartStatus::Failed);
    assert_eq!(catalog.live_documents(None, 10).await.unwrap().len(), 1);
}

/// Until the next version is live the last one is found; then nothing of it is left.
pub async fn a_next_version_replaces_the_last(fixture: &dyn CatalogFixture) {
    let stage = Stage::open(fixture).await;
    let (catalog, acme) = (&stage.catalog, &stage.acme);
    let document = stage.ready(Some("a"), &["one", "both"]).await;
    let old_parts = catalog.parts(acme, document.id, None).await.unwrap();
    let old_segments = stage.live_ids(document.id).await;
    assert_eq!(catalog.superseded_segments(acme, document.id, 1).await.unwrap(), []);

    stage.accept(Some("a"), &["two", "both"]).await;
    let found = catalog.document(acme, document.id).await.unwrap();
    assert_eq!((found.status, found.version), (DocumentStatus::Processing, 2));
    assert_eq!(catalog.parts(acme, document.id, None).await.unwrap(), old_parts);
    assert_eq!(stage.live_ids(document.id).await, old_segments);
    let views = catalog.segment_views(acme, &old_segments).await.unwrap();
    assert_eq!(views.len(), old_segments.len());
    assert_eq!(catalog.live_documents(None, 10).await.unwrap().len(), 1);

    let lease = stage.lease("worker").await;
    assert_eq!(catalog.superseded_segments(acme, document.id, 2).await.unwrap(), old_segments);
    stage.finish(&lease, 1).await;
    let found = catalog.document(acme, document.id).await.unwrap();
    assert_eq!((found.status, found.version), (DocumentStatus::Ready, 2));
    assert_eq!(catalog.superseded_segments(acme, document.id, 2).await.unwrap(), []);
    assert_eq!(catalog.live_segments(acme, &old_segments).await.unwrap(), []);
    assert_eq!(stage.live_ids(document.id).await.len(), 2);
    assert_eq!(catalog.parts(acme, document.id, Some(1)).await.unwrap(), []);
    assert_eq!(stage.orphans().await, [BlobHash::of(b"one")]);
}

/// When nothing of the next version can be read, the last one stays and is found; the parts of the failed one say why.
pub async fn a_failed_next_version_leaves_the_live_one(fixture: &dyn CatalogFixture) {
    let stage = Stage::open(fixture).await;
    let (catalog, acme) = (&stage.catalog, &stage.acme);
    let document = stage.ready(Some("a"), &["one"]).await;
    let segments = stage.live_ids(document.id).await;
    stage.accept(Some("a"), &["bad"]).await;
    let lease = stage.lease("worker").await;
    let parts = catalog.parts(acme, document.id, Some(2)).await.unwrap();
    catalog.finish_ingest(&lease, 2, vec![unreadable(parts[0].id)], Vec::new(), &Progress::default()).await.unwrap();

    let found = catalog.document(acme, document.id).await.unwrap();
    assert_eq!((found.status, found.version), (DocumentStatus::Partial, 2));
    assert_eq!(stage.live_ids(document.id).await, segments);
    assert_eq!(catalog.parts(acme, document.id, None).await.unwrap()[0].version, 1);
    let failed = catalog.parts(acme, document.id, Some(2)).await.unwrap();
    assert_eq!(failed[0].error.as_ref().unwrap().code, "unreadable");
    assert_eq!(stage.orphans().await, []);

    stage.accept(Some("a"), &["good"]).await;
    let lease = stage.lease("worker").await;
    stage.finish(&lease, 1).await;
    let found = catalog.document(acme, document.id).await.unwrap();
    assert_eq!((found.status, found.version), (DocumentStatus::Ready, 3));
    for version in [1, 2] {
        assert_eq!(catalog.parts(acme, document.id, Some(version)).await.unwrap(), []);
    }
    assert_eq!(stage.orphans().await.len(), 2);
}

/// An ingest that is cancelled or fails for good leaves the document at its live version if it has one, else failed.
pub async fn a_given_up_ingest_settles_the_document(fixture: &dyn CatalogFixture) {
    let stage = Stage::open(fixture).await;
    let (catalog, acme) = (&stage.catalog, &stage.acme);
    for (name, end, code) in [
        ("cancelled", JobEnd::Cancelled, "cancelled"),
        ("failed", JobEnd::Failed { error: "no memory".to_owned() }, "ingest_failed"),
    ] {
        let (document, _) = stage.accept(Some(name), &["one"]).await;
        let lease = stage.lease("worker").await;
        stage.end(&lease, end.clone()).await;
        let found = catalog.document(acme, document.id).await.unwrap();
        assert_eq!(found.status, DocumentStatus::Failed);
        let parts = catalog.parts(acme, document.id, None).await.unwrap();
        assert_eq!(parts[0].status, PartStatus::Failed);
        assert_eq!(parts[0].error.as_ref().unwrap().code, code);
        let job = stage.job(lease.job.id).await;
        assert!(job.state.is_final() && job.finished_at.is_some());

        stage.accept(Some(name), &["two"]).await;
        let lease = stage.lease("worker").await;
        stage.finish(&lease, 2).await;
        let segments = stage.live_ids(document.id).await;
        stage.accept(Some(name), &["three"]).await;
        let lease = stage.lease("worker").await;
        stage.end(&lease, end).await;
        let found = catalog.document(acme, document.id).await.unwrap();
        assert_eq!(found.version, 3);
        assert_eq!(stage.live_ids(document.id).await, segments);
        let kept = catalog.parts(acme, document.id, Some(3)).await.unwrap();
        if name == "cancelled" {
            assert_eq!((found.status, kept.len()), (DocumentStatus::Ready, 0));
        } else {
            assert_eq!((found.status, kept[0].status), (DocumentStatus::Partial, PartStatus::Failed));
            assert_eq!(kept[0].error.as_ref().unwrap().code, code);
        }
    }
    assert_eq!(stage.orphans().await, [BlobHash::of(b"one")], "two is live, three may be tried again");
}

/// An ingest that ends although a newer version has come makes its own version live for the time being.
pub async fn a_late_finish_does_not_hide_a_newer_version(fixture: &dyn CatalogFixture) {
    let stage = Stage::open(fixture).await;
    let (catalog, acme) = (&stage.catalog, &stage.acme);
    let (document, _) = stage.accept(Some("a"), &["one"]).await;
    let lease = stage.lease("worker").await;
    stage.accept(Some("a"), &["two"]).await;
    stage.finish(&lease, 1).await;
    let found = catalog.document(acme, document.id).await.unwrap();
    assert_eq!((found.status, found.version), (DocumentStatus::Processing, 2));
    assert_eq!(stage.live_ids(document.id).await.len(), 1);
    assert_eq!(catalog.parts(acme, document.id, None).await.unwrap()[0].version, 1);

    let lease = stage.lease("worker").await;
    assert_eq!(lease.job.kind, JobKind::Ingest { document: document.id, version: 2 });
    stage.finish(&lease, 2).await;
    let found = catalog.document(acme, document.id).await.unwrap();
    assert_eq!(found.status, DocumentStatus::Ready);
    assert_eq!(stage.live_ids(document.id).await.len(), 2);
}

/// A document that is being deleted does not come back to life.
pub async fn finishing_a_doomed_document_does_nothing(fixture: &dyn CatalogFixture) {
    let stage = Stage::open(fixture).await;
    let (catalog, acme) = (&stage.catalog, &stage.acme);
    let (document, job) = stage.accept(None, &["one"]).await;
    let lease = stage.lease("worker").await;
    let outcomes = stage.outcomes(&lease, 1).await;
    catalog.delete_document(acme, document.id, stage.job_id()).await.unwrap();
    catalog.finish_ingest(&lease, 1, outcomes, Vec::new(), &Progress::default()).await.unwrap();
    assert_eq!(stage.job(job.id).await.state, JobState::Cancelled);
    assert_eq!(catalog.live_documents(None, 10).await.unwrap(), []);
    let lease = stage.lease("worker").await;
    assert_eq!(lease.job.kind, JobKind::Delete { document: document.id });
    catalog.finish_delete(&lease, document.id).await.unwrap();
}
