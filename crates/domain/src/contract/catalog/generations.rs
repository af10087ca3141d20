//! A generation is built beside the live one, takes its place, and gives it back.

use std::sync::Arc;

use super::CatalogFixture;
use super::sample::{Conflict, LEASE_MS, LeaseLost, NotFound, Stage, outcome, refused};
use crate::catalog::{
    Catalog, DocumentPatch, Generation, GenerationState, JobEnd, Lease, NewDocument, Recall, Staged, Taker,
};
use crate::ids::SegmentId;
use crate::job::{JobKind, JobState, Progress};
use crate::names::ModelName;
use crate::segment::Modality;

async fn put(stage: &Stage, number: u32, state: GenerationState) {
    let towers = vec![("shared".to_owned(), Modality::Text, ModelName(format!("minilm@{number}")))];
    let generation = Generation {
        number,
        profile: format!("profile-{number}"),
        source: None,
        towers,
        state,
        recall: None,
        min_overlap: 0.25,
        created_at: stage.clock_now(),
    };
    stage.catalog.put_generation(&generation).await.unwrap();
}

async fn reindex(stage: &Stage, generation: u32) -> Lease {
    stage.catalog.enqueue(&stage.acme, stage.job_id(), JobKind::Reindex { generation }).await.unwrap();
    let lease = stage.lease("reindexer").await;
    assert_eq!(lease.job.kind, JobKind::Reindex { generation });
    lease
}

/// Stages everything that the generation lacks, with `segments` segments a part.
async fn catch_up(stage: &Stage, lease: &Lease, generation: u32, segments: u32) {
    let beside = stage.catalog.at_generation(generation);
    for lacking in stage.catalog.unstaged(generation, None, 99).await.unwrap() {
        let parts = beside.parts(&lacking.tenant, lacking.document.id, None).await.unwrap();
        let mut made = Vec::new();
        for part in &parts {
            let mut outcome = outcome(part, segments).result.unwrap();
            for segment in &mut outcome {
                segment.id = SegmentId::derive_in(generation, part.id, "chunk", segment.ordinal);
            }
            made.extend(outcome);
        }
        let staged = Staged {
            tenant: lacking.tenant,
            document: lacking.document.id,
            version: lacking.version,
            updated_at: lacking.document.updated_at,
            segments: made,
        };
        beside.stage(lease, staged).await.unwrap();
    }
}

async fn segments_seen(stage: &Stage, catalog: &dyn Catalog, document: crate::ids::DocumentId) -> usize {
    catalog.segments(&stage.acme, document, 0, 99).await.unwrap().len()
}

/// What is added, changed and deleted while a generation is built is noticed, and without all of it there is no switch. After it a handle
/// of before takes no job and ends none, and the way back is the same way.
pub async fn a_generation_takes_the_place_of_another(fixture: &dyn CatalogFixture) {
    let before = Stage::open(fixture).await;
    let acme = &before.acme;
    let old = &before.catalog;
    put(&before, 1, GenerationState::Live).await;
    let kept = before.ready(Some("kept"), &["one", "two"]).await.id;
    let doomed = before.ready(Some("doomed"), &["three"]).await.id;
    put(&before, 2, GenerationState::Building).await;
    assert_eq!(old.count_unstaged(2).await.unwrap(), 2);

    let lease = reindex(&before, 2).await;
    catch_up(&before, &lease, 2, 5).await;
    assert_eq!(old.count_unstaged(2).await.unwrap(), 0);
    let new = old.at_generation(2);
    assert_eq!(segments_seen(&before, &**old, kept).await, 4, "the live one is what it was");
    assert_eq!(segments_seen(&before, &*new, kept).await, 10);

    let patch = DocumentPatch { title: Some(Some("Changed".to_owned())), ..DocumentPatch::default() };
    before.clock.advance(1);
    old.patch_document(acme, kept, patch, before.job_id()).await.unwrap();
    let refresh = before.lease("worker").await;
    before.end(&refresh, JobEnd::Succeeded { parts: Vec::new() }).await;
    before.delete(doomed).await;
    let late = before.ready(Some("late"), &["four"]).await.id;
    let lacking: Vec<_> = old.unstaged(2, None, 9).await.unwrap();
    let lacking: Vec<_> = lacking.iter().map(|lacking| (lacking.document.id, lacking.had_another)).collect();
    assert_eq!(lacking, [(kept, true), (late, false)]);
    assert_eq!(old.gone_documents(2, 9).await.unwrap(), [(acme.clone(), doomed)]);
    refused(old.switch_generation(&lease, 2, None).await, Conflict);
    catch_up(&before, &lease, 2, 5).await;
    refused(old.switch_generation(&lease, 2, None).await, Conflict);
    old.unstage(2, Some(doomed)).await.unwrap();

    // An ingest is under way for the generation that goes: its end is refused, and it is done again for the other.
    before.accept(Some("late"), &["five", "six"]).await;
    let ingest = before.lease("worker").await;
    let recall = Recall { queries: 2, depth: 10, overlap: 0.5 };
    old.switch_generation(&lease, 2, Some(recall)).await.unwrap();
    assert_eq!(before.job(lease.job.id).await.state, JobState::Succeeded);
    let live = old.generation().await.unwrap().unwrap();
    assert_eq!((live.number, live.recall), (2, Some(recall)));
    let outcomes = before.outcomes(&ingest, 2).await;
    refused(old.finish_ingest(&ingest, 2, outcomes, Vec::new(), &Progress::default()).await, LeaseLost);
    assert!(old.lease_job("worker", LEASE_MS).await.unwrap().is_none(), "a handle of before takes nothing");

    let after = Stage::open(fixture).await;
    assert_eq!(segments_seen(&before, &*after.catalog, kept).await, 10);
    assert_eq!(after.catalog.stats(acme).await.unwrap().segments, 15);
    let again = after.lease("worker").await;
    assert_eq!(again.job.id, ingest.job.id);
    let mut outcomes = after.outcomes(&again, 3).await;
    for segment in outcomes.iter_mut().flat_map(|outcome| outcome.result.as_mut().unwrap()) {
        segment.id = SegmentId::derive_in(2, segment.part, "chunk", segment.ordinal);
    }
    after.catalog.finish_ingest(&again, 2, outcomes, Vec::new(), &Progress::default()).await.unwrap();
    assert_eq!(segments_seen(&before, &*after.catalog, late).await, 6);

    // The way back: only what has changed since is missing.
    let lacking = after.catalog.unstaged(1, None, 9).await.unwrap();
    assert_eq!(lacking.iter().map(|lacking| lacking.document.id).collect::<Vec<_>>(), [late]);
    let lease = reindex(&after, 1).await;
    catch_up(&after, &lease, 1, 2).await;
    after.catalog.switch_generation(&lease, 1, None).await.unwrap();
    let back = Stage::open(fixture).await;
    assert_eq!(segments_seen(&before, &*back.catalog, kept).await, 4);
    assert_eq!(segments_seen(&before, &*back.catalog, late).await, 4);
    refused(back.catalog.drop_generation(1).await, Conflict);
    back.catalog.drop_generation(2).await.unwrap();
    refused(back.catalog.drop_generation(2).await, NotFound);
    assert_eq!(segments_seen(&before, &*back.catalog.at_generation(2), kept).await, 0);
    assert_eq!(segments_seen(&before, &*back.catalog, kept).await, 4);
}

