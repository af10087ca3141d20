//! The table of the port's calls; each leads to the file of its concern.

use std::sync::Arc;

use async_trait::async_trait;
use sensorium_domain::catalog::{
    ApiKey, AuditEntry, AuditRecord, BlobState, CatalogStats, ClaimId, CollectionPatch, DocumentPatch, DocumentQuery,
    EndedIngest, Generation, IdempotencyState, JobEnd, JobQuery, Lease, LeaseState, NewDocument, NewVector,
    PartOutcome, Recall, ReservedKey, SegmentView, Staged, Unstaged, Usage,
};
use sensorium_domain::ids::KeyId;
use sensorium_domain::job::Progress;
use sensorium_domain::{
    BlobHash, Catalog, CatalogError, Collection, CollectionName, ContentKey, Document, DocumentId, Job, JobId, JobKind,
    JobState, ModelName, Part, PartId, Segment, SegmentId, TenantId, Timestamp,
};
use serde_json::{Map, Value};

use super::{
    Store, accept, audit, blobs, collections, deletions, documents, endings, generations, idempotency, jobs, keys,
    leases, listing, retries, segments, settings, vectors,
};

type Answer<T> = Result<T, CatalogError>;

#[async_trait]
impl Catalog for Store {
    // Collections
    async fn create_collection(
        &self,
        tenant: &TenantId,
        name: &CollectionName,
        description: Option<String>,
        metadata: Map<String, Value>,
    ) -> Answer<Collection> {
        Ok(collections::create(self, tenant, name, description, metadata).await?)
    }
    async fn collection(&self, tenant: &TenantId, name: &CollectionName) -> Answer<Collection> {
        Ok(collections::get(self, tenant, name).await?)
    }
    async fn collections(
        &self,
        tenant: &TenantId,
        after: Option<&CollectionName>,
        limit: u32,
    ) -> Answer<Vec<Collection>> {
        Ok(collections::list(self, tenant, after, limit).await?)
    }
    async fn patch_collection(
        &self,
        tenant: &TenantId,
        name: &CollectionName,
        patch: CollectionPatch,
    ) -> Answer<Collection> {
        Ok(collections::patch(self, tenant, name, patch).await?)
    }
    async fn delete_collection(&self, tenant: &TenantId, name: &CollectionName, job: JobId) -> Answer<Job> {
        Ok(collections::delete(self, tenant, name, job).await?)
    }

    // Blobs
    async fn claim_blobs(
        &self,
        tenant: &TenantId,
        claim: ClaimId,
        blobs: &[(BlobHash, u64)],
        expires: Timestamp,
    ) -> Answer<Vec<BlobState>> {
        let call = blobs::Claim { id: claim, blobs: blobs.to_vec(), expires };
        Ok(self.groups.claims.call(self, tenant.clone(), call).await?)
    }
    async fn blobs_stored(&self, tenant: &TenantId, claim: ClaimId, blobs: &[BlobHash]) -> Answer<()> {
        let call = blobs::Stored { claim, blobs: blobs.to_vec() };
        Ok(self.groups.stored.call(self, tenant.clone(), call).await?)
    }
    async fn release_claim(&self, tenant: &TenantId, claim: ClaimId) -> Answer<()> {
        Ok(blobs::release(self, tenant, claim).await?)
    }
    async fn take_orphan_blobs(&self, limit: u32) -> Answer<Vec<(TenantId, BlobHash)>> {
        Ok(blobs::take_orphans(self, limit).await?)
    }
    async fn blobs_deleted(&self, blobs: &[(TenantId, BlobHash)]) -> Answer<()> {
        Ok(blobs::deleted(self, blobs).await?)
    }
    async fn blob_bytes(&self, tenant: &TenantId, blob: BlobHash) -> Answer<Option<Vec<u8>>> {
        Ok(blobs::bytes(self, tenant, blob).await?)
    }
    async fn blobs(&self, after: Option<(TenantId, BlobHash)>, limit: u32) -> Answer<Vec<(TenantId, BlobHash)>> {
        Ok(blobs::list(self, after, limit).await?)
    }

