//! RoBERTa's tokenizer: byte-level BPE (Radford et al., "Language models are unsupervised multitask learners", 2019).

use std::collections::HashMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};

use super::config::unsupported;
use crate::error::ModelError;
use crate::source::{Source, read};
use crate::text::Tokens;

const SPECIAL: [&str; 5] = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"];

/// `tokenizer_config.json`, as far as it matters.
#[derive(Deserialize, Default)]
#[serde(default)]
struct TokenizerConfig {
    /// As a number with a point: files that know no limit have one beyond all integers.
    model_max_length: Option<f64>,
    add_prefix_space: bool,
}

/// Reads `tokenizer.json`, or where it is missing `vocab.json` and `merges.txt`. A text has at most `most` tokens, or fewer if
/// `tokenizer_config.json` says so.
pub fn load(source: &Source, most: usize) -> Result<Tokens, ModelError> {
    let config: TokenizerConfig = source.optional_json("tokenizer_config.json")?.unwrap_or_default();
    let most = config.model_max_length.map_or(most, |limit| most.min(limit as usize));
    match source.file("tokenizer.json") {
        Ok(path) => Tokens::load(&path, most),
        Err(ModelError::MissingFile { .. }) if source.file("vocab.json").is_ok() => {
            if config.add_prefix_space {
                return Err(unsupported("add_prefix_space", "true", "false"));
            }
            let path = source.file("vocab.json")?;
            let merges = merges(&source.file("merges.txt")?)?;
            Tokens::parse(&path, &assembled(&path, &source.json("vocab.json")?, &merges)?, most)
        }
        Err(missing) => Err(missing),
    }
}

/// The pairs of `merges.txt`, one a line, after a line that tells the version.
fn merges(path: &Path) -> Result<Vec<[String; 2]>, ModelError> {
    let text = String::from_utf8(read(path)?).map_err(|error| ModelError::malformed(path, &error))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with("#version"));
    let pair = |(index, line): (usize, &str)| match line.split_once(' ') {
        Some((left, right)) => Ok([left.to_owned(), right.to_owned()]),
        None => Err(ModelError::malformed(path, &format!("line {} is not a pair", index + 1))),
    };
    lines.map(pair).collect()
}

/// The same as a `tokenizer.json`.
fn assembled(path: &Path, vocabulary: &HashMap<String, u32>, merges: &[[String; 2]]) -> Result<String, ModelError> {
    let number = |token: &str| {
        let missing = || ModelError::malformed(path, &format!("it has no token \"{token}\""));
        vocabulary.get(token).copied().ok_or_else(missing)
    };
    let mut added = Vec::with_capacity(SPECIAL.len());
    for token in SPECIAL {
        let special = json!({
            "id": number(token)?, "content": token, "single_word": false, "lstrip": token == "<mask>",
            "rstrip": false, "normalized": false, "special": true,
        });
        added.push(special);
    }
    let (start, end) = (number("<s>")?, number("</s>")?);
    let whole = json!({
        "version": "1.0",
        "truncation": Value::Null,
        "padding": Value::Null,
        "added_tokens": added,
        "normalizer": Value::Null,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
        "post_processor": {
            "type": "RobertaProcessing", "sep": ["</s>", end], "cls": ["<s>", start],
            "trim_offsets": true, "add_prefix_space": false,
        },
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
        "model": {
            "type": "BPE", "dropout": Value::Null, "unk_token": Value::Null, "continuing_subword_prefix": "",
            "end_of_word_suffix": "", "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": vocabulary, "merges": merges,
        },
    });
    Ok(whole.to_string())
}
