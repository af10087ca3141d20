//! Compares catalog, blobs and index, and repairs what can be repaired without a model.

use std::collections::{BTreeMap, HashSet};

use sensorium_domain::{BlobHash, Document, SegmentId, TenantId};
use serde::Serialize;

use crate::error::ApiError;
use crate::ingest::rebuild_document;
use crate::startup::App;

const BATCH: u32 = 500;

/// What was found. Numbers are before a repair.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Nothing was wrong.
    pub clean: bool,
    /// What was wrong has been put right, as far as `lost_blobs` and `lost_vectors` allow.
    pub repaired: bool,
    /// Documents that should be found.
    pub documents: u64,
    /// Their segments.
    pub segments: u64,
    /// Points of the index.
    pub points: u64,
    /// Blobs that the catalog knows to be in the blob store; small ones it has itself.
    pub blobs: u64,
    /// Points that belong to no live segment.
    pub orphan_points: u64,
    /// Live segments without a point.
    pub missing_points: u64,
    /// Stored blobs that the catalog does not know.
    pub orphan_blobs: u64,
    /// Blobs that the catalog knows and the store has not: their parts cannot be read any more.
    pub lost_blobs: Vec<String>,
    /// Segments without a point whose vector is not kept either: add their documents again.
    pub lost_vectors: u64,
}

/// Compares, and repairs if asked to. Nobody else may work on the data meanwhile; the data folder's lock sees to it.
pub async fn fsck(app: &App, repair: bool) -> Result<Report, ApiError> {
    let mut report = Report::default();
    let points = points(app).await?;
    report.points = points.values().map(|ids| ids.len() as u64).sum();
    let incomplete = compare_segments(app, &points, &mut report).await?;
    let orphans = orphan_points(app, &points).await?;
    report.orphan_points = orphans.values().map(|ids| ids.len() as u64).sum();
    let stray = compare_blobs(app, &mut report).await?;
    report.clean =
        report.orphan_points + report.missing_points + report.orphan_blobs == 0 && report.lost_blobs.is_empty();
    if repair && !report.clean {
        for (tenant, ids) in &orphans {
            app.index.delete_segments(tenant, ids).await?;
        }
        for (tenant, document) in &incomplete {
            let (_, lacking) = rebuild_document(app, tenant, document).await?;
            report.lost_vectors += lacking;
        }
        app.index.flush().await?;
        for (tenant, hash) in &stray {
            app.blobs.delete(tenant, *hash).await?;
        }
        report.repaired = true;
    }
    Ok(report)
}

async fn points(app: &App) -> Result<BTreeMap<TenantId, HashSet<SegmentId>>, ApiError> {
    let mut points: BTreeMap<TenantId, HashSet<SegmentId>> = BTreeMap::new();
    let mut after = None;
    loop {
        let batch = app.index.scroll(after, BATCH as usize).await?;
        let Some((_, last)) = batch.last() else { return Ok(points) };
        after = Some(*last);
        for (tenant, id) in batch {
            points.entry(tenant).or_default().insert(id);
        }
    }
}

/// Counts live segments and those without a point; returns the documents that lack some.
async fn compare_segments(
    app: &App,
    points: &BTreeMap<TenantId, HashSet<SegmentId>>,
    report: &mut Report,
) -> Result<Vec<(TenantId, Document)>, ApiError> {
    let mut incomplete = Vec::new();
    let mut after = None;
    loop {
        let documents = app.catalog.live_documents(after, BATCH).await?;
        let Some((_, last)) = documents.last() else { return Ok(incomplete) };
        after = Some(last.id);
        for (tenant, document) in documents {
            let missing = missing_points(app, &tenant, &document, points.get(&tenant), report).await?;
            report.documents += 1;
            report.missing_points += missing;
            if missing > 0 {
                incomplete.push((tenant, document));
            }
        }
    }
}

async fn missing_points(
    app: &App,
    tenant: &TenantId,
    document: &Document,
    points: Option<&HashSet<SegmentId>>,
    report: &mut Report,
) -> Result<u64, ApiError> {
    let (mut offset, mut missing) = (0, 0);
    loop {
        let segments = app.catalog.segments(tenant, document.id, offset, BATCH).await?;
        if segments.is_empty() {
            return Ok(missing);
        }
        offset += segments.len() as u32;
        report.segments += segments.len() as u64;
        missing +=
            segments.iter().filter(|segment| !points.is_some_and(|ids| ids.contains(&segment.id))).count() as u64;
    }
}

async fn orphan_points(
    app: &App,
    points: &BTreeMap<TenantId, HashSet<SegmentId>>,
) -> Result<BTreeMap<TenantId, Vec<SegmentId>>, ApiError> {
    let mut orphans: BTreeMap<TenantId, Vec<SegmentId>> = BTreeMap::new();
    for (tenant, ids) in points {
        let ids: Vec<SegmentId> = ids.iter().copied().collect();
        for batch in ids.chunks(BATCH as usize) {
            let live: HashSet<SegmentId> = app.catalog.live_segments(tenant, batch).await?.into_iter().collect();
            let dead = batch.iter().filter(|id| !live.contains(id)).copied();
            orphans.entry(tenant.clone()).or_default().extend(dead);
        }
    }
    Ok(orphans)
}

/// Counts known, stray and lost blobs; returns the stray ones.
async fn compare_blobs(app: &App, report: &mut Report) -> Result<Vec<(TenantId, BlobHash)>, ApiError> {
    let mut stored: HashSet<(TenantId, BlobHash)> = app.blobs.list().await?.into_iter().collect();
    let mut after = None;
    loop {
        let known = app.catalog.blobs(after, BATCH).await?;
        let Some(last) = known.last() else { break };
        after = Some(last.clone());
        for blob in known {
            report.blobs += 1;
            if !stored.remove(&blob) {
                report.lost_blobs.push(format!("{}/{}", blob.0, blob.1));
            }
        }
    }
    report.orphan_blobs = stored.len() as u64;
    Ok(stored.into_iter().collect())
}