    // Documents
    async fn accept_document(&self, tenant: &TenantId, new: NewDocument) -> Answer<(Document, Job)> {
        Ok(accept::accept(self, tenant, new).await?)
    }
    async fn document(&self, tenant: &TenantId, id: DocumentId) -> Answer<Document> {
        Ok(self.groups.documents.call(self, tenant.clone(), documents::Get(id)).await?)
    }
    async fn document_by_external_id(
        &self,
        tenant: &TenantId,
        collection: &CollectionName,
        external_id: &str,
    ) -> Answer<Document> {
        Ok(documents::by_external_id(self, tenant, collection, external_id).await?)
    }
    async fn documents(&self, tenant: &TenantId, query: &DocumentQuery) -> Answer<Vec<Document>> {
        Ok(listing::list(self, tenant, query).await?)
    }
    async fn patch_document(
        &self,
        tenant: &TenantId,
        id: DocumentId,
        patch: DocumentPatch,
        job: JobId,
    ) -> Answer<(Document, Job)> {
        Ok(documents::patch(self, tenant, id, patch, job).await?)
    }
    async fn delete_document(&self, tenant: &TenantId, id: DocumentId, job: JobId) -> Answer<Job> {
        Ok(documents::delete(self, tenant, id, job).await?)
    }
    async fn parts(&self, tenant: &TenantId, document: DocumentId, version: Option<u32>) -> Answer<Vec<Part>> {
        let call = documents::PartsOf { document, version };
        Ok(self.groups.parts.call(self, tenant.clone(), call).await?)
    }
    async fn part(&self, tenant: &TenantId, id: PartId) -> Answer<Part> {
        Ok(documents::part(self, tenant, id).await?)
    }

    // Segments and their vectors
    async fn segments(&self, tenant: &TenantId, document: DocumentId, offset: u32, limit: u32) -> Answer<Vec<Segment>> {
        Ok(segments::of_document(self, tenant, document, offset, limit).await?)
    }
    async fn segment_views(&self, tenant: &TenantId, ids: &[SegmentId]) -> Answer<Vec<SegmentView>> {
        Ok(segments::views(self, tenant, ids).await?)
    }
    async fn vectors(
        &self,
        tenant: &TenantId,
        model: &ModelName,
        keys: &[ContentKey],
    ) -> Answer<Vec<Option<Vec<f32>>>> {
        let call = vectors::Get(keys.to_vec());
        Ok(self.groups.kept.call(self, (tenant.clone(), model.clone()), call).await?)
    }
    async fn put_vectors(
        &self,
        tenant: &TenantId,
        model: &ModelName,
        vectors: &[(ContentKey, Vec<f32>)],
    ) -> Answer<()> {
        let call = vectors::Put(vectors.to_vec());
        Ok(self.groups.vectors.call(self, (tenant.clone(), model.clone()), call).await?)
    }
    async fn live_segments(&self, tenant: &TenantId, ids: &[SegmentId]) -> Answer<Vec<SegmentId>> {
        Ok(segments::live(self, tenant, ids).await?)
    }
    async fn live_documents(&self, after: Option<DocumentId>, limit: u32) -> Answer<Vec<(TenantId, Document)>> {
        Ok(documents::live(self, after, limit).await?)
    }

    // The ends of document jobs
    async fn finish_ingest(
        &self,
        lease: &Lease,
        version: u32,
        outcomes: Vec<PartOutcome>,
        vectors: Vec<NewVector>,
        progress: &Progress,
    ) -> Answer<Option<EndedIngest>> {
        let ended = endings::Finish { lease: lease.clone(), outcomes, vectors, progress: progress.clone() };
        Ok(endings::finish_ingest(self, version, ended).await?)
    }
    async fn superseded_segments(
        &self,
        tenant: &TenantId,
        document: DocumentId,
        version: u32,
    ) -> Answer<Vec<SegmentId>> {
        Ok(endings::superseded_segments(self, tenant, document, version).await?)
    }
    async fn finish_delete(&self, lease: &Lease, document: DocumentId) -> Answer<()> {
        Ok(deletions::finish_delete(self, lease, document).await?)
    }
    async fn remove_document(&self, lease: &Lease, document: DocumentId) -> Answer<()> {
        Ok(deletions::remove_document(self, lease, document).await?)
    }
    async fn doomed_documents(
        &self,
        tenant: &TenantId,
        collection: &CollectionName,
        limit: u32,
    ) -> Answer<Vec<DocumentId>> {
        Ok(deletions::doomed_documents(self, tenant, collection, limit).await?)
    }
    async fn finish_delete_collection(&self, lease: &Lease, collection: &CollectionName) -> Answer<()> {
        Ok(deletions::finish_delete_collection(self, lease, collection).await?)
    }

