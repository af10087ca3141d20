//! What the configurations of CLIP's, SigLIP's and BLIP's picture towers say.

use serde::Deserialize;

use super::encoder::{Shape, ShapeFields};
use crate::error::ModelError;

/// A picture tower: a transformer over the patches of a picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct VisionConfig {
    pub shape: Shape,
    pub patches: PatchConfig,
}

/// Pictures and patches, both square.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PatchConfig {
    /// Side of a picture in pixels.
    pub picture_side: usize,
    /// Side of a patch in pixels.
    pub side: usize,
}

/// What a configuration says of a picture tower; what it leaves out is left to the class.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct VisionFields {
    #[serde(flatten)]
    shape: ShapeFields,
    image_size: Option<usize>,
    patch_size: Option<usize>,
    num_channels: Option<usize>,
}

impl VisionFields {
    /// The sizes, with those of `class` where none are named.
    pub(crate) fn over(&self, class: &VisionConfig) -> Result<VisionConfig, ModelError> {
        Ok(VisionConfig { shape: self.shape.over(class.shape)?, patches: self.patches_over(class.patches)? })
    }

    fn patches_over(&self, class: PatchConfig) -> Result<PatchConfig, ModelError> {
        let channels = self.num_channels.unwrap_or(3);
        if channels != 3 {
            return Err(unsupported("num_channels", channels.to_string(), "3"));
        }
        let config = PatchConfig {
            picture_side: self.image_size.unwrap_or(class.picture_side),
            side: self.patch_size.unwrap_or(class.side),
        };
        if config.side == 0 || config.side > config.picture_side {
            let found = format!("{} for pictures of {}", config.side, config.picture_side);
            return Err(unsupported("patch_size", found, "at least 1 and at most image_size"));
        }
        Ok(config)
    }
}

impl PatchConfig {
    /// Patches of a picture.
    pub(crate) fn count(self) -> usize {
        (self.picture_side / self.side).pow(2)
    }

    /// Floating-point operations for the patches of a picture.
    pub(crate) fn flops(self, width: usize) -> u64 {
        (2 * self.count() * 3 * self.side * self.side * width) as u64
    }

    /// That pictures come in the size that the model takes.
    pub(crate) fn check(self, (height_px, width_px): (usize, usize)) -> Result<(), ModelError> {
        if (height_px, width_px) == (self.picture_side, self.picture_side) {
            return Ok(());
        }
        let found = format!("{height_px} by {width_px} for a model of {0} by {0}", self.picture_side);
        Err(unsupported("size of prepared pictures", found, "image_size of config.json"))
    }
}

fn unsupported(what: &'static str, found: String, supported: &'static str) -> ModelError {
    ModelError::Unsupported { what, found, supported }
}
