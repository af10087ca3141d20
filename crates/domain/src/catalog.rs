//! The port to the catalog: collections, documents, parts, segments, kept vectors, blobs, jobs, keys.
//!
//! The catalog, the blobs and the kept vectors are the truth; the index is derived from them. Every call that reads or
//! writes a tenant's things takes the tenant first.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::document::{Collection, Document, Part, PartError, PartFacts, PartStatus};
use crate::filter::Filter;
use crate::ids::{BlobHash, ContentKey, DocumentId, JobId, KeyId, PartId, SegmentId};
use crate::job::{Job, JobKind, JobState, PartResult, Progress};
use crate::names::{CollectionName, ModelName, TenantId};
use crate::segment::{Modality, Segment};
use crate::time::Timestamp;

/// Why a catalog call failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CatalogError {
    /// There is no such thing in this tenant.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// It clashes with what is there.
    #[error("{0}")]
    Conflict(String),
    /// A value that this catalog cannot keep; says which and why.
    #[error("{0}")]
    Invalid(String),
    /// The tenant would keep more than it may.
    #[error("the tenant may keep {0}; delete something first")]
    OverQuota(Quota),
    /// The caller's lease has been lost: another worker has the job, or it has ended.
    #[error("the lease of the job is lost")]
    LeaseLost,
    /// The database cannot be reached; try again.
    #[error("the catalog cannot be reached: {0}")]
    Unavailable(String),
    /// Anything else.
    #[error("the catalog failed: {0}")]
    Internal(String),
}

/// The most that a tenant may keep of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quota {
    /// Documents that are not being deleted.
    Documents(u64),
    /// Bytes of parts, equal ones once.
    BlobBytes(u64),
}

impl std::fmt::Display for Quota {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Documents(most) => write!(f, "{most} documents"),
            Self::BlobBytes(most) => write!(f, "{most} bytes"),
        }
    }
}

/// The most that a tenant may keep; `None` sets no bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StorageQuota {
    /// Documents that are not being deleted.
    pub documents: Option<u64>,
    /// Bytes of the blobs that parts own, each blob once.
    pub blob_bytes: Option<u64>,
}

impl StorageQuota {
    /// The bound that `after` breaks, if it has more than `before` of what is bounded.
    pub fn broken(&self, before: Usage, after: Usage) -> Option<Quota> {
        let breaks = |most: Option<u64>, before, after| most.filter(|most| after > *most && after > before);
        let documents = breaks(self.documents, before.documents, after.documents).map(Quota::Documents);
        documents.or_else(|| breaks(self.blob_bytes, before.blob_bytes, after.blob_bytes).map(Quota::BlobBytes))
    }
}

/// A document to be accepted with its parts. Blobs whose bytes do not come along are claimed and put before.
#[derive(Debug, Clone)]
pub struct NewDocument {
    /// The id to take if the external id is not known yet.
    pub id: DocumentId,
    /// The job to enqueue.
    pub job: JobId,
    /// Created when it does not exist.
    pub collection: CollectionName,
    /// The client's own id.
    pub external_id: Option<String>,
    /// For people.
    pub title: Option<String>,
    /// Labels.
    pub tags: Vec<String>,
    /// Anything.
    pub metadata: Map<String, Value>,
    /// The content, in order.
    pub parts: Vec<NewPart>,
    /// The claim that holds the blobs, but for those whose bytes come along.
    pub claim: ClaimId,
    /// Blobs whose bytes were put under the claim, and that are recorded as stored with the document.
    pub stored: Vec<BlobHash>,
    /// The key under which the request is done once.
    pub once: Option<ReservedKey>,
    /// What the tenant may keep, this included.
    pub quota: StorageQuota,
    /// Who takes the job at once. It waits for a worker all the same where the document was there before, or no job is to be taken now.
    pub taker: Option<Taker>,
}

/// A worker that has room for a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taker {
    /// Its name.
    pub worker: String,
    /// How long its lease is from now.
    pub lease_ms: i64,
}

