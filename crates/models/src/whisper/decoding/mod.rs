//! From a window's states to tokens: greedily, by chance, or by beams.

mod rules;

pub(super) use rules::{Rules, TimestampRules};

use candle_core::{Result, Tensor};

use super::decoder::{Decoder, Heard, Reading};
use crate::generation::beam::{self, BeamOptions};
use crate::generation::choice::{drawn, likeliest};
use crate::generation::random::Random;
use crate::generation::rows::{self, Ending};
use crate::generation::{Sequence, average, log_sum_exp};
use crate::layers::Past;

/// What drives the decoder over one window.
pub(super) struct Generator<'a> {
    pub decoder: &'a Decoder,
    pub rules: &'a Rules,
    pub end: u32,
    pub no_speech: u32,
    /// Where in every prompt the transcript starts, counted from its end.
    pub start_from_end: usize,
    pub length: Length,
}

/// How long a text may get, prompt included.
#[derive(Debug, Clone, Copy)]
pub(super) struct Length {
    /// What the model has positions for.
    pub positions: usize,
    /// As `generation_config.json` has it, without the prompt.
    pub most: Option<usize>,
    /// New tokens, where that is what the file limits.
    pub most_new: Option<usize>,
}

impl Length {
    fn limit(self, prompt: usize) -> usize {
        let most = match (self.most_new, self.most) {
            (Some(new), _) => prompt + new,
            (None, Some(most)) => most + prompt.min((self.positions / 2).saturating_sub(1)),
            (None, None) => self.positions,
        };
        most.min(self.positions)
    }
}

/// What was said in a window.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Decoded {
    /// Without prompt and end.
    pub tokens: Vec<u32>,
    /// Of every token, and of the end where it was reached; natural logarithms after the rules.
    pub log_probabilities: Vec<f32>,
    /// That there is no speech.
    pub no_speech: f32,
}

impl Decoded {
    /// The mean over all tokens, the end included.
    pub fn average(&self) -> f32 {
        average(&self.log_probabilities)
    }
}

/// A prompt as the decoder has read it.
struct Opened<'a> {
    reading: Reading<'a>,
    /// For each row, the logits of its first token.
    logits: Vec<Vec<f32>>,
    no_speech: Vec<f32>,
}

impl<'a> Generator<'a> {
    /// Decodes windows whose prompts have one length. At temperature zero the likeliest token comes, else one by its probability at that
    /// temperature, drawn from the window's own `randoms`. What a window says does not depend on those beside it.
    pub fn rows(
        &self,
        prompts: &[Vec<u32>],
        heard: &Heard,
        temperature: f32,
        randoms: &mut [Random],
    ) -> Result<Vec<Decoded>> {
        let Opened { mut reading, logits, no_speech } = self.open(prompts, heard)?;
        let found = rows::write(&mut reading, logits, self.ending(prompts), self.rules(), |window, logits| {
            if temperature > 0.0 { drawn(logits, temperature, &mut randoms[window]) } else { likeliest(logits) }
        })?;
        Ok(decoded(found, no_speech))
    }

    /// The best texts of windows whose prompts have one length, by searches of `width` beams.
    pub fn beams(
        &self,
        prompts: &[Vec<u32>],
        heard: &Heard,
        width: usize,
        options: BeamOptions,
    ) -> Result<Vec<Decoded>> {
        let Opened { mut reading, logits, no_speech } = self.open(prompts, heard)?;
        let found = beam::search(&mut reading, &logits, self.ending(prompts), width, options, self.rules())?;
        Ok(decoded(found, no_speech))
    }

    /// Reads prompts of one length, one for each window.
    fn open(&self, prompts: &[Vec<u32>], heard: &Heard) -> Result<Opened<'a>> {
        let mut said = Past::default();
        let states = self.decoder.read(prompts, heard, &mut said)?;
        let length = prompts[0].len();
        let at = |place: usize| states.narrow(1, place, 1)?.squeeze(1);
        let both = Tensor::cat(&[at(length - 1)?, at(length - self.start_from_end)?], 0)?;
        let mut logits = self.decoder.logits(&both)?;
        let at_start = logits.split_off(prompts.len());
        let no_speech = at_start.iter().map(|logits| probability(logits, self.no_speech)).collect();
        Ok(Opened { reading: Reading { decoder: self.decoder, heard: heard.clone(), said }, logits, no_speech })
    }

    fn ending(&self, prompts: &[Vec<u32>]) -> Ending {
        let prompt = prompts[0].len();
        Ending { token: self.end, most: self.length.limit(prompt).saturating_sub(prompt) }
    }

    fn rules(&self) -> impl Fn(&mut [f32], &[u32]) {
        |logits, said| self.rules.apply(logits, said)
    }
}

fn decoded(found: Vec<Sequence>, no_speech: Vec<f32>) -> Vec<Decoded> {
    let with = |(Sequence { tokens, log_probabilities }, no_speech)| Decoded { tokens, log_probabilities, no_speech };
    found.into_iter().zip(no_speech).map(with).collect()
}

fn probability(logits: &[f32], token: u32) -> f32 {
    (logits[token as usize] - log_sum_exp(logits)).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_end_with_the_positions() {
        let length = Length { positions: 448, most: Some(448), most_new: None };
        assert_eq!((length.limit(3), length.limit(226)), (448, 448));
        let short = Length { most: Some(20), ..length };
        assert_eq!((short.limit(3), short.limit(300)), (23, 243));
        assert_eq!(Length { most_new: Some(30), ..short }.limit(4), 34);
    }
}
