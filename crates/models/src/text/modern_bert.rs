//! ModernBERT (Warner et al., "Smarter, better, faster, longer", 2024): normalisation before each block, rotary positions, gated
//! feed-forward blocks, and layers that see all of a text between such that see the surroundings of each token.

use candle_core::{Device, Result, Tensor};
use candle_nn::rotary_emb::rope_thd;

use super::batch::Batch;
use super::blocks::Blocks;
use super::config::ModernBertConfig;
use crate::error::ModelError;
use crate::layers::{Activation, LayerNorm, Linear};
use crate::scope::Scope;

/// Token numbers to token states.
pub(super) struct ModernBert {
    words: Tensor,
    norm: LayerNorm,
    layers: Vec<Layer>,
    final_norm: LayerNorm,
    local: Rotary,
    global: Rotary,
    reach: usize,
    heads: usize,
}

struct Layer {
    /// The first layer has none: what it gets is normalised.
    attention_norm: Option<LayerNorm>,
    query_key_value: Linear,
    output: Linear,
    inner_norm: LayerNorm,
    inner: Linear,
    activation: Activation,
    outer: Linear,
    is_local: bool,
    heads: usize,
}

/// Rotary positions (Su et al., "RoFormer", 2021): positions x half a head's width.
struct Rotary {
    cosines: Tensor,
    sines: Tensor,
}

impl Rotary {
    fn new(scope: &Scope, config: &ModernBertConfig, theta: f32) -> Result<Self> {
        let head_width = config.width / config.heads;
        let frequencies: Vec<f32> =
            (0..head_width / 2).map(|index| 1.0 / theta.powf((2 * index) as f32 / head_width as f32)).collect();
        let angles: Vec<f32> = (0..config.most_tokens)
            .flat_map(|place| frequencies.iter().map(move |frequency| place as f32 * frequency))
            .collect();
        let angles = Tensor::from_vec(angles, (config.most_tokens, head_width / 2), &Device::Cpu)?;
        let placed = |table: Tensor| table.to_dtype(scope.dtype())?.to_device(scope.device());
        Ok(Self { cosines: placed(angles.cos()?)?, sines: placed(angles.sin()?)? })
    }

    /// `states`: texts x tokens x width.
    fn turn(&self, states: &Tensor, heads: usize) -> Result<Tensor> {
        let (texts, tokens, width) = states.dims3()?;
        let split = states.reshape((texts, tokens, heads, width / heads))?.contiguous()?;
        rope_thd(&split, &self.cosines.narrow(0, 0, tokens)?, &self.sines.narrow(0, 0, tokens)?)?
            .reshape((texts, tokens, width))
    }
}

impl ModernBert {
    /// Reads the tensors of `scope`.
    pub fn load(scope: &Scope, config: &ModernBertConfig) -> std::result::Result<Self, ModelError> {
        let rotary =
            |theta| Rotary::new(scope, config, theta).map_err(|error| ModelError::device("rotary positions", &error));
        Ok(Self {
            words: scope.at("embeddings.tok_embeddings").tensor("weight", &[config.vocabulary, config.width])?,
            norm: norm(&scope.at("embeddings.norm"), config)?,
            layers: (0..config.local.len())
                .map(|index| Layer::load(&scope.at("layers").at(index), config, index))
                .collect::<std::result::Result<_, _>>()?,
            final_norm: norm(&scope.at("final_norm"), config)?,
            local: rotary(config.local_theta)?,
            global: rotary(config.global_theta)?,
            reach: config.reach,
            heads: config.heads,
        })
    }

    /// The states of all tokens: texts x tokens x width.
    pub fn forward(&self, batch: &Batch) -> Result<Tensor> {
        let device = self.words.device();
        let words = self.words.embedding(&Tensor::new(batch.ids(), device)?)?;
        let width = words.dim(1)?;
        let mut states = self.norm.forward(&words.reshape((batch.texts(), batch.longest, width))?)?;
        let shape = batch.shape(self.heads, self.words.dtype(), device);
        let (local, global) = (Blocks::local(&shape, self.reach)?, Blocks::global(&shape, None)?);
        for layer in &self.layers {
            states = if layer.is_local {
                layer.forward(&states, &local, &self.local)?
            } else {
                layer.forward(&states, &global, &self.global)?
            };
        }
        self.final_norm.forward(&states)
    }
}

impl Layer {
    fn load(scope: &Scope, config: &ModernBertConfig, index: usize) -> std::result::Result<Self, ModelError> {
        let (width, inner) = (config.width, config.inner);
        Ok(Self {
            attention_norm: if index == 0 { None } else { Some(norm(&scope.at("attn_norm"), config)?) },
            query_key_value: linear(&scope.at("attn.Wqkv"), width, 3 * width, config.attention_bias)?,
            output: linear(&scope.at("attn.Wo"), width, width, config.attention_bias)?,
            inner_norm: norm(&scope.at("mlp_norm"), config)?,
            inner: linear(&scope.at("mlp.Wi"), width, 2 * inner, config.inner_bias)?,
            activation: config.activation,
            outer: linear(&scope.at("mlp.Wo"), inner, width, config.inner_bias)?,
            is_local: config.local[index],
            heads: config.heads,
        })
    }

    fn forward(&self, states: &Tensor, blocks: &Blocks, rotary: &Rotary) -> Result<Tensor> {
        let width = states.dim(2)?;
        let joined = match &self.attention_norm {
            Some(norm) => self.query_key_value.forward(&norm.forward(states)?)?,
            None => self.query_key_value.forward(states)?,
        };
        let third = |index: usize| joined.narrow(2, index * width, width);
        let (query, key) = (rotary.turn(&third(0)?, self.heads)?, rotary.turn(&third(1)?, self.heads)?);
        let states = (states + self.output.forward(&blocks.attend(&query, &key, &third(2)?, self.heads)?)?)?;
        let both = self.inner.forward(&self.inner_norm.forward(&states)?)?;
        let inner = both.dim(2)? / 2;
        let gated = (self.activation.apply(&both.narrow(2, 0, inner)?)? * both.narrow(2, inner, inner)?)?;
        &states + self.outer.forward(&gated)?
    }
}

fn norm(scope: &Scope, config: &ModernBertConfig) -> std::result::Result<LayerNorm, ModelError> {
    if config.norm_bias {
        LayerNorm::load(scope, config.width, config.epsilon)
    } else {
        LayerNorm::load_without_bias(scope, config.width, config.epsilon)
    }
}

fn linear(scope: &Scope, inputs: usize, outputs: usize, bias: bool) -> std::result::Result<Linear, ModelError> {
    if bias { Linear::load(scope, inputs, outputs) } else { Linear::load_without_bias(scope, inputs, outputs) }
}
