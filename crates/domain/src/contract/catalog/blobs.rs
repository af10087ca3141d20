//! Blobs are there as long as somebody has or claims them, and go when nobody does.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use super::CatalogFixture;
use super::sample::{Chance, Conflict, HOUR_MS, NotFound, Stage, claim, refused, tenant};
use crate::catalog::{BlobState, CatalogError, ClaimId, JobQuery, NewDocument};
use crate::ids::BlobHash;
use crate::names::TenantId;

/// Until the bytes are known to be stored, every claimer is told to store them.
pub async fn a_blob_is_missing_until_its_bytes_are_stored(fixture: &dyn CatalogFixture) {
    let stage = Stage::open(fixture).await;
    let (catalog, acme) = (&stage.catalog, &stage.acme);
    let [red, blue] = [BlobHash::of(b"red"), BlobHash::of(b"blue")];
    let (mine, other) = (claim(), claim());
    let say = async |claim, blobs: &[(BlobHash, u64)]| {
        catalog.claim_blobs(acme, claim, blobs, stage.in_an_hour()).await.unwrap()
    };
    assert_eq!(say(mine, &[(red, 3), (blue, 4), (red, 3)]).await, [BlobState::Missing; 3]);
    assert_eq!(say(other, &[(red, 3)]).await, [BlobState::Missing]);
    catalog.blobs_stored(acme, mine, &[red]).await.unwrap();
    assert_eq!(say(other, &[(red, 3), (blue, 4)]).await, [BlobState::Stored, BlobState::Missing]);
    assert_eq!(catalog.blobs(None, 10).await.unwrap(), [(acme.clone(), red)]);

    catalog.blobs_stored(acme, other, &[blue]).await.unwrap();
    let mut both = vec![(acme.clone(), red), (acme.clone(), blue)];
    both.sort();
    assert_eq!(catalog.blobs(None, 10).await.unwrap(), both);
    assert_eq!(catalog.blobs(None, 1).await.unwrap(), both[..1]);
    assert_eq!(catalog.blobs(Some(both[0].clone()), 10).await.unwrap(), both[1..]);

    let stranger = claim();
    refused(catalog.blobs_stored(acme, stranger, &[red]).await, Conflict);
}

/// A claim keeps a blob until it expires or is let go; after that the claimer has to begin anew.
pub async fn a_claim_keeps_a_blob_until_it_ends(fixture: &dyn CatalogFixture) {
    let stage = Stage::open(fixture).await;
    let (catalog, acme) = (&stage.catalog, &stage.acme);
    let (released, expiring) = (claim(), stage.unstored(None, &["late"]));
    let red = stage.store(acme, released, "red").await;
    stage.store_blobs(acme, &expiring).await;
    let late = expiring.parts[0].blob;
    assert_eq!(stage.orphans().await, []);

    catalog.release_claim(acme, released).await.unwrap();
    assert_eq!(stage.orphans().await, [red]);

    stage.clock.advance(HOUR_MS + 1);
    assert_eq!(catalog.take_orphan_blobs(0).await.unwrap(), []);
    assert!(stage.orphans().await.contains(&late));
    refused(catalog.blobs_stored(acme, expiring.claim, &[late]).await, Conflict);
    refused(catalog.accept_document(acme, expiring).await, Conflict);
}

/// Two documents with equal bytes share a blob; it goes with the second.
pub async fn a_shared_blob_stays_until_its_last_owner_goes(fixture: &dyn CatalogFixture) {
    let stage = Stage::open(fixture).await;
    let (catalog, acme) = (&stage.catalog, &stage.acme);
    let first = stage.ready(None, &["shared", "alone"]).await;
    let second = stage.ready(None, &["shared"]).await;
    let [shared, alone] = [BlobHash::of(b"shared"), BlobHash::of(b"alone")];

    stage.delete(first.id).await;
    assert_eq!(stage.orphans().await, [alone]);
    assert_eq!(stage.orphans().await, [], "what is being deleted is not handed out twice");
    let held = claim();
    let states = catalog.claim_blobs(acme, held, &[(alone, 5)], stage.in_an_hour()).await.unwrap();
    assert_eq!(states, [BlobState::Deleting]);
    refused(catalog.blobs_stored(acme, held, &[alone]).await, Conflict);
    catalog.blobs_deleted(&[(acme.clone(), alone)]).await.unwrap();
    let states = catalog.claim_blobs(acme, held, &[(alone, 5)], stage.in_an_hour()).await.unwrap();
    assert_eq!(states, [BlobState::Missing]);
    assert_eq!(catalog.blobs(None, 10).await.unwrap(), [(acme.clone(), shared)]);

    stage.delete(second.id).await;
    assert_eq!(stage.orphans().await, [shared]);
}

