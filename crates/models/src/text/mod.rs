//! Sentence encoders of the BERT family, from a folder in the layout of sentence-transformers
//! (Reimers and Gurevych, "Sentence-BERT", 2019): `config.json`, `tokenizer.json`, `model.safetensors`, and optionally `modules.json`,
//! `1_Pooling/config.json` and `sentence_bert_config.json`.

mod bert;
mod config;
pub mod tiny;
mod tokens;

use rayon::prelude::*;
use sensorium_domain::encoder::{Cost, EncodeInput, Tower, TowerOutput};
use sensorium_domain::segment::Modality;

use self::bert::Bert;
use self::config::{Config, Pooling};
pub use self::tokens::Tokens;
use crate::compute::norm::normalise;
use crate::error::ModelError;
use crate::source::Source;

/// A text model: words in, a unit vector out.
pub struct TextEncoder {
    tokens: Tokens,
    bert: Bert,
    pooling: Pooling,
    flops_per_token: u64,
}

impl TextEncoder {
    /// Loads the model of `source`. Which file is the right one is the caller's to prove, with [`crate::Manifest::verify`].
    pub fn load(source: &Source) -> Result<Self, ModelError> {
        let config = Config::load(source)?;
        let weights_path = source.weights("model.safetensors")?;
        let (tokens, bert) = rayon::join(
            || Tokens::load(&source.file("tokenizer.json")?, config.max_tokens),
            || Bert::load(&weights_path, &config.bert),
        );
        let flops_per_token = config.bert.flops_per_token();
        Ok(Self { tokens: tokens?, bert: bert?, pooling: config.pooling, flops_per_token })
    }

    /// The tokenizer, for those who cut text into pieces that fit. It is cheap to clone.
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// How many tokens of the model `text` is, without the marks that are put around it.
    pub fn count_tokens(&self, text: &str) -> usize {
        self.tokens.count(text)
    }

    /// Encodes texts to unit vectors, in order. What is longer than the model takes is cut at the end.
    pub fn encode(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, String> {
        let sequences = texts.par_iter().map(|text| self.tokens.encode(text)).collect::<Result<Vec<_>, _>>()?;
        Ok(self.encode_sequences(&sequences))
    }

    fn encode_sequences(&self, sequences: &[Vec<u32>]) -> Vec<Vec<f32>> {
        let hidden = self.bert.forward(sequences);
        let width = self.bert.width();
        let mut rest = hidden.as_slice();
        sequences
            .iter()
            .map(|sequence| {
                let (states, after) = rest.split_at(sequence.len() * width);
                rest = after;
                let mut vector = self.pooling.apply(states, width);
                normalise(&mut vector);
                vector
            })
            .collect()
    }
}

impl Tower for TextEncoder {
    fn modality(&self) -> Modality {
        Modality::Text
    }

    fn dimensions(&self) -> usize {
        self.bert.width()
    }

    fn cost(&self, input: &EncodeInput) -> Cost {
        let EncodeInput::Text(text) = input else {
            return Cost(1);
        };
        // Four letters a token is usual for English; nothing is tokenised for an estimate.
        let tokens = (text.len() / 4 + 2).min(self.tokens.max_tokens());
        Cost((tokens as u64 * self.flops_per_token).div_ceil(1_000_000))
    }

    fn forward(&self, inputs: &[EncodeInput]) -> TowerOutput {
        let tokenised: Vec<Result<Vec<u32>, String>> = inputs
            .par_iter()
            .map(|input| match input {
                EncodeInput::Text(text) => self.tokens.encode(text),
                other => Err(format!("a text model takes no {}", other.modality())),
            })
            .collect();
        let sequences: Vec<Vec<u32>> = tokenised.iter().filter_map(|tokens| tokens.as_ref().ok().cloned()).collect();
        let mut vectors = self.encode_sequences(&sequences).into_iter();
        Ok(tokenised
            .into_iter()
            .map(|tokens| tokens.and_then(|_| vectors.next().ok_or_else(|| "no vector came out".to_owned())))
            .collect())
    }
}
