//! What a caller may choose.

use super::error::WhisperError;
use crate::generation::beam::MOST_BEAMS;

/// What is done with speech.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Task {
    /// Written down in its own language.
    #[default]
    Transcribe,
    /// Translated to English.
    Translate,
}

/// How to transcribe. The defaults are those of the authors' own program, with greedy decoding.
#[derive(Debug, Clone, PartialEq)]
pub struct TranscribeOptions {
    /// A code (`de`) or an English name (`german`). Without one it is detected from the first window.
    pub language: Option<String>,
    /// Transcribe or translate.
    pub task: Task,
    /// Words that the sound is about, or the text before it: names and spellings follow it.
    pub prompt: Option<String>,
    /// Beams of the search at temperature zero; 1 is greedy.
    pub beams: usize,
    /// Tried one after the other until the result passes the thresholds; the last one's result is taken as it is. Not empty.
    pub temperatures: Vec<f32>,
    /// A text that zlib shrinks more than this repeats itself, and is tried again. Where no temperature helps, a loop at its end is cut after its first
    /// round.
    pub compression_ratio_threshold: Option<f32>,
    /// A text whose mean log-probability is below this is tried again.
    pub log_probability_threshold: Option<f32>,
    /// A window is skipped as silence where the probability of no speech is above this and the text's log-probability below its threshold.
    pub no_speech_threshold: Option<f32>,
    /// Whether a window is told the text of those before it.
    pub condition_on_previous: bool,
    /// Whether the model says where segments start and end; otherwise every window is one segment.
    pub timestamps: bool,
    /// Whether to find the time of every word.
    pub word_timestamps: bool,
    /// Fixes what is drawn at temperatures above zero.
    pub seed: u64,
    /// Most windows (of different sounds) that are computed at once: memory against speed.
    pub windows_at_once: usize,
}

impl Default for TranscribeOptions {
    fn default() -> Self {
        Self {
            language: None,
            task: Task::default(),
            prompt: None,
            beams: 1,
            temperatures: vec![0.0, 0.2, 0.4, 0.6, 0.8, 1.0],
            compression_ratio_threshold: Some(2.4),
            log_probability_threshold: Some(-1.0),
            no_speech_threshold: Some(0.6),
            condition_on_previous: true,
            timestamps: true,
            word_timestamps: false,
            seed: 0,
            windows_at_once: 4,
        }
    }
}

impl TranscribeOptions {
    /// The first option out of its range is the error.
    pub(super) fn check(&self, vocabulary: usize) -> Result<(), WhisperError> {
        let refuse = |option, found: &dyn std::fmt::Debug, allowed: String| {
            Err(WhisperError::Option { option, found: format!("{found:?}"), allowed })
        };
        let most_beams = MOST_BEAMS.min(vocabulary / 2);
        if self.beams == 0 || self.beams > most_beams {
            return refuse("beams", &self.beams, format!("1 to {most_beams}"));
        }
        let right = |temperature: &f32| temperature.is_finite() && *temperature >= 0.0;
        if self.temperatures.is_empty() || !self.temperatures.iter().all(right) {
            return refuse("temperatures", &self.temperatures, "one or more numbers from 0 on".to_owned());
        }
        if self.windows_at_once == 0 {
            return refuse("windows_at_once", &self.windows_at_once, "1 or more".to_owned());
        }
        Ok(())
    }
}
