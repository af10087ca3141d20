//! The sound tower: a small vision transformer (Dosovitskiy et al., "An image is worth 16x16 words", 2020) over a log-mel picture.

mod log_mel;

use std::sync::Arc;

use sensorium_domain::encoder::{Cost, EncodeInput, SoundFormat, Tower, TowerOutput};
use sensorium_domain::segment::Modality;

use self::log_mel::{LogMel, PICTURE_SIDE};
use super::config::{SoundConfig, SoundNetwork, read};
use crate::batch;
use crate::compute::linear::{Linear, as_it_is};
use crate::compute::norm::{LayerNorm, normalise};
use crate::compute::transformer::{self, Block};
use crate::compute::weight::Products;
use crate::error::ModelError;
use crate::layers::Activation;
use crate::source::Source;
use crate::weights::Weights;

pub use self::log_mel::{SAMPLE_RATE_HZ, WINDOW_SAMPLES};

/// One window, in millions of floating-point operations.
const COST: u64 = 520;
/// The absolute peak below which a window is silence.
const SILENCE: f32 = 1e-4;
const PATCH: usize = 16;
const TOKENS: usize = (PICTURE_SIDE / PATCH) * (PICTURE_SIDE / PATCH) + 1;

/// Windows of sound to unit vectors: at most [`WINDOW_SAMPLES`] samples at [`SAMPLE_RATE_HZ`].
pub struct SoundTower {
    log_mel: LogMel,
    patches: Linear,
    start: Vec<f32>,
    places: Vec<f32>,
    first_norm: LayerNorm,
    blocks: Vec<Block>,
    last_norm: LayerNorm,
    projection: Linear,
    heads: usize,
    width: usize,
    dimensions: usize,
}

impl SoundTower {
    /// Loads `sound.json` and `sound.safetensors`.
    pub fn load(source: &Source) -> Result<Self, ModelError> {
        let config: SoundConfig = read(source, "sound.json", "sensorium-sound-tower")?;
        let weights = Weights::open(&source.weights("sound.safetensors")?)?;
        let network = &config.network;
        let width = network.hidden_size;
        let norm =
            |name: &str| LayerNorm::load(&weights, &format!("vision_model.{name}"), width, network.layer_norm_eps);
        let patches = weights.tensor("vision_model.embeddings.patch_embedding.weight", &[width, 1, PATCH, PATCH])?;
        Ok(Self {
            log_mel: LogMel::new(),
            patches: Linear::new(&patches, None, PATCH * PATCH, width, Products::exact()),
            start: weights.tensor("vision_model.embeddings.class_embedding", &[width])?,
            places: weights.tensor("vision_model.embeddings.position_embedding.weight", &[TOKENS, width])?,
            first_norm: norm("pre_layrnorm")?,
            blocks: (0..network.num_hidden_layers)
                .map(|index| load_block(&weights, &format!("vision_model.encoder.layers.{index}"), network))
                .collect::<Result<_, _>>()?,
            last_norm: norm("post_layernorm")?,
            projection: Linear::load_without_bias(&weights, "visual_projection", width, config.dim)?,
            heads: network.num_attention_heads,
            width,
            dimensions: config.dim,
        })
    }

    fn encode_pictures(&self, pictures: &[Vec<f32>]) -> Vec<Vec<f32>> {
        let patches: Vec<f32> = pictures.iter().flat_map(|picture| patches_of(picture)).collect();
        let embedded = self.patches.apply(&patches, &as_it_is);
        let mut states = Vec::with_capacity(pictures.len() * TOKENS * self.width);
        for picture in embedded.chunks_exact((TOKENS - 1) * self.width) {
            let tokens = self.start.iter().chain(picture);
            states.extend(tokens.zip(&self.places).map(|(token, place)| token + place));
        }
        self.first_norm.apply(&mut states);
        let lengths = vec![TOKENS; pictures.len()];
        transformer::forward(&self.blocks, &mut states, &lengths, self.heads, &|_, _: &mut [f32]| {});
        let mut starts: Vec<f32> =
            states.chunks_exact(TOKENS * self.width).flat_map(|picture| picture[..self.width].to_vec()).collect();
        self.last_norm.apply(&mut starts);
        let mut out = self.projection.apply(&starts, &as_it_is);
        out.chunks_exact_mut(self.dimensions)
            .map(|vector| {
                normalise(vector);
                vector.to_vec()
            })
            .collect()
    }

    fn picture_of(&self, input: &EncodeInput) -> Result<Vec<f32>, String> {
        let EncodeInput::Audio { sample_rate_hz, samples } = input else {
            return Err(format!("a sound tower takes no {}", input.modality()));
        };
        if *sample_rate_hz != SAMPLE_RATE_HZ {
            return Err(format!("the sound has {sample_rate_hz} samples a second; the tower takes {SAMPLE_RATE_HZ}"));
        }
        if samples.len() > WINDOW_SAMPLES {
            return Err(format!("the window has {} samples; the tower takes at most {WINDOW_SAMPLES}", samples.len()));
        }
        if samples.iter().all(|sample| sample.abs() < SILENCE) {
            return Err(format!("the window is silent: no sample reaches {SILENCE}"));
        }
        Ok(self.log_mel.picture(samples))
    }
}

/// The 16 by 16 patches of a picture, row by row, each row by row.
fn patches_of(picture: &[f32]) -> Vec<f32> {
    let mut out = Vec::with_capacity(picture.len());
    for band in picture.chunks_exact(PATCH * PICTURE_SIDE) {
        for column in (0..PICTURE_SIDE).step_by(PATCH) {
            out.extend(band.chunks_exact(PICTURE_SIDE).flat_map(|row| &row[column..column + PATCH]));
        }
    }
    out
}

