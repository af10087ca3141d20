//! Layer normalisation and unit length.

use pulp::Arch;

use super::elementwise::lanes_fold;
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
        Arch::new().dispatch(
            #[inline(always)]
            || {
                rows.chunks_exact_mut(self.gain.len()).for_each(|row| self.row(row));
            },
        );
    }

    /// Adds `others` to `rows`, number by number, and normalises every row in place.
    pub fn apply_to_sum(&self, rows: &mut [f32], others: &[f32]) {
        let width = self.gain.len();
        Arch::new().dispatch(
            #[inline(always)]
            || {
                for (row, other) in rows.chunks_exact_mut(width).zip(others.chunks_exact(width)) {
                    for (value, other) in row.iter_mut().zip(other) {
                        *value += other;
                    }
                    self.row(row);
                }
            },
        );
    }

    #[inline(always)]
    fn row(&self, row: &mut [f32]) {
        let per_number = 1.0 / row.len() as f32;
        let mean = lanes_fold(row, 0.0, |x| x, |a, b| a + b) * per_number;
        let variance = lanes_fold(row, 0.0, |x| (x - mean) * (x - mean), |a, b| a + b) * per_number;
        let scale = 1.0 / (variance + self.epsilon).sqrt();
        for ((value, gain), shift) in row.iter_mut().zip(&self.gain).zip(&self.shift) {
            *value = (*value - mean) * scale * gain + shift;
        }
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
