//! The filter language of the domain in the words of Qdrant.
//!
//! The meaning is that of [`Filter::matches`](sensorium_domain::Filter::matches). Three things are not word for word:
//! whole numbers match floats of equal value (a range from the number to itself), `exists` takes null and the empty list for
//! absent, and values of another type than the condition's never match.

use qdrant_edge::external::ordered_float::OrderedFloat;
use qdrant_edge::{
    Condition, FieldCondition, Filter, HasIdCondition, IsEmptyCondition, JsonPath, Match, PointId, Range, ValueVariants,
};
use sensorium_domain::filter::{self as domain, Key};
use sensorium_domain::index::Scope;
use sensorium_domain::{DocumentId, IndexError, Modality, SegmentId, TenantId};
use serde_json::Value;

use super::payload;

/// Everything that a query of `tenant` over `scope` may see.
pub(super) fn of_scope(tenant: &TenantId, scope: &Scope, modality: Option<Modality>) -> Result<Filter, IndexError> {
    if let Some(fault) = scope.filter.check().into_iter().next() {
        return Err(IndexError::Rejected(format!("filter{}: {}", fault.pointer, fault.detail)));
    }
    let mut must = vec![equals(payload::TENANT, tenant.as_str())];
    if !scope.collections.is_empty() {
        let names = scope.collections.iter().map(|name| name.as_str().into());
        must.push(any_text(payload::field(payload::COLLECTION), names));
    }
    if let Some(modality) = modality {
        must.push(equals(payload::MODALITY, modality.as_str()));
    }
    must.extend(conditions(&scope.filter.must)?);
    let should = conditions(&scope.filter.should)?;
    let must_not = conditions(&scope.filter.must_not)?;
    Ok(Filter {
        must: Some(must),
        should: (!should.is_empty()).then_some(should),
        must_not: (!must_not.is_empty()).then_some(must_not),
        min_should: None,
    })
}

/// The points of a document, if it is `tenant`'s.
pub(super) fn of_document(tenant: &TenantId, document: DocumentId) -> Filter {
    all(vec![equals(payload::TENANT, tenant.as_str()), equals(payload::DOCUMENT, &document.to_string())])
}

/// Those of the segments that are `tenant`'s.
pub(super) fn of_segments(tenant: &TenantId, segments: &[SegmentId]) -> Filter {
    let ids: HasIdCondition = segments.iter().map(|segment| PointId::Uuid(segment.uuid())).collect();
    all(vec![equals(payload::TENANT, tenant.as_str()), Condition::HasId(ids)])
}

/// The path of a filter key in the payload.
pub(super) fn path(key: &str) -> Result<JsonPath, IndexError> {
    let unknown = || IndexError::Rejected(format!("\"{key}\" is not a filter key"));
    Key::parse(key).ok_or_else(unknown)?;
    key.parse().map_err(|()| unknown())
}

fn all(must: Vec<Condition>) -> Filter {
    Filter { must: Some(must), ..Filter::new() }
}

fn any_of(should: Vec<Condition>) -> Condition {
    Condition::Filter(Filter { should: Some(should), ..Filter::new() })
}

fn equals(name: &str, text: &str) -> Condition {
    matching(payload::field(name), ValueVariants::String(text.to_owned()))
}

fn matching(path: JsonPath, value: ValueVariants) -> Condition {
    Condition::Field(FieldCondition::new_match(path, Match::from(value)))
}

fn any_text(path: JsonPath, texts: impl Iterator<Item = String>) -> Condition {
    let texts: Vec<String> = texts.collect();
    Condition::Field(FieldCondition::new_match(path, Match::from(texts)))
}

fn number(path: JsonPath, value: f64) -> Condition {
    let range = Range { gte: Some(OrderedFloat(value)), lte: Some(OrderedFloat(value)), gt: None, lt: None };
    Condition::Field(FieldCondition::new_range(path, range))
}

fn conditions(list: &[domain::Condition]) -> Result<Vec<Condition>, IndexError> {
    list.iter().map(condition).collect()
}

fn condition(condition: &domain::Condition) -> Result<Condition, IndexError> {
    let path = path(&condition.key)?;
    if let Some(matches) = &condition.matches {
        return Ok(any_value(&path, &matches.values()));
    }
    if let Some(range) = &condition.range {
        let bound = |bound: &Option<domain::Bound>| bound.as_ref().map(|b| OrderedFloat(b.as_f64()));
        let range =
            Range { gt: bound(&range.gt), gte: bound(&range.gte), lt: bound(&range.lt), lte: bound(&range.lte) };
        return Ok(Condition::Field(FieldCondition::new_range(path, range)));
    }
    let empty = Condition::IsEmpty(IsEmptyCondition::from(path));
    Ok(if condition.exists == Some(true) { Condition::Filter(Filter::new_must_not(empty)) } else { empty })
}

fn any_value(path: &JsonPath, values: &[&Value]) -> Condition {
    let texts: Vec<String> = values.iter().filter_map(|value| value.as_str().map(str::to_owned)).collect();
    let mut either = Vec::new();
    if !texts.is_empty() {
        either.push(any_text(path.clone(), texts.into_iter()));
    }
    for value in values {
        match value {
            Value::Bool(flag) => either.push(matching(path.clone(), ValueVariants::Bool(*flag))),
            Value::Number(wanted) => {
                if let Some(wanted) = wanted.as_f64() {
                    either.push(number(path.clone(), wanted));
                }
            }
            _ => {}
        }
    }
    if either.len() == 1 {
        return either.remove(0);
    }
    any_of(either)
}
