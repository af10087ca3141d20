//! Inputs without a search: embeddings, zero-shot classes, nearest labels.

use std::sync::Arc;

use futures::future::try_join_all;
use sensorium_domain::encoder::SpaceInfo;
use sensorium_domain::{EncodeInput, Modality, Priority, SpaceName};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::{ApiError, Code};
use crate::http::upload::UploadedFile;
use crate::search::{MediaRequest, decode_media};
use crate::startup::App;

/// A text, picture or sound on its own.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Content {
    /// Words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// A picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<MediaRequest>,
    /// A sound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio: Option<MediaRequest>,
}

impl Content {
    /// Checks and decodes it; `pointer` is its place in the request.
    pub async fn decode(&self, app: &App, files: &[UploadedFile], pointer: &str) -> Result<EncodeInput, ApiError> {
        let at = |field: &str, detail: String| ApiError::invalid(format!("{pointer}{field}"), detail);
        match (&self.text, &self.image, &self.audio) {
            (Some(text), None, None) => {
                let (chars, most) = (text.chars().count(), app.config.search.max_input_chars);
                if text.trim().is_empty() || chars > most {
                    return Err(at(
                        "/text",
                        format!("{chars} characters; must be 1 to {most} (search.max_input_chars)"),
                    ));
                }
                Ok(EncodeInput::Text(Arc::from(text.as_str())))
            }
            (None, Some(image), None) => {
                let bytes = image.bytes(files).map_err(|detail| at("/image", detail))?;
                decode_media(app, Modality::Image, bytes, &format!("{pointer}/image")).await
            }
            (None, None, Some(audio)) => {
                let bytes = audio.bytes(files).map_err(|detail| at("/audio", detail))?;
                decode_media(app, Modality::Audio, bytes, &format!("{pointer}/audio")).await
            }
            _ => Err(at("", "give exactly one of text, image and audio".to_owned())),
        }
    }
}

/// The space that is asked for, or the first one that takes all of `modalities`.
pub fn space<'a>(app: &'a App, asked: Option<&SpaceName>, modalities: &[Modality]) -> Result<&'a SpaceInfo, ApiError> {
    app.profile.space(asked, modalities).ok_or_else(|| {
        let names: Vec<_> = app.profile.encoder.spaces().iter().map(|space| space.name.as_str()).collect();
        let (profile, names) = (&app.profile.name, names.join(", "));
        if asked.is_some() {
            return ApiError::invalid("/space", format!("the profile {profile} has the spaces {names}"));
        }
        let wanted: Vec<_> = modalities.iter().map(|modality| modality.as_str()).collect();
        let detail = format!("no space of the profile {profile} takes {}; it has {names}", wanted.join(" and "));
        ApiError::new(Code::NotInProfile, detail)
    })
}

/// Unit vectors of the inputs, in order.
pub async fn embed(app: &App, space: &SpaceInfo, inputs: Vec<EncodeInput>) -> Result<Vec<Vec<f32>>, ApiError> {
    let encoding =
        inputs.into_iter().map(|input| app.profile.encoder.encode(&space.name, input, Priority::Interactive));
    Ok(try_join_all(encoding).await?)
}

/// A label with how well it fits.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Label {
    /// The label.
    #[schema(example = "guitar")]
    pub label: String,
    /// For `classify` the share among the given labels (they add up to 1); for captions the calibrated confidence.
    #[schema(example = 0.93)]
    pub score: f32,
    /// Cosine to the input.
    #[schema(example = 0.31)]
    pub similarity: f32,
}

/// Which of the labels fits: softmax over the cosines between the input and each label in the template.
pub async fn classify(
    app: &App,
    space: &SpaceInfo,
    input: EncodeInput,
    labels: &[String],
    template: &str,
) -> Result<Vec<Label>, ApiError> {
    let target = input.modality();
    let vector = embed(app, space, vec![input]).await?.swap_remove(0);
    let prompts = labels.iter().map(|label| EncodeInput::Query(Arc::from(template.replace("{}", label)))).collect();
    let prompts = embed(app, space, prompts).await?;
    let cosines: Vec<f32> = prompts
        .iter()
        .map(|prompt| dot(&app.profile.query_vector(&space.name, Modality::Text, target, prompt), &vector))
        .collect();
    let temperature = app.profile.temperature(&space.name);
    let best = cosines.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f32> = cosines.iter().map(|cosine| ((cosine - best) / temperature).exp()).collect();
    let sum: f32 = powers.iter().sum();
    let mut found: Vec<Label> = labels
        .iter()
        .zip(cosines.iter().zip(powers))
        .map(|(label, (similarity, power))| Label { label: label.clone(), score: power / sum, similarity: *similarity })
        .collect();
    found.sort_by(|a, b| b.score.total_cmp(&a.score));
    Ok(found)
}

/// The entries of the profile's vocabulary that are nearest to a picture or sound.
pub async fn nearest_labels(app: &App, input: EncodeInput, most: usize) -> Result<Vec<Label>, ApiError> {
    let modality = input.modality();
    let in_scope = app.profile.in_scope(&input);
    let vector = embed(app, space(app, None, &[modality])?, vec![input]).await?.swap_remove(0);
    let nearest = app.profile.nearest_labels(modality, &vector, most);
    if nearest.is_empty() {
        return Err(ApiError::new(
            Code::NotInProfile,
            format!("the profile {} has no labels for {modality}", app.profile.name),
        ));
    }
    Ok(nearest
        .into_iter()
        .map(|(label, similarity, confidence)| Label { label, score: confidence * in_scope, similarity })
        .collect())
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