/// An idempotency key that [`idempotency_begin`](crate::Catalog::idempotency_begin) has reserved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReservedKey {
    /// The client's key.
    pub key: String,
    /// The hash of the request that it was reserved for.
    pub request: BlobHash,
    /// How long what the request did is kept under the key.
    pub keep_until: Timestamp,
}

/// A part of a document to be accepted.
#[derive(Debug, Clone)]
pub struct NewPart {
    /// Its id.
    pub id: PartId,
    /// The file's name.
    pub name: Option<String>,
    /// Told from the content.
    pub modality: Modality,
    /// Told from the content.
    pub media_type: String,
    /// Its bytes.
    pub blob: BlobHash,
    /// Their number.
    pub size_bytes: u64,
    /// The bytes themselves, where the catalog is to keep them. For a few KiB only; larger ones go to the blob store.
    pub bytes: Option<Arc<[u8]>>,
    /// Set when it was refused on sight: the part is kept as failed, named, and the rest goes on.
    pub error: Option<PartError>,
}

impl NewPart {
    /// The part as it is when its document has been accepted.
    pub fn of(self, document: &Document, ordinal: u32) -> Part {
        Part {
            id: self.id,
            document: document.id,
            version: document.version,
            ordinal,
            name: self.name,
            modality: self.modality,
            media_type: self.media_type,
            blob: self.blob,
            size_bytes: self.size_bytes,
            status: if self.error.is_some() { PartStatus::Failed } else { PartStatus::Pending },
            error: self.error,
            segments: 0,
            facts: PartFacts::default(),
        }
    }
}

/// A claim keeps blobs alive between their upload and the document that owns them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClaimId(pub u128);

/// What the claimer of a blob has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlobState {
    /// Its bytes are stored: nothing.
    Stored,
    /// Its bytes are not known to be stored: put them, then call `blobs_stored`, or name them with the document ([`NewDocument::stored`]).
    Missing,
    /// It is being deleted right now: claim again a little later.
    Deleting,
}

/// Changes to a document's description; `None` leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub struct DocumentPatch {
    /// A new title, or none.
    pub title: Option<Option<String>>,
    /// New tags.
    pub tags: Option<Vec<String>>,
    /// Metadata to merge (RFC 7396: null removes a key).
    pub metadata: Option<Map<String, Value>>,
}

/// Changes to a collection; `None` leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub struct CollectionPatch {
    /// A new description, or none.
    pub description: Option<Option<String>>,
    /// Metadata to merge (RFC 7396: null removes a key).
    pub metadata: Option<Map<String, Value>>,
}

/// Which documents to list, newest first.
#[derive(Debug, Clone, Default)]
pub struct DocumentQuery {
    /// Only of this collection.
    pub collection: Option<CollectionName>,
    /// Conditions; `modality` and `media_type` look at the parts.
    pub filter: Filter,
    /// Only documents older than this one (the last of the page before).
    pub before: Option<DocumentId>,
    /// The most to return.
    pub limit: u32,
}

/// Which jobs to list, newest first.
#[derive(Debug, Clone, Default)]
pub struct JobQuery {
    /// Only in this state.
    pub state: Option<JobState>,
    /// Only of this kind, see [`JobKind::NAMES`].
    pub kind: Option<String>,
    /// Only of this document.
    pub document: Option<DocumentId>,
    /// Only jobs older than this one.
    pub before: Option<JobId>,
    /// The most to return.
    pub limit: u32,
}

/// A part with everything a page or a hit shows of it.
#[derive(Debug, Clone, PartialEq)]
pub struct SegmentView {
    /// The segment.
    pub segment: Segment,
    /// Its part.
    pub part: Part,
    /// Its document.
    pub document: Document,
}

/// A job that a worker has taken.
#[derive(Debug, Clone)]
pub struct Lease {
    /// The owner's tenant.
    pub tenant: TenantId,
    /// The job as it is now.
    pub job: Job,
    /// Who holds it; every later call shows it.
    pub worker: String,
    /// What an ingest works on, as it was when the job was taken; none of other jobs, of a document that is gone, and where it could not be read.
    pub input: Option<Arc<IngestInput>>,
}

/// What an ingest works on.
#[derive(Debug, Clone, PartialEq)]
pub struct IngestInput {
    /// The document.
    pub document: Document,
    /// The parts of the job's version, in order.
    pub parts: Vec<Part>,
}

