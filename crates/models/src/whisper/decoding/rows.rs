//! Token by token, several windows at once: the likeliest, or one by chance.

use candle_core::Result;

use super::rules::log_sum_exp;
use super::{Decoded, Generator, Opened};
use crate::whisper::decoder::Heard;
use crate::whisper::random::Random;

impl Generator<'_> {
    /// Decodes windows whose prompts have one length. At temperature zero the likeliest token comes, else one by its probability at that
    /// temperature, drawn from the window's own `randoms`. What a window says does not depend on those beside it.
    pub fn rows(
        &self,
        prompts: &[Vec<u32>],
        heard: &Heard,
        temperature: f32,
        randoms: &mut [Random],
    ) -> Result<Vec<Decoded>> {
        let Opened { mut said, mut logits, no_speech } = self.open(prompts, heard)?;
        let most = self.length.limit(prompts[0].len()).saturating_sub(prompts[0].len());
        let mut found: Vec<Decoded> = no_speech
            .into_iter()
            .map(|no_speech| Decoded { tokens: Vec::new(), log_probabilities: Vec::new(), no_speech })
            .collect();
        let mut ended = vec![false; prompts.len()];
        for step in 0..most {
            let mut next = vec![self.end; prompts.len()];
            for (row, said) in found.iter_mut().enumerate().filter(|(row, _)| !ended[*row]) {
                let logits = &mut logits[row];
                self.rules.apply(logits, &said.tokens);
                let token =
                    if temperature > 0.0 { drawn(logits, temperature, &mut randoms[row]) } else { likeliest(logits) };
                said.log_probabilities.push(logits[token] - log_sum_exp(logits));
                next[row] = token as u32;
                if next[row] != self.end {
                    said.tokens.push(next[row]);
                }
            }
            // A row that has ended is fed its end again, and nobody listens.
            ended = next.iter().map(|token| *token == self.end).collect();
            if ended.iter().all(|ended| *ended) || step + 1 == most {
                break;
            }
            logits = self.go_on(&next, heard, &mut said)?;
        }
        Ok(found)
    }
}

/// The first of the largest.
fn likeliest(logits: &[f32]) -> usize {
    let mut best = 0;
    for (token, logit) in logits.iter().enumerate() {
        if *logit > logits[best] {
            best = token;
        }
    }
    best
}

/// One by its probability.
fn drawn(logits: &[f32], temperature: f32, random: &mut Random) -> usize {
    let most = logits[likeliest(logits)];
    let weight = |logit: &f32| f64::from((logit - most) / temperature).exp();
    let mut left = random.unit() * logits.iter().map(weight).sum::<f64>();
    let mut last = likeliest(logits);
    for (token, logit) in logits.iter().enumerate() {
        let weight = weight(logit);
        if weight > 0.0 {
            last = token;
            left -= weight;
            if left < 0.0 {
                break;
            }
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_drawn_by_their_probability_and_the_same_from_the_same_seed() {
        let logits = [0.5_f32.ln(), f32::NEG_INFINITY, 0.3_f32.ln(), 0.2_f32.ln()];
        let mut random = Random::seeded(7);
        let draws: Vec<usize> = (0..10_000).map(|_| drawn(&logits, 1.0, &mut random)).collect();
        for (token, expected) in [(0, 0.5), (1, 0.0), (2, 0.3), (3, 0.2)] {
            let share = draws.iter().filter(|drawn| **drawn == token).count() as f64 / 10_000.0;
            assert!((share - expected).abs() < 0.02, "{token}: {share}");
        }
        let mut again = Random::seeded(7);
        assert!(draws.iter().all(|token| drawn(&logits, 1.0, &mut again) == *token));
        let mut cold = Random::seeded(7);
        assert!((0..100).all(|_| drawn(&logits, 0.01, &mut cold) == 0));
    }
}
