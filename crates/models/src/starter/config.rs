//! The towers' configuration files.

use serde::Deserialize;

use crate::error::ModelError;
use crate::source::Source;

/// What every tower's file begins with.
#[derive(Debug, Deserialize)]
struct Kind {
    kind: String,
    version: u32,
}

/// `picture.json`.
#[derive(Debug, Deserialize)]
pub struct PictureConfig {
    /// Length of the vectors.
    pub dim: usize,
    /// The convolutions.
    pub network: PictureNetwork,
}

/// The part of `picture.json` about convolutions.
#[derive(Debug, Deserialize)]
pub struct PictureNetwork {
    /// Channels of each stage.
    pub widths: Vec<usize>,
    /// Blocks of each stage.
    pub depths: Vec<usize>,
}

/// `sound.json`.
#[derive(Debug, Deserialize)]
pub struct SoundConfig {
    /// Length of the vectors.
    pub dim: usize,
    /// The transformer.
    pub network: SoundNetwork,
}

/// The part of `sound.json` about the transformer.
#[derive(Debug, Deserialize)]
pub struct SoundNetwork {
    /// Width of the token states.
    pub hidden_size: usize,
    /// Width between the two layers after attention.
    pub intermediate_size: usize,
    /// Layers.
    pub num_hidden_layers: usize,
    /// Heads of attention.
    pub num_attention_heads: usize,
    /// Added to variances.
    pub layer_norm_eps: f32,
}

/// Reads `file`, which must be of this kind and of version 1.
pub fn read<T: serde::de::DeserializeOwned>(source: &Source, file: &str, kind: &'static str) -> Result<T, ModelError> {
    let found: Kind = source.json(file)?;
    if found.kind != kind {
        return Err(ModelError::Unsupported { what: "architecture", found: found.kind, supported: kind });
    }
    if found.version != 1 {
        return Err(ModelError::Unsupported {
            what: "version of a starter tower",
            found: found.version.to_string(),
            supported: "1",
        });
    }
    source.json(file)
}
