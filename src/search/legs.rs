//! From encoded inputs to ranked lists.
//!
//! A leg is one (input, space). Raw cosines of different pairs of modalities do not compare (a text is nearer to any text
//! than to the very picture it describes), so a dense leg asks the index once per target modality and merges the answers by
//! calibrated confidence; within a modality this keeps the order of the cosines. Where a space has no confidence for a pair of
//! modalities there is nothing to merge by: that target is a leg of its own.

use sensorium_domain::encoder::SpaceInfo;
use sensorium_domain::index::{self, LegQuery, Scope, ScoredPoint};
use sensorium_domain::{Modality, SpaceName, TenantId};

use crate::error::ApiError;
use crate::search::encode::{EncodedInput, normalised};
use crate::search::fuse::{LegHit, RankedLeg};
use crate::search::request::FusionMode;
use crate::startup::App;

/// The name of the BM25 leg's space.
pub const LEXICAL: &str = "lexical";

/// A leg before it is run.
#[derive(Debug, Clone)]
pub struct Leg {
    /// The input that it asks for; `None` when inputs were joined.
    pub input: Option<usize>,
    /// The space, or `lexical`.
    pub space: String,
    /// How much it counts.
    pub weight: f32,
    /// What it asks.
    pub question: Question,
}

/// What a leg asks.
#[derive(Debug, Clone)]
pub enum Question {
    /// For each target modality the query's vector, and the modality that it was made from.
    Dense {
        /// The space.
        space: SpaceName,
        /// The modality that calibration goes by.
        asked_by: Modality,
        /// Query vectors by target.
        by_target: Vec<(Modality, Vec<f32>)>,
        /// How likely the input is something that the profile knows.
        in_scope: f32,
    },
    /// Words for BM25.
    Words(String),
}

/// Plans the legs of a search.
pub fn plan(
    app: &App,
    inputs: &[EncodedInput],
    mode: FusionMode,
    targets: &[Modality],
    spaces: &[SpaceName],
) -> Vec<Leg> {
    let wanted = |name: &str| spaces.is_empty() || spaces.iter().any(|space| space.as_str() == name);
    let mut legs = Vec::new();
    for space in app.profile.encoder.spaces().iter().filter(|space| wanted(space.name.as_str())) {
        if mode != FusionMode::Early {
            legs.extend(inputs.iter().flat_map(|input| late_legs(app, input, space, targets)));
        }
        if mode != FusionMode::Late {
            legs.extend(joined_legs(app, inputs, space, targets));
        }
    }
    if wanted(LEXICAL) && app.config.search.lexical_weight > 0.0 {
        legs.extend(inputs.iter().filter_map(|input| {
            let words = input.words.clone()?;
            let weight = input.weight * app.config.search.lexical_weight;
            Some(Leg { input: Some(input.input), space: LEXICAL.to_owned(), weight, question: Question::Words(words) })
        }));
    }
    legs
}

fn late_legs(app: &App, input: &EncodedInput, space: &SpaceInfo, targets: &[Modality]) -> Vec<Leg> {
    let vectors: Vec<_> = input.vectors.iter().filter(|(name, ..)| *name == space.name).collect();
    let weight = input.weight / vectors.len().max(1) as f32;
    let leg = |(asked_by, vector): (Modality, &[f32]), targets: Vec<Modality>| Leg {
        input: Some(input.input),
        space: space.name.to_string(),
        weight,
        question: Question::Dense {
            space: space.name.clone(),
            asked_by,
            by_target: targets
                .into_iter()
                .map(|target| (target, app.profile.query_vector(&space.name, asked_by, target, vector)))
                .collect(),
            in_scope: input.in_scope,
        },
    };
    let legs = vectors.into_iter().flat_map(|(_, asked_by, vector)| {
        let own = answering(app, space, &[*asked_by], targets);
        together(app, space, *asked_by, own).into_iter().map(move |targets| leg((*asked_by, vector), targets))
    });
    legs.collect()
}

/// The targets that the space answers for at least one of those who ask.
fn answering(app: &App, space: &SpaceInfo, asking: &[Modality], targets: &[Modality]) -> Vec<Modality> {
    let has = space.towers.iter().map(|tower| tower.modality).filter(|modality| targets.contains(modality));
    has.filter(|target| asking.iter().any(|asked_by| app.profile.answers(space, *asked_by, *target))).collect()
}

/// Targets whose hits can be merged into one list by confidence; each of the others is alone.
fn together(app: &App, space: &SpaceInfo, asked_by: Modality, targets: Vec<Modality>) -> Vec<Vec<Modality>> {
    let (merged, alone): (Vec<_>, Vec<_>) =
        targets.into_iter().partition(|target| app.profile.is_calibrated(&space.name, asked_by, *target));
    let alone = alone.into_iter().map(|target| vec![target]);
    Some(merged).filter(|merged| !merged.is_empty()).into_iter().chain(alone).collect()
}

