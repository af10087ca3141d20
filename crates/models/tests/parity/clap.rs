//! CLAP: fused and unfused.

use std::path::Path;
use std::sync::Arc;

use candle_core::{DType, Device};
use sensorium_domain::encoder::{EncodeInput, Tower};
use sensorium_media::{Sound, resample};
use sensorium_models::{ClapAudio, ClapText, ModelError, Source};

use crate::case::{self, Case, cosine};

const SMALL: [&str; 3] = ["clap-htsat-unfused", "clap-htsat-fused", "clap-larger-general"];

/// The files, and the second followed by the first.
fn sounds(case: &Case) -> Vec<EncodeInput> {
    let mut sounds = case.sounds();
    let EncodeInput::Audio { sample_rate_hz, samples: second } = &sounds[1] else { panic!("no sound") };
    let EncodeInput::Audio { samples: first, .. } = &sounds[0] else { panic!("no sound") };
    let both = EncodeInput::Audio {
        sample_rate_hz: *sample_rate_hz,
        samples: second.iter().chain(&**first).copied().collect(),
    };
    sounds.push(both);
    sounds
}

fn sound(sample_rate_hz: u32, samples: &[f32]) -> EncodeInput {
    EncodeInput::Audio { sample_rate_hz, samples: Arc::from(samples) }
}

fn audio(case: &Case, dtype: DType) -> ClapAudio {
    ClapAudio::load(&case.source(), dtype, &Device::Cpu).unwrap()
}

fn text(case: &Case, dtype: DType) -> ClapText {
    ClapText::load(&case.source(), dtype, &Device::Cpu).unwrap()
}

fn vectors(tower: &dyn Tower, inputs: &[EncodeInput]) -> Vec<Vec<f32>> {
    tower.forward(inputs).unwrap().into_iter().map(Result::unwrap).collect()
}

fn from_features(tower: &ClapAudio, features: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let features: Vec<&[f32]> = features.iter().map(Vec::as_slice).collect();
    tower.encode_features(&features).unwrap().into_iter().map(Result::unwrap).collect()
}

fn assert_close(a: &[f32], b: &[f32]) {
    let difference = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(difference <= 1e-5, "{difference}");
}

fn check_sounds(case: &Case) {
    let tower = audio(case, DType::F32);
    let (expected, features) = (case.expected("audio"), case.expected("input_features"));
    case.compare("audio, same tensors", &from_features(&tower, &features), &expected, 0.9999);
    let sounds = sounds(case);
    let found: Vec<Vec<f32>> = sounds.iter().map(|sound| tower.features(sound).unwrap()).collect();
    for (index, (found, expected)) in found.iter().zip(&features).enumerate() {
        let difference = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(found.len() == expected.len() && difference < 1e-2, "{} {index}: {difference} dB", case.name);
    }
    let together = vectors(&tower, &sounds);
    case.compare("audio, from files", &together, &expected, 0.999);
    for index in [0, 1, sounds.len() - 1] {
        assert_close(&vectors(&tower, &sounds[index..=index])[0], &together[index]);
    }
}

fn check_texts(case: &Case) {
    let tower = text(case, DType::F32);
    let texts: Vec<EncodeInput> = case.texts().into_iter().map(|text| EncodeInput::Text(Arc::from(text))).collect();
    let tokens: Vec<Vec<u32>> = serde_json::from_value(case.facts()["tokens"].clone()).unwrap();
    for (text, tokens) in case.texts().iter().zip(&tokens) {
        assert_eq!(&tower.tokenise(text).unwrap(), tokens, "{} \"{text}\"", case.name);
    }
    let expected = case.expected("text");
    let sequences: Vec<&[u32]> = tokens.iter().map(Vec::as_slice).collect();
    let found: Vec<Vec<f32>> = tower.encode_sequences(&sequences).unwrap().into_iter().map(Result::unwrap).collect();
    case.compare("text, same tokens", &found, &expected, 0.9999);
    let together = vectors(&tower, &texts);
    case.compare("text, from words", &together, &expected, 0.999);
    for (text, together) in texts.iter().zip(&together) {
        assert_close(&vectors(&tower, std::slice::from_ref(text))[0], together);
    }
}

fn check_half(case: &Case) {
    let few = |mut rows: Vec<Vec<f32>>| {
        rows.truncate(3);
        rows
    };
    let found = from_features(&audio(case, DType::BF16), &few(case.expected("input_features")));
    case.compare("audio, bf16", &found, &few(case.expected("audio")), 0.995);
    let tower = text(case, DType::BF16);
    let texts: Vec<EncodeInput> = case.texts().into_iter().map(|text| EncodeInput::Text(Arc::from(text))).collect();
    case.compare("text, bf16", &vectors(&tower, &texts), &case.expected("text"), 0.995);
}

#[test]
fn sounds_are_as_in_the_reference() {
    SMALL.map(case::small).iter().for_each(check_sounds);
}

#[test]
fn texts_are_as_in_the_reference() {
    SMALL.map(case::small).iter().for_each(check_texts);
}

#[test]
fn half_precision_is_near_enough() {
    SMALL.map(case::small).iter().for_each(check_half);
}

#[test]
fn models_of_full_size() {
    for case in case::full_size("clap") {
        check_sounds(&case);
        check_texts(&case);
        check_half(&case);
    }
}

