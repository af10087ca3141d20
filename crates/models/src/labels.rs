//! The vocabulary whose nearest entries serve as labels and captions of the starter profile.

use sensorium_domain::segment::Modality;
use serde::Deserialize;

use crate::compute::gemm::{Packed, multiply};
use crate::compute::linear::as_it_is;
use crate::compute::rows::Strided;
use crate::error::ModelError;
use crate::source::Source;
use crate::starter::Calibration;
use crate::weights::Weights;

const DIMENSIONS: usize = 384;

/// A label and how near it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Nearest<'a> {
    /// The label.
    pub text: &'a str,
    /// Its cosine with the picture or sound, by the rule of the pair.
    pub cosine: f32,
    /// What that cosine is worth, from 0 to 1.
    pub confidence: f32,
}

/// Labels of pictures and labels of sounds, each turned as a text is that asks for them.
pub struct Labels {
    image: Vocabulary,
    audio: Vocabulary,
}

struct Vocabulary {
    modality: Modality,
    texts: Vec<String>,
    /// Numbers x labels.
    vectors: Packed,
    calibration: Calibration,
}

#[derive(Deserialize)]
struct Label {
    text: String,
    kind: Modality,
}

impl Labels {
    /// Loads `labels.json` and `labels.safetensors`.
    pub fn load(source: &Source, calibration: &Calibration) -> Result<Self, ModelError> {
        let labels: Vec<Label> = source.json("labels.json")?;
        let weights = Weights::open(&source.weights("labels.safetensors")?)?;
        let vectors = weights.tensor("vectors", &[labels.len(), DIMENSIONS])?;
        let of = |modality| {
            let chosen =
                labels.iter().zip(vectors.chunks_exact(DIMENSIONS)).filter(|(label, _)| label.kind == modality);
            let (texts, vectors): (Vec<String>, Vec<Vec<f32>>) = chosen
                .map(|(label, vector)| (label.text.clone(), calibration.query_vector(Modality::Text, modality, vector)))
                .unzip();
            let vectors = Packed::new(DIMENSIONS, texts.len(), |number, label| vectors[label][number]);
            Vocabulary { modality, texts, vectors, calibration: calibration.clone() }
        };
        Ok(Self { image: of(Modality::Image), audio: of(Modality::Audio) })
    }

    /// The `most` nearest labels of a picture's or sound's unit vector, nearest first; none for text.
    pub fn nearest(&self, modality: Modality, vector: &[f32], most: usize) -> Vec<Nearest<'_>> {
        match modality {
            Modality::Image | Modality::Video => self.image.nearest(vector, most),
            Modality::Audio => self.audio.nearest(vector, most),
            Modality::Text => Vec::new(),
        }
    }
}

impl Vocabulary {
    fn nearest(&self, vector: &[f32], most: usize) -> Vec<Nearest<'_>> {
        if self.texts.is_empty() {
            return Vec::new();
        }
        let cosines = multiply(1, &Strided { data: vector, stride: vector.len() }, &self.vectors, &as_it_is);
        let mut order: Vec<usize> = (0..cosines.len()).collect();
        order.sort_unstable_by(|&a, &b| cosines[b].total_cmp(&cosines[a]));
        let nearest = |&index: &usize| Nearest {
            text: &self.texts[index],
            cosine: cosines[index],
            confidence: self.calibration.confidence(Modality::Text, self.modality, cosines[index]),
        };
        order.iter().take(most).map(nearest).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::starter::goldens;

    #[test]
    fn the_bundled_vocabulary_answers_in_order() {
        let source = goldens::source();
        let calibration = Calibration::load(&source).unwrap();
        let labels = Labels::load(&source, &calibration).unwrap();
        let texts: Vec<Label> = source.json("labels.json").unwrap();
        let weights = Weights::open(&source.weights("labels.safetensors").unwrap()).unwrap();
        let vectors = weights.tensor("vectors", &[texts.len(), DIMENSIONS]).unwrap();
        for modality in [Modality::Image, Modality::Audio] {
            let (index, label) = texts.iter().enumerate().find(|(_, label)| label.kind == modality).unwrap();
            let vector = &vectors[index * DIMENSIONS..][..DIMENSIONS];
            // A picture that lies where its name lies, seen from a question.
            let seen = calibration.query_vector(Modality::Text, modality, vector);
            let nearest = labels.nearest(modality, &seen, 5);
            assert_eq!(nearest.len(), 5);
            assert_eq!(nearest[0].text, label.text);
            assert!((nearest[0].cosine - 1.0).abs() < 1e-4);
            assert!(nearest.is_sorted_by(|a, b| a.cosine >= b.cosine && a.confidence >= b.confidence));
            assert!(nearest.iter().all(|nearest| (0.0..=1.0).contains(&nearest.confidence)));
        }
        assert!(labels.nearest(Modality::Text, &vectors[..DIMENSIONS], 5).is_empty());
    }
}
