//! From features to states: two convolutions and a transformer.

use candle_core::{Result, Tensor};

use super::config::Config;
use crate::error::ModelError;
use crate::layers::{Activation, Block, CachedAttention, LayerNorm, Linear, Mask, Transformer};
use crate::scope::Scope;

/// Of `torch.nn.LayerNorm`.
pub(super) const EPSILON: f64 = 1e-5;
/// Kernel of both convolutions.
const KERNEL: usize = 3;

/// Radford et al., 2022 (<https://arxiv.org/abs/2212.04356>).
pub(super) struct Encoder {
    first: Linear,
    second: Linear,
    positions: Tensor,
    transformer: Transformer,
    norm: LayerNorm,
}

/// Two linear layers with an activation between them, behind a norm.
pub(super) struct FeedForward {
    norm: LayerNorm,
    widen: Linear,
    narrow: Linear,
    activation: Activation,
}

/// Attention as Whisper has it: no bias on keys.
pub(super) fn attention(scope: &Scope, width: usize, heads: usize) -> std::result::Result<CachedAttention, ModelError> {
    Ok(CachedAttention {
        query: Linear::load(&scope.at("q_proj"), width, width)?,
        key: Linear::load_without_bias(&scope.at("k_proj"), width, width)?,
        value: Linear::load(&scope.at("v_proj"), width, width)?,
        out: Linear::load(&scope.at("out_proj"), width, width)?,
        heads,
    })
}

impl FeedForward {
    pub fn load(
        scope: &Scope,
        width: usize,
        inner: usize,
        activation: Activation,
    ) -> std::result::Result<Self, ModelError> {
        Ok(Self {
            norm: LayerNorm::load(&scope.at("final_layer_norm"), width, EPSILON)?,
            widen: Linear::load(&scope.at("fc1"), width, inner)?,
            narrow: Linear::load(&scope.at("fc2"), inner, width)?,
            activation,
        })
    }

    /// Adds to `states`.
    pub fn forward(&self, states: &Tensor) -> Result<Tensor> {
        let inner = self.widen.forward_activated(&self.norm.forward(states)?, self.activation)?;
        states + self.narrow.forward(&inner)?
    }
}

impl Encoder {
    pub fn load(scope: &Scope, config: &Config) -> std::result::Result<Self, ModelError> {
        let width = config.d_model;
        let block = |index| {
            let scope = scope.at("layers").at(index);
            let attention = scope.at("self_attn");
            let feed = FeedForward::load(&scope, width, config.encoder_ffn_dim, config.activation_function)?;
            Ok(Block {
                attention_norm: LayerNorm::load(&scope.at("self_attn_layer_norm"), width, EPSILON)?,
                query_key_value: Linear::load_side_by_side(&attention, &["q_proj", "k_proj", "v_proj"], width, width)?,
                output: Linear::load(&attention.at("out_proj"), width, width)?,
                feed_norm: feed.norm,
                widen: feed.widen,
                activation: feed.activation,
                narrow: feed.narrow,
            })
        };
        let blocks = (0..config.encoder_layers).map(block).collect::<std::result::Result<_, ModelError>>()?;
        Ok(Self {
            first: convolution(&scope.at("conv1"), config.num_mel_bins, width)?,
            second: convolution(&scope.at("conv2"), width, width)?,
            positions: scope.at("embed_positions").tensor("weight", &[config.max_source_positions, width])?,
            transformer: Transformer::new(blocks, config.encoder_attention_heads, scope)?,
            norm: LayerNorm::load(&scope.at("layer_norm"), width, EPSILON)?,
        })
    }

    /// `features`: windows x frames x bands; windows x positions x width come out, half as many positions as frames.
    pub fn forward(&self, features: &Tensor) -> Result<Tensor> {
        let states = self.first.forward_activated(&neighbours(features, 1)?, Activation::Gelu)?;
        let states = self.second.forward_activated(&neighbours(&states, 2)?, Activation::Gelu)?;
        let states = states.broadcast_add(&self.positions)?;
        self.norm.forward(&self.transformer.forward(&states, Mask::None)?)
    }
}

/// A convolution as a linear layer over neighbouring frames.
fn convolution(scope: &Scope, inputs: usize, outputs: usize) -> std::result::Result<Linear, ModelError> {
    let weight = scope.tensor("weight", &[outputs, inputs, KERNEL])?;
    let bias = scope.tensor("bias", &[outputs])?;
    weight
        .transpose(1, 2)
        .and_then(|weight| weight.reshape((outputs, KERNEL * inputs)))
        .and_then(|weight| Linear::of(scope, &weight, Some(bias)))
        .map_err(|error| ModelError::device(&scope.name("weight"), &error))
}

/// Every `stride`-th frame with the one before and the one after it side by side; zeros stand beyond the ends.
/// `states`: batch x frames x width, frames a multiple of the stride.
fn neighbours(states: &Tensor, stride: usize) -> Result<Tensor> {
    let (batch, frames, width) = states.dims3()?;
    let padded = states.pad_with_zeros(1, 1, 1)?;
    let shifted = |by: usize| -> Result<Tensor> {
        let frames_from = padded.narrow(1, by, frames)?.contiguous()?;
        frames_from.reshape((batch, frames / stride, stride, width))?.narrow(2, 0, 1)?.squeeze(2)
    };
    Tensor::cat(&[shifted(0)?, shifted(1)?, shifted(2)?], 2)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn neighbours_stand_side_by_side() {
        let states = Tensor::arange(1.0_f32, 5.0, &Device::Cpu).unwrap().reshape((1, 4, 1)).unwrap();
        let each = neighbours(&states, 1).unwrap().squeeze(0).unwrap().to_vec2::<f32>().unwrap();
        assert_eq!(each, [[0.0, 1.0, 2.0], [1.0, 2.0, 3.0], [2.0, 3.0, 4.0], [3.0, 4.0, 0.0]]);
        let second = neighbours(&states, 2).unwrap().squeeze(0).unwrap().to_vec2::<f32>().unwrap();
        assert_eq!(second, [[0.0, 1.0, 2.0], [2.0, 3.0, 4.0]]);
    }
}
