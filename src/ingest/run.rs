//! The ingest job: every part is cut, encoded and indexed; the document becomes ready only after the index has flushed.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sensorium_domain::catalog::{EndedIngest, IngestInput, JobEnd, Lease, PartOutcome};
use sensorium_domain::document::PartError;
use sensorium_domain::index::Point;
use sensorium_domain::job::Progress;
use sensorium_domain::{Document, DocumentId, Modality, Part, Segment, SegmentId, TenantId};
use sensorium_media as media;

use crate::blobs::content;
use crate::error::{ApiError, Code};
use crate::ingest::cut::{Cut, Cutting, cut, is_light};
use crate::ingest::encode::{EncodedPiece, Unkept, encode_pieces};
use crate::ingest::points::{UPSERT_BATCH, payload, point, scrub};
use crate::jobs::{JobFailure, Running};
use crate::startup::App;

/// How often a job says how far it has come: one that takes less time than that says so at its end only.
const TELL_EVERY: Duration = Duration::from_millis(250);

/// Texts up to this size are some dozen chunks.
const SMALL_TEXT_BYTES: u64 = 32 << 10;

/// Runs an ingest, and answers how it has ended unless it was overtaken. Safe to run again at any point: segment ids are derived, vectors are kept by
/// content.
pub async fn ingest(
    app: &App,
    running: &Running,
    document: DocumentId,
    version: u32,
) -> Result<Option<EndedIngest>, JobFailure> {
    let lease = &running.lease;
    let input = match &lease.input {
        Some(input) => input.clone(),
        None => read_input(app, &lease.tenant, document, version).await?,
    };
    if input.document.version != version {
        app.catalog.end_job(lease, JobEnd::Cancelled).await?;
        return Ok(None);
    }
    let mut unkept = Unkept::default();
    let worked = work(app, running, &input, &mut unkept).await;
    // Another attempt need not encode again.
    if matches!(worked, Err(JobFailure::Request(_) | JobFailure::Stopping))
        && let Err(error) = unkept.keep(app, &lease.tenant).await
    {
        tracing::warn!(%error, "vectors were not kept; another attempt makes them anew");
    }
    let (outcomes, progress) = worked?;
    let ended = app.catalog.finish_ingest(lease, version, outcomes, unkept.take(), &progress).await?;
    if version > 1 {
        app.bell.sweep();
    }
    Ok(ended)
}

/// Brings all parts into the index, durably. What comes of it is what the catalog is to be told.
async fn work(
    app: &App,
    running: &Running,
    input: &IngestInput,
    unkept: &mut Unkept,
) -> Result<(Vec<PartOutcome>, Progress), JobFailure> {
    let (lease, IngestInput { document, parts }) = (&running.lease, input);
    scrub_after_abandoned(app, running, document).await?;
    let mut progress = Progress { stage: "encode".to_owned(), total: parts.len() as u64, ..Progress::default() };
    let mut outcomes = Vec::with_capacity(parts.len());
    let mut told = tokio::time::Instant::now();
    for part in parts {
        running.check()?;
        let so_far = progress.clone();
        let work = ingest_part(app, running, (&lease.tenant, document, part), &mut progress, unkept);
        outcomes.push(telling(app, lease, &so_far, &mut told, work).await?);
        progress.done += 1;
    }
    if told.elapsed() >= TELL_EVERY {
        "index".clone_into(&mut progress.stage);
        app.catalog.progress(lease, &progress).await?;
    }
    let started = Instant::now();
    let any_ready = outcomes.iter().any(|outcome| outcome.result.is_ok());
    if document.version > 1 && any_ready {
        let old = app.catalog.superseded_segments(&lease.tenant, document.id, document.version).await?;
        for batch in old.chunks(UPSERT_BATCH) {
            app.index.delete_segments(&lease.tenant, batch).await?;
        }
    }
    app.index.flush().await?;
    app.metrics.ingested("index", started.elapsed());
    running.check()?;
    Ok((outcomes, progress))
}

/// What a job works on, where its lease has not brought it along.
async fn read_input(
    app: &App,
    tenant: &TenantId,
    document: DocumentId,
    version: u32,
) -> Result<Arc<IngestInput>, JobFailure> {
    let document = app.catalog.document(tenant, document).await?;
    let parts = app.catalog.parts(tenant, document.id, Some(version)).await?;
    Ok(Arc::new(IngestInput { document, parts }))
}

/// Does a piece of work, and tells how far the job had come before it, should the work take until that is due.
async fn telling<T>(
    app: &App,
    lease: &Lease,
    so_far: &Progress,
    told: &mut tokio::time::Instant,
    work: impl Future<Output = Result<T, JobFailure>>,
) -> Result<T, JobFailure> {
    let due = *told + TELL_EVERY;
    let tell = async {
        tokio::time::sleep_until(due).await;
        app.catalog.progress(lease, so_far).await
    };
    let (mut work, tell) = (pin!(work), pin!(tell));
    // Both go on side by side: one may wait for a connection to the catalog that the other has.
    tokio::select! {
        done = &mut work => done,
        result = tell => {
            result?;
            *told = tokio::time::Instant::now();
            work.await
        }
    }
}

