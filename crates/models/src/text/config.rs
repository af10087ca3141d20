//! The files that say what a text model is.

use serde::Deserialize;

use crate::error::ModelError;
use crate::source::Source;

/// What all the files together say.
#[derive(Debug, Clone)]
pub struct Config {
    /// The network.
    pub bert: BertConfig,
    /// How token states become one vector.
    pub pooling: Pooling,
    /// Most tokens of a text, special ones included.
    pub max_tokens: usize,
}

/// `config.json` of a BERT model.
#[derive(Debug, Clone, Deserialize)]
pub struct BertConfig {
    hidden_act: String,
    #[serde(default)]
    position_embedding_type: Option<String>,
    /// Width of the token states.
    pub hidden_size: usize,
    /// Width between the two layers after attention.
    pub intermediate_size: usize,
    /// Transformer layers.
    pub num_hidden_layers: usize,
    /// Heads of attention.
    pub num_attention_heads: usize,
    /// Longest sequence.
    pub max_position_embeddings: usize,
    /// Kinds of segment.
    pub type_vocab_size: usize,
    /// Tokens.
    pub vocab_size: usize,
    /// Added to variances.
    pub layer_norm_eps: f64,
}

impl BertConfig {
    /// Floating-point operations of the fully connected layers for one token.
    pub fn flops_per_token(&self) -> u64 {
        let per_layer = 4 * self.hidden_size * self.hidden_size + 2 * self.hidden_size * self.intermediate_size;
        (2 * self.num_hidden_layers * per_layer) as u64
    }

    fn check(&self) -> Result<(), ModelError> {
        if self.hidden_act != "gelu" {
            return Err(unsupported("activation", &self.hidden_act, "gelu"));
        }
        if let Some(kind) = self.position_embedding_type.as_deref().filter(|kind| *kind != "absolute") {
            return Err(unsupported("kind of position embedding", kind, "absolute"));
        }
        if self.num_attention_heads == 0 || !self.hidden_size.is_multiple_of(self.num_attention_heads) {
            let found = format!("{} for a width of {}", self.num_attention_heads, self.hidden_size);
            return Err(unsupported("number of attention heads", &found, "a divisor of the width"));
        }
        Ok(())
    }
}

/// How the states of a text's tokens become its vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// The mean over all tokens.
    Mean,
    /// The first token.
    First,
}

impl Pooling {
    /// `states` is tokens x `width`; `width` numbers come out.
    pub fn apply(self, states: &[f32], width: usize) -> Vec<f32> {
        match self {
            Self::First => states[..width].to_vec(),
            Self::Mean => {
                let mut sum = vec![0.0_f32; width];
                for state in states.chunks_exact(width) {
                    for (sum, value) in sum.iter_mut().zip(state) {
                        *sum += value;
                    }
                }
                let count = (states.len() / width) as f32;
                for sum in &mut sum {
                    *sum /= count;
                }
                sum
            }
        }
    }
}

#[derive(Deserialize)]
struct Module {
    path: String,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct PoolingConfig {
    #[serde(default)]
    pooling_mode_cls_token: bool,
    #[serde(default)]
    pooling_mode_mean_tokens: bool,
}

#[derive(Deserialize)]
struct SentenceConfig {
    max_seq_length: Option<usize>,
}

impl Config {
    /// Reads what is there. Without `modules.json` the pooling is the mean, as sentence-transformers has it.
    pub fn load(source: &Source) -> Result<Self, ModelError> {
        let architecture: Architecture = source.json("config.json")?;
        if architecture.model_type != "bert" {
            return Err(unsupported("architecture", &architecture.model_type, "bert"));
        }
        let bert: BertConfig = source.json("config.json")?;
        bert.check()?;
        let modules: Vec<Module> = source.optional_json("modules.json")?.unwrap_or_default();
        let mut pooling = Pooling::Mean;
        for module in modules {
            match module.kind.rsplit('.').next().unwrap_or_default() {
                "Transformer" | "Normalize" => {}
                "Pooling" => pooling = Self::pooling(source, &module.path)?,
                other => {
                    return Err(unsupported("module", other, "Transformer, Pooling, Normalize"));
                }
            }
        }
        let sentence: Option<SentenceConfig> = source.optional_json("sentence_bert_config.json")?;
        let max_tokens = sentence
            .and_then(|sentence| sentence.max_seq_length)
            .unwrap_or(bert.max_position_embeddings)
            .min(bert.max_position_embeddings);
        Ok(Self { bert, pooling, max_tokens })
    }

    fn pooling(source: &Source, folder: &str) -> Result<Pooling, ModelError> {
        let config: PoolingConfig = source.json(&format!("{folder}/config.json"))?;
        match (config.pooling_mode_mean_tokens, config.pooling_mode_cls_token) {
            (true, false) => Ok(Pooling::Mean),
            (false, true) => Ok(Pooling::First),
            _ => Err(unsupported("pooling", &format!("{folder}/config.json"), "either mean or cls")),
        }
    }
}

/// The one field of `config.json` that every architecture has.
#[derive(Deserialize)]
struct Architecture {
    model_type: String,
}

fn unsupported(what: &'static str, found: &str, supported: &'static str) -> ModelError {
    ModelError::Unsupported { what, found: found.to_owned(), supported }
}
