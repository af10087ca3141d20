//! The picture tower: a vision transformer (Dosovitskiy et al., "An image is worth 16x16 words", 2020) with a token that stands for the
//! whole picture.

use candle_core::{DType, Device, Result, Tensor};
use sensorium_domain::encoder::{Cost, EncodeInput, Tower, TowerOutput};
use sensorium_domain::segment::Modality;

use super::config::Config;
use super::encoder;
use crate::batch;
use crate::error::ModelError;
use crate::image_processor::ImageProcessor;
use crate::layers::{LayerNorm, Linear, Mask, Patches, Transformer};
use crate::scope::Scope;
use crate::source::Source;
use crate::weights::Weights;

/// CLIP's picture tower: pictures in, unit vectors out.
pub struct ClipVision {
    processor: ImageProcessor,
    patches: Patches,
    /// 1 x 1 x width.
    whole: Tensor,
    /// Tokens x width.
    positions: Tensor,
    first_norm: LayerNorm,
    encoder: Transformer,
    last_norm: LayerNorm,
    projection: Linear,
    dimensions: usize,
    cost: Cost,
    dtype: DType,
    device: Device,
}

impl ClipVision {
    /// Loads the picture half of a `CLIPModel` folder.
    pub fn load(source: &Source, dtype: DType, device: &Device) -> std::result::Result<Self, ModelError> {
        let Config { vision, dimensions, .. } = Config::load(source)?;
        let processor = ImageProcessor::load(source)?;
        vision.patches.check(processor.size())?;
        let weights = Weights::of(source)?;
        let root = Scope::root(&weights, dtype, device);
        let (scope, width, epsilon) = (root.at("vision_model"), vision.shape.width, vision.shape.epsilon);
        let embeddings = scope.at("embeddings");
        let tokens = vision.patches.count() + 1;
        let whole = embeddings.tensor("class_embedding", &[width])?;
        let flops = vision.shape.flops(tokens) + vision.patches.flops(width);
        Ok(Self {
            processor,
            patches: Patches::load(&embeddings.at("patch_embedding"), width, vision.patches.side, false)?,
            whole: whole.reshape((1, 1, width)).map_err(|error| ModelError::device("class_embedding", &error))?,
            positions: embeddings.at("position_embedding").tensor("weight", &[tokens, width])?,
            // The name is misspelt in the files.
            first_norm: LayerNorm::load(&scope.at("pre_layrnorm"), width, epsilon)?,
            encoder: encoder::load(&scope.at("encoder"), &vision.shape)?,
            last_norm: LayerNorm::load(&scope.at("post_layernorm"), width, epsilon)?,
            projection: Linear::load_without_bias(&root.at("visual_projection"), width, dimensions)?,
            dimensions,
            cost: Cost(flops.div_ceil(1_000_000)),
            dtype: root.dtype(),
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
        let (batch, _, width) = patches.dims3()?;
        let states = Tensor::cat(&[&self.whole.expand((batch, 1, width))?, &patches], 1)?;
        let states = self.first_norm.forward(&states.broadcast_add(&self.positions)?)?;
        let states = self.encoder.forward(&states, Mask::None)?;
        self.projection.forward(&self.last_norm.forward(&states.narrow(1, 0, 1)?.squeeze(1)?)?)
    }
}

impl Tower for ClipVision {
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
