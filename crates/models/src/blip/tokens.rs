//! Prompts and questions to tokens, and tokens to text.

use serde::Deserialize;

use super::config::TextConfig;
use crate::error::ModelError;
use crate::source::Source;
use crate::text::Tokens;

/// What stands apart in tokens and not in text, in the order in which it is put right (`clean_up_tokenization` of the Transformers library).
const APART: [(&str, &str); 10] = [
    (" .", "."),
    (" ?", "?"),
    (" !", "!"),
    (" ,", ","),
    (" ' ", "'"),
    (" n't", "n't"),
    (" 'm", "'m"),
    (" 's", "'s"),
    (" 've", "'ve"),
    (" 're", "'re"),
];

#[derive(Default, Deserialize)]
struct TokenizerConfig {
    #[serde(default)]
    clean_up_tokenization_spaces: bool,
}

/// BERT's tokenizer, whose vocabulary lacks the token that begins texts.
pub(super) struct Words {
    tokens: Tokens,
    clean: bool,
    start: u32,
}

impl Words {
    pub fn load(source: &Source, config: &TextConfig) -> Result<Self, ModelError> {
        let file: TokenizerConfig = source.optional_json("tokenizer_config.json")?.unwrap_or_default();
        let tokens = Tokens::of_bert(source, config.positions, config.vocabulary)?;
        Ok(Self { tokens, clean: file.clean_up_tokenization_spaces, start: config.start })
    }

    /// A question as it is read: all its tokens, special ones included.
    ///
    /// # Errors
    /// When it is longer than the model reads.
    pub fn question(&self, text: &str) -> Result<Vec<u32>, String> {
        let (count, room) = (self.tokens.count(text), self.tokens.room());
        if count > room {
            return Err(format!("it has {count} tokens, and the model reads {room}"));
        }
        self.tokens.encode(text)
    }

    /// How a text begins: the start, and the prompt without what would end it.
    ///
    /// # Errors
    /// When it is longer than the model reads.
    pub fn beginning(&self, prompt: Option<&str>) -> Result<Vec<u32>, String> {
        let Some(prompt) = prompt else { return Ok(vec![self.start]) };
        let mut tokens = self.question(prompt)?;
        tokens.pop();
        if let Some(first) = tokens.first_mut() {
            *first = self.start;
        }
        Ok(tokens)
    }

    /// What tokens spell.
    pub fn text(&self, tokens: &[u32]) -> Result<String, String> {
        let text = self.tokens.decode(tokens)?;
        Ok(if self.clean { joined(text) } else { text })
    }
}

fn joined(text: String) -> String {
    APART.into_iter().fold(text, |text, (apart, together)| text.replace(apart, together))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_together_is_joined() {
        assert_eq!(joined("the dog ' s ball , isn ' t it ?".to_owned()), "the dog's ball, isn't it?");
    }
}
