//! `config.json`, with the defaults of the reference for what is not written in it, and the checks of what is implemented.

use serde::Deserialize;

use crate::error::ModelError;
use crate::layers::Activation;
use crate::source::Source;

/// Longest side of a picture that is accepted; published models have 256.
const LARGEST_PICTURE: usize = 1024;

/// Both towers and the space that they share.
#[derive(Debug, Clone, Deserialize)]
#[allow(clippy::struct_field_names)] // the names of the file
pub struct Config {
    model_type: String,
    /// The text tower.
    pub text_config: TextConfig,
    /// The audio tower.
    pub audio_config: AudioConfig,
    /// Length of the vectors.
    #[serde(default = "default_projection_dim")]
    pub projection_dim: usize,
    /// Between the two layers of the projections.
    #[serde(default = "default_projection_activation")]
    pub projection_hidden_act: Activation,
}

fn default_projection_dim() -> usize {
    512
}

fn default_projection_activation() -> Activation {
    Activation::Relu
}

impl Config {
    /// Reads and checks it.
    pub fn load(source: &Source) -> Result<Self, ModelError> {
        let config: Self = source.json("config.json")?;
        if config.model_type != "clap" {
            return Err(unsupported("architecture", &config.model_type, "clap"));
        }
        config.text_config.check()?;
        config.audio_config.check()?;
        Ok(config)
    }
}

/// RoBERTa (Liu et al., 2019).
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct TextConfig {
    position_embedding_type: Option<String>,
    pad_token_id: Option<usize>,
    /// Tokens.
    pub vocab_size: usize,
    /// Width of the token states.
    pub hidden_size: usize,
    /// Transformer layers.
    pub num_hidden_layers: usize,
    /// Heads of attention.
    pub num_attention_heads: usize,
    /// Width between the two layers after attention.
    pub intermediate_size: usize,
    /// Between them.
    pub hidden_act: Activation,
    /// Rows of the table of positions, the unused ones below the first position included.
    pub max_position_embeddings: usize,
    /// Kinds of segment.
    pub type_vocab_size: usize,
    /// Added to variances.
    pub layer_norm_eps: f64,
}

impl Default for TextConfig {
    fn default() -> Self {
        Self {
            position_embedding_type: None,
            pad_token_id: Some(1),
            vocab_size: 50_265,
            hidden_size: 768,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            intermediate_size: 3072,
            hidden_act: Activation::Gelu,
            max_position_embeddings: 514,
            type_vocab_size: 1,
            layer_norm_eps: 1e-12,
        }
    }
}

impl TextConfig {
    /// The padding token, which also says where positions begin: at the one after it.
    pub fn padding(&self) -> usize {
        self.pad_token_id.unwrap_or_default()
    }

    /// Most tokens that have a position.
    pub fn most_tokens(&self) -> usize {
        self.max_position_embeddings.saturating_sub(self.padding() + 1)
    }

    fn check(&self) -> Result<(), ModelError> {
        if let Some(kind) = self.position_embedding_type.as_deref().filter(|kind| *kind != "absolute") {
            return Err(unsupported("kind of position embedding", kind, "absolute"));
        }
        if self.pad_token_id.is_none() {
            return Err(unsupported("pad_token_id", "null", "the number of the padding token"));
        }
        check_heads(self.hidden_size, self.num_attention_heads)
    }
}

/// HTS-AT (Chen et al., 2022).
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
#[allow(clippy::struct_excessive_bools)] // the fields of the file
pub struct AudioConfig {
    patch_size: Sides,
    patch_stride: Sides,
    fusion_type: Option<String>,
    patch_embed_input_channels: usize,
    flatten_patch_embeds: bool,
    enable_patch_layer_norm: bool,
    hidden_size: usize,
    depths: Vec<usize>,
    num_attention_heads: Vec<usize>,
    /// Side of the windows of attention, in tokens.
    pub window_size: usize,
    /// Mel bands.
    pub num_mel_bins: usize,
    /// Side of the picture.
    pub spec_size: usize,
    /// In the feed-forward blocks.
    pub hidden_act: Activation,
    /// Whether sounds come in four views, which are fused.
    pub enable_fusion: bool,
    /// Width of the first stage.
    pub patch_embeds_hidden_size: usize,
    /// Whether queries, keys and values have biases.
    pub qkv_bias: bool,
    /// Width between the two layers of a feed-forward block, in widths of the stage.
    pub mlp_ratio: f64,
    /// How much narrower fusion's attention is inside.
    pub aff_block_r: usize,
    /// Added to variances in the blocks.
    pub layer_norm_eps: f64,
}

