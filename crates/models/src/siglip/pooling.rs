//! Pooling by attention (Zhai et al., "Scaling vision transformers", 2021): one learnt query asks all patches.

use candle_core::{Result, Tensor};

use crate::clip::encoder::{FeedForward, Shape};
use crate::error::ModelError;
use crate::layers::{LayerNorm, Linear, Mask, attend};
use crate::scope::Scope;

/// States of patches to one vector.
#[derive(Debug, Clone)]
pub(super) struct AttentionPooling {
    /// The learnt query, projected: 1 x 1 x width.
    query: Tensor,
    key: Linear,
    value: Linear,
    output: Linear,
    norm: LayerNorm,
    feed: FeedForward,
    heads: usize,
}

impl AttentionPooling {
    /// Reads `probe`, `attention` (in the layout of `torch.nn.MultiheadAttention`), `layernorm` and `mlp`.
    pub(super) fn load(scope: &Scope, shape: &Shape) -> std::result::Result<Self, ModelError> {
        let (width, attention) = (shape.width, scope.at("attention"));
        let weight = attention.tensor("in_proj_weight", &[3 * width, width])?;
        let bias = attention.tensor("in_proj_bias", &[3 * width])?;
        let part = |index: usize| {
            Linear::of(scope, &weight.narrow(0, index * width, width)?, Some(bias.narrow(0, index * width, width)?))
        };
        let failed = |error| ModelError::device(&attention.name("in_proj_weight"), &error);
        let probe = scope.tensor("probe", &[1, 1, width])?;
        Ok(Self {
            query: part(0).and_then(|query| query.forward(&probe)).map_err(failed)?,
            key: part(1).map_err(failed)?,
            value: part(2).map_err(failed)?,
            output: Linear::load(&attention.at("out_proj"), width, width)?,
            norm: LayerNorm::load(&scope.at("layernorm"), width, shape.epsilon)?,
            feed: FeedForward::load(&scope.at("mlp"), shape)?,
            heads: shape.heads,
        })
    }

    /// `states`: batch x patches x width. Gives batch x width.
    pub(super) fn forward(&self, states: &Tensor) -> Result<Tensor> {
        let (batch, _, width) = states.dims3()?;
        let query = self.query.expand((batch, 1, width))?;
        let pooled = attend(&query, &self.key.forward(states)?, &self.value.forward(states)?, self.heads, Mask::None)?;
        let pooled = self.output.forward(&pooled)?.squeeze(1)?;
        &pooled + self.feed.forward(&self.norm.forward(&pooled)?)?
    }
}
