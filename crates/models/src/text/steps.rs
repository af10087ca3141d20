//! What happens to a vector after pooling: the modules `Dense` and `Normalize` of sentence-transformers.

use candle_core::{DType, Device, Tensor};
use serde::Deserialize;

use super::config::unsupported;
use crate::compute::norm::normalise;
use crate::error::ModelError;
use crate::layers::{Activation, Linear};
use crate::scope::Scope;
use crate::source::Source;
use crate::weights::Weights;

/// One of them.
pub(super) enum Step {
    /// A fully connected layer.
    Dense {
        /// The layer.
        linear: Linear,
        /// What follows it.
        activation: Option<Activation>,
    },
    /// Unit length.
    Normalise,
}

/// `config.json` of a `Dense` module.
#[derive(Deserialize)]
struct DenseFile {
    in_features: usize,
    out_features: usize,
    #[serde(default = "yes")]
    bias: bool,
    activation_function: Option<String>,
    module_input_name: Option<String>,
    module_output_name: Option<String>,
    #[serde(default)]
    use_residual: bool,
}

fn yes() -> bool {
    true
}

impl Step {
    /// Reads a `Dense` module's folder; `width` numbers go in. Gives how many come out, too. It runs on the processor: a vector for each
    /// text is little work.
    pub fn dense(source: &Source, width: usize) -> Result<(Self, usize), ModelError> {
        let file: DenseFile = source.json("config.json")?;
        if file.in_features != width {
            let reason = format!("in_features is {}, and the vectors have {width} numbers", file.in_features);
            return Err(ModelError::malformed(&source.folder().join("config.json"), &reason));
        }
        if file.use_residual {
            return Err(unsupported("use_residual", "true", "false"));
        }
        for name in [file.module_input_name, file.module_output_name].into_iter().flatten() {
            if name != "sentence_embedding" {
                return Err(unsupported("feature of a Dense module", &name, "sentence_embedding"));
            }
        }
        let activation = activation(file.activation_function.as_deref().unwrap_or("Tanh"))?;
        let weights = Weights::of(source)?;
        let scope = Scope::root(&weights, DType::F32, &Device::Cpu).at("linear");
        let linear = if file.bias {
            Linear::load(&scope, width, file.out_features)?
        } else {
            Linear::load_without_bias(&scope, width, file.out_features)?
        };
        Ok((Self::Dense { linear, activation }, file.out_features))
    }

    /// Applies it to vectors of one length, at least one.
    pub fn apply(&self, vectors: &mut Vec<Vec<f32>>) -> candle_core::Result<()> {
        match self {
            Self::Normalise => {
                for vector in vectors {
                    normalise(vector);
                }
            }
            Self::Dense { linear, activation } => {
                let states = linear.forward(&Tensor::new(std::mem::take(vectors), &Device::Cpu)?)?;
                let states = match activation {
                    Some(activation) => activation.apply(&states)?,
                    None => states,
                };
                *vectors = states.to_vec2()?;
            }
        }
        Ok(())
    }
}

/// By the name of the class in PyTorch.
fn activation(class: &str) -> Result<Option<Activation>, ModelError> {
    Ok(match class.rsplit('.').next().unwrap_or_default() {
        "Identity" => None,
        "Tanh" => Some(Activation::Tanh),
        "ReLU" => Some(Activation::Relu),
        "GELU" => Some(Activation::Gelu),
        "SiLU" => Some(Activation::Silu),
        _ => return Err(unsupported("activation of a Dense module", class, "Identity, Tanh, ReLU, GELU, SiLU")),
    })
}
