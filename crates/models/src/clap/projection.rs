//! From a tower's own width into the common space.

use candle_core::{DType, Result, Tensor};

use crate::compute::norm::normalise;
use crate::error::ModelError;
use crate::layers::{Activation, Linear};
use crate::scope::Scope;

/// Two layers with an activation between them, and the scaling to length 1.
pub struct Projection {
    first: Linear,
    activation: Activation,
    second: Linear,
    dtype: DType,
}

impl Projection {
    /// Reads `linear1` and `linear2`.
    pub fn load(
        scope: &Scope,
        width: usize,
        dimensions: usize,
        activation: Activation,
    ) -> std::result::Result<Self, ModelError> {
        let first = Linear::load(&scope.at("linear1"), width, dimensions)?;
        let second = Linear::load(&scope.at("linear2"), dimensions, dimensions)?;
        Ok(Self { first, activation, second, dtype: scope.dtype() })
    }

    /// `pooled`: batch x width, in any precision. Gives a unit vector for each, or why there is none.
    pub fn forward(&self, pooled: &Tensor) -> Result<Vec<std::result::Result<Vec<f32>, String>>> {
        // Activations can make a number of what is none, so this is asked before.
        let sums = pooled.to_dtype(DType::F32)?.sum(1)?.to_vec1::<f32>()?;
        let pooled = pooled.to_dtype(self.dtype)?;
        let projected = self.second.forward(&self.first.forward_activated(&pooled, self.activation)?)?;
        let unit = |(mut vector, sum): (Vec<f32>, f32)| {
            normalise(&mut vector);
            if !sum.is_finite() || vector.iter().any(|value| !value.is_finite()) {
                return Err("the model gives no finite vector for it".to_owned());
            }
            Ok(vector)
        };
        Ok(projected.to_dtype(DType::F32)?.to_vec2::<f32>()?.into_iter().zip(sums).map(unit).collect())
    }
}
