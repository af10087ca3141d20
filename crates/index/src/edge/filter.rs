//! Clauses in the library's types.

use qdrant_edge::external::ordered_float::OrderedFloat;
use qdrant_edge::{
    Condition, FieldCondition, Filter, HasIdCondition, IsEmptyCondition, JsonPath, Match, PointId, Range, ValueVariants,
};
use sensorium_domain::IndexError;

use crate::filter::{Bounds, Clause, Clauses};

/// The library's form of clauses.
pub(super) fn of(clauses: &Clauses) -> Result<Filter, IndexError> {
    Ok(Filter {
        must: conditions(&clauses.must)?,
        should: conditions(&clauses.should)?,
        must_not: conditions(&clauses.must_not)?,
        min_should: None,
    })
}

/// A path in the payload.
pub(super) fn path(text: &str) -> Result<JsonPath, IndexError> {
    text.parse().map_err(|()| IndexError::Rejected(format!("\"{text}\" is not a path")))
}

fn conditions(list: &[Clause]) -> Result<Option<Vec<Condition>>, IndexError> {
    if list.is_empty() {
        return Ok(None);
    }
    list.iter().map(condition).collect::<Result<_, _>>().map(Some)
}

fn condition(clause: &Clause) -> Result<Condition, IndexError> {
    Ok(match clause {
        Clause::Texts { path: name, any } => {
            let matches = match any.as_slice() {
                [one] => Match::from(ValueVariants::String(one.clone())),
                _ => Match::from(any.clone()),
            };
            Condition::Field(FieldCondition::new_match(path(name)?, matches))
        }
        Clause::Flag { path: name, value } => {
            Condition::Field(FieldCondition::new_match(path(name)?, Match::from(ValueVariants::Bool(*value))))
        }
        Clause::Within { path: name, bounds } => {
            Condition::Field(FieldCondition::new_range(path(name)?, range(*bounds)))
        }
        Clause::Empty { path: name } => Condition::IsEmpty(IsEmptyCondition::from(path(name)?)),
        Clause::Segments(segments) => {
            let ids: HasIdCondition = segments.iter().map(|segment| PointId::Uuid(segment.uuid())).collect();
            Condition::HasId(ids)
        }
        Clause::Nested(clauses) => Condition::Filter(of(clauses)?),
    })
}

fn range(bounds: Bounds) -> Range<OrderedFloat<f64>> {
    Range {
        gt: bounds.gt.map(OrderedFloat),
        gte: bounds.gte.map(OrderedFloat),
        lt: bounds.lt.map(OrderedFloat),
        lte: bounds.lte.map(OrderedFloat),
    }
}
