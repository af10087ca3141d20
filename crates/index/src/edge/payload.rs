//! What is stored with a point, and the names of its fields.

use qdrant_edge::{JsonPath, Payload, WithPayloadInterface};
use sensorium_domain::index::PointPayload;
use sensorium_domain::{DocumentId, IndexError, Modality, TenantId};
use serde_json::{Map, Value};

pub(super) const TENANT: &str = "tenant";
pub(super) const COLLECTION: &str = "collection";
pub(super) const DOCUMENT: &str = "document";
pub(super) const PART: &str = "part";
pub(super) const MODALITY: &str = "modality";
pub(super) const KIND: &str = "kind";
pub(super) const MEDIA_TYPE: &str = "media_type";
pub(super) const EXTERNAL_ID: &str = "external_id";
pub(super) const TITLE: &str = "title";
pub(super) const TAGS: &str = "tags";
pub(super) const METADATA: &str = "metadata";
pub(super) const CREATED_AT: &str = "created_at";
pub(super) const UPDATED_AT: &str = "updated_at";

/// The path of a field at the top of the payload.
pub(super) fn field(name: &str) -> JsonPath {
    JsonPath { first_key: name.to_owned(), rest: Vec::new() }
}

/// Asks the index for some fields only.
pub(super) fn only(fields: &[&str]) -> WithPayloadInterface {
    WithPayloadInterface::Fields(fields.iter().map(|name| field(name)).collect())
}

/// The stored form. Metadata is stored for filters alone, so nulls and empty lists, which filters take for absent, are left out.
pub(super) fn encode(tenant: &TenantId, payload: PointPayload) -> Payload {
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
    Payload(map)
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

/// Reads the tenant back.
pub(super) fn tenant(payload: &Payload) -> Result<TenantId, IndexError> {
    read(payload, TENANT)
}

/// Reads back what a hit is grouped by.
pub(super) fn document_and_modality(payload: &Payload) -> Result<(DocumentId, Modality), IndexError> {
    Ok((read(payload, DOCUMENT)?, read(payload, MODALITY)?))
}

fn read<T: std::str::FromStr>(payload: &Payload, name: &str) -> Result<T, IndexError> {
    payload
        .0
        .get(name)
        .and_then(Value::as_str)
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
