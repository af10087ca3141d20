//! Documents are accepted, replaced, changed, listed and deleted.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::CatalogFixture;
use super::sample::{Conflict, NotFound, Stage, refused};
use crate::catalog::{DocumentPatch, DocumentQuery, JobEnd, JobQuery, LeaseState};
use crate::document::{DocumentStatus, PartStatus};
use crate::job::{JobKind, JobState};
use crate::names::CollectionName;

/// Row, parts and job come together, and the collection with them.
pub async fn a_document_is_accepted_whole(fixture: &dyn CatalogFixture) {
    let stage = Stage::open(fixture).await;
    let (catalog, acme) = (&stage.catalog, &stage.acme);
    let mut new = stage.unstored(Some("a-7"), &["one", "two", "one"]);
    new.metadata = serde_json::from_value(json!({"year": 2021, "größe": [1.5, null]})).unwrap();
    new.parts[1].error = Some(super::sample::part_error("image_too_large"));
    let ids: Vec<_> = new.parts.iter().map(|part| part.id).collect();
    let (document, job) = stage.accept_new(acme, new.clone()).await;

    assert_eq!((document.id, job.id), (new.id, new.job));
    assert_eq!((document.status, document.version), (DocumentStatus::Processing, 1));
    assert_eq!((&document.metadata, &document.tags), (&new.metadata, &new.tags));
    assert_eq!(job.kind, JobKind::Ingest { document: document.id, version: 1 });
    assert_eq!((job.state, job.attempts, job.progress.stage.as_str()), (JobState::Queued, 0, "waiting"));
    assert_eq!(catalog.document(acme, document.id).await.unwrap(), document);
    let default = CollectionName::default();
    assert_eq!(catalog.document_by_external_id(acme, &default, "a-7").await.unwrap(), document);
    refused(catalog.document_by_external_id(acme, &default, "a-8").await, NotFound);
    assert_eq!(catalog.collection(acme, &default).await.unwrap().documents, 1);

    let parts = catalog.parts(acme, document.id, None).await.unwrap();
    assert_eq!(parts.iter().map(|part| part.id).collect::<Vec<_>>(), ids);
    assert_eq!(parts.iter().map(|part| part.ordinal).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(parts[0].status, PartStatus::Pending);
    assert_eq!(parts[1].status, PartStatus::Failed);
    assert_eq!(parts[1].error, new.parts[1].error);
    assert_eq!(catalog.part(acme, ids[2]).await.unwrap(), parts[2]);
    assert_eq!(catalog.segments(acme, document.id, 0, 10).await.unwrap(), []);

    let twin = crate::catalog::NewDocument { external_id: None, ..new };
    refused(catalog.accept_document(acme, twin).await, Conflict);
}

/// Whoever accepts one external id at the same time makes versions of one document.
pub async fn racing_upserts_make_one_document(fixture: &dyn CatalogFixture) {
    let stages = [Arc::new(Stage::open(fixture).await), Arc::new(Stage::open(fixture).await)];
    let mut tasks = Vec::new();
    for task in 0..8 {
        let stage = stages[task % 2].clone();
        tasks.push(tokio::spawn(async move { stage.accept(Some("one"), &[&format!("text {task}")]).await }));
    }
    let (mut ids, mut versions) = (HashSet::new(), Vec::new());
    for task in tasks {
        let (document, job) = task.await.unwrap();
        assert_eq!(job.kind, JobKind::Ingest { document: document.id, version: document.version });
        ids.insert(document.id);
        versions.push(document.version);
    }
    versions.sort_unstable();
    assert_eq!((ids.len(), versions), (1, (1..=8).collect()));
    let [stage, _] = stages;
    let document = ids.into_iter().next().unwrap();
    let query = JobQuery { document: Some(document), limit: 20, ..JobQuery::default() };
    let jobs = stage.catalog.jobs(&stage.acme, &query).await.unwrap();
    let open: Vec<_> = jobs.iter().filter(|job| !job.state.is_final()).collect();
    assert_eq!(open.len(), 1);
    assert_eq!(open[0].kind, JobKind::Ingest { document, version: 8 });
    assert_eq!(stage.catalog.parts(&stage.acme, document, Some(7)).await.unwrap(), []);
    assert_eq!(stage.orphans().await.len(), 7, "overtaken versions keep nothing");
}

/// A queued ingest of an older version is cancelled at once, a running one is asked to stop and waited for.
pub async fn a_next_version_stops_the_ingest_of_the_last(fixture: &dyn CatalogFixture) {
    let stage = Stage::open(fixture).await;
    let (catalog, acme) = (&stage.catalog, &stage.acme);
    let (first, first_job) = stage.accept(Some("a"), &["one"]).await;
    stage.clock.advance(1000);
    let mut new = stage.unstored(Some("a"), &["two"]);
    new.title = None;
    let (second, _) = stage.accept_new(acme, new).await;
    assert_eq!((second.id, second.version), (first.id, 2));
    assert_eq!((second.created_at, second.title), (first.created_at, None));
    assert_eq!(second.updated_at.since_ms(first.updated_at), 1000);
    assert_eq!(stage.job(first_job.id).await.state, JobState::Cancelled);

    let lease = stage.lease("worker").await;
    let (third, third_job) = stage.accept(Some("a"), &["three"]).await;
    assert_eq!(third.version, 3);
    assert!(stage.job(lease.job.id).await.cancel_requested);
    assert_eq!(catalog.heartbeat(&lease, 10_000).await.unwrap(), LeaseState::CancelRequested);
    assert!(stage.nothing_to_lease().await);
    stage.end(&lease, JobEnd::Cancelled).await;
    let found = catalog.document(acme, first.id).await.unwrap();
    assert_eq!((found.status, found.version), (DocumentStatus::Processing, 3));
    assert_eq!(catalog.parts(acme, first.id, Some(2)).await.unwrap(), []);
    assert_eq!(stage.lease("worker").await.job.id, third_job.id);
}

/// A patch leaves what it does not name, merges metadata and enqueues what tells the index.
pub async fn a_patch_changes_what_it_names(fixture: &dyn CatalogFixture) {
    let stage = Stage::open(fixture).await;
    let (catalog, acme) = (&stage.catalog, &stage.acme);
    let before = stage.ready(Some("a"), &["one"]).await;
    stage.clock.advance(1000);
    let patch = DocumentPatch {
        title: Some(None),
        tags: None,
        metadata: Some(serde_json::from_value(json!({"a": {"b": 1}, "c": null})).unwrap()),
    };
    let (after, job) = catalog.patch_document(acme, before.id, patch, stage.job_id()).await.unwrap();
    assert_eq!((after.title.as_ref(), &after.tags), (None, &before.tags));
    assert_eq!(Value::Object(after.metadata.clone()), json!({"a": {"b": 1}}));
    assert_eq!((after.status, after.version), (before.status, before.version));
    assert_eq!(after.updated_at.since_ms(before.updated_at), 1000);
    assert_eq!(catalog.document(acme, before.id).await.unwrap(), after);
    assert_eq!(job.kind, JobKind::Refresh { document: before.id });
    let lease = stage.lease("worker").await;
    assert_eq!(lease.job.id, job.id);
    stage.end(&lease, JobEnd::Succeeded { parts: Vec::new() }).await;
    assert_eq!(catalog.document(acme, before.id).await.unwrap(), after);

    let nothing = stage.document_id();
    let patch = DocumentPatch::default();
    refused(catalog.patch_document(acme, nothing, patch, stage.job_id()).await, NotFound);
}

/// A deleted document is not found from the first moment, and its external id is free.
pub async fn a_deleted_document_is_gone_at_once(fixture: &dyn CatalogFixture) {
    let stage = Stage::open(fixture).await;
    let (catalog, acme) = (&stage.catalog, &stage.acme);
    let document = stage.ready(Some("a"), &["one"]).await;
    let parts = catalog.parts(acme, document.id, None).await.unwrap();
    let segments = stage.live_ids(document.id).await;
    stage.accept(Some("a"), &["two"]).await;
    let ingest = stage.lease("first").await;

    let job = catalog.delete_document(acme, document.id, stage.job_id()).await.unwrap();
    assert_eq!(job.kind, JobKind::Delete { document: document.id });
    refused(catalog.document(acme, document.id).await, NotFound);
    refused(catalog.parts(acme, document.id, None).await, NotFound);
    refused(catalog.part(acme, parts[0].id).await, NotFound);
    refused(catalog.segments(acme, document.id, 0, 10).await, NotFound);
    assert_eq!(catalog.segment_views(acme, &segments).await.unwrap(), []);
    assert_eq!(catalog.live_segments(acme, &segments).await.unwrap(), []);
    assert_eq!(catalog.live_documents(None, 10).await.unwrap(), []);
    let query = DocumentQuery { limit: 10, ..DocumentQuery::default() };
    assert_eq!(catalog.documents(acme, &query).await.unwrap(), []);

    let again = catalog.delete_document(acme, document.id, stage.job_id()).await.unwrap();
    assert_eq!(again.id, job.id, "the job that is on it is answered");
    refused(catalog.cancel_job(acme, job.id).await, Conflict);
    let (other, other_job) = stage.accept(Some("a"), &["three"]).await;
    assert_ne!(other.id, document.id);

    assert!(stage.job(ingest.job.id).await.cancel_requested);
    assert_eq!(stage.lease("second").await.job.id, other_job.id, "the deletion waits for the ingest");
    stage.end(&ingest, JobEnd::Cancelled).await;
    let lease = stage.lease("first").await;
    assert_eq!(lease.job.id, job.id);
    stage.end(&lease, JobEnd::Failed { error: "the index is gone".to_owned() }).await;
    let retried = catalog.delete_document(acme, document.id, stage.job_id()).await.unwrap();
    assert_ne!(retried.id, job.id, "a deletion that failed can be asked for again");
    let lease = stage.lease("first").await;
    catalog.finish_delete(&lease, document.id).await.unwrap();
    assert_eq!(stage.job(retried.id).await.state, JobState::Succeeded);
    refused(catalog.delete_document(acme, document.id, stage.job_id()).await, NotFound);
    assert_eq!(stage.orphans().await.len(), 2);
}

/// Page after page meets every document once, newest first, whatever is added meanwhile.
pub async fn paging_meets_every_document_once(fixture: &dyn CatalogFixture) {
    let stage = Stage::open(fixture).await;
    let (catalog, acme) = (&stage.catalog, &stage.acme);
    let mut wanted = Vec::new();
    for number in 0..23 {
        stage.clock.advance(number % 3);
        wanted.push(stage.accept(None, &["text"]).await.0.id);
    }
    wanted.reverse();
    let mut other = stage.unstored(None, &["text"]);
    other.collection = "other".parse().unwrap();
    stage.accept_new(acme, other).await;

    let mut query = DocumentQuery { collection: Some(CollectionName::default()), limit: 5, ..DocumentQuery::default() };
    let mut found = Vec::new();
    loop {
        let page = catalog.documents(acme, &query).await.unwrap();
        let Some(last) = page.last() else { break };
        query.before = Some(last.id);
        found.extend(page.iter().map(|document| document.id));
        stage.accept(None, &["text"]).await;
    }
    assert_eq!(found, wanted);
}
