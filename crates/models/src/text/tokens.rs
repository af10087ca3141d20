//! Words to token numbers.

use std::path::Path;

use tokenizers::pipeline::{EncodeOptions, Override, PipelineToken, PipelineTokenizer};
use tokenizers::{TruncationParams, canonicalize_str, from_json};

use crate::error::ModelError;
use crate::source::read;

/// A model's tokenizer. Clones share the vocabulary.
#[derive(Clone)]
pub struct Tokens {
    tokenizer: PipelineTokenizer,
    whole: EncodeOptions,
    bare: EncodeOptions,
    most: usize,
    special: usize,
}

impl Tokens {
    /// Reads a `tokenizer.json`; its own padding and truncation do not count, `max_tokens` does.
    pub(crate) fn load(path: &Path, max_tokens: usize) -> Result<Self, ModelError> {
        let text = String::from_utf8(read(path)?).map_err(|error| ModelError::malformed(path, &error))?;
        Self::parse(path, &text, max_tokens)
    }

    /// From the text of a `tokenizer.json`; `path` is what errors name.
    pub(crate) fn parse(path: &Path, text: &str, max_tokens: usize) -> Result<Self, ModelError> {
        let canonical = canonicalize_str(text).map_err(|error| ModelError::malformed(path, &error))?;
        let tokenizer = from_json(&canonical).map_err(|error| ModelError::malformed(path, &error))?;
        let truncation = TruncationParams { max_length: max_tokens, ..TruncationParams::default() };
        let whole = EncodeOptions {
            padding: Override::Off,
            truncation: Override::With(truncation),
            ..EncodeOptions::default()
        };
        let bare = EncodeOptions { add_special_tokens: false, truncation: Override::Off, ..whole.clone() };
        let mut tokens = Self { tokenizer, whole, bare, most: max_tokens, special: 0 };
        tokens.special = tokens.encode("").map_err(|error| ModelError::malformed(path, &error))?.len();
        if tokens.special >= max_tokens {
            return Err(ModelError::malformed(path, &format!("{max_tokens} tokens leave no room for words")));
        }
        Ok(tokens)
    }

    /// Most tokens of a text, special ones included.
    pub fn max_tokens(&self) -> usize {
        self.most
    }

    /// How many tokens of words fit into one text.
    pub fn room(&self) -> usize {
        self.most - self.special
    }

    /// How many tokens `text` is, without special ones and however long it is.
    pub fn count(&self, text: &str) -> usize {
        let mut tokens = Vec::with_capacity(text.len() / 4);
        // A text without tokens and one that cannot be tokenised are the same to whoever fills a chunk.
        match self.tokenizer.encode_into(text, &self.bare, &mut tokens) {
            Ok(()) => tokens.len(),
            Err(_) => 0,
        }
    }

    /// The tokens of `text` with special ones, cut at the end to [`Self::max_tokens`].
    pub(crate) fn encode(&self, text: &str) -> Result<Vec<u32>, String> {
        let mut tokens = Vec::with_capacity(text.len() / 4 + 2);
        self.tokenizer.encode_into(text, &self.whole, &mut tokens).map_err(|error| error.to_string())?;
        Ok(tokens.into_iter().map(PipelineToken::id).collect())
    }
}