    // Jobs
    async fn enqueue(&self, tenant: &TenantId, id: JobId, kind: JobKind) -> Answer<Job> {
        Ok(jobs::enqueue(self, tenant, id, kind).await?)
    }
    async fn job(&self, tenant: &TenantId, id: JobId) -> Answer<Job> {
        Ok(self.groups.jobs.call(self, tenant.clone(), jobs::Get(id)).await?)
    }
    async fn jobs(&self, tenant: &TenantId, query: &JobQuery) -> Answer<Vec<Job>> {
        Ok(jobs::list(self, tenant, query).await?)
    }
    async fn cancel_job(&self, tenant: &TenantId, id: JobId) -> Answer<Job> {
        Ok(jobs::cancel(self, tenant, id).await?)
    }
    async fn retry_job(&self, tenant: &TenantId, id: JobId) -> Answer<Job> {
        Ok(retries::retry(self, tenant, id).await?)
    }
    async fn prune_jobs(&self, ended_before: Timestamp, limit: u32) -> Answer<u64> {
        Ok(retries::prune(self, ended_before, limit).await?)
    }
    async fn lease_jobs(&self, worker: &str, lease_ms: i64, most: u32) -> Answer<Vec<Lease>> {
        Ok(leases::lease(self, worker, lease_ms, most).await?)
    }
    async fn heartbeat(&self, lease: &Lease, lease_ms: i64) -> Answer<LeaseState> {
        Ok(leases::heartbeat(self, lease, lease_ms).await?)
    }
    async fn progress(&self, lease: &Lease, progress: &Progress) -> Answer<()> {
        Ok(leases::progress(self, lease, progress).await?)
    }
    async fn end_job(&self, lease: &Lease, end: JobEnd) -> Answer<()> {
        Ok(leases::end(self, lease, end).await?)
    }
    async fn release_lease(&self, lease: &Lease) -> Answer<()> {
        Ok(leases::release(self, lease).await?)
    }
    async fn next_job_at(&self) -> Answer<Option<Timestamp>> {
        Ok(leases::next_at(self).await?)
    }
    async fn open_jobs(&self) -> Answer<Vec<(JobState, u64)>> {
        Ok(leases::open(self).await?)
    }

