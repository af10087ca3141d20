//! A window's text, at one temperature after the other until it is believed.

use super::decoder::Heard;
use super::decoding::{Decoded, Generator};
use super::error::WhisperError;
use super::guards::{Verdict, compression_ratio, judge};
use super::longform::Run;
use super::words::trimmed;
use crate::generation::random::Random;

/// What a window gave.
#[derive(Clone)]
pub(super) struct Outcome {
    pub decoded: Decoded,
    pub temperature: f32,
    pub compression_ratio: f32,
    pub verdict: Verdict,
}

impl Run<'_> {
    /// Decodes windows at one temperature after the other, until each text is believed.
    pub(super) fn decode(
        &self,
        prompts: &[Vec<u32>],
        heard: &Heard,
        randoms: &mut [Random],
    ) -> Result<Vec<Outcome>, WhisperError> {
        let mut outcomes: Vec<Option<Outcome>> = vec![None; prompts.len()];
        let mut waiting: Vec<usize> = (0..prompts.len()).collect();
        for temperature in &self.options.temperatures {
            for places in by_length(&waiting, prompts) {
                let found = self.attempt(&places, prompts, heard, *temperature, randoms)?;
                for (place, decoded) in places.into_iter().zip(found) {
                    outcomes[place] = Some(self.judged(decoded, *temperature));
                }
            }
            waiting.retain(|place| {
                let outcome = outcomes[*place].as_ref();
                outcome.is_some_and(|outcome| matches!(outcome.verdict, Verdict::Retry { .. }))
            });
            if waiting.is_empty() {
                break;
            }
        }
        // There is at least one temperature, so each has its outcome.
        Ok(outcomes.into_iter().flatten().collect())
    }

    fn judged(&self, decoded: Decoded, temperature: f32) -> Outcome {
        let compression_ratio = compression_ratio(trimmed(&self.model.vocabulary.text(&decoded.tokens)));
        let verdict = judge(&decoded, compression_ratio, self.options);
        Outcome { decoded, temperature, compression_ratio, verdict }
    }

    /// Decodes those windows, whose prompts have one length.
    fn attempt(
        &self,
        places: &[usize],
        prompts: &[Vec<u32>],
        heard: &Heard,
        temperature: f32,
        randoms: &mut [Random],
    ) -> Result<Vec<Decoded>, WhisperError> {
        let model = self.model;
        let commands = &model.vocabulary.commands;
        let generator = Generator {
            decoder: &model.decoder,
            rules: &self.rules,
            end: commands.end,
            no_speech: commands.no_speech,
            start_from_end: self.start_length(),
            length: model.generation.length,
        };
        if temperature == 0.0 && self.options.beams > 1 {
            let mut found = Vec::with_capacity(places.len());
            // One window after the other: beams are many rows already.
            for place in places {
                let heard = heard.pick(&[*place], &model.device)?;
                let prompt = [prompts[*place].clone()];
                found.extend(generator.beams(&prompt, &heard, self.options.beams, model.generation.beam)?);
            }
            return Ok(found);
        }
        let all = places.len() == prompts.len();
        let heard = if all { heard.clone() } else { heard.pick(places, &model.device)? };
        let chosen: Vec<Vec<u32>> = places.iter().map(|place| prompts[*place].clone()).collect();
        let mut drawn: Vec<Random> = places.iter().map(|place| randoms[*place].clone()).collect();
        let found = generator.rows(&chosen, &heard, temperature, &mut drawn)?;
        for (place, random) in places.iter().zip(drawn) {
            randoms[*place] = random;
        }
        Ok(found)
    }
}

/// Places in groups whose prompts have one length.
fn by_length(places: &[usize], prompts: &[Vec<u32>]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for place in places {
        match groups.iter_mut().find(|group| prompts[group[0]].len() == prompts[*place].len()) {
            Some(group) => group.push(*place),
            None => groups.push(vec![*place]),
        }
    }
    groups
}
