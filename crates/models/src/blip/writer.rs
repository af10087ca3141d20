//! From what was seen to texts.

use candle_core::Tensor;

use super::config::TextConfig;
use super::decoder::Decoder;
use super::error::BlipError;
use super::options::{Decoding, GenerateOptions};
use super::rules::Rules;
use super::tokens::Words;
use crate::error::ModelError;
use crate::generation::choice::{drawn_from_nucleus, likeliest};
use crate::generation::random::Random;
use crate::generation::rows::Ending;
use crate::generation::{Sequence, beam, rows};
use crate::scope::Scope;
use crate::source::Source;

/// What was written.
#[derive(Debug, Clone, PartialEq)]
pub struct GeneratedText {
    /// What the tokens spell, without special ones. It begins with the prompt, in the tokenizer's spelling.
    pub text: String,
    /// The tokens of the prompt and those after it, without start and end.
    pub tokens: Vec<u32>,
    /// The mean natural logarithm of the probabilities of the tokens after the prompt, the end included where it was reached.
    pub score: f32,
}

/// The half that writes.
pub(super) struct Writer {
    pub words: Words,
    decoder: Decoder,
    config: TextConfig,
}

impl Writer {
    /// What is seen is `seen_width` wide.
    pub fn load(source: &Source, root: &Scope, config: &TextConfig, seen_width: usize) -> Result<Self, ModelError> {
        Ok(Self {
            words: Words::load(source, config)?,
            decoder: Decoder::load(&root.at("text_decoder").of_few_rows(), config, seen_width)?,
            config: config.clone(),
        })
    }

    /// The first option out of its range is the error.
    pub fn check(&self, options: &GenerateOptions) -> Result<(), BlipError> {
        options.check(self.config.vocabulary)
    }

    /// Writes a text for each of `states` (inputs x length x width, but for what is `hidden`), all of which begin with `prompt`.
    pub fn write(
        &self,
        states: &Tensor,
        hidden: Option<Tensor>,
        prompt: Option<&str>,
        options: &GenerateOptions,
    ) -> Result<Vec<GeneratedText>, BlipError> {
        self.check(options)?;
        let beginning = self.words.beginning(prompt).map_err(|reason| BlipError::Prompt { reason })?;
        let ending = self.ending(&beginning, options)?;
        let rules = Rules {
            prompt: &beginning,
            end: self.config.end,
            least: options.min_new_tokens,
            repetition_penalty: options.repetition_penalty,
        };
        let apply = |logits: &mut [f32], said: &[u32]| rules.apply(logits, said);
        let (mut reading, logits) = self.decoder.begin(states, hidden, &beginning)?;
        let found = match options.decoding {
            Decoding::Greedy | Decoding::Beams { width: 1, .. } => {
                rows::write(&mut reading, logits, ending, apply, |_, logits| likeliest(logits))?
            }
            Decoding::Beams { width, options } => beam::search(&mut reading, &logits, ending, width, options, apply)?,
            Decoding::Nucleus { top_p, temperature, seed } => {
                let mut randoms = vec![Random::seeded(seed); logits.len()];
                rows::write(&mut reading, logits, ending, apply, |input, logits| {
                    drawn_from_nucleus(logits, top_p, temperature, &mut randoms[input])
                })?
            }
        };
        found.iter().map(|sequence| self.spelled(&beginning[1..], sequence)).collect()
    }

    fn ending(&self, beginning: &[u32], options: &GenerateOptions) -> Result<Ending, BlipError> {
        let most = options.max_tokens.after(beginning.len(), self.config.positions);
        if most == 0 {
            let (count, allowed) = (beginning.len() - 1, options.max_tokens);
            let reason = format!("it has {count} tokens, and max_tokens {allowed:?} leaves none to write");
            return Err(BlipError::Prompt { reason });
        }
        Ok(Ending { token: self.config.end, most })
    }

    fn spelled(&self, prompt: &[u32], sequence: &Sequence) -> Result<GeneratedText, BlipError> {
        let score = sequence.average();
        let tokens = [prompt, sequence.tokens.as_slice()].concat();
        let text = self.words.text(&tokens).map_err(|reason| BlipError::Spelling { reason })?;
        Ok(GeneratedText { text, tokens, score })
    }
}