/// What a heartbeat learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseState {
    /// Go on.
    Held,
    /// Stop: somebody asked for it.
    CancelRequested,
}

/// What became of one part when its document's ingest ended.
#[derive(Debug, Clone)]
pub struct PartOutcome {
    /// The part.
    pub part: PartId,
    /// Facts learnt.
    pub facts: PartFacts,
    /// Its segments, or why there are none.
    pub result: Result<Vec<Segment>, PartError>,
}

/// An ingest that has ended, as everything is then.
#[derive(Debug, Clone, PartialEq)]
pub struct EndedIngest {
    /// The job.
    pub job: Job,
    /// The document.
    pub document: Document,
    /// The parts of the job's version, in order.
    pub parts: Vec<Part>,
}

/// A vector to be kept.
#[derive(Debug, Clone, PartialEq)]
pub struct NewVector {
    /// Whose it is.
    pub model: ModelName,
    /// What it is of.
    pub content: ContentKey,
    /// Its numbers.
    pub vector: Vec<f32>,
}

/// How a job attempt ends.
#[derive(Debug, Clone)]
pub enum JobEnd {
    /// Done.
    Succeeded {
        /// What became of each part.
        parts: Vec<PartResult>,
    },
    /// Given up for good.
    Failed {
        /// Why.
        error: String,
    },
    /// Stopped on request, or superseded.
    Cancelled,
    /// Try again at a later time.
    Retry {
        /// Why.
        error: String,
        /// When.
        at: Timestamp,
    },
}

/// An idempotency key's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdempotencyState {
    /// First time: do it, then call `idempotency_finish` (or `idempotency_forget` when it fails).
    New,
    /// Done before with an equal request: answer this again.
    Replay {
        /// The status code.
        status: u16,
        /// The `Location` header.
        location: Option<String>,
        /// The body.
        body: String,
    },
    /// An equal request was accepted before and its answer is not recorded yet, or never will be: its process may have died.
    Accepted(JobId),
    /// Used before for another request.
    Mismatch,
    /// The first request is still being worked on.
    InFlight,
}

/// An API key as it is kept: only a hash of the secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// Its handle.
    pub id: KeyId,
    /// For people.
    pub name: String,
    /// The tenant that it speaks for.
    pub tenant: TenantId,
    /// What it may do: `read`, `write`, `caption`, `admin`.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops working.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked; it does not work any more.
    pub revoked_at: Option<Timestamp>,
}

/// What somebody did, as the audit log keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// Who: a key's id, or the subject of a token.
    pub actor: String,
    /// What, e.g. `document.delete`.
    pub action: String,
    /// To what, e.g. a document's id.
    pub subject: String,
    /// The request in which it was asked for.
    pub request: Option<String>,
    /// Anything more.
    pub detail: Map<String, Value>,
}

/// An entry of the audit log with its number; numbers grow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditRecord {
    /// Its place in the log.
    pub number: u64,
    /// What it says.
    pub entry: AuditEntry,
}

/// What a tenant has, for quotas. Kept up to date with every change, so asking costs nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Documents that are not being deleted.
    pub documents: u64,
    /// Bytes of the blobs that parts own, each blob once.
    pub blob_bytes: u64,
}

/// The set of spaces and models that an index was built with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Generation {
    /// Counts generations from 1.
    pub number: u32,
    /// The profile's name.
    pub profile: String,
    /// Where the profile is read from, when that is not its name.
    pub source: Option<String>,
    /// Space, modality and model of every tower, in a fixed order; none while nobody has loaded it.
    pub towers: Vec<(String, Modality, ModelName)>,
    /// Whether searches are answered from it.
    pub state: GenerationState,
    /// How its answers compared with those of the one that it took the place of.
    pub recall: Option<Recall>,
    /// The least overlap with which it may take that place.
    pub min_overlap: f64,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What a generation is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum GenerationState {
    /// It is being built beside the live one.
    Building,
    /// It is about to be live: other jobs wait for that.
    Switching,
    /// Searches are answered from it, and what is added goes into it.
    Live,
    /// It was live, and can be brought up to date again.
    Retired,
}

