//! Whole sounds, window by window, several sounds beside each other.

use std::ops::ControlFlow;

use super::Whisper;
use super::decoder::Heard;
use super::decoding::{Rules, TimestampRules};
use super::error::WhisperError;
use super::features::Features;
use super::guards::Verdict;
use super::languages::language_code;
use super::options::{Task, TranscribeOptions};
use super::transcript::{Progress, Segment, Transcript};
use super::words::trimmed;
use crate::generation::random::Random;

/// A sound on its way.
pub(super) struct Job {
    pub features: Features,
    /// The frame where the next window starts.
    pub at: usize,
    pub language: Option<String>,
    /// Tokens that the next window is told.
    pub previous: Vec<u32>,
    random: Random,
    pub segments: Vec<Segment>,
    /// All tokens so far.
    pub text: Vec<u32>,
}

impl Job {
    fn is_done(&self) -> bool {
        self.at >= self.features.content
    }
}

/// All that the windows of one call share.
pub(super) struct Run<'a> {
    pub model: &'a Whisper,
    pub options: &'a TranscribeOptions,
    pub rules: Rules,
    prompt: Vec<u32>,
}

/// Transcribes sounds whose samples are finite numbers.
pub(super) fn run(
    model: &Whisper,
    sounds: &[&[f32]],
    options: &TranscribeOptions,
    watch: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Vec<Transcript>, WhisperError> {
    let run = Run::new(model, options)?;
    let language = run.language()?;
    let job = |samples: &&[f32]| Job {
        features: model.log_mel.features(samples),
        at: 0,
        language: language.clone(),
        previous: Vec::new(),
        random: Random::seeded(options.seed),
        segments: Vec::new(),
        text: Vec::new(),
    };
    let mut jobs: Vec<Job> = sounds.iter().map(job).collect();
    loop {
        let flow = watch(run.progress(&jobs));
        let mut waiting: Vec<&mut Job> = jobs.iter_mut().filter(|job| !job.is_done()).collect();
        waiting.truncate(options.windows_at_once);
        if waiting.is_empty() {
            break;
        }
        if flow.is_break() {
            return Err(WhisperError::Cancelled);
        }
        run.round(&mut waiting)?;
    }
    Ok(jobs.into_iter().map(|job| run.transcript(job)).collect())
}

impl<'a> Run<'a> {
    fn new(model: &'a Whisper, options: &'a TranscribeOptions) -> Result<Self, WhisperError> {
        let (generation, commands) = (&model.generation, &model.vocabulary.commands);
        options.check(model.vocabulary.size())?;
        if options.word_timestamps && !model.has_word_timestamps() {
            return Err(WhisperError::NoAlignmentHeads);
        }
        if options.task == Task::Translate && commands.tasks.is_none() {
            return Err(WhisperError::EnglishOnly { what: "translation".to_owned() });
        }
        let timestamps = options.timestamps.then(|| TimestampRules {
            none: commands.no_timestamps,
            first: commands.first_timestamp(),
            end: commands.end,
            latest_initial: generation.latest_initial,
        });
        let rules = Rules {
            suppressed: generation.suppressed.clone(),
            suppressed_first: generation.suppressed_first.clone(),
            timestamps,
        };
        let prompt = match &options.prompt {
            Some(text) => model.vocabulary.prompt(text).map_err(|reason| WhisperError::Prompt { reason })?,
            None => Vec::new(),
        };
        Ok(Self { model, options, rules, prompt })
    }

    /// The language that is asked for, or that the checkpoint is for; none where it is to be detected.
    fn language(&self) -> Result<Option<String>, WhisperError> {
        let known = &self.model.vocabulary.commands.languages;
        let Some(asked) = self.options.language.as_ref() else {
            let own = if known.is_empty() { Some("en".to_owned()) } else { self.model.generation.language.clone() };
            return Ok(own);
        };
        match language_code(asked) {
            Some("en") if known.is_empty() => Ok(Some("en".to_owned())),
            Some(_) if known.is_empty() => Err(WhisperError::EnglishOnly { what: format!("language \"{asked}\"") }),
            Some(code) if known.contains_key(code) => Ok(Some(code.to_owned())),
            _ => Err(WhisperError::UnknownLanguage { found: asked.clone(), known: self.model.languages().join(", ") }),
        }
    }

    fn progress(&self, jobs: &[Job]) -> Progress {
        let total: usize = jobs.iter().map(|job| job.features.content).sum();
        let done: usize = jobs.iter().map(|job| job.at.min(job.features.content)).sum();
        Progress { done_ms: self.frames_ms(done), total_ms: self.frames_ms(total) }
    }

    pub fn frames_ms(&self, frames: usize) -> u64 {
        milliseconds(frames as f64 * self.model.frames.frame_seconds())
    }

    /// One window of every job.
    fn round(&self, jobs: &mut [&mut Job]) -> Result<(), WhisperError> {
        let model = self.model;
        let windows: Vec<(&Features, usize)> = jobs.iter().map(|job| (&job.features, job.at)).collect();
        let heard = model.decoder.hear(&model.encode_windows(&windows)?)?;
        self.detect_languages(jobs, &heard)?;
        let prompts: Vec<Vec<u32>> = jobs.iter().map(|job| self.prompt_of(job)).collect();
        let mut randoms: Vec<Random> = jobs.iter().map(|job| job.random.clone()).collect();
        let outcomes = self.decode(&prompts, &heard, &mut randoms)?;
        for (place, (job, outcome)) in jobs.iter_mut().zip(outcomes).enumerate() {
            job.random = randoms[place].clone();
            if outcome.verdict == Verdict::Skip {
                job.at += self.window_frames(job);
                continue;
            }
            let ends = if self.options.word_timestamps {
                self.ends(
                    &prompts[place],
                    &outcome.decoded,
                    &heard.pick(&[place], &model.device)?,
                    self.window_frames(job),
                )?
            } else {
                Vec::new()
            };
            self.take(job, outcome, &ends);
        }
        Ok(())
    }

    fn detect_languages(&self, jobs: &mut [&mut Job], heard: &Heard) -> Result<(), WhisperError> {
        let places: Vec<usize> = (0..jobs.len()).filter(|place| jobs[*place].language.is_none()).collect();
        if places.is_empty() {
            return Ok(());
        }
        let spoken = self.model.spoken(&heard.pick(&places, &self.model.device)?, places.len())?;
        for (place, ranked) in places.into_iter().zip(spoken) {
            jobs[place].language = ranked.into_iter().next().map(|best| best.code);
        }
        Ok(())
    }

    /// The frames of a job's next window that sound covers.
    pub fn window_frames(&self, job: &Job) -> usize {
        (job.features.content - job.at).min(self.model.frames.window_frames())
    }

    /// Earlier text behind its command, and the start.
    fn prompt_of(&self, job: &Job) -> Vec<u32> {
        let commands = &self.model.vocabulary.commands;
        let earlier = [self.prompt.as_slice(), job.previous.as_slice()].concat();
        let mut tokens = Vec::with_capacity(earlier.len() + 5);
        if !earlier.is_empty() {
            tokens.push(commands.previous);
            tokens.extend(&earlier[earlier.len().saturating_sub(self.model.generation.most_previous)..]);
        }
        tokens.extend(self.start_of(job));
        tokens
    }

    /// Where the transcript starts, and the commands of language, task and timestamps.
    fn start_of(&self, job: &Job) -> Vec<u32> {
        let commands = &self.model.vocabulary.commands;
        let mut tokens = vec![commands.start];
        if let Some(tasks) = &commands.tasks {
            tokens.extend(job.language.as_ref().and_then(|code| commands.languages.get(code)));
            tokens.push(match self.options.task {
                Task::Transcribe => tasks.transcribe,
                Task::Translate => tasks.translate,
            });
        }
        if !self.options.timestamps {
            tokens.push(commands.no_timestamps);
        }
        tokens
    }

    /// How many tokens [`Self::start_of`] gives.
    pub fn start_length(&self) -> usize {
        1 + 2 * usize::from(self.model.vocabulary.commands.tasks.is_some()) + usize::from(!self.options.timestamps)
    }

    fn transcript(&self, job: Job) -> Transcript {
        Transcript {
            language: job.language.unwrap_or_default(),
            text: trimmed(&self.model.vocabulary.text(&job.text)).to_owned(),
            segments: job.segments,
        }
    }
}

/// Seconds as whole milliseconds.
pub(super) fn milliseconds(seconds: f64) -> u64 {
    (seconds * 1000.0).round() as u64
}
