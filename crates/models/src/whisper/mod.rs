//! Speech to text: Whisper (Radford et al., 2022, <https://arxiv.org/abs/2212.04356>), tiny to large-v3-turbo, in the layout of
//! `WhisperForConditionalGeneration`.
//!
//! A sound goes through in windows of half a minute. `features` and `encoder` turn a window into states, `decoding` into tokens by the rules
//! of the checkpoint, `timestamps` cuts those into segments and says where the next window starts, `guards` decides whether a text is
//! believed, and `alignment` with `words` finds the time of each word. `longform` does all that for whole sounds, several beside each other.
//!
//! What Transformers computes from the same files is computed here: features, states, greedy and beam-searched tokens, segments, word
//! times. Where it and the authors' own program differ, the texts' compression ratio, what ends a sound shorter than a window, and which text is
//! carried on after a high temperature are the latter's.

mod alignment;
mod config;
mod decoder;
mod decoding;
mod encoder;
mod error;
mod fallback;
mod features;
mod guards;
mod languages;
mod longform;
mod options;
mod segments;
mod timestamps;
mod tokens;
mod transcript;
mod words;

use std::ops::ControlFlow;

use candle_core::{DType, Device, Tensor};

use crate::error::ModelError;
use crate::generation::{BeamOptions, log_sum_exp};
use crate::layers::Past;
use crate::scope::Scope;
use crate::source::Source;
use crate::weights::Weights;
use config::{Config, FeatureConfig, GenerationConfig};
use decoder::{Decoder, Heard};
use decoding::Length;
use encoder::Encoder;
use features::{Features, LogMel};
use tokens::Vocabulary;

pub use error::WhisperError;
pub use languages::{language_code, language_name};
pub use options::{Task, TranscribeOptions};
pub use transcript::{Progress, Segment, Transcript, Word};

/// A speech recogniser.
///
/// Reads `config.json`, `generation_config.json` (optional), `preprocessor_config.json`, `tokenizer.json` and the weights.
pub struct Whisper {
    encoder: Encoder,
    decoder: Decoder,
    vocabulary: Vocabulary,
    log_mel: LogMel,
    frames: FeatureConfig,
    generation: Generation,
    dtype: DType,
    device: Device,
}

/// How the decoder is driven, as the checkpoint has it.
struct Generation {
    suppressed: Vec<u32>,
    suppressed_first: Vec<u32>,
    latest_initial: Option<usize>,
    alignment_heads: Vec<(usize, usize)>,
    median_width: usize,
    /// The language that a checkpoint was made for, where it is for one.
    language: Option<String>,
    length: Length,
    beam: BeamOptions,
    /// Tokens of earlier text that a prompt may have.
    most_previous: usize,
}

/// A language and how likely it is the one that is spoken.
#[derive(Debug, Clone, PartialEq)]
pub struct LanguageProbability {
    /// Such as `de`.
    pub code: String,
    /// All languages' together are 1.
    pub probability: f32,
}

impl Whisper {
    /// Loads a model with its weights in `dtype` (f32, f16, bf16) on `device`.
    pub fn load(source: &Source, dtype: DType, device: &Device) -> Result<Self, ModelError> {
        if !matches!(dtype, DType::F32 | DType::F16 | DType::BF16) {
            return Err(config::unsupported("precision", &dtype.as_str(), "f32, f16, bf16"));
        }
        let config = Config::load(source)?;
        let frames = FeatureConfig::load(source, &config)?;
        let file = GenerationConfig::load(source)?;
        let vocabulary = Vocabulary::load(source, &config, &file)?;
        let generation = Generation::new(source, &config, file, &vocabulary)?;
        let weights = Weights::of(source)?;
        let root = Scope::root(&weights, dtype, device);
        Ok(Self {
            encoder: Encoder::load(&root.at("model.encoder"), &config)?,
            decoder: Decoder::load(&root.at("model.decoder").of_few_rows(), &root.of_few_rows(), &config)?,
            vocabulary,
            log_mel: LogMel::new(&frames),
            frames,
            generation,
            dtype: root.dtype(),
            device: device.clone(),
        })
    }

    /// Whether `source` has a model that can be read here, by its settings alone, and at which rate it wants sounds, in hertz.
    pub fn check(source: &Source) -> Result<u32, ModelError> {
        let config = Config::load(source)?;
        Ok(FeatureConfig::load(source, &config)?.sampling_rate)
    }

    /// The rate at which sounds have to be given.
    pub fn sample_rate_hz(&self) -> u32 {
        self.frames.sampling_rate
    }

    /// The codes of the languages that it knows; `en` alone for models of English only.
    pub fn languages(&self) -> Vec<&str> {
        let known = &self.vocabulary.commands.languages;
        if known.is_empty() { vec!["en"] } else { known.keys().map(String::as_str).collect() }
    }

    /// Whether the checkpoint says which heads follow the sound, which word timestamps need.
    pub fn has_word_timestamps(&self) -> bool {
        !self.generation.alignment_heads.is_empty()
    }

    /// The languages of the first window of a sound (mono, at [`Self::sample_rate_hz`]), the likeliest first.
    pub fn detect_language(&self, samples: &[f32]) -> Result<Vec<LanguageProbability>, WhisperError> {
        if self.vocabulary.commands.languages.is_empty() {
            return Err(WhisperError::EnglishOnly { what: "language detection".to_owned() });
        }
        check(samples)?;
        let features = self.log_mel.features(&samples[..samples.len().min(self.frames.window_samples())]);
        let heard = self.decoder.hear(&self.encode_windows(&[(&features, 0)])?)?;
        Ok(self.spoken(&heard, 1)?.swap_remove(0))
    }

