//! Cross-encoders: a query and a passage in, one score out (Nogueira and Cho, "Passage re-ranking with BERT", 2019).

use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;
use serde::Deserialize;

use super::config::{NetworkConfig, unsupported};
use super::network::Network;
use super::pooling::Pooling;
use super::tokens::{Known, Tokens};
use super::vocabulary::TokenizerFile;
use crate::error::ModelError;
use crate::layers::Linear;
use crate::scope::Scope;
use crate::source::Source;
use crate::weights::Weights;

/// What sentence-transformers puts behind a score, for those who want numbers of its range. It keeps the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScoreActivation {
    /// Nothing.
    Identity,
    /// The logistic function: from 0 to 1.
    Sigmoid,
}

impl ScoreActivation {
    /// Of one score.
    pub fn apply(self, score: f32) -> f32 {
        match self {
            Self::Identity => score,
            Self::Sigmoid => 1.0 / (1.0 + (-score).exp()),
        }
    }
}

/// A re-ranking model.
pub struct Reranker {
    tokens: Tokens,
    network: Network,
    head: Head,
    activation: ScoreActivation,
}

/// The layers on the first token's state, on the processor: a vector for each pair is little work.
struct Head {
    dense: Linear,
    out: Linear,
}

/// What `config.json` says of the head.
#[derive(Deserialize)]
struct HeadFile {
    #[serde(default)]
    architectures: Vec<String>,
    num_labels: Option<usize>,
    id2label: Option<serde_json::Map<String, serde_json::Value>>,
    sentence_transformers: Option<ActivationFile>,
    sbert_ce_default_activation_function: Option<String>,
}

#[derive(Deserialize)]
struct ActivationFile {
    activation_fn: Option<String>,
}

impl Reranker {
    /// Loads the model of `source` on the processor in f32.
    pub fn load(source: &Source) -> Result<Self, ModelError> {
        Self::load_on(source, DType::F32, &Device::Cpu)
    }

    /// Loads the model of `source`.
    pub fn load_on(source: &Source, dtype: DType, device: &Device) -> Result<Self, ModelError> {
        let file: HeadFile = source.json("config.json")?;
        let names = file.checked()?;
        let config = NetworkConfig::load(source)?;
        let tokenizer = TokenizerFile::find(source, config.family())?;
        let limits = Known::of(&config, tokenizer.max_tokens);
        let weights = Weights::of(source)?;
        Ok(Self {
            tokens: Tokens::of_network(&tokenizer, limits)?,
            network: Network::load(&weights, &config, dtype, device)?,
            head: Head::load(&weights, names, config.width())?,
            activation: file.activation()?,
        })
    }

    /// What sentence-transformers would put behind the scores of this model.
    pub fn activation(&self) -> ScoreActivation {
        self.activation
    }

    /// The score of each passage, in order: the network's own number, the higher the better. Of a pair that is too long, the longer text is
    /// cut.
    pub fn score(&self, query: &str, passages: &[&str]) -> Vec<Result<f32, String>> {
        let mut scores: Vec<Result<f32, String>> = Vec::with_capacity(passages.len());
        let mut sequences = Vec::with_capacity(passages.len());
        let tokenised: Vec<_> = passages.par_iter().map(|passage| self.tokens.encode_pair(query, passage)).collect();
        for tokens in tokenised {
            scores.push(tokens.map(|tokens| {
                sequences.push(tokens);
                0.0
            }));
        }
        let states = self.network.pooled(&sequences, Pooling::First);
        let computed =
            states.and_then(|states| self.head.apply(states)).map_err(|error| format!("the network: {error}"));
        match computed {
            Ok(computed) => {
                for (slot, score) in scores.iter_mut().filter_map(|score| score.as_mut().ok()).zip(computed) {
                    *slot = score;
                }
            }
            Err(error) => scores.iter_mut().filter(|score| score.is_ok()).for_each(|score| *score = Err(error.clone())),
        }
        scores
    }

    /// The numbers and segments of the tokens that the network sees of a pair.
    pub fn token_ids(&self, query: &str, passage: &str) -> Result<Vec<(u32, u8)>, String> {
        Ok(self.tokens.encode_pair(query, passage)?.into_iter().map(|token| (token.id, token.segment)).collect())
    }
}

impl HeadFile {
    /// Where the two layers of the head are.
    fn checked(&self) -> Result<[&'static str; 2], ModelError> {
        let labels = self.id2label.as_ref().map(serde_json::Map::len).or(self.num_labels).unwrap_or(2);
        if labels != 1 {
            return Err(unsupported("number of labels", &labels.to_string(), "1"));
        }
        match self.architectures.first().map(String::as_str) {
            Some("BertForSequenceClassification") => Ok(["bert.pooler.dense", "classifier"]),
            Some("RobertaForSequenceClassification" | "XLMRobertaForSequenceClassification") => {
                Ok(["classifier.dense", "classifier.out_proj"])
            }
            other => Err(unsupported(
                "re-ranking architecture",
                other.unwrap_or_default(),
                "BertForSequenceClassification, RobertaForSequenceClassification, XLMRobertaForSequenceClassification",
            )),
        }
    }

    fn activation(&self) -> Result<ScoreActivation, ModelError> {
        let named = self.sentence_transformers.as_ref().and_then(|file| file.activation_fn.as_deref());
        match named.or(self.sbert_ce_default_activation_function.as_deref()) {
            None => Ok(ScoreActivation::Sigmoid),
            Some(class) => match class.rsplit('.').next().unwrap_or_default() {
                "Identity" => Ok(ScoreActivation::Identity),
                "Sigmoid" => Ok(ScoreActivation::Sigmoid),
                _ => Err(unsupported("activation of the scores", class, "Identity, Sigmoid")),
            },
        }
    }
}

impl Head {
    fn load(weights: &Weights, names: [&str; 2], width: usize) -> Result<Self, ModelError> {
        let root = Scope::root(weights, DType::F32, &Device::Cpu);
        Ok(Self {
            dense: Linear::load(&root.at(names[0]), width, width)?,
            out: Linear::load(&root.at(names[1]), width, 1)?,
        })
    }

    fn apply(&self, states: Vec<Vec<f32>>) -> candle_core::Result<Vec<f32>> {
        if states.is_empty() {
            return Ok(Vec::new());
        }
        let inner = self.dense.forward(&Tensor::new(states, &Device::Cpu)?)?.tanh()?;
        self.out.forward(&inner)?.squeeze(1)?.to_vec1()
    }
}