impl GenerationState {
    /// The name used in the API and the catalog.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Building => "building",
            Self::Switching => "switching",
            Self::Live => "live",
            Self::Retired => "retired",
        }
    }
}

/// How the answers of two generations to the same questions compare.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Recall {
    /// Questions that were asked of both.
    pub queries: u32,
    /// Documents of a question that were counted, at most.
    pub depth: u32,
    /// The share of the older one's documents that the newer one found too, on average; 1 of no question.
    pub overlap: f64,
}

/// A document that a generation has not as it is now.
#[derive(Debug, Clone, PartialEq)]
pub struct Unstaged {
    /// Its tenant.
    pub tenant: TenantId,
    /// The document.
    pub document: Document,
    /// Its live version.
    pub version: u32,
    /// The generation has it as it was before.
    pub had_another: bool,
}

/// What a generation is to have of a document.
#[derive(Debug, Clone)]
pub struct Staged {
    /// Its tenant.
    pub tenant: TenantId,
    /// The document.
    pub document: DocumentId,
    /// The version that was read.
    pub version: u32,
    /// The document's `updated_at` when it was read.
    pub updated_at: Timestamp,
    /// Its segments in part order.
    pub segments: Vec<Segment>,
}

/// Numbers for `fsck` and the page.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CatalogStats {
    /// Collections.
    pub collections: u64,
    /// Documents that are not being deleted.
    pub documents: u64,
    /// Live segments.
    pub segments: u64,
    /// Bytes of the blobs that are owned.
    pub blob_bytes: u64,
    /// Jobs queued or running.
    pub open_jobs: u64,
}

/// The catalog. See the module.
#[async_trait]
pub trait Catalog: Send + Sync {
    // Collections -----------------------------------------------------------------------------------------------

    /// Makes a collection. `Conflict` when it exists.
    async fn create_collection(
        &self,
        tenant: &TenantId,
        name: &CollectionName,
        description: Option<String>,
        metadata: Map<String, Value>,
    ) -> Result<Collection, CatalogError>;

    /// One collection.
    async fn collection(&self, tenant: &TenantId, name: &CollectionName) -> Result<Collection, CatalogError>;

    /// Collections by name, after `after`. One that is being deleted is not listed.
    async fn collections(
        &self,
        tenant: &TenantId,
        after: Option<&CollectionName>,
        limit: u32,
    ) -> Result<Vec<Collection>, CatalogError>;

    /// Changes a collection.
    async fn patch_collection(
        &self,
        tenant: &TenantId,
        name: &CollectionName,
        patch: CollectionPatch,
    ) -> Result<Collection, CatalogError>;

    /// Marks a collection and its documents as being deleted and enqueues the job that does it, in one transaction. The
    /// job waits for what still runs in the collection. Asked again, the open job is answered, or another one enqueued
    /// where it has failed.
    async fn delete_collection(
        &self,
        tenant: &TenantId,
        name: &CollectionName,
        job: JobId,
    ) -> Result<Job, CatalogError>;

    // Blobs -----------------------------------------------------------------------------------------------------

    /// Claims blobs (hash and size) until `expires`, and says for each whether its bytes are stored.
    async fn claim_blobs(
        &self,
        tenant: &TenantId,
        claim: ClaimId,
        blobs: &[(BlobHash, u64)],
        expires: Timestamp,
    ) -> Result<Vec<BlobState>, CatalogError>;

    /// Records that the bytes of claimed blobs are stored. `Conflict` when the claim has expired and the blob is no longer
    /// held: claim again.
    async fn blobs_stored(&self, tenant: &TenantId, claim: ClaimId, blobs: &[BlobHash]) -> Result<(), CatalogError>;

    /// Lets a claim go without a document.
    async fn release_claim(&self, tenant: &TenantId, claim: ClaimId) -> Result<(), CatalogError>;

    /// Marks as being deleted, and returns, up to `limit` blobs that no part owns and no unexpired claim holds, and those
    /// that were marked by a process that died. Their bytes are to be removed, then `blobs_deleted` called. Those whose bytes lie here go at once.
    async fn take_orphan_blobs(&self, limit: u32) -> Result<Vec<(TenantId, BlobHash)>, CatalogError>;

