//! Beam search, step for step that of Transformers, so that it finds the same texts.

use candle_core::Result;
use serde_json::Value;

use super::rows::Ending;
use super::{Rows, Sequence, log_sum_exp};
use crate::error::ModelError;

/// Most beams of a search that a caller may ask for.
pub(crate) const MOST_BEAMS: usize = 16;
/// The score of what must not win.
const NEVER: f32 = -1.0e9;

/// How finished texts compare, and when to stop.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BeamOptions {
    /// A text's score is its log-probability divided by its length to this power.
    pub length_penalty: f32,
    /// When the search ends.
    pub stop: Stop,
}

impl Default for BeamOptions {
    fn default() -> Self {
        Self { length_penalty: 1.0, stop: Stop::default() }
    }
}

/// When the search ends before the longest length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stop {
    /// As soon as there are as many finished texts as beams.
    Full,
    /// When the best open beam, at its length now, is no better than the worst finished text.
    #[default]
    Unlikely,
    /// When it could not become better at any length.
    Impossible,
}

impl BeamOptions {
    /// From the fields of `generation_config.json`.
    pub(crate) fn read(
        length_penalty: Option<f32>,
        early_stopping: Option<&Value>,
    ) -> std::result::Result<Self, ModelError> {
        let stop = match early_stopping {
            None | Some(Value::Null | Value::Bool(false)) => Stop::Unlikely,
            Some(Value::Bool(true)) => Stop::Full,
            Some(Value::String(text)) if text == "never" => Stop::Impossible,
            Some(other) => {
                let (found, supported) = (other.to_string(), "true, false, \"never\"");
                return Err(ModelError::Unsupported { what: "early_stopping", found, supported });
            }
        };
        Ok(Self { length_penalty: length_penalty.unwrap_or(Self::default().length_penalty), stop })
    }
}

/// A text in the making, or a finished one.
#[derive(Debug, Clone)]
struct Beam {
    tokens: Vec<u32>,
    /// The sum of log-probabilities; of a finished one, after the length penalty.
    score: f32,
    /// Of every token, among those that the rules allowed.
    log_probabilities: Vec<f32>,
    finished: bool,
    /// The row whose cache it goes on from.
    row: usize,
}

/// Finds the best text for each input by a search of `width` beams. `rows` holds one row for each input, and `logits` those of its first token.
/// `rules` change log-probabilities by the tokens so far. A search that is over leaves the batch.
pub(crate) fn search(
    rows: &mut impl Rows,
    logits: &[Vec<f32>],
    ending: Ending,
    width: usize,
    options: BeamOptions,
    rules: impl Fn(&mut [f32], &[u32]),
) -> Result<Vec<Sequence>> {
    let mut searches = vec![Search::new(width, ending, options); logits.len()];
    let mut open: Vec<usize> = (0..logits.len()).collect();
    let first: Vec<usize> = open.iter().flat_map(|input| vec![*input; width]).collect();
    rows.pick_rows(&first)?;
    let mut logits: Vec<Vec<f32>> = first.into_iter().map(|input| logits[input].clone()).collect();
    for step in 1..=ending.most {
        for (input, logits) in open.iter().zip(logits.chunks_exact_mut(width)) {
            searches[*input].step(step, logits, &rules);
        }
        let left: Vec<usize> = (0..open.len()).filter(|place| !searches[open[*place]].is_over()).collect();
        if left.is_empty() {
            break;
        }
        let (mut picked, mut next) = (Vec::new(), Vec::new());
        for place in &left {
            for beam in &searches[open[*place]].running {
                picked.push(place * width + beam.row);
                next.extend(beam.tokens.last());
            }
        }
        rows.pick_rows(&picked)?;
        if left.len() < open.len() {
            rows.pick_inputs(&left)?;
            open = left.into_iter().map(|place| open[place]).collect();
        }
        logits = rows.read(&next)?;
    }
    Ok(searches.into_iter().map(Search::best).collect())
}

#[derive(Debug, Clone)]
struct Search {
    width: usize,
    ending: Ending,
    options: BeamOptions,
    running: Vec<Beam>,
    done: Vec<Beam>,
    improvable: bool,
    stuck: bool,
}

impl Search {
    fn new(width: usize, ending: Ending, options: BeamOptions) -> Self {
        let beam = |index| Beam {
            tokens: Vec::new(),
            // All beams begin alike; only the first may go on.
            score: if index == 0 { 0.0 } else { NEVER },
            log_probabilities: Vec::new(),
            finished: false,
            row: index,
        };
        let done = vec![Beam { score: NEVER, ..beam(0) }; width];
        Self { width, ending, options, running: (0..width).map(beam).collect(), done, improvable: true, stuck: false }
    }

