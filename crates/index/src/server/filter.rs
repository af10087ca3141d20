//! Clauses in the server's types.

use qdrant_client::qdrant::condition::ConditionOneOf;
use qdrant_client::qdrant::r#match::MatchValue;
use qdrant_client::qdrant::{
    Condition, FieldCondition, Filter, HasIdCondition, IsEmptyCondition, Match, Range, RepeatedStrings,
};

use super::points::id;
use crate::filter::{Bounds, Clause, Clauses};

/// The server's form of clauses.
pub(super) fn of(clauses: &Clauses) -> Filter {
    Filter {
        must: conditions(&clauses.must),
        should: conditions(&clauses.should),
        must_not: conditions(&clauses.must_not),
        min_should: None,
    }
}

fn conditions(list: &[Clause]) -> Vec<Condition> {
    list.iter().map(|clause| Condition { condition_one_of: Some(condition(clause)) }).collect()
}

fn condition(clause: &Clause) -> ConditionOneOf {
    match clause {
        Clause::Texts { path, any } => matching(
            path,
            match any.as_slice() {
                [one] => MatchValue::Keyword(one.clone()),
                _ => MatchValue::Keywords(RepeatedStrings { strings: any.clone() }),
            },
        ),
        Clause::Flag { path, value } => matching(path, MatchValue::Boolean(*value)),
        Clause::Within { path, bounds } => ConditionOneOf::Field(FieldCondition {
            key: path.clone(),
            range: Some(range(*bounds)),
            ..FieldCondition::default()
        }),
        Clause::Empty { path } => ConditionOneOf::IsEmpty(IsEmptyCondition { key: path.clone() }),
        Clause::Segments(segments) => {
            ConditionOneOf::HasId(HasIdCondition { has_id: segments.iter().copied().map(id).collect() })
        }
        Clause::Nested(clauses) => ConditionOneOf::Filter(of(clauses)),
    }
}

fn matching(path: &str, value: MatchValue) -> ConditionOneOf {
    ConditionOneOf::Field(FieldCondition {
        key: path.to_owned(),
        r#match: Some(Match { match_value: Some(value) }),
        ..FieldCondition::default()
    })
}

fn range(bounds: Bounds) -> Range {
    Range { gt: bounds.gt, gte: bounds.gte, lt: bounds.lt, lte: bounds.lte }
}
