//! A case: a model folder, what the reference implementation said of the inputs, and how far ours is from it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sensorium_domain::EncodeInput;
use sensorium_media::{Limits, decode_audio, decode_image, sniff};
use sensorium_models::Source;
use sensorium_models::weights::Weights;

/// Where the committed small cases and their inputs are.
pub fn small(name: &str) -> Case {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity/small");
    Case { name: name.to_owned(), folder: folder.join(name), inputs: folder.join("inputs"), is_small: true }
}

/// The full-size cases that `make parity` has written, those whose names begin with `prefix`; none where it was not run.
pub fn full_size(prefix: &str) -> Vec<Case> {
    let Some(root) = std::env::var_os("SENSORIUM_PARITY_DIR").map(PathBuf::from) else { return Vec::new() };
    let mut names: Vec<String> = std::fs::read_dir(&root)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with(prefix))
        .collect();
    names.sort();
    let case = |name: String| Case { folder: root.join(&name), inputs: root.join("inputs"), name, is_small: false };
    names.into_iter().map(case).collect()
}

/// A model with its inputs and what is expected of it.
pub struct Case {
    pub name: String,
    pub folder: PathBuf,
    inputs: PathBuf,
    is_small: bool,
}

impl Case {
    /// Of how many inputs one is also encoded alone: a model of full size takes minutes for all.
    pub fn alone_every(&self) -> usize {
        if self.is_small { 1 } else { 5 }
    }

    pub fn source(&self) -> Source {
        Source::Folder(self.folder.clone())
    }

    /// A tensor of expected.safetensors, row by row (first dimension: the inputs).
    pub fn expected(&self, name: &str) -> Vec<Vec<f32>> {
        let weights = Weights::open(&self.folder.join("expected.safetensors")).unwrap();
        let shape = weights.shape(name).unwrap_or_else(|| panic!("{} expects no {name}", self.name)).to_vec();
        let flat = weights.tensor(name, &shape).unwrap();
        flat.chunks_exact(flat.len() / shape[0]).map(<[f32]>::to_vec).collect()
    }

    /// What expected.json says.
    pub fn facts(&self) -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(self.folder.join("expected.json")).unwrap()).unwrap()
    }

    pub fn texts(&self) -> Vec<String> {
        serde_json::from_slice(&std::fs::read(self.inputs.join("texts.json")).unwrap()).unwrap()
    }

    fn files(&self, kind: &str) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> =
            std::fs::read_dir(self.inputs.join(kind)).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }

    /// Every picture, from the bytes of its file.
    pub fn pictures(&self) -> Vec<EncodeInput> {
        let decode = |path: PathBuf| {
            let bytes = std::fs::read(&path).unwrap();
            let picture = decode_image(&bytes, sniff(&bytes, None).unwrap(), &Limits::default()).unwrap().on_white();
            EncodeInput::Image { width_px: picture.width_px, height_px: picture.height_px, rgb: Arc::from(picture.rgb) }
        };
        self.files("pictures").into_iter().map(decode).collect()
    }

    /// Every sound, from the bytes of its file.
    pub fn sounds(&self) -> Vec<EncodeInput> {
        let decode = |path: PathBuf| {
            let bytes = std::fs::read(&path).unwrap();
            let sound = decode_audio(&bytes, sniff(&bytes, None).unwrap(), &Limits::default()).unwrap();
            EncodeInput::Audio { sample_rate_hz: sound.sample_rate_hz, samples: Arc::from(sound.samples) }
        };
        self.files("sounds").into_iter().map(decode).collect()
    }

    /// Compares vectors one by one, prints a row of the table, and fails below `floor`.
    pub fn compare(&self, what: &str, found: &[Vec<f32>], expected: &[Vec<f32>], floor: f32) {
        assert_eq!(found.len(), expected.len(), "{} {what}", self.name);
        let cosines: Vec<f32> = found.iter().zip(expected).map(|(a, b)| cosine(a, b)).collect();
        let worst = cosines.iter().copied().fold(f32::INFINITY, f32::min);
        // What random weights give is only worth something where different inputs get different vectors.
        let alike = expected.iter().skip(1).map(|other| cosine(&expected[0], other)).fold(f32::NEG_INFINITY, f32::max);
        println!("parity | {} | {what} | {} | {worst:.7} | {floor} | {alike:.4} |", self.name, found.len());
        assert!(worst >= floor, "{} {what}: cosines {cosines:?}", self.name);
    }
}

pub fn cosine(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    (dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()) as f32
}
