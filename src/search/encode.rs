//! Inputs become vectors.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::try_join_all;
use sensorium_domain::encoder::SpaceInfo;
use sensorium_domain::{DocumentId, EncodeInput, Modality, Priority, SegmentId, SpaceName, TenantId};
use sensorium_media as media;

use crate::error::{ApiError, Code, FieldError};
use crate::ingest::{image_input, sound_input};
use crate::search::request::{Asked, Input};
use crate::startup::App;

/// An input as a query: its vectors by space and, for words, the words.
#[derive(Debug, Clone, Default)]
pub struct EncodedInput {
    /// Position in the request.
    pub input: usize,
    /// How much it counts.
    pub weight: f32,
    /// The kind of content that each vector was made from.
    pub vectors: Vec<(SpaceName, Modality, Vec<f32>)>,
    /// For BM25.
    pub words: Option<String>,
    /// A stored segment that it was taken from.
    pub segment: Option<SegmentId>,
    /// A stored document that it was taken from.
    pub document: Option<DocumentId>,
    /// How likely it is something that the profile knows, from 0 to 1; 1 where it cannot tell.
    pub in_scope: f32,
}

/// Encodes one input in every space that takes it, or in those of `spaces` where some are named.
#[tracing::instrument(name = "encode", skip_all)]
pub async fn encode_input(
    app: &App,
    tenant: &TenantId,
    index: usize,
    input: &Input,
    spaces: &[SpaceName],
) -> Result<EncodedInput, ApiError> {
    let mut encoded = EncodedInput { input: index, weight: input.weight, in_scope: 1.0, ..EncodedInput::default() };
    match &input.asked {
        Asked::Text(text) => {
            encoded.vectors = encode_everywhere(app, EncodeInput::Query(Arc::from(text.as_str())), spaces).await?;
            encoded.words = Some(text.clone());
        }
        Asked::Media(modality, bytes) => {
            let pointer = format!("/inputs/{index}/{modality}");
            let content = decode_media(app, *modality, bytes.clone(), &pointer).await?;
            encoded.in_scope = app.profile.in_scope(&content);
            encoded.vectors = encode_everywhere(app, content, spaces).await?;
        }
        Asked::Segment(id) => {
            let missing = || not_there(index, "segment", &id.to_string());
            let view = app.catalog.segment_views(tenant, &[*id]).await?.pop().ok_or_else(missing)?;
            encoded.segment = Some(*id);
            encoded.vectors = stored(app, tenant, &[*id], view.segment.modality).await?;
        }
        Asked::Document(id) => {
            let found = app.catalog.document(tenant, *id).await;
            found.map_err(|_| not_there(index, "document", &id.to_string()))?;
            encoded.document = Some(*id);
            encoded.vectors = document_vectors(app, tenant, *id).await?;
        }
    }
    if encoded.vectors.is_empty() && encoded.words.is_none() {
        return Err(ApiError::invalid(format!("/inputs/{index}"), "it has no vector in any space of this profile"));
    }
    Ok(encoded)
}

fn not_there(index: usize, what: &str, id: &str) -> ApiError {
    let errors =
        vec![FieldError { pointer: format!("/inputs/{index}/{what}"), detail: format!("there is no {what} {id}") }];
    ApiError::from_faults(errors).unwrap_or_else(|| ApiError::new(Code::Invalid, "no such input"))
}

/// A text's vector in one space, as a search would have it.
pub async fn encode_text(app: &App, space: &SpaceName, text: &str) -> Result<Vec<f32>, ApiError> {
    let input = EncodeInput::Query(Arc::from(text));
    Ok(app.profile.encoder.encode(space, input, Priority::Interactive).await?)
}