fn load_block(weights: &Weights, prefix: &str, network: &SoundNetwork) -> Result<Block, ModelError> {
    let (width, inner, products) = (network.hidden_size, network.intermediate_size, Products::exact());
    let [query, key, value] = ["q", "k", "v"].map(|name| format!("{prefix}.self_attn.{name}_proj"));
    let head_width = width / network.num_attention_heads;
    let norm = |name: &str| LayerNorm::load(weights, &format!("{prefix}.{name}"), width, network.layer_norm_eps);
    let layer = |name: &str, inputs, outputs| {
        Linear::load(weights, &format!("{prefix}.{name}"), inputs, outputs, products).map(Arc::new)
    };
    Ok(Block {
        attention_norm: norm("layer_norm1")?,
        query_key_value: Linear::load_attention(weights, [&query, &key, &value], width, head_width, products)?.into(),
        output: layer("self_attn.out_proj", width, width)?,
        feed_norm: norm("layer_norm2")?,
        widen: layer("mlp.fc1", width, inner)?,
        activation: Activation::Gelu,
        narrow: layer("mlp.fc2", inner, width)?,
    })
}

impl Tower for SoundTower {
    fn modality(&self) -> Modality {
        Modality::Audio
    }

    fn dimensions(&self) -> usize {
        self.dimensions
    }

    fn cost(&self, _: &EncodeInput) -> Cost {
        Cost(COST)
    }

    fn sound_format(&self) -> Option<SoundFormat> {
        let window_ms = (WINDOW_SAMPLES * 1000) as u64 / u64::from(SAMPLE_RATE_HZ);
        Some(SoundFormat { sample_rate_hz: SAMPLE_RATE_HZ, window_ms })
    }

    fn forward(&self, inputs: &[EncodeInput]) -> TowerOutput {
        batch::each(inputs, |input| self.picture_of(input), |pictures| Ok(self.encode_pictures(&pictures)))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::f64::consts::TAU;

    use super::*;
    use crate::starter::goldens;

    fn sound(name: &str) -> EncodeInput {
        let formula = |i: u64| -> f64 {
            let t = i as f64 / 16_000.0;
            let sine = |hz: f64| (TAU * hz * t).sin();
            match name {
                "a440" => 0.5 * sine(440.0),
                "chord" => 0.2 * sine(220.0) + 0.2 * sine(277.18) + 0.2 * sine(329.63),
                "pluck" => 0.8 * (-3.0 * t).exp() * sine(330.0) + 0.4 * (-5.0 * t).exp() * sine(660.0),
                "sweep" => 0.5 * (TAU * (200.0 * t + 400.0 * t * t)).sin(),
                "noise" => {
                    let mixed = ((i * 1_103_515_245 + 12_345) % (1 << 31)) >> 8 & 65_535;
                    0.3 * (mixed as f64 / 32_768.0 - 1.0)
                }
                "clicks" => {
                    if i % 4_000 < 40 {
                        0.9
                    } else {
                        0.0
                    }
                }
                other => panic!("no formula for \"{other}\""),
            }
        };
        samples((0..WINDOW_SAMPLES as u64).map(|i| formula(i) as f32).collect())
    }

    /// The 128 x 128 picture of a golden sound.
    pub(in crate::starter) fn log_mel_picture(name: &str) -> Vec<f32> {
        SoundTower::load(&goldens::source()).unwrap().picture_of(&sound(name)).unwrap()
    }

    fn samples(samples: Vec<f32>) -> EncodeInput {
        EncodeInput::Audio { sample_rate_hz: SAMPLE_RATE_HZ, samples: samples.into() }
    }

    #[test]
    fn equals_the_reference() {
        let tower = SoundTower::load(&goldens::source()).unwrap();
        let goldens = goldens::read().sounds;
        let sounds: Vec<EncodeInput> = goldens.iter().map(|golden| sound(&golden.name)).collect();
        let together = tower.forward(&sounds).unwrap();
        for ((golden, sound), vector) in goldens.iter().zip(sounds).zip(together) {
            let vector = vector.unwrap();
            golden.check(&vector);
            assert_eq!(tower.forward(&[sound]).unwrap()[0].as_ref().unwrap(), &vector);
        }
    }

    #[test]
    fn the_end_of_a_short_window_is_silence_and_the_level_does_not_matter() {
        let tower = SoundTower::load(&goldens::source()).unwrap();
        let short: Vec<f32> = (0..20_000_u16).map(|i| (f32::from(i) * 0.05).sin() * 0.5).collect();
        let mut long = short.clone();
        long.resize(WINDOW_SAMPLES, 0.0);
        let quiet = short.iter().map(|sample| sample * 0.125).collect();
        let out = tower.forward(&[samples(short), samples(long), samples(quiet)]).unwrap();
        assert_eq!(out[0], out[1]);
        let (a, b) = (out[0].as_ref().unwrap(), out[2].as_ref().unwrap());
        assert!(a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>() > 0.999);
    }

    #[test]
    fn what_the_tower_does_not_take_is_said() {
        let tower = SoundTower::load(&goldens::source()).unwrap();
        let error = |input| tower.forward(&[input]).unwrap().remove(0).unwrap_err();
        let other_rate = EncodeInput::Audio { sample_rate_hz: 44_100, samples: vec![0.5; 10].into() };
        assert_eq!(error(other_rate), "the sound has 44100 samples a second; the tower takes 16000");
        assert_eq!(error(samples(vec![0.5; 65_537])), "the window has 65537 samples; the tower takes at most 65536");
        assert_eq!(error(samples(vec![0.00001; 100])), "the window is silent: no sample reaches 0.0001");
        assert!(error(samples(Vec::new())).contains("silent"));
        assert_eq!(error(EncodeInput::Text("a".into())), "a sound tower takes no text");
    }
}
