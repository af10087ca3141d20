//! What is asked of every pair of towers that share a space, one of pictures and one of texts.

use candle_core::{DType, Device, Tensor};
use sensorium_domain::EncodeInput;
use sensorium_domain::encoder::Tower;
use sensorium_models::image_processor::ImageProcessor;

use crate::case::Case;

/// Prepared pictures against the reference's, from the bytes of their files. Prints by how many steps of a byte they differ.
pub fn prepared_pictures(case: &Case, processor: &ImageProcessor, step: f32) {
    let expected = case.expected("pixel_values");
    let prepare = |input: &EncodeInput| match input {
        EncodeInput::Image { width_px, height_px, rgb } => processor.apply(*width_px, *height_px, rgb).unwrap(),
        other => panic!("a picture, not {}", other.modality()),
    };
    let found: Vec<Vec<f32>> = case.pictures().iter().map(prepare).collect();
    let steps = |found: &[f32], expected: &[f32]| {
        found.iter().zip(expected).map(|(a, b)| ((a - b).abs() / step).round() as u32).max().unwrap_or(0)
    };
    let largest: Vec<u32> = found.iter().zip(&expected).map(|(found, expected)| steps(found, expected)).collect();
    println!("parity | {} | largest differences of pixels | {largest:?} |", case.name);
    case.compare("prepared pictures from files", &found, &expected, 0.999);
}

/// The reference's prepared pictures: pictures x 3 x side x side.
pub fn pixels(case: &Case, processor: &ImageProcessor) -> Tensor {
    let expected = case.expected("pixel_values");
    let (height, width) = processor.size();
    Tensor::from_vec(expected.concat(), (expected.len(), 3, height, width), &Device::Cpu).unwrap()
}

/// Token numbers must be the reference's, one and all.
pub fn tokens(case: &Case, tokenise: impl Fn(&str) -> Result<Vec<u32>, String>) -> Vec<Vec<u32>> {
    let expected: Vec<Vec<u32>> = serde_json::from_value(case.facts()["tokens"].clone()).unwrap();
    let texts = case.texts();
    assert_eq!(texts.len(), expected.len());
    for (text, expected) in texts.iter().zip(&expected) {
        assert_eq!(tokenise(text).unwrap(), *expected, "{}: {text:?}", case.name);
    }
    println!("parity | {} | tokens of {} texts | identical |", case.name, texts.len());
    expected
}

/// Features from the reference's own tensors.
pub fn features(case: &Case, what: &str, found: candle_core::Result<Tensor>, expected: &str) {
    let found: Vec<Vec<f32>> = found.unwrap().to_vec2().unwrap();
    case.compare(what, &found, &case.expected(expected), 0.9999);
}

/// How far a number of a vector may be from what it is in a batch of one: in 32 bits only the order of additions differs.
const APART: f32 = 1e-5;
/// In 16 bits that decides how a number in between is rounded, at every layer: a step of bf16 beside 1.
const APART_IN_HALF: f32 = 1.0 / 256.0;

/// The tower as the server sees it: from content to unit vectors, the same alone as in company.
pub fn tower(case: &Case, what: &str, tower: &dyn Tower, inputs: &[EncodeInput], expected: &str, floor: f32) {
    let apart = encoded(case, what, tower, inputs, expected, floor);
    assert!(apart < APART, "{} {what}: alone and in company differ by {apart}", case.name);
}

/// Both towers, which were loaded in `dtype`.
pub fn half_precision(case: &Case, dtype: DType, vision: &dyn Tower, text: &dyn Tower) {
    let pictures = (format!("pictures in {dtype:?}"), vision, case.pictures(), "image_features");
    let texts = (format!("texts in {dtype:?}"), text, texts(case), "text_features");
    for (what, tower, inputs, expected) in [pictures, texts] {
        let apart = encoded(case, &what, tower, &inputs, expected, 0.995);
        println!("parity | {} | {what}: largest difference alone and in company | {apart:.1e} |", case.name);
        assert!(apart < APART_IN_HALF, "{} {what}: alone and in company differ by {apart}", case.name);
    }
}

/// Compares vectors with the reference's and returns the largest difference between one alone and the same in company.
fn encoded(case: &Case, what: &str, tower: &dyn Tower, inputs: &[EncodeInput], expected: &str, floor: f32) -> f32 {
    let encode = |inputs: &[EncodeInput]| -> Vec<Vec<f32>> {
        tower.forward(inputs).unwrap().into_iter().map(Result::unwrap).collect()
    };
    let together = encode(inputs);
    case.compare(what, &together, &case.expected(expected), floor);
    let mut apart = 0.0_f32;
    for (input, vector) in inputs.iter().zip(&together).step_by(case.alone_every()) {
        let alone = encode(std::slice::from_ref(input));
        apart = alone[0].iter().zip(vector).map(|(a, b)| (a - b).abs()).fold(apart, f32::max);
        let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
        assert!((length - 1.0).abs() < 1e-5 && vector.len() == tower.dimensions(), "{} {what}", case.name);
    }
    apart
}

/// The texts as inputs.
pub fn texts(case: &Case) -> Vec<EncodeInput> {
    case.texts().into_iter().map(|text| EncodeInput::Text(text.into())).collect()
}
