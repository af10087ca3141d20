//! The tokenizer of a model folder: `tokenizer.json`, or the same made from the older files with nothing but the vocabulary
//! (`vocab.txt` of WordPiece, `vocab.json` with `merges.txt` of byte-level BPE).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::config::{Family, unsupported};
use crate::error::ModelError;
use crate::source::{Source, read};

/// What a `tokenizer.json` says, wherever it comes from.
pub(super) struct TokenizerFile {
    /// The file that errors name.
    pub path: PathBuf,
    /// The tokenizer in the format of the tokenizers library.
    pub json: String,
    /// Whether a text that is too long loses its beginning and not its end.
    pub cut_at_start: bool,
    /// Most tokens of a sequence, where the files say it.
    pub max_tokens: Option<usize>,
}

/// `tokenizer_config.json`.
#[derive(Deserialize, Default)]
struct TokenizerConfig {
    /// Absurdly large, and then a float, where there is no limit.
    model_max_length: Option<f64>,
    truncation_side: Option<String>,
    #[serde(default = "yes")]
    do_lower_case: bool,
    #[serde(default = "yes")]
    tokenize_chinese_chars: bool,
    strip_accents: Option<bool>,
    #[serde(default)]
    add_prefix_space: bool,
    cls_token: Option<SpecialToken>,
    sep_token: Option<SpecialToken>,
    unk_token: Option<SpecialToken>,
    pad_token: Option<SpecialToken>,
    mask_token: Option<SpecialToken>,
}

fn yes() -> bool {
    true
}

/// A special token in either of the two forms that configurations use.
#[derive(Deserialize)]
#[serde(untagged)]
enum SpecialToken {
    Plain(String),
    Detailed { content: String },
}

impl SpecialToken {
    fn or<'a>(token: Option<&'a Self>, default: &'a str) -> &'a str {
        match token {
            Some(Self::Plain(content) | Self::Detailed { content }) => content,
            None => default,
        }
    }
}

impl TokenizerFile {
    /// Finds the tokenizer of a model of this family.
    pub fn find(source: &Source, family: Family) -> Result<Self, ModelError> {
        let config: TokenizerConfig = source.optional_json("tokenizer_config.json")?.unwrap_or_default();
        let cut_at_start = match config.truncation_side.as_deref() {
            None | Some("right") => false,
            Some("left") => true,
            Some(other) => return Err(unsupported("truncation_side", other, "left, right")),
        };
        let max_tokens = config.model_max_length.filter(|most| *most < 1e9).map(|most| most as usize);
        let (path, json) = text_of(source, family, &config)?;
        Ok(Self { path, json, cut_at_start, max_tokens })
    }
}

fn text_of(source: &Source, family: Family, config: &TokenizerConfig) -> Result<(PathBuf, String), ModelError> {
    let missing = match source.file("tokenizer.json") {
        Ok(path) => {
            let text = text(&path)?;
            return Ok((path, text));
        }
        Err(missing) => missing,
    };
    if source.file("added_tokens.json").is_ok() {
        return Err(unsupported("tokenizer file", "added_tokens.json", "tokenizer.json"));
    }
    match family {
        Family::Bert | Family::Mpnet => {
            if let Ok(path) = source.file("vocab.txt") {
                let json = word_piece(&path, &text(&path)?, family, config)?;
                return Ok((path, json));
            }
        }
        Family::Roberta => {
            if let (Ok(vocabulary), Ok(merges)) = (source.file("vocab.json"), source.file("merges.txt")) {
                let json = byte_pairs(&vocabulary, &text(&vocabulary)?, &text(&merges)?, config)?;
                return Ok((vocabulary, json));
            }
        }
        Family::ModernBert => {}
    }
    for name in ["sentencepiece.bpe.model", "spiece.model", "tokenizer.model"] {
        if source.file(name).is_ok() {
            return Err(unsupported("tokenizer file", name, "tokenizer.json"));
        }
    }
    Err(missing)
}

fn text(path: &Path) -> Result<String, ModelError> {
    String::from_utf8(read(path)?).map_err(|error| ModelError::malformed(path, &error))
}