    /// Forgets blobs whose bytes are gone.
    async fn blobs_deleted(&self, blobs: &[(TenantId, BlobHash)]) -> Result<(), CatalogError>;

    /// The bytes of a blob, if it lies here and not in the blob store.
    async fn blob_bytes(&self, tenant: &TenantId, blob: BlobHash) -> Result<Option<Vec<u8>>, CatalogError>;

    /// Blobs of every tenant that lie in the blob store, in order, after `after`: what `fsck` walks.
    async fn blobs(
        &self,
        after: Option<(TenantId, BlobHash)>,
        limit: u32,
    ) -> Result<Vec<(TenantId, BlobHash)>, CatalogError>;

    // Documents -------------------------------------------------------------------------------------------------

    /// Accepts a document: its row, its parts and its ingest job, in one transaction; makes the collection if need be.
    /// An external id that is known gives the document of that id a next version; its open ingest jobs are asked to stop.
    /// `OverQuota` when the tenant would keep more than `new.quota`, also when others are accepted at the same time.
    /// The job of a document that was not there before is taken at once by `new.taker`, and is running then; its lease has no input.
    /// `Conflict` when a blob is not stored (only a part with an error may lack its bytes), its bytes do not come along (or do while others have claimed such bytes or remove them) and it is not `new.stored` under a claim that still
    /// holds it, when the collection is being deleted, when an id is taken, or when `new.once` is no longer reserved: the key's reservation has run out, and an equal
    /// request may have taken it.
    async fn accept_document(&self, tenant: &TenantId, new: NewDocument) -> Result<(Document, Job), CatalogError>;

    /// One document that is not being deleted.
    async fn document(&self, tenant: &TenantId, id: DocumentId) -> Result<Document, CatalogError>;

    /// The document with this external id.
    async fn document_by_external_id(
        &self,
        tenant: &TenantId,
        collection: &CollectionName,
        external_id: &str,
    ) -> Result<Document, CatalogError>;

    /// Documents, newest first.
    async fn documents(&self, tenant: &TenantId, query: &DocumentQuery) -> Result<Vec<Document>, CatalogError>;

    /// Changes a document's description and enqueues the job that writes it to the index, in one transaction.
    async fn patch_document(
        &self,
        tenant: &TenantId,
        id: DocumentId,
        patch: DocumentPatch,
        job: JobId,
    ) -> Result<(Document, Job), CatalogError>;

    /// Marks a document as being deleted, asks its open jobs to stop and enqueues the job that deletes it. Asked again, the
    /// open job is answered, or another one enqueued where it has failed.
    async fn delete_document(&self, tenant: &TenantId, id: DocumentId, job: JobId) -> Result<Job, CatalogError>;

    /// A document's parts of one version in order; `None` is the live version, or the newest when none is live yet.
    async fn parts(
        &self,
        tenant: &TenantId,
        document: DocumentId,
        version: Option<u32>,
    ) -> Result<Vec<Part>, CatalogError>;

    /// One part.
    async fn part(&self, tenant: &TenantId, id: PartId) -> Result<Part, CatalogError>;

    // Segments and their vectors ----------------------------------------------------------------------------------

    /// The live segments of a document in part order, from position `offset`.
    async fn segments(
        &self,
        tenant: &TenantId,
        document: DocumentId,
        offset: u32,
        limit: u32,
    ) -> Result<Vec<Segment>, CatalogError>;

    /// Live segments with part and document, in the order asked for; those that are gone, superseded or being deleted are left out.
    async fn segment_views(&self, tenant: &TenantId, ids: &[SegmentId]) -> Result<Vec<SegmentView>, CatalogError>;

    /// Kept vectors of a model by content key; `None` where there is none. Stored as f16.
    async fn vectors(
        &self,
        tenant: &TenantId,
        model: &ModelName,
        keys: &[ContentKey],
    ) -> Result<Vec<Option<Vec<f32>>>, CatalogError>;

