//! What operators ask: failed jobs, keys, the audit log, what a tenant has.

use std::sync::Arc;

use serde_json::json;

use super::CatalogFixture;
use super::sample::{Conflict, HOUR_MS, NotFound, OverQuota, Stage, refused, tenant};
use crate::catalog::{
    ApiKey, AuditEntry, CatalogError, DocumentQuery, JobEnd, JobQuery, NewDocument, StorageQuota, Usage,
};
use crate::document::{DocumentStatus, PartStatus};
use crate::ids::{BlobHash, KeyId};
use crate::job::{JobKind, JobState, Progress};
use crate::names::CollectionName;

/// A failed job is found by state and kind, and queued again as if it were new, behind what came since.
pub async fn a_failed_job_is_tried_again(fixture: &dyn CatalogFixture) {
    let stage = Stage::open(fixture).await;
    let (catalog, acme) = (&stage.catalog, &stage.acme);
    let failed = || JobEnd::Failed { error: "no memory".to_owned() };
    stage.ready(Some("a"), &["one"]).await;
    let mut new = stage.unstored(Some("a"), &["two", "bad"]);
    new.parts[1].error = Some(super::sample::part_error("image_too_large"));
    let (document, job) = stage.accept_new(acme, new).await;
    refused(catalog.retry_job(acme, job.id).await, Conflict);
    let lease = stage.lease("worker").await;
    refused(catalog.retry_job(acme, job.id).await, Conflict);
    stage.end(&lease, failed()).await;
    let kind = JobKind::Refresh { document: document.id };
    let refresh = catalog.enqueue(acme, stage.job_id(), kind).await.unwrap();

    let dead = async |kind: &str| {
        let query =
            JobQuery { state: Some(JobState::Failed), kind: Some(kind.to_owned()), limit: 9, ..JobQuery::default() };
        let jobs = catalog.jobs(acme, &query).await.unwrap();
        jobs.iter().map(|job| job.id).collect::<Vec<_>>()
    };
    assert_eq!((dead("ingest").await, dead("delete").await), (vec![job.id], vec![]));
    refused(catalog.retry_job(&tenant("eve"), job.id).await, NotFound);
    let again = catalog.retry_job(acme, job.id).await.unwrap();
    assert_eq!((again.state, again.attempts, again.finished_at), (JobState::Queued, 0, None));
    assert!(again.revision > job.revision);
    assert_eq!(catalog.document(acme, document.id).await.unwrap().status, DocumentStatus::Processing);
    let parts = catalog.parts(acme, document.id, Some(2)).await.unwrap();
    assert_eq!([parts[0].status, parts[1].status], [PartStatus::Pending, PartStatus::Failed]);
    refused(catalog.heartbeat(&lease, 1000).await, super::sample::LeaseLost);

    let lease = stage.lease("worker").await;
    assert_eq!(lease.job.id, refresh.id);
    stage.end(&lease, failed()).await;
    let lease = stage.lease("worker").await;
    assert_eq!((lease.job.id, lease.job.attempts), (job.id, 1));
    let mut outcomes = stage.outcomes(&lease, 2).await;
    outcomes.pop();
    catalog.finish_ingest(&lease, 2, outcomes, Vec::new(), &Progress::default()).await.unwrap();
    assert_eq!(catalog.document(acme, document.id).await.unwrap().status, DocumentStatus::Partial);
    assert_eq!(stage.live_ids(document.id).await.len(), 2);
    refused(catalog.retry_job(acme, job.id).await, Conflict);

    stage.accept(Some("a"), &["three"]).await;
    let lease = stage.lease("worker").await;
    stage.end(&lease, failed()).await;
    stage.accept(Some("a"), &["four"]).await;
    refused(catalog.retry_job(acme, lease.job.id).await, Conflict);
    let lease = stage.lease("worker").await;
    stage.finish(&lease, 1).await;
    catalog.delete_document(acme, document.id, stage.job_id()).await.unwrap();
    refused(catalog.retry_job(acme, refresh.id).await, Conflict);
    let lease = stage.lease("worker").await;
    stage.end(&lease, failed()).await;
    catalog.retry_job(acme, lease.job.id).await.unwrap();
    let lease = stage.lease("worker").await;
    catalog.finish_delete(&lease, document.id).await.unwrap();
}

