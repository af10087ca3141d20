//! The filter language of searches and listings, and its meaning.
//!
//! [`Filter::matches`] is the definition: indexes and catalogs translate filters into their own queries and are
//! tested against it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::time::Timestamp;

/// Conditions that must all hold, of which one must hold, and of which none may hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    /// All of these hold.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub must: Vec<Condition>,
    /// At least one of these holds (if there are any).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub should: Vec<Condition>,
    /// None of these holds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub must_not: Vec<Condition>,
}

/// A test of one key. Exactly one of `match`, `range` and `exists` is given.
///
/// Keys: `tags`, `title`, `external_id`, `modality`, `media_type`, `created_at`, `updated_at`, `document`, and
/// `metadata.` followed by a path (`metadata.camera.year`). Where the value is a list, one matching element is enough.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// What is tested.
    #[cfg_attr(feature = "openapi", schema(example = "metadata.year"))]
    pub key: String,
    /// Equal to a value, or to any of several.
    #[serde(default, rename = "match", skip_serializing_if = "Option::is_none")]
    pub matches: Option<Match>,
    /// Between bounds: numbers, or RFC 3339 times for `created_at` and `updated_at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<Range>,
    /// Present and neither null nor an empty list (`true`), or the contrary (`false`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exists: Option<bool>,
}

/// Equality. Exactly one of the fields is given.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Match {
    /// Equal to this text, whole number or truth value.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub value: Option<Value>,
    /// Equal to one of these (all texts or all whole numbers).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<Object>>))]
    pub any: Option<Vec<Value>>,
}

/// Bounds; each that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Range {
    /// Greater than.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gt: Option<Bound>,
    /// Greater than or equal to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gte: Option<Bound>,
    /// Less than.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lt: Option<Bound>,
    /// Less than or equal to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lte: Option<Bound>,
}

/// An end of a range.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(untagged)]
pub enum Bound {
    /// A number, for metadata.
    Number(f64),
    /// A moment, for `created_at` and `updated_at`.
    Time(Timestamp),
}

impl Bound {
    /// The bound as a number; times as milliseconds since the Unix epoch.
    pub fn as_f64(&self) -> f64 {
        match self {
            Self::Number(number) => *number,
            Self::Time(moment) => moment.as_millis() as f64,
        }
    }
}

/// A filter that has no meaning.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct FilterError {
    /// Where, as a JSON pointer inside the filter: `/must/0/range`.
    pub pointer: String,
    /// What is wrong and what is allowed.
    pub detail: String,
}

/// What a filter looks at. `modality` and `media_type` are lists for a document (those of its parts) and single for a segment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts<'a> {
    /// The document's id, in text form.
    pub document: &'a str,
    /// The client's own id.
    pub external_id: Option<&'a str>,
    /// The title.
    pub title: Option<&'a str>,
    /// The tags.
    pub tags: &'a [String],
    /// The metadata.
    pub metadata: Option<&'a Map<String, Value>>,
    /// Kinds of content.
    pub modalities: Vec<&'a str>,
    /// Media types.
    pub media_types: Vec<&'a str>,
    /// When the document was accepted.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// The parsed key of a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key<'a> {
    /// `document`: the document's id.
    Document,
    /// `external_id`.
    ExternalId,
    /// `title`.
    Title,
    /// `tags`.
    Tags,
    /// `modality`.
    Modality,
    /// `media_type`.
    MediaType,
    /// `created_at`.
    CreatedAt,
    /// `updated_at`.
    UpdatedAt,
    /// `metadata.` and the path, split at dots.
    Metadata(Vec<&'a str>),
}

impl<'a> Key<'a> {
    /// Reads a key. `None` where there is no such key.
    pub fn parse(text: &'a str) -> Option<Self> {
        Some(match text {
            "document" => Self::Document,
            "external_id" => Self::ExternalId,
            "title" => Self::Title,
            "tags" => Self::Tags,
            "modality" => Self::Modality,
            "media_type" => Self::MediaType,
            "created_at" => Self::CreatedAt,
            "updated_at" => Self::UpdatedAt,
            _ => {
                let path: Vec<&str> = text.strip_prefix("metadata.")?.split('.').collect();
                let plain = |step: &&str| {
                    !step.is_empty() && step.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
                };
                if !path.iter().all(plain) {
                    return None;
                }
                Self::Metadata(path)
            }
        })
    }

    fn is_time(&self) -> bool {
        matches!(self, Self::CreatedAt | Self::UpdatedAt)
    }
}

/// The most conditions that a filter may have.
pub const MAX_CONDITIONS: usize = 64;
/// The most values that a `match.any` may list.
pub const MAX_ANY: usize = 1000;

impl Filter {
    /// Whether nothing is asked.
    pub fn is_empty(&self) -> bool {
        self.must.is_empty() && self.should.is_empty() && self.must_not.is_empty()
    }

