//! A very small BERT with random weights, in the same layout as the real ones, for tests that need a model but not its sense.

use std::path::Path;

use safetensors::tensor::{Dtype, TensorView, serialize_to_file};
use serde_json::json;

use crate::error::ModelError;

/// Width of the vectors of [`write`]'s model.
pub const TINY_WIDTH: usize = 32;

const LAYERS: usize = 2;
const INNER: usize = 64;
const POSITIONS: usize = 64;

/// Writes a model folder: 2 layers, width 32, 64 positions, a vocabulary of ASCII characters. The same `seed` gives the same weights.
pub fn write(folder: &Path, seed: u64) -> Result<(), ModelError> {
    let vocabulary = vocabulary();
    let config = json!({
        "model_type": "bert", "hidden_act": "gelu", "hidden_size": TINY_WIDTH, "intermediate_size": INNER,
        "num_hidden_layers": LAYERS, "num_attention_heads": 4, "max_position_embeddings": POSITIONS,
        "type_vocab_size": 2, "vocab_size": vocabulary.len(), "layer_norm_eps": 1e-12
    });
    put(folder, "config.json", &config)?;
    put(
        folder,
        "modules.json",
        &json!([
            {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
            {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
            {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}
        ]),
    )?;
    put(folder, "1_Pooling/config.json", &json!({"pooling_mode_mean_tokens": true, "pooling_mode_cls_token": false}))?;
    put(folder, "tokenizer.json", &tokenizer(&vocabulary))?;
    weights(&folder.join("model.safetensors"), vocabulary.len(), seed)
}

fn put(folder: &Path, name: &str, value: &serde_json::Value) -> Result<(), ModelError> {
    let path = folder.join(name);
    let written =
        path.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(&path, value.to_string()));
    written.map_err(|error| ModelError::Unreadable { path, reason: error.to_string() })
}

fn vocabulary() -> Vec<String> {
    let special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"].map(str::to_owned);
    let characters = (33_u8..127).map(|byte| char::from(byte).to_string());
    let inside = (b'a'..=b'z').chain(b'0'..=b'9').map(|byte| format!("##{}", char::from(byte)));
    special.into_iter().chain(characters.filter(|text| !text.chars().all(char::is_uppercase))).chain(inside).collect()
}

fn tokenizer(vocabulary: &[String]) -> serde_json::Value {
    let special = |id: usize, content: &str| json!({"id": id, "content": content, "special": true, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false});
    let numbered: serde_json::Map<String, serde_json::Value> =
        vocabulary.iter().enumerate().map(|(id, token)| (token.clone(), json!(id))).collect();
    json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": [special(0, "[PAD]"), special(1, "[UNK]"), special(2, "[CLS]"), special(3, "[SEP]")],
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
            "pair": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "[SEP]", "type_id": 0}},
                     {"Sequence": {"id": "B", "type_id": 1}}, {"SpecialToken": {"id": "[SEP]", "type_id": 1}}],
            "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]}, "[SEP]": {"id": "[SEP]", "ids": [3], "tokens": ["[SEP]"]}}
        },
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": numbered}
    })
}

fn weights(path: &Path, words: usize, seed: u64) -> Result<(), ModelError> {
    let width = TINY_WIDTH;
    let mut shapes: Vec<(String, Vec<usize>)> = vec![
        ("embeddings.word_embeddings.weight".to_owned(), vec![words, width]),
        ("embeddings.position_embeddings.weight".to_owned(), vec![POSITIONS, width]),
        ("embeddings.token_type_embeddings.weight".to_owned(), vec![2, width]),
    ];
    let mut norm = |name: String| {
        shapes.push((format!("{name}.weight"), vec![width]));
        shapes.push((format!("{name}.bias"), vec![width]));
    };
    norm("embeddings.LayerNorm".to_owned());
    for layer in 0..LAYERS {
        norm(format!("encoder.layer.{layer}.attention.output.LayerNorm"));
        norm(format!("encoder.layer.{layer}.output.LayerNorm"));
    }
    for layer in 0..LAYERS {
        for (name, inputs, outputs) in [
            ("attention.self.query", width, width),
            ("attention.self.key", width, width),
            ("attention.self.value", width, width),
            ("attention.output.dense", width, width),
            ("intermediate.dense", width, INNER),
            ("output.dense", INNER, width),
        ] {
            shapes.push((format!("encoder.layer.{layer}.{name}.weight"), vec![outputs, inputs]));
            shapes.push((format!("encoder.layer.{layer}.{name}.bias"), vec![outputs]));
        }
    }
    let mut state = seed;
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = shapes
        .into_iter()
        .map(|(name, shape)| {
            let is_gain = name.ends_with("LayerNorm.weight");
            let bytes = (0..shape.iter().product())
                .flat_map(|_| (if is_gain { 1.0 } else { 0.3 * random(&mut state) }).to_le_bytes())
                .collect();
            (name, shape, bytes)
        })
        .collect();
    let views = tensors.iter().map(|(name, shape, bytes)| {
        TensorView::new(Dtype::F32, shape.clone(), bytes).map(|view| (name.as_str(), view))
    });
    views
        .collect::<Result<Vec<_>, _>>()
        .and_then(|views| serialize_to_file(views, None, path))
        .map_err(|error| ModelError::malformed(path, &format!("{error:?}")))
}

/// The next number of a seeded sequence, evenly in -1..1 (Steele et al., `SplitMix64`, 2014).
fn random(state: &mut u64) -> f32 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((mixed ^ (mixed >> 31)) >> 40) as f32 / (1 << 23) as f32 - 1.0
}