/// A process dies between marking a blob and removing its bytes: another takes it over, or a claimer stores it anew.
pub async fn a_deletion_that_died_is_taken_over(fixture: &dyn CatalogFixture) {
    let stage = Stage::open(fixture).await;
    let (catalog, acme) = (&stage.catalog, &stage.acme);
    let held = claim();
    let red = stage.store(acme, held, "red").await;
    catalog.release_claim(acme, held).await.unwrap();
    assert_eq!(stage.orphans().await, [red]);
    stage.clock.advance(24 * HOUR_MS);
    assert_eq!(stage.orphans().await, [red]);
    assert_eq!(stage.orphans().await, []);

    stage.clock.advance(24 * HOUR_MS);
    let again = claim();
    let blobs = [(red, 3)];
    let states = catalog.claim_blobs(acme, again, &blobs, stage.in_an_hour()).await.unwrap();
    assert_eq!(states, [BlobState::Missing]);
    catalog.blobs_deleted(&[(acme.clone(), red)]).await.unwrap();
    catalog.blobs_stored(acme, again, &[red]).await.unwrap();
    assert_eq!(catalog.blobs(None, 10).await.unwrap(), [(acme.clone(), red)]);
}

/// No document is accepted whose bytes are not stored, and a refusal leaves nothing behind.
pub async fn a_document_needs_stored_blobs(fixture: &dyn CatalogFixture) {
    let stage = Stage::open(fixture).await;
    let (catalog, acme) = (&stage.catalog, &stage.acme);
    let new = stage.unstored(Some("a-7"), &["stored", "missing"]);
    stage.store(acme, new.claim, "stored").await;
    refused(catalog.accept_document(acme, new.clone()).await, Conflict);
    refused(catalog.document(acme, new.id).await, NotFound);
    let jobs = catalog.jobs(acme, &JobQuery { limit: 10, ..JobQuery::default() }).await.unwrap();
    assert_eq!(jobs, []);

    let mut new = new;
    new.parts[1].error = Some(super::sample::part_error("image_too_large"));
    let (document, _) = catalog.accept_document(acme, new).await.unwrap();
    assert_eq!(document.version, 1);
}

/// Bytes that were put under a claim are recorded with the document, as long as the claim holds them.
pub async fn bytes_are_recorded_with_their_document(fixture: &dyn CatalogFixture) {
    let stage = Stage::open(fixture).await;
    let (catalog, acme) = (&stage.catalog, &stage.acme);
    let claimed = async |text: &str| {
        let new = stage.unstored(None, &[text]);
        let blobs = [(new.parts[0].blob, text.len() as u64)];
        let states = catalog.claim_blobs(acme, new.claim, &blobs, stage.in_an_hour()).await.unwrap();
        (NewDocument { stored: vec![new.parts[0].blob], ..new }, states[0])
    };
    let ((first, state), (twin, twins)) = (claimed("red").await, claimed("red").await);
    assert_eq!([state, twins], [BlobState::Missing; 2]);
    let unnamed = NewDocument { stored: Vec::new(), ..first.clone() };
    refused(catalog.accept_document(acme, unnamed).await, Conflict);
    assert_eq!(catalog.blobs(None, 10).await.unwrap(), [], "what was refused has recorded nothing");
    let foreign = NewDocument { claim: claim(), ..first.clone() };
    refused(catalog.accept_document(acme, foreign).await, Conflict);
    catalog.accept_document(acme, first).await.unwrap();
    catalog.accept_document(acme, twin).await.unwrap();
    assert_eq!(catalog.blobs(None, 10).await.unwrap(), [(acme.clone(), BlobHash::of(b"red"))]);
    assert_eq!(claimed("red").await.1, BlobState::Stored);

    let (late, _) = claimed("late").await;
    stage.clock.advance(HOUR_MS + 1);
    assert_eq!(stage.orphans().await, [BlobHash::of(b"late")]);
    refused(catalog.accept_document(acme, late.clone()).await, Conflict);
    let again = catalog.claim_blobs(acme, late.claim, &[(late.parts[0].blob, 4)], stage.in_an_hour()).await.unwrap();
    assert_eq!(again, [BlobState::Deleting]);
    refused(catalog.accept_document(acme, late).await, Conflict);
}