/// WordPiece (Schuster and Nakajima, 2012) as BERT uses it; one token a line, numbered from 0.
fn word_piece(path: &Path, lines: &str, family: Family, config: &TokenizerConfig) -> Result<String, ModelError> {
    let vocabulary: BTreeMap<&str, usize> = lines.lines().enumerate().map(|(id, token)| (token, id)).collect();
    let numbered = vocabulary.iter().map(|(token, id)| ((*token).to_owned(), json!(id))).collect();
    let names = if family == Family::Mpnet {
        Names { cls: "<s>", sep: "</s>", unk: "[UNK]", pad: "<pad>", mask: "<mask>" }
    } else {
        Names { cls: "[CLS]", sep: "[SEP]", unk: "[UNK]", pad: "[PAD]", mask: "[MASK]" }
    };
    let names = names.chosen_by(config);
    let number = |token: &str| vocabulary.get(token).copied();
    let (cls, sep) = names.ends(path, number)?;
    let processor = if family == Family::Mpnet { "RobertaProcessing" } else { "BertProcessing" };
    Ok(json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": names.added(number, family == Family::Mpnet),
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": config.tokenize_chinese_chars,
                       "strip_accents": config.strip_accents, "lowercase": config.do_lower_case},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": processor, "cls": [names.cls, cls], "sep": [names.sep, sep],
                           "trim_offsets": true, "add_prefix_space": false},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
        "model": {"type": "WordPiece", "unk_token": names.unk, "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100, "vocab": Value::Object(numbered)}
    })
    .to_string())
}

/// Byte-level BPE (Radford et al., 2019) as RoBERTa uses it.
fn byte_pairs(path: &Path, vocabulary: &str, merges: &str, config: &TokenizerConfig) -> Result<String, ModelError> {
    let numbered: Map<String, Value> =
        serde_json::from_str(vocabulary).map_err(|error| ModelError::malformed(path, &error))?;
    let names = Names { cls: "<s>", sep: "</s>", unk: "<unk>", pad: "<pad>", mask: "<mask>" }.chosen_by(config);
    let number = |token: &str| numbered.get(token).and_then(Value::as_u64).map(|id| id as usize);
    let (cls, sep) = names.ends(path, number)?;
    let added = names.added(number, true);
    let merges: Vec<&str> = merges.lines().filter(|line| !line.is_empty() && !line.starts_with("#version")).collect();
    Ok(json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": added,
        "normalizer": null,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": config.add_prefix_space, "trim_offsets": true},
        "post_processor": {"type": "RobertaProcessing", "cls": [names.cls, cls], "sep": [names.sep, sep],
                           "trim_offsets": true, "add_prefix_space": config.add_prefix_space},
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true},
        "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": "",
                  "end_of_word_suffix": "", "fuse_unk": false, "merges": merges, "vocab": numbered}
    })
    .to_string())
}

/// The special tokens.
struct Names<'a> {
    cls: &'a str,
    sep: &'a str,
    unk: &'a str,
    pad: &'a str,
    mask: &'a str,
}

impl<'a> Names<'a> {
    fn chosen_by(self, config: &'a TokenizerConfig) -> Self {
        Self {
            cls: SpecialToken::or(config.cls_token.as_ref(), self.cls),
            sep: SpecialToken::or(config.sep_token.as_ref(), self.sep),
            unk: SpecialToken::or(config.unk_token.as_ref(), self.unk),
            pad: SpecialToken::or(config.pad_token.as_ref(), self.pad),
            mask: SpecialToken::or(config.mask_token.as_ref(), self.mask),
        }
    }

    /// The numbers of the tokens that stand around a text.
    fn ends(&self, path: &Path, number: impl Fn(&str) -> Option<usize>) -> Result<(usize, usize), ModelError> {
        let wanted =
            |token: &str| number(token).ok_or_else(|| ModelError::malformed(path, &format!("it lacks \"{token}\"")));
        Ok((wanted(self.cls)?, wanted(self.sep)?))
    }

    /// Those that the vocabulary has, which are taken whole out of a text. A mask may take the space before it along.
    fn added(&self, number: impl Fn(&str) -> Option<usize>, mask_takes_space: bool) -> Vec<Value> {
        let mut found: Vec<(usize, &str)> = [self.cls, self.sep, self.unk, self.pad, self.mask]
            .into_iter()
            .filter_map(|token| Some((number(token)?, token)))
            .collect();
        found.sort_unstable();
        found.dedup();
        found
            .into_iter()
            .map(|(id, content)| {
                json!({"id": id, "content": content, "special": true, "single_word": false, "normalized": false,
                       "lstrip": mask_takes_space && content == self.mask, "rstrip": false})
            })
            .collect()
    }
}
