//! The 202: check, store the bytes, write document, parts and job in one transaction.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sensorium_domain::catalog::{
    BlobState, ClaimId, IngestInput, Lease, NewDocument, NewPart, Quota, ReservedKey, Taker,
};
use sensorium_domain::document::PartError;
use sensorium_domain::{
    BlobHash, CatalogError, Document, DocumentId, Job, JobId, JobState, Modality, Part, PartId, TenantId,
};
use sensorium_media as media;

use crate::error::{ApiError, Code};
use crate::ingest::cut::{Cutting, cut, is_light};
use crate::ingest::request::{DocumentRequest, PartBytes};
use crate::ingest::run::is_small;
use crate::jobs::{Changes, Place, place_for_new_job, take_up};
use crate::startup::App;

/// Bytes of more than so many are recorded as stored at once: should the document be refused after all, they need not be put again. Of fewer, that
/// would cost more than it saves.
const RECORDED_AT_ONCE_ABOVE: usize = 1 << 20;

struct Sniffed {
    part: NewPart,
    bytes: Bytes,
}

/// A document to accept, checked.
pub struct NewIngest {
    /// What is to be known of it.
    pub document: DocumentRequest,
    /// Its content.
    pub parts: Vec<PartBytes>,
    /// The key under which it is accepted once.
    pub once: Option<ReservedKey>,
}

/// A document as it was accepted.
pub struct AcceptedDocument {
    /// The document.
    pub document: Document,
    /// The parts of its new version, in order.
    pub parts: Vec<Part>,
    /// The job that works on it.
    pub job: Job,
    /// What becomes of the job, from before it could begin.
    pub changes: Changes,
}

/// Accepts a document. When this returns, the document survives a crash and its job will run. A part that cannot be read is
/// kept as failed and named, and the rest goes on; when no part can be read the whole request is refused with the reasons.
pub async fn accept(app: &App, tenant: &TenantId, new: NewIngest) -> Result<AcceptedDocument, ApiError> {
    let NewIngest { document: request, parts, once } = new;
    let mut sniffed = Vec::with_capacity(parts.len());
    let mut refusals = Vec::new();
    for part in parts {
        let (entry, refusal) = look(app, part).await?;
        refusals.extend(refusal);
        sniffed.push(entry);
    }
    if refusals.len() == sniffed.len() {
        return Err(refuse(refusals));
    }
    look_at_quota(app, tenant).await?;
    let (claim, described) = (ClaimId(app.randomness()), (request, once));
    let mut accepted = store_and_write(app, tenant, claim, &described, &sniffed).await;
    let some_are_small = sniffed.iter().any(|entry| entry.part.bytes.is_some());
    if some_are_small && accepted.as_ref().is_err_and(|error| error.code == Code::Conflict) {
        // Others may be putting or removing a file with such bytes, from when or where they have one. Who puts files waits for that. What else clashes does
        // so again.
        for entry in &mut sniffed {
            entry.part.bytes = None;
        }
        accepted = store_and_write(app, tenant, claim, &described, &sniffed).await;
    }
    if accepted.is_err() {
        if let Err(release) = app.catalog.release_claim(tenant, claim).await {
            tracing::warn!(%release, "claim not released; it will expire");
        }
        app.bell.sweep();
    }
    accepted
}

async fn store_and_write(
    app: &App,
    tenant: &TenantId,
    claim: ClaimId,
    (request, once): &(DocumentRequest, Option<ReservedKey>),
    sniffed: &[Sniffed],
) -> Result<AcceptedDocument, ApiError> {
    let stored = store(app, tenant, claim, sniffed).await?;
    let parts: Vec<_> = sniffed.iter().map(|entry| entry.part.clone()).collect();
    let now = app.clock.now();
    let job = JobId::new(now, app.randomness());
    let (changes, rings) = (app.bell.changes_of(job), app.bell.rings());
    let has_large_parts = !parts.iter().all(|part| is_small(part.modality, part.size_bytes));
    let place = place_for_new_job(app, has_large_parts);
    let taker = place.as_ref().map(|_| Taker { worker: app.instance.clone(), lease_ms: app.config.jobs.lease_ms });
    let new = NewDocument {
        id: DocumentId::new(now, app.randomness()),
        job,
        collection: request.collection.clone(),
        external_id: request.external_id.clone(),
        title: request.title.clone().filter(|title| !title.trim().is_empty()),
        tags: request.tags.clone(),
        metadata: request.metadata.clone(),
        parts: parts.clone(),
        claim,
        stored,
        once: once.clone(),
        quota: app.allowances.storage(tenant),
        taker,
    };
    let (document, job) = app.catalog.accept_document(tenant, new).await?;
    let parts = (0..).zip(parts).map(|(ordinal, part)| part.of(&document, ordinal)).collect();
    let accepted = AcceptedDocument { document, parts, job, changes };
    begin(app, tenant, &accepted, place, rings);
    Ok(accepted)
}

/// Begins with the job at once if it was taken for the place, else a worker is told of it. A job whose acceptance was not heard of runs when its
/// lease has expired. `rings` is how many jobs had been enqueued before this one.
fn begin(app: &App, tenant: &TenantId, accepted: &AcceptedDocument, place: Option<Place>, rings: u64) {
    let AcceptedDocument { document, parts, job, .. } = accepted;
    match place {
        Some(place) if job.state == JobState::Running => {
            let input = IngestInput { document: document.clone(), parts: parts.clone() };
            let (tenant, worker) = (tenant.clone(), app.instance.clone());
            let lease = Lease { tenant, job: job.clone(), worker, input: Some(Arc::new(input)) };
            take_up(app, lease, place, rings);
        }
        _ => app.bell.ring(),
    }
}