/// The bytes of small blobs come with their document and lie in the catalog, until nobody has them any more.
pub async fn small_bytes_come_with_their_document(fixture: &dyn CatalogFixture) {
    let stage = Stage::open(fixture).await;
    let (catalog, acme) = (&stage.catalog, &stage.acme);
    let small = |text: &str| {
        let mut new = stage.unstored(None, &[text]);
        new.parts[0].bytes = Some(text.as_bytes().into());
        new
    };
    let red = BlobHash::of(b"red");
    let kept = async |tenant: &TenantId| catalog.blob_bytes(tenant, red).await.unwrap();
    assert_eq!(kept(acme).await, None);
    let (document, _) = catalog.accept_document(acme, small("red")).await.unwrap();
    assert_eq!(kept(acme).await.as_deref(), Some(&b"red"[..]));
    assert_eq!(kept(&tenant("other")).await, None);
    assert_eq!(catalog.blobs(None, 10).await.unwrap(), [], "they are not in the blob store");
    assert_eq!(catalog.usage(acme).await.unwrap().blob_bytes, 3);
    let states = catalog.claim_blobs(acme, claim(), &[(red, 3)], stage.clock_now()).await.unwrap();
    assert_eq!(states, [BlobState::Stored]);
    stage.clock.advance(1);
    assert_eq!(stage.orphans().await, []);

    let lease = stage.lease("worker").await;
    stage.finish(&lease, 1).await;
    stage.delete(document.id).await;
    assert_eq!(stage.orphans().await, [], "there is no file to remove");
    assert_eq!(kept(acme).await, None);
    stage.store(acme, claim(), "red").await;
    stage.clock.advance(HOUR_MS + 1);
    assert_eq!(stage.orphans().await, [red], "a file");
    refused(catalog.accept_document(acme, small("red")).await, Conflict);
    catalog.blobs_deleted(&[(acme.clone(), red)]).await.unwrap();
    catalog.accept_document(acme, small("red")).await.unwrap();
    assert_eq!(kept(acme).await.as_deref(), Some(&b"red"[..]));

    let mut mixed = small("blue");
    mixed.parts.push(stage.unstored(None, &["large"]).parts.remove(0));
    refused(catalog.accept_document(acme, mixed.clone()).await, Conflict);
    assert_eq!(catalog.blob_bytes(acme, BlobHash::of(b"blue")).await.unwrap(), None);
    stage.store(acme, mixed.claim, "large").await;
    catalog.accept_document(acme, mixed).await.unwrap();
    assert_eq!(catalog.blob_bytes(acme, BlobHash::of(b"blue")).await.unwrap().as_deref(), Some(&b"blue"[..]));
    assert_eq!(catalog.blob_bytes(acme, BlobHash::of(b"large")).await.unwrap(), None);
    catalog.claim_blobs(acme, claim(), &[(BlobHash::of(b"green"), 5)], stage.in_an_hour()).await.unwrap();
    refused(catalog.accept_document(acme, small("green")).await, Conflict);
}

