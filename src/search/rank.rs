//! From a request to its ranking: encode, ask the index, fuse, group.

use std::time::Instant;

use futures::future::try_join_all;
use sensorium_domain::filter::{Condition, Match};
use sensorium_domain::index::Scope;
use sensorium_domain::{Modality, TenantId};
use serde_json::Value;

use crate::error::ApiError;
use crate::search::answer::Timing;
use crate::search::confidence::fill_confidence;
use crate::search::encode::{EncodedInput, encode_input};
use crate::search::fuse::{Share, fuse};
use crate::search::group::{Group, group};
use crate::search::legs::{self, Leg};
use crate::search::request::{Input, SearchRequest};
use crate::startup::App;

/// All that a search found, before it is cut into pages.
#[derive(Debug)]
pub struct Ranking {
    /// What was asked of the index.
    pub plan: Vec<Leg>,
    /// The words of the inputs that are wanted, for snippets.
    pub words: String,
    /// Every group, best first.
    pub groups: Vec<Group>,
    /// A leg's list was as long as it may be.
    pub truncated: bool,
    /// What the caller should know.
    pub warnings: Vec<String>,
}

impl Ranking {
    /// What keeping it takes, estimated.
    pub fn bytes(&self) -> usize {
        let hits = self.groups.iter().flat_map(|group| &group.members);
        let hits: usize = hits.map(|hit| size_of_val(hit) + hit.shares.len() * size_of::<Share>()).sum();
        // A leg holds a vector for each target modality.
        hits + self.groups.len() * size_of::<Group>() + self.plan.iter().map(Leg::bytes).sum::<usize>()
    }
}

/// Ranks everything that answers `request`.
pub async fn rank(
    app: &App,
    tenant: &TenantId,
    request: &SearchRequest,
    inputs: &[Input],
    timing: &mut Timing,
) -> Result<Ranking, ApiError> {
    let mut warnings = Vec::new();
    let targets = targets(app, request, &mut warnings);

    let started = Instant::now();
    let encoding =
        inputs.iter().enumerate().map(|(index, input)| encode_input(app, tenant, index, input, &request.spaces));
    let encoded = try_join_all(encoding).await?;
    timing.encode_ms = elapsed_ms(started);
    warn_of_scope(app, &encoded, &mut warnings);

    let started = Instant::now();
    let plan = legs::plan(app, &encoded, request.fusion.mode, &targets, &request.spaces);
    let depth = request.depth.unwrap_or(app.config.search.depth);
    let scope = scope(request, &encoded);
    let (ranked, truncated) = legs::run(app, tenant, &scope, &plan, &targets, depth).await?;
    timing.index_ms = elapsed_ms(started);

    let started = Instant::now();
    let mut fused = fuse(&ranked, &request.fusion);
    fused.retain(|hit| encoded.iter().all(|input| input.segment != Some(hit.segment) || !request.exclude_inputs));
    if let Some(least) = request.min_confidence {
        fill_confidence(app, tenant, &plan, &mut fused).await?;
        fused.retain(|hit| hit.confidence.is_some_and(|confidence| confidence >= least));
    }
    let groups = group(fused, request.group_by);
    timing.fuse_ms = elapsed_ms(started);

    let words = encoded.iter().filter(|input| input.weight > 0.0).filter_map(|input| input.words.as_deref());
    let words = words.collect::<Vec<_>>().join(" ");
    Ok(Ranking { plan, words, groups, truncated, warnings })
}

/// Milliseconds since `started`.
pub fn elapsed_ms(started: Instant) -> f64 {
    started.elapsed().as_secs_f64() * 1000.0
}

/// The target modalities that the profile can answer in; the others are named in a warning.
fn targets(app: &App, request: &SearchRequest, warnings: &mut Vec<String>) -> Vec<Modality> {
    if request.targets.is_empty() {
        return Modality::ALL.to_vec();
    }
    let mut targets = request.targets.clone();
    targets.sort_unstable();
    targets.dedup();
    for target in &targets {
        if !app.profile.encoder.spaces().iter().any(|space| space.tower(*target).is_some()) {
            warnings.push(format!("the profile {} has no {target}: none can answer", app.profile.name));
        }
    }
    targets
}

fn warn_of_scope(app: &App, encoded: &[EncodedInput], warnings: &mut Vec<String>) {
    for input in encoded.iter().filter(|input| input.in_scope < 0.5) {
        warnings.push(format!("input {}: low confidence: {}", input.input, app.profile.scope_note()));
    }
}

/// The request's collections and filter; documents that were given as inputs are left out.
fn scope(request: &SearchRequest, encoded: &[EncodedInput]) -> Scope {
    let mut filter = request.filter.clone();
    if request.exclude_inputs {
        let given =
            encoded.iter().filter_map(|input| input.document).map(|id| Value::from(id.to_string())).collect::<Vec<_>>();
        if !given.is_empty() {
            filter.must_not.push(Condition {
                key: "document".to_owned(),
                matches: Some(Match { value: None, any: Some(given) }),
                range: None,
                exists: None,
            });
        }
    }
    let collections = request.collection.iter().chain(&request.collections).cloned().collect();
    Scope { collections, filter }
}
