//! What the stories are told with: tenants, documents, leases and their usual ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Map;

use super::CatalogFixture;
use crate::catalog::{
    BlobState, Catalog, CatalogError, ClaimId, JobEnd, Lease, NewDocument, NewPart, PartOutcome, StorageQuota,
};
use crate::clock::Clock;
use crate::contract::TestClock;
use crate::document::{Document, Part, PartError, PartFacts};
use crate::ids::{BlobHash, ContentKey, DocumentId, JobId, PartId, SegmentId};
use crate::job::{Job, JobKind, Progress};
use crate::names::{ModelName, TenantId};
use crate::segment::{Modality, Place, Segment, SegmentKind};
use crate::time::Timestamp;

pub(super) const LEASE_MS: i64 = 10_000;
pub(super) const HOUR_MS: i64 = 3_600_000;

pub(super) fn tenant(name: &str) -> TenantId {
    name.parse().unwrap()
}

pub(super) fn model(name: &str) -> ModelName {
    ModelName(name.to_owned())
}

pub(super) fn claim() -> ClaimId {
    ClaimId(number())
}

/// A catalog with its clock and a source of ids.
pub(super) struct Stage {
    pub(super) catalog: Arc<dyn Catalog>,
    pub(super) clock: Arc<TestClock>,
    /// The tenant of most stories.
    pub(super) acme: TenantId,
}

/// Ids differ by it, also between the handles of one story.
static NUMBER: AtomicU64 = AtomicU64::new(1);

fn number() -> u128 {
    u128::from(NUMBER.fetch_add(1, Ordering::SeqCst))
}

impl Stage {
    pub(super) async fn open(fixture: &dyn CatalogFixture) -> Self {
        Self { catalog: fixture.open().await, clock: fixture.clock(), acme: tenant("acme") }
    }

    pub(super) fn clock_now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn in_an_hour(&self) -> Timestamp {
        self.clock.now().plus_ms(HOUR_MS)
    }

    pub(super) fn job_id(&self) -> JobId {
        JobId::new(self.clock.now(), number())
    }

    pub(super) fn document_id(&self) -> DocumentId {
        DocumentId::new(self.clock.now(), number())
    }

    /// Claims and stores the bytes of `text`.
    pub(super) async fn store(&self, tenant: &TenantId, claim: ClaimId, text: &str) -> BlobHash {
        let hash = BlobHash::of(text.as_bytes());
        let expires = self.in_an_hour();
        let states = self.catalog.claim_blobs(tenant, claim, &[(hash, text.len() as u64)], expires).await.unwrap();
        assert_ne!(states, [BlobState::Deleting]);
        self.catalog.blobs_stored(tenant, claim, &[hash]).await.unwrap();
        hash
    }

    /// A document of text parts whose blobs are not claimed yet.
    pub(super) fn unstored(&self, external_id: Option<&str>, texts: &[&str]) -> NewDocument {
        let part = |text: &&str| NewPart {
            id: PartId::new(self.clock.now(), number()),
            name: Some(format!("{text}.txt")),
            modality: Modality::Text,
            media_type: "text/plain".to_owned(),
            blob: BlobHash::of(text.as_bytes()),
            size_bytes: text.len() as u64,
            bytes: None,
            error: None,
        };
        NewDocument {
            id: self.document_id(),
            job: self.job_id(),
            collection: "default".parse().unwrap(),
            external_id: external_id.map(str::to_owned),
            title: Some("A title".to_owned()),
            tags: vec!["red".to_owned()],
            metadata: Map::new(),
            parts: texts.iter().map(part).collect(),
            claim: claim(),
            stored: Vec::new(),
            once: None,
            quota: StorageQuota::default(),
            taker: None,
        }
    }

    /// Claims and stores the blobs of a document.
    pub(super) async fn store_blobs(&self, tenant: &TenantId, new: &NewDocument) {
        let blobs: Vec<_> = new.parts.iter().map(|part| (part.blob, part.size_bytes)).collect();
        let hashes: Vec<_> = blobs.iter().map(|(hash, _)| *hash).collect();
        let expires = self.in_an_hour();
        self.catalog.claim_blobs(tenant, new.claim, &blobs, expires).await.unwrap();
        self.catalog.blobs_stored(tenant, new.claim, &hashes).await.unwrap();
    }

    pub(super) async fn accept_new(&self, tenant: &TenantId, new: NewDocument) -> (Document, Job) {
        self.store_blobs(tenant, &new).await;
        self.catalog.accept_document(tenant, new).await.unwrap()
    }

    /// Accepts a document of text parts.
    pub(super) async fn accept(&self, external_id: Option<&str>, texts: &[&str]) -> (Document, Job) {
        let new = self.unstored(external_id, texts);
        self.accept_new(&self.acme, new).await
    }

    /// Takes the next job, which must be there.
    pub(super) async fn lease(&self, worker: &str) -> Lease {
        let lease = self.catalog.lease_job(worker, LEASE_MS).await.unwrap();
        lease.expect("a job is due")
    }

    pub(super) async fn nothing_to_lease(&self) -> bool {
        self.catalog.lease_job("idle", LEASE_MS).await.unwrap().is_none()
    }

