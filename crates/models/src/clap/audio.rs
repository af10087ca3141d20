//! The audio tower.

use candle_core::{DType, Device, Tensor};
use sensorium_domain::encoder::{Cost, EncodeInput, SoundFormat, Tower, TowerOutput};
use sensorium_domain::segment::Modality;

use super::config::Config;
use super::features::FeatureExtractor;
use super::patches::Patches;
use super::projection::Projection;
use super::swin::Swin;
use crate::batch;
use crate::error::ModelError;
use crate::scope::Scope;
use crate::source::Source;
use crate::weights::Weights;

/// Most sounds that go through the network together; what lies between its layers takes about 30 MB a sound.
const TOGETHER: usize = 8;

/// Sounds to unit vectors. Of a sound that is longer than the model takes (10 s), the middle counts, or for models with fusion the whole of it and
/// three parts; the reference takes parts at random.
pub struct ClapAudio {
    extractor: FeatureExtractor,
    patches: Patches,
    swin: Swin,
    projection: Projection,
    dimensions: usize,
    /// Views, frames and bands of a sound.
    shape: [usize; 3],
    cost: Cost,
    device: Device,
}

impl ClapAudio {
    /// Loads `config.json`, `preprocessor_config.json` (or `processor_config.json`) and the weights of `source`.
    pub fn load(source: &Source, dtype: DType, device: &Device) -> Result<Self, ModelError> {
        let config = Config::load(source)?;
        let audio = &config.audio_config;
        let extractor = FeatureExtractor::load(source, audio)?;
        let weights = Weights::of(source)?;
        let root = Scope::root(&weights, dtype, device);
        // Bands differ by tens of decibels: what brings them together is not rounded.
        let precise = Scope::root(&weights, DType::F32, device);
        let (tower, precise) = (root.at("audio_model.audio_encoder"), precise.at("audio_model.audio_encoder"));
        let width = audio.stages().last().map_or(0, |stage| stage.width);
        let dimensions = config.projection_dim;
        let projection =
            Projection::load(&root.at("audio_projection"), width, dimensions, config.projection_hidden_act)?;
        Ok(Self {
            patches: Patches::load(&tower, &precise, audio, extractor.frames())?,
            swin: Swin::load(&tower, audio)?,
            projection,
            dimensions,
            shape: [audio.views(), extractor.frames(), audio.num_mel_bins],
            cost: Cost(Swin::flops(audio).div_ceil(1_000_000)),
            extractor,
            device: device.clone(),
        })
    }

    /// What the network takes: decibels, views x frames x bands.
    ///
    /// # Errors
    /// What is wrong with the input.
    pub fn features(&self, input: &EncodeInput) -> Result<Vec<f32>, String> {
        match input {
            EncodeInput::Audio { sample_rate_hz, samples } => self.extractor.extract(*sample_rate_hz, samples),
            other => Err(format!("an audio model takes no {}", other.modality())),
        }
    }

    /// Encodes what [`Self::features`] gives, in order.
    ///
    /// # Errors
    /// What the device said.
    pub fn encode_features(&self, features: &[&[f32]]) -> TowerOutput {
        let mut vectors = Vec::with_capacity(features.len());
        for together in features.chunks(TOGETHER) {
            vectors.extend(self.encode_together(together).map_err(|error| error.to_string())?);
        }
        Ok(vectors)
    }

    fn encode_together(&self, features: &[&[f32]]) -> candle_core::Result<Vec<Result<Vec<f32>, String>>> {
        let [views, frames, bands] = self.shape;
        let features = Tensor::from_vec(features.concat(), (features.len(), views, frames, bands), &self.device)?;
        self.projection.forward(&self.swin.forward(&self.patches.forward(&features)?)?)
    }
}

impl Tower for ClapAudio {
    fn modality(&self) -> Modality {
        Modality::Audio
    }

    fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// The same for every sound: the network sees as much of each.
    fn cost(&self, _input: &EncodeInput) -> Cost {
        self.cost
    }

    fn sound_format(&self) -> Option<SoundFormat> {
        Some(self.extractor.sound_format())
    }

    fn forward(&self, inputs: &[EncodeInput]) -> TowerOutput {
        let encode =
            |features: Vec<Vec<f32>>| self.encode_features(&features.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let vectors = batch::each(inputs, |input| self.features(input), encode)?;
        Ok(vectors.into_iter().map(Result::flatten).collect())
    }
}
