//! `config.json`: what the network is.

use serde::Deserialize;

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

/// How tokens are numbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Positions {
    /// 0, 1, 2 and so on.
    FromZero,
    /// Tokens that are not this one count on from it; where it stands itself, it is the number too.
    AfterPadding(u32),
}

impl Positions {
    /// The number of every token.
    pub fn of(self, ids: impl Iterator<Item = u32>) -> impl Iterator<Item = u32> {
        let mut next = 0;
        ids.map(move |id| match self {
            Self::AfterPadding(padding) if id == padding => padding,
            Self::AfterPadding(padding) => {
                next += 1;
                padding + next
            }
            Self::FromZero => {
                next += 1;
                next - 1
            }
        })
    }
}

/// A network of the BERT kind.
#[derive(Debug, Clone)]
pub struct PostNormConfig {
    /// Which.
    pub family: Family,
    /// Between the two layers after attention.
    pub activation: Activation,
    /// Width of the token states.
    pub width: usize,
    /// Width between the two layers after attention.
    pub inner: usize,
    /// Transformer layers.
    pub layers: usize,
    /// Heads of attention.
    pub heads: usize,
    /// Rows of the table of positions.
    pub position_rows: usize,
    /// How tokens are numbered.
    pub positions: Positions,
    /// Rows of the table of segments; MPNet has none.
    pub segment_rows: usize,
    /// Tokens.
    pub vocabulary: usize,
    /// Added to variances.
    pub epsilon: f64,
}

/// A ModernBERT.
#[derive(Debug, Clone)]
pub struct ModernBertConfig {
    /// Between the two layers after attention.
    pub activation: Activation,
    /// Width of the token states.
    pub width: usize,
    /// Width between the two layers after attention.
    pub inner: usize,
    /// For each layer whether tokens see no farther than [`Self::reach`].
    pub local: Vec<bool>,
    /// How far tokens see in local layers, to either side.
    pub reach: usize,
    /// Heads of attention.
    pub heads: usize,
    /// Longest sequence.
    pub most_tokens: usize,
    /// Base of the rotary positions in local layers.
    pub local_theta: f32,
    /// Base of the rotary positions in the others.
    pub global_theta: f32,
    /// Tokens.
    pub vocabulary: usize,
    /// Added to variances.
    pub epsilon: f64,
    /// Whether normalisations have a bias.
    pub norm_bias: bool,
    /// Whether the layers of attention have one.
    pub attention_bias: bool,
    /// Whether the layers after attention have one.
    pub inner_bias: bool,
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

/// `config.json` of BERT, RoBERTa, XLM-R and MPNet.
#[derive(Deserialize)]
struct PostNormFile {
    hidden_act: String,
    position_embedding_type: Option<String>,
    #[serde(default)]
    is_decoder: bool,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    max_position_embeddings: usize,
    type_vocab_size: Option<usize>,
    vocab_size: usize,
    layer_norm_eps: f64,
    pad_token_id: Option<u32>,
    relative_attention_num_buckets: Option<usize>,
}

/// The padding of RoBERTa and MPNet.
const PADDING: u32 = 1;
/// The buckets of MPNet's distances; the reference knows no other number.
pub const BUCKETS: usize = 32;

impl PostNormFile {
    fn checked(self, family: Family) -> Result<PostNormConfig, ModelError> {
        if let Some(kind) = self.position_embedding_type.as_deref().filter(|kind| *kind != "absolute") {
            return Err(unsupported("kind of position embedding", kind, "absolute"));
        }
        if self.is_decoder {
            return Err(unsupported("is_decoder", "true", "false"));
        }
        let buckets = self.relative_attention_num_buckets.unwrap_or(BUCKETS);
        if family == Family::Mpnet && buckets != BUCKETS {
            return Err(unsupported("relative_attention_num_buckets", &buckets.to_string(), "32"));
        }
        check_heads(self.num_attention_heads, self.hidden_size)?;
        Ok(PostNormConfig {
            family,
            activation: activation(&self.hidden_act)?,
            width: self.hidden_size,
            inner: self.intermediate_size,
            layers: self.num_hidden_layers,
            heads: self.num_attention_heads,
            position_rows: self.max_position_embeddings,
            positions: match family {
                Family::Bert | Family::ModernBert => Positions::FromZero,
                Family::Roberta => Positions::AfterPadding(self.pad_token_id.unwrap_or(PADDING)),
                Family::Mpnet => Positions::AfterPadding(PADDING),
            },
            segment_rows: if family == Family::Mpnet { 0 } else { self.type_vocab_size.unwrap_or(2) },
            vocabulary: self.vocab_size,
            epsilon: self.layer_norm_eps,
        })
    }
}

/// `config.json` of ModernBERT, in the form of its release and in the one with `rope_parameters` and `layer_types`.
#[derive(Deserialize)]
struct ModernBertFile {
    hidden_activation: Option<String>,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    max_position_embeddings: usize,
    vocab_size: usize,
    norm_eps: f64,
    #[serde(default)]
    norm_bias: bool,
    #[serde(default)]
    attention_bias: bool,
    #[serde(default)]
    mlp_bias: bool,
    local_attention: usize,
    global_attn_every_n_layers: Option<usize>,
    layer_types: Option<Vec<String>>,
    global_rope_theta: Option<f32>,
    local_rope_theta: Option<f32>,
    rope_scaling: Option<serde_json::Value>,
    rope_parameters: Option<RopeParameters>,
}

#[derive(Deserialize)]
struct RopeParameters {
    full_attention: Option<Rope>,
    sliding_attention: Option<Rope>,
}

#[derive(Deserialize)]
struct Rope {
    rope_type: Option<String>,
    rope_theta: Option<f32>,
}

impl ModernBertFile {
    fn checked(self) -> Result<ModernBertConfig, ModelError> {
        if let Some(scaling) = &self.rope_scaling {
            return Err(unsupported("rope_scaling", &scaling.to_string(), "null"));
        }
        check_heads(self.num_attention_heads, self.hidden_size)?;
        let (global, local) = self
            .rope_parameters
            .as_ref()
            .map_or((None, None), |both| (both.full_attention.as_ref(), both.sliding_attention.as_ref()));
        Ok(ModernBertConfig {
            activation: activation(self.hidden_activation.as_deref().unwrap_or("gelu"))?,
            local: self.local_layers()?,
            reach: self.local_attention / 2,
            local_theta: theta(local, self.local_rope_theta, 10_000.0)?,
            global_theta: theta(global, self.global_rope_theta, 160_000.0)?,
            width: self.hidden_size,
            inner: self.intermediate_size,
            heads: self.num_attention_heads,
            most_tokens: self.max_position_embeddings,
            vocabulary: self.vocab_size,
            epsilon: self.norm_eps,
            norm_bias: self.norm_bias,
            attention_bias: self.attention_bias,
            inner_bias: self.mlp_bias,
        })
    }

