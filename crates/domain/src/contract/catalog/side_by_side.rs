//! Many at once: documents of one tenant come and go beside each other, and share content.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::CatalogFixture;
use super::sample::{Chance, Conflict, LEASE_MS, LeaseLost, Stage, content, model, outcome, refused};
use crate::catalog::{DocumentQuery, JobEnd, NewVector, Usage};
use crate::document::DocumentStatus;
use crate::ids::{BlobHash, ContentKey};
use crate::job::{JobKind, Progress};

const TEXTS: [&str; 4] = ["red", "blue", "green", "grey"];

/// Nobody waits for another in turn, so every call succeeds; afterwards owners, usage and vectors are what the documents make them.
pub async fn documents_come_and_go_side_by_side(fixture: &dyn CatalogFixture) {
    let stage = Arc::new(Stage::open(fixture).await);
    let tasks: Vec<_> = (0..6)
        .map(|task| {
            let stage = stage.clone();
            tokio::spawn(async move { come_and_go(&stage, task).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    while run_one_job(&stage, "last").await {}

    let (catalog, acme) = (&stage.catalog, &stage.acme);
    let documents = catalog.documents(acme, &DocumentQuery { limit: 1000, ..DocumentQuery::default() }).await.unwrap();
    assert!(!documents.is_empty());
    let usage = catalog.usage(acme).await.unwrap();
    assert_eq!(usage.documents, documents.len() as u64);
    for document in &documents {
        assert_eq!(stage.live_ids(document.id).await.len(), 2 * TEXTS.len());
    }
    assert_eq!(kept(&stage).await, TEXTS.len(), "all are used");
    assert_eq!(usage.blob_bytes, TEXTS.iter().map(|text| text.len() as u64).sum::<u64>());

    for document in documents {
        stage.delete(document.id).await;
    }
    assert_eq!(catalog.usage(acme).await.unwrap(), Usage::default());
    assert_eq!(stage.orphans().await.len(), TEXTS.len());
    assert_eq!(kept(&stage).await, 0, "none is used any more");
}

/// Calls that come at the same time may go to the database together; each caller gets the answer that it would have got alone.
pub async fn each_of_many_callers_gets_its_own_answer(fixture: &dyn CatalogFixture) {
    let stage = Arc::new(Stage::open(fixture).await);
    // Every sixth has an external id that others have too, every eighth a part whose bytes nobody has stored.
    let mut callers = JoinSet::new();
    for caller in 0..24 {
        let stage = stage.clone();
        callers.spawn(async move {
            let mut new = stage.unstored((caller % 6 == 0).then_some("shared"), &[TEXTS[caller % 4]]);
            stage.store_blobs(&stage.acme, &new).await;
            if caller % 8 == 1 {
                new.parts[0].blob = BlobHash::of(b"nobody has stored this");
                refused(stage.catalog.accept_document(&stage.acme, new).await, Conflict);
                return None;
            }
            Some(stage.catalog.accept_document(&stage.acme, new).await.unwrap().0)
        });
    }
    let accepted: Vec<_> = callers.join_all().await.into_iter().flatten().collect();
    let mut shared: Vec<_> = accepted.iter().filter(|document| document.external_id.is_some()).collect();
    shared.sort_by_key(|document| document.version);
    assert_eq!(shared.iter().map(|document| document.version).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert!(shared.iter().all(|document| document.id == shared[0].id));

    // Every fifth worker has lost its job to another, and every fifth tells of a part that is not its document's.
    let leases = stage.catalog.lease_jobs("worker", LEASE_MS, 24).await.unwrap();
    assert_eq!(leases.len(), accepted.len() - 3, "the first three versions of the shared one were stopped");
    let stray = stage.outcomes(&leases[0], 1).await;
    let mut workers = JoinSet::new();
    for (index, mut lease) in leases.into_iter().enumerate().skip(1) {
        let (stage, stray) = (stage.clone(), stray.clone());
        workers.spawn(async move {
            let JobKind::Ingest { version, .. } = lease.job.kind else { panic!("{:?}", lease.job.kind) };
            let mut outcomes = stage.outcomes(&lease, 2).await;
            match index % 5 {
                1 => {
                    "another".clone_into(&mut lease.worker);
                    refused(
                        stage.catalog.finish_ingest(&lease, version, outcomes, Vec::new(), &Progress::default()).await,
                        LeaseLost,
                    );
                    None
                }
                2 => {
                    outcomes.extend(stray);
                    refused(
                        stage.catalog.finish_ingest(&lease, version, outcomes, Vec::new(), &Progress::default()).await,
                        Conflict,
                    );
                    None
                }
                _ => {
                    stage
                        .catalog
                        .finish_ingest(&lease, version, outcomes, Vec::new(), &Progress::default())
                        .await
                        .unwrap();
                    lease.job.kind.document()
                }
            }
        });
    }
    let finished: HashSet<_> = workers.join_all().await.into_iter().flatten().collect();
    for document in accepted {
        let is_finished = finished.contains(&document.id);
        let wanted = if is_finished { DocumentStatus::Ready } else { DocumentStatus::Processing };
        assert_eq!(stage.catalog.document(&stage.acme, document.id).await.unwrap().status, wanted);
        assert_eq!(stage.live_ids(document.id).await.len(), if is_finished { 2 } else { 0 });
    }
}

/// Adds documents with the same parts in ever another order, each under an id that another task may take too, and deletes some.
async fn come_and_go(stage: &Stage, task: u64) {
    let mut chance = Chance(task);
    let worker = format!("worker-{task}");
    for _ in 0..8 {
        let mut texts = TEXTS.to_vec();
        texts.sort_by_cached_key(|_| chance.below(1000));
        let id = format!("{}", chance.below(12));
        let (document, _) = stage.accept(chance.one_in(2).then_some(id.as_str()), &texts).await;
        run_one_job(stage, &worker).await;
        if chance.one_in(4) {
            // Another may have deleted it, and ended that, before.
            let _ = stage.catalog.delete_document(&stage.acme, document.id, stage.job_id()).await;
        }
        run_one_job(stage, &worker).await;
    }
}

/// Does a job as a worker does, its vectors in the order of its parts. The ingest of a document that is being deleted meanwhile is given up.
async fn run_one_job(stage: &Stage, worker: &str) -> bool {
    let Some(lease) = stage.catalog.lease_job(worker, LEASE_MS).await.unwrap() else { return false };
    match lease.job.kind {
        JobKind::Ingest { document, version } => {
            let Ok(parts) = stage.catalog.parts(&lease.tenant, document, Some(version)).await else {
                stage.end(&lease, JobEnd::Cancelled).await;
                return true;
            };
            let outcomes: Vec<_> = parts.iter().map(|part| outcome(part, 2)).collect();
            let segments = outcomes.iter().filter_map(|outcome| outcome.result.as_ref().ok()).flatten();
            let contents: Vec<_> = segments.map(|segment| segment.content).collect();
            // Some ingests keep their vectors as they come, others at their end, of two models.
            let mut vectors = Vec::new();
            if document.uuid().as_u128().is_multiple_of(2) {
                let put: Vec<_> = contents.iter().map(|content| (*content, vec![1.0])).collect();
                stage.catalog.put_vectors(&lease.tenant, &model("text@1"), &put).await.unwrap();
            } else {
                for model in [model("text@2"), model("text@1")] {
                    let made =
                        |content: &ContentKey| NewVector { model: model.clone(), content: *content, vector: vec![1.0] };
                    vectors.extend(contents.iter().map(made));
                }
            }
            stage.catalog.finish_ingest(&lease, version, outcomes, vectors, &Progress::default()).await.unwrap();
        }
        JobKind::Delete { document } => stage.catalog.finish_delete(&lease, document).await.unwrap(),
        ref other => panic!("nobody enqueued {other:?}"),
    }
    true
}

/// How many of the texts have the vector of their first segment.
async fn kept(stage: &Stage) -> usize {
    let keys = TEXTS.map(|text| content(BlobHash::of(text.as_bytes()), 0));
    stage.catalog.vectors(&stage.acme, &model("text@1"), &keys).await.unwrap().iter().flatten().count()
}
