//! Another generation of the index: other models, another cut, other settings of the index. It is built beside the live one, compared with
//! it on recent questions, and takes its place; the one before is kept to go back to.

mod compare;
mod recent;
mod run;

use sensorium_domain::catalog::{Generation, GenerationState};
use sensorium_domain::{Job, JobId, JobKind};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::{ApiError, Code};
use crate::profile;
use crate::startup::App;

pub use recent::{Recent, keep_noting};
pub use run::reindex;

/// What is to be live next. With neither member the running profile is built again, with the settings of now.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = Reindex, example = json!({"profile": "standard"}))]
pub struct ReindexRequest {
    /// A profile: `starter`, `standard`, `clip`, or the path of a profile file on the server.
    pub profile: Option<String>,
    /// A generation that was live before, or that was begun: the way back, or onward.
    pub generation: Option<u32>,
    /// The switch is made only if the older generation's best documents are among the newer one's at least to this share, from 0 to 1. Other
    /// models are expected to find others; the same ones are not.
    pub min_overlap: f64,
}

/// Notes which generation is to be live and enqueues the job that brings it there.
pub async fn start(app: &App, request: ReindexRequest) -> Result<Job, ApiError> {
    if !(0.0..=1.0).contains(&request.min_overlap) {
        return Err(ApiError::invalid("/min_overlap", format!("is {}; from 0 to 1", request.min_overlap)));
    }
    let generations = app.catalog.generations().await?;
    let number = match (&request.profile, request.generation) {
        (Some(_), Some(_)) => {
            return Err(ApiError::invalid("/generation", "a generation has its profile; give one of the two"));
        }
        (_, Some(number)) => again(app, &generations, number, request.min_overlap).await?,
        (profile, None) => begin(app, &generations, profile.as_deref(), request.min_overlap).await?,
    };
    let job = JobId::new(app.clock.now(), app.randomness());
    let job = app.catalog.enqueue(&app.config.auth.first_tenant, job, JobKind::Reindex { generation: number }).await?;
    app.bell.ring();
    Ok(job)
}

async fn again(app: &App, generations: &[Generation], number: u32, min_overlap: f64) -> Result<u32, ApiError> {
    let known = generations.iter().find(|known| known.number == number).ok_or_else(|| {
        let known: Vec<_> = generations.iter().map(|known| known.number.to_string()).collect();
        ApiError::invalid("/generation", format!("there is no generation {number}; there are {}", known.join(", ")))
    })?;
    if known.state == GenerationState::Live {
        return Err(ApiError::invalid("/generation", format!("generation {number} is live already")));
    }
    check_configured(app, &known.profile)?;
    app.catalog.describe_generation(&Generation { min_overlap, ..known.clone() }).await?;
    Ok(number)
}

async fn begin(
    app: &App,
    generations: &[Generation],
    profile: Option<&str>,
    min_overlap: f64,
) -> Result<u32, ApiError> {
    let wrong = |error: &dyn std::fmt::Display| ApiError::invalid("/profile", error.to_string());
    let live = generations.iter().find(|known| known.state == GenerationState::Live);
    let source = match (profile, live) {
        (Some(profile), _) => profile.to_owned(),
        (None, Some(live)) => live.source.clone().unwrap_or_else(|| live.profile.clone()),
        (None, None) => app.profile.name.clone(),
    };
    if let Some(open) =
        generations.iter().find(|known| matches!(known.state, GenerationState::Building | GenerationState::Switching))
    {
        let detail =
            format!("generation {} is being built; go on with it (\"generation\"), or wait for its job", open.number);
        return Err(ApiError::new(Code::Conflict, detail));
    }
    let file = profile::read(&source).map_err(|error| wrong(&error))?;
    check_configured(app, &file.name)?;
    if !profile::is_here(&app.config, &file).map_err(|error| wrong(&error))? {
        let detail = format!("the models of {source} are not here: sensorium models pull {source}");
        return Err(ApiError::invalid("/profile", detail));
    }
    let generation = Generation {
        number: generations.iter().map(|known| known.number).max().unwrap_or(0) + 1,
        source: (source != file.name).then_some(source),
        profile: file.name,
        towers: Vec::new(),
        state: GenerationState::Building,
        recall: None,
        min_overlap,
        created_at: app.clock.now(),
    };
    app.catalog.put_generation(&generation).await?;
    Ok(generation.number)
}

/// The settings must not name a profile that the next start would refuse.
fn check_configured(app: &App, profile: &str) -> Result<(), ApiError> {
    let configured = app.config.profile.name.as_str();
    let is_left_open = configured == "auto" || profile::read(configured).is_ok_and(|file| file.name == profile);
    if is_left_open {
        return Ok(());
    }
    let detail = format!(
        "the server is configured for the profile {configured}, and would not start with {profile}: set profile.name to auto, which follows the live generation"
    );
    Err(ApiError::new(Code::Conflict, detail))
}
