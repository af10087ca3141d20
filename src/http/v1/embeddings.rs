//! POST /v1/embeddings: vectors of texts, pictures and sounds.

use axum::Json;
use axum::extract::{Request, State};
use sensorium_domain::{EncodeInput, Modality, SpaceName};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::embed::{Content, embed, space};
use crate::error::ApiError;
use crate::http::access::Read;
use crate::http::problem::Problems;
use crate::http::upload::read_upload;
use crate::startup::App;

/// What to embed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"inputs": [{"text": "a red bicycle"}]}))]
pub struct EmbeddingsRequest {
    /// Texts, pictures and sounds in any mix.
    pub inputs: Vec<Content>,
    /// The space; the first one that takes all inputs when left out.
    #[schema(value_type = Option<String>)]
    pub space: Option<SpaceName>,
    /// What texts are for: some models give a question another vector than the text that answers it.
    #[serde(default)]
    pub input_type: InputType,
}

/// What texts are for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InputType {
    /// They ask.
    Query,
    /// They are to be found.
    #[default]
    Document,
}

/// Vectors in the order of the inputs.
#[derive(Debug, Serialize, ToSchema)]
pub struct Embeddings {
    /// One for each input.
    pub data: Vec<Embedding>,
    /// What was used.
    pub usage: Usage,
}

/// A vector.
#[derive(Debug, Serialize, ToSchema)]
pub struct Embedding {
    /// Position of the input.
    pub index: usize,
    /// The space.
    pub space: SpaceName,
    /// The model that made it.
    #[schema(example = "all-MiniLM-L6-v2@53aa5117")]
    pub model: String,
    /// A unit vector.
    pub embedding: Vec<f32>,
}

/// What was used.
#[derive(Debug, Serialize, ToSchema)]
pub struct Usage {
    /// Inputs that were embedded.
    pub inputs: usize,
}

/// Vectors of texts, pictures and sounds in one space. Takes JSON, or a form with the field `request` and files.
#[utoipa::path(post, path = "/v1/embeddings", operation_id = "create_embeddings", tag = "models",
    request_body = EmbeddingsRequest, responses((status = 200, body = Embeddings), Problems))]
pub async fn embeddings(State(app): State<App>, _caller: Read, request: Request) -> Result<Json<Embeddings>, ApiError> {
    let upload = read_upload::<EmbeddingsRequest>(request, &app, "request").await?;
    let asked = upload.json.ok_or_else(|| ApiError::invalid("/request", "the form has no field \"request\""))?;
    let most = app.config.search.max_labels;
    if asked.inputs.is_empty() || asked.inputs.len() > most {
        let detail = format!("{} inputs; must be 1 to {most} (search.max_labels)", asked.inputs.len());
        return Err(ApiError::invalid("/inputs", detail));
    }
    let mut inputs = Vec::with_capacity(asked.inputs.len());
    for (index, content) in asked.inputs.iter().enumerate() {
        let input = content.decode(&app, &upload.files, &format!("/inputs/{index}")).await?;
        inputs.push(match (input, asked.input_type) {
            (EncodeInput::Text(words), InputType::Query) => EncodeInput::Query(words),
            (input, _) => input,
        });
    }
    let modalities: Vec<Modality> = inputs.iter().map(EncodeInput::modality).collect();
    let space = space(&app, asked.space.as_ref(), &modalities)?;
    let models: Vec<String> = inputs
        .iter()
        .map(|input| space.tower(input.modality()).map_or_else(String::new, |tower| tower.model.to_string()))
        .collect();
    let vectors = embed(&app, space, inputs).await?;
    let usage = Usage { inputs: vectors.len() };
    let data = vectors
        .into_iter()
        .zip(models)
        .enumerate()
        .map(|(index, (embedding, model))| Embedding { index, space: space.name.clone(), model, embedding })
        .collect();
    Ok(Json(Embeddings { data, usage }))
}