impl Default for AudioConfig {
    fn default() -> Self {
        Self {
            patch_size: Sides::One(4),
            patch_stride: Sides::Two([4, 4]),
            fusion_type: None,
            patch_embed_input_channels: 1,
            flatten_patch_embeds: true,
            enable_patch_layer_norm: true,
            hidden_size: 768,
            depths: vec![2, 2, 6, 2],
            num_attention_heads: vec![4, 8, 16, 32],
            window_size: 8,
            num_mel_bins: 64,
            spec_size: 256,
            hidden_act: Activation::Gelu,
            enable_fusion: false,
            patch_embeds_hidden_size: 96,
            qkv_bias: true,
            mlp_ratio: 4.0,
            aff_block_r: 4,
            layer_norm_eps: 1e-5,
        }
    }
}

/// A length for both directions, or one for each.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged)]
enum Sides {
    One(usize),
    Two([usize; 2]),
}

impl Sides {
    fn both(self) -> [usize; 2] {
        match self {
            Self::One(side) => [side, side],
            Self::Two(sides) => sides,
        }
    }
}

/// Blocks of one resolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StageConfig {
    /// How many blocks.
    pub depth: usize,
    /// Heads of attention.
    pub heads: usize,
    /// Width of the token states.
    pub width: usize,
    /// Tokens in a row and in a column.
    pub grid: usize,
}

impl AudioConfig {
    /// Side of a patch, in pixels.
    pub fn patch(&self) -> usize {
        self.patch_size.both()[0]
    }

    /// Pieces of time that lie below one another in the picture.
    pub fn pieces(&self) -> usize {
        self.spec_size / self.num_mel_bins
    }

    /// Views of a sound.
    pub fn views(&self) -> usize {
        if self.enable_fusion { 4 } else { 1 }
    }

    /// The stages in order: each has half the grid of the one before and twice its width.
    pub fn stages(&self) -> Vec<StageConfig> {
        let first_grid = self.spec_size / self.patch();
        let pairs = self.depths.iter().zip(&self.num_attention_heads).enumerate();
        let stage = |(index, (depth, heads)): (usize, (&usize, &usize))| StageConfig {
            depth: *depth,
            heads: *heads,
            width: self.patch_embeds_hidden_size << index,
            grid: first_grid >> index,
        };
        pairs.map(stage).collect()
    }

    fn check(&self) -> Result<(), ModelError> {
        self.check_patches()?;
        self.check_picture()?;
        if self.depths.is_empty() || self.depths.len() > 8 || self.depths.len() != self.num_attention_heads.len() {
            let found = format!("{:?} with num_attention_heads {:?}", self.depths, self.num_attention_heads);
            return Err(unsupported("depths", &found, "one to eight stages, each with its number of heads"));
        }
        for stage in self.stages() {
            check_heads(stage.width, stage.heads)?;
        }
        let last_width = self.patch_embeds_hidden_size << (self.depths.len() - 1);
        if self.hidden_size != last_width {
            let found = self.hidden_size.to_string();
            return Err(unsupported("hidden_size", &found, "the width of the last stage"));
        }
        let first_grid = self.spec_size / self.patch();
        let last = self.depths.len() - 1;
        let fits = |index: usize| (first_grid >> index) << index == first_grid && (first_grid >> index) > 0;
        let windows =
            self.window_size > 0 && (0..=last).all(|index| (first_grid >> index).is_multiple_of(self.window_size));
        if !fits(last) || !windows {
            let found = format!("{} for a picture of {first_grid} patches", self.window_size);
            return Err(unsupported("window_size", &found, "a divisor of the side of every stage"));
        }
        Ok(())
    }

