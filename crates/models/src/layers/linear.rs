//! A fully connected layer.

use candle_core::{Result, Tensor};

use crate::error::ModelError;
use crate::scope::Scope;

/// `y = x W^T + b`, over the last dimension.
#[derive(Debug, Clone)]
pub struct Linear {
    /// Inputs by outputs: turned once, when it is read.
    weight: Tensor,
    bias: Option<Tensor>,
    outputs: usize,
}

impl Linear {
    /// Reads `weight` (outputs by inputs) and `bias`.
    pub fn load(scope: &Scope, inputs: usize, outputs: usize) -> std::result::Result<Self, ModelError> {
        let bias = scope.tensor("bias", &[outputs])?;
        Ok(Self { bias: Some(bias), ..Self::load_without_bias(scope, inputs, outputs)? })
    }

    /// Reads `weight` (outputs by inputs); there is no bias.
    pub fn load_without_bias(scope: &Scope, inputs: usize, outputs: usize) -> std::result::Result<Self, ModelError> {
        let weight = scope.tensor("weight", &[outputs, inputs])?;
        Self::new(&weight, None).map_err(|error| ModelError::device(&scope.name("weight"), &error))
    }

    /// From tensors: `weight` outputs by inputs, `bias` outputs.
    pub fn new(weight: &Tensor, bias: Option<Tensor>) -> Result<Self> {
        let outputs = weight.dim(0)?;
        Ok(Self { weight: weight.t()?, bias, outputs })
    }

    /// `states`: anything x inputs; anything x outputs come out.
    pub fn forward(&self, states: &Tensor) -> Result<Tensor> {
        let mut shape = states.dims().to_vec();
        let inputs = shape.pop().unwrap_or(0);
        // One product of matrices: with more dimensions the library would repeat the weights.
        let rows = states.reshape(((), inputs))?;
        let product = rows.matmul(&self.weight)?;
        let product = match &self.bias {
            Some(bias) => product.broadcast_add(bias)?,
            None => product,
        };
        shape.push(self.outputs);
        product.reshape(shape)
    }
}
