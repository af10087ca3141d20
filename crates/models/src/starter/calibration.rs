//! What a cosine between two modalities is worth, and how a question is turned before it is asked of another modality.

use std::collections::HashMap;

use sensorium_domain::segment::Modality;
use serde::Deserialize;

use super::out_of_scope::OutOfScope;
use crate::compute::norm::normalise;
use crate::error::ModelError;
use crate::source::Source;
use crate::weights::Weights;

const DIMENSIONS: usize = 384;

/// The rules of `pairs.json`, `centres.safetensors` and `calibration.json`. Stored vectors are never turned, only questions.
#[derive(Debug, Clone)]
pub struct Calibration {
    pairs: HashMap<(Modality, Modality), Pair>,
    out_of_scope: OutOfScope,
}

/// Platt, "Probabilistic outputs for support vector machines", 1999: `sigmoid(slope * cosine + offset)`.
#[derive(Debug, Clone)]
struct Pair {
    subtract: Option<Vec<f32>>,
    slope: f32,
    offset: f32,
}

#[derive(Deserialize)]
struct Rules {
    pairs: Vec<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    query: Modality,
    target: Modality,
    subtract: Option<String>,
}

#[derive(Deserialize)]
struct Confidences {
    pairs: Vec<Confidence>,
    out_of_scope: Scopes,
}

#[derive(Deserialize)]
struct Confidence {
    query: Modality,
    target: Modality,
    a: f32,
    b: f32,
}

#[derive(Deserialize)]
struct Scopes {
    image: OutOfScope,
}

impl Calibration {
    /// Loads the three files; every ordered pair of text, image and audio must be there.
    pub fn load(source: &Source) -> Result<Self, ModelError> {
        let rules: Rules = source.json("pairs.json")?;
        let confidences: Confidences = source.json("calibration.json")?;
        let centres = Weights::open(&source.weights("centres.safetensors")?)?;
        let modalities = [Modality::Text, Modality::Image, Modality::Audio];
        let mut pairs = HashMap::new();
        for (query, target) in modalities.into_iter().flat_map(|query| modalities.map(|target| (query, target))) {
            let missing = |file: &str| {
                let path = source.folder().join(file);
                ModelError::malformed(&path, &format!("it says nothing of {query} asked of {target}"))
            };
            let rule = rules.pairs.iter().find(|rule| (rule.query, rule.target) == (query, target));
            let rule = rule.ok_or_else(|| missing("pairs.json"))?;
            let confidence = confidences.pairs.iter().find(|pair| (pair.query, pair.target) == (query, target));
            let confidence = confidence.ok_or_else(|| missing("calibration.json"))?;
            let subtract = rule.subtract.as_ref().map(|name| centres.tensor(name, &[DIMENSIONS])).transpose()?;
            pairs.insert((query, target), Pair { subtract, slope: confidence.a, offset: confidence.b });
        }
        Ok(Self { pairs, out_of_scope: confidences.out_of_scope.image })
    }

    /// The share of right answers among pairs of this cosine, from 0 to 1, if one in a hundred is right to begin with.
    ///
    /// `cosine` is between the query vector after [`Self::query_vector`] and the stored vector. Video counts as image.
    pub fn confidence(&self, query: Modality, target: Modality, cosine: f32) -> f32 {
        let pair = &self.pairs[&(seen(query), seen(target))];
        sigmoid(pair.slope * cosine + pair.offset)
    }

    /// The vector to search `target` with: the unit `vector` of a question less what all questions of its modality share, at length 1.
    pub fn query_vector(&self, query: Modality, target: Modality, vector: &[f32]) -> Vec<f32> {
        let mut turned = vector.to_vec();
        if let Some(centre) = &self.pairs[&(seen(query), seen(target))].subtract {
            for (value, centre) in turned.iter_mut().zip(centre) {
                *value -= centre;
            }
            normalise(&mut turned);
        }
        turned
    }

    /// How little a picture looks like what the picture tower knows.
    pub fn out_of_scope(&self) -> &OutOfScope {
        &self.out_of_scope
    }
}

/// The tower that sees a modality: frames are pictures.
fn seen(modality: Modality) -> Modality {
    match modality {
        Modality::Video => Modality::Image,
        other => other,
    }
}

pub(super) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

#[cfg(test)]
mod tests {
    use safetensors::tensor::{Dtype, TensorView, serialize_to_file};
    use serde_json::{Value, json};

    use super::*;

    fn pairs(each: impl Fn(&str, &str) -> Value) -> Vec<Value> {
        let names = ["text", "image", "audio"];
        names.iter().flat_map(|query| names.map(|target| each(query, target))).collect()
    }

    fn written(folder: &std::path::Path) -> Source {
        let rules = pairs(|query, target| {
            let subtract = (query == "text" && target == "image").then_some("text_to_image");
            json!({"query": query, "target": target, "subtract": subtract})
        });
        let confidences = pairs(|query, target| {
            let slope = if query == target { 10.0 } else { 20.0 };
            json!({"query": query, "target": target, "a": slope, "b": -5.0, "right_pairs": 1})
        });
        let gate = json!({
            "features": ["border_residual", "flat_share", "top_share"], "weights": [1.0, -2.0, -3.0], "bias": 2.0, "threshold": 0.5
        });
        let put = |name: &str, value: Value| {
            std::fs::write(folder.join(name), value.to_string()).unwrap();
        };
        put("pairs.json", json!({"rule": "", "pairs": rules}));
        put("calibration.json", json!({"pairs": confidences, "out_of_scope": {"image": gate, "audio": null}}));
        let mut centre = vec![0.0_f32; DIMENSIONS];
        centre[0] = 1.0;
        let bytes: Vec<u8> = centre.iter().flat_map(|value| value.to_le_bytes()).collect();
        let view = TensorView::new(Dtype::F32, vec![DIMENSIONS], &bytes).unwrap();
        serialize_to_file([("text_to_image", view)], None, &folder.join("centres.safetensors")).unwrap();
        Source::Folder(folder.to_owned())
    }

    #[test]
    fn questions_are_turned_and_cosines_are_weighed_by_pair() {
        let folder = tempfile::tempdir().unwrap();
        let calibration = Calibration::load(&written(folder.path())).unwrap();
        let mut question = vec![0.0; DIMENSIONS];
        (question[0], question[1]) = (0.6, 0.8);
        assert_eq!(calibration.query_vector(Modality::Text, Modality::Text, &question), question);
        let turned = calibration.query_vector(Modality::Text, Modality::Image, &question);
        assert!((turned[0] + 0.4 / 0.8_f32.sqrt()).abs() < 1e-6 && (turned[1] - 0.8 / 0.8_f32.sqrt()).abs() < 1e-6);
        assert_eq!(turned, calibration.query_vector(Modality::Text, Modality::Video, &question));
        assert_eq!(calibration.confidence(Modality::Text, Modality::Text, 0.5), 0.5);
        assert!(calibration.confidence(Modality::Text, Modality::Image, 0.5) > 0.99);
    }

    #[test]
    fn a_missing_pair_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let source = written(folder.path());
        let rules: Vec<Value> = pairs(|query, target| json!({"query": query, "target": target, "subtract": null}));
        let rules = json!({"pairs": rules[..8]});
        std::fs::write(folder.path().join("pairs.json"), rules.to_string()).unwrap();
        let error = Calibration::load(&source).unwrap_err().to_string();
        assert!(error.ends_with("pairs.json cannot be understood: it says nothing of audio asked of audio"), "{error}");
    }
}
