//! Counting points by the values of a field.

use std::collections::HashMap;

use sensorium_domain::filter::Key;
use serde_json::{Map, Value};

use crate::payload;

/// Whether the index counts the key's values itself; the others are counted point by point.
pub(crate) fn is_indexed(key: &Key<'_>) -> bool {
    matches!(key, Key::Tags | Key::Modality | Key::Document)
}

/// How many points have each value.
#[derive(Debug, Default)]
pub(crate) struct Counts(HashMap<Value, u64>);

impl Counts {
    /// Counts one point once for each scalar value that it has under the key.
    pub(crate) fn add(&mut self, stored: &Map<String, Value>, key: &Key<'_>) {
        let found = match key {
            Key::Document => stored.get(payload::DOCUMENT),
            Key::ExternalId => stored.get(payload::EXTERNAL_ID),
            Key::Title => stored.get(payload::TITLE),
            Key::Tags => stored.get(payload::TAGS),
            Key::Modality => stored.get(payload::MODALITY),
            Key::MediaType => stored.get(payload::MEDIA_TYPE),
            Key::CreatedAt => stored.get(payload::CREATED_AT),
            Key::UpdatedAt => stored.get(payload::UPDATED_AT),
            Key::Metadata(path) => {
                path.iter().try_fold(stored.get(payload::METADATA), |at, step| at.map(|at| at.get(step))).flatten()
            }
        };
        let values = match found {
            Some(Value::Array(list)) => list.as_slice(),
            Some(one) => std::slice::from_ref(one),
            None => &[],
        };
        for (position, value) in values.iter().enumerate() {
            let is_scalar = !(value.is_null() || value.is_array() || value.is_object());
            if is_scalar && !values[..position].contains(value) {
                *self.0.entry(value.clone()).or_default() += 1;
            }
        }
    }

    /// The values that most points have.
    pub(crate) fn most_first(self, limit: usize) -> Vec<(Value, u64)> {
        most_first(self.0.into_iter().collect(), limit)
    }
}

/// Values with their counts: most first, equal counts by value.
pub(crate) fn most_first(mut counts: Vec<(Value, u64)>, limit: usize) -> Vec<(Value, u64)> {
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.to_string().cmp(&b.0.to_string())));
    counts.truncate(limit);
    counts
}
