//! Convolutions as matrix multiplication: the windows of a picture are the rows of the left matrix, and are written down only
//! as they are packed. Pictures lie row by row, pixel by pixel, the channels of a pixel together.

use super::elementwise::{add_bias, relu};
use super::gemm::{Packed, Rows, multiply};
use crate::error::ModelError;
use crate::weights::Weights;

/// A square convolution with zero padding and a bias, over square pictures.
#[derive(Debug, Clone)]
pub struct Conv {
    kernel: usize,
    stride: usize,
    padding: usize,
    channels: usize,
    weight: Packed,
    bias: Vec<f32>,
}

impl Conv {
    /// Reads `prefix.weight` (`outputs` x `channels` x `kernel` x `kernel`) and `prefix.bias` (`outputs`). The padding keeps the size at stride 1.
    pub fn load(
        weights: &Weights,
        prefix: &str,
        [channels, outputs]: [usize; 2],
        kernel: usize,
        stride: usize,
    ) -> Result<Self, ModelError> {
        let weight = weights.tensor(&format!("{prefix}.weight"), &[outputs, channels, kernel, kernel])?;
        let area = kernel * kernel;
        // A window is written kernel row by kernel row, pixel by pixel, channel by channel.
        let packed = Packed::new(area * channels, outputs, |row, output| {
            let (place, channel) = (row / channels, row % channels);
            weight[(output * channels + channel) * area + place]
        });
        Ok(Self {
            kernel,
            stride,
            padding: kernel / 2,
            channels,
            weight: packed,
            bias: weights.tensor(&format!("{prefix}.bias"), &[outputs])?,
        })
    }

    /// Width and height of what comes out for pictures of `side` by `side`.
    pub fn side_after(&self, side: usize) -> usize {
        (side + 2 * self.padding - self.kernel) / self.stride + 1
    }

    /// `x` is pictures x `side` x `side` x channels; pictures x after x after x outputs come out.
    pub fn apply(&self, x: &[f32], side: usize) -> Vec<f32> {
        self.with(x, side, |_, block| add_bias(block, &self.bias))
    }

    /// [`Self::apply`], then zero where it is below.
    pub fn apply_relu(&self, x: &[f32], side: usize) -> Vec<f32> {
        self.with(x, side, |_, block| {
            add_bias(block, &self.bias);
            relu(block);
        })
    }

    /// [`Self::apply`], then `residual`, of the same shape, is added, then zero where it is below.
    pub fn apply_add_relu(&self, x: &[f32], side: usize, residual: &[f32]) -> Vec<f32> {
        let outputs = self.bias.len();
        self.with(x, side, |first, block| {
            add_bias(block, &self.bias);
            add_bias(block, &residual[first * outputs..][..block.len()]);
            relu(block);
        })
    }

    fn with(&self, x: &[f32], side: usize, finish: impl Fn(usize, &mut [f32]) + Sync) -> Vec<f32> {
        let after = self.side_after(side);
        let pictures = x.len() / (side * side * self.channels);
        multiply(pictures * after * after, &Windows { conv: self, x, side, after }, &self.weight, &finish)
    }
}

/// The windows of all pictures, those of a picture row by row.
struct Windows<'a> {
    conv: &'a Conv,
    x: &'a [f32],
    side: usize,
    after: usize,
}

impl Rows for Windows<'_> {
    #[inline(always)]
    fn write(&self, row: usize, into: &mut [f32]) {
        let Self { conv, side, after, .. } = *self;
        let (picture, place) = (row / (after * after), row % (after * after));
        let (top, left) = (place / after * conv.stride, place % after * conv.stride);
        let pixels = &self.x[picture * side * side * conv.channels..][..side * side * conv.channels];
        let columns_in = conv.padding.saturating_sub(left)..conv.kernel.min(side + conv.padding - left);
        for (ky, line) in into.chunks_exact_mut(conv.kernel * conv.channels).enumerate() {
            let y = top + ky;
            if y < conv.padding || y >= side + conv.padding {
                line.fill(0.0);
                continue;
            }
            let (before, rest) = line.split_at_mut(columns_in.start * conv.channels);
            let (inside, behind) = rest.split_at_mut(columns_in.len() * conv.channels);
            before.fill(0.0);
            behind.fill(0.0);
            let first = (y - conv.padding) * side + left + columns_in.start - conv.padding;
            inside.copy_from_slice(&pixels[first * conv.channels..][..inside.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_the_definition() {
        for (kernel, stride, side) in [(3, 1, 5), (3, 2, 6), (1, 2, 6), (3, 1, 1), (1, 1, 3)] {
            let (channels, outputs, pictures) = (3, 18, 2);
            let value = |seed: usize| ((seed * 37 + 11) % 23) as f32 / 11.0 - 1.0;
            let weight =
                |o: usize, c: usize, ky: usize, kx: usize| value(((o * channels + c) * kernel + ky) * kernel + kx);
            let packed = Packed::new(kernel * kernel * channels, outputs, |row, output| {
                let (place, channel) = (row / channels, row % channels);
                weight(output, channel, place / kernel, place % kernel)
            });
            let bias: Vec<f32> = (0..outputs).map(value).collect();
            let conv = Conv { kernel, stride, padding: kernel / 2, channels, weight: packed, bias: bias.clone() };
            let x: Vec<f32> = (0..pictures * side * side * channels).map(|seed| value(seed * 3)).collect();
            let out = conv.apply(&x, side);
            let after = conv.side_after(side);
            assert_eq!(out.len(), pictures * after * after * outputs);
            for (index, got) in out.iter().enumerate() {
                let (place, output) = (index / outputs, index % outputs);
                let (picture, y, x_out) = (place / (after * after), place / after % after, place % after);
                let mut exact = bias[output];
                for ky in 0..kernel {
                    for kx in 0..kernel {
                        let (row, column) = (y * stride + ky, x_out * stride + kx);
                        let inside = |at: usize| (kernel / 2..side + kernel / 2).contains(&at);
                        if inside(row) && inside(column) {
                            for channel in 0..channels {
                                let pixel = (picture * side + row - kernel / 2) * side + column - kernel / 2;
                                exact += x[pixel * channels + channel] * weight(output, channel, ky, kx);
                            }
                        }
                    }
                }
                assert!((got - exact).abs() < 1e-4, "{kernel} {stride} {side}: {got} for {exact}");
            }
        }
    }
}
