//! A fully connected layer.

use std::sync::Arc;

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp1, DType, Layout, Result, Shape, Tensor};

use super::Activation;
use crate::compute::linear;
use crate::compute::weight::Products;
use crate::error::ModelError;
use crate::scope::Scope;

/// `y = f(x W^T + b)`, over the last dimension; `f` is nothing or an activation.
#[derive(Debug, Clone)]
pub struct Linear {
    weight: Weight,
    outputs: usize,
}

/// On the CPU, with states in f32, our own product is quicker than the library's: weights packed once, in f32 or bf16, bias and activation applied
/// while a block is in the cache. Everything else is the library's.
#[derive(Debug, Clone)]
enum Weight {
    Packed(Arc<linear::Linear>),
    /// Inputs by outputs: turned once, when it is read.
    Plain {
        turned: Tensor,
        bias: Option<Tensor>,
    },
}

impl Linear {
    /// Reads `weight` (outputs by inputs) and `bias`.
    pub fn load(scope: &Scope, inputs: usize, outputs: usize) -> std::result::Result<Self, ModelError> {
        let bias = scope.tensor("bias", &[outputs])?;
        Self::read(scope, inputs, outputs, Some(bias))
    }

    /// Reads `weight` (outputs by inputs); there is no bias.
    pub fn load_without_bias(scope: &Scope, inputs: usize, outputs: usize) -> std::result::Result<Self, ModelError> {
        Self::read(scope, inputs, outputs, None)
    }

    /// Reads the layers of these names, each `inputs` to `outputs`, as one whose outputs are theirs, one after the other. A bias that is not there is zero.
    pub fn load_side_by_side(
        scope: &Scope,
        names: &[&str],
        inputs: usize,
        outputs: usize,
    ) -> std::result::Result<Self, ModelError> {
        let of = |name: &&str| -> std::result::Result<_, ModelError> {
            let scope = scope.at(name);
            let failed = |error| ModelError::device(&scope.name("bias"), &error);
            let bias = if scope.has("bias") {
                scope.tensor("bias", &[outputs])?
            } else {
                Tensor::zeros(outputs, scope.dtype(), scope.device()).map_err(failed)?
            };
            Ok((scope.tensor("weight", &[outputs, inputs])?, bias))
        };
        let (weights, biases): (Vec<_>, Vec<_>) =
            names.iter().map(of).collect::<std::result::Result<Vec<_>, _>>()?.into_iter().unzip();
        Tensor::cat(&weights, 0)
            .and_then(|weight| Self::of(scope, &weight, Some(Tensor::cat(&biases, 0)?)))
            .map_err(|error| ModelError::device(&scope.name("weight"), &error))
    }

    fn read(
        scope: &Scope,
        inputs: usize,
        outputs: usize,
        bias: Option<Tensor>,
    ) -> std::result::Result<Self, ModelError> {
        let weight = scope.tensor("weight", &[outputs, inputs])?;
        Self::of(scope, &weight, bias).map_err(|error| ModelError::device(&scope.name("weight"), &error))
    }

    /// From tensors: `weight` outputs by inputs, `bias` outputs.
    pub fn new(weight: &Tensor, bias: Option<Tensor>) -> Result<Self> {
        let is_ours = weight.device().is_cpu() && weight.dtype() == DType::F32;
        Self::with(weight, bias, is_ours.then(Products::exact))
    }

    /// From tensors that were read in a scope, with the products that are taken there.
    pub fn of(scope: &Scope, weight: &Tensor, bias: Option<Tensor>) -> Result<Self> {
        Self::with(weight, bias, scope.products())
    }

    fn with(weight: &Tensor, bias: Option<Tensor>, products: Option<Products>) -> Result<Self> {
        let (outputs, inputs) = weight.dims2()?;
        let weight = if let Some(products) = products {
            let rows = weight.flatten_all()?.to_vec1::<f32>()?;
            let bias = bias.map(|bias| bias.to_vec1::<f32>()).transpose()?;
            Weight::Packed(Arc::new(linear::Linear::new(&rows, bias, inputs, outputs, products)))
        } else {
            Weight::Plain { turned: weight.t()?, bias }
        };
        Ok(Self { weight, outputs })
    }

