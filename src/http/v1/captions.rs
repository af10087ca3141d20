//! POST /v1/captions: what a picture shows or a sound is.

use axum::Json;
use axum::extract::{Request, State};
use sensorium_domain::{Modality, ModelName};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::caption::caption;
use crate::embed::{Content, Label, nearest_labels};
use crate::error::ApiError;
use crate::http::access::Caption;
use crate::http::problem::Problems;
use crate::http::upload::read_upload;
use crate::startup::App;

/// What to caption.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"input": {"image": {"base64": "iVBORw0KGgo..."}}}))]
pub struct CaptionsRequest {
    /// A picture or a sound.
    pub input: Content,
    /// The most labels, 1 to 100; 5 when left out.
    #[serde(default = "five")]
    pub count: usize,
    /// How a sentence is to begin; for profiles with a model that writes them.
    pub prompt: Option<String>,
}

fn five() -> usize {
    5
}

/// How the caption was made.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CaptionMethod {
    /// The nearest entries of a fixed vocabulary; nothing is made up.
    NearestLabels,
    /// A sentence that a model wrote.
    Generated,
}

/// A sentence about a picture.
#[derive(Debug, Serialize, ToSchema)]
pub struct Sentence {
    /// It.
    #[schema(example = "a man riding a bicycle down a street")]
    pub text: String,
    /// The mean logarithm of its tokens' probabilities.
    pub score: f32,
    /// The model that wrote it.
    pub model: ModelName,
}

/// A caption.
#[derive(Debug, Serialize, ToSchema)]
pub struct Captions {
    /// How it was made.
    pub method: CaptionMethod,
    /// The labels, nearest first; empty for a sentence.
    pub labels: Vec<Label>,
    /// What the model wrote; null for labels.
    pub caption: Option<Sentence>,
}

/// What a picture shows or a sound is: a sentence where the profile has a model that writes them; in the profile `starter` the nearest
/// entries of a vocabulary with their confidence, never a made-up sentence. Takes JSON, or a form with the field `request` and a file.
#[utoipa::path(post, path = "/v1/captions", operation_id = "create_captions", tag = "models",
    request_body = CaptionsRequest, responses((status = 200, body = Captions), Problems))]
pub async fn captions(State(app): State<App>, _caller: Caption, request: Request) -> Result<Json<Captions>, ApiError> {
    let upload = read_upload::<CaptionsRequest>(request, &app, "request").await?;
    let asked = upload.json.ok_or_else(|| ApiError::invalid("/request", "the form has no field \"request\""))?;
    if !(1..=100).contains(&asked.count) {
        return Err(ApiError::invalid("/count", format!("{} is not from 1 to 100", asked.count)));
    }
    if asked.input.text.is_some() {
        return Err(ApiError::invalid("/input/text", "a text needs no caption; give an image or an audio"));
    }
    if asked.prompt.as_ref().is_some_and(|prompt| prompt.chars().count() > 1000) {
        return Err(ApiError::invalid("/prompt", "has more than 1000 characters"));
    }
    let input = asked.input.decode(&app, &upload.files, "/input").await?;
    if let (Some(captioner), Modality::Image) = (&app.profile.captioner, input.modality()) {
        let written = caption(captioner, &app.config.captioner, input, asked.prompt).await?;
        let sentence = Sentence { text: written.text, score: written.score, model: captioner.model.clone() };
        return Ok(Json(Captions { method: CaptionMethod::Generated, labels: Vec::new(), caption: Some(sentence) }));
    }
    if asked.prompt.is_some() {
        return Err(ApiError::invalid("/prompt", "the profile has no model that goes on with it"));
    }
    let labels = nearest_labels(&app, input, asked.count).await?;
    Ok(Json(Captions { method: CaptionMethod::NearestLabels, labels, caption: None }))
}
