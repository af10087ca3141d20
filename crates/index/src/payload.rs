//! What is stored with a point, and the names of its fields.

use std::str::FromStr;

use sensorium_domain::index::PointPayload;
use sensorium_domain::{IndexError, TenantId};
use serde_json::{Map, Value};

pub(crate) const TENANT: &str = "tenant";
pub(crate) const COLLECTION: &str = "collection";
pub(crate) const DOCUMENT: &str = "document";
pub(crate) const PART: &str = "part";
pub(crate) const MODALITY: &str = "modality";
pub(crate) const KIND: &str = "kind";
pub(crate) const MEDIA_TYPE: &str = "media_type";
pub(crate) const EXTERNAL_ID: &str = "external_id";
pub(crate) const TITLE: &str = "title";
pub(crate) const TAGS: &str = "tags";
pub(crate) const METADATA: &str = "metadata";
pub(crate) const CREATED_AT: &str = "created_at";
pub(crate) const UPDATED_AT: &str = "updated_at";

/// How a field is indexed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum FieldIndex {
    /// Texts. What nearly every search filters by is kept in memory and has graphs of its own, which help where a good part of the
    /// points passes and cost as much again to build. The rest stays on disk, which also makes opening quicker.
    Keyword { is_tenant: bool, is_hot: bool },
    /// Milliseconds since the Unix epoch, compared by ranges; on disk.
    Moment,
}

/// The fields that are indexed; conditions on others are tested point by point.
pub(crate) const FIELD_INDEXES: [(&str, FieldIndex); 6] = [
    (TENANT, FieldIndex::Keyword { is_tenant: true, is_hot: true }),
    (COLLECTION, FieldIndex::Keyword { is_tenant: false, is_hot: true }),
    (DOCUMENT, FieldIndex::Keyword { is_tenant: false, is_hot: false }),
    (MODALITY, FieldIndex::Keyword { is_tenant: false, is_hot: true }),
    (TAGS, FieldIndex::Keyword { is_tenant: false, is_hot: false }),
    (CREATED_AT, FieldIndex::Moment),
];

/// The stored form. Metadata is stored for filters alone, so nulls and empty lists, which filters take for absent, are left out.
pub(crate) fn encode(tenant: &TenantId, payload: PointPayload) -> Map<String, Value> {
    let mut map = Map::new();
    let mut text = |name: &str, value: String| map.insert(name.to_owned(), Value::String(value));
    text(TENANT, tenant.to_string());
    text(COLLECTION, payload.collection.to_string());
    text(DOCUMENT, payload.document.to_string());
    text(PART, payload.part.to_string());
    text(MODALITY, payload.modality.to_string());
    text(KIND, payload.kind.as_str().to_owned());
    text(MEDIA_TYPE, payload.media_type);
    if let Some(external_id) = payload.external_id {
        text(EXTERNAL_ID, external_id);
    }
    if let Some(title) = payload.title {
        text(TITLE, title);
    }
    if !payload.tags.is_empty() {
        map.insert(TAGS.to_owned(), payload.tags.into());
    }
    let metadata = without_nothing(payload.metadata);
    if !metadata.is_empty() {
        map.insert(METADATA.to_owned(), metadata.into());
    }
    map.insert(CREATED_AT.to_owned(), payload.created_at.as_millis().into());
    map.insert(UPDATED_AT.to_owned(), payload.updated_at.as_millis().into());
    map
}

fn without_nothing(object: Map<String, Value>) -> Map<String, Value> {
    let mut kept = Map::new();
    for (key, value) in object {
        let value = match value {
            Value::Null => continue,
            Value::Array(list) => {
                let list: Vec<Value> = list.into_iter().filter(|item| !item.is_null()).collect();
                if list.is_empty() {
                    continue;
                }
                Value::Array(list)
            }
            Value::Object(inner) => Value::Object(without_nothing(inner)),
            other => other,
        };
        kept.insert(key, value);
    }
    kept
}

/// Reads a stored text back.
pub(crate) fn read<T: FromStr>(stored: Option<&str>, name: &str) -> Result<T, IndexError> {
    stored
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| IndexError::Corrupt(format!("a point has no readable \"{name}\"")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nothing_is_left_out_of_metadata() {
        let Value::Object(metadata) = json!({
            "a": null, "b": [], "c": [null], "d": [null, 1], "e": {"f": null}, "g": [[]], "h": 0, "i": ""
        }) else {
            unreachable!()
        };
        let kept = Value::Object(without_nothing(metadata));
        assert_eq!(kept, json!({"d": [1], "e": {}, "g": [[]], "h": 0, "i": ""}));
    }
}
