//! Sentence encoders: tokens, vectors of queries and passages, batches, and half precision.

use std::sync::Arc;

use candle_core::{DType, Device};
use sensorium_domain::EncodeInput;
use sensorium_domain::encoder::Tower;
use sensorium_models::TextEncoder;
use sensorium_models::text::{TextOptions, TextTower};

use crate::case::{Case, full_size, small};

/// Vectors of the same inputs by two ways of this side differ by no more.
const CLOSE: f32 = 1e-5;

fn options(case: &Case) -> TextOptions {
    let facts = case.facts();
    let prompt = |name: &str| facts[name].as_str().map(str::to_owned);
    TextOptions { query_prompt: prompt("query_prompt"), passage_prompt: prompt("passage_prompt"), pooling: None }
}

fn load(case: &Case, dtype: DType) -> Arc<TextEncoder> {
    Arc::new(TextEncoder::load_on(&case.source(), dtype, &Device::Cpu, options(case)).unwrap())
}

fn queries(texts: &[String]) -> Vec<EncodeInput> {
    texts.iter().map(|text| EncodeInput::Query(text.as_str().into())).collect()
}

fn passages(texts: &[String]) -> Vec<EncodeInput> {
    texts.iter().map(|text| EncodeInput::Text(text.as_str().into())).collect()
}

fn vectors(tower: &TextTower, inputs: &[EncodeInput]) -> Vec<Vec<f32>> {
    tower.forward(inputs).unwrap().into_iter().map(Result::unwrap).collect()
}

fn assert_close(case: &Case, what: &str, a: &[f32], b: &[f32]) {
    let difference = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(difference <= CLOSE, "{} {what}: {difference}", case.name);
}

fn tokens_are_identical(case: &Case, encoder: &TextEncoder) {
    let expected: Vec<Vec<u32>> = serde_json::from_value(case.facts()["tokens"].clone()).unwrap();
    for (text, expected) in case.texts().iter().zip(&expected) {
        assert_eq!(&encoder.token_ids(text).unwrap(), expected, "{}: {text:?}", case.name);
    }
}

fn numbers_do_as_well_as_texts(case: &Case, encoder: &TextEncoder) {
    let texts = case.texts();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let sequences: Vec<Vec<u32>> = texts.iter().map(|text| encoder.token_ids(text).unwrap()).collect();
    let by_numbers = encoder.encode_ids(&sequences).unwrap();
    for (vector, other) in encoder.encode(&texts).unwrap().iter().zip(&by_numbers) {
        assert_close(case, "by numbers", vector, other);
    }
    assert!(encoder.encode_ids(&[vec![1; 100_000]]).unwrap_err().contains("100000 tokens"));
}

fn is_the_reference(case: &Case) {
    let encoder = load(case, DType::F32);
    tokens_are_identical(case, &encoder);
    numbers_do_as_well_as_texts(case, &encoder);
    let tower = encoder.tower();
    for (what, inputs) in [("query", queries(&case.texts())), ("passage", passages(&case.texts()))] {
        let together = vectors(&tower, &inputs);
        case.compare(what, &together, &case.expected(what), 0.9999);
        for (index, vector) in together.iter().enumerate() {
            assert_close(case, "alone", vector, &vectors(&tower, &inputs[index..=index])[0]);
        }
        let backwards: Vec<EncodeInput> = inputs.iter().rev().cloned().collect();
        for (vector, other) in together.iter().zip(vectors(&tower, &backwards).iter().rev()) {
            assert_close(case, "backwards", vector, other);
        }
    }
    drop((tower, encoder));
    let half = load(case, DType::BF16);
    case.compare(
        "passage in bf16",
        &vectors(&half.tower(), &passages(&case.texts())),
        &case.expected("passage"),
        0.995,
    );
}

#[test]
fn bert() {
    ["text-minilm-l6", "text-e5-small", "text-bge-base"].map(small).iter().for_each(is_the_reference);
}

#[test]
fn roberta_and_xlmr() {
    ["text-distilroberta", "text-xlmr-base", "text-bge-m3"].map(small).iter().for_each(is_the_reference);
}

#[test]
fn mpnet() {
    is_the_reference(&small("text-mpnet-base"));
}

#[test]
fn modernbert() {
    is_the_reference(&small("text-gte-modernbert"));
}

#[test]
fn a_layer_after_pooling_and_prompts_from_the_files() {
    let case = small("text-dense");
    is_the_reference(&case);
    let encoder = load(&case, DType::F32);
    let prompt = |input| encoder.tower().prompt(&input).to_owned();
    assert_eq!(prompt(EncodeInput::Query("a".into())), "find: ");
    assert_eq!(prompt(EncodeInput::Text("a".into())), "text: ");
    assert_eq!(encoder.tower().dimensions(), 16);
    assert_eq!(encoder.passage_room(), encoder.tokens().room() - encoder.count_tokens("text: "));
}

#[test]
fn models_of_full_size() {
    full_size("text").iter().for_each(is_the_reference);
}