    /// Keeps vectors of a model.
    async fn put_vectors(
        &self,
        tenant: &TenantId,
        model: &ModelName,
        vectors: &[(ContentKey, Vec<f32>)],
    ) -> Result<(), CatalogError>;

    /// Which of `ids` are live segments: what `fsck` asks for the points of the index.
    async fn live_segments(&self, tenant: &TenantId, ids: &[SegmentId]) -> Result<Vec<SegmentId>, CatalogError>;

    /// Documents of every tenant that have a live version (ready or partial), in id order, after `after`, with their tenant.
    async fn live_documents(
        &self,
        after: Option<DocumentId>,
        limit: u32,
    ) -> Result<Vec<(TenantId, Document)>, CatalogError>;

    // The ends of document jobs -----------------------------------------------------------------------------------

    /// Ends an ingest, in one transaction: the outcome of every part, the document's status, its live version, the job's
    /// end. The version becomes live unless all of its parts failed; the rows of earlier versions go. If all failed and an
    /// earlier version is live, that one stays and the document is partial: its points must stay too, see
    /// [`superseded_segments`](Self::superseded_segments). A document that is being deleted is left alone, and the job is
    /// cancelled. Of `vectors` those are kept that the new segments use. `updated_at` stays what it was when the content was accepted.
    /// The job keeps `progress` as its last. `LeaseLost` when the job is no longer the worker's. The answer is how everything is then; none of a document
    /// that is being deleted.
    async fn finish_ingest(
        &self,
        lease: &Lease,
        version: u32,
        outcomes: Vec<PartOutcome>,
        vectors: Vec<NewVector>,
        progress: &Progress,
    ) -> Result<Option<EndedIngest>, CatalogError>;

    /// Segments of versions older than `version` of a document, to be removed from the index once the new are in it. Not
    /// to be removed when all parts of `version` failed.
    async fn superseded_segments(
        &self,
        tenant: &TenantId,
        document: DocumentId,
        version: u32,
    ) -> Result<Vec<SegmentId>, CatalogError>;

    /// Removes the rows of a document that is being deleted, with the vectors that no other segment of the tenant uses,
    /// and ends the job, in one transaction. While an ingest of the tenant is under way, which may count on such a vector,
    /// they stay until it ends.
    async fn finish_delete(&self, lease: &Lease, document: DocumentId) -> Result<(), CatalogError>;

    /// Removes one document of a collection that is being deleted, as `finish_delete` does, without ending the job.
    async fn remove_document(&self, lease: &Lease, document: DocumentId) -> Result<(), CatalogError>;

    /// Ids of the documents of a collection that is being deleted, oldest first.
    async fn doomed_documents(
        &self,
        tenant: &TenantId,
        collection: &CollectionName,
        limit: u32,
    ) -> Result<Vec<DocumentId>, CatalogError>;

    /// Removes an empty collection that is being deleted and ends the job, in one transaction.
    async fn finish_delete_collection(&self, lease: &Lease, collection: &CollectionName) -> Result<(), CatalogError>;

    // Jobs ------------------------------------------------------------------------------------------------------

    /// Enqueues a job by itself.
    async fn enqueue(&self, tenant: &TenantId, id: JobId, kind: JobKind) -> Result<Job, CatalogError>;

    /// One job.
    async fn job(&self, tenant: &TenantId, id: JobId) -> Result<Job, CatalogError>;

    /// Jobs, newest first.
    async fn jobs(&self, tenant: &TenantId, query: &JobQuery) -> Result<Vec<Job>, CatalogError>;

    /// Asks a job to stop. A queued one is cancelled at once; a final one is `Conflict`. A cancelled ingest leaves the
    /// document at its live version if it has one, else failed. A deletion cannot be stopped: `Conflict`.
    async fn cancel_job(&self, tenant: &TenantId, id: JobId) -> Result<Job, CatalogError>;

    /// Queues a failed job again with all its attempts, behind the jobs that wait. `Conflict` when it has not failed, or when
    /// what it worked on is gone or has a newer version.
    async fn retry_job(&self, tenant: &TenantId, id: JobId) -> Result<Job, CatalogError>;

