//! Convolutions as matrix multiplication: the windows of a picture are the rows of the left matrix, and are written down only
//! as they are packed. Pictures lie row by row, pixel by pixel, the channels of a pixel together.

use sensorium_tiles::{self as tiles, Pieces, Precision};

use super::elementwise::{add_bias, add_columns, relu};
use super::gemm::{self, Packed};
use super::rows::Rows;
use super::weight::multiply_pieces;
use super::winograd::Winograd;
use crate::error::ModelError;
use crate::weights::Weights;

/// A convolution over square pictures of one size.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Width and height of the pictures.
    pub side: usize,
    /// Channels that go in.
    pub channels: usize,
    /// Channels that come out.
    pub outputs: usize,
    /// Width and height of a window. Around the picture there are half as many zeros.
    pub kernel: usize,
    /// From one window to the next.
    pub stride: usize,
}

impl Shape {
    /// Width and height of what comes out.
    pub fn side_after(&self) -> usize {
        (self.side + 2 * self.padding() - self.kernel) / self.stride + 1
    }

    fn padding(&self) -> usize {
        self.kernel / 2
    }

    /// For each place of each window of a picture: which of its pixels lies there, if it is not beside the picture.
    fn places(&self) -> Vec<Option<u32>> {
        let &Self { side, kernel, stride, .. } = self;
        let inside = |at: usize| at.checked_sub(self.padding()).filter(|at| *at < side);
        let windows =
            (0..self.side_after()).flat_map(|y| (0..self.side_after()).map(move |x| (y * stride, x * stride)));
        let pixel = |y: usize, x: usize| u32::try_from(inside(y)? * side + inside(x)?).ok();
        let places =
            |(top, left)| (0..kernel * kernel).map(move |place| pixel(top + place / kernel, left + place % kernel));
        windows.flat_map(places).collect()
    }
}

/// A square convolution with zero padding and a bias.
#[derive(Debug, Clone)]
pub struct Conv {
    shape: Shape,
    method: Method,
    bias: Vec<f32>,
}

#[derive(Debug, Clone)]
enum Method {
    /// Kernel row, kernel column and channel x outputs.
    Windows(Packed),
    /// The same for tiles, where windows are put together of pixels; room for channels as [`Pieces::depth`] tells. Sixteen digits of what goes in are more than f16 has,
    /// in which such towers come.
    Pixels {
        weight: tiles::Packed,
        /// For each place of each window of a picture: which of its pixels lies there, if it is not beside the picture.
        places: Vec<Option<u32>>,
    },
    Winograd(Winograd),
}

/// Channels below which a pixel is not worth a piece, which has room for 32.
const FEW_CHANNELS: usize = 17;

impl Conv {
    /// Reads `prefix.weight` (outputs x channels x kernel x kernel) and `prefix.bias` (outputs).
    pub fn load(weights: &Weights, prefix: &str, shape: Shape) -> Result<Self, ModelError> {
        let Shape { channels, outputs, kernel, .. } = shape;
        let weight = weights.tensor(&format!("{prefix}.weight"), &[outputs, channels, kernel, kernel])?;
        let bias = weights.tensor(&format!("{prefix}.bias"), &[outputs])?;
        Ok(Self::new(&weight, bias, shape))
    }

    fn new(weight: &[f32], bias: Vec<f32>, shape: Shape) -> Self {
        let Shape { side, channels, outputs, kernel, stride } = shape;
        let area = kernel * kernel;
        let at = |place: usize, channel: usize, output: usize| weight[(output * channels + channel) * area + place];
        // Fewer multiplications pay in vectors. For tiles they are cheap, and reading transformed weights is not.
        let method = if tiles::has_tiles() && channels >= FEW_CHANNELS {
            let room = Pieces::depth(channels);
            let weight = tiles::Packed::of_rows(Precision::Bits16, area * room, outputs, |row, into| {
                let (place, channel) = (row / room, row % room);
                for (output, number) in into.iter_mut().enumerate() {
                    *number = if channel < channels { at(place, channel, output) } else { 0.0 };
                }
            });
            Method::Pixels { weight, places: shape.places() }
        } else if kernel == 3 && stride == 1 && Winograd::suits(side, channels, outputs) {
            Method::Winograd(Winograd::new(weight, side, channels, outputs))
        } else {
            let packed =
                Packed::new(area * channels, outputs, |row, output| at(row / channels, row % channels, output));
            Method::Windows(packed)
        };
        Self { shape, method, bias }
    }

    /// What it was made for.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// `x` is pictures x side x side x channels; pictures x after x after x outputs come out.
    pub fn apply(&self, x: &[f32]) -> Vec<f32> {
        self.with(x, |at, block| self.add_bias(at, block))
    }

    /// [`Self::apply`], then zero where it is below.
    pub fn apply_relu(&self, x: &[f32]) -> Vec<f32> {
        self.with(x, |at, block| {
            self.add_bias(at, block);
            relu(block);
        })
    }

    /// [`Self::apply`], then `residual`, of the same shape, is added, then zero where it is below.
    pub fn apply_add_relu(&self, x: &[f32], residual: &[f32]) -> Vec<f32> {
        self.with(x, |at, block| {
            self.add_bias(at, block);
            add_bias(block, &residual[at..][..block.len()]);
            relu(block);
        })
    }

