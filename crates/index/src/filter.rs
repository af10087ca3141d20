//! The filter language of the domain as clauses, in the few forms that Qdrant has, embedded or not.
//!
//! The meaning is that of [`Filter::matches`](sensorium_domain::Filter::matches). Three things are not word for word:
//! whole numbers match floats of equal value (a range from the number to itself), `exists` takes null and the empty list for
//! absent, and values of another type than the condition's never match.

use sensorium_domain::filter::{self as domain, Key};
use sensorium_domain::index::Scope;
use sensorium_domain::{DocumentId, IndexError, Modality, SegmentId, TenantId};
use serde_json::Value;

use crate::payload;

/// Clauses that must all hold, of which one must hold (if there are any), and of which none may hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Clauses {
    pub(crate) must: Vec<Clause>,
    pub(crate) should: Vec<Clause>,
    pub(crate) must_not: Vec<Clause>,
}

impl Clauses {
    /// Whether there is a test beside the first, which is that of the tenant.
    pub(crate) fn narrow_a_tenant(&self) -> bool {
        self.must.len() > 1 || !self.should.is_empty() || !self.must_not.is_empty()
    }
}

/// A test of a stored point. Where the field at `path` is a list, one matching element is enough.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Clause {
    /// It is one of these texts; there is at least one.
    Texts { path: String, any: Vec<String> },
    /// It is this truth value.
    Flag { path: String, value: bool },
    /// It is a number within the bounds.
    Within { path: String, bounds: Bounds },
    /// It is absent, null or an empty list.
    Empty { path: String },
    /// The point is one of these segments.
    Segments(Vec<SegmentId>),
    /// All of these.
    Nested(Clauses),
}

/// The ends of a range; each that is given must hold.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Bounds {
    pub(crate) gt: Option<f64>,
    pub(crate) gte: Option<f64>,
    pub(crate) lt: Option<f64>,
    pub(crate) lte: Option<f64>,
}

/// Everything that a query of `tenant` over `scope` may see.
pub(crate) fn of_scope(tenant: &TenantId, scope: &Scope, modality: Option<Modality>) -> Result<Clauses, IndexError> {
    if let Some(fault) = scope.filter.check().into_iter().next() {
        return Err(IndexError::Rejected(format!("filter{}: {}", fault.pointer, fault.detail)));
    }
    let mut must = vec![equals(payload::TENANT, tenant.as_str())];
    if !scope.collections.is_empty() {
        let any = scope.collections.iter().map(|name| name.as_str().to_owned()).collect();
        must.push(Clause::Texts { path: payload::COLLECTION.to_owned(), any });
    }
    if let Some(modality) = modality {
        must.push(equals(payload::MODALITY, modality.as_str()));
    }
    must.extend(clauses(&scope.filter.must)?);
    Ok(Clauses { must, should: clauses(&scope.filter.should)?, must_not: clauses(&scope.filter.must_not)? })
}

/// The points of a document, if it is `tenant`'s.
pub(crate) fn of_document(tenant: &TenantId, document: DocumentId) -> Clauses {
    all(vec![equals(payload::TENANT, tenant.as_str()), equals(payload::DOCUMENT, &document.to_string())])
}

/// Those of the segments that are `tenant`'s.
pub(crate) fn of_segments(tenant: &TenantId, segments: &[SegmentId]) -> Clauses {
    all(vec![equals(payload::TENANT, tenant.as_str()), Clause::Segments(segments.to_vec())])
}

/// Reads a filter key.
pub(crate) fn key(text: &str) -> Result<Key<'_>, IndexError> {
    Key::parse(text).ok_or_else(|| IndexError::Rejected(format!("\"{text}\" is not a filter key")))
}

fn all(must: Vec<Clause>) -> Clauses {
    Clauses { must, ..Clauses::default() }
}

fn equals(name: &str, text: &str) -> Clause {
    Clause::Texts { path: name.to_owned(), any: vec![text.to_owned()] }
}

fn clauses(list: &[domain::Condition]) -> Result<Vec<Clause>, IndexError> {
    list.iter().map(clause).collect()
}

fn clause(condition: &domain::Condition) -> Result<Clause, IndexError> {
    // The payload's paths are the language's keys.
    let path = condition.key.clone();
    key(&path)?;
    if let Some(matches) = &condition.matches {
        return Ok(any_value(&path, &matches.values()));
    }
    if let Some(range) = &condition.range {
        let bound = |bound: &Option<domain::Bound>| bound.as_ref().map(domain::Bound::as_f64);
        let bounds =
            Bounds { gt: bound(&range.gt), gte: bound(&range.gte), lt: bound(&range.lt), lte: bound(&range.lte) };
        return Ok(Clause::Within { path, bounds });
    }
    let empty = Clause::Empty { path };
    Ok(if condition.exists == Some(true) {
        Clause::Nested(Clauses { must_not: vec![empty], ..Clauses::default() })
    } else {
        empty
    })
}

fn any_value(path: &str, values: &[&Value]) -> Clause {
    let texts: Vec<String> = values.iter().filter_map(|value| value.as_str().map(str::to_owned)).collect();
    let mut either = Vec::new();
    if !texts.is_empty() {
        either.push(Clause::Texts { path: path.to_owned(), any: texts });
    }
    for value in values {
        match value {
            Value::Bool(flag) => either.push(Clause::Flag { path: path.to_owned(), value: *flag }),
            Value::Number(wanted) => {
                if let Some(wanted) = wanted.as_f64() {
                    let bounds = Bounds { gte: Some(wanted), lte: Some(wanted), ..Bounds::default() };
                    either.push(Clause::Within { path: path.to_owned(), bounds });
                }
            }
            _ => {}
        }
    }
    if either.len() == 1 {
        return either.remove(0);
    }
    Clause::Nested(Clauses { should: either, ..Clauses::default() })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use sensorium_domain::CollectionName;

    use super::*;

    #[test]
    fn a_tenant_is_narrowed_by_whatever_is_asked_beside_it() {
        let tenant = "acme".parse::<TenantId>().unwrap();
        let narrows = |scope: &Scope, modality| of_scope(&tenant, scope, modality).unwrap().narrow_a_tenant();
        assert!(!narrows(&Scope::default(), None));
        assert!(narrows(&Scope::default(), Some(Modality::Text)));
        let collections = vec!["books".parse::<CollectionName>().unwrap()];
        assert!(narrows(&Scope { collections, ..Scope::default() }, None));
    }
}