/// A key that is revoked is still listed and does not work any more; its last use is known to the minute.
pub async fn keys_are_listed_and_revoked(fixture: &dyn CatalogFixture) {
    let stage = Stage::open(fixture).await;
    let (catalog, acme) = (&stage.catalog, &stage.acme);
    let mut keys = Vec::new();
    for number in 0..3u8 {
        stage.clock.advance(1);
        let key = ApiKey {
            id: KeyId::new(stage.clock_now(), u128::from(number)),
            name: format!("key {number}"),
            tenant: acme.clone(),
            scopes: vec!["read".to_owned()],
            created_at: stage.clock_now(),
            expires_at: None,
            last_used_at: None,
            revoked_at: None,
        };
        catalog.put_key(&key, &BlobHash::of(&[number])).await.unwrap();
        keys.insert(0, key);
    }
    assert_eq!(catalog.keys(acme, None, 9).await.unwrap(), keys);
    assert_eq!(catalog.keys(acme, None, 2).await.unwrap(), keys[..2]);
    assert_eq!(catalog.keys(acme, Some(keys[1].id), 9).await.unwrap(), keys[2..]);
    assert_eq!(catalog.keys(&tenant("eve"), None, 9).await.unwrap(), []);

    let first = stage.clock_now();
    catalog.key_used(keys[0].id).await.unwrap();
    stage.clock.advance(30_000);
    catalog.key_used(keys[0].id).await.unwrap();
    assert_eq!(catalog.keys(acme, None, 1).await.unwrap()[0].last_used_at, Some(first));
    stage.clock.advance(HOUR_MS);
    catalog.key_used(keys[0].id).await.unwrap();
    assert_eq!(catalog.keys(acme, None, 1).await.unwrap()[0].last_used_at, Some(stage.clock_now()));

    refused(catalog.revoke_key(&tenant("eve"), keys[0].id).await, NotFound);
    assert!(catalog.key_by_secret(&BlobHash::of(&[2])).await.unwrap().is_some());
    let revoked = catalog.revoke_key(acme, keys[0].id).await.unwrap();
    assert_eq!(revoked.revoked_at, Some(stage.clock_now()));
    stage.clock.advance(1);
    assert_eq!(catalog.revoke_key(acme, keys[0].id).await.unwrap(), revoked);
    assert_eq!(catalog.key_by_secret(&BlobHash::of(&[2])).await.unwrap(), None);
    assert_eq!(catalog.keys(acme, None, 1).await.unwrap(), [revoked]);
    assert!(catalog.key_by_secret(&BlobHash::of(&[1])).await.unwrap().is_some());
}

/// Newest first, page by page, each tenant's own.
pub async fn the_audit_log_keeps_everything(fixture: &dyn CatalogFixture) {
    let stage = Stage::open(fixture).await;
    let (catalog, acme) = (&stage.catalog, &stage.acme);
    let mut entries = Vec::new();
    for number in 0..7 {
        stage.clock.advance(1);
        let entry = AuditEntry {
            at: stage.clock_now(),
            actor: "key_1".to_owned(),
            action: "document.delete".to_owned(),
            subject: format!("doc_{number}"),
            request: (number % 2 == 0).then(|| "req_1".to_owned()),
            detail: serde_json::from_value(json!({"number": number})).unwrap(),
        };
        catalog.record(acme, &entry).await.unwrap();
        catalog.record(&tenant("eve"), &AuditEntry { subject: "hers".to_owned(), ..entry.clone() }).await.unwrap();
        entries.insert(0, entry);
    }
    let (mut found, mut before) = (Vec::new(), None);
    loop {
        let page = catalog.audit(acme, before, 3).await.unwrap();
        let Some(last) = page.last() else { break };
        before = Some(last.number);
        found.extend(page.into_iter().map(|record| record.entry));
    }
    assert_eq!(found, entries);
    assert_eq!(catalog.audit(&tenant("eve"), None, 99).await.unwrap().len(), 7);
    assert_eq!(catalog.audit(&tenant("nobody"), None, 99).await.unwrap(), []);
}

/// Jobs that ended long ago go, oldest first; open ones never.
pub async fn old_jobs_are_forgotten(fixture: &dyn CatalogFixture) {
    let stage = Stage::open(fixture).await;
    let (catalog, acme) = (&stage.catalog, &stage.acme);
    let mut ended = Vec::new();
    for _ in 0..3 {
        ended.push(catalog.enqueue(acme, stage.job_id(), JobKind::Rebuild).await.unwrap().id);
        let lease = stage.lease("worker").await;
        stage.end(&lease, JobEnd::Succeeded { parts: Vec::new() }).await;
        stage.clock.advance(HOUR_MS);
    }
    let open = catalog.enqueue(acme, stage.job_id(), JobKind::Rebuild).await.unwrap().id;
    stage.clock.advance(HOUR_MS);
    let an_hour_ago = stage.clock_now().plus_ms(-2 * HOUR_MS);
    assert_eq!(catalog.prune_jobs(an_hour_ago, 1).await.unwrap(), 1);
    refused(catalog.job(acme, ended[0]).await, NotFound);
    assert_eq!(catalog.prune_jobs(an_hour_ago, 9).await.unwrap(), 1);
    assert_eq!(catalog.prune_jobs(an_hour_ago, 9).await.unwrap(), 0);
    assert_eq!(catalog.prune_jobs(stage.clock_now(), 9).await.unwrap(), 1);
    assert_eq!(stage.job(open).await.state, JobState::Queued);
    assert_eq!(stage.lease("worker").await.job.id, open);
}

