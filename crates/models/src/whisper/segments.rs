//! From a window's tokens to segments and words on the clock of the whole sound.

use super::alignment::{Weights, token_ends};
use super::decoder::Heard;
use super::decoding::Decoded;
use super::error::WhisperError;
use super::fallback::Outcome;
use super::guards::{Verdict, before_loop};
use super::longform::{Job, Run, milliseconds};
use super::timestamps::{Piece, pieces};
use super::transcript::{Segment, Word};
use super::words::{Grouped, group, trimmed};

/// From this temperature on a text is not told to the next window: it may be wild.
const WILD: f32 = 0.5;

impl Run<'_> {
    /// The end of every token of a window, in seconds from its start.
    pub(super) fn ends(
        &self,
        prompt: &[u32],
        decoded: &Decoded,
        heard: &Heard,
        frames: usize,
    ) -> Result<Vec<f64>, WhisperError> {
        let model = self.model;
        // The last token was not read any more, whether it is the end or the last that fitted.
        let read = decoded.log_probabilities.len().saturating_sub(1);
        if read == 0 {
            return Ok(vec![0.0; decoded.tokens.len()]);
        }
        let tokens = [prompt, &decoded.tokens[..read]].concat();
        let heads = &model.generation.alignment_heads;
        let weights = model.decoder.attention(&tokens, heard, heads)?;
        let moments = (frames / 2).clamp(1, weights.dim(2)?);
        let weights = weights.narrow(1, prompt.len(), read)?.narrow(2, 0, moments)?;
        let values = weights.flatten_all()?.to_vec1()?;
        let mut ends =
            token_ends(Weights { values, heads: heads.len(), tokens: read, moments }, model.generation.median_width);
        ends.resize(decoded.tokens.len(), ends.last().copied().unwrap_or(0.0));
        Ok(ends)
    }

    /// Adds a window's text to its job, and moves on.
    pub(super) fn take(&self, job: &mut Job, mut outcome: Outcome, ends: &[f64]) {
        let model = self.model;
        let looped = outcome.verdict == Verdict::Retry { repetitive: true };
        if looped {
            let kept = before_loop(&outcome.decoded.tokens);
            outcome.decoded.tokens.truncate(kept);
        }
        let frames = self.window_frames(job);
        let seconds = frames as f64 * model.frames.frame_seconds();
        let (found, advance) = if self.options.timestamps {
            pieces(&outcome.decoded.tokens, model.vocabulary.commands.first_timestamp(), frames, seconds)
        } else {
            let all = 0..outcome.decoded.tokens.len();
            (vec![Piece { start_seconds: 0.0, end_seconds: seconds, tokens: all }], frames)
        };
        for piece in &found {
            let tokens = &outcome.decoded.tokens[piece.tokens.clone()];
            job.text.extend(tokens);
            job.previous.extend(without_second_of_pair(tokens, model.vocabulary.commands.first_timestamp()));
            let segment = self.segment(job, piece, &outcome, ends);
            job.segments.extend(segment);
        }
        if looped || !self.options.condition_on_previous || outcome.temperature >= WILD {
            job.previous.clear();
        }
        let surplus = job.previous.len().saturating_sub(model.generation.most_previous);
        job.previous.drain(..surplus);
        job.at += advance;
    }

    /// None where there is no text.
    fn segment(&self, job: &Job, piece: &Piece, outcome: &Outcome, ends: &[f64]) -> Option<Segment> {
        let decoded = &outcome.decoded;
        let tokens = &decoded.tokens[piece.tokens.clone()];
        let text = self.model.vocabulary.text(tokens);
        let text = trimmed(&text);
        if text.is_empty() {
            return None;
        }
        let clock = Clock::new(self, job);
        Some(Segment {
            start_ms: clock.at(piece.start_seconds),
            end_ms: clock.at(piece.end_seconds),
            text: text.to_owned(),
            tokens: tokens.to_vec(),
            temperature: outcome.temperature,
            avg_logprob: decoded.average(),
            compression_ratio: outcome.compression_ratio,
            no_speech_prob: decoded.no_speech,
            words: if ends.is_empty() { Vec::new() } else { self.words(job, piece, decoded, ends, &clock) },
        })
    }

    fn words(&self, job: &Job, piece: &Piece, decoded: &Decoded, ends: &[f64], clock: &Clock) -> Vec<Word> {
        let vocabulary = &self.model.vocabulary;
        let is_text = |place: &usize| decoded.tokens[*place] < vocabulary.commands.end;
        let places: Vec<usize> = piece.tokens.clone().filter(is_text).collect();
        let tokens: Vec<u32> = places.iter().map(|place| decoded.tokens[*place]).collect();
        let language = job.language.as_deref().unwrap_or("en");
        let word = |grouped: Grouped| {
            let of = &places[grouped.tokens];
            let (first, last) = (of.first()?, of.last()?);
            let start = if *first == 0 { 0.0 } else { ends[first - 1] };
            let sum: f32 = of.iter().map(|place| decoded.log_probabilities[*place].exp()).sum();
            Some(Word {
                start_ms: clock.at(start),
                end_ms: clock.at(ends[*last]),
                text: grouped.text,
                probability: sum / of.len() as f32,
            })
        };
        group(&tokens, language, |tokens| vocabulary.text(tokens)).into_iter().filter_map(word).collect()
    }
}

/// Turns moments of a window into those of its sound.
struct Clock {
    start_seconds: f64,
    end_ms: u64,
}

impl Clock {
    fn new(run: &Run, job: &Job) -> Self {
        Self {
            start_seconds: job.at as f64 * run.model.frames.frame_seconds(),
            end_ms: run.frames_ms(job.features.content),
        }
    }

    /// A moment behind the end of the sound, in the silence that fills its last window, is its end.
    fn at(&self, seconds: f64) -> u64 {
        milliseconds(self.start_seconds + seconds).min(self.end_ms)
    }
}

/// The last piece of a window ends with a pair of timestamps, of which the next window says the second again.
fn without_second_of_pair(tokens: &[u32], first_timestamp: u32) -> &[u32] {
    match tokens {
        [before @ .., _] if tokens.len() > 2 && before[before.len() - 1] >= first_timestamp => before,
        _ => tokens,
    }
}
