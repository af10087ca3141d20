//! When a window's text is not believed: it repeats itself, it is improbable, or there was no speech.

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::decoding::Decoded;
use super::options::TranscribeOptions;

/// A loop is at least so many repetitions,
const LEAST_REPETITIONS: usize = 4;
/// of at most so many tokens.
const LONGEST_LOOP: usize = 32;

/// What is to be done with a window's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is good.
    Take,
    /// It may be better at a higher temperature.
    Retry {
        /// Whether it is because it repeats itself.
        repetitive: bool,
    },
    /// There is no speech.
    Skip,
}

/// Judges a text by the thresholds.
pub(super) fn judge(decoded: &Decoded, compression_ratio: f32, options: &TranscribeOptions) -> Verdict {
    let improbable = options.log_probability_threshold.map(|least| decoded.average() < least);
    let silent = options.no_speech_threshold.is_some_and(|most| decoded.no_speech > most);
    if silent && improbable != Some(false) {
        return Verdict::Skip;
    }
    let repetitive = options.compression_ratio_threshold.is_some_and(|most| compression_ratio > most);
    if repetitive || improbable == Some(true) { Verdict::Retry { repetitive } } else { Verdict::Take }
}

/// The length of a text by that of its zlib stream. Above 2 or so a text repeats itself.
pub(super) fn compression_ratio(text: &str) -> f32 {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    // Writing to memory does not fail.
    let packed = encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish());
    packed.map_or(1.0, |packed| text.len() as f32 / packed.len().max(1) as f32)
}

/// How many of the tokens there are before the second round of a loop in which they end; all of them where they do not.
pub(super) fn before_loop(tokens: &[u32]) -> usize {
    for period in 1..=LONGEST_LOOP.min(tokens.len() / LEAST_REPETITIONS) {
        let repeated = tokens.iter().rev().zip(tokens.iter().rev().skip(period)).take_while(|(a, b)| a == b).count();
        if repeated >= period * (LEAST_REPETITIONS - 1) {
            return tokens.len() - repeated;
        }
    }
    tokens.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(log_probability: f32, no_speech: f32) -> Decoded {
        Decoded { tokens: vec![1], log_probabilities: vec![log_probability; 2], no_speech }
    }

    #[test]
    fn texts_are_judged_by_the_thresholds() {
        let options = TranscribeOptions::default();
        assert_eq!(judge(&said(-0.2, 0.1), 1.2, &options), Verdict::Take);
        assert_eq!(judge(&said(-1.2, 0.1), 1.2, &options), Verdict::Retry { repetitive: false });
        assert_eq!(judge(&said(-0.2, 0.1), 2.5, &options), Verdict::Retry { repetitive: true });
        assert_eq!(judge(&said(-1.2, 0.7), 2.5, &options), Verdict::Skip);
        assert_eq!(judge(&said(-0.2, 0.7), 1.2, &options), Verdict::Take, "a sure text is no silence");
        let none = TranscribeOptions { log_probability_threshold: None, compression_ratio_threshold: None, ..options };
        assert_eq!(judge(&said(-9.0, 0.1), 9.0, &none), Verdict::Take);
        assert_eq!(judge(&said(-0.2, 0.7), 1.2, &none), Verdict::Skip);
    }

    #[test]
    fn repetition_compresses() {
        // Python's len(s) / len(zlib.compress(s)) gives 9.86 and 0.88; other deflaters are not as thorough with so short a text.
        assert!(compression_ratio(&"la la ".repeat(23)) > 4.0);
        assert!(compression_ratio("And so my fellow Americans, ask not what your country") < 1.0);
        assert!(compression_ratio("").is_finite());
    }

    #[test]
    fn loops_are_cut_after_their_first_round() {
        assert_eq!(before_loop(&[9, 8, 1, 2, 1, 2, 1, 2, 1, 2]), 4);
        assert_eq!(before_loop(&[5, 5, 5, 5, 5]), 1);
        assert_eq!(before_loop(&[1, 2, 1, 2, 1, 2]), 6, "three times is no loop");
        assert_eq!(before_loop(&[]), 0);
    }
}
