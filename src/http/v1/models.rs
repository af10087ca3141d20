//! GET /v1/models: what the server runs.

use axum::Json;
use axum::extract::State;
use sensorium_domain::{Modality, ModelName, SpaceName};
use sensorium_inference::Metrics;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::access::Read;
use crate::http::problem::Problems;
use crate::on_demand::OnDemand;
use crate::profile::{ModelFacts, Profile};
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
    pub transcriber: Option<Model>,
    /// The model that describes pictures in sentences; null where the profile has none here.
    pub captioner: Option<Model>,
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
    /// The model.
    #[serde(flatten)]
    pub model: Model,
    /// What it has done since the start.
    pub measured: Measured,
}

/// A model.
#[derive(Debug, Serialize, ToSchema)]
pub struct Model {
    /// `name@revision`.
    pub model: ModelName,
    /// Its licence.
    pub licence: String,
    /// In which it computes.
    #[schema(example = "f32")]
    pub precision: &'static str,
    /// On what it computes.
    #[schema(example = "cpu")]
    pub device: String,
    /// Whether its weights are in memory.
    pub state: ModelState,
    /// Bytes of its files of weights.
    pub weights_bytes: u64,
    /// Bytes of its weights in memory, while they are there.
    pub memory_bytes: u64,
}

/// Whether a model's weights are in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModelState {
    /// They are.
    Loaded,
    /// They come with the next request: it has not been asked yet, or had to make room for another.
    OnDemand,
}

/// What a tower has done since the start.
#[derive(Debug, Serialize, ToSchema)]
pub struct Measured {
    /// Inputs that came out as vectors.
    pub encoded: u64,
    /// Inputs that did not.
    pub failed: u64,
    /// Batches of them.
    pub batches: u64,
    /// Seconds in the model, and on reading it where it was not in memory.
    pub busy_seconds: f64,
    /// Inputs for each of these seconds; null before the first.
    pub per_second: Option<f64>,
}

/// The profile, its spaces and the models that they run.
#[utoipa::path(get, path = "/v1/models", operation_id = "list_models", tag = "models",
    responses((status = 200, body = Models), Problems))]
pub async fn models(State(app): State<App>, _caller: Read) -> Json<Models> {
    let metrics = app.profile.encoder_metrics();
    let spaces = app.profile.encoder.spaces().iter().map(|space| Space {
        name: space.name.clone(),
        dimensions: space.dimensions,
        towers: space
            .towers
            .iter()
            .map(|tower| Tower {
                modality: tower.modality,
                model: model(&tower.model, app.profile.tower_facts(&space.name, tower.modality)),
                measured: measured(&metrics, &space.name, tower.modality),
            })
            .collect(),
    });
    let profile = &app.profile;
    Json(Models {
        profile: profile.name.clone(),
        generation: app.generation,
        spaces: spaces.collect(),
        transcriber: profile.transcriber.as_ref().map(|found| writer(profile, found)),
        captioner: profile.captioner.as_ref().map(|found| writer(profile, found)),
        notes: profile.notes(),
    })
}

fn writer<T: Send + Sync + 'static>(profile: &Profile, found: &OnDemand<T>) -> Model {
    model(&found.model, (profile.writer_facts(&found.model), found.is_loaded()))
}

fn model(name: &ModelName, (facts, is_loaded): (ModelFacts, bool)) -> Model {
    let ModelFacts { licence, precision, device, weights_bytes, memory_bytes } = facts;
    let state = if is_loaded { ModelState::Loaded } else { ModelState::OnDemand };
    Model { model: name.clone(), licence, precision, device, state, weights_bytes, memory_bytes }
}

fn measured(metrics: &Metrics, space: &SpaceName, modality: Modality) -> Measured {
    let found = metrics.towers.iter().find(|tower| tower.space == *space && tower.modality == modality);
    let (encoded, failed, batches) = found.map_or((0, 0, 0), |tower| (tower.encoded, tower.failed, tower.batches));
    let busy_seconds = found.map_or(0.0, |tower| tower.busy.as_secs_f64());
    let per_second = (busy_seconds > 0.0).then(|| encoded as f64 / busy_seconds);
    Measured { encoded, failed, batches, busy_seconds, per_second }
}
