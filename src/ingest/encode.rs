//! Vectors for pieces: kept ones first, the model for the rest.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use futures::stream::{self, StreamExt, TryStreamExt};
use sensorium_domain::catalog::NewVector;
use sensorium_domain::encoder::SpaceInfo;
use sensorium_domain::job::Progress;
use sensorium_domain::{
    CatalogError, ContentKey, EncodeError, EncodeInput, Modality, ModelName, Priority, SpaceName, TenantId,
};

use crate::error::ApiError;
use crate::ingest::cut::{Cut, Piece};
use crate::jobs::{JobFailure, Running};
use crate::startup::App;

/// A piece with its content key and its vector in each space that takes it.
pub type EncodedPiece = (Piece, ContentKey, Vec<(SpaceName, Vec<f32>)>);

/// New vectors that are not kept yet, at most, but for those of one batch. They are kept with the document's segments, which costs next to nothing;
/// those of a long document as they come, so that it goes on where it was when it is begun again.
const UNKEPT: usize = 64;

/// Vectors that an ingest has made and that are still to be kept.
#[derive(Default)]
pub struct Unkept(Vec<NewVector>);

impl Unkept {
    /// To be kept by another call.
    pub fn take(&mut self) -> Vec<NewVector> {
        std::mem::take(&mut self.0)
    }

    /// Keeps them by themselves.
    pub async fn keep(&mut self, app: &App, tenant: &TenantId) -> Result<(), CatalogError> {
        let mut by_model: HashMap<ModelName, Vec<_>> = HashMap::new();
        for NewVector { model, content, vector } in self.take() {
            by_model.entry(model).or_default().push((content, vector));
        }
        for (model, vectors) in by_model {
            app.catalog.put_vectors(tenant, &model, &vectors).await?;
        }
        Ok(())
    }
}

/// Encodes every piece into every space that takes its modality. Equal content is encoded once; what is kept from before is
/// not encoded at all. New vectors are kept, or in `unkept`, before this returns.
#[tracing::instrument(name = "encode", skip_all)]
pub async fn encode_pieces(
    app: &App,
    running: &Running,
    tenant: &TenantId,
    mut cut: Cut,
    progress: &mut Progress,
    unkept: &mut Unkept,
) -> Result<Vec<EncodedPiece>, JobFailure> {
    let pieces = std::mem::take(&mut cut.pieces);
    let keys: Vec<ContentKey> = pieces.iter().map(|piece| cut.key(piece)).collect();
    let mut encoded: Vec<EncodedPiece> =
        pieces.into_iter().zip(keys).map(|(piece, key)| (piece, key, Vec::new())).collect();
    let cut = Arc::new(cut);
    for space in app.profile.encoder.spaces() {
        encode_space(app, running, tenant, &cut, space, &mut encoded, (progress, unkept)).await?;
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
    (progress, unkept): (&mut Progress, &mut Unkept),
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
        unkept.0.extend(fresh.iter().map(|(content, vector)| NewVector {
            model: tower.model.clone(),
            content: *content,
            vector: vector.clone(),
        }));
        if unkept.0.len() > UNKEPT {
            unkept.keep(app, tenant).await?;
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