    /// Our own layer, where it is one.
    pub(crate) fn packed(&self) -> Option<&Arc<linear::Linear>> {
        match &self.weight {
            Weight::Packed(packed) => Some(packed),
            Weight::Plain { .. } => None,
        }
    }

    /// `states`: anything x inputs; anything x outputs come out.
    pub fn forward(&self, states: &Tensor) -> Result<Tensor> {
        self.apply(states, None)
    }

    /// [`Self::forward`], then the activation.
    pub fn forward_activated(&self, states: &Tensor, activation: Activation) -> Result<Tensor> {
        self.apply(states, Some(activation))
    }

    fn apply(&self, states: &Tensor, activation: Option<Activation>) -> Result<Tensor> {
        let mut shape = states.dims().to_vec();
        let inputs = shape.pop().unwrap_or(0);
        shape.push(self.outputs);
        // One product of matrices: with more dimensions the library would repeat the weights.
        let rows = states.reshape(((), inputs))?;
        let product = match &self.weight {
            Weight::Packed(packed) => rows.contiguous()?.apply_op1_no_bwd(&Product { packed, activation })?,
            Weight::Plain { turned, bias } => {
                let product = rows.matmul(turned)?;
                let product = match bias {
                    Some(bias) => product.broadcast_add(bias)?,
                    None => product,
                };
                match activation {
                    Some(activation) => activation.apply(&product)?,
                    None => product,
                }
            }
        };
        product.reshape(shape)
    }
}

/// The packed product as an operation of the library.
struct Product<'a> {
    packed: &'a linear::Linear,
    activation: Option<Activation>,
}

impl CustomOp1 for Product<'_> {
    fn name(&self) -> &'static str {
        "packed-product"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let CpuStorage::F32(numbers) = storage else {
            candle_core::bail!("the states are {:?} and not f32", storage.dtype());
        };
        let (rows, inputs) = layout.shape().dims2()?;
        if inputs != self.packed.inputs() {
            candle_core::bail!("the layer takes {} inputs, not {inputs}", self.packed.inputs());
        }
        let Some((start, end)) = layout.contiguous_offsets() else {
            candle_core::bail!("the states are not contiguous");
        };
        let activate = |_: usize, piece: &mut [f32]| {
            if let Some(activation) = self.activation {
                activation.apply_to(piece);
            }
        };
        let product = self.packed.apply(&numbers[start..end], &activate);
        Ok((CpuStorage::F32(product), Shape::from((rows, self.packed.outputs()))))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    fn tensor(shape: &[usize], seed: usize) -> Tensor {
        let count: usize = shape.iter().product();
        let numbers: Vec<f32> = (0..count).map(|n| ((n * 7919 + seed) % 1009) as f32 / 504.5 - 1.0).collect();
        Tensor::from_vec(numbers, shape, &Device::Cpu).unwrap()
    }

    #[test]
    fn the_packed_product_is_that_of_the_library() {
        let (weight, bias) = (tensor(&[50, 37], 1), tensor(&[50], 2));
        let states = tensor(&[3, 5, 37], 3);
        let activations = [None, Some(Activation::Gelu), Some(Activation::QuickGelu), Some(Activation::GeluTanh)];
        for activation in
            activations.into_iter().chain([Some(Activation::Relu), Some(Activation::Silu), Some(Activation::Tanh)])
        {
            for bias in [None, Some(bias.clone())] {
                let packed = Linear::new(&weight, bias.clone()).unwrap();
                let plain = Linear { weight: Weight::Plain { turned: weight.t().unwrap(), bias }, outputs: 50 };
                let difference =
                    (packed.apply(&states, activation).unwrap() - plain.apply(&states, activation).unwrap()).unwrap();
                assert_eq!(difference.dims(), [3, 5, 50]);
                let worst: f32 = difference.abs().unwrap().max_all().unwrap().to_scalar().unwrap();
                assert!(worst < 2e-5, "{activation:?}: {worst}");
            }
        }
    }

    #[test]
    fn states_of_another_width_are_an_error() {
        let layer = Linear::new(&tensor(&[4, 6], 1), None).unwrap();
        assert!(layer.forward(&tensor(&[2, 5], 1)).is_err());
        // Also of a view that is not contiguous.
        let turned = tensor(&[6, 3], 4).t().unwrap();
        assert_eq!(layer.forward(&turned).unwrap().dims(), [3, 4]);
    }
}
