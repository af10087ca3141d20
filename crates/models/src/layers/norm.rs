//! Normalisation over the last dimension.

use candle_core::{Result, Tensor};

use crate::compute::norm;
use crate::error::ModelError;
use crate::scope::Scope;

/// Layer normalisation (Ba et al., 2016) with weight and bias.
#[derive(Debug, Clone)]
pub struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    epsilon: f32,
}

impl LayerNorm {
    /// Reads `weight` and `bias`.
    pub fn load(scope: &Scope, width: usize, epsilon: f64) -> std::result::Result<Self, ModelError> {
        Ok(Self {
            weight: scope.tensor("weight", &[width])?,
            bias: scope.tensor("bias", &[width])?,
            epsilon: epsilon as f32,
        })
    }

    /// Reads `weight`; there is no bias.
    pub fn load_without_bias(scope: &Scope, width: usize, epsilon: f64) -> std::result::Result<Self, ModelError> {
        let bias = Tensor::zeros(width, scope.dtype(), scope.device());
        Ok(Self {
            weight: scope.tensor("weight", &[width])?,
            bias: bias.map_err(|error| ModelError::device(&scope.name("bias"), &error))?,
            epsilon: epsilon as f32,
        })
    }

    /// The same on plain numbers.
    pub(crate) fn plain(&self) -> Result<norm::LayerNorm> {
        Ok(norm::LayerNorm::new(self.weight.to_vec1()?, self.bias.to_vec1()?, self.epsilon))
    }

    /// `states`: anything x width.
    pub fn forward(&self, states: &Tensor) -> Result<Tensor> {
        candle_nn::ops::layer_norm(&states.contiguous()?, &self.weight, &self.bias, self.epsilon)
    }
}
