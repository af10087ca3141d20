//! Cross-encoders: tokens of pairs, scores, batches.

use candle_core::{DType, Device};
use sensorium_models::text::{Reranker, ScoreActivation};

use crate::case::{Case, full_size, small};

fn scores(reranker: &Reranker, queries: &[String], texts: &[&str]) -> Vec<f32> {
    queries.iter().flat_map(|query| reranker.score(query, texts)).map(Result::unwrap).collect()
}

fn farthest(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// The order in which passages would be shown.
fn ranked(scores: &[f32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
    order
}

fn is_the_reference(case: &Case) {
    let facts = case.facts();
    let texts = case.texts();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let queries: Vec<String> = serde_json::from_value(facts["queries"].clone()).unwrap();
    let reranker = Reranker::load(&case.source()).unwrap();

    let expected: Vec<Vec<u32>> = serde_json::from_value(facts["tokens"].clone()).unwrap();
    let segments: Option<Vec<Vec<u8>>> = serde_json::from_value(facts["segments"].clone()).unwrap();
    let pairs = queries.iter().flat_map(|query| texts.iter().map(move |text| (query, text)));
    for (index, (query, text)) in pairs.enumerate() {
        let (tokens, found): (Vec<u32>, Vec<u8>) = reranker.token_ids(query, text).unwrap().into_iter().unzip();
        assert_eq!(tokens, expected[index], "{}: {text:?}", case.name);
        if let Some(segments) = &segments {
            assert_eq!(found, segments[index], "{}: {text:?}", case.name);
        }
    }

    let expected: Vec<f32> = case.expected("scores").into_iter().flatten().collect();
    let found = scores(&reranker, &queries, &texts);
    let range = expected.iter().copied().fold(f32::NEG_INFINITY, f32::max)
        - expected.iter().copied().fold(f32::INFINITY, f32::min);
    println!(
        "parity | {} | scores, farthest | {} | {:.2e} | 1e-3 of {range:.3} |",
        case.name,
        found.len(),
        farthest(&found, &expected)
    );
    assert!(range > 0.1, "{}: scores that are all alike prove nothing", case.name);
    assert!(farthest(&found, &expected) <= 1e-3 * range, "{}: {found:?} for {expected:?}", case.name);
    for (found, expected) in found.chunks_exact(texts.len()).zip(expected.chunks_exact(texts.len())) {
        assert_eq!(ranked(found), ranked(expected), "{}", case.name);
    }
    let alone: Vec<f32> = queries
        .iter()
        .flat_map(|query| texts.iter().map(|text| reranker.score(query, &[text]).remove(0).unwrap()))
        .collect();
    assert!(farthest(&found, &alone) <= 1e-5 * range.max(1.0), "{} alone", case.name);
    let activation =
        if facts["activation"] == "Identity" { ScoreActivation::Identity } else { ScoreActivation::Sigmoid };
    assert_eq!(reranker.activation(), activation, "{}", case.name);

    drop(reranker);
    let half = Reranker::load_on(&case.source(), DType::BF16, &Device::Cpu).unwrap();
    let half = scores(&half, &queries, &texts);
    let of_the_reference: Vec<f32> = case.expected("scores_in_bf16").into_iter().flatten().collect();
    let most = 2.0 * farthest(&of_the_reference, &expected);
    println!(
        "parity | {} | scores in bf16, farthest | {} | {:.2e} | {most:.2e}, twice the reference's own |",
        case.name,
        half.len(),
        farthest(&half, &expected)
    );
    assert!(farthest(&half, &expected) <= most, "{} in bf16", case.name);
}

#[test]
fn bert() {
    is_the_reference(&small("rerank-minilm"));
}

#[test]
fn xlmr() {
    is_the_reference(&small("rerank-xlmr-base"));
}

#[test]
fn models_of_full_size() {
    full_size("rerank").iter().for_each(is_the_reference);
}

#[test]
fn no_passages_are_no_scores() {
    assert!(Reranker::load(&small("rerank-minilm").source()).unwrap().score("a query", &[]).is_empty());
}

#[test]
fn what_is_no_reranker_is_refused_by_name() {
    let error = Reranker::load(&small("text-minilm-l6").source()).err().unwrap().to_string();
    assert!(error.contains("number of labels \"2\" is not supported; supported: 1"), "{error}");
}
