//! Words in, a unit vector out.

use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;
use sensorium_domain::encoder::{Cost, CountTokens, EncodeInput, Tower, TowerOutput};
use sensorium_domain::segment::Modality;

use super::config::NetworkConfig;
use super::network::Network;
use super::pooling::Pooling;
use super::sentence::Sentence;
use super::tokens::{Known, Token, Tokens};
use super::vocabulary::TokenizerFile;
use crate::batch;
use crate::compute::norm::normalise;
use crate::error::ModelError;
use crate::source::Source;
use crate::weights::Weights;

/// What the caller says beside the model's files.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TextOptions {
    /// What goes before what somebody looks for, instead of what the files say. Models of the E5 family name theirs, `query: ` and
    /// `passage: `, in no file.
    pub query_prompt: Option<String>,
    /// The same for what can be found.
    pub passage_prompt: Option<String>,
    /// How token states become a vector, where no file says it; the mean when this does not either.
    pub pooling: Option<Pooling>,
}

/// A text model; [`TextEncoder::tower`] is what a queue takes.
pub struct TextEncoder {
    tokens: Tokens,
    network: Network,
    sentence: Sentence,
    flops_per_token: u64,
}

impl TextEncoder {
    /// Loads the model of `source` on the processor in f32, with the prompts of its files. Which file is the right one is the caller's to
    /// prove, with [`crate::Manifest::verify`].
    pub fn load(source: &Source) -> Result<Self, ModelError> {
        Self::load_on(source, DType::F32, &Device::Cpu, TextOptions::default())
    }

    /// Loads the model of `source`.
    pub fn load_on(source: &Source, dtype: DType, device: &Device, options: TextOptions) -> Result<Self, ModelError> {
        let config = NetworkConfig::load(source)?;
        let mut sentence = Sentence::load(source, config.width(), options.pooling)?;
        sentence.prompts.replace(options.query_prompt, options.passage_prompt);
        let weights = Weights::of(source)?;
        let tokens = || {
            let file = TokenizerFile::find(source, config.family())?;
            Tokens::of_network(&file, Known::of(&config, sentence.max_tokens.or(file.max_tokens)))
        };
        let (tokens, network) = rayon::join(tokens, || Network::load(&weights, &config, dtype, device));
        Ok(Self { tokens: tokens?, network: network?, sentence, flops_per_token: config.flops_per_token() })
    }

    /// Its tower: what somebody looks for goes behind the one prompt, what can be found behind the other.
    pub fn tower(self: &Arc<Self>) -> TextTower {
        let prompts = &self.sentence.prompts;
        TextTower {
            encoder: self.clone(),
            query_prompt: prompts.query.as_str().into(),
            passage_prompt: prompts.passage.as_str().into(),
        }
    }

    /// The tokenizer, for those who cut text into pieces that fit. It is cheap to clone.
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// How many tokens of the model `text` is, without the marks that are put around it.
    pub fn count_tokens(&self, text: &str) -> usize {
        self.tokens.count(text)
    }

    /// How many tokens of words fit into a passage beside its prompt.
    pub fn passage_room(&self) -> usize {
        self.tokens.room().saturating_sub(self.tokens.count(&self.sentence.prompts.passage))
    }

    /// Length of the vectors.
    pub fn dimensions(&self) -> usize {
        self.sentence.dimensions
    }

    /// Encodes texts as they are, without prompts, to unit vectors, in order. What is longer than the model takes is cut.
    pub fn encode(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, String> {
        let sequences = texts.par_iter().map(|text| self.tokens_of(text)).collect::<Result<Vec<_>, _>>()?;
        self.unit_vectors(&sequences)
    }

    /// Encodes sequences of token numbers, such as [`Self::token_ids`] gives, to unit vectors, in order. None may be longer than the model takes.
    pub fn encode_ids(&self, sequences: &[Vec<u32>]) -> Result<Vec<Vec<f32>>, String> {
        let sequences = sequences.iter().map(|ids| self.tokens.of_ids(ids)).collect::<Result<Vec<_>, _>>()?;
        self.unit_vectors(&sequences)
    }

    /// The numbers of the tokens that the network sees of `text`, without a prompt.
    pub fn token_ids(&self, text: &str) -> Result<Vec<u32>, String> {
        Ok(self.tokens_of(text)?.into_iter().map(|token| token.id).collect())
    }

    fn tokens_of(&self, text: &str) -> Result<Vec<Token>, String> {
        if self.sentence.lower_case {
            self.tokens.encode_one(&text.to_lowercase())
        } else {
            self.tokens.encode_one(text)
        }
    }

    fn unit_vectors(&self, sequences: &[Vec<Token>]) -> Result<Vec<Vec<f32>>, String> {
        if sequences.is_empty() {
            return Ok(Vec::new());
        }
        let mut vectors = self.vectors(sequences).map_err(|error| error.to_string())?;
        for vector in &mut vectors {
            normalise(vector);
        }
        Ok(vectors)
    }

    /// At least one sequence; the vectors have the length that the model gives them.
    fn vectors(&self, sequences: &[Vec<Token>]) -> candle_core::Result<Vec<Vec<f32>>> {
        let mut vectors = self.network.pooled(sequences, self.sentence.pooling)?;
        for step in &self.sentence.steps {
            step.apply(&mut vectors)?;
        }
        Ok(vectors)
    }
}

/// A text model with what goes before texts.
#[derive(Clone)]
pub struct TextTower {
    encoder: Arc<TextEncoder>,
    query_prompt: Arc<str>,
    passage_prompt: Arc<str>,
}

impl TextTower {
    /// What goes before a text, by what it is for.
    pub fn prompt(&self, input: &EncodeInput) -> &str {
        match input {
            EncodeInput::Query(_) => &self.query_prompt,
            _ => &self.passage_prompt,
        }
    }

    fn tokens_of(&self, input: &EncodeInput) -> Result<Vec<Token>, String> {
        let Some(words) = input.words() else {
            return Err(format!("a text model takes no {}", input.modality()));
        };
        match self.prompt(input) {
            "" => self.encoder.tokens_of(words),
            prompt => self.encoder.tokens_of(&format!("{prompt}{words}")),
        }
    }
}

impl Tower for TextTower {
    fn modality(&self) -> Modality {
        Modality::Text
    }

    fn dimensions(&self) -> usize {
        self.encoder.dimensions()
    }

    fn cost(&self, input: &EncodeInput) -> Cost {
        let Some(text) = input.words() else {
            return Cost(1);
        };
        // Four letters a token is usual for English; nothing is tokenised for an estimate.
        let tokens = ((self.prompt(input).len() + text.len()) / 4 + 2).min(self.encoder.tokens.max_tokens());
        Cost((tokens as u64 * self.encoder.flops_per_token).div_ceil(1_000_000))
    }

    fn token_counter(&self) -> Option<Arc<CountTokens>> {
        let tokens = self.encoder.tokens.clone();
        Some(Arc::new(move |text| tokens.count(text)))
    }

    fn forward(&self, inputs: &[EncodeInput]) -> TowerOutput {
        let vectors = |sequences: Vec<_>| Tensor::new(self.encoder.vectors(&sequences)?, &Device::Cpu);
        batch::encode(inputs, |input| self.tokens_of(input), vectors)
    }
}
