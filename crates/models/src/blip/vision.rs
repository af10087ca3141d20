//! The picture tower: a vision transformer (Dosovitskiy et al., "An image is worth 16x16 words", 2020) with a token that stands for the
//! whole picture. All its tokens are looked at.

use candle_core::{DType, Device, Result, Tensor};

use crate::clip::encoder::{FeedForward, Shape};
use crate::clip::vision_config::VisionConfig;
use crate::error::ModelError;
use crate::image_processor::ImageProcessor;
use crate::layers::{LayerNorm, Linear, Mask, Patches, attend};
use crate::scope::Scope;
use crate::source::Source;

/// `BlipVisionModel` of the Transformers library, and what prepares its pictures.
pub(super) struct Vision {
    pub processor: ImageProcessor,
    patches: Patches,
    /// 1 x 1 x width.
    whole: Tensor,
    /// 1 x tokens x width.
    positions: Tensor,
    blocks: Vec<Block>,
    norm: LayerNorm,
    dtype: DType,
    device: Device,
}

/// Normalises first.
struct Block {
    attention_norm: LayerNorm,
    query_key_value: Linear,
    output: Linear,
    heads: usize,
    feed_norm: LayerNorm,
    feed: FeedForward,
}

impl Vision {
    /// Reads the tensors of `scope`, and how pictures are prepared from `source`.
    pub fn load(source: &Source, scope: &Scope, config: &VisionConfig) -> std::result::Result<Self, ModelError> {
        let processor = ImageProcessor::load(source)?;
        config.patches.check(processor.size())?;
        let (embeddings, shape) = (scope.at("embeddings"), &config.shape);
        let (width, tokens) = (shape.width, config.patches.count() + 1);
        let layers = scope.at("encoder.layers");
        Ok(Self {
            processor,
            patches: Patches::load(&embeddings.at("patch_embedding"), width, config.patches.side, true)?,
            whole: embeddings.tensor("class_embedding", &[1, 1, width])?,
            positions: embeddings.tensor("position_embedding", &[1, tokens, width])?,
            blocks: (0..shape.blocks)
                .map(|index| Block::load(&layers.at(index), shape))
                .collect::<std::result::Result<_, _>>()?,
            norm: LayerNorm::load(&scope.at("post_layernorm"), width, shape.epsilon)?,
            dtype: scope.dtype(),
            device: scope.device().clone(),
        })
    }

    /// `pixels`: pictures x 3 x side x side. Gives pictures x tokens x width.
    pub fn forward(&self, pixels: &Tensor) -> Result<Tensor> {
        let patches = self.patches.forward(&pixels.to_device(&self.device)?.to_dtype(self.dtype)?)?;
        let (pictures, _, width) = patches.dims3()?;
        let states = Tensor::cat(&[&self.whole.expand((pictures, 1, width))?, &patches], 1)?;
        let states = states.broadcast_add(&self.positions)?;
        let states = self.blocks.iter().try_fold(states, |states, block| block.forward(&states))?;
        self.norm.forward(&states)
    }
}

impl Block {
    fn load(scope: &Scope, shape: &Shape) -> std::result::Result<Self, ModelError> {
        let attention = scope.at("self_attn");
        Ok(Self {
            attention_norm: LayerNorm::load(&scope.at("layer_norm1"), shape.width, shape.epsilon)?,
            query_key_value: Linear::load(&attention.at("qkv"), shape.width, 3 * shape.width)?,
            output: Linear::load(&attention.at("projection"), shape.width, shape.width)?,
            heads: shape.heads,
            feed_norm: LayerNorm::load(&scope.at("layer_norm2"), shape.width, shape.epsilon)?,
            feed: FeedForward::load(&scope.at("mlp"), shape)?,
        })
    }

    fn forward(&self, states: &Tensor) -> Result<Tensor> {
        let width = states.dim(2)?;
        let joined = self.query_key_value.forward(&self.attention_norm.forward(states)?)?;
        let third = |index: usize| joined.narrow(2, index * width, width);
        let mixed = attend(&third(0)?, &third(1)?, &third(2)?, self.heads, Mask::None)?;
        let states = (states + self.output.forward(&mixed)?)?;
        &states + self.feed.forward(&self.feed_norm.forward(&states)?)?
    }
}
