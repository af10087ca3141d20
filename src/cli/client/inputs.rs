//! What a search asks, from the command line to the request's `inputs`.

use std::path::PathBuf;
use std::str::FromStr;

use serde_json::{Value, json};

/// One input with its weight: `KIND=VALUE` or `KIND=VALUE;weight=W`.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// What is asked.
    pub asked: Asked,
    /// How much it counts; the server's default when `None`.
    pub weight: Option<f64>,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// Words.
    Text(String),
    /// A picture's file.
    Image(PathBuf),
    /// A sound's file.
    Audio(PathBuf),
    /// A stored segment.
    Segment(String),
    /// A stored document.
    Document(String),
}

impl Asked {
    /// The file that it is read from.
    pub fn file(&self) -> Option<&PathBuf> {
        match self {
            Self::Image(path) | Self::Audio(path) => Some(path),
            _ => None,
        }
    }
}

impl From<Asked> for Input {
    fn from(asked: Asked) -> Self {
        Self { asked, weight: None }
    }
}

impl Input {
    /// Its JSON; a file is named by the form's field `field`.
    pub fn json(&self, field: &str) -> Value {
        let mut value = match &self.asked {
            Asked::Text(text) => json!({"text": text}),
            Asked::Image(_) => json!({"image": {"file": field}}),
            Asked::Audio(_) => json!({"audio": {"file": field}}),
            Asked::Segment(id) => json!({"segment": id}),
            Asked::Document(id) => json!({"document": id}),
        };
        if let Some(weight) = self.weight {
            value["weight"] = json!(weight);
        }
        value
    }
}

impl FromStr for Input {
    type Err = String;

    fn from_str(argument: &str) -> Result<Self, String> {
        let (rest, weight) = match argument.rsplit_once(";weight=") {
            Some((rest, weight)) => (rest, Some(parse_weight(weight)?)),
            None => (argument, None),
        };
        let form = "write KIND=VALUE or KIND=VALUE;weight=W, with KIND one of text, image, audio, segment, document";
        let (kind, value) = rest.split_once('=').filter(|(_, value)| !value.is_empty()).ok_or(form)?;
        let asked = match kind {
            "text" => Asked::Text(value.to_owned()),
            "image" => Asked::Image(value.into()),
            "audio" => Asked::Audio(value.into()),
            "segment" => Asked::Segment(value.to_owned()),
            "document" => Asked::Document(value.to_owned()),
            _ => return Err(format!("\"{kind}\" is no kind; {form}")),
        };
        Ok(Self { asked, weight })
    }
}

fn parse_weight(text: &str) -> Result<f64, String> {
    let weight = text.trim().parse().ok().filter(|weight: &f64| weight.abs() <= 10.0 && *weight != 0.0);
    weight.ok_or_else(|| format!("the weight \"{text}\" is not a number from -10 to 10 and not 0"))
}

/// A stored segment or document, told by its id.
pub fn parse_like(id: &str) -> Result<Asked, String> {
    match id.split_once('_') {
        Some(("seg", _)) => Ok(Asked::Segment(id.to_owned())),
        Some(("doc", _)) => Ok(Asked::Document(id.to_owned())),
        _ => Err("give the id of a segment (seg_...) or of a document (doc_...)".to_owned()),
    }
}

/// A JSON object.
pub fn json_object(text: &str) -> Result<Value, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
    if value.is_object() { Ok(value) } else { Err("not a JSON object: write {...}".to_owned()) }
}

/// A filter with a condition for each tag, all of which must hold; `None` when it would be empty.
pub fn filter(given: Option<&Value>, tags: &[String]) -> Result<Option<Value>, String> {
    let mut filter = given.cloned().unwrap_or_else(|| json!({}));
    if !tags.is_empty() {
        let object = filter.as_object_mut().ok_or("the filter is not a JSON object")?;
        let must = object.entry("must").or_insert_with(|| json!([]));
        let must = must.as_array_mut().ok_or("\"must\" of the filter is not a list")?;
        must.extend(tags.iter().map(|tag| json!({"key": "tags", "match": {"value": tag}})));
    }
    Ok((given.is_some() || !tags.is_empty()).then_some(filter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_follow_the_last_semicolon() {
        let weighted = Input { asked: Asked::Text("a=b;c".to_owned()), weight: Some(-0.5) };
        assert_eq!("text=a=b;c;weight=-0.5".parse(), Ok(weighted));
        assert_eq!("image=a;b.png".parse(), Ok(Input::from(Asked::Image("a;b.png".into()))));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for argument in [
            "red",
            "text=",
            "smell=roses",
            "text=a;weight=0",
            "text=a;weight=NaN",
            "text=a;weight=11",
            "text=a;weight=",
        ] {
            assert!(argument.parse::<Input>().is_err(), "{argument}");
        }
        assert!(parse_like("job_1").is_err());
        assert_eq!(parse_like("doc_1"), Ok(Asked::Document("doc_1".to_owned())));
    }

    #[test]
    fn tags_join_the_filter() {
        let given = json!({"must": [{"key": "metadata.year", "exists": true}], "must_not": []});
        let expected = json!({"must": [{"key": "metadata.year", "exists": true}, {"key": "tags", "match": {"value": "x"}}], "must_not": []});
        assert_eq!(filter(Some(&given), &["x".to_owned()]), Ok(Some(expected)));
        assert_eq!(filter(None, &[]), Ok(None));
        assert!(filter(Some(&json!({"must": 1})), &["x".to_owned()]).is_err());
    }
}