/// While a generation is about to be live, no other job is taken, but a reindex whose worker died is; when it gives up, the others go on.
pub async fn jobs_wait_for_a_switch(fixture: &dyn CatalogFixture) {
    let stage = Stage::open(fixture).await;
    put(&stage, 1, GenerationState::Live).await;
    put(&stage, 2, GenerationState::Building).await;
    stage.accept(None, &["one"]).await;
    let running = stage.lease("worker").await;
    let lease = reindex(&stage, 2).await;
    let (_, waiting) = stage.accept(None, &["two"]).await;
    assert_eq!(stage.catalog.hold_jobs(&lease, 2).await.unwrap(), 1);
    assert!(stage.nothing_to_lease().await);
    let taker = Some(Taker { worker: "worker".to_owned(), lease_ms: LEASE_MS });
    let new = NewDocument { taker, ..stage.unstored(None, &["three"]) };
    assert_eq!(stage.accept_new(&stage.acme, new).await.1.state, JobState::Queued);
    stage.finish(&running, 1).await;
    assert_eq!(stage.catalog.hold_jobs(&lease, 2).await.unwrap(), 0);
    stage.clock.advance(LEASE_MS);
    let heir = stage.lease("heir").await;
    assert_eq!(heir.job.id, lease.job.id);
    refused(stage.catalog.hold_jobs(&lease, 2).await, LeaseLost);
    assert!(stage.nothing_to_lease().await);
    stage.end(&heir, JobEnd::Failed { error: "no memory".to_owned() }).await;
    assert_eq!(stage.lease("worker").await.job.id, waiting.id);
    let states: Vec<_> = stage.catalog.generations().await.unwrap().iter().map(|known| known.state).collect();
    assert_eq!(states, [GenerationState::Live, GenerationState::Building]);
}

/// Whoever takes a job while others are stopped is counted: no job runs that the reindex does not know of.
pub async fn no_job_slips_by_a_switch(fixture: &dyn CatalogFixture) {
    let stage = Arc::new(Stage::open(fixture).await);
    put(&stage, 1, GenerationState::Live).await;
    put(&stage, 2, GenerationState::Building).await;
    let lease = reindex(&stage, 2).await;
    for _ in 0..30 {
        stage.accept(None, &["text"]).await;
    }
    let workers: Vec<_> = (0..4)
        .map(|worker| {
            let stage = stage.clone();
            tokio::spawn(async move {
                let mut taken = 0;
                while let Some(_lease) = stage.catalog.lease_job(&format!("worker-{worker}"), LEASE_MS).await.unwrap() {
                    taken += 1;
                }
                taken
            })
        })
        .collect();
    let running = stage.catalog.hold_jobs(&lease, 2).await.unwrap();
    let mut taken = 0;
    for worker in workers {
        taken += worker.await.unwrap();
    }
    assert_eq!(running, taken);
}

/// The last questions are kept, the newest first.
pub async fn questions_are_remembered_for_a_while(fixture: &dyn CatalogFixture) {
    let stage = Stage::open(fixture).await;
    let (catalog, acme) = (&stage.catalog, &stage.acme);
    let asked = |texts: &[&str]| texts.iter().map(|text| (acme.clone(), (*text).to_owned())).collect::<Vec<_>>();
    catalog.note_queries(&asked(&["a", "b"]), 3).await.unwrap();
    catalog.note_queries(&asked(&["c", "d"]), 3).await.unwrap();
    assert_eq!(catalog.recent_queries(2).await.unwrap(), asked(&["d", "c"]));
    assert_eq!(catalog.recent_queries(9).await.unwrap(), asked(&["d", "c", "b"]));
}