    /// Outcomes of an ingest: every part of the version has `segments` segments.
    pub(super) async fn outcomes(&self, lease: &Lease, segments: u32) -> Vec<PartOutcome> {
        let JobKind::Ingest { document, version } = lease.job.kind else { panic!("{:?} is no ingest", lease.job.kind) };
        let parts = self.catalog.parts(&lease.tenant, document, Some(version)).await.unwrap();
        parts.iter().map(|part| outcome(part, segments)).collect()
    }

    /// Finishes the ingest that is leased, every part with `segments` segments.
    pub(super) async fn finish(&self, lease: &Lease, segments: u32) {
        let JobKind::Ingest { version, .. } = lease.job.kind else { panic!("{:?} is no ingest", lease.job.kind) };
        let outcomes = self.outcomes(lease, segments).await;
        self.catalog.finish_ingest(lease, version, outcomes, Vec::new(), &Progress::default()).await.unwrap();
    }

    /// Accepts a document and ingests it, every part with two segments.
    pub(super) async fn ready(&self, external_id: Option<&str>, texts: &[&str]) -> Document {
        let (document, job) = self.accept(external_id, texts).await;
        let lease = self.lease("worker").await;
        assert_eq!(lease.job.id, job.id);
        self.finish(&lease, 2).await;
        self.catalog.document(&self.acme, document.id).await.unwrap()
    }

    /// Deletes a document and runs the job that does it.
    pub(super) async fn delete(&self, document: DocumentId) {
        let job = self.catalog.delete_document(&self.acme, document, self.job_id()).await.unwrap();
        let lease = self.lease("worker").await;
        assert_eq!(lease.job.id, job.id);
        self.catalog.finish_delete(&lease, document).await.unwrap();
    }

    pub(super) async fn job(&self, id: JobId) -> Job {
        self.catalog.job(&self.acme, id).await.unwrap()
    }

    /// The ids of the live segments of a document.
    pub(super) async fn live_ids(&self, document: DocumentId) -> Vec<SegmentId> {
        let segments = self.catalog.segments(&self.acme, document, 0, 1000).await.unwrap();
        segments.iter().map(|segment| segment.id).collect()
    }

    pub(super) async fn end(&self, lease: &Lease, end: JobEnd) {
        self.catalog.end_job(lease, end).await.unwrap();
    }

    /// All blobs that are orphans now, which are marked by it.
    pub(super) async fn orphans(&self) -> Vec<BlobHash> {
        let orphans = self.catalog.take_orphan_blobs(1000).await.unwrap();
        orphans.into_iter().map(|(_, hash)| hash).collect()
    }
}

/// The outcome of a part with `segments` segments.
pub(super) fn outcome(part: &Part, segments: u32) -> PartOutcome {
    let segment = |ordinal| Segment {
        id: SegmentId::derive(part.id, "chunk", ordinal),
        document: part.document,
        part: part.id,
        modality: part.modality,
        kind: SegmentKind::Chunk,
        ordinal,
        place: Place::Characters {
            start_char: ordinal * 10,
            end_char: ordinal * 10 + 10,
            heading: (ordinal == 0).then(|| "Heading".to_owned()),
        },
        text: Some(format!("words {ordinal}")),
        content: content(part.blob, ordinal),
    };
    PartOutcome {
        part: part.id,
        facts: PartFacts { characters: Some(u64::from(segments) * 10), ..PartFacts::default() },
        result: Ok((0..segments).map(segment).collect()),
    }
}

/// The content key of the segment `ordinal` of a part with these bytes.
pub(super) fn content(blob: BlobHash, ordinal: u32) -> ContentKey {
    ContentKey::of(&[blob.as_bytes(), &ordinal.to_be_bytes()])
}

/// The outcome of a part that could not be read.
pub(super) fn unreadable(part: PartId) -> PartOutcome {
    PartOutcome { part, facts: PartFacts::default(), result: Err(part_error("unreadable")) }
}

pub(super) fn part_error(code: &str) -> PartError {
    PartError { code: code.to_owned(), detail: "it cannot be read".to_owned() }
}

/// The kind of error that a call must fail with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    NotFound,
    Conflict,
    LeaseLost,
    OverQuota,
}

pub(super) use Refused::{Conflict, LeaseLost, NotFound, OverQuota};

/// Asserts that a call was refused so.
#[track_caller]
#[allow(clippy::needless_pass_by_value)]
pub(super) fn refused<T: std::fmt::Debug>(result: Result<T, CatalogError>, wanted: Refused) {
    let found = match &result {
        Err(CatalogError::NotFound(_)) => Some(NotFound),
        Err(CatalogError::Conflict(_)) => Some(Conflict),
        Err(CatalogError::LeaseLost) => Some(LeaseLost),
        Err(CatalogError::OverQuota(_)) => Some(OverQuota),
        _ => None,
    };
    assert_eq!(found, Some(wanted), "{result:?}");
}

/// SplitMix64.
pub(super) struct Chance(pub(super) u64);

impl Chance {
    /// A number below `end`.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    /// True once in `n` times.
    pub(super) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub(super) fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len() as u64) as usize]
    }
}
