//! GET /v1/generations: what the index was built with, and what it is being built with.

use axum::Json;
use axum::extract::State;
use sensorium_domain::catalog::{Generation, GenerationState, Recall};
use sensorium_domain::{Modality, ModelName, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::http::access::Admin;
use crate::http::problem::Problems;
use crate::startup::App;

/// Every generation of the index.
#[derive(Debug, Serialize, ToSchema)]
pub struct Generations {
    /// Oldest first.
    pub generations: Vec<GenerationView>,
}

/// A generation of the index.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Generation)]
pub struct GenerationView {
    /// Its number.
    pub number: u32,
    /// Its profile.
    #[schema(example = "standard")]
    pub profile: String,
    /// Whether searches are answered from it.
    pub state: GenerationState,
    /// Its towers; none while nobody has loaded them.
    pub towers: Vec<GenerationTower>,
    /// How its answers compared with those of the one before; null where they were not.
    pub recall: Option<Recall>,
    /// When it was begun.
    pub created_at: Timestamp,
}

/// A tower of a generation.
#[derive(Debug, Serialize, ToSchema)]
pub struct GenerationTower {
    /// Its space.
    pub space: String,
    /// What it takes.
    pub modality: Modality,
    /// `name@revision`.
    pub model: ModelName,
}

impl From<Generation> for GenerationView {
    fn from(generation: Generation) -> Self {
        let towers = generation.towers.into_iter();
        Self {
            number: generation.number,
            profile: generation.profile,
            state: generation.state,
            towers: towers.map(|(space, modality, model)| GenerationTower { space, modality, model }).collect(),
            recall: generation.recall,
            created_at: generation.created_at,
        }
    }
}

/// The generations of the index. For administrators of the first tenant.
#[utoipa::path(get, path = "/v1/generations", operation_id = "list_generations", tag = "server",
    responses((status = 200, body = Generations), Problems))]
pub async fn generations(State(app): State<App>, caller: Admin) -> Result<Json<Generations>, ApiError> {
    caller.must_operate(&app)?;
    let generations = app.catalog.generations().await?;
    Ok(Json(Generations { generations: generations.into_iter().map(GenerationView::from).collect() }))
}