    fn check_patches(&self) -> Result<(), ModelError> {
        let [height, width] = self.patch_size.both();
        if height != width || height == 0 || self.patch_stride.both() != [height, width] {
            let found = format!("{:?} with patch_stride {:?}", self.patch_size.both(), self.patch_stride.both());
            return Err(unsupported("patch_size", &found, "squares, with a stride of their side"));
        }
        if self.patch_embed_input_channels != 1 {
            let found = self.patch_embed_input_channels.to_string();
            return Err(unsupported("patch_embed_input_channels", &found, "1"));
        }
        if !self.flatten_patch_embeds {
            return Err(unsupported("flatten_patch_embeds", "false", "true"));
        }
        if !self.enable_patch_layer_norm {
            return Err(unsupported("enable_patch_layer_norm", "false", "true"));
        }
        if self.enable_fusion {
            if let Some(kind) = self.fusion_type.as_deref().filter(|kind| *kind != "aff_2d") {
                return Err(unsupported("fusion_type", kind, "aff_2d"));
            }
            if self.aff_block_r == 0 || self.aff_block_r > self.patch_embeds_hidden_size {
                let found = self.aff_block_r.to_string();
                return Err(unsupported("aff_block_r", &found, "one to patch_embeds_hidden_size"));
            }
        }
        Ok(())
    }

    fn check_picture(&self) -> Result<(), ModelError> {
        let whole = self.num_mel_bins > 0
            && self.spec_size > 0
            && self.spec_size <= LARGEST_PICTURE
            && self.spec_size.is_multiple_of(self.num_mel_bins)
            && self.spec_size.is_multiple_of(self.patch());
        if whole {
            return Ok(());
        }
        let found =
            format!("{} with num_mel_bins {} and patch_size {}", self.spec_size, self.num_mel_bins, self.patch());
        Err(unsupported("spec_size", &found, "a multiple of num_mel_bins and of patch_size, at most 1024"))
    }
}

fn check_heads(width: usize, heads: usize) -> Result<(), ModelError> {
    if heads == 0 || width == 0 || !width.is_multiple_of(heads) {
        let found = format!("{heads} for a width of {width}");
        return Err(unsupported("number of attention heads", &found, "a divisor of the width"));
    }
    Ok(())
}

/// A [`ModelError::Unsupported`].
pub fn unsupported(what: &'static str, found: &str, supported: &'static str) -> ModelError {
    ModelError::Unsupported { what, found: found.to_owned(), supported }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn loaded(audio: &Value, text: &Value) -> Result<Config, ModelError> {
        let folder = tempfile::tempdir().unwrap();
        let config = json!({"model_type": "clap", "audio_config": audio, "text_config": text});
        std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
        Config::load(&Source::Folder(folder.path().to_owned()))
    }

    #[test]
    fn what_is_not_written_is_as_in_the_reference() {
        let config = loaded(&json!({}), &json!({})).unwrap();
        let stages = config.audio_config.stages();
        assert_eq!(stages[0], StageConfig { depth: 2, heads: 4, width: 96, grid: 64 });
        assert_eq!(stages[3], StageConfig { depth: 2, heads: 32, width: 768, grid: 8 });
        assert_eq!((config.projection_dim, config.text_config.most_tokens()), (512, 512));
    }

    #[test]
    fn what_is_not_implemented_is_named() {
        for (audio, named) in [
            (json!({"patch_stride": [2, 4]}), "patch_size"),
            (json!({"enable_fusion": true, "fusion_type": "channel_map"}), "fusion_type"),
            (json!({"enable_fusion": true, "aff_block_r": 0}), "aff_block_r"),
            (json!({"enable_patch_layer_norm": false}), "enable_patch_layer_norm"),
            (json!({"flatten_patch_embeds": false}), "flatten_patch_embeds"),
            (json!({"patch_embed_input_channels": 3}), "patch_embed_input_channels"),
            (json!({"spec_size": 250}), "spec_size"),
            (json!({"spec_size": 0}), "spec_size"),
            (json!({"num_mel_bins": 0}), "spec_size"),
            (json!({"window_size": 7}), "window_size"),
            (json!({"window_size": 0}), "window_size"),
            (json!({"depths": [2, 2]}), "depths"),
            (json!({"num_attention_heads": [4, 8, 16, 0]}), "attention heads"),
            (json!({"hidden_size": 512}), "hidden_size"),
        ] {
            let error = loaded(&audio, &json!({})).unwrap_err().to_string();
            assert!(error.contains(named) && error.contains("is not supported"), "{audio}: {error}");
        }
        for text in [json!({"pad_token_id": null}), json!({"position_embedding_type": "relative_key"})] {
            assert!(matches!(loaded(&json!({}), &text), Err(ModelError::Unsupported { .. })), "{text}");
        }
    }
}
