//! The transformer that CLIP's and SigLIP's towers share (`CLIPEncoder` of the Transformers library).

use candle_core::Tensor;
use serde::Deserialize;

use crate::error::ModelError;
use crate::layers::{Activation, Block, LayerNorm, Linear, Transformer};
use crate::scope::Scope;

/// The sizes of a transformer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Shape {
    /// Of the states.
    pub width: usize,
    /// Between the two layers after attention.
    pub inner: usize,
    pub blocks: usize,
    pub heads: usize,
    pub activation: Activation,
    /// Added to variances.
    pub epsilon: f64,
}

/// What a configuration says of them; what it leaves out is left to the class.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct ShapeFields {
    hidden_size: Option<usize>,
    intermediate_size: Option<usize>,
    num_hidden_layers: Option<usize>,
    num_attention_heads: Option<usize>,
    hidden_act: Option<Activation>,
    layer_norm_eps: Option<f64>,
}

impl ShapeFields {
    /// The sizes, with `class` for what was left out.
    pub(crate) fn over(&self, class: Shape) -> Result<Shape, ModelError> {
        let shape = Shape {
            width: self.hidden_size.unwrap_or(class.width),
            inner: self.intermediate_size.unwrap_or(class.inner),
            blocks: self.num_hidden_layers.unwrap_or(class.blocks),
            heads: self.num_attention_heads.unwrap_or(class.heads),
            activation: self.hidden_act.unwrap_or(class.activation),
            epsilon: self.layer_norm_eps.unwrap_or(class.epsilon),
        };
        if shape.heads == 0 || !shape.width.is_multiple_of(shape.heads) {
            return Err(ModelError::Unsupported {
                what: "number of attention heads",
                found: format!("{} for a width of {}", shape.heads, shape.width),
                supported: "a divisor of the width",
            });
        }
        Ok(shape)
    }
}

impl Shape {
    /// Floating-point operations for a sequence of `tokens`.
    pub(crate) fn flops(&self, tokens: usize) -> u64 {
        let per_token = 8 * self.width * self.width + 4 * self.width * self.inner;
        (self.blocks * tokens * (per_token + 4 * tokens * self.width)) as u64
    }

    /// A block, of which norms and the layers after attention are read as `layer_norm1`, `layer_norm2` and `mlp`.
    pub(crate) fn block(&self, scope: &Scope, query_key_value: Linear, output: Linear) -> Result<Block, ModelError> {
        let norm = |name: &str| LayerNorm::load(&scope.at(name), self.width, self.epsilon);
        let FeedForward { first, activation, second } = FeedForward::load(&scope.at("mlp"), self)?;
        Ok(Block {
            attention_norm: norm("layer_norm1")?,
            query_key_value,
            output,
            feed_norm: norm("layer_norm2")?,
            widen: first,
            activation,
            narrow: second,
        })
    }
}

/// Two layers with an activation between them.
#[derive(Debug, Clone)]
pub(crate) struct FeedForward {
    first: Linear,
    activation: Activation,
    second: Linear,
}

/// Reads the blocks `layers.0`, `layers.1` and so on.
pub(crate) fn load(scope: &Scope, shape: &Shape) -> Result<Transformer, ModelError> {
    let block = |index| {
        let scope = scope.at("layers").at(index);
        let attention = scope.at("self_attn");
        let joined = Linear::load_side_by_side(&attention, &["q_proj", "k_proj", "v_proj"], shape.width, shape.width)?;
        shape.block(&scope, joined, Linear::load(&attention.at("out_proj"), shape.width, shape.width)?)
    };
    let blocks = (0..shape.blocks).map(block).collect::<Result<_, _>>()?;
    Transformer::new(blocks, shape.heads, scope)
}

impl FeedForward {
    /// Reads `fc1` and `fc2`.
    pub(crate) fn load(scope: &Scope, shape: &Shape) -> Result<Self, ModelError> {
        Ok(Self {
            first: Linear::load(&scope.at("fc1"), shape.width, shape.inner)?,
            activation: shape.activation,
            second: Linear::load(&scope.at("fc2"), shape.inner, shape.width)?,
        })
    }

    /// Anything x width, as it comes out.
    pub(crate) fn forward(&self, states: &Tensor) -> candle_core::Result<Tensor> {
        self.second.forward(&self.first.forward_activated(states, self.activation)?)
    }
}
