//! `config.json`: what the network is.

mod modern_bert;
mod post_norm;

use serde::Deserialize;

pub use self::modern_bert::ModernBertConfig;
use self::modern_bert::ModernBertFile;
use self::post_norm::PostNormFile;
pub use self::post_norm::{BUCKETS, Positions, PostNormConfig};
use crate::error::ModelError;
use crate::layers::Activation;
use crate::source::Source;

const ARCHITECTURES: &str = "bert, roberta, xlm-roberta, mpnet, modernbert";
const ACTIVATIONS: &str = "gelu, gelu_new, gelu_pytorch_tanh, quick_gelu, relu, silu, tanh";

/// The kinds of network, by what differs between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// BERT (Devlin et al., 2018).
    Bert,
    /// RoBERTa (Liu et al., 2019) and XLM-R (Conneau et al., 2020): BERT with positions that begin after the padding's number.
    Roberta,
    /// MPNet (Song et al., 2020): RoBERTa with a bias by distance.
    Mpnet,
    /// ModernBERT (Warner et al., 2024).
    ModernBert,
}

/// The network.
#[derive(Debug, Clone)]
pub enum NetworkConfig {
    /// Normalisation after each block, positions from a table.
    PostNorm(PostNormConfig),
    /// ModernBERT.
    ModernBert(ModernBertConfig),
}

impl NetworkConfig {
    /// Reads `config.json`.
    pub fn load(source: &Source) -> Result<Self, ModelError> {
        let architecture: Architecture = source.json("config.json")?;
        let family = match architecture.model_type.as_str() {
            "bert" => Family::Bert,
            "roberta" | "xlm-roberta" => Family::Roberta,
            "mpnet" => Family::Mpnet,
            "modernbert" => return Ok(Self::ModernBert(source.json::<ModernBertFile>("config.json")?.checked()?)),
            other => return Err(unsupported("architecture", other, ARCHITECTURES)),
        };
        Ok(Self::PostNorm(source.json::<PostNormFile>("config.json")?.checked(family)?))
    }

    /// Which kind it is.
    pub fn family(&self) -> Family {
        match self {
            Self::PostNorm(config) => config.family,
            Self::ModernBert(_) => Family::ModernBert,
        }
    }

    /// Width of the token states.
    pub fn width(&self) -> usize {
        match self {
            Self::PostNorm(config) => config.width,
            Self::ModernBert(config) => config.width,
        }
    }

    /// Segments of a pair of texts, where the network tells them apart.
    pub fn segments(&self) -> Option<usize> {
        match self {
            Self::PostNorm(config) if config.family == Family::Bert => Some(config.segment_rows),
            Self::PostNorm(_) | Self::ModernBert(_) => None,
        }
    }

    /// Tokens in the vocabulary.
    pub fn vocabulary(&self) -> usize {
        match self {
            Self::PostNorm(config) => config.vocabulary,
            Self::ModernBert(config) => config.vocabulary,
        }
    }

    /// Longest sequence.
    pub fn most_tokens(&self) -> usize {
        match self {
            Self::PostNorm(config) => match config.positions {
                Positions::FromZero => config.position_rows,
                Positions::AfterPadding(padding) => config.position_rows.saturating_sub(padding as usize + 1),
            },
            Self::ModernBert(config) => config.most_tokens,
        }
    }

    /// Floating-point operations of the fully connected layers for one token.
    pub fn flops_per_token(&self) -> u64 {
        let (layers, width, inner_rows) = match self {
            Self::PostNorm(config) => (config.layers, config.width, 2 * config.inner),
            Self::ModernBert(config) => (config.local.len(), config.width, 3 * config.inner),
        };
        (2 * layers * width * (4 * width + inner_rows)) as u64
    }
}

/// The one field of `config.json` that every architecture has.
#[derive(Deserialize)]
struct Architecture {
    model_type: String,
}

fn check_heads(heads: usize, width: usize) -> Result<(), ModelError> {
    if heads == 0 || !width.is_multiple_of(heads) {
        let found = format!("{heads} for a width of {width}");
        return Err(unsupported("number of attention heads", &found, "a divisor of the width"));
    }
    Ok(())
}

fn activation(name: &str) -> Result<Activation, ModelError> {
    serde_json::from_value(name.into()).map_err(|_| unsupported("activation", name, ACTIVATIONS))
}

/// A [`ModelError::Unsupported`].
pub fn unsupported(what: &'static str, found: &str, supported: &'static str) -> ModelError {
    ModelError::Unsupported { what, found: found.to_owned(), supported }
}
