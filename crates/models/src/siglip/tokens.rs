//! SigLIP's texts: every one is made canonical as its tokenizer's class does it, and filled up to the same length.
//!
//! `SiglipTokenizer` (SigLIP) lower-cases, takes out ASCII punctuation and joins white space; `Siglip2Tokenizer` lower-cases; `GemmaTokenizer`,
//! which older files of SigLIP 2 name, does so where `do_lower_case` is set, for the models were trained that way. A text that begins with
//! white space gets no token for it, as in training; `SiglipTokenizer` of the Transformers library gives it a lone "▁".

use serde::Deserialize;

use crate::error::ModelError;
use crate::source::Source;
use crate::text::Tokens;

/// A tokenizer whose texts all have one length.
#[derive(Clone)]
pub(super) struct PaddedTokens {
    tokens: Tokens,
    form: Form,
    /// The token that fills up.
    filler: u32,
    side: Side,
    length: usize,
}

/// What happens to a text before it is cut into tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    AsIs,
    LowerCase,
    WithoutPunctuation { lower_case: bool },
}

/// Where a short text is filled up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Side {
    Left,
    Right,
}

#[derive(Deserialize)]
struct TokenizerConfig {
    tokenizer_class: Option<String>,
    do_lower_case: Option<bool>,
    pad_token: Option<Token>,
    padding_side: Option<Side>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Token {
    Text(String),
    Object { content: String },
}

impl PaddedTokens {
    /// The tokenizer of a model whose texts are `length` tokens long.
    pub(super) fn load(source: &Source, length: usize) -> Result<Self, ModelError> {
        let path = match source.file("tokenizer.json") {
            Err(_) if source.file("spiece.model").is_ok() => {
                return Err(unsupported("spiece.model alone", "tokenizer.json"));
            }
            found => found?,
        };
        let config: TokenizerConfig = source.json("tokenizer_config.json")?;
        let class = config.tokenizer_class.as_deref().unwrap_or_default();
        let lower = |default: bool| config.do_lower_case.unwrap_or(default);
        let (form, filler, side) = match class.strip_suffix("Fast").unwrap_or(class) {
            "SiglipTokenizer" => (Form::WithoutPunctuation { lower_case: lower(true) }, "</s>", Side::Right),
            "Siglip2Tokenizer" => (Form::LowerCase, "<pad>", Side::Left),
            "GemmaTokenizer" if lower(false) => (Form::LowerCase, "<pad>", Side::Left),
            "GemmaTokenizer" => (Form::AsIs, "<pad>", Side::Left),
            _ => return Err(unsupported(class, "SiglipTokenizer, Siglip2Tokenizer, GemmaTokenizer")),
        };
        let filler = match &config.pad_token {
            Some(Token::Text(token) | Token::Object { content: token }) => token.as_str(),
            None => filler,
        };
        let tokens = Tokens::load(&path, length)?;
        let missing = || ModelError::malformed(&path, &format!("it has no special token \"{filler}\""));
        let filler = tokens.special(filler).ok_or_else(missing)?;
        Ok(Self { tokens, form, filler, side: config.padding_side.unwrap_or(side), length })
    }

    /// The tokenizer without the filling.
    pub(super) fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// As many tokens as every text has.
    pub(super) fn encode(&self, text: &str) -> Result<Vec<u32>, String> {
        let tokens = self.tokens.encode(&self.form.apply(text))?;
        let fillers = std::iter::repeat_n(self.filler, self.length.saturating_sub(tokens.len()));
        Ok(match self.side {
            Side::Left => fillers.chain(tokens).collect(),
            Side::Right => tokens.into_iter().chain(fillers).collect(),
        })
    }
}

impl Form {
    fn apply(self, text: &str) -> String {
        match self {
            Self::AsIs => text.to_owned(),
            // Letter by letter, as the tokenizers library does it: a sigma at the end of a word is not special.
            Self::LowerCase => text.chars().flat_map(char::to_lowercase).collect(),
            Self::WithoutPunctuation { lower_case: true } => without_punctuation(&text.to_lowercase()),
            Self::WithoutPunctuation { lower_case: false } => without_punctuation(text),
        }
    }
}

fn without_punctuation(text: &str) -> String {
    // The mark that stands for a space among pieces counts as one.
    let text = text.replace('\u{2581}', " ").replace(|letter: char| letter.is_ascii_punctuation(), "");
    let words: Vec<&str> = text.split(is_space).filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

/// White space as Python has it: with the four separators of ASCII.
fn is_space(letter: char) -> bool {
    letter.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&letter)
}

fn unsupported(found: &str, supported: &'static str) -> ModelError {
    ModelError::Unsupported { what: "tokenizer", found: found.to_owned(), supported }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_made_canonical() {
        let siglip = Form::WithoutPunctuation { lower_case: true };
        assert_eq!(siglip.apply("  A photo\tof \u{1f} a CAT's tail!\u{a0}"), "a photo of a cats tail");
        assert_eq!(siglip.apply("?!"), "");
        assert_eq!(siglip.apply("“Ünter” – ΟΔΟΣ…"), "“ünter” – οδος…");
        assert_eq!(Form::WithoutPunctuation { lower_case: false }.apply("It's▁A"), "Its A");
        assert_eq!(Form::LowerCase.apply(" It's  ΟΔΟΣ"), " it's  οδοσ");
        assert_eq!(Form::AsIs.apply(" It's  A"), " It's  A");
    }
}
