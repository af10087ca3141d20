//! A spectrogram as a square picture, and that as patches.

use candle_core::{D, DType, Result, Tensor};

use super::config::AudioConfig;
use super::fusion::Fusion;
use super::swin::EPSILON;
use crate::error::ModelError;
use crate::layers::{LayerNorm, Linear};
use crate::scope::Scope;

/// Batch normalisation by band, stretching in time, folding into a square, and the embedding of patches.
pub struct Patches {
    scale: Tensor,
    shift: Tensor,
    stretch: Stretch,
    pieces: usize,
    patch: usize,
    embed: Linear,
    fusion: Option<Fusion>,
    norm: LayerNorm,
    dtype: DType,
}

impl Patches {
    /// Reads `batch_norm` and `patch_embed` for spectrograms of `frames` frames. `precise` is the same place as `scope`, in f32.
    pub fn load(
        scope: &Scope,
        precise: &Scope,
        config: &AudioConfig,
        frames: usize,
    ) -> std::result::Result<Self, ModelError> {
        let failed = |error: candle_core::Error| ModelError::device(&scope.name("patch_embed"), &error);
        let (width, patch) = (config.patch_embeds_hidden_size, config.patch());
        let (scale, shift) = batch_norm(&precise.at("batch_norm"), config.num_mel_bins)?;
        let place = scope.at("patch_embed");
        let kernel = place.at("proj").tensor("weight", &[width, 1, patch, patch])?;
        let bias = place.at("proj").tensor("bias", &[width])?;
        let kernel = kernel.reshape((width, patch * patch)).map_err(failed)?;
        let embed = Linear::of(scope, &kernel, Some(bias)).map_err(failed)?;
        let fusion =
            if config.enable_fusion { Some(Fusion::load(&place, &precise.at("patch_embed"), config)?) } else { None };
        let stretched = config.spec_size * config.pieces();
        Ok(Self {
            scale,
            shift,
            stretch: Stretch::new(frames, stretched, scope.device()).map_err(failed)?,
            pieces: config.pieces(),
            patch,
            embed,
            fusion,
            norm: LayerNorm::load(&place.at("norm"), width, EPSILON)?,
            dtype: scope.dtype(),
        })
    }

    /// `features`: batch x views x frames x bands, in f32. Gives batch x patches x width.
    pub fn forward(&self, features: &Tensor) -> Result<Tensor> {
        let features = features.broadcast_mul(&self.scale)?.broadcast_add(&self.shift)?;
        let pictures = self.pictures(&features)?.to_dtype(self.dtype)?;
        let embedded = self.embed.forward(&self.cut(&pictures.narrow(1, 0, 1)?)?)?;
        let embedded = match &self.fusion {
            Some(fusion) => fusion.forward(&embedded, &pictures.narrow(1, 1, 3)?)?,
            None => embedded,
        };
        self.norm.forward(&embedded)
    }

    /// Batch x views x side x side: pieces of time below one another, within each the lowest band first.
    fn pictures(&self, features: &Tensor) -> Result<Tensor> {
        let stretched = self.stretch.apply(features)?;
        let (batch, views, frames, bands) = stretched.dims4()?;
        let side = frames / self.pieces;
        let pieces = stretched.reshape((batch, views, self.pieces, side, bands))?;
        pieces.transpose(3, 4)?.reshape((batch, views, self.pieces * bands, side))
    }

    /// Batch x patches x pixels of one view.
    fn cut(&self, picture: &Tensor) -> Result<Tensor> {
        let (batch, _, side, _) = picture.dims4()?;
        let (patch, grid) = (self.patch, side / self.patch);
        let cut = picture.reshape((batch, grid, patch, grid, patch))?.transpose(2, 3)?;
        cut.reshape((batch, grid * grid, patch * patch))
    }
}

