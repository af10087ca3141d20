//! `config.json` of a CLIP model.

use serde::Deserialize;

use super::encoder::{Shape, ShapeFields};
use super::vision_config::{PatchConfig, VisionConfig, VisionFields};
use crate::error::ModelError;
use crate::layers::Activation;
use crate::source::Source;

/// Defaults of `CLIPTextConfig`.
const TEXT: Shape =
    Shape { width: 512, inner: 2048, blocks: 12, heads: 8, activation: Activation::QuickGelu, epsilon: 1e-5 };
/// Defaults of `CLIPVisionConfig`.
const VISION: VisionConfig = VisionConfig {
    shape: Shape { width: 768, inner: 3072, blocks: 12, heads: 12, activation: Activation::QuickGelu, epsilon: 1e-5 },
    patches: PatchConfig { picture_side: 224, side: 32 },
};
/// The number that stood for the end of a text in files before it was put right.
const OLD_END: u32 = 2;

/// What the file says.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Config {
    pub text: TextConfig,
    pub vision: VisionConfig,
    /// Length of the vectors.
    pub dimensions: usize,
}

/// The text tower.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TextConfig {
    pub shape: Shape,
    pub vocabulary: usize,
    /// Longest text in tokens.
    pub positions: usize,
    pub pooling: Pooling,
}

/// Which token's state stands for the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pooling {
    /// The first of the tokens with the highest number, which is the end in CLIP's own vocabulary.
    HighestNumber,
    /// The first token with this number; the first of all where it does not occur.
    First(u32),
}

impl Pooling {
    /// The place of the token in `tokens`.
    pub(super) fn place(self, tokens: &[u32]) -> usize {
        let end = match self {
            Self::HighestNumber => tokens.iter().max().copied().unwrap_or(0),
            Self::First(end) => end,
        };
        tokens.iter().position(|token| *token == end).unwrap_or(0)
    }
}

#[derive(Deserialize)]
struct File {
    model_type: String,
    text_config: Option<TextFields>,
    vision_config: Option<VisionFields>,
    /// In older files; what it says goes before what the field without `_dict` says, defaults included.
    text_config_dict: Option<TextFields>,
    vision_config_dict: Option<VisionFields>,
    projection_dim: Option<usize>,
}

#[derive(Default, Deserialize)]
struct TextFields {
    #[serde(flatten)]
    shape: ShapeFields,
    vocab_size: Option<usize>,
    max_position_embeddings: Option<usize>,
    eos_token_id: Option<u32>,
}

impl Config {
    /// Reads the file; what it leaves out has the defaults of `CLIPConfig`.
    pub(super) fn load(source: &Source) -> Result<Self, ModelError> {
        let file: File = source.json("config.json")?;
        if file.model_type != "clip" {
            return Err(ModelError::Unsupported { what: "architecture", found: file.model_type, supported: "clip" });
        }
        let text = file.text_config_dict.or(file.text_config).unwrap_or_default();
        let vision = file.vision_config_dict.or(file.vision_config).unwrap_or_default();
        Ok(Self {
            text: TextConfig {
                shape: text.shape.over(TEXT)?,
                vocabulary: text.vocab_size.unwrap_or(49_408),
                positions: text.max_position_embeddings.unwrap_or(77),
                pooling: match text.eos_token_id.unwrap_or(49_407) {
                    OLD_END => Pooling::HighestNumber,
                    end => Pooling::First(end),
                },
            },
            vision: vision.over(&VISION)?,
            dimensions: file.projection_dim.unwrap_or(512),
        })
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
        let config =
            config(r#"{"model_type": "clip", "text_config": {}, "vision_config": {"layer_norm_eps": 1e-6}}"#).unwrap();
        assert_eq!((config.text.shape, config.text.vocabulary, config.text.positions), (TEXT, 49_408, 77));
        assert_eq!(config.vision.shape, Shape { epsilon: 1e-6, ..VISION.shape });
        assert_eq!((config.vision.patches.count(), config.dimensions), (49, 512));
    }

    #[test]
    fn the_older_fields_go_first() {
        let json = r#"{"model_type": "clip", "projection_dim": 768, "text_config": {"hidden_size": 512, "eos_token_id": 9},
            "text_config_dict": {"hidden_size": 768, "num_attention_heads": 12, "hidden_act": "gelu"}, "vision_config_dict": null,
            "vision_config": {"image_size": 336, "patch_size": 14}}"#;
        let config = config(json).unwrap();
        assert_eq!(config.text.shape, Shape { width: 768, heads: 12, activation: Activation::Gelu, ..TEXT });
        assert_eq!(config.text.pooling, Pooling::First(49_407));
        assert_eq!(config.vision.patches.count(), 576);
    }

    #[test]
    fn the_end_of_a_text_is_found_by_the_rule_of_its_file() {
        let tokens = [49_406, 7, 49_407, 2, 49_407];
        assert_eq!(Pooling::HighestNumber.place(&tokens), 2);
        assert_eq!(Pooling::First(49_407).place(&tokens), 2);
        assert_eq!(Pooling::First(2).place(&tokens), 3);
        assert_eq!(Pooling::First(3).place(&tokens), 0);
    }

    #[test]
    fn what_is_not_implemented_is_refused_by_name() {
        let refused = |json: &str| config(json).unwrap_err().to_string();
        assert!(refused(r#"{"model_type": "clip_vision_model"}"#).contains("\"clip_vision_model\""));
        assert!(refused(r#"{"model_type": "clip", "vision_config": {"num_channels": 1}}"#).contains("num_channels"));
        assert!(refused(r#"{"model_type": "clip", "vision_config": {"patch_size": 0}}"#).contains("patch_size"));
        assert!(
            refused(r#"{"model_type": "clip", "text_config": {"num_attention_heads": 7}}"#)
                .contains("7 for a width of 512")
        );
        assert!(refused(r#"{"model_type": "clip", "text_config": {"hidden_act": "mish"}}"#).contains("mish"));
    }
}
