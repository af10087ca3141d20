//! The configuration files of a checkpoint: `config.json`, `preprocessor_config.json` and `generation_config.json`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::error::ModelError;
use crate::layers::Activation;
use crate::source::Source;

/// `config.json`: the shape of the network.
#[derive(Debug, Deserialize)]
pub(super) struct Config {
    model_type: String,
    pub vocab_size: usize,
    pub num_mel_bins: usize,
    pub d_model: usize,
    pub encoder_layers: usize,
    pub encoder_attention_heads: usize,
    pub encoder_ffn_dim: usize,
    pub decoder_layers: usize,
    pub decoder_attention_heads: usize,
    pub decoder_ffn_dim: usize,
    pub max_source_positions: usize,
    pub max_target_positions: usize,
    #[serde(default = "gelu")]
    pub activation_function: Activation,
    #[serde(default)]
    scale_embedding: bool,
    #[serde(default = "yes")]
    pub tie_word_embeddings: bool,
    #[serde(default = "seven")]
    pub median_filter_width: usize,
}

fn gelu() -> Activation {
    Activation::Gelu
}

fn yes() -> bool {
    true
}

fn seven() -> usize {
    7
}

impl Config {
    pub fn load(source: &Source) -> Result<Self, ModelError> {
        let config: Self = source.json("config.json")?;
        if config.model_type != "whisper" {
            return Err(ModelError::Unsupported { what: "model_type", found: config.model_type, supported: "whisper" });
        }
        if config.scale_embedding {
            return Err(unsupported("scale_embedding", &true, "false"));
        }
        let path = source.file("config.json")?;
        for (heads, what) in [(config.encoder_attention_heads, "encoder"), (config.decoder_attention_heads, "decoder")]
        {
            if heads == 0 || !config.d_model.is_multiple_of(heads) {
                let reason = format!("d_model {} is not a multiple of the {what}'s {heads} heads", config.d_model);
                return Err(ModelError::malformed(&path, &reason));
            }
        }
        if config.median_filter_width.is_multiple_of(2) {
            return Err(unsupported("median_filter_width", &config.median_filter_width, "odd numbers"));
        }
        Ok(config)
    }
}

/// `preprocessor_config.json`: how sound becomes features.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct FeatureConfig {
    pub feature_size: usize,
    pub sampling_rate: u32,
    pub hop_length: usize,
    /// Seconds of a window.
    pub chunk_length: usize,
    pub n_fft: usize,
    #[serde(default)]
    padding_value: f32,
    #[serde(default)]
    dither: f32,
    #[serde(default)]
    do_normalize: bool,
}

impl FeatureConfig {
    pub fn load(source: &Source, config: &Config) -> Result<Self, ModelError> {
        const NAME: &str = "preprocessor_config.json";
        let features: Self = source.json(NAME)?;
        if features.padding_value != 0.0 {
            return Err(unsupported("padding_value", &features.padding_value, "0"));
        }
        if features.dither != 0.0 {
            return Err(unsupported("dither", &features.dither, "0"));
        }
        if features.do_normalize {
            return Err(unsupported("do_normalize", &true, "false"));
        }
        let path = source.file(NAME)?;
        let malformed = |reason: String| Err(ModelError::malformed(&path, &reason));
        if features.feature_size != config.num_mel_bins {
            let (size, bins) = (features.feature_size, config.num_mel_bins);
            return malformed(format!("feature_size {size} differs from the {bins} mel bins of config.json"));
        }
        if features.hop_length == 0 || features.n_fft < 2 || features.sampling_rate == 0 {
            return malformed("hop_length, n_fft and sampling_rate must be positive".to_owned());
        }
        let frames = features.window_frames();
        if frames != config.max_source_positions.saturating_mul(2) {
            let positions = config.max_source_positions;
            return malformed(format!("{frames} frames a window do not fit max_source_positions {positions}"));
        }
        Ok(features)
    }

    /// Samples of a window.
    pub fn window_samples(&self) -> usize {
        self.chunk_length.saturating_mul(self.sampling_rate as usize)
    }

    /// Frames of a window.
    pub fn window_frames(&self) -> usize {
        self.window_samples() / self.hop_length
    }

    /// Seconds of a frame.
    pub fn frame_seconds(&self) -> f64 {
        self.hop_length as f64 / f64::from(self.sampling_rate)
    }
}

/// `generation_config.json`: how the decoder is driven. Ids that older files lack come from the names in the vocabulary.
#[derive(Debug, Default, Deserialize)]
pub(super) struct GenerationConfig {
    pub alignment_heads: Option<Vec<(usize, usize)>>,
    pub begin_suppress_tokens: Option<Vec<u32>>,
    pub suppress_tokens: Option<Vec<u32>>,
    pub forced_decoder_ids: Option<Vec<(usize, Option<u32>)>>,
    pub is_multilingual: Option<bool>,
    pub lang_to_id: Option<BTreeMap<String, u32>>,
    pub task_to_id: Option<BTreeMap<String, u32>>,
    pub language: Option<String>,
    pub max_initial_timestamp_index: Option<usize>,
    pub max_length: Option<usize>,
    pub max_new_tokens: Option<usize>,
    pub no_timestamps_token_id: Option<u32>,
    pub prev_sot_token_id: Option<u32>,
    pub decoder_start_token_id: Option<u32>,
    pub eos_token_id: Option<u32>,
    pub length_penalty: Option<f32>,
    pub early_stopping: Option<Value>,
    repetition_penalty: Option<f32>,
    no_repeat_ngram_size: Option<usize>,
}

impl GenerationConfig {
    pub fn load(source: &Source) -> Result<Self, ModelError> {
        let generation: Self = source.optional_json("generation_config.json")?.unwrap_or_default();
        if let Some(penalty) = generation.repetition_penalty.filter(|penalty| (penalty - 1.0).abs() > f32::EPSILON) {
            return Err(unsupported("repetition_penalty", &penalty, "1"));
        }
        if let Some(size) = generation.no_repeat_ngram_size.filter(|size| *size != 0) {
            return Err(unsupported("no_repeat_ngram_size", &size, "0"));
        }
        Ok(generation)
    }
}

pub(super) fn unsupported(what: &'static str, found: &dyn std::fmt::Display, supported: &'static str) -> ModelError {
    ModelError::Unsupported { what, found: found.to_string(), supported }
}
