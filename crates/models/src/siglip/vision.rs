//! The picture tower: a vision transformer whose patches are pooled by attention.

use candle_core::{DType, Device, Result, Tensor};
use sensorium_domain::encoder::{Cost, EncodeInput, Tower, TowerOutput};
use sensorium_domain::segment::Modality;

use super::config::Config;
use super::pooling::AttentionPooling;
use crate::batch;
use crate::clip::encoder;
use crate::error::ModelError;
use crate::image_processor::ImageProcessor;
use crate::layers::{LayerNorm, Mask, Patches, Transformer};
use crate::scope::Scope;
use crate::source::Source;
use crate::weights::Weights;

/// SigLIP's picture tower: pictures in, unit vectors out.
pub struct SiglipVision {
    processor: ImageProcessor,
    patches: Patches,
    /// Patches x width.
    positions: Tensor,
    encoder: Transformer,
    last_norm: LayerNorm,
    pooling: AttentionPooling,
    dimensions: usize,
    cost: Cost,
    dtype: DType,
    device: Device,
}

impl SiglipVision {
    /// Loads the picture half of a `SiglipModel` folder.
    pub fn load(source: &Source, dtype: DType, device: &Device) -> std::result::Result<Self, ModelError> {
        let Config { vision, .. } = Config::load(source)?;
        let processor = ImageProcessor::load(source)?;
        vision.patches.check(processor.size())?;
        let weights = Weights::of(source)?;
        let (scope, width) = (Scope::root(&weights, dtype, device).at("vision_model"), vision.shape.width);
        let embeddings = scope.at("embeddings");
        let count = vision.patches.count();
        let flops = vision.shape.flops(count) + vision.patches.flops(width);
        Ok(Self {
            processor,
            patches: Patches::load(&embeddings.at("patch_embedding"), width, vision.patches.side, true)?,
            positions: embeddings.at("position_embedding").tensor("weight", &[count, width])?,
            encoder: encoder::load(&scope.at("encoder"), &vision.shape)?,
            last_norm: LayerNorm::load(&scope.at("post_layernorm"), width, vision.shape.epsilon)?,
            pooling: AttentionPooling::load(&scope.at("head"), &vision.shape)?,
            dimensions: width,
            cost: Cost(flops.div_ceil(1_000_000)),
            dtype: scope.dtype(),
            device: device.clone(),
        })
    }

    /// What prepares pictures for it.
    pub fn processor(&self) -> &ImageProcessor {
        &self.processor
    }

    /// `get_image_features` of the Transformers library. `pixels`: batch x 3 x side x side; gives batch x dimensions, of any length.
    pub fn features(&self, pixels: &Tensor) -> Result<Tensor> {
        let patches = self.patches.forward(&pixels.to_device(&self.device)?.to_dtype(self.dtype)?)?;
        let states = self.encoder.forward(&patches.broadcast_add(&self.positions)?, Mask::None)?;
        self.pooling.forward(&self.last_norm.forward(&states)?)
    }
}

impl Tower for SiglipVision {
    fn modality(&self) -> Modality {
        Modality::Image
    }

    fn dimensions(&self) -> usize {
        self.dimensions
    }

    fn cost(&self, _: &EncodeInput) -> Cost {
        self.cost
    }

    fn forward(&self, inputs: &[EncodeInput]) -> TowerOutput {
        batch::encode(
            inputs,
            |input| self.processor.prepare(input),
            |pictures| self.features(&self.processor.stack(&pictures)?),
        )
    }
}
