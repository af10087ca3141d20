//! YAML in and out.

use std::fmt::Write as _;

use serde_json::Value as Json;

use crate::ChartError;

/// Reads the documents of a text; empty ones are left out. A key that is there twice is an error.
pub fn read_yaml(place: &str, text: &str) -> Result<Vec<Json>, ChartError> {
    let documents: Vec<Json> = serde_saphyr::from_multiple(text)
        .map_err(|error| ChartError::Yaml { place: place.to_owned(), text: error.to_string() })?;
    Ok(documents.into_iter().filter(|document| !document.is_null()).collect())
}

/// Writes lines as Helm's `toYaml` does: keys in order, lists not indented below their key, no line end at the end. The
/// lines are real ones, so that a wrong indentation of them shows.
pub fn write_yaml(value: &Json) -> String {
    let mut lines = String::new();
    write_block(&mut lines, value, 0);
    lines.trim_end().to_owned()
}

fn write_block(lines: &mut String, value: &Json, indent: usize) {
    let pad = " ".repeat(indent);
    match value {
        Json::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                let _ = write!(lines, "{pad}{}:", scalar(&Json::String(key.clone())));
                // A list below a key begins where the key does.
                let deeper = if value.is_array() { indent } else { indent + 2 };
                write_after(lines, value, deeper);
            }
        }
        Json::Array(items) if !items.is_empty() => {
            for item in items {
                let mut block = String::new();
                write_block(&mut block, item, indent + 2);
                let _ = writeln!(lines, "{pad}- {}", block.trim());
            }
        }
        scalar_or_empty => {
            let _ = writeln!(lines, "{pad}{}", scalar(scalar_or_empty));
        }
    }
}

fn write_after(lines: &mut String, value: &Json, indent: usize) {
    let nested =
        value.as_object().is_some_and(|map| !map.is_empty()) || value.as_array().is_some_and(|list| !list.is_empty());
    if nested {
        lines.push('\n');
        write_block(lines, value, indent);
    } else {
        let _ = writeln!(lines, " {}", scalar(value));
    }
}

/// In JSON's form, which is YAML's too.
fn scalar(value: &Json) -> String {
    value.to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let value =
            json!({"a": [{"b": 1, "c": ["x", "y: z"]}, [1, 2], []], "d": {"e": {}}, "f": "#", "g": null, "h": true});
        let text = write_yaml(&value);
        assert!(text.starts_with("\"a\":\n- \"b\": 1\n  \"c\":\n  - \"x\"\n"), "{text}");
        assert_eq!(read_yaml("here", &text).unwrap(), [value]);
    }

    #[test]
    fn a_key_that_is_there_twice_is_found() {
        assert_eq!(read_yaml("here", "---\n# nothing\n---\na: 1\n").unwrap(), [json!({"a": 1})]);
        assert!(read_yaml("here", "a: 1\nb: 2\na: 3\n").unwrap_err().to_string().starts_with("here: "));
    }
}
