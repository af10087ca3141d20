//! Pictures to rows of patches (Dosovitskiy et al., "An image is worth 16x16 words", 2020).

use candle_core::{Result, Tensor};

use super::Linear;
use crate::error::ModelError;
use crate::scope::Scope;

/// Colour channels of a picture.
const CHANNELS: usize = 3;

/// A convolution whose stride is its kernel, computed as one product: every square patch of a picture becomes a vector.
#[derive(Debug, Clone)]
pub struct Patches {
    linear: Linear,
    /// Side of a patch in pixels.
    side: usize,
}

impl Patches {
    /// Reads `weight` (width x 3 x side x side) and, where `has_bias`, `bias`.
    pub fn load(scope: &Scope, width: usize, side: usize, has_bias: bool) -> std::result::Result<Self, ModelError> {
        let weight = scope.tensor("weight", &[width, CHANNELS, side, side])?;
        let bias = has_bias.then(|| scope.tensor("bias", &[width])).transpose()?;
        let linear = weight
            .flatten_from(1)
            .and_then(|weight| Linear::of(scope, &weight, bias))
            .map_err(|error| ModelError::device(&scope.name("weight"), &error))?;
        Ok(Self { linear, side })
    }

    /// `pixels`: batch x 3 x height x width. Gives batch x patches x width, row by row; pixels beyond the last whole patch do not count.
    pub fn forward(&self, pixels: &Tensor) -> Result<Tensor> {
        let (batch, channels, height, width) = pixels.dims4()?;
        let (rows, columns) = (height / self.side, width / self.side);
        pixels
            .narrow(2, 0, rows * self.side)?
            .narrow(3, 0, columns * self.side)?
            .reshape(&[batch, channels, rows, self.side, columns, self.side][..])?
            .permute([0, 2, 4, 1, 3, 5])?
            .reshape((batch, rows * columns, channels * self.side * self.side))
            .and_then(|patches| self.linear.forward(&patches))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use safetensors::tensor::{Dtype, TensorView, serialize_to_file};

    use super::*;
    use crate::weights::Weights;

    #[test]
    fn equals_a_convolution_and_leaves_out_what_is_no_whole_patch() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.safetensors");
        let numbers = |count: u32| (0..count).map(|n| ((n * 37 % 101) as f32 - 50.0) / 50.0).collect::<Vec<f32>>();
        let bytes = |count| numbers(count).iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        let (kernel, bias) = (bytes(5 * 3 * 4 * 4), bytes(5));
        let tensors = [
            ("weight", TensorView::new(Dtype::F32, vec![5, 3, 4, 4], &kernel).unwrap()),
            ("bias", TensorView::new(Dtype::F32, vec![5], &bias).unwrap()),
        ];
        serialize_to_file(tensors, None, &path).unwrap();
        let weights = Weights::open(&path).unwrap();
        let scope = Scope::root(&weights, DType::F32, &Device::Cpu);
        let patches = Patches::load(&scope, 5, 4, true).unwrap();

        let pixels = Tensor::from_vec(numbers(2 * 3 * 14 * 11), (2, 3, 14, 11), &Device::Cpu).unwrap();
        let found = patches.forward(&pixels).unwrap();
        let kernel = scope.tensor("weight", &[5, 3, 4, 4]).unwrap();
        let bias = scope.tensor("bias", &[5]).unwrap();
        let convolved = pixels.conv2d(&kernel, 0, 4, 1, 1).unwrap();
        let expected = convolved
            .broadcast_add(&bias.reshape((1, 5, 1, 1)).unwrap())
            .unwrap()
            .flatten_from(2)
            .unwrap()
            .transpose(1, 2)
            .unwrap();
        assert_eq!(found.dims(), [2, 6, 5]);
        let difference = (found - expected).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
        assert!(difference < 1e-5, "{difference}");
    }
}