/// A version that was overtaken before it was done may have written points that no row knows. They go before this version's
/// come; when the version before this one is live, there are none.
async fn scrub_after_abandoned(app: &App, running: &Running, document: &Document) -> Result<(), JobFailure> {
    if document.version == 1 {
        return Ok(());
    }
    let shown = app.catalog.parts(&running.lease.tenant, document.id, None).await?;
    let live = shown.first().map(|part| part.version).filter(|version| *version < document.version);
    if live != Some(document.version - 1) {
        scrub(app, &running.lease.tenant, document.id).await?;
    }
    Ok(())
}

/// Cuts, encodes and indexes one part into the application's generation. New vectors are kept, or in `unkept`, before this returns.
#[tracing::instrument(name = "part", skip_all)]
pub async fn ingest_part(
    app: &App,
    running: &Running,
    (tenant, document, part): (&TenantId, &Document, &Part),
    progress: &mut Progress,
    unkept: &mut Unkept,
) -> Result<PartOutcome, JobFailure> {
    let failed = |error: PartError| PartOutcome { part: part.id, facts: part.facts.clone(), result: Err(error) };
    if let Some(error) = &part.error {
        return Ok(failed(error.clone()));
    }
    let turn = if is_small(part.modality, part.size_bytes) {
        None
    } else {
        Some(app.media_turns.acquire().await.map_err(ApiError::internal)?)
    };
    running.check()?;
    let started = Instant::now();
    let cut = cut_part(app, tenant, part).await?;
    app.metrics.ingested("decode", started.elapsed());
    let cut = match cut {
        Ok(cut) => cut,
        Err(error) => {
            return Ok(failed(PartError { code: error.code().to_owned(), detail: error.to_string() }));
        }
    };
    let facts = cut.facts.clone();
    let started = Instant::now();
    let encoded = encode_pieces(app, running, tenant, cut, progress, unkept).await;
    app.metrics.ingested("encode", started.elapsed());
    let encoded = match encoded {
        Ok(encoded) => encoded,
        Err(JobFailure::Request(error)) if is_of_the_part(&error) => {
            let code = error.fine.clone().unwrap_or_else(|| error.code.as_str().to_owned());
            return Ok(failed(PartError { code, detail: error.detail }));
        }
        Err(other) => return Err(other),
    };
    let segments = index_part(app, tenant, document, part, encoded).await?;
    drop(turn);
    progress.segments += segments.len() as u64;
    Ok(PartOutcome { part: part.id, facts, result: Ok(segments) })
}

/// Whether working on a part takes next to no memory.
pub(super) fn is_small(modality: Modality, size_bytes: u64) -> bool {
    modality == Modality::Text && size_bytes <= SMALL_TEXT_BYTES
}

/// Writes the points of a part, and tells its segments.
async fn index_part(
    app: &App,
    tenant: &TenantId,
    document: &Document,
    part: &Part,
    encoded: Vec<EncodedPiece>,
) -> Result<Vec<Segment>, JobFailure> {
    let mut segments = Vec::with_capacity(encoded.len());
    let mut points: Vec<Point> = Vec::with_capacity(UPSERT_BATCH.min(encoded.len()));
    for (ordinal, (piece, content, vectors)) in (0u32..).zip(encoded) {
        let segment = Segment {
            id: SegmentId::derive_in(app.generation, part.id, piece.kind.as_str(), ordinal),
            document: document.id,
            part: part.id,
            modality: piece.modality,
            kind: piece.kind,
            ordinal,
            place: piece.place,
            text: piece.text,
            content,
        };
        points.push(point(&segment, payload(document, part, &segment), vectors));
        segments.push(segment);
        if points.len() == UPSERT_BATCH {
            app.index.upsert(tenant, std::mem::take(&mut points)).await?;
        }
    }
    if !points.is_empty() {
        app.index.upsert(tenant, points).await?;
    }
    Ok(segments)
}

#[tracing::instrument(name = "decode", skip_all)]
async fn cut_part(app: &App, tenant: &TenantId, part: &Part) -> Result<Result<Cut, media::MediaError>, JobFailure> {
    let bytes = content(app, tenant, part).await?;
    let cutting = Cutting::of(app);
    let name = part.name.clone();
    Ok(app
        .job_media_pool
        .run_unless_light(is_light(&bytes, name.as_deref()), move || {
            let kind = media::sniff(&bytes, name.as_deref())?;
            cut(&bytes, kind, &cutting)
        })
        .await?)
}

/// Whether an error tells about this part rather than about the server.
fn is_of_the_part(error: &ApiError) -> bool {
    matches!(error.code, Code::UnreadableMedia | Code::UnsupportedMedia | Code::TooLarge | Code::NotInProfile)
}