    // Idempotency, keys, generation
    async fn idempotency_begin(
        &self,
        tenant: &TenantId,
        key: &str,
        request: &BlobHash,
        reserved_until: Timestamp,
    ) -> Answer<IdempotencyState> {
        Ok(idempotency::begin(self, tenant, key, request, reserved_until).await?)
    }
    async fn idempotency_extend(
        &self,
        tenant: &TenantId,
        reserved: &ReservedKey,
        reserved_until: Timestamp,
    ) -> Answer<()> {
        Ok(idempotency::extend(self, tenant, reserved, reserved_until).await?)
    }
    async fn idempotency_finish(
        &self,
        tenant: &TenantId,
        reserved: &ReservedKey,
        status: u16,
        location: Option<&str>,
        body: &str,
    ) -> Answer<()> {
        Ok(idempotency::finish(self, tenant, reserved, status, location, body).await?)
    }
    async fn idempotency_forget(&self, tenant: &TenantId, key: &str) -> Answer<()> {
        Ok(idempotency::forget(self, tenant, key).await?)
    }
    async fn put_key(&self, key: &ApiKey, secret_hash: &BlobHash) -> Answer<()> {
        Ok(keys::put(self, key, secret_hash).await?)
    }
    async fn key_by_secret(&self, secret_hash: &BlobHash) -> Answer<Option<ApiKey>> {
        Ok(self.groups.keys.call(self, (), keys::BySecret(*secret_hash)).await?)
    }
    async fn keys(&self, tenant: &TenantId, before: Option<KeyId>, limit: u32) -> Answer<Vec<ApiKey>> {
        Ok(keys::list(self, tenant, before, limit).await?)
    }
    async fn revoke_key(&self, tenant: &TenantId, id: KeyId) -> Answer<ApiKey> {
        Ok(keys::revoke(self, tenant, id).await?)
    }
    async fn key_used(&self, id: KeyId) -> Answer<()> {
        Ok(keys::used(self, id).await?)
    }
    async fn record(&self, tenant: &TenantId, entry: &AuditEntry) -> Answer<()> {
        Ok(self.groups.audit.call(self, tenant.clone(), audit::Record(entry.clone())).await?)
    }
    async fn audit(&self, tenant: &TenantId, before: Option<u64>, limit: u32) -> Answer<Vec<AuditRecord>> {
        Ok(audit::list(self, tenant, before, limit).await?)
    }
    async fn usage(&self, tenant: &TenantId) -> Answer<Usage> {
        Ok(settings::usage(self, tenant).await?)
    }
    async fn generation(&self) -> Answer<Option<Generation>> {
        Ok(generations::live(self).await?)
    }
    async fn generations(&self) -> Answer<Vec<Generation>> {
        Ok(generations::all(self).await?)
    }
    async fn put_generation(&self, generation: &Generation) -> Answer<()> {
        Ok(generations::put(self, generation).await?)
    }
    async fn describe_generation(&self, generation: &Generation) -> Answer<()> {
        Ok(generations::describe(self, generation).await?)
    }
    fn at_generation(&self, number: u32) -> Arc<dyn Catalog> {
        Arc::new(Store { generation: number, groups: Arc::default(), ..self.clone() })
    }
    async fn unstaged(&self, generation: u32, after: Option<DocumentId>, limit: u32) -> Answer<Vec<Unstaged>> {
        Ok(generations::unstaged(self, generation, after, limit).await?)
    }
    async fn count_unstaged(&self, generation: u32) -> Answer<u64> {
        Ok(generations::count_unstaged(self, generation).await?)
    }
    async fn stage(&self, lease: &Lease, staged: Staged) -> Answer<()> {
        Ok(generations::stage(self, lease, staged).await?)
    }
    async fn gone_documents(&self, generation: u32, limit: u32) -> Answer<Vec<(TenantId, DocumentId)>> {
        Ok(generations::gone(self, generation, limit).await?)
    }
    async fn unstage(&self, generation: u32, document: Option<DocumentId>) -> Answer<()> {
        Ok(generations::forget(self, generation, document).await?)
    }
    async fn hold_jobs(&self, lease: &Lease, generation: u32) -> Answer<u64> {
        Ok(generations::hold_jobs(self, lease, generation).await?)
    }
    async fn switch_generation(&self, lease: &Lease, number: u32, recall: Option<Recall>) -> Answer<()> {
        Ok(generations::switch(self, lease, number, recall.as_ref()).await?)
    }
    async fn drop_generation(&self, number: u32) -> Answer<()> {
        Ok(generations::drop_generation(self, number).await?)
    }
    async fn note_queries(&self, queries: &[(TenantId, String)], keep: u32) -> Answer<()> {
        Ok(generations::note_queries(self, queries, keep).await?)
    }
    async fn recent_queries(&self, limit: u32) -> Answer<Vec<(TenantId, String)>> {
        Ok(generations::recent_queries(self, limit).await?)
    }
    async fn stats(&self, tenant: &TenantId) -> Answer<CatalogStats> {
        Ok(settings::stats(self, tenant).await?)
    }
    async fn ping(&self) -> Answer<()> {
        Ok(settings::ping(self).await?)
    }
}
