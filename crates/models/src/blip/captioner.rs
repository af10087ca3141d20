//! Pictures to captions.

use candle_core::{DType, Device, Tensor};
use sensorium_domain::EncodeInput;

use super::config::{Config, Purpose};
use super::error::BlipError;
use super::options::GenerateOptions;
use super::precision;
use super::vision::Vision;
use super::writer::{GeneratedText, Writer};
use crate::batch;
use crate::error::ModelError;
use crate::image_processor::ImageProcessor;
use crate::scope::Scope;
use crate::source::Source;
use crate::weights::Weights;

/// `BlipForConditionalGeneration`: says what is in a picture.
pub struct BlipCaptioner {
    vision: Vision,
    writer: Writer,
}

impl BlipCaptioner {
    /// Loads a model with its weights in `dtype` (f32, f16, bf16) on `device`.
    pub fn load(source: &Source, dtype: DType, device: &Device) -> Result<Self, ModelError> {
        precision(dtype)?;
        let config = Config::load(source, Purpose::Captions)?;
        let weights = Weights::of(source)?;
        let root = Scope::root(&weights, dtype, device);
        Ok(Self {
            vision: Vision::load(source, &root.at("vision_model"), &config.vision)?,
            writer: Writer::load(source, &root, &config.text, config.vision.shape.width)?,
        })
    }

    /// Whether `source` has a model that can be read here, by its settings alone; weights are not looked at.
    ///
    /// # Errors
    /// What is missing or cannot be read.
    pub fn check(source: &Source) -> Result<(), ModelError> {
        Config::load(source, Purpose::Captions).map(|_| ())
    }

    /// What prepares pictures for it.
    pub fn processor(&self) -> &ImageProcessor {
        &self.vision.processor
    }

    /// A caption for each picture, or what is wrong with it, in order: what it would get alone. All begin with `prompt`, where there is one.
    ///
    /// # Errors
    /// When an option or the prompt cannot be used, or the device fails.
    pub fn caption(
        &self,
        pictures: &[EncodeInput],
        prompt: Option<&str>,
        options: &GenerateOptions,
    ) -> Result<Vec<Result<GeneratedText, String>>, BlipError> {
        self.writer.check(options)?;
        let mut captions = Vec::with_capacity(pictures.len());
        for some in pictures.chunks(options.pictures_at_once) {
            let prepare = |picture: &EncodeInput| self.processor().prepare(picture);
            captions.extend(batch::each(some, prepare, |pixels| {
                self.describe(&self.features(&self.processor().stack(&pixels)?)?, prompt, options)
            })?);
        }
        Ok(captions)
    }

    /// What the picture tower makes of prepared pictures. `pixels`: pictures x 3 x side x side; gives pictures x tokens x width.
    pub fn features(&self, pixels: &Tensor) -> candle_core::Result<Tensor> {
        self.vision.forward(pixels)
    }

    /// The captions of pictures by their [`Self::features`], all at once.
    ///
    /// # Errors
    /// As [`Self::caption`].
    pub fn describe(
        &self,
        features: &Tensor,
        prompt: Option<&str>,
        options: &GenerateOptions,
    ) -> Result<Vec<GeneratedText>, BlipError> {
        self.writer.write(features, None, prompt, options)
    }
}