    /// Checks keys, values and bounds; returns every fault.
    pub fn check(&self) -> Vec<FilterError> {
        let mut errors = Vec::new();
        let lists = [("must", &self.must), ("should", &self.should), ("must_not", &self.must_not)];
        let count: usize = lists.iter().map(|(_, list)| list.len()).sum();
        if count > MAX_CONDITIONS {
            errors.push(FilterError {
                pointer: String::new(),
                detail: format!("{count} conditions; the limit is {MAX_CONDITIONS}"),
            });
        }
        for (name, list) in lists {
            for (index, condition) in list.iter().enumerate() {
                if let Err((field, detail)) = condition.check() {
                    errors.push(FilterError { pointer: format!("/{name}/{index}{field}"), detail });
                }
            }
        }
        errors
    }

    /// Whether `facts` pass. The definition that every translation is tested against.
    pub fn matches(&self, facts: &Facts<'_>) -> bool {
        self.must.iter().all(|condition| condition.holds(facts))
            && (self.should.is_empty() || self.should.iter().any(|condition| condition.holds(facts)))
            && !self.must_not.iter().any(|condition| condition.holds(facts))
    }
}

impl Condition {
    fn check(&self) -> Result<(), (&'static str, String)> {
        let Some(key) = Key::parse(&self.key) else {
            return Err((
                "/key",
                format!(
                    "\"{}\" is not a key; keys are tags, title, external_id, modality, media_type, created_at, updated_at, document and metadata.PATH",
                    self.key.chars().take(80).collect::<String>()
                ),
            ));
        };
        let given = usize::from(self.matches.is_some())
            + usize::from(self.range.is_some())
            + usize::from(self.exists.is_some());
        if given != 1 {
            return Err(("", "give exactly one of match, range and exists".to_owned()));
        }
        if let Some(matches) = &self.matches {
            if key.is_time() {
                return Err(("/match", "times are compared with range".to_owned()));
            }
            matches.check()?;
        }
        if let Some(range) = &self.range {
            range.check(&key)?;
        }
        Ok(())
    }

    fn holds(&self, facts: &Facts<'_>) -> bool {
        let Some(key) = Key::parse(&self.key) else {
            return false;
        };
        let values = facts.values(&key);
        if let Some(matches) = &self.matches {
            values.iter().any(|value| matches.holds(value))
        } else if let Some(range) = &self.range {
            values.iter().filter_map(Value::as_f64).any(|number| range.holds(number))
        } else {
            self.exists == Some(!values.is_empty())
        }
    }
}

impl Match {
    /// The values of which one must be equal.
    pub fn values(&self) -> Vec<&Value> {
        self.value.iter().chain(self.any.iter().flatten()).collect()
    }

    fn check(&self) -> Result<(), (&'static str, String)> {
        if self.value.is_some() == self.any.is_some() {
            return Err(("/match", "give exactly one of value and any".to_owned()));
        }
        let scalar = |value: &Value| value.is_string() || value.is_boolean() || value.is_i64() || value.is_u64();
        if self.value.as_ref().is_some_and(|value| !scalar(value)) {
            return Err(("/match/value", "must be a text, a whole number, true or false".to_owned()));
        }
        if let Some(any) = &self.any {
            let texts = any.iter().all(Value::is_string);
            let numbers = any.iter().all(|value| value.is_i64() || value.is_u64());
            if any.is_empty() || any.len() > MAX_ANY || !(texts || numbers) {
                return Err(("/match/any", format!("must be 1 to {MAX_ANY} texts, or as many whole numbers")));
            }
        }
        Ok(())
    }

    #[allow(clippy::float_cmp)] // whole numbers compare exactly
    fn holds(&self, found: &Value) -> bool {
        self.values().into_iter().any(|wanted| match (wanted.as_i64(), found.as_f64()) {
            (Some(wanted), Some(found)) => found.fract() == 0.0 && found == wanted as f64,
            _ => wanted == found,
        })
    }
}

impl Range {
    fn check(&self, key: &Key<'_>) -> Result<(), (&'static str, String)> {
        let bounds: Vec<&Bound> = [&self.gt, &self.gte, &self.lt, &self.lte].into_iter().flatten().collect();
        if bounds.is_empty() {
            return Err(("/range", "give at least one of gt, gte, lt and lte".to_owned()));
        }
        if !key.is_time() && !matches!(key, Key::Metadata(_)) {
            return Err(("/range", "only metadata, created_at and updated_at have an order".to_owned()));
        }
        let wanted_time = key.is_time();
        if bounds.iter().any(|bound| matches!(bound, Bound::Time(_)) != wanted_time) {
            let form = if wanted_time { "RFC 3339 times" } else { "numbers" };
            return Err(("/range", format!("the bounds of this key are {form}")));
        }
        Ok(())
    }

    fn holds(&self, number: f64) -> bool {
        self.gt.as_ref().is_none_or(|bound| number > bound.as_f64())
            && self.gte.as_ref().is_none_or(|bound| number >= bound.as_f64())
            && self.lt.as_ref().is_none_or(|bound| number < bound.as_f64())
            && self.lte.as_ref().is_none_or(|bound| number <= bound.as_f64())
    }
}