    /// Forgets up to `limit` jobs of every tenant that ended before `ended_before`, and returns how many. Failed ones can no longer be
    /// retried.
    async fn prune_jobs(&self, ended_before: Timestamp, limit: u32) -> Result<u64, CatalogError>;

    /// Takes up to `most` of the next jobs: queued and due, or running with an expired lease; of the tenant with the fewest running jobs
    /// first, then oldest, and of several tenants about as many each. Jobs of one document never run side by side. The leases end `lease_ms`
    /// from now; those of ingests bring their document and parts along.
    async fn lease_jobs(&self, worker: &str, lease_ms: i64, most: u32) -> Result<Vec<Lease>, CatalogError>;

    /// Takes the next job.
    async fn lease_job(&self, worker: &str, lease_ms: i64) -> Result<Option<Lease>, CatalogError> {
        Ok(self.lease_jobs(worker, lease_ms, 1).await?.pop())
    }

    /// Extends the lease and learns whether to stop.
    async fn heartbeat(&self, lease: &Lease, lease_ms: i64) -> Result<LeaseState, CatalogError>;

    /// Writes counts and stage.
    async fn progress(&self, lease: &Lease, progress: &Progress) -> Result<(), CatalogError>;

    /// Ends an attempt. A cancelled ingest leaves the document at its live version if it has one, else failed. Of one that
    /// failed the parts stay and say why, so that it can be retried; a live version stays too, and the document is partial.
    /// `Retry` queues the job again, unless its stop has been asked for: then it is cancelled.
    async fn end_job(&self, lease: &Lease, end: JobEnd) -> Result<(), CatalogError>;

    /// Gives a lease back at shutdown: the job is queued again at once and the attempt is not counted. One whose stop has
    /// been asked for is cancelled.
    async fn release_lease(&self, lease: &Lease) -> Result<(), CatalogError>;

    /// The earliest time at which a queued job becomes due or a lease expires, if there is one: how long a worker may sleep.
    async fn next_job_at(&self) -> Result<Option<Timestamp>, CatalogError>;

    /// How many jobs of all tenants have not ended, by their state; states without any are left out.
    async fn open_jobs(&self) -> Result<Vec<(JobState, u64)>, CatalogError>;

    // Idempotency, keys ---------------------------------------------------------------------------------

    /// Looks a key up and reserves it for `request` (a hash of method, path and body) until `reserved_until`. A document that
    /// is accepted under it, or an answer that is recorded, keeps it longer.
    async fn idempotency_begin(
        &self,
        tenant: &TenantId,
        key: &str,
        request: &BlobHash,
        reserved_until: Timestamp,
    ) -> Result<IdempotencyState, CatalogError>;

    /// Keeps a reservation that has not become a document or an answer until `reserved_until`; one that was lost stays lost.
    async fn idempotency_extend(
        &self,
        tenant: &TenantId,
        reserved: &ReservedKey,
        reserved_until: Timestamp,
    ) -> Result<(), CatalogError>;

    /// Records the answer. `NotFound` when the key is not reserved.
    async fn idempotency_finish(
        &self,
        tenant: &TenantId,
        reserved: &ReservedKey,
        status: u16,
        location: Option<&str>,
        body: &str,
    ) -> Result<(), CatalogError>;

    /// Frees a reserved key whose request failed, unless a document was accepted under it.
    async fn idempotency_forget(&self, tenant: &TenantId, key: &str) -> Result<(), CatalogError>;

    /// Keeps an API key under the SHA-256 of its secret. `Conflict` when the id or the secret is known.
    async fn put_key(&self, key: &ApiKey, secret_hash: &BlobHash) -> Result<(), CatalogError>;

    /// The key with this secret's hash, unless it has been revoked.
    async fn key_by_secret(&self, secret_hash: &BlobHash) -> Result<Option<ApiKey>, CatalogError>;

    /// Keys, newest first, older than `before`; also those that have expired or been revoked.
    async fn keys(&self, tenant: &TenantId, before: Option<KeyId>, limit: u32) -> Result<Vec<ApiKey>, CatalogError>;

    /// Makes a key useless for ever, and returns it. Asked again, nothing changes.
    async fn revoke_key(&self, tenant: &TenantId, id: KeyId) -> Result<ApiKey, CatalogError>;

