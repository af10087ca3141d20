//! What the next token may be.

use crate::generation::log_sum_exp;

/// The rules of one transcription. They are applied to logits in place: what may not come becomes minus infinity.
#[derive(Debug, Clone)]
pub(in super::super) struct Rules {
    /// Never.
    pub suppressed: Vec<u32>,
    /// Not at the beginning.
    pub suppressed_first: Vec<u32>,
    /// Where timestamps are wanted.
    pub timestamps: Option<TimestampRules>,
}

/// Timestamps stand at the beginning, come in pairs except before the end, and never go back.
#[derive(Debug, Clone)]
pub(in super::super) struct TimestampRules {
    /// The command that there are none.
    pub none: u32,
    /// The token of time zero; those above it are timestamps too.
    pub first: u32,
    /// The end of text; tokens below it are text.
    pub end: u32,
    /// How late the first one may be, as a number of timestamps.
    pub latest_initial: Option<usize>,
}

impl Rules {
    /// `said` are the tokens so far without the prompt.
    pub fn apply(&self, logits: &mut [f32], said: &[u32]) {
        if said.is_empty() {
            forbid(logits, &self.suppressed_first);
        }
        forbid(logits, &self.suppressed);
        if let Some(timestamps) = &self.timestamps {
            timestamps.apply(logits, said);
        }
    }
}

impl TimestampRules {
    fn apply(&self, logits: &mut [f32], said: &[u32]) {
        let (first, end) = (self.first as usize, self.end as usize);
        forbid(logits, &[self.none]);
        let is_time = |token: &u32| *token >= self.first;
        let last = said.last().is_some_and(is_time);
        let one_before = said.len() < 2 || is_time(&said[said.len() - 2]);
        if last && one_before {
            logits[first..].fill(f32::NEG_INFINITY);
        } else if last {
            logits[..end].fill(f32::NEG_INFINITY);
        }
        if let Some(latest) = said.iter().rev().find(|token| is_time(token)) {
            // The second of a pair may repeat the first; otherwise time goes on.
            let earliest = if last && !one_before { *latest } else { *latest + 1 } as usize;
            let earliest = earliest.min(logits.len());
            logits[first..earliest].fill(f32::NEG_INFINITY);
        }
        if said.is_empty() {
            logits[..first].fill(f32::NEG_INFINITY);
            if let Some(latest) = self.latest_initial {
                let beyond = (first + latest + 1).min(logits.len());
                logits[beyond..].fill(f32::NEG_INFINITY);
            }
        }
        // Where all timestamps together are likelier than any one word, it is a timestamp.
        let likeliest_word = logits[..first].iter().copied().fold(f32::NEG_INFINITY, f32::max);
        if log_sum_exp(&logits[first..]) > likeliest_word {
            logits[..first].fill(f32::NEG_INFINITY);
        }
    }
}

fn forbid(logits: &mut [f32], tokens: &[u32]) {
    for token in tokens {
        if let Some(logit) = logits.get_mut(*token as usize) {
            *logit = f32::NEG_INFINITY;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four words, the end (4), the command (5), and times 6 to 11.
    fn rules(latest_initial: Option<usize>) -> Rules {
        let timestamps = Some(TimestampRules { none: 5, first: 6, end: 4, latest_initial });
        Rules { suppressed: vec![0], suppressed_first: vec![1, 4], timestamps }
    }

    fn allowed(rules: &Rules, said: &[u32], logits: [f32; 12]) -> Vec<usize> {
        let mut logits = logits;
        rules.apply(&mut logits, said);
        (0..12).filter(|token| logits[*token] > f32::NEG_INFINITY).collect()
    }

    const WORDY: [f32; 12] = [9.0, 9.0, 9.0, 9.0, 9.0, 9.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];

    #[test]
    fn timestamps_come_first_in_pairs_and_forwards() {
        assert_eq!(allowed(&rules(Some(2)), &[], WORDY), [6, 7, 8]);
        assert_eq!(allowed(&rules(None), &[], WORDY), [6, 7, 8, 9, 10, 11]);
        assert_eq!(allowed(&rules(None), &[7], WORDY), [1, 2, 3, 4], "words follow the first one");
        assert_eq!(allowed(&rules(None), &[7, 2], WORDY), [1, 2, 3, 4, 8, 9, 10, 11], "time goes on");
        assert_eq!(allowed(&rules(None), &[7, 2, 9], WORDY), [4, 9, 10, 11], "a pair, or the end");
        assert_eq!(allowed(&rules(None), &[7, 2, 9, 9], WORDY), [1, 2, 3, 4]);
        assert_eq!(allowed(&rules(None), &[7, 2, 11], WORDY), [4, 11]);
        assert_eq!(allowed(&rules(None), &[7, 2, 11, 11, 3], WORDY), [1, 2, 3, 4], "no time is left");
    }

    #[test]
    fn likely_timestamps_together_outweigh_a_word() {
        let even = [1.0; 12];
        assert_eq!(allowed(&rules(None), &[7, 2], even), [8, 9, 10, 11]);
    }

    #[test]
    fn without_timestamps_only_the_lists_count() {
        let plain = Rules { timestamps: None, ..rules(None) };
        assert_eq!(allowed(&plain, &[], WORDY), [2, 3, 5, 6, 7, 8, 9, 10, 11]);
        assert_eq!(allowed(&plain, &[3], WORDY), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    }
}
