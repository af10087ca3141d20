//! The picture tower: a vision transformer (Dosovitskiy et al., "An image is worth 16x16 words", 2020) with a token that stands for the
//! whole picture. All its tokens are looked at.

use candle_core::{DType, Device, Result, Tensor};

use crate::clip::vision_config::VisionConfig;
use crate::error::ModelError;
use crate::image_processor::ImageProcessor;
use crate::layers::{LayerNorm, Linear, Mask, Patches, Transformer};
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
    transformer: Transformer,
    norm: LayerNorm,
    dtype: DType,
    device: Device,
}

impl Vision {
    /// Reads the tensors of `scope`, and how pictures are prepared from `source`.
    pub fn load(source: &Source, scope: &Scope, config: &VisionConfig) -> std::result::Result<Self, ModelError> {
        let processor = ImageProcessor::load(source)?;
        config.patches.check(processor.size())?;
        let (embeddings, shape) = (scope.at("embeddings"), &config.shape);
        let (width, tokens) = (shape.width, config.patches.count() + 1);
        let block = |index| {
            let scope = scope.at("encoder.layers").at(index);
            let attention = scope.at("self_attn");
            let joined = Linear::load(&attention.at("qkv"), width, 3 * width)?;
            shape.block(&scope, joined, Linear::load(&attention.at("projection"), width, width)?)
        };
        Ok(Self {
            processor,
            patches: Patches::load(&embeddings.at("patch_embedding"), width, config.patches.side, true)?,
            whole: embeddings.tensor("class_embedding", &[1, 1, width])?,
            positions: embeddings.tensor("position_embedding", &[1, tokens, width])?,
            transformer: Transformer::new(
                (0..shape.blocks).map(block).collect::<std::result::Result<_, _>>()?,
                shape.heads,
                scope,
            )?,
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
        self.norm.forward(&self.transformer.forward(&states, Mask::None)?)
    }
}
