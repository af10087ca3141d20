//! A leg of a search, checked, in the terms of an index.

use qdrant_edge::SparseVector;
use sensorium_domain::index::{Leg, LegQuery, Scope, ScoredPoint};
use sensorium_domain::{IndexError, TenantId};

use crate::filter::{self, Clauses};
use crate::shape::Shape;
use crate::words::{WORDS, Words};

/// Memory is reserved for as many hits as are asked for.
const MOST_HITS: usize = 1_000_000;

/// What is looked for among the points that pass the clauses.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) query: PlanQuery,
    /// The name of the stored vectors to compare with.
    pub(crate) using: String,
    pub(crate) clauses: Clauses,
    pub(crate) limit: usize,
}

/// A vector to compare with stored ones.
#[derive(Debug)]
pub(crate) enum PlanQuery {
    Dense(Vec<f32>),
    Words(SparseVector),
}

impl Plan {
    /// What to ask the index for a leg; the answers are brought together by [`by_leg`]. None where the leg can have no hits.
    pub(crate) fn of_leg(
        tenant: &TenantId,
        scope: &Scope,
        leg: &Leg,
        shape: &Shape,
        words: &Words,
    ) -> Result<Vec<Self>, IndexError> {
        let limit = leg.limit.min(MOST_HITS);
        if limit == 0 {
            return Ok(Vec::new());
        }
        let (vector, names) = match &leg.query {
            LegQuery::Words(text) => {
                let clauses = filter::of_scope(tenant, scope, leg.modality)?;
                let plan = |vector| Self { query: PlanQuery::Words(vector), using: WORDS.to_owned(), clauses, limit };
                return Ok(words.of_query(text).map(plan).into_iter().collect());
            }
            LegQuery::Dense { space, vector } => {
                shape.check_vector(space, vector)?;
                (vector, shape.stored_of(space)?)
            }
        };
        // The name of the stored vectors says their modality already.
        names
            .into_iter()
            .filter(|(modality, _)| leg.modality.is_none_or(|wanted| wanted == *modality))
            .map(|(_, using)| {
                let clauses = filter::of_scope(tenant, scope, None)?;
                Ok(Self { query: PlanQuery::Dense(vector.clone()), using, clauses, limit })
            })
            .collect()
    }
}

/// The hits of each leg from the answers to all plans, of which leg `n` has `counts[n]`.
pub(crate) fn by_leg(legs: &[Leg], counts: Vec<usize>, answers: Vec<Vec<ScoredPoint>>) -> Vec<Vec<ScoredPoint>> {
    let mut answers = answers.into_iter();
    legs.iter().zip(counts).map(|(leg, count)| joined(answers.by_ref().take(count).collect(), leg.limit)).collect()
}

/// The hits of a leg from the answers to its plans: best first, equal scores by ascending id.
fn joined(mut answers: Vec<Vec<ScoredPoint>>, limit: usize) -> Vec<ScoredPoint> {
    if answers.len() == 1 {
        return answers.swap_remove(0);
    }
    let mut hits = answers.concat();
    hits.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.segment.cmp(&b.segment)));
    hits.truncate(limit);
    hits
}
