//! Fully connected layers.

use super::elementwise::{add_bias, gelu};
use super::norm::LayerNorm;
use super::weight::{Products, Weight};
use crate::error::ModelError;
use crate::weights::Weights;

/// `y = x W^T + b`.
#[derive(Debug, Clone)]
pub struct Linear {
    weight: Weight,
    bias: Option<Vec<f32>>,
}

impl Linear {
    /// Reads `prefix.weight` (`outputs` x `inputs`) and `prefix.bias` (`outputs`).
    pub fn load(
        weights: &Weights,
        prefix: &str,
        inputs: usize,
        outputs: usize,
        products: Products,
    ) -> Result<Self, ModelError> {
        let weight = weights.tensor(&format!("{prefix}.weight"), &[outputs, inputs])?;
        let bias = weights.tensor(&format!("{prefix}.bias"), &[outputs])?;
        Ok(Self::new(&weight, Some(bias), inputs, outputs, products))
    }

    /// Reads `prefix.weight` (`outputs` x `inputs`) alone.
    pub fn load_without_bias(
        weights: &Weights,
        prefix: &str,
        inputs: usize,
        outputs: usize,
    ) -> Result<Self, ModelError> {
        let weight = weights.tensor(&format!("{prefix}.weight"), &[outputs, inputs])?;
        Ok(Self::new(&weight, None, inputs, outputs, Products::F32))
    }

    /// Reads the layers of query, key and value as one layer of `3 * width` outputs, the query already divided by the root of
    /// `head_width`, as attention asks for.
    pub fn load_attention(
        weights: &Weights,
        prefixes: [&str; 3],
        width: usize,
        head_width: usize,
        products: Products,
    ) -> Result<Self, ModelError> {
        let mut weight = Vec::with_capacity(3 * width * width);
        let mut bias = Vec::with_capacity(3 * width);
        for prefix in prefixes {
            weight.extend(weights.tensor(&format!("{prefix}.weight"), &[width, width])?);
            bias.extend(weights.tensor(&format!("{prefix}.bias"), &[width])?);
        }
        let scale = 1.0 / (head_width as f32).sqrt();
        weight[..width * width].iter_mut().for_each(|value| *value *= scale);
        bias[..width].iter_mut().for_each(|value| *value *= scale);
        Ok(Self::new(&weight, Some(bias), width, 3 * width, products))
    }

    /// From `weight` (`outputs` x `inputs`).
    pub fn new(weight: &[f32], bias: Option<Vec<f32>>, inputs: usize, outputs: usize, products: Products) -> Self {
        Self { weight: Weight::new(products, inputs, outputs, |input, output| weight[output * inputs + input]), bias }
    }

    /// `x` is rows x inputs; rows x outputs come out.
    pub fn apply(&self, x: &[f32]) -> Vec<f32> {
        self.with(x, |_, block| self.add_bias(block))
    }

    /// [`Self::apply`], then GELU.
    pub fn apply_gelu(&self, x: &[f32]) -> Vec<f32> {
        self.with(x, |_, block| {
            self.add_bias(block);
            gelu(block);
        })
    }

    /// [`Self::apply`], then `residual` (rows x outputs) is added.
    pub fn apply_add(&self, x: &[f32], residual: &[f32]) -> Vec<f32> {
        let columns = self.weight.columns();
        self.with(x, |first, block| {
            self.add_bias(block);
            add_bias(block, &residual[first * columns..][..block.len()]);
        })
    }

    /// [`Self::apply`], then `residual` (rows x outputs) is added, then the rows are normalised.
    pub fn apply_add_norm(&self, x: &[f32], residual: &[f32], norm: &LayerNorm) -> Vec<f32> {
        let columns = self.weight.columns();
        self.with(x, |first, block| {
            self.add_bias(block);
            norm.apply_to_sum(block, &residual[first * columns..][..block.len()]);
        })
    }

    fn with(&self, x: &[f32], finish: impl Fn(usize, &mut [f32]) + Sync) -> Vec<f32> {
        self.weight.multiply(x, &finish)
    }

    fn add_bias(&self, block: &mut [f32]) {
        if let Some(bias) = &self.bias {
            add_bias(block, bias);
        }
    }
}
