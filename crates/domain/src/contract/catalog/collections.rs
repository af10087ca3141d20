//! Collections are made, changed, listed and deleted with what is in them.

use serde_json::{Map, Value, json};

use super::CatalogFixture;
use super::sample::{Conflict, NotFound, Stage, refused};
use crate::catalog::{CollectionPatch, DocumentQuery, LeaseState};
use crate::job::{JobKind, JobState};
use crate::names::CollectionName;

fn name(text: &str) -> CollectionName {
    text.parse().unwrap()
}

fn object(value: Value) -> Map<String, Value> {
    serde_json::from_value(value).unwrap()
}

/// Names are unique, patches merge, lists go by name and page by page.
pub async fn collections_are_made_changed_and_listed(fixture: &dyn CatalogFixture) {
    let stage = Stage::open(fixture).await;
    let (catalog, acme) = (&stage.catalog, &stage.acme);
    let metadata = object(json!({"a": {"b": 1, "c": 2}, "d": 3}));
    let made = catalog.create_collection(acme, &name("photos"), Some("Ours".to_owned()), metadata).await.unwrap();
    assert_eq!(catalog.collection(acme, &name("photos")).await.unwrap(), made);
    refused(catalog.create_collection(acme, &name("photos"), None, Map::new()).await, Conflict);
    refused(catalog.collection(acme, &name("nothing")).await, NotFound);

    stage.clock.advance(5);
    let patch = CollectionPatch {
        description: Some(None),
        metadata: Some(object(json!({"a": {"b": null, "e": 4}, "d": null}))),
    };
    let patched = catalog.patch_collection(acme, &name("photos"), patch).await.unwrap();
    assert_eq!(patched.description, None);
    assert_eq!(Value::Object(patched.metadata.clone()), json!({"a": {"c": 2, "e": 4}}));
    assert_eq!(patched.updated_at.since_ms(patched.created_at), 5);
    assert_eq!(catalog.collection(acme, &name("photos")).await.unwrap(), patched);
    let nothing = catalog.patch_collection(acme, &name("nothing"), CollectionPatch::default()).await;
    refused(nothing, NotFound);

    let (document, _) = stage.accept(None, &["text"]).await;
    stage.accept(None, &["text"]).await;
    let listed = catalog.collections(acme, None, 10).await.unwrap();
    let summary: Vec<_> = listed.iter().map(|found| (found.name.as_str(), found.documents)).collect();
    assert_eq!(summary, [("default", 2), ("photos", 0)]);
    assert_eq!(catalog.collections(acme, None, 1).await.unwrap(), listed[..1]);
    assert_eq!(catalog.collections(acme, Some(&name("default")), 9).await.unwrap(), listed[1..]);
    catalog.delete_document(acme, document.id, stage.job_id()).await.unwrap();
    assert_eq!(catalog.collection(acme, &name("default")).await.unwrap().documents, 1);
}

/// A deleted collection is gone at once. Its job waits for what still runs in it, and ends when it is empty.
pub async fn a_collection_goes_with_its_documents(fixture: &dyn CatalogFixture) {
    let stage = Stage::open(fixture).await;
    let (catalog, acme) = (&stage.catalog, &stage.acme);
    let (running, _) = stage.accept(Some("a"), &["one"]).await;
    let ingest = stage.lease("first").await;
    let (queued, queued_job) = stage.accept(Some("b"), &["two"]).await;
    let default = CollectionName::default();

    let job = catalog.delete_collection(acme, &default, stage.job_id()).await.unwrap();
    assert_eq!(job.kind, JobKind::DeleteCollection { collection: default.clone() });
    let again = catalog.delete_collection(acme, &default, stage.job_id()).await.unwrap();
    assert_eq!(again.id, job.id, "the job that is on it is answered");
    refused(catalog.collection(acme, &default).await, NotFound);
    refused(catalog.create_collection(acme, &default, None, Map::new()).await, Conflict);
    refused(catalog.document(acme, queued.id).await, NotFound);
    refused(catalog.delete_document(acme, queued.id, stage.job_id()).await, NotFound);
    refused(catalog.document_by_external_id(acme, &default, "a").await, NotFound);
    assert_eq!(catalog.collections(acme, None, 10).await.unwrap(), []);
    let query = DocumentQuery { limit: 10, ..DocumentQuery::default() };
    assert_eq!(catalog.documents(acme, &query).await.unwrap(), []);
    let late = stage.unstored(None, &["three"]);
    stage.store_blobs(acme, &late).await;
    refused(catalog.accept_document(acme, late).await, Conflict);

    assert_eq!(stage.job(queued_job.id).await.state, JobState::Cancelled);
    assert!(stage.nothing_to_lease().await, "an ingest of the collection still runs");
    let beat = catalog.heartbeat(&ingest, 10_000).await.unwrap();
    assert_eq!(beat, LeaseState::CancelRequested);
    stage.end(&ingest, crate::catalog::JobEnd::Cancelled).await;

    let lease = stage.lease("second").await;
    assert_eq!(lease.job.id, job.id);
    refused(catalog.cancel_job(acme, job.id).await, Conflict);
    assert_eq!(catalog.doomed_documents(acme, &default, 1).await.unwrap(), [running.id]);
    refused(catalog.finish_delete_collection(&lease, &default).await, Conflict);
    for document in catalog.doomed_documents(acme, &default, 10).await.unwrap() {
        catalog.remove_document(&lease, document).await.unwrap();
        catalog.remove_document(&lease, document).await.unwrap();
    }
    catalog.finish_delete_collection(&lease, &default).await.unwrap();
    assert_eq!(stage.job(job.id).await.state, JobState::Succeeded);
    refused(catalog.delete_collection(acme, &default, stage.job_id()).await, NotFound);
    catalog.create_collection(acme, &default, None, Map::new()).await.unwrap();
}