    /// Notes that a key is used now. Written once a minute at most.
    async fn key_used(&self, id: KeyId) -> Result<(), CatalogError>;

    /// Adds to the audit log of the tenant. Entries are never changed nor removed.
    async fn record(&self, tenant: &TenantId, entry: &AuditEntry) -> Result<(), CatalogError>;

    /// The audit log, newest first, before the entry `before`.
    async fn audit(&self, tenant: &TenantId, before: Option<u64>, limit: u32)
    -> Result<Vec<AuditRecord>, CatalogError>;

    /// What the tenant has.
    async fn usage(&self, tenant: &TenantId) -> Result<Usage, CatalogError>;

    // Generations -------------------------------------------------------------------------------------------------

    /// The live generation, if there is one.
    async fn generation(&self) -> Result<Option<Generation>, CatalogError>;

    /// Every generation, oldest first.
    async fn generations(&self) -> Result<Vec<Generation>, CatalogError>;

    /// Records a generation. `Conflict` unless its number is greater than that of every other, and when it is to be live and another is.
    async fn put_generation(&self, generation: &Generation) -> Result<(), CatalogError>;

    /// Records profile, towers and `min_overlap` of a generation that is not live.
    async fn describe_generation(&self, generation: &Generation) -> Result<(), CatalogError>;

    /// The same catalog with the segments of another generation: `segments`, `segment_views`, `live_segments`, `superseded_segments`,
    /// `finish_ingest` and `stage` see and write those. A handle that was opened has those of the generation that was live then. Once
    /// another is live, a handle takes no jobs and ends none well (`LeaseLost`), but for reindexes.
    fn at_generation(&self, number: u32) -> Arc<dyn Catalog>;

    /// Documents with a live version that a generation which is not live has not as they are now, in id order, after `after`.
    async fn unstaged(
        &self,
        generation: u32,
        after: Option<DocumentId>,
        limit: u32,
    ) -> Result<Vec<Unstaged>, CatalogError>;

    /// How many those are.
    async fn count_unstaged(&self, generation: u32) -> Result<u64, CatalogError>;

    /// Writes what this handle's generation has of a document, in place of what it had. Of one that has moved on or gone meanwhile nothing is
    /// written. `LeaseLost` when the job is no longer the worker's.
    async fn stage(&self, lease: &Lease, staged: Staged) -> Result<(), CatalogError>;

    /// Documents that a generation has and that are no more: their points go, then [`unstage`](Self::unstage) is called.
    async fn gone_documents(&self, generation: u32, limit: u32) -> Result<Vec<(TenantId, DocumentId)>, CatalogError>;

    /// Forgets that a generation has a document, or any.
    async fn unstage(&self, generation: u32, document: Option<DocumentId>) -> Result<(), CatalogError>;

    /// Lets no other job be taken until a generation is live or the reindex `lease` has ended, and says how many jobs are still being worked
    /// on. `LeaseLost` when the job is no longer the worker's.
    async fn hold_jobs(&self, lease: &Lease, generation: u32) -> Result<u64, CatalogError>;

    /// Makes a generation live, the live one retired, and ends the job, in one transaction. `Conflict` when it lacks a document or has one
    /// that is no more.
    async fn switch_generation(&self, lease: &Lease, number: u32, recall: Option<Recall>) -> Result<(), CatalogError>;

    /// Removes a generation that is not live, with its segments, and the vectors of models that no other uses.
    async fn drop_generation(&self, number: u32) -> Result<(), CatalogError>;

    /// Notes what was asked; the last `keep` are kept.
    async fn note_queries(&self, queries: &[(TenantId, String)], keep: u32) -> Result<(), CatalogError>;

    /// What was asked lately, newest first.
    async fn recent_queries(&self, limit: u32) -> Result<Vec<(TenantId, String)>, CatalogError>;

    // Numbers -----------------------------------------------------------------------------------------------------

    /// Numbers of one tenant.
    async fn stats(&self, tenant: &TenantId) -> Result<CatalogStats, CatalogError>;

    /// Answers when the database does.
    async fn ping(&self) -> Result<(), CatalogError>;
}