/// Documents and bytes are counted as they come and go; a blob that two parts own counts once.
pub async fn usage_follows_every_change(fixture: &dyn CatalogFixture) {
    let stage = Stage::open(fixture).await;
    let (catalog, acme) = (&stage.catalog, &stage.acme);
    let usage = async || catalog.usage(acme).await.unwrap();
    assert_eq!(usage().await, Usage::default());
    let first = stage.ready(Some("a"), &["one", "three", "one"]).await;
    assert_eq!(usage().await, Usage { documents: 1, blob_bytes: 8 });
    stage.ready(None, &["three"]).await;
    assert_eq!(usage().await, Usage { documents: 2, blob_bytes: 8 });
    stage.accept(Some("a"), &["seven"]).await;
    assert_eq!(usage().await, Usage { documents: 2, blob_bytes: 13 });
    let lease = stage.lease("worker").await;
    stage.finish(&lease, 1).await;
    assert_eq!(usage().await, Usage { documents: 2, blob_bytes: 10 });
    stage.delete(first.id).await;
    assert_eq!(usage().await, Usage { documents: 1, blob_bytes: 5 });
    assert_eq!(catalog.usage(&tenant("eve")).await.unwrap(), Usage::default());

    let default = CollectionName::default();
    catalog.delete_collection(acme, &default, stage.job_id()).await.unwrap();
    assert_eq!(usage().await, Usage { documents: 0, blob_bytes: 5 });
    let lease = stage.lease("worker").await;
    for document in catalog.doomed_documents(acme, &default, 9).await.unwrap() {
        catalog.remove_document(&lease, document).await.unwrap();
    }
    assert_eq!(usage().await, Usage::default());
}

/// A quota holds to the last document and byte, also when many come at once; what was refused leaves nothing, and what takes no more is taken.
pub async fn a_tenant_keeps_no_more_than_it_may(fixture: &dyn CatalogFixture) {
    async fn offered(
        stage: &Stage,
        external_id: Option<&str>,
        text: &str,
        quota: StorageQuota,
    ) -> Result<(), CatalogError> {
        let new = NewDocument { quota, ..stage.unstored(external_id, &[text]) };
        stage.store_blobs(&stage.acme, &new).await;
        stage.catalog.accept_document(&stage.acme, new).await.map(drop)
    }
    let stages = [Arc::new(Stage::open(fixture).await), Arc::new(Stage::open(fixture).await)];
    let three = StorageQuota { documents: Some(3), blob_bytes: None };
    let mut tasks = Vec::new();
    for task in 0..8 {
        let stage = stages[task % 2].clone();
        tasks.push(tokio::spawn(async move { offered(&stage, None, &format!("d{task}"), three).await }));
    }
    let (mut taken, mut refusals) = (0, 0);
    for task in tasks {
        match task.await.unwrap() {
            Ok(()) => taken += 1,
            refusal => {
                refused(refusal, OverQuota);
                refusals += 1;
            }
        }
    }
    assert_eq!((taken, refusals), (3, 5));
    let [stage, _] = &stages;
    let (catalog, acme) = (&stage.catalog, &stage.acme);
    let offer = async |external_id, text, quota| offered(stage, external_id, text, quota).await;
    assert_eq!(catalog.usage(acme).await.unwrap(), Usage { documents: 3, blob_bytes: 6 });
    let query = DocumentQuery { limit: 9, ..DocumentQuery::default() };
    assert_eq!(catalog.documents(acme, &query).await.unwrap().len(), 3);

    let bytes = StorageQuota { documents: None, blob_bytes: Some(9) };
    refused(offer(Some("x"), "four", bytes).await, OverQuota);
    offer(Some("x"), "abc", bytes).await.unwrap();
    refused(offer(None, "e", bytes).await, OverQuota);
    offer(None, "abc", bytes).await.expect("the same bytes again take no more");
    offer(Some("x"), "abc", three).await.expect("a next version is no more documents");
    refused(offer(None, "abc", three).await, OverQuota);
    assert_eq!(catalog.usage(acme).await.unwrap(), Usage { documents: 5, blob_bytes: 9 });
}