    fn local_layers(&self) -> Result<Vec<bool>, ModelError> {
        let Some(types) = &self.layer_types else {
            let every = self.global_attn_every_n_layers.unwrap_or(3).max(1);
            return Ok((0..self.num_hidden_layers).map(|layer| layer % every != 0).collect());
        };
        if types.len() != self.num_hidden_layers {
            let found = format!("{} for {} layers", types.len(), self.num_hidden_layers);
            return Err(unsupported("number of layer_types", &found, "one for each layer"));
        }
        let is_local = |kind: &String| match kind.as_str() {
            "full_attention" => Ok(false),
            "sliding_attention" => Ok(true),
            other => Err(unsupported("layer type", other, "full_attention, sliding_attention")),
        };
        types.iter().map(is_local).collect()
    }
}

fn theta(rope: Option<&Rope>, older: Option<f32>, default: f32) -> Result<f32, ModelError> {
    if let Some(kind) = rope.and_then(|rope| rope.rope_type.as_deref()).filter(|kind| *kind != "default") {
        return Err(unsupported("rope_type", kind, "default"));
    }
    Ok(rope.and_then(|rope| rope.rope_theta).or(older).unwrap_or(default))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_on_from_the_padding_and_skip_it() {
        let ids = [0, 7, 1, 7, 2];
        assert!(Positions::FromZero.of(ids.into_iter()).eq([0, 1, 2, 3, 4]));
        assert!(Positions::AfterPadding(1).of(ids.into_iter()).eq([2, 3, 1, 4, 5]));
    }

    fn modern(change: impl FnOnce(&mut serde_json::Value)) -> Result<ModernBertConfig, ModelError> {
        let mut file = serde_json::json!({
            "hidden_activation": "gelu", "hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 4, "num_attention_heads": 2,
            "max_position_embeddings": 64, "vocab_size": 10, "norm_eps": 1e-5, "local_attention": 16,
            "global_attn_every_n_layers": 3, "global_rope_theta": 160000.0, "local_rope_theta": 9000.0
        });
        change(&mut file);
        serde_json::from_value::<ModernBertFile>(file).unwrap().checked()
    }

    #[test]
    fn both_forms_of_a_modern_bert_are_the_same() {
        let older = modern(|_| ()).unwrap();
        assert_eq!((older.local, older.reach), (vec![false, true, true, false], 8));
        let newer = modern(|file| {
            file["layer_types"] = serde_json::json!(["sliding_attention", "full_attention", "sliding_attention", "full_attention"]);
            file["rope_parameters"] =
                serde_json::json!({"full_attention": {"rope_type": "default", "rope_theta": 5000.0}, "sliding_attention": {"rope_theta": 9000.0}});
        })
        .unwrap();
        assert_eq!(newer.local, [true, false, true, false]);
        assert_eq!(
            (older.local_theta, older.global_theta, newer.local_theta, newer.global_theta),
            (9000.0, 160_000.0, 9000.0, 5000.0)
        );
    }

    #[test]
    fn what_would_change_a_modern_bert_is_refused() {
        let refused = |change: fn(&mut serde_json::Value)| modern(change).unwrap_err().to_string();
        assert!(refused(|file| file["rope_scaling"] = serde_json::json!({"factor": 2.0})).contains("rope_scaling"));
        assert!(refused(|file| file["layer_types"] = serde_json::json!(["full_attention"])).contains("1 for 4 layers"));
        assert!(
            refused(|file| file["rope_parameters"] = serde_json::json!({"full_attention": {"rope_type": "yarn"}}))
                .contains("rope_type \"yarn\"")
        );
    }
}
