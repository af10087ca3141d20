//! The transformer that CLIP's and SigLIP's towers share: every block normalises first (`CLIPEncoder` of the Transformers library).

use candle_core::{Result, Tensor};
use serde::Deserialize;

use crate::error::ModelError;
use crate::layers::{Activation, LayerNorm, Linear, Mask, attend};
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
    pub(crate) fn over(&self, class: Shape) -> std::result::Result<Shape, ModelError> {
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
}

/// The blocks, one after the other.
#[derive(Debug, Clone)]
pub(crate) struct Encoder {
    blocks: Vec<Block>,
}

#[derive(Debug, Clone)]
struct Block {
    attention_norm: LayerNorm,
    attention: Attention,
    feed_norm: LayerNorm,
    feed: FeedForward,
}

#[derive(Debug, Clone)]
struct Attention {
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    heads: usize,
}

/// Two layers with an activation between them.
#[derive(Debug, Clone)]
pub(crate) struct FeedForward {
    first: Linear,
    activation: Activation,
    second: Linear,
}

impl Encoder {
    /// Reads `layers.0`, `layers.1` and so on.
    pub(crate) fn load(scope: &Scope, shape: &Shape) -> std::result::Result<Self, ModelError> {
        let layers = scope.at("layers");
        let blocks = (0..shape.blocks)
            .map(|index| Block::load(&layers.at(index), shape))
            .collect::<std::result::Result<_, _>>()?;
        Ok(Self { blocks })
    }

    /// `states`: batch x tokens x width, as they come out.
    pub(crate) fn forward(&self, states: Tensor, mask: Mask) -> Result<Tensor> {
        self.blocks.iter().try_fold(states, |states, block| block.forward(&states, mask))
    }
}

impl Block {
    fn load(scope: &Scope, shape: &Shape) -> std::result::Result<Self, ModelError> {
        let projection = |name: &str| Linear::load(&scope.at("self_attn").at(name), shape.width, shape.width);
        Ok(Self {
            attention_norm: LayerNorm::load(&scope.at("layer_norm1"), shape.width, shape.epsilon)?,
            attention: Attention {
                query: projection("q_proj")?,
                key: projection("k_proj")?,
                value: projection("v_proj")?,
                output: projection("out_proj")?,
                heads: shape.heads,
            },
            feed_norm: LayerNorm::load(&scope.at("layer_norm2"), shape.width, shape.epsilon)?,
            feed: FeedForward::load(&scope.at("mlp"), shape)?,
        })
    }

    fn forward(&self, states: &Tensor, mask: Mask) -> Result<Tensor> {
        let states = (states + self.attention.forward(&self.attention_norm.forward(states)?, mask)?)?;
        &states + self.feed.forward(&self.feed_norm.forward(&states)?)?
    }
}

impl Attention {
    fn forward(&self, states: &Tensor, mask: Mask) -> Result<Tensor> {
        let query = self.query.forward(states)?;
        let (key, value) = (self.key.forward(states)?, self.value.forward(states)?);
        self.output.forward(&attend(&query, &key, &value, self.heads, mask)?)
    }
}

impl FeedForward {
    /// Reads `fc1` and `fc2`.
    pub(crate) fn load(scope: &Scope, shape: &Shape) -> std::result::Result<Self, ModelError> {
        Ok(Self {
            first: Linear::load(&scope.at("fc1"), shape.width, shape.inner)?,
            activation: shape.activation,
            second: Linear::load(&scope.at("fc2"), shape.inner, shape.width)?,
        })
    }

    /// Anything x width, as it comes out.
    pub(crate) fn forward(&self, states: &Tensor) -> Result<Tensor> {
        self.second.forward(&self.first.forward_activated(states, self.activation)?)
    }
}
