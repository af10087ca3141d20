//! `config.json` of a SigLIP model.

use serde::Deserialize;

use crate::clip::encoder::{Shape, ShapeFields};
use crate::clip::vision_config::{PatchConfig, VisionConfig, VisionFields};
use crate::error::ModelError;
use crate::layers::Activation;
use crate::source::Source;

/// Defaults of `SiglipTextConfig` and `SiglipVisionConfig`.
const BASE: Shape =
    Shape { width: 768, inner: 3072, blocks: 12, heads: 12, activation: Activation::GeluTanh, epsilon: 1e-6 };

/// Defaults of `SiglipVisionConfig`.
const VISION: VisionConfig = VisionConfig { shape: BASE, patches: PatchConfig { picture_side: 224, side: 16 } };

/// What the file says.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Config {
    pub text: TextConfig,
    /// The pictures' vectors are as long as their tower is wide.
    pub vision: VisionConfig,
}

/// The text tower.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TextConfig {
    pub shape: Shape,
    pub vocabulary: usize,
    /// Tokens of every text, filled up or cut.
    pub positions: usize,
    /// Length of the vectors.
    pub dimensions: usize,
}

#[derive(Deserialize)]
struct File {
    model_type: String,
    #[serde(default)]
    text_config: TextFields,
    #[serde(default)]
    vision_config: HeadedVisionFields,
}

#[derive(Default, Deserialize)]
struct TextFields {
    #[serde(flatten)]
    shape: ShapeFields,
    vocab_size: Option<usize>,
    max_position_embeddings: Option<usize>,
    projection_size: Option<usize>,
}

#[derive(Default, Deserialize)]
struct HeadedVisionFields {
    #[serde(flatten)]
    tower: VisionFields,
    vision_use_head: Option<bool>,
}

impl Config {
    /// Reads the file; what it leaves out has the defaults of `SiglipConfig`.
    pub(super) fn load(source: &Source) -> Result<Self, ModelError> {
        let file: File = source.json("config.json")?;
        if file.model_type != "siglip" {
            let supported = "siglip (SigLIP, and SigLIP 2 of fixed resolution)";
            return Err(ModelError::Unsupported { what: "architecture", found: file.model_type, supported });
        }
        let (text, vision) = (file.text_config, file.vision_config);
        if vision.vision_use_head == Some(false) {
            let found = "false".to_owned();
            return Err(ModelError::Unsupported { what: "vision_use_head", found, supported: "true" });
        }
        let shape = text.shape.over(BASE)?;
        let config = Self {
            text: TextConfig {
                shape,
                vocabulary: text.vocab_size.unwrap_or(32_000),
                positions: text.max_position_embeddings.unwrap_or(64),
                dimensions: text.projection_size.unwrap_or(shape.width),
            },
            vision: vision.tower.over(&VISION)?,
        };
        if config.text.dimensions != config.vision.shape.width {
            let found = format!("{} for pictures' {}", config.text.dimensions, config.vision.shape.width);
            let supported = "the width of the picture tower";
            return Err(ModelError::Unsupported { what: "projection_size", found, supported });
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(json: &str) -> Result<Config, ModelError> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.json"), json).unwrap();
        Config::load(&Source::Folder(folder.path().to_owned()))
    }

    #[test]
    fn what_is_left_out_is_the_base_model() {
        let json =
            r#"{"model_type": "siglip", "text_config": {"vocab_size": 256000}, "vision_config": {"image_size": 384}}"#;
        let config = config(json).unwrap();
        assert_eq!((config.text.shape, config.vision.shape), (BASE, BASE));
        assert_eq!((config.text.vocabulary, config.text.positions, config.text.dimensions), (256_000, 64, 768));
        assert_eq!(config.vision.patches.count(), 576);
    }

    #[test]
    fn what_is_not_implemented_is_refused_by_name() {
        let refused = |json: &str| config(json).unwrap_err().to_string();
        assert!(refused(r#"{"model_type": "siglip2"}"#).contains("\"siglip2\""));
        assert!(
            refused(r#"{"model_type": "siglip", "vision_config": {"vision_use_head": false}}"#)
                .contains("vision_use_head")
        );
        assert!(
            refused(r#"{"model_type": "siglip", "text_config": {"projection_size": 5}}"#)
                .contains("5 for pictures' 768")
        );
    }
}