async fn encode_everywhere(
    app: &App,
    content: EncodeInput,
    spaces: &[SpaceName],
) -> Result<Vec<(SpaceName, Modality, Vec<f32>)>, ApiError> {
    let modality = content.modality();
    let taking: Vec<&SpaceInfo> =
        app.profile.encoder.spaces().iter().filter(|space| space.tower(modality).is_some()).collect();
    if taking.is_empty() {
        return Err(ApiError::new(Code::NotInProfile, format!("the profile {} takes no {modality}", app.profile.name)));
    }
    let wanted = taking.into_iter().filter(|space| spaces.is_empty() || spaces.contains(&space.name));
    let encoding = wanted.map(async |space| {
        let vector = app.profile.encoder.encode(&space.name, content.clone(), Priority::Interactive).await?;
        Ok::<_, ApiError>((space.name.clone(), modality, vector))
    });
    try_join_all(encoding).await
}

/// Decodes a file that was sent with a request. It must be what the caller says it is.
pub async fn decode_media(app: &App, expected: Modality, bytes: Bytes, pointer: &str) -> Result<EncodeInput, ApiError> {
    let limits = app.config.ingest.limits.clone();
    let sample_rate_hz = app.profile.sound_format().sample_rate_hz;
    let decoded = app
        .media_pool
        .run(move || {
            let kind = media::sniff(&bytes, None)?;
            let input = match kind.modality() {
                Modality::Text | Modality::Video => None,
                Modality::Image => Some(image_input(&media::decode_image(&bytes, kind, &limits)?)),
                Modality::Audio => {
                    let sound = media::decode_audio(&bytes, kind, &limits)?;
                    Some(sound_input(&media::resample(&sound, sample_rate_hz)?))
                }
            };
            Ok::<_, media::MediaError>((kind, input))
        })
        .await?;
    let (kind, input) = decoded.map_err(|error| ApiError::media(&error, pointer, None))?;
    match input {
        Some(input) if input.modality() == expected => Ok(input),
        _ => {
            let detail = format!("the file is {}, which is no {expected}", kind.as_str());
            Err(ApiError {
                fine: Some("wrong_modality".to_owned()),
                ..ApiError::new(Code::UnsupportedMedia, detail.clone())
            }
            .at(pointer, detail))
        }
    }
}

async fn stored(
    app: &App,
    tenant: &TenantId,
    ids: &[SegmentId],
    modality: Modality,
) -> Result<Vec<(SpaceName, Modality, Vec<f32>)>, ApiError> {
    let mut vectors = Vec::new();
    for space in app.profile.encoder.spaces() {
        let found = app.index.vectors(tenant, &space.name, ids).await?;
        if let Some(vector) = mean(found.iter().map(|(_, vector)| vector.as_slice())) {
            vectors.push((space.name.clone(), modality, vector));
        }
    }
    Ok(vectors)
}

/// A document as a query: the mean of its segments of each modality.
async fn document_vectors(
    app: &App,
    tenant: &TenantId,
    id: DocumentId,
) -> Result<Vec<(SpaceName, Modality, Vec<f32>)>, ApiError> {
    const MOST_SEGMENTS: u32 = 1000;
    let segments = app.catalog.segments(tenant, id, 0, MOST_SEGMENTS).await?;
    let mut vectors = Vec::new();
    for modality in Modality::ALL {
        let ids: Vec<SegmentId> =
            segments.iter().filter(|segment| segment.modality == modality).map(|segment| segment.id).collect();
        if !ids.is_empty() {
            vectors.extend(stored(app, tenant, &ids, modality).await?);
        }
    }
    Ok(vectors)
}

/// The normalised mean; `None` of nothing.
fn mean<'a>(vectors: impl Iterator<Item = &'a [f32]>) -> Option<Vec<f32>> {
    let mut sum: Vec<f32> = Vec::new();
    for vector in vectors {
        sum.resize(vector.len(), 0.0);
        for (total, value) in sum.iter_mut().zip(vector) {
            *total += value;
        }
    }
    normalised(sum)
}

/// Scales to length 1; `None` for nothing and for the zero vector.
pub fn normalised(mut vector: Vec<f32>) -> Option<Vec<f32>> {
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    if !length.is_finite() || length < 1e-12 {
        return None;
    }
    for value in &mut vector {
        *value /= length;
    }
    Some(vector)
}
