//! CLIP's tokenizer, from `tokenizer.json`, or from `vocab.json` and `merges.txt`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::ModelError;
use crate::source::{Source, read};
use crate::text::Tokens;

const START: &str = "<|startoftext|>";
const END: &str = "<|endoftext|>";
/// Contractions, words, single digits, and runs of what is neither letter, digit nor white space.
const PIECES: &str = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";

#[derive(Default, Deserialize)]
struct TokenizerConfig {
    /// A number without bounds where it was never set.
    model_max_length: Option<f64>,
}

/// The tokenizer of a model that takes up to `positions` tokens.
pub(super) fn load(source: &Source, positions: usize) -> Result<Tokens, ModelError> {
    let config: TokenizerConfig = source.optional_json("tokenizer_config.json")?.unwrap_or_default();
    let most = config.model_max_length.map_or(positions, |most| positions.min(most as usize));
    let missing = match source.file("tokenizer.json") {
        Ok(path) => return Tokens::load(&path, most),
        Err(missing) => missing,
    };
    match (source.file("vocab.json"), source.file("merges.txt")) {
        (Ok(vocabulary), Ok(_)) => Tokens::parse(&vocabulary, &from_vocabulary(source)?.to_string(), most),
        _ => Err(missing),
    }
}

/// The `tokenizer.json` that `CLIPTokenizer` makes of `vocab.json` and `merges.txt`.
fn from_vocabulary(source: &Source) -> Result<Value, ModelError> {
    let vocabulary: BTreeMap<String, u32> = source.json("vocab.json")?;
    let id = |token: &str| {
        let missing = || ModelError::malformed(&source.folder().join("vocab.json"), &format!("it has no \"{token}\""));
        vocabulary.get(token).copied().ok_or_else(missing)
    };
    let (start, end) = (id(START)?, id(END)?);
    let special = |id: u32, content: &str| json!({"id": id, "content": content, "special": true, "normalized": false, "single_word": false, "lstrip": false, "rstrip": false});
    Ok(json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": [special(start, START), special(end, END)],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "NFC"},
            {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "},
            {"type": "Lowercase"}
        ]},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": PIECES}, "behavior": "Removed", "invert": true},
            {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}
        ]},
        "post_processor": {
            "type": "RobertaProcessing", "sep": [END, end], "cls": [START, start], "trim_offsets": false, "add_prefix_space": false
        },
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
        "model": {
            "type": "BPE", "dropout": null, "unk_token": END, "continuing_subword_prefix": "", "end_of_word_suffix": "</w>",
            "fuse_unk": false, "byte_fallback": false, "ignore_merges": false, "vocab": vocabulary, "merges": merges(source)?
        }
    }))
}

/// The pairs of `merges.txt`, in order.
fn merges(source: &Source) -> Result<Vec<[String; 2]>, ModelError> {
    let path = source.file("merges.txt")?;
    let text = String::from_utf8(read(&path)?).map_err(|error| ModelError::malformed(&path, &error))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with("#version"));
    let pairs = lines.map(|(number, line)| match line.trim_end().split_once(' ') {
        Some((left, right)) => Ok([left.to_owned(), right.to_owned()]),
        None => Err(ModelError::malformed(&path, &format!("line {} is not a pair: \"{line}\"", number + 1))),
    });
    pairs.collect()
}
