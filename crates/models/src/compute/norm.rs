//! Layer normalisation and unit length.

use pulp::{Arch, Simd, WithSimd};

use super::elementwise::lanes_fold;
use super::rows::Rows;
use crate::error::ModelError;
use crate::weights::Weights;

/// Layer normalisation over rows (Ba, Kiros and Hinton, "Layer normalization", 2016).
#[derive(Debug, Clone)]
pub struct LayerNorm {
    gain: Vec<f32>,
    shift: Vec<f32>,
    epsilon: f32,
}

impl LayerNorm {
    /// Reads `prefix.weight` and `prefix.bias`, each of `width` numbers.
    pub fn load(weights: &Weights, prefix: &str, width: usize, epsilon: f32) -> Result<Self, ModelError> {
        Ok(Self {
            gain: weights.tensor(&format!("{prefix}.weight"), &[width])?,
            shift: weights.tensor(&format!("{prefix}.bias"), &[width])?,
            epsilon,
        })
    }

    /// Normalises every row in place.
    pub fn apply(&self, rows: &mut [f32]) {
        Arch::new().dispatch(Apply { norm: self, rows });
    }

    /// From a gain and a shift for each column.
    pub fn new(gain: Vec<f32>, shift: Vec<f32>, epsilon: f32) -> Self {
        Self { gain, shift, epsilon }
    }
}

/// Compiled for every instruction set.
struct Apply<'a> {
    norm: &'a LayerNorm,
    rows: &'a mut [f32],
}

impl WithSimd for Apply<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let LayerNorm { gain, shift, epsilon } = self.norm;
        for row in self.rows.chunks_exact_mut(gain.len()) {
            let per_number = 1.0 / row.len() as f32;
            let mean = lanes_fold(row, 0.0, |x| x, |a, b| a + b) * per_number;
            let variance = lanes_fold(row, 0.0, |x| (x - mean) * (x - mean), |a, b| a + b) * per_number;
            let scale = 1.0 / (variance + epsilon).sqrt();
            for ((value, gain), shift) in row.iter_mut().zip(gain).zip(shift) {
                *value = (*value - mean) * scale * gain + shift;
            }
        }
    }
}

/// Rows that are normalised when they are read.
pub struct Normalised<'a, R> {
    /// As they are.
    pub rows: R,
    /// How.
    pub norm: &'a LayerNorm,
}

impl<R: Rows> Rows for Normalised<'_, R> {
    fn write(&self, row: usize, into: &mut [f32]) {
        self.rows.write(row, into);
        self.norm.apply(into);
    }
}

/// Scales a vector to length 1; one of length 0 stays as it is.
pub fn normalise(vector: &mut [f32]) {
    let length = vector.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt();
    if length > 0.0 {
        for value in vector {
            *value = (f64::from(*value) / length) as f32;
        }
    }
}
