//! What a caller may choose.

use super::error::BlipError;
use crate::generation::BeamOptions;
use crate::generation::beam::MOST_BEAMS;

/// How to write. The defaults are those of `generate` in the Transformers library.
#[derive(Debug, Clone, PartialEq)]
pub struct GenerateOptions {
    /// Which of the possible texts.
    pub decoding: Decoding,
    /// How long a text may get; never longer than the model has positions.
    pub max_tokens: MaxTokens,
    /// Tokens after the prompt before a text may end.
    pub min_new_tokens: usize,
    /// Above 1 tokens that the prompt or the text already has become less likely (Keskar et al., "CTRL", 2019). 1 changes nothing.
    pub repetition_penalty: f32,
    /// Most pictures that are computed at once: memory against speed.
    pub pictures_at_once: usize,
}

/// Which of the possible texts is written.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Decoding {
    /// The likeliest token, one after the other.
    #[default]
    Greedy,
    /// The best that a beam search finds.
    Beams {
        /// Beams; 1 is greedy.
        width: usize,
        /// How texts compare, and when the search ends.
        options: BeamOptions,
    },
    /// By chance, from the likeliest tokens.
    Nucleus {
        /// Probability that these together have: above 0, 1 is all of them.
        top_p: f32,
        /// Above 0. Below 1 the likely become likelier.
        temperature: f32,
        /// Fixes what is drawn; every picture's chances begin with it.
        seed: u64,
    },
}

/// How long a text may get, its end included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaxTokens {
    /// Tokens after the prompt (`max_new_tokens`).
    New(usize),
    /// All tokens, with the start and the prompt (`max_length`).
    Total(usize),
}

impl Default for GenerateOptions {
    fn default() -> Self {
        Self {
            decoding: Decoding::default(),
            max_tokens: MaxTokens::New(20),
            min_new_tokens: 0,
            repetition_penalty: 1.0,
            pictures_at_once: 8,
        }
    }
}

impl GenerateOptions {
    /// The first option out of its range is the error.
    pub(super) fn check(&self, vocabulary: usize) -> Result<(), BlipError> {
        let refuse = |option, found: &dyn std::fmt::Debug, allowed: &str| {
            Err(BlipError::Option { option, found: format!("{found:?}"), allowed: allowed.to_owned() })
        };
        match self.decoding {
            Decoding::Greedy => {}
            Decoding::Beams { width, options } => {
                let most_beams = MOST_BEAMS.min(vocabulary / 2);
                if width == 0 || width > most_beams {
                    return refuse("width", &width, &format!("1 to {most_beams}"));
                }
                if !options.length_penalty.is_finite() {
                    return refuse("length_penalty", &options.length_penalty, "a number");
                }
            }
            Decoding::Nucleus { top_p, temperature, .. } => {
                if !(top_p > 0.0 && top_p <= 1.0) {
                    return refuse("top_p", &top_p, "above 0, at most 1");
                }
                if !(temperature > 0.0 && temperature.is_finite()) {
                    return refuse("temperature", &temperature, "above 0");
                }
            }
        }
        if matches!(self.max_tokens, MaxTokens::New(0) | MaxTokens::Total(0)) {
            return refuse("max_tokens", &self.max_tokens, "1 or more");
        }
        if !(self.repetition_penalty > 0.0 && self.repetition_penalty.is_finite()) {
            return refuse("repetition_penalty", &self.repetition_penalty, "above 0");
        }
        if self.pictures_at_once == 0 {
            return refuse("pictures_at_once", &self.pictures_at_once, "1 or more");
        }
        Ok(())
    }
}

impl MaxTokens {
    /// Tokens that may come after a prompt (start included) in a model of so many positions.
    pub(super) fn after(self, prompt: usize, positions: usize) -> usize {
        let room = positions.saturating_sub(prompt);
        match self {
            Self::New(tokens) => tokens.min(room),
            Self::Total(tokens) => tokens.saturating_sub(prompt).min(room),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_end_with_the_positions() {
        assert_eq!((MaxTokens::New(20).after(4, 512), MaxTokens::Total(20).after(4, 512)), (20, 16));
        assert_eq!((MaxTokens::New(20).after(4, 10), MaxTokens::Total(20).after(4, 10)), (6, 6));
        assert_eq!(MaxTokens::Total(4).after(4, 512), 0);
    }

    #[test]
    fn options_out_of_range_are_refused_by_name() {
        let refused = |options: GenerateOptions| options.check(40).unwrap_err().to_string();
        let decoding = |decoding| GenerateOptions { decoding, ..GenerateOptions::default() };
        let beams = |width| decoding(Decoding::Beams { width, options: BeamOptions::default() });
        let nucleus = |top_p, temperature| decoding(Decoding::Nucleus { top_p, temperature, seed: 0 });
        assert_eq!(refused(beams(0)), "width is 0, allowed: 1 to 16");
        assert!(refused(beams(17)).contains("17") && beams(10).check(18).is_err());
        assert!(refused(nucleus(0.0, 1.0)).contains("top_p") && refused(nucleus(1.1, 1.0)).contains("top_p"));
        assert!(refused(nucleus(0.9, 0.0)).contains("temperature") && refused(nucleus(f32::NAN, 1.0)).contains("NaN"));
        let default = GenerateOptions::default;
        assert!(refused(GenerateOptions { max_tokens: MaxTokens::New(0), ..default() }).contains("max_tokens"));
        assert!(refused(GenerateOptions { repetition_penalty: 0.0, ..default() }).contains("repetition_penalty"));
        assert!(refused(GenerateOptions { pictures_at_once: 0, ..default() }).contains("pictures_at_once"));
        assert!(default().check(40).is_ok() && nucleus(1.0, 0.7).check(40).is_ok() && beams(16).check(40).is_ok());
    }
}
