//! `preprocessor_config.json` and what it says: samples to decibels over mel bands and time.

use sensorium_domain::encoder::SoundFormat;
use sensorium_media::{Sound, resample};
use serde::Deserialize;

use super::config::{AudioConfig, unsupported};
use super::views::{Padding, four, middle};
use crate::error::ModelError;
use crate::source::Source;
use crate::spectrum::{MelBands, MelScale, PowerSpectrum};

/// The least energy of a band that counts: -100 dB.
const FLOOR: f32 = 1e-10;
/// Longest view that is accepted, in samples; published models take 480,000.
const LONGEST: usize = 1 << 24;

/// The file, with the reference's defaults for what is not written in it.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
struct ExtractorConfig {
    feature_extractor_type: String,
    feature_size: usize,
    sampling_rate: u32,
    hop_length: usize,
    max_length_s: usize,
    fft_window_size: usize,
    frequency_min: f64,
    frequency_max: f64,
    truncation: Truncation,
    padding: Padding,
}

impl Default for ExtractorConfig {
    fn default() -> Self {
        Self {
            feature_extractor_type: "ClapFeatureExtractor".to_owned(),
            feature_size: 64,
            sampling_rate: 48_000,
            hop_length: 480,
            max_length_s: 10,
            fft_window_size: 1024,
            frequency_min: 0.0,
            frequency_max: 14_000.0,
            truncation: Truncation::Fusion,
            padding: Padding::RepeatPad,
        }
    }
}

/// What becomes of a sound that is longer than the model takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Truncation {
    /// Four views of it.
    Fusion,
    /// A part of it.
    RandTrunc,
}

/// `processor_config.json`, into which newer repositories write the same.
#[derive(Deserialize)]
struct ProcessorConfig {
    feature_extractor: Option<ExtractorConfig>,
}

/// Makes a model's input of samples.
pub struct FeatureExtractor {
    spectrum: PowerSpectrum,
    bands: MelBands,
    truncation: Truncation,
    padding: Padding,
    sample_rate_hz: u32,
    /// Samples of a view.
    length: usize,
    frames: usize,
}

impl FeatureExtractor {
    /// Reads the file, which has to fit the model.
    pub fn load(source: &Source, model: &AudioConfig) -> Result<Self, ModelError> {
        let config = match source.optional_json("preprocessor_config.json")? {
            Some(config) => config,
            None => match source.optional_json("processor_config.json")? {
                Some(ProcessorConfig { feature_extractor: Some(config) }) => config,
                _ => return Err(ModelError::MissingFile { path: source.folder().join("preprocessor_config.json") }),
            },
        };
        Self::new(&config, model)
    }

    fn new(config: &ExtractorConfig, model: &AudioConfig) -> Result<Self, ModelError> {
        if config.feature_extractor_type != "ClapFeatureExtractor" {
            return Err(unsupported("feature extractor", &config.feature_extractor_type, "ClapFeatureExtractor"));
        }
        if config.feature_size != model.num_mel_bins {
            return Err(unsupported("feature_size", &config.feature_size.to_string(), "num_mel_bins of the model"));
        }
        if (config.truncation == Truncation::Fusion) != model.enable_fusion {
            let found = format!("{:?} with enable_fusion {}", config.truncation, model.enable_fusion);
            return Err(unsupported("truncation", &found, "fusion for fused models, rand_trunc for others"));
        }
        if config.fft_window_size < 4 || !config.fft_window_size.is_multiple_of(2) || config.hop_length == 0 {
            let found = format!("{} with hop_length {}", config.fft_window_size, config.hop_length);
            return Err(unsupported("fft_window_size", &found, "even numbers from 4, with hops of a sample or more"));
        }
        if !(config.frequency_min >= 0.0 && config.frequency_min < config.frequency_max) {
            let found = format!("{} with frequency_max {}", config.frequency_min, config.frequency_max);
            return Err(unsupported("frequency_min", &found, "frequencies below frequency_max"));
        }
        let length = config.max_length_s.saturating_mul(config.sampling_rate as usize);
        let most_frames = model.spec_size * model.pieces();
        if length <= config.fft_window_size || length > LONGEST || length / config.hop_length >= most_frames {
            let found = format!("{} at {} Hz", config.max_length_s, config.sampling_rate);
            return Err(unsupported("max_length_s", &found, "what gives a spectrogram that fits the model's picture"));
        }
        let spectrum = PowerSpectrum::new(config.fft_window_size, config.hop_length);
        let frames = spectrum.frames(length);
        // The two kinds of model were trained with different filters.
        let scale = if model.enable_fusion { MelScale::Htk } else { MelScale::Slaney };
        let (low, high) = (config.frequency_min, config.frequency_max);
        let bands = MelBands::new(scale, config.feature_size, spectrum.bins(), config.sampling_rate, low, high);
        let (truncation, padding) = (config.truncation, config.padding);
        Ok(Self { spectrum, bands, truncation, padding, sample_rate_hz: config.sampling_rate, length, frames })
    }

    /// Frames of a view.
    pub fn frames(&self) -> usize {
        self.frames
    }

    /// The sounds that lose nothing here.
    pub fn sound_format(&self) -> SoundFormat {
        let window_ms = (self.length as u64 * 1000) / u64::from(self.sample_rate_hz);
        SoundFormat { sample_rate_hz: self.sample_rate_hz, window_ms }
    }

    /// Views x frames x bands of mono samples at any rate.
    ///
    /// # Errors
    /// What is wrong with the samples.
    pub fn extract(&self, sample_rate_hz: u32, samples: &[f32]) -> Result<Vec<f32>, String> {
        if samples.is_empty() {
            return Err("a sound without samples has no vector".to_owned());
        }
        if samples.iter().any(|sample| !sample.is_finite()) {
            return Err("a sample is not a number".to_owned());
        }
        if sample_rate_hz == self.sample_rate_hz {
            return Ok(self.views(samples));
        }
        let sound = Sound { sample_rate_hz, samples: samples.to_vec(), channels_in_file: 1 };
        let sound = resample(&sound, self.sample_rate_hz).map_err(|error| error.to_string())?;
        Ok(self.views(&sound.samples))
    }

    fn views(&self, samples: &[f32]) -> Vec<f32> {
        let fits = samples.len() <= self.length;
        match self.truncation {
            Truncation::RandTrunc if fits => self.decibels(&self.padding.fill(samples, self.length)),
            Truncation::RandTrunc => self.decibels(middle(samples, self.length)),
            Truncation::Fusion if fits => self.decibels(&self.padding.fill(samples, self.length)).repeat(4),
            Truncation::Fusion => {
                let decibels = self.decibels(samples);
                // Less than a hop is too much: there is nothing to choose from.
                if self.spectrum.frames(samples.len()) == self.frames {
                    return decibels.repeat(4);
                }
                four(&decibels, self.frames, self.bands.count())
            }
        }
    }

    /// Frames x bands.
    fn decibels(&self, samples: &[f32]) -> Vec<f32> {
        let mut out = Vec::with_capacity(self.spectrum.frames(samples.len()) * self.bands.count());
        self.spectrum.for_each(samples, |power| {
            out.extend(self.bands.energies(power).map(|energy| 10.0 * energy.max(FLOOR).log10()));
        });
        out
    }
}
