//! What the cosines of a space say.

use std::collections::HashMap;
use std::path::Path;

use sensorium_domain::Modality;
use sensorium_models::starter::Calibration;
use sensorium_models::{Likeness, ModelError, Source};
use serde::Deserialize;

/// The temperature of zero-shot classification where a model has not learned one.
const TEMPERATURE: f32 = 0.05;

/// How the cosines of a space are read.
pub(super) enum Reading {
    /// By the rules that come with the starter's towers: questions are turned, every pair of modalities is calibrated.
    Starter(Box<Calibration>),
    /// As a model's own loss reads them: SigLIP's is the chance that a text and a picture belong together.
    Learned(Likeness),
    /// By what was fitted for the pairs of modalities that a profile's calibration file names.
    Fitted(Fitted, Option<Likeness>),
    /// They rank, and say no more.
    Ranks,
}

/// Platt's `sigmoid(a * cosine + b)` by (asking, answering) modality.
pub(super) struct Fitted(HashMap<(Modality, Modality), (f32, f32)>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FittedFile {
    pairs: Vec<FittedPair>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FittedPair {
    query: Modality,
    target: Modality,
    a: f32,
    b: f32,
}

impl Fitted {
    /// Reads `{"pairs": [{"query", "target", "a", "b"}]}`.
    pub(super) fn load(path: &Path) -> Result<Self, ModelError> {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
            return Err(ModelError::MissingFile { path: path.to_owned() });
        };
        let file: FittedFile = Source::Folder(folder.to_owned()).json(name)?;
        Ok(Self(file.pairs.into_iter().map(|pair| ((pair.query, pair.target), (pair.a, pair.b))).collect()))
    }
}

impl Reading {
    /// A query's vector for one target modality. Stored vectors are never changed.
    pub(super) fn query_vector(&self, asked_by: Modality, target: Modality, vector: &[f32]) -> Vec<f32> {
        match self {
            Self::Starter(calibration) => calibration.query_vector(asked_by, target, vector),
            _ => vector.to_vec(),
        }
    }

    /// The confidence of a cosine, from 0 to 1, where the pair of modalities has one.
    pub(super) fn confidence(&self, asked_by: Modality, target: Modality, cosine: f32) -> Option<f32> {
        let (slope, offset) = match self {
            Self::Starter(calibration) => return Some(calibration.confidence(asked_by, target, cosine)),
            Self::Learned(Likeness { scale, bias: Some(bias) }) if asked_by != target => (*scale, *bias),
            Self::Fitted(Fitted(pairs), _) => *pairs.get(&(asked_by, target))?,
            Self::Learned(_) | Self::Ranks => return None,
        };
        Some(1.0 / (1.0 + (-(slope * cosine + offset)).exp()))
    }

    /// Whether cosines of this pair have a confidence.
    pub(super) fn is_calibrated(&self, asked_by: Modality, target: Modality) -> bool {
        self.confidence(asked_by, target, 0.0).is_some()
    }

    /// The rules of the starter's towers.
    pub(super) fn starter(&self) -> Option<&Calibration> {
        match self {
            Self::Starter(calibration) => Some(calibration),
            _ => None,
        }
    }

    /// What cosines are divided by before the softmax of zero-shot classification.
    pub(super) fn temperature(&self) -> f32 {
        match self {
            Self::Learned(likeness) | Self::Fitted(_, Some(likeness)) => 1.0 / likeness.scale,
            Self::Starter(_) | Self::Fitted(_, None) | Self::Ranks => TEMPERATURE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sensorium_domain::Modality::{Audio, Image, Text};

    #[test]
    fn siglip_says_how_likely_a_text_and_a_picture_belong_together_and_nothing_of_two_texts() {
        let reading = Reading::Learned(Likeness { scale: 100.0, bias: Some(-10.0) });
        assert_eq!(reading.confidence(Text, Image, 0.1), Some(0.5));
        assert_eq!(reading.confidence(Image, Text, 0.1), Some(0.5));
        assert_eq!(reading.confidence(Text, Text, 0.9), None);
        assert!((reading.temperature() - 0.01).abs() < 1e-9);
        assert_eq!(Reading::Learned(Likeness { scale: 100.0, bias: None }).confidence(Text, Image, 0.1), None);
    }

    #[test]
    fn a_calibration_file_counts_for_the_pairs_that_it_names() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sound.json");
        std::fs::write(&path, r#"{"pairs":[{"query":"text","target":"audio","a":10.0,"b":-5.0}]}"#).unwrap();
        let reading = Reading::Fitted(Fitted::load(&path).unwrap(), None);
        assert_eq!(reading.confidence(Text, Audio, 0.5), Some(0.5));
        assert!(reading.is_calibrated(Text, Audio) && !reading.is_calibrated(Audio, Text));
        std::fs::write(&path, r#"{"pairs":[{"query":"text","target":"audio","a":10.0,"c":-5.0}]}"#).unwrap();
        assert!(Fitted::load(&path).is_err());
    }
}
