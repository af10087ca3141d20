//! A leg of a search, checked, in the terms of an index.

use qdrant_edge::SparseVector;
use sensorium_domain::index::{Leg, LegQuery, Scope};
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
    /// `None` where the leg can have no hits: nothing is asked for.
    pub(crate) fn new(
        tenant: &TenantId,
        scope: &Scope,
        leg: &Leg,
        shape: &Shape,
        words: &Words,
    ) -> Result<Option<Self>, IndexError> {
        let clauses = filter::of_scope(tenant, scope, leg.modality)?;
        let (query, using) = match &leg.query {
            LegQuery::Dense { space, vector } => {
                shape.check_vector(space, vector)?;
                (PlanQuery::Dense(vector.clone()), space.to_string())
            }
            LegQuery::Words(text) => match words.of_query(text) {
                Some(vector) => (PlanQuery::Words(vector), WORDS.to_owned()),
                None => return Ok(None),
            },
        };
        let limit = leg.limit.min(MOST_HITS);
        Ok((limit > 0).then_some(Self { query, using, clauses, limit }))
    }
}