/// What batch normalisation (Ioffe and Szegedy, 2015) multiplies by and adds, from its statistics: each `width` numbers.
pub fn batch_norm(precise: &Scope, width: usize) -> std::result::Result<(Tensor, Tensor), ModelError> {
    let read = |name| precise.tensor(name, &[width]);
    let (weight, bias, mean, variance) = (read("weight")?, read("bias")?, read("running_mean")?, read("running_var")?);
    let fold = || -> Result<(Tensor, Tensor)> {
        let scale = (weight / (variance + EPSILON)?.sqrt()?)?;
        let shift = (bias - (mean * &scale)?)?;
        Ok((scale, shift))
    };
    fold().map_err(|error| ModelError::device(&precise.name("weight"), &error))
}

/// Bicubic interpolation in time, first frame on first and last on last, as `torch.nn.functional.interpolate` does it in f32 with corners aligned.
struct Stretch {
    /// For each of the four frames around a place: which frame, and its weight.
    taps: [(Tensor, Tensor); 4],
}

impl Stretch {
    fn new(from: usize, to: usize, device: &candle_core::Device) -> Result<Self> {
        let ratio = if to > 1 { (from - 1) as f32 / (to - 1) as f32 } else { 0.0 };
        let tap = |number: usize| -> Result<(Tensor, Tensor)> {
            let mut frames = Vec::with_capacity(to);
            let mut weights = Vec::with_capacity(to);
            for frame in 0..to {
                let place = ratio * frame as f32;
                let before = (place as usize).min(from - 1);
                frames.push((before + number).saturating_sub(1).min(from - 1) as u32);
                weights.push(cubic(place - before as f32)[number]);
            }
            Ok((Tensor::new(frames, device)?, Tensor::new(weights, device)?.unsqueeze(D::Minus1)?))
        };
        Ok(Self { taps: [tap(0)?, tap(1)?, tap(2)?, tap(3)?] })
    }

    /// Batch x views x frames x bands.
    fn apply(&self, features: &Tensor) -> Result<Tensor> {
        let [first, rest @ ..] = &self.taps;
        let part = |(frames, weights): &(Tensor, Tensor)| features.index_select(frames, 2)?.broadcast_mul(weights);
        let mut sum = part(first)?;
        for tap in rest {
            sum = (sum + part(tap)?)?;
        }
        Ok(sum)
    }
}

/// The weights of the four neighbours of a place `t` after the second (Keys, "Cubic convolution interpolation", 1981, with a = -0.75).
fn cubic(t: f32) -> [f32; 4] {
    const A: f32 = -0.75;
    let near = |x: f32| ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0;
    let far = |x: f32| ((A * x - 5.0 * A) * x + 8.0 * A) * x - 4.0 * A;
    [far(t + 1.0), near(t), near(1.0 - t), far(2.0 - t)]
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn interpolation_leaves_what_is_constant_or_of_the_same_length() {
        let device = Device::Cpu;
        let features = Tensor::arange(0_f32, 10.0, &device).unwrap().reshape((1, 1, 5, 2)).unwrap();
        let same = Stretch::new(5, 5, &device).unwrap().apply(&features).unwrap();
        assert_eq!(
            same.flatten_all().unwrap().to_vec1::<f32>().unwrap(),
            (0..10).map(|x| x as f32).collect::<Vec<_>>()
        );
        let ones = features.ones_like().unwrap();
        let longer = Stretch::new(5, 16, &device).unwrap().apply(&ones).unwrap();
        assert_eq!(longer.dims(), [1, 1, 16, 2]);
        for value in longer.flatten_all().unwrap().to_vec1::<f32>().unwrap() {
            assert!((value - 1.0).abs() < 1e-6);
        }
    }

    #[test]
    fn interpolation_is_that_of_the_reference() {
        // torch 2: interpolate([0, 1, 4, 9] as height, size 7, bicubic, align_corners=True).
        let features = Tensor::new(&[0_f32, 1.0, 4.0, 9.0], &Device::Cpu).unwrap().reshape((1, 1, 4, 1)).unwrap();
        let found = Stretch::new(4, 7, &Device::Cpu).unwrap().apply(&features).unwrap();
        let found = found.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let expected = [0.0, 0.21875, 1.0, 2.125, 4.0, 6.78125, 9.0];
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
    }
}
