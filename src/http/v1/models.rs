//! GET /v1/models: what the server runs.

use axum::Json;
use axum::extract::State;
use sensorium_domain::{Modality, ModelName, SpaceName};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::access::Read;
use crate::http::problem::Problems;
use crate::startup::App;

/// What the server runs.
#[derive(Debug, Serialize, ToSchema)]
pub struct Models {
    /// The profile.
    #[schema(example = "starter")]
    pub profile: String,
    /// The index's generation.
    pub generation: u32,
    /// The spaces with their towers.
    pub spaces: Vec<Space>,
    /// The model that writes down speech; null where the profile has none here.
    pub transcriber: Option<Writer>,
    /// The model that describes pictures in sentences; null where the profile has none here.
    pub captioner: Option<Writer>,
    /// What to know about the profile.
    pub notes: Vec<String>,
}

/// A space.
#[derive(Debug, Serialize, ToSchema)]
pub struct Space {
    /// Its name.
    pub name: SpaceName,
    /// Length of its vectors.
    pub dimensions: usize,
    /// The tower of each modality.
    pub towers: Vec<Tower>,
}

/// A tower.
#[derive(Debug, Serialize, ToSchema)]
pub struct Tower {
    /// What it takes.
    pub modality: Modality,
    /// `name@revision`.
    pub model: ModelName,
    /// Its licence.
    pub licence: String,
}

/// A model that writes.
#[derive(Debug, Serialize, ToSchema)]
pub struct Writer {
    /// `name@revision`.
    pub model: ModelName,
    /// Its licence.
    pub licence: String,
}

/// The profile, its spaces and the models that they run.
#[utoipa::path(get, path = "/v1/models", operation_id = "list_models", tag = "models",
    responses((status = 200, body = Models), Problems))]
pub async fn models(State(app): State<App>, _caller: Read) -> Json<Models> {
    let spaces = app.profile.encoder.spaces().iter().map(|space| Space {
        name: space.name.clone(),
        dimensions: space.dimensions,
        towers: space
            .towers
            .iter()
            .map(|tower| Tower {
                modality: tower.modality,
                model: tower.model.clone(),
                licence: app.profile.licence(&tower.model),
            })
            .collect(),
    });
    Json(Models {
        profile: app.profile.name.clone(),
        generation: app.generation,
        spaces: spaces.collect(),
        transcriber: app.profile.transcriber.as_ref().map(|transcriber| writer(&app, &transcriber.model)),
        captioner: app.profile.captioner.as_ref().map(|captioner| writer(&app, &captioner.model)),
        notes: app.profile.notes(),
    })
}

fn writer(app: &App, model: &ModelName) -> Writer {
    Writer { model: model.clone(), licence: app.profile.licence(model) }
}