/// Refuses before the bytes are stored where not one more would be taken; the transaction has the last word.
async fn look_at_quota(app: &App, tenant: &TenantId) -> Result<(), ApiError> {
    let Some(most) = app.allowances.storage(tenant).blob_bytes else { return Ok(()) };
    if app.catalog.usage(tenant).await?.blob_bytes >= most {
        return Err(CatalogError::OverQuota(Quota::BlobBytes(most)).into());
    }
    Ok(())
}

/// Tells the type and, for files that are not too large, reads the file through, so that a broken one is refused at once.
async fn look(app: &App, part: PartBytes) -> Result<(Sniffed, Option<ApiError>), ApiError> {
    let cutting = Cutting::of(app);
    let (bytes, name) = (part.bytes.clone(), part.name.clone());
    let looked = app
        .media_pool
        .run_unless_light(is_light(&bytes, name.as_deref()), move || {
            let hash = BlobHash::of(&bytes);
            (hash, check(&bytes, name.as_deref(), &cutting))
        })
        .await?;
    let (hash, found) = looked;
    let mut entry = NewPart {
        id: PartId::new(app.clock.now(), app.randomness()),
        // Not every catalog keeps U+0000, and the answer is made of this.
        name: part.name.map(|name| name.replace('\0', "\u{fffd}")),
        modality: Modality::Text,
        media_type: "application/octet-stream".to_owned(),
        blob: hash,
        size_bytes: part.bytes.len() as u64,
        bytes: (1..=app.config.blobs.inline_bytes).contains(&part.bytes.len()).then(|| Arc::from(&part.bytes[..])),
        error: None,
    };
    let refusal = match found {
        Ok(kind) => {
            entry.modality = kind.modality();
            kind.as_str().clone_into(&mut entry.media_type);
            None
        }
        Err(error) => {
            entry.error = Some(PartError { code: error.code().to_owned(), detail: error.to_string() });
            Some(ApiError::media(&error, &part.pointer, entry.name.as_deref()))
        }
    };
    Ok((Sniffed { part: entry, bytes: part.bytes }, refusal))
}

fn check(bytes: &[u8], name: Option<&str>, cutting: &Cutting) -> Result<media::MediaType, media::MediaError> {
    cutting.settings.limits.check_bytes(bytes.len() as u64)?;
    let kind = media::sniff(bytes, name)?;
    if bytes.len() <= cutting.settings.check_bytes {
        cut(bytes, kind, cutting)?;
    }
    Ok(kind)
}

fn refuse(mut refusals: Vec<ApiError>) -> ApiError {
    let errors = refusals.iter_mut().flat_map(|refusal| std::mem::take(&mut refusal.errors)).collect::<Vec<_>>();
    let count = refusals.len();
    let mut first = refusals.swap_remove(0);
    if count > 1 {
        first.detail = format!("none of the {count} parts can be read; the first: {}", first.detail);
    }
    first.errors = errors;
    first
}

/// Puts the bytes that are not stored yet, but for those that the catalog keeps. Parts that were refused keep their bytes too: their content can be
/// looked at. The answer is what was put and is not recorded yet.
async fn store(app: &App, tenant: &TenantId, claim: ClaimId, parts: &[Sniffed]) -> Result<Vec<BlobHash>, ApiError> {
    let mut waits_ms = [5u64, 20, 50, 100, 200, 400, 800, 1600].iter();
    let (inline, parts): (Vec<_>, Vec<_>) = parts.iter().partition(|entry| entry.part.bytes.is_some());
    for entry in inline {
        app.blobs.keep_fresh(tenant, entry.part.blob, &entry.bytes);
    }
    if parts.is_empty() {
        return Ok(Vec::new());
    }
    loop {
        let blobs: Vec<_> = parts.iter().map(|entry| (entry.part.blob, entry.part.size_bytes)).collect();
        let expires = app.clock.now().plus_ms(app.config.jobs.claim_ms);
        let states = app.catalog.claim_blobs(tenant, claim, &blobs, expires).await?;
        if states.contains(&BlobState::Deleting) {
            let Some(wait_ms) = waits_ms.next() else {
                return Err(
                    ApiError::new(Code::Unavailable, "the same bytes are being deleted right now").retry_after(2_000)
                );
            };
            tokio::time::sleep(Duration::from_millis(*wait_ms)).await;
            continue;
        }
        let (mut small, mut large) = (Vec::new(), Vec::new());
        for (entry, state) in parts.iter().zip(states) {
            let blob = entry.part.blob;
            if state == BlobState::Missing && !small.contains(&blob) && !large.contains(&blob) {
                app.blobs.put(tenant, blob, entry.bytes.clone()).await?;
                if entry.bytes.len() > RECORDED_AT_ONCE_ABOVE { large.push(blob) } else { small.push(blob) }
            }
        }
        if !large.is_empty() {
            app.catalog.blobs_stored(tenant, claim, &large).await?;
        }
        return Ok(small);
    }
}