/// The inputs of a space as one vector for each target: the weighted sum of their query vectors, scaled to length 1.
fn joined_legs(app: &App, inputs: &[EncodedInput], space: &SpaceInfo, targets: &[Modality]) -> Vec<Leg> {
    let terms: Vec<(f32, f32, Modality, &[f32])> =
        inputs
            .iter()
            .flat_map(|input| {
                let own = input.vectors.iter().filter(|(name, ..)| *name == space.name).count().max(1) as f32;
                input.vectors.iter().filter(|(name, ..)| *name == space.name).map(move |(_, modality, vector)| {
                    (input.weight / own, input.in_scope, *modality, vector.as_slice())
                })
            })
            .collect();
    let strongest = terms.iter().filter(|(weight, ..)| *weight > 0.0).max_by(|a, b| a.0.total_cmp(&b.0));
    let Some((_, in_scope, asked_by, first)) = strongest else { return Vec::new() };
    let joined = |target: Modality| {
        let mut sum = vec![0.0f32; first.len()];
        for (weight, _, modality, vector) in &terms {
            let vector = app.profile.query_vector(&space.name, *modality, target, vector);
            for (total, value) in sum.iter_mut().zip(vector) {
                *total += weight * value;
            }
        }
        Some((target, normalised(sum)?))
    };
    let asking: Vec<Modality> =
        terms.iter().filter(|(weight, ..)| *weight > 0.0).map(|(_, _, modality, _)| *modality).collect();
    let groups = together(app, space, *asked_by, answering(app, space, &asking, targets));
    let legs = groups.into_iter().map(|targets| Leg {
        input: None,
        space: space.name.to_string(),
        weight: terms.iter().map(|(weight, ..)| weight.max(0.0)).sum(),
        question: Question::Dense {
            space: space.name.clone(),
            asked_by: *asked_by,
            by_target: targets.into_iter().filter_map(joined).collect(),
            in_scope: *in_scope,
        },
    });
    legs.collect()
}

/// Runs the legs in one call to the index. The second value says whether a list was as long as it may be.
#[tracing::instrument(name = "query_index", skip_all, fields(legs = legs.len(), depth))]
pub async fn run(
    app: &App,
    tenant: &TenantId,
    scope: &Scope,
    legs: &[Leg],
    targets: &[Modality],
    depth: usize,
) -> Result<(Vec<RankedLeg>, bool), ApiError> {
    let mut asked = Vec::new();
    let mut owners = Vec::new();
    for (number, leg) in legs.iter().enumerate() {
        for (target, query) in leg.questions(targets) {
            asked.push(index::Leg { query, modality: target, limit: depth });
            owners.push(number);
        }
    }
    let answers = app.index.query_batch(tenant, scope, &asked).await?;
    let truncated = answers.iter().any(|answer| answer.len() >= depth);
    let mut ranked: Vec<RankedLeg> =
        legs.iter().map(|leg| RankedLeg { weight: f64::from(leg.weight), hits: Vec::new() }).collect();
    for (owner, answer) in owners.into_iter().zip(answers) {
        let leg = &legs[owner];
        ranked[owner].hits.extend(answer.into_iter().map(|point| leg.hit(app, point)));
    }
    for leg in &mut ranked {
        leg.sort();
    }
    Ok((ranked, truncated))
}

impl Leg {
    /// What keeping it takes, estimated.
    pub fn bytes(&self) -> usize {
        let question = match &self.question {
            Question::Dense { by_target, .. } => {
                by_target.iter().map(|(_, vector)| size_of_val(vector.as_slice())).sum()
            }
            Question::Words(words) => words.len(),
        };
        size_of::<Self>() + question
    }

    fn questions(&self, targets: &[Modality]) -> Vec<(Option<Modality>, LegQuery)> {
        match &self.question {
            Question::Dense { space, by_target, .. } => by_target
                .iter()
                .map(|(target, vector)| {
                    (Some(*target), LegQuery::Dense { space: space.clone(), vector: vector.clone() })
                })
                .collect(),
            Question::Words(words) if Modality::ALL.iter().all(|modality| targets.contains(modality)) => {
                vec![(None, LegQuery::Words(words.clone()))]
            }
            Question::Words(words) => {
                targets.iter().map(|target| (Some(*target), LegQuery::Words(words.clone()))).collect()
            }
        }
    }

    fn hit(&self, app: &App, point: ScoredPoint) -> LegHit {
        let confidence = self.confidence(app, point.modality, point.score);
        LegHit {
            segment: point.segment,
            document: point.document,
            modality: point.modality,
            score: point.score,
            strength: f64::from(confidence.unwrap_or(point.score)),
            confidence,
        }
    }

    /// The confidence of a cosine, for dense legs of spaces that have one.
    pub fn confidence(&self, app: &App, target: Modality, cosine: f32) -> Option<f32> {
        match &self.question {
            Question::Dense { space, asked_by, in_scope, .. } => {
                Some(app.profile.confidence(space, *asked_by, target, cosine)? * in_scope)
            }
            Question::Words(_) => None,
        }
    }
}