/// Documents come and go while orphans are swept: at the end exactly the bytes that are owned are there.
pub async fn no_blob_is_lost_between_claims_and_sweeps(fixture: &dyn CatalogFixture) {
    let stage = Arc::new(Stage::open(fixture).await);
    let store: Arc<Mutex<HashSet<BlobHash>>> = Arc::default();
    let mut tasks = Vec::new();
    for task in 0..4 {
        let (stage, store) = (stage.clone(), store.clone());
        tasks.push(tokio::spawn(async move {
            let mut chance = Chance(task);
            for _ in 0..12 {
                let text = *chance.pick(&["red", "blue", "green"]);
                let new = stage.unstored(None, &[text]);
                add_with_bytes(&stage, &store, new).await;
                sweep(&stage, &store).await;
                run_one_job(&stage, chance.one_in(2)).await;
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    while run_one_job(&stage, false).await {
        sweep(&stage, &store).await;
    }

    let catalog = &stage.catalog;
    let documents = catalog
        .documents(&stage.acme, &crate::catalog::DocumentQuery { limit: 1000, ..Default::default() })
        .await
        .unwrap();
    assert!(!documents.is_empty());
    let mut owned = HashSet::new();
    for document in documents {
        let parts = catalog.parts(&stage.acme, document.id, None).await.unwrap();
        owned.extend(parts.iter().map(|part| part.blob));
    }
    let mut kept = store.lock().unwrap().clone();
    assert!(kept.is_subset(&owned), "{kept:?} {owned:?}");
    for blob in &owned {
        if catalog.blob_bytes(&stage.acme, *blob).await.unwrap().is_some() {
            kept.insert(*blob);
        }
    }
    assert_eq!(kept, owned);
}

/// Adds a document as the upload does: its bytes come along, or claim, store what is missing, accept.
async fn add_with_bytes(stage: &Stage, store: &Mutex<HashSet<BlobHash>>, mut new: NewDocument) {
    let (catalog, acme) = (&stage.catalog, &stage.acme);
    let blob = new.parts[0].blob;
    if new.claim.0.is_multiple_of(3) {
        new.parts[0].bytes = Some(b"here".as_slice().into());
        match catalog.accept_document(acme, new.clone()).await {
            Ok(_) => return,
            // A file of the same bytes is about to go.
            Err(CatalogError::Conflict(_)) => new.parts[0].bytes = None,
            Err(error) => panic!("{error}"),
        }
    }
    loop {
        let stored = claim_with_bytes(stage, acme, store, new.claim, blob).await;
        match catalog.accept_document(acme, NewDocument { stored, ..new.clone() }).await {
            Ok(_) => return,
            Err(CatalogError::Conflict(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// Claims a blob and puts its bytes if need be; the answer is what is to be recorded as stored with the document.
async fn claim_with_bytes(
    stage: &Stage,
    acme: &TenantId,
    store: &Mutex<HashSet<BlobHash>>,
    claim: ClaimId,
    blob: BlobHash,
) -> Vec<BlobHash> {
    loop {
        let expires = stage.in_an_hour();
        let states = stage.catalog.claim_blobs(acme, claim, &[(blob, 4)], expires).await.unwrap();
        match states[0] {
            BlobState::Stored => return Vec::new(),
            BlobState::Deleting => tokio::task::yield_now().await,
            BlobState::Missing => {
                store.lock().unwrap().insert(blob);
                tokio::task::yield_now().await;
                if claim.0.is_multiple_of(2) {
                    return vec![blob];
                }
                stage.catalog.blobs_stored(acme, claim, &[blob]).await.unwrap();
                return Vec::new();
            }
        }
    }
}

async fn sweep(stage: &Stage, store: &Mutex<HashSet<BlobHash>>) {
    let orphans = stage.catalog.take_orphan_blobs(10).await.unwrap();
    tokio::task::yield_now().await;
    for (_, blob) in &orphans {
        store.lock().unwrap().remove(blob);
    }
    tokio::task::yield_now().await;
    stage.catalog.blobs_deleted(&orphans).await.unwrap();
}

/// Runs a job, if there is one, and deletes the document of an ingest if told so.
async fn run_one_job(stage: &Stage, delete: bool) -> bool {
    let Some(lease) = stage.catalog.lease_job("worker", HOUR_MS).await.unwrap() else {
        return false;
    };
    let document = lease.job.kind.document().unwrap();
    if matches!(lease.job.kind, crate::JobKind::Delete { .. }) {
        stage.catalog.finish_delete(&lease, document).await.unwrap();
        return true;
    }
    stage.finish(&lease, 1).await;
    if delete {
        stage.catalog.delete_document(&stage.acme, document, stage.job_id()).await.unwrap();
    }
    true
}
