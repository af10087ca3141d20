//! Words to token numbers.

use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use tokenizers::{Encoding, PostProcessor, Tokenizer, TruncationDirection, TruncationParams, truncate_encodings};

use super::config::{Family, NetworkConfig};
use super::vocabulary::TokenizerFile;
use crate::error::ModelError;
use crate::source::{Source, read};

/// A token of a sequence: its number, and which text of a pair it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token {
    /// Its number in the vocabulary.
    pub id: u32,
    /// 0 in the first text, 1 in the second, as the tokenizer's template has it.
    pub segment: u8,
}

/// What a network knows of tokens.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    /// Most tokens of a sequence.
    pub most: usize,
    /// Tokens in the vocabulary.
    pub vocabulary: usize,
    /// Segments that it tells apart; more are not looked at where it tells none.
    pub segments: Option<usize>,
}

impl Known {
    /// Those of a network; `max_tokens` is what other files say.
    pub fn of(config: &NetworkConfig, max_tokens: Option<usize>) -> Self {
        let most = max_tokens.unwrap_or(usize::MAX).min(config.most_tokens());
        Self { most, vocabulary: config.vocabulary(), segments: config.segments() }
    }
}

/// A model's tokenizer. Clones share the vocabulary.
#[derive(Clone)]
pub struct Tokens {
    /// Without truncation and padding, which are done here.
    tokenizer: Arc<Tokenizer>,
    direction: TruncationDirection,
    most: usize,
    special: usize,
    known: Option<Known>,
}

impl Tokens {
    /// Reads a `tokenizer.json`; its own padding and truncation do not count, `max_tokens` does.
    pub(crate) fn load(path: &Path, max_tokens: usize) -> Result<Self, ModelError> {
        let text = String::from_utf8(read(path)?).map_err(|error| ModelError::malformed(path, &error))?;
        Self::parse(path, &text, max_tokens)
    }

    /// The same from the `text` of a `tokenizer.json`; errors name `path`.
    pub(crate) fn parse(path: &Path, text: &str, max_tokens: usize) -> Result<Self, ModelError> {
        Self::with(path, text, max_tokens, TruncationDirection::Right, None)
    }

    /// The tokenizer of a network, which gives no token that the network does not know.
    pub(super) fn of_network(file: &TokenizerFile, known: Known) -> Result<Self, ModelError> {
        let direction = if file.cut_at_start { TruncationDirection::Left } else { TruncationDirection::Right };
        Self::with(&file.path, &file.json, known.most, direction, Some(known))
    }

    /// RoBERTa's tokenizer in the folder of a model that is none of this module's, with a network of `most` places and `vocabulary` tokens.
    pub(crate) fn of_roberta(source: &Source, most: usize, vocabulary: usize) -> Result<Self, ModelError> {
        Self::of_family(source, Family::Roberta, most, vocabulary)
    }

    /// BERT's, likewise.
    pub(crate) fn of_bert(source: &Source, most: usize, vocabulary: usize) -> Result<Self, ModelError> {
        Self::of_family(source, Family::Bert, most, vocabulary)
    }

    fn of_family(source: &Source, family: Family, most: usize, vocabulary: usize) -> Result<Self, ModelError> {
        let file = TokenizerFile::find(source, family)?;
        let most = file.max_tokens.map_or(most, |said| said.min(most));
        Self::of_network(&file, Known { most, vocabulary, segments: None })
    }

    fn with(
        path: &Path,
        text: &str,
        most: usize,
        direction: TruncationDirection,
        known: Option<Known>,
    ) -> Result<Self, ModelError> {
        let malformed = |error: tokenizers::Error| ModelError::malformed(path, &error);
        let mut tokenizer = Tokenizer::from_str(text).map_err(malformed)?;
        tokenizer.with_padding(None).with_truncation(None).map_err(malformed)?;
        let special = tokenizer.encode_fast("", true).map_err(malformed)?.len();
        if special >= most {
            return Err(ModelError::malformed(path, &format!("{most} tokens leave no room for words")));
        }
        Ok(Self { tokenizer: Arc::new(tokenizer), direction, most, special, known })
    }

    /// Most tokens of a text, special ones included.
    pub fn max_tokens(&self) -> usize {
        self.most
    }

    /// How many tokens of words fit into one text.
    pub fn room(&self) -> usize {
        self.most - self.special
    }