    fn add_bias(&self, at: usize, piece: &mut [f32]) {
        add_columns(piece, &self.bias, at);
    }

    fn with(&self, x: &[f32], finish: impl Fn(usize, &mut [f32]) + Sync) -> Vec<f32> {
        match &self.method {
            Method::Winograd(winograd) => winograd.apply(x, &finish),
            Method::Windows(weight) => {
                let windows = Windows { shape: self.shape, x };
                gemm::multiply(windows.count(), &windows, weight, &finish)
            }
            Method::Pixels { weight, places } => {
                let Shape { side, channels, outputs, kernel, .. } = self.shape;
                let (windows, area) = (self.shape.side_after().pow(2), kernel * kernel);
                let pictures = x.len() / (side * side * channels);
                let pixel = |row: usize, place: usize| {
                    let (picture, window) = (row / windows, row % windows);
                    places[window * area + place].map(|pixel| picture * side * side + pixel as usize)
                };
                let mut out = vec![0.0; pictures * windows * outputs];
                let pixels = Pieces::new(Precision::Bits16, x, channels);
                multiply_pieces(&pixels, &pixel, weight, &mut out, &finish);
                out
            }
        }
    }
}

/// The windows of all pictures, those of a picture row by row.
struct Windows<'a> {
    shape: Shape,
    x: &'a [f32],
}

impl Windows<'_> {
    fn count(&self) -> usize {
        let Shape { side, channels, .. } = self.shape;
        self.x.len() / (side * side * channels) * self.shape.side_after().pow(2)
    }

    /// Its picture, and its first row and column in that, counted from where the zeros begin around it.
    fn place(&self, window: usize) -> (usize, usize, usize) {
        let after = self.shape.side_after();
        let (picture, place) = (window / (after * after), window % (after * after));
        (picture, place / after * self.shape.stride, place % after * self.shape.stride)
    }
}

impl Rows for Windows<'_> {
    #[inline(always)]
    fn write(&self, row: usize, into: &mut [f32]) {
        let Shape { side, channels, kernel, .. } = self.shape;
        let padding = self.shape.padding();
        let (picture, top, left) = self.place(row);
        let pixels = &self.x[picture * side * side * channels..][..side * side * channels];
        let columns = padding.saturating_sub(left)..kernel.min(side + padding - left);
        for (ky, line) in into.chunks_exact_mut(kernel * channels).enumerate() {
            let y = top + ky;
            if y < padding || y >= side + padding {
                line.fill(0.0);
                continue;
            }
            let (before, rest) = line.split_at_mut(columns.start * channels);
            let (inside, behind) = rest.split_at_mut(columns.len() * channels);
            before.fill(0.0);
            behind.fill(0.0);
            let first = (y - padding) * side + left + columns.start - padding;
            inside.copy_from_slice(&pixels[first * channels..][..inside.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(seed: usize) -> f32 {
        ((seed * 37 + 11) % 23) as f32 / 11.0 - 1.0
    }

    fn check(shape: Shape, pictures: usize) {
        let Shape { side, channels, outputs, kernel, stride } = shape;
        let weight: Vec<f32> = (0..outputs * channels * kernel * kernel).map(value).collect();
        let bias: Vec<f32> = (0..outputs).map(value).collect();
        let conv = Conv::new(&weight, bias.clone(), shape);
        let x: Vec<f32> = (0..pictures * side * side * channels).map(|seed| value(seed * 3)).collect();
        let residual: Vec<f32> =
            (0..pictures * shape.side_after().pow(2) * outputs).map(|seed| value(seed * 5)).collect();
        let out = conv.apply_add_relu(&x, &residual);
        let (after, padding) = (shape.side_after(), kernel / 2);
        assert_eq!(out.len(), residual.len());
        for (index, got) in out.iter().enumerate() {
            let (place, output) = (index / outputs, index % outputs);
            let (picture, top, left) =
                (place / (after * after), place / after % after * stride, place % after * stride);
            let mut exact = bias[output] + residual[index];
            for (ky, kx) in (0..kernel).flat_map(|ky| (0..kernel).map(move |kx| (ky, kx))) {
                let inside = |at: usize| (padding..side + padding).contains(&at);
                if inside(top + ky) && inside(left + kx) {
                    let pixel = (picture * side + top + ky - padding) * side + left + kx - padding;
                    exact += (0..channels)
                        .map(|c| {
                            x[pixel * channels + c] * weight[((output * channels + c) * kernel + ky) * kernel + kx]
                        })
                        .sum::<f32>();
                }
            }
            let exact = exact.max(0.0);
            assert!((got - exact).abs() < 1e-3, "{shape:?} at {index}: {got} for {exact}");
        }
    }

    #[test]
    fn equals_the_definition() {
        for (kernel, stride, side) in [(3, 1, 5), (3, 2, 6), (1, 2, 6), (3, 1, 1), (1, 1, 3), (3, 1, 4)] {
            for channels in [3, 40] {
                check(Shape { side, channels, outputs: 18, kernel, stride }, 2);
            }
        }
        for side in [8, 16, 32] {
            assert!(Winograd::suits(side, 16, 32));
            check(Shape { side, channels: 16, outputs: 32, kernel: 3, stride: 1 }, 2);
        }
    }
}
