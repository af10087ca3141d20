//! The expected vectors of `models/starter/goldens.json`, for tests.

use serde::Deserialize;

use crate::source::Source;

#[derive(Deserialize)]
pub struct Goldens {
    pub pictures: Vec<Golden>,
    pub sounds: Vec<Golden>,
}

#[derive(Deserialize)]
pub struct Golden {
    pub name: String,
    embedding: Vec<f32>,
}

impl Golden {
    pub fn check(&self, vector: &[f32]) {
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
        let cosine =
            dot(vector, &self.embedding) / (dot(vector, vector) * dot(&self.embedding, &self.embedding)).sqrt();
        assert!(cosine >= 0.9999, "{}: cosine {cosine}", self.name);
    }
}

/// The bundled models of this repository.
pub fn source() -> Source {
    Source::Bundled(concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/starter").into())
}

pub fn read() -> Goldens {
    source().json("goldens.json").unwrap()
}