    /// The number of a token that is set apart from words, such as the one that fills up short texts.
    pub(crate) fn special(&self, token: &str) -> Option<u32> {
        self.tokenizer.get_added_vocabulary().get_vocab().get(token).copied()
    }

    /// How many tokens `text` is, without special ones and however long it is.
    pub fn count(&self, text: &str) -> usize {
        // A text without tokens and one that cannot be tokenised are the same to whoever fills a chunk.
        self.tokenizer.encode_fast(text, false).map_or(0, |encoding| encoding.len())
    }

    /// The tokens of `text` without special ones, however long it is.
    pub(crate) fn encode_bare(&self, text: &str) -> Result<Vec<u32>, String> {
        let encoding = self.tokenizer.encode_fast(text, false).map_err(|error| error.to_string())?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The numbers of the tokens of `text` with special ones, cut to [`Self::max_tokens`].
    pub(crate) fn encode(&self, text: &str) -> Result<Vec<u32>, String> {
        Ok(self.encode_one(text)?.into_iter().map(|token| token.id).collect())
    }

    /// What tokens spell. Special ones are left out, and those that the tokenizer does not know.
    pub(crate) fn decode(&self, tokens: &[u32]) -> Result<String, String> {
        self.tokenizer.decode(tokens, true).map_err(|error| error.to_string())
    }

    /// The tokens of `text` with special ones, cut to [`Self::max_tokens`].
    pub(super) fn encode_one(&self, text: &str) -> Result<Vec<Token>, String> {
        self.encode_texts(text, None)
    }

    /// The tokens of two texts with special ones; while they are too many, the longer of the two is cut.
    pub(super) fn encode_pair(&self, first: &str, second: &str) -> Result<Vec<Token>, String> {
        self.encode_texts(first, Some(second))
    }

    /// The tokens of one text whose numbers are there, special ones included.
    pub(super) fn of_ids(&self, ids: &[u32]) -> Result<Vec<Token>, String> {
        if ids.len() > self.most {
            return Err(format!("a text has {} tokens, and the model takes {}", ids.len(), self.most));
        }
        let tokens: Vec<Token> = ids.iter().map(|id| Token { id: *id, segment: 0 }).collect();
        self.check(&tokens).map(|()| tokens)
    }

    fn encode_texts(&self, first: &str, second: Option<&str>) -> Result<Vec<Token>, String> {
        let encoding = self.encode_cut(first, second).map_err(|error| error.to_string())?;
        let tokens = tokens_of(&encoding);
        self.check(&tokens).map(|()| tokens)
    }

    /// Refuses no tokens, and those that the network does not know.
    fn check(&self, tokens: &[Token]) -> Result<(), String> {
        let Some(Known { vocabulary, segments, .. }) = self.known else { return Ok(()) };
        if tokens.is_empty() {
            return Err("the text has no tokens".to_owned());
        }
        if let Some(beyond) = tokens.iter().find(|token| token.id as usize >= vocabulary) {
            return Err(format!("the tokenizer gives token {}, and the model knows {vocabulary}", beyond.id));
        }
        if let Some(segments) = segments.filter(|most| tokens.iter().any(|token| usize::from(token.segment) >= *most)) {
            return Err(format!("the tokenizer tells more segments apart than the model, which knows {segments}"));
        }
        Ok(())
    }

    /// Words are cut before the special tokens are put around them.
    fn encode_cut(&self, first: &str, second: Option<&str>) -> tokenizers::Result<Encoding> {
        let bare = |text: &str| self.tokenizer.encode_fast(text, false);
        let (first, second) = (bare(first)?, second.map(bare).transpose()?);
        let special = match (&second, self.tokenizer.get_post_processor()) {
            (None, _) => self.special,
            (Some(_), Some(processor)) => processor.added_tokens(true),
            (Some(_), None) => 0,
        };
        let truncation = TruncationParams {
            max_length: self.most.saturating_sub(special),
            direction: self.direction,
            ..TruncationParams::default()
        };
        let (first, second) = truncate_encodings(first, second, &truncation)?;
        self.tokenizer.post_process(first, second, true)
    }
}

fn tokens_of(encoding: &Encoding) -> Vec<Token> {
    let both = encoding.get_ids().iter().zip(encoding.get_type_ids());
    both.map(|(id, segment)| Token { id: *id, segment: *segment as u8 }).collect()
}
