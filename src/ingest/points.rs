//! Points of the index from rows of the catalog, and the index built anew from them without a model.

use std::collections::HashMap;

use sensorium_domain::catalog::{JobEnd, Lease};
use sensorium_domain::index::{Point, PointPayload};
use sensorium_domain::job::Progress;
use sensorium_domain::{CatalogError, Document, DocumentId, Part, PartId, Place, Segment, SpaceName, TenantId};

use crate::error::ApiError;
use crate::jobs::{JobFailure, Running};
use crate::startup::App;

/// Points written in one call.
pub const UPSERT_BATCH: usize = 256;

/// What filters see of a segment.
pub fn payload(document: &Document, part: &Part, segment: &Segment) -> PointPayload {
    PointPayload {
        collection: document.collection.clone(),
        document: document.id,
        part: part.id,
        modality: segment.modality,
        kind: segment.kind,
        media_type: part.media_type.clone(),
        external_id: document.external_id.clone(),
        title: document.title.clone(),
        tags: document.tags.clone(),
        metadata: document.metadata.clone(),
        created_at: document.created_at,
        updated_at: document.updated_at,
    }
}

/// A point. Its words are the title, the heading and the text, so that a title finds pictures and sounds too.
pub fn point(segment: &Segment, payload: PointPayload, dense: Vec<(SpaceName, Vec<f32>)>) -> Point {
    let heading = match &segment.place {
        Place::Characters { heading, .. } => heading.as_deref(),
        _ => None,
    };
    let words = [payload.title.as_deref(), heading, segment.text.as_deref()]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join("\n");
    Point { id: segment.id, payload, dense, words: (!words.is_empty()).then_some(words) }
}

/// Writes the points of a live document anew from rows and kept vectors. Returns how many, and how many segments lack a
/// vector in a space that takes them (they need an ingest). Of a document that is deleted meanwhile nothing more is written; its deletion
/// removes the rest.
pub async fn rebuild_document(app: &App, tenant: &TenantId, document: &Document) -> Result<(u64, u64), ApiError> {
    let parts = match app.catalog.parts(tenant, document.id, None).await {
        Err(CatalogError::NotFound(_)) => return Ok((0, 0)),
        parts => parts?,
    };
    let parts: HashMap<PartId, Part> = parts.into_iter().map(|part| (part.id, part)).collect();
    let (mut written, mut lacking, mut offset) = (0, 0, 0);
    loop {
        let segments = match app.catalog.segments(tenant, document.id, offset, UPSERT_BATCH as u32).await {
            Err(CatalogError::NotFound(_)) => return Ok((written, lacking)),
            segments => segments?,
        };
        if segments.is_empty() {
            return Ok((written, lacking));
        }
        offset += segments.len() as u32;
        let mut dense: Vec<Vec<(SpaceName, Vec<f32>)>> = vec![Vec::new(); segments.len()];
        for space in app.profile.encoder.spaces() {
            for tower in &space.towers {
                let chosen: Vec<usize> =
                    (0..segments.len()).filter(|i| segments[*i].modality == tower.modality).collect();
                let keys: Vec<_> = chosen.iter().map(|i| segments[*i].content).collect();
                let kept = app.catalog.vectors(tenant, &tower.model, &keys).await?;
                for (index, vector) in chosen.into_iter().zip(kept) {
                    match vector {
                        Some(vector) => dense[index].push((space.name.clone(), vector)),
                        None => lacking += 1,
                    }
                }
            }
        }
        let points: Vec<Point> = segments
            .iter()
            .zip(dense)
            .filter_map(|(segment, dense)| {
                let part = parts.get(&segment.part)?;
                Some(point(segment, payload(document, part, segment), dense))
            })
            .collect();
        written += points.len() as u64;
        app.index.upsert(tenant, points).await?;
    }
}

/// Makes the index hold exactly what the catalog has of a document: nothing when it has no live version.
pub async fn scrub(app: &App, tenant: &TenantId, document: DocumentId) -> Result<(), ApiError> {
    app.index.delete_document(tenant, document).await?;
    if let Ok(document) = app.catalog.document(tenant, document).await {
        rebuild_document(app, tenant, &document).await?;
    }
    Ok(app.index.flush().await?)
}

/// The job that fills an empty or damaged index from the catalog.
pub async fn rebuild_index(app: &App, running: &Running) -> Result<(), JobFailure> {
    let lease: &Lease = &running.lease;
    let mut progress = Progress { stage: "index".to_owned(), ..Progress::default() };
    let mut after = None;
    loop {
        let documents = app.catalog.live_documents(after, 100).await?;
        let Some((_, last)) = documents.last() else { break };
        after = Some(last.id);
        for (tenant, document) in &documents {
            running.check()?;
            let (written, lacking) = rebuild_document(app, tenant, document).await?;
            if lacking > 0 {
                tracing::warn!(document = %document.id, lacking, "kept vectors are missing; add the document again");
            }
            progress.done += 1;
            progress.segments += written;
        }
        app.catalog.progress(lease, &progress).await?;
    }
    app.index.flush().await?;
    app.catalog.end_job(lease, JobEnd::Succeeded { parts: Vec::new() }).await?;
    Ok(())
}
