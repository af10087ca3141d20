//! `config.json` of a BLIP model.

use serde::Deserialize;

use crate::clip::encoder::{Shape, ShapeFields};
use crate::clip::vision_config::{PatchConfig, VisionConfig, VisionFields};
use crate::error::ModelError;
use crate::layers::Activation;
use crate::source::Source;

/// Defaults of `BlipVisionConfig`.
const VISION: VisionConfig = VisionConfig {
    shape: Shape { width: 768, inner: 3072, blocks: 12, heads: 12, activation: Activation::Gelu, epsilon: 1e-5 },
    patches: PatchConfig { picture_side: 384, side: 16 },
};
/// Defaults of `BlipTextConfig`.
const TEXT: Shape =
    Shape { width: 768, inner: 3072, blocks: 12, heads: 8, activation: Activation::Gelu, epsilon: 1e-12 };

/// What a checkpoint was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Captions,
    Answers,
}

impl Purpose {
    /// The class of the Transformers library.
    fn class(self) -> &'static str {
        match self {
            Self::Captions => "BlipForConditionalGeneration",
            Self::Answers => "BlipForQuestionAnswering",
        }
    }
}

/// What the file says.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Config {
    pub vision: VisionConfig,
    pub text: TextConfig,
}

/// What reads and writes texts.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TextConfig {
    pub shape: Shape,
    pub vocabulary: usize,
    /// Longest text in tokens.
    pub positions: usize,
    /// Begins every text that is written.
    pub start: u32,
    /// Ends it.
    pub end: u32,
    /// Fills up questions that are shorter than others.
    pub padding: u32,
    /// Whether the output layer may be the table of words.
    pub tied: bool,
}

#[derive(Deserialize)]
struct File {
    model_type: String,
    #[serde(default)]
    architectures: Vec<String>,
    #[serde(default)]
    text_config: TextFields,
    #[serde(default)]
    vision_config: VisionFields,
    tie_word_embeddings: Option<bool>,
}

#[derive(Default, Deserialize)]
struct TextFields {
    #[serde(flatten)]
    shape: ShapeFields,
    vocab_size: Option<usize>,
    max_position_embeddings: Option<usize>,
    bos_token_id: Option<u32>,
    /// What ends a text. The field `eos_token_id` does not: its number is that of no token of the vocabulary's own.
    sep_token_id: Option<u32>,
    pad_token_id: Option<u32>,
    is_decoder: Option<bool>,
    tie_word_embeddings: Option<bool>,
}

impl Config {
    /// Reads the file; what it leaves out has the defaults of `BlipConfig`. What it says of `encoder_hidden_size` does not count: that is the
    /// width of the picture tower, and the file of the large captioner has it wrong.
    pub(super) fn load(source: &Source, purpose: Purpose) -> Result<Self, ModelError> {
        let file: File = source.json("config.json")?;
        if file.model_type != "blip" {
            return Err(ModelError::Unsupported { what: "model_type", found: file.model_type, supported: "blip" });
        }
        if let Some(other) = file.architectures.into_iter().find(|name| name != purpose.class()) {
            return Err(ModelError::Unsupported { what: "architecture", found: other, supported: purpose.class() });
        }
        let (vision, text) = (file.vision_config, file.text_config);
        if text.is_decoder == Some(false) {
            let found = "false".to_owned();
            return Err(ModelError::Unsupported { what: "is_decoder", found, supported: "true" });
        }
        let no = Some(false);
        let text = TextConfig {
            shape: text.shape.over(TEXT)?,
            vocabulary: text.vocab_size.unwrap_or(30_524),
            positions: text.max_position_embeddings.unwrap_or(512),
            start: text.bos_token_id.unwrap_or(30_522),
            end: text.sep_token_id.unwrap_or(102),
            padding: text.pad_token_id.unwrap_or(0),
            tied: file.tie_word_embeddings != no && text.tie_word_embeddings != no,
        };
        if let Some(token) = [text.start, text.end, text.padding].into_iter().find(|id| *id as usize >= text.vocabulary)
        {
            let reason = format!("token {token} is beyond the vocabulary of {}", text.vocabulary);
            return Err(ModelError::malformed(&source.file("config.json")?, &reason));
        }
        let vision = vision.over(&VISION)?;
        if purpose == Purpose::Answers && vision.shape.width != text.shape.width {
            // The writer looks at what the question's reader gives, with layers made for what the picture tower gives.
            let found = format!("{} for pictures' {}", text.shape.width, vision.shape.width);
            let supported = "the width of the picture tower";
            return Err(ModelError::Unsupported { what: "hidden_size of text_config", found, supported });
        }
        Ok(Self { vision, text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(json: &str) -> Result<Config, ModelError> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.json"), json).unwrap();
        Config::load(&Source::Folder(folder.path().to_owned()), Purpose::Captions)
    }

    #[test]
    fn what_is_left_out_has_the_defaults_of_the_class() {
        let config = config(
            r#"{"model_type": "blip", "architectures": ["BlipForConditionalGeneration"],
                "text_config": {"num_attention_heads": 12, "encoder_hidden_size": 5, "eos_token_id": 2},
                "vision_config": {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24,
                                  "num_attention_heads": 16}}"#,
        )
        .unwrap();
        assert_eq!(config.text.shape, Shape { heads: 12, ..TEXT });
        assert_eq!(config.vision.shape, Shape { width: 1024, inner: 4096, blocks: 24, heads: 16, ..VISION.shape });
        assert_eq!((config.vision.patches.count(), config.text.vocabulary, config.text.positions), (576, 30_524, 512));
        assert_eq!((config.text.start, config.text.end, config.text.padding), (30_522, 102, 0));
        assert!(config.text.tied);
    }

    #[test]
    fn what_is_not_implemented_is_refused_by_name() {
        let refused = |json: &str| config(json).unwrap_err().to_string();
        assert!(refused(r#"{"model_type": "blip-2"}"#).contains("model_type \"blip-2\""));
        let other = refused(r#"{"model_type": "blip", "architectures": ["BlipForImageTextRetrieval"]}"#);
        assert!(
            other.contains("architecture \"BlipForImageTextRetrieval\"")
                && other.contains("BlipForConditionalGeneration")
        );
        assert!(refused(r#"{"model_type": "blip", "text_config": {"is_decoder": false}}"#).contains("is_decoder"));
        let act = refused(r#"{"model_type": "blip", "text_config": {"hidden_act": "mish"}}"#);
        assert!(act.contains("`mish`") && act.contains("`gelu`") && act.contains("config.json"), "{act}");
        assert!(refused(r#"{"model_type": "blip", "text_config": {"num_attention_heads": 5}}"#).contains("heads"));
        assert!(refused(r#"{"model_type": "blip", "text_config": {"vocab_size": 300}}"#).contains("beyond the vocab"));
    }
}