    /// Writes down what is said in a sound (mono, at [`Self::sample_rate_hz`]).
    ///
    /// `watch` is told before every window and at the end how far it is, and may stop it before a window, which gives
    /// [`WhisperError::Cancelled`].
    pub fn transcribe(
        &self,
        samples: &[f32],
        options: &TranscribeOptions,
        watch: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Transcript, WhisperError> {
        Ok(self.transcribe_all(&[samples], options, watch)?.swap_remove(0))
    }

    /// Writes down what is said in several sounds, windows of several of them at once. Each gets what it would get alone.
    pub fn transcribe_all(
        &self,
        sounds: &[&[f32]],
        options: &TranscribeOptions,
        watch: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Vec<Transcript>, WhisperError> {
        for samples in sounds {
            check(samples)?;
        }
        longform::run(self, sounds, options, watch)
    }

    /// The encoder's states of the first window of each sound: sounds x positions x width.
    pub fn encode(&self, sounds: &[&[f32]]) -> Result<Tensor, WhisperError> {
        let features: Vec<Features> = sounds.iter().map(|samples| self.log_mel.features(samples)).collect();
        let windows: Vec<(&Features, usize)> = features.iter().map(|features| (features, 0)).collect();
        Ok(self.encode_windows(&windows)?)
    }

    /// The encoder's states of windows whose features are there, each as [`Self::features`] gives them: windows x frames x bands in, windows x
    /// positions x width out.
    pub fn encode_features(&self, features: &Tensor) -> Result<Tensor, WhisperError> {
        Ok(self.encoder.forward(&features.to_device(&self.device)?.to_dtype(self.dtype)?)?)
    }

    /// The features of the first window of a sound: frames x bands, row by row.
    pub fn features(&self, samples: &[f32]) -> Vec<f32> {
        let mut window = Vec::new();
        self.log_mel.features(samples).window(0, self.frames.window_frames(), &mut window);
        window
    }

    /// States of windows: features and the first frame of each.
    fn encode_windows(&self, windows: &[(&Features, usize)]) -> candle_core::Result<Tensor> {
        let (count, bands) = (self.frames.window_frames(), self.frames.feature_size);
        let mut values = Vec::with_capacity(windows.len() * count * bands);
        for (features, first) in windows {
            features.window(*first, count, &mut values);
        }
        let values = Tensor::from_vec(values, (windows.len(), count, bands), &self.device)?;
        self.encoder.forward(&values.to_dtype(self.dtype)?)
    }

    /// The languages of windows, each with the likeliest first.
    fn spoken(&self, heard: &Heard, windows: usize) -> candle_core::Result<Vec<Vec<LanguageProbability>>> {
        let commands = &self.vocabulary.commands;
        let states = self.decoder.read(&vec![vec![commands.start]; windows], heard, &mut Past::default())?;
        let rank = |logits: Vec<f32>| {
            let of: Vec<f32> = commands.languages.values().map(|id| logits[*id as usize]).collect();
            let all = log_sum_exp(&of);
            let mut ranked: Vec<LanguageProbability> = commands
                .languages
                .keys()
                .zip(of)
                .map(|(code, logit)| LanguageProbability { code: code.clone(), probability: (logit - all).exp() })
                .collect();
            ranked.sort_by(|a, b| b.probability.total_cmp(&a.probability));
            ranked
        };
        Ok(self.decoder.logits(&states.squeeze(1)?)?.into_iter().map(rank).collect())
    }
}

impl Generation {
    fn new(
        source: &Source,
        config: &Config,
        file: GenerationConfig,
        vocabulary: &Vocabulary,
    ) -> Result<Self, ModelError> {
        let beam = BeamOptions::read(file.length_penalty, file.early_stopping.as_ref())?;
        let alignment_heads = file.alignment_heads.unwrap_or_default();
        let beyond =
            |head: &&(usize, usize)| head.0 >= config.decoder_layers || head.1 >= config.decoder_attention_heads;
        if let Some(head) = alignment_heads.iter().find(beyond) {
            let path = source.file("generation_config.json")?;
            return Err(ModelError::malformed(&path, &format!("alignment head {head:?} is not one of the model's")));
        }
        // The old way to say the language: the first forced token. None there asks for detection.
        let forced = file.forced_decoder_ids.unwrap_or_default().into_iter().find(|(place, _)| *place == 1);
        let forced = forced.and_then(|(_, token)| token).and_then(|token| {
            vocabulary.commands.languages.iter().find(|(_, id)| **id == token).map(|(code, _)| code.clone())
        });
        let language = match file.language.as_deref() {
            None => forced,
            Some(name) => match language_code(name) {
                Some(code) => Some(code.to_owned()),
                None => return Err(config::unsupported("language", &name, "the languages of Whisper")),
            },
        };
        Ok(Self {
            suppressed: file.suppress_tokens.unwrap_or_default(),
            suppressed_first: file.begin_suppress_tokens.unwrap_or_default(),
            latest_initial: file.max_initial_timestamp_index,
            alignment_heads,
            median_width: config.median_filter_width,
            language,
            length: Length {
                positions: config.max_target_positions,
                most: file.max_length,
                most_new: file.max_new_tokens,
            },
            beam,
            most_previous: (config.max_target_positions / 2).saturating_sub(1),
        })
    }
}

/// Refuses what is no sound.
fn check(samples: &[f32]) -> Result<(), WhisperError> {
    match samples.iter().position(|sample| !sample.is_finite()) {
        Some(index) => Err(WhisperError::Samples { index }),
        None => Ok(()),
    }
}