#[test]
fn a_bad_input_spoils_no_other() {
    for case in SMALL.map(case::small) {
        let tower = audio(&case, DType::F32);
        let good = sounds(&case).remove(1);
        // In all bands louder than can be told.
        let click: Vec<f32> = std::iter::once(f32::MAX).chain([0.0; 999]).collect();
        let inputs = [
            sound(48_000, &[]),
            good.clone(),
            sound(48_000, &[0.0, f32::NAN]),
            sound(48_000, &[f32::INFINITY; 10]),
            sound(0, &[0.5; 10]),
            EncodeInput::Text(Arc::from("a dog barks")),
            sound(48_000, &click),
            sound(48_000, &[0.5]),
            sound(8_000, &[0.0; 400]),
            good.clone(),
        ];
        let found = tower.forward(&inputs).unwrap();
        let is_good: Vec<bool> = found.iter().map(Result::is_ok).collect();
        assert_eq!(is_good, [false, true, false, false, false, false, false, true, true, true], "{found:?}");
        assert_close(found[1].as_ref().unwrap(), &vectors(&tower, &[good])[0]);
        assert!(found.iter().flatten().flatten().all(|value| value.is_finite()));
        assert!(found[5].as_ref().unwrap_err().contains("takes no text"));
        assert!(tower.forward(&[]).unwrap().is_empty());

        let tower = text(&case, DType::F32);
        let words = EncodeInput::Text(Arc::from("<pad> in the middle of <s> it"));
        let found = tower.forward(&[sound(48_000, &[0.5]), words, EncodeInput::Text(Arc::from(""))]).unwrap();
        assert!(found[0].as_ref().unwrap_err().contains("takes no audio"));
        assert!(found[1].is_ok() && found[2].is_ok());
        assert!(tower.forward(&[]).unwrap().is_empty());
    }
}

#[test]
fn any_sample_rate_is_taken() {
    let case = case::small(SMALL[0]);
    let tower = audio(&case, DType::F32);
    let original = &sounds(&case)[1];
    let EncodeInput::Audio { sample_rate_hz, samples } = original else { panic!("no sound") };
    let slower = Sound { sample_rate_hz: *sample_rate_hz, samples: samples.to_vec(), channels_in_file: 1 };
    let slower = resample(&slower, 44_100).unwrap();
    let found = vectors(&tower, &[sound(44_100, &slower.samples), original.clone()]);
    assert!(cosine(&found[0], &found[1]) > 0.99, "{}", cosine(&found[0], &found[1]));
}

/// A copy of a small case's folder without what the test writes anew.
fn copied(name: &str, without: &str) -> (tempfile::TempDir, Source) {
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(&case::small(name).folder).unwrap() {
        let path = entry.unwrap().path();
        let file_name = path.file_name().unwrap();
        if file_name != without {
            std::fs::copy(&path, folder.path().join(file_name)).unwrap();
        }
    }
    let source = Source::Folder(folder.path().to_owned());
    (folder, source)
}

fn json(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn features_may_be_described_by_the_processor() {
    let case = case::small(SMALL[0]);
    let (folder, source) = copied(SMALL[0], "preprocessor_config.json");
    let error = ClapAudio::load(&source, DType::F32, &Device::Cpu).err().unwrap().to_string();
    assert!(error.ends_with("preprocessor_config.json is missing"), "{error}");
    let inner = json(&case.folder.join("preprocessor_config.json"));
    let processor = serde_json::json!({"feature_extractor": inner, "processor_class": "ClapProcessor"});
    std::fs::write(folder.path().join("processor_config.json"), processor.to_string()).unwrap();
    let tower = ClapAudio::load(&source, DType::F32, &Device::Cpu).unwrap();
    assert_eq!(vectors(&tower, &case.sounds()), vectors(&audio(&case, DType::F32), &case.sounds()));
}

#[test]
fn features_that_the_model_does_not_take_are_refused() {
    for (name, field, value) in [
        (SMALL[0], "truncation", serde_json::json!("fusion")),
        (SMALL[1], "truncation", serde_json::json!("rand_trunc")),
        (SMALL[0], "feature_size", serde_json::json!(32)),
        (SMALL[0], "feature_extractor_type", serde_json::json!("WhisperFeatureExtractor")),
        (SMALL[0], "hop_length", serde_json::json!(0)),
        (SMALL[0], "fft_window_size", serde_json::json!(1023)),
        (SMALL[0], "frequency_min", serde_json::json!(14_000)),
        (SMALL[0], "max_length_s", serde_json::json!(10)),
        (SMALL[0], "max_length_s", serde_json::json!(0)),
    ] {
        let (folder, source) = copied(name, "");
        let path = folder.path().join("preprocessor_config.json");
        let mut config = json(&path);
        config[field] = value;
        std::fs::write(&path, config.to_string()).unwrap();
        match ClapAudio::load(&source, DType::F32, &Device::Cpu) {
            Err(ModelError::Unsupported { .. }) => {}
            other => panic!("{field}: {:?}", other.err()),
        }
    }
}

#[test]
fn a_vocabulary_that_lacks_a_token_or_a_pair_is_refused() {
    let (folder, source) = copied(SMALL[1], "merges.txt");
    let load = |source: &Source| ClapText::load(source, DType::F32, &Device::Cpu).err().unwrap().to_string();
    assert!(load(&source).ends_with("tokenizer.json is missing"), "{}", load(&source));
    std::fs::write(folder.path().join("merges.txt"), "#version: 0.2\no r\nword\n").unwrap();
    assert!(load(&source).contains("vocab.json cannot be understood"), "{}", load(&source));
    let path = folder.path().join("vocab.json");
    let mut vocabulary = json(&path);
    vocabulary.as_object_mut().unwrap().remove("</s>");
    std::fs::write(&path, vocabulary.to_string()).unwrap();
    std::fs::write(folder.path().join("merges.txt"), "#version: 0.2\n").unwrap();
    assert!(load(&source).ends_with("it lacks \"</s>\""), "{}", load(&source));
}
