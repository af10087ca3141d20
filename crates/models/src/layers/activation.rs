//! Activations, by the names that configurations use.

use candle_core::{Result, Tensor};
use serde::Deserialize;

use crate::compute::elementwise;

/// What stands between the two layers of a feed-forward block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Activation {
    /// Gaussian error linear unit, by the error function.
    #[serde(rename = "gelu", alias = "gelu_python")]
    Gelu,
    /// Its approximation by the hyperbolic tangent.
    #[serde(rename = "gelu_pytorch_tanh", alias = "gelu_new", alias = "gelu_fast")]
    GeluTanh,
    /// Its approximation `x sigmoid(1.702 x)`.
    #[serde(rename = "quick_gelu")]
    QuickGelu,
    /// Rectified linear unit.
    #[serde(rename = "relu")]
    Relu,
    /// `x sigmoid(x)`.
    #[serde(rename = "silu", alias = "swish")]
    Silu,
    /// Hyperbolic tangent.
    #[serde(rename = "tanh")]
    Tanh,
}

impl Activation {
    /// Element by element.
    pub fn apply(self, states: &Tensor) -> Result<Tensor> {
        match self {
            Self::Gelu => states.gelu_erf(),
            Self::GeluTanh => states.gelu(),
            Self::QuickGelu => states * candle_nn::ops::sigmoid(&(states * 1.702)?)?,
            Self::Relu => states.relu(),
            Self::Silu => states.silu(),
            Self::Tanh => states.tanh(),
        }
    }

    /// Number by number, in place, on the CPU.
    pub(crate) fn apply_to(self, values: &mut [f32]) {
        match self {
            Self::Gelu => elementwise::gelu(values),
            Self::GeluTanh => elementwise::gelu_tanh(values),
            Self::QuickGelu => elementwise::gated(values, 1.702),
            Self::Relu => elementwise::relu(values),
            Self::Silu => elementwise::gated(values, 1.0),
            Self::Tanh => elementwise::tanh(values),
        }
    }
}