    /// One more token, the `step`-th: `logits` holds those of every running beam.
    fn step(&mut self, step: usize, logits: &mut [Vec<f32>], rules: &impl Fn(&mut [f32], &[u32])) {
        let candidates = self.candidates(step, logits, rules);
        self.stuck = candidates.iter().all(|candidate| candidate.finished);
        let mut open: Vec<Beam> = candidates
            .iter()
            .map(|candidate| Beam {
                score: candidate.score + if candidate.finished { NEVER } else { 0.0 },
                ..candidate.clone()
            })
            .collect();
        sort(&mut open);
        open.truncate(self.width);

        let penalty = self.penalty(step);
        let full = self.options.stop == Stop::Full && self.done.iter().all(|beam| beam.finished);
        let finished = candidates.into_iter().enumerate().map(|(place, mut candidate)| {
            // Beyond the width they only wait as substitutes for running beams that end.
            candidate.finished &= place < self.width;
            candidate.score /= penalty;
            for barred in [full, !self.improvable, !candidate.finished] {
                candidate.score += if barred { NEVER } else { 0.0 };
            }
            candidate
        });
        self.done.extend(finished);
        sort(&mut self.done);
        self.done.truncate(self.width);

        self.running = open;
        self.improvable &= self.could_improve(step);
    }

    /// The likeliest continuations, best first: twice as many as beams, so that enough are left where some end.
    fn candidates(&self, step: usize, logits: &mut [Vec<f32>], rules: &impl Fn(&mut [f32], &[u32])) -> Vec<Beam> {
        let keep = 2 * self.width;
        let mut best: Vec<(f32, usize, usize)> = Vec::with_capacity(keep + 1);
        let mut allowed = Vec::with_capacity(self.running.len());
        for (row, (beam, logits)) in self.running.iter().zip(logits.iter_mut()).enumerate() {
            // Probabilities are of all tokens; the rules then only take some away.
            let all = log_sum_exp(logits);
            for logit in logits.iter_mut() {
                *logit -= all;
            }
            rules(logits, &beam.tokens);
            allowed.push(log_sum_exp(logits));
            for (token, logit) in logits.iter().enumerate() {
                let score = logit + beam.score;
                if best.len() == keep && best.last().is_some_and(|worst| score <= worst.0) {
                    continue;
                }
                let place = best.partition_point(|better| better.0 >= score);
                best.insert(place, (score, row, token));
                best.truncate(keep);
            }
        }
        let beam = |(score, row, token): (f32, usize, usize)| {
            let from = &self.running[row];
            let token_probability = logits[row][token] - allowed[row];
            Beam {
                tokens: [from.tokens.as_slice(), &[token as u32]].concat(),
                score,
                log_probabilities: [from.log_probabilities.as_slice(), &[token_probability]].concat(),
                finished: token as u32 == self.ending.token || step == self.ending.most,
                row,
            }
        };
        best.into_iter().map(beam).collect()
    }

    fn penalty(&self, length: usize) -> f32 {
        (length as f32).powf(self.options.length_penalty)
    }

    fn could_improve(&self, step: usize) -> bool {
        let length = if self.options.stop == Stop::Impossible && self.options.length_penalty > 0.0 {
            self.ending.most
        } else {
            step
        };
        let hoped = self.running[0].score / self.penalty(length);
        let worst = self.done.iter().map(|beam| beam.score).fold(f32::INFINITY, f32::min);
        self.done.iter().any(|beam| hoped > if beam.finished { worst } else { NEVER })
    }

    fn is_over(&self) -> bool {
        let full = self.options.stop == Stop::Full && self.done.iter().all(|beam| beam.finished);
        !self.improvable || full || self.stuck
    }

    fn best(mut self) -> Sequence {
        let mut best = self.done.swap_remove(0);
        if best.tokens.last() == Some(&self.ending.token) {
            best.tokens.pop();
        }
        Sequence { tokens: best.tokens, log_probabilities: best.log_probabilities }
    }
}

/// Best first; those that are equal keep their order.
fn sort(beams: &mut [Beam]) {
    beams.sort_by(|a, b| b.score.total_cmp(&a.score));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Searches where the logits depend on the tokens so far only: 0 is the end.
    fn search(width: usize, most: usize, stop: Stop, logits: impl Fn(&[u32]) -> Vec<f32>) -> (Vec<u32>, usize) {
        let mut search = Search::new(width, Ending { token: 0, most }, BeamOptions { length_penalty: 1.0, stop });
        let mut steps = 0;
        for step in 1..=most {
            steps = step;
            let mut rows: Vec<Vec<f32>> = search.running.iter().map(|beam| logits(&beam.tokens)).collect();
            search.step(step, &mut rows, &|_, _| ());
            if search.is_over() {
                break;
            }
        }
        (search.best().tokens, steps)
    }

    #[test]
    fn beams_find_what_greed_misses() {
        // 1 looks better at first, but only 2 leads to certainty.
        let logits = |tokens: &[u32]| match tokens {
            [] => vec![0.01_f32.ln(), 0.55_f32.ln(), 0.44_f32.ln()],
            [2, ..] => vec![0.98_f32.ln(), 0.01_f32.ln(), 0.01_f32.ln()],
            _ => vec![0.34_f32.ln(), 0.33_f32.ln(), 0.33_f32.ln()],
        };
        assert_eq!(search(3, 5, Stop::Unlikely, logits).0, [2]);
    }

    #[test]
    fn stopping_early_takes_fewer_steps() {
        let logits = |_: &[u32]| vec![0.3_f32.ln(), 0.4_f32.ln(), 0.3_f32.ln()];
        let (_, full) = search(2, 20, Stop::Full, logits);
        let (_, impossible) = search(2, 20, Stop::Impossible, logits);
        assert!(full < impossible, "{full} {impossible}");
        assert_eq!(search(2, 4, Stop::Unlikely, logits).1, 4, "it ends with the longest length");
    }
}
