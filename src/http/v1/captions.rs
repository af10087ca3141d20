//! POST /v1/captions: what a picture shows or a sound is.

use axum::Json;
use axum::extract::{Request, State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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
}

/// A caption.
#[derive(Debug, Serialize, ToSchema)]
pub struct Captions {
    /// How it was made.
    pub method: CaptionMethod,
    /// The labels, nearest first.
    pub labels: Vec<Label>,
}

/// What a picture shows or a sound is. In the profile `starter` these are the nearest entries of a vocabulary with their
/// confidence, never a made-up sentence. Takes JSON, or a form with the field `request` and a file.
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
    let input = asked.input.decode(&app, &upload.files, "/input").await?;
    let labels = nearest_labels(&app, input, asked.count).await?;
    Ok(Json(Captions { method: CaptionMethod::NearestLabels, labels }))
}
