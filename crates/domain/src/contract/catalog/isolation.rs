//! Another tenant's things are not there, whatever is asked: every call that names a tenant, with another's ids.

use super::CatalogFixture;
use super::sample::{Conflict, LeaseLost, NotFound, Stage, claim, content, model, refused, tenant};
use crate::catalog::{BlobState, CollectionPatch, DocumentPatch, DocumentQuery, JobEnd, JobQuery, Lease, NewDocument};
use crate::job::{JobKind, Progress};
use crate::names::CollectionName;

/// Collections and documents.
pub async fn tenants_share_no_documents(fixture: &dyn CatalogFixture) {
    let stage = Stage::open(fixture).await;
    let (catalog, acme, eve) = (&stage.catalog, &stage.acme, &tenant("eve"));
    let default = CollectionName::default();
    let document = stage.ready(Some("a"), &["one"]).await.id;
    let part = catalog.parts(acme, document, None).await.unwrap().remove(0);

    let collection = catalog.collection(eve, &default).await;
    refused(collection, NotFound);
    let patch = CollectionPatch::default();
    let patched = catalog.patch_collection(eve, &default, patch).await;
    refused(patched, NotFound);
    let deleted = catalog.delete_collection(eve, &default, stage.job_id()).await;
    refused(deleted, NotFound);
    let listed = catalog.collections(eve, None, 10).await.unwrap();
    assert_eq!(listed, []);
    let doomed = catalog.doomed_documents(eve, &default, 10).await.unwrap();
    assert_eq!(doomed, []);

    let found = catalog.document(eve, document).await;
    refused(found, NotFound);
    let found = catalog.document_by_external_id(eve, &default, "a").await;
    refused(found, NotFound);
    let patch = DocumentPatch::default();
    let patched = catalog.patch_document(eve, document, patch, stage.job_id()).await;
    refused(patched, NotFound);
    let deleted = catalog.delete_document(eve, document, stage.job_id()).await;
    refused(deleted, NotFound);
    for version in [None, Some(1)] {
        let parts = catalog.parts(eve, document, version).await;
        refused(parts, NotFound);
    }
    refused(catalog.part(eve, part.id).await, NotFound);
    let query = DocumentQuery { limit: 10, ..DocumentQuery::default() };
    assert_eq!(catalog.documents(eve, &query).await.unwrap(), []);

    let twin = NewDocument { id: document, ..stage.unstored(None, &[]) };
    refused(catalog.accept_document(eve, twin).await, Conflict);
    let new = stage.unstored(Some("a"), &["one"]);
    let (own, _) = stage.accept_new(eve, new).await;
    assert_ne!(own.id, document, "external ids are each tenant's own");
}

/// Segments, vectors and blobs, also those of equal content.
pub async fn tenants_share_no_content(fixture: &dyn CatalogFixture) {
    let stage = Stage::open(fixture).await;
    let (catalog, acme, eve) = (&stage.catalog, &stage.acme, &tenant("eve"));
    let document = stage.ready(None, &["one"]).await.id;
    let blob = catalog.parts(acme, document, None).await.unwrap()[0].blob;
    let segments = stage.live_ids(document).await;
    let (model, key) = (model("text@1"), content(blob, 0));
    let vectors = [(key, vec![1.0])];
    catalog.put_vectors(acme, &model, &vectors).await.unwrap();

    refused(catalog.segments(eve, document, 0, 10).await, NotFound);
    let views = catalog.segment_views(eve, &segments).await.unwrap();
    assert_eq!(views, []);
    let live = catalog.live_segments(eve, &segments).await.unwrap();
    assert_eq!(live, []);
    let superseded = catalog.superseded_segments(eve, document, 9).await.unwrap();
    assert_eq!(superseded, []);
    let kept = catalog.vectors(eve, &model, &[key]).await.unwrap();
    assert_eq!(kept, [None]);

    let expires = stage.in_an_hour();
    let states = catalog.claim_blobs(eve, claim(), &[(blob, 3)], expires).await.unwrap();
    assert_eq!(states, [BlobState::Missing], "that somebody has the bytes is not told");
    let new = stage.unstored(None, &["one"]);
    stage.accept_new(eve, new).await;
    catalog.put_vectors(eve, &model, &vectors).await.unwrap();
    let ingest = stage.lease("worker").await;
    assert_eq!(&ingest.tenant, eve);
    stage.finish(&ingest, 1).await;

    stage.delete(document).await;
    let orphans = catalog.take_orphan_blobs(10).await.unwrap();
    assert_eq!(orphans, [(acme.clone(), blob)], "equal bytes of another tenant stay");
    let kept = catalog.vectors(acme, &model, &[key]).await.unwrap();
    assert_eq!(kept, [None]);
    let kept = catalog.vectors(eve, &model, &[key]).await.unwrap();
    assert_eq!(kept, [Some(vec![1.0])]);
}

/// Jobs, and leases that name the wrong tenant.
pub async fn tenants_share_no_jobs(fixture: &dyn CatalogFixture) {
    let stage = Stage::open(fixture).await;
    let (catalog, eve) = (&stage.catalog, &tenant("eve"));
    let (document, job) = stage.accept(None, &["one"]).await;
    let lease = stage.lease("worker").await;

    refused(catalog.job(eve, job.id).await, NotFound);
    refused(catalog.cancel_job(eve, job.id).await, NotFound);
    let kind = JobKind::Refresh { document: document.id };
    let enqueued = catalog.enqueue(eve, stage.job_id(), kind).await;
    refused(enqueued, NotFound);
    for document in [None, Some(document.id)] {
        let query = JobQuery { document, limit: 10, ..JobQuery::default() };
        assert_eq!(catalog.jobs(eve, &query).await.unwrap(), []);
    }

    let forged = Lease { tenant: eve.clone(), ..lease.clone() };
    refused(catalog.heartbeat(&forged, 1000).await, LeaseLost);
    let progress = Progress::default();
    refused(catalog.progress(&forged, &progress).await, LeaseLost);
    refused(catalog.end_job(&forged, JobEnd::Cancelled).await, LeaseLost);
    refused(catalog.release_lease(&forged).await, LeaseLost);
    let finished = catalog.finish_ingest(&forged, 1, Vec::new(), Vec::new(), &Progress::default()).await;
    refused(finished, LeaseLost);
    refused(catalog.finish_delete(&forged, document.id).await, LeaseLost);
    stage.finish(&lease, 1).await;
}
