//! Values on their way into templates and out of them.

use std::collections::HashMap;

use gtmpl::Value;
use serde_json::{Map, Number, Value as Json};

/// Lays `over` upon `base` as Helm does: maps are merged, everything else is replaced, and null takes an option away.
pub fn merge(base: &mut Json, over: &Json) {
    let (Json::Object(base), Json::Object(over)) = (&mut *base, over) else {
        *base = over.clone();
        return;
    };
    for (key, value) in over {
        match base.get_mut(key) {
            _ if value.is_null() => drop(base.remove(key)),
            Some(found @ Json::Object(_)) if value.is_object() => merge(found, value),
            _ => drop(base.insert(key.clone(), value.clone())),
        }
    }
}

/// For a template.
pub fn to_template(json: &Json) -> Value {
    match json {
        Json::Null => Value::NoValue,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => number.as_f64().map_or(Value::NoValue, Value::from),
        Json::String(text) => Value::String(text.clone()),
        Json::Array(items) => Value::Array(items.iter().map(to_template).collect()),
        Json::Object(map) => Value::Map(map.iter().map(|(key, value)| (key.clone(), to_template(value))).collect()),
    }
}

/// From a template.
pub fn to_json(value: &Value) -> Json {
    match value {
        Value::NoValue | Value::Nil | Value::Function(_) => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Number(number) => match number.as_f64() {
            Some(float) => Number::from_f64(float).map_or(Json::Null, Json::Number),
            None => number.as_i64().map_or(Json::Null, Json::from),
        },
        Value::String(text) => Json::String(text.clone()),
        Value::Array(items) => Json::Array(items.iter().map(to_json).collect()),
        Value::Map(map) | Value::Object(map) => Json::Object(sorted(map)),
    }
}

fn sorted(map: &HashMap<String, Value>) -> Map<String, Json> {
    let mut entries: Vec<_> = map.iter().collect();
    entries.sort_by_key(|(key, _)| *key);
    entries.into_iter().map(|(key, value)| (key.clone(), to_json(value))).collect()
}

/// The number, where it is one without a fraction.
pub fn whole_number(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// A scalar as Go prints it. Helm reads every number as a float, and one of a million or more gets an exponent then,
/// which no setting and no port wants.
pub fn printed(value: &Value) -> String {
    let Value::Number(number) = value else { return value.to_string() };
    let float = number.as_f64().or_else(|| number.as_i64().map(|whole| whole as f64)).unwrap_or_default();
    if float == 0.0 || (1e-4..1e6).contains(&float.abs()) {
        return float.to_string();
    }
    let text = format!("{float:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, size) = exponent.strip_prefix('-').map_or(('+', exponent), |size| ('-', size));
    format!("{digits}e{sign}{size:0>2}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_merged_as_helm_does() {
        let mut base = json!({"a": {"b": 1, "c": 2}, "list": [1], "gone": 1});
        merge(&mut base, &json!({"a": {"b": 3}, "list": [2, 3], "gone": null, "new": {"x": 1}}));
        assert_eq!(base, json!({"a": {"b": 3, "c": 2}, "list": [2, 3], "new": {"x": 1}}));
    }

    #[test]
    fn numbers_are_printed_as_go_does() {
        let printed = |json: Json| printed(&to_template(&json));
        let told =
            [json!(3), json!(999_999), json!(1_000_000), json!(1_234_567), json!(0.5), json!(0.000_01)].map(printed);
        assert_eq!(told, ["3", "999999", "1e+06", "1.234567e+06", "0.5", "1e-05"]);
        assert_eq!(to_json(&to_template(&json!([1_073_741_824, 0.5]))), json!([1_073_741_824, 0.5]));
    }
}