impl Facts<'_> {
    /// The values under a key: none where it is absent, null or an empty list; the elements of a list.
    fn values(&self, key: &Key<'_>) -> Vec<Value> {
        let texts = |list: &[&str]| list.iter().map(|text| Value::from(*text)).collect();
        match key {
            Key::Document => vec![self.document.into()],
            Key::ExternalId => self.external_id.map(Value::from).into_iter().collect(),
            Key::Title => self.title.map(Value::from).into_iter().collect(),
            Key::Tags => self.tags.iter().map(|tag| tag.as_str().into()).collect(),
            Key::Modality => texts(&self.modalities),
            Key::MediaType => texts(&self.media_types),
            Key::CreatedAt => vec![self.created_at.as_millis().into()],
            Key::UpdatedAt => vec![self.updated_at.as_millis().into()],
            Key::Metadata(path) => self.metadata.map(|metadata| metadata_values(metadata, path)).unwrap_or_default(),
        }
    }
}

fn metadata_values(metadata: &Map<String, Value>, path: &[&str]) -> Vec<Value> {
    let Some((first, rest)) = path.split_first() else {
        return Vec::new();
    };
    let mut found = metadata.get(*first);
    for step in rest {
        found = found.and_then(Value::as_object).and_then(|object| object.get(*step));
    }
    match found {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(list)) => list.iter().filter(|value| !value.is_null()).cloned().collect(),
        Some(value) => vec![value.clone()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn filter(value: Value) -> Filter {
        serde_json::from_value(value).unwrap()
    }

    fn passes(value: Value) -> bool {
        let metadata =
            json!({"year": 2021, "score": 2.5, "camera": {"maker": "x"}, "list": [1, 2], "none": null, "empty": []});
        let facts = Facts {
            document: "doc_1",
            title: Some("A title"),
            tags: &["bike".to_owned(), "red".to_owned()],
            metadata: metadata.as_object(),
            modalities: vec!["image"],
            created_at: Timestamp::from_millis(1_000),
            ..Facts::default()
        };
        let filter = filter(value);
        assert_eq!(filter.check(), vec![]);
        filter.matches(&facts)
    }

    #[test]
    fn conditions_mean_what_they_say() {
        assert!(passes(json!({})));
        assert!(passes(json!({"must": [{"key": "tags", "match": {"value": "red"}}]})));
        assert!(passes(json!({"must": [{"key": "tags", "match": {"any": ["blue", "bike"]}}]})));
        assert!(!passes(json!({"must_not": [{"key": "tags", "match": {"value": "red"}}]})));
        assert!(passes(json!({"must": [{"key": "metadata.year", "range": {"gte": 2021, "lt": 2022}}]})));
        assert!(!passes(json!({"must": [{"key": "metadata.year", "range": {"gt": 2021}}]})));
        assert!(passes(json!({"must": [{"key": "metadata.score", "range": {"lte": 2.5}}]})));
        assert!(passes(json!({"must": [{"key": "metadata.camera.maker", "match": {"value": "x"}}]})));
        assert!(passes(json!({"must": [{"key": "metadata.list", "match": {"value": 2}}]})));
        assert!(passes(
            json!({"should": [{"key": "metadata.nope", "exists": true}, {"key": "modality", "match": {"value": "image"}}]})
        ));
        for absent in ["metadata.nope", "metadata.none", "metadata.empty", "metadata.year.deeper", "external_id"] {
            assert!(passes(json!({"must": [{"key": absent, "exists": false}]})), "{absent}");
        }
        assert!(passes(json!({"must": [{"key": "created_at", "range": {"lte": "1970-01-01T00:00:01Z"}}]})));
    }

    #[test]
    fn faults_are_named_where_they_are() {
        for (faulty, pointer) in [
            (json!({"must": [{"key": "nope", "exists": true}]}), "/must/0/key"),
            (json!({"must": [{"key": "metadata.a b", "exists": true}]}), "/must/0/key"),
            (json!({"should": [{"key": "tags"}]}), "/should/0"),
            (json!({"must": [{"key": "tags", "match": {}}]}), "/must/0/match"),
            (json!({"must": [{"key": "tags", "match": {"value": 1.5}}]}), "/must/0/match/value"),
            (json!({"must": [{"key": "tags", "match": {"any": []}}]}), "/must/0/match/any"),
            (json!({"must": [{"key": "tags", "range": {"gt": 1}}]}), "/must/0/range"),
            (json!({"must": [{"key": "created_at", "range": {"gt": 1}}]}), "/must/0/range"),
            (json!({"must_not": [{"key": "metadata.a", "range": {}}]}), "/must_not/0/range"),
        ] {
            let errors = filter(faulty.clone()).check();
            assert_eq!(errors.len(), 1, "{faulty}");
            assert_eq!(errors[0].pointer, pointer, "{faulty}");
        }
        assert!(serde_json::from_value::<Filter>(json!({"musty": []})).is_err());
    }
}
