//! Vectors for pieces: kept ones first, the model for the rest.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use futures::stream::{self, StreamExt, TryStreamExt};
use sensorium_domain::encoder::SpaceInfo;
use sensorium_domain::job::Progress;
use sensorium_domain::{ContentKey, EncodeError, EncodeInput, Modality, Priority, SpaceName, TenantId};

use crate::error::ApiError;
use crate::ingest::cut::{Cut, Piece};
use crate::jobs::{JobFailure, Running};
use crate::startup::App;

/// A piece with its content key and its vector in each space that takes it.
pub type EncodedPiece = (Piece, ContentKey, Vec<(SpaceName, Vec<f32>)>);

/// Encodes every piece into every space that takes its modality. Equal content is encoded once; what is kept from before is
/// not encoded at all. New vectors are kept before this returns.
#[tracing::instrument(name = "encode", skip_all)]
pub async fn encode_pieces(
    app: &App,
    running: &Running,
    tenant: &TenantId,
    mut cut: Cut,
    progress: &mut Progress,
) -> Result<Vec<EncodedPiece>, JobFailure> {
    let pieces = std::mem::take(&mut cut.pieces);
    let keys: Vec<ContentKey> = pieces.iter().map(|piece| cut.key(piece)).collect();
    let mut encoded: Vec<EncodedPiece> =
        pieces.into_iter().zip(keys).map(|(piece, key)| (piece, key, Vec::new())).collect();
    let cut = Arc::new(cut);
    for space in app.profile.encoder.spaces() {
        encode_space(app, running, tenant, &cut, space, &mut encoded, progress).await?;
    }
    Ok(encoded)
}

async fn encode_space(
    app: &App,
    running: &Running,
    tenant: &TenantId,
    cut: &Arc<Cut>,
    space: &SpaceInfo,
    encoded: &mut [EncodedPiece],
    progress: &mut Progress,
) -> Result<(), JobFailure> {
    let Some(tower) = encoded.first().and_then(|(piece, ..)| space.tower(piece.modality)) else { return Ok(()) };
    let keys: Vec<ContentKey> = encoded.iter().map(|(_, key, _)| *key).collect();
    let kept = app.catalog.vectors(tenant, &tower.model, &keys).await?;
    let mut missing = Vec::new();
    for (index, vector) in kept.into_iter().enumerate() {
        match vector {
            Some(vector) => {
                progress.reused += 1;
                encoded[index].2.push((space.name.clone(), vector));
            }
            None => missing.push(index),
        }
    }
    for batch in missing.chunks(app.config.ingest.encode_concurrency.saturating_mul(4)) {
        running.check()?;
        let fresh = encode_batch(app, cut, space, encoded, batch).await?;
        if !fresh.is_empty() {
            app.catalog.put_vectors(tenant, &tower.model, &fresh).await?;
        }
        for (index, (_, vector)) in batch.iter().zip(fresh) {
            encoded[*index].2.push((space.name.clone(), vector));
        }
    }
    Ok(())
}

async fn encode_batch(
    app: &App,
    cut: &Arc<Cut>,
    space: &SpaceInfo,
    encoded: &[EncodedPiece],
    batch: &[usize],
) -> Result<Vec<(ContentKey, Vec<f32>)>, JobFailure> {
    let work: Vec<BoxFuture<'_, _>> = batch
        .iter()
        .map(|index| {
            let (piece, key, _) = &encoded[*index];
            encode_piece(app, cut.clone(), space, piece.clone(), *key).boxed()
        })
        .collect();
    stream::iter(work).buffered(app.config.ingest.encode_concurrency).try_collect().await
}

async fn encode_piece(
    app: &App,
    cut: Arc<Cut>,
    space: &SpaceInfo,
    piece: Piece,
    key: ContentKey,
) -> Result<(ContentKey, Vec<f32>), JobFailure> {
    // Words are there already. Of many texts at once, none has to wait for a thread then, and they go to the model together.
    let input = match piece.modality {
        Modality::Text => cut.input(&piece),
        _ => app.job_media_pool.run(move || cut.input(&piece)).await?,
    };
    let vector = encode_patiently(app, &space.name, input).await?;
    Ok((key, vector))
}

/// Encodes in bulk; a full queue is waited for.
async fn encode_patiently(app: &App, space: &SpaceName, input: EncodeInput) -> Result<Vec<f32>, ApiError> {
    loop {
        match app.profile.encoder.encode(space, input.clone(), Priority::Bulk).await {
            Err(EncodeError::Overloaded { retry_after_ms }) => {
                tokio::time::sleep(Duration::from_millis(retry_after_ms.clamp(5, 1_000))).await;
            }
            other => return other.map_err(ApiError::from),
        }
    }
}
