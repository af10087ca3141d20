//! The text tower.

use std::sync::Arc;

use candle_core::{DType, Device};
use sensorium_domain::encoder::{Cost, CountTokens, EncodeInput, Tower, TowerOutput};
use sensorium_domain::segment::Modality;

use super::config::{Config, TextConfig};
use super::projection::Projection;
use super::roberta::Roberta;
use crate::batch;
use crate::error::ModelError;
use crate::scope::Scope;
use crate::source::Source;
use crate::text::Tokens;
use crate::weights::Weights;

/// Most tokens that go through the network together, unless a single text has more.
const TOGETHER: usize = 4096;

/// Texts to unit vectors. What is longer than the model takes is cut at the end.
pub struct ClapText {
    tokens: Tokens,
    roberta: Roberta,
    projection: Projection,
    dimensions: usize,
    flops_per_token: u64,
}

impl ClapText {
    /// Loads `config.json`, the tokenizer (`tokenizer.json`, or `vocab.json` and `merges.txt`) and the weights of `source`.
    pub fn load(source: &Source, dtype: DType, device: &Device) -> Result<Self, ModelError> {
        let config = Config::load(source)?;
        let text = &config.text_config;
        let tokens = Tokens::of_roberta(source, text.most_tokens(), text.vocab_size)?;
        let weights = Weights::of(source)?;
        let root = Scope::root(&weights, dtype, device);
        let (width, dimensions) = (text.hidden_size, config.projection_dim);
        Ok(Self {
            tokens,
            roberta: Roberta::load(&root.at("text_model"), text)?,
            projection: Projection::load(&root.at("text_projection"), width, dimensions, config.projection_hidden_act)?,
            dimensions,
            flops_per_token: flops_per_token(text),
        })
    }

    /// The tokenizer, for those who cut text into pieces that fit. It is cheap to clone.
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// The numbers that the network takes for a text.
    ///
    /// # Errors
    /// Why it cannot be tokenised, or which token the network does not know.
    pub fn tokenise(&self, text: &str) -> Result<Vec<u32>, String> {
        self.tokens.encode(text)
    }

    /// Encodes what [`Self::tokenise`] gives, in order.
    ///
    /// # Errors
    /// What the device said.
    pub fn encode_sequences(&self, sequences: &[&[u32]]) -> TowerOutput {
        let mut by_length: Vec<usize> = (0..sequences.len()).collect();
        by_length.sort_by_key(|index| sequences[*index].len());
        let mut vectors = vec![Err("no vector came out".to_owned()); sequences.len()];
        for together in groups(&by_length, |index| sequences[index].len()) {
            let group: Vec<&[u32]> = together.iter().map(|index| sequences[*index]).collect();
            let encoded = self.roberta.forward(&group).and_then(|pooled| self.projection.forward(&pooled));
            for (index, vector) in together.iter().zip(encoded.map_err(|error| error.to_string())?) {
                vectors[*index] = vector;
            }
        }
        Ok(vectors)
    }
}

/// Cuts `indices` where the next one would bring the sum of lengths above [`TOGETHER`].
fn groups(indices: &[usize], length: impl Fn(usize) -> usize) -> Vec<&[usize]> {
    let mut groups = Vec::new();
    let (mut start, mut sum) = (0, 0);
    for (place, index) in indices.iter().enumerate() {
        let length = length(*index);
        if place > start && sum + length > TOGETHER {
            groups.push(&indices[start..place]);
            (start, sum) = (place, 0);
        }
        sum += length;
    }
    if start < indices.len() {
        groups.push(&indices[start..]);
    }
    groups
}

fn flops_per_token(text: &TextConfig) -> u64 {
    let per_layer = 4 * text.hidden_size * text.hidden_size + 2 * text.hidden_size * text.intermediate_size;
    (2 * text.num_hidden_layers * per_layer) as u64
}

impl Tower for ClapText {
    fn modality(&self) -> Modality {
        Modality::Text
    }

    fn dimensions(&self) -> usize {
        self.dimensions
    }

    fn cost(&self, input: &EncodeInput) -> Cost {
        let Some(text) = input.words() else {
            return Cost(1);
        };
        // Four letters a token is usual for English; nothing is tokenised for an estimate.
        let tokens = (text.len() / 4 + 2).min(self.tokens.max_tokens());
        Cost((tokens as u64 * self.flops_per_token).div_ceil(1_000_000))
    }

    fn token_counter(&self) -> Option<Arc<CountTokens>> {
        let tokens = self.tokens().clone();
        Some(Arc::new(move |text| tokens.count(text)))
    }

    fn forward(&self, inputs: &[EncodeInput]) -> TowerOutput {
        let tokenise = |input: &EncodeInput| match input.words() {
            Some(text) => self.tokenise(text),
            None => Err(format!("a text model takes no {}", input.modality())),
        };
        let encode =
            |sequences: Vec<Vec<u32>>| self.encode_sequences(&sequences.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let vectors = batch::each(inputs, tokenise, encode)?;
        Ok(vectors.into_iter().map(Result::flatten).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_cut_before_they_are_too_long() {
        let lengths = [1000, 3000, 97, 5000, 1];
        let found = groups(&[0, 1, 2, 3, 4], |index| lengths[index]);
        assert_eq!(found, [&[0, 1][..], &[2], &[3], &[4]]);
        assert!(groups(&[], |_| 0).is_empty());
    }
}
