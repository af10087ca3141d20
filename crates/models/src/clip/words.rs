//! What CLIP's and SigLIP's text towers share: token numbers to token states.

use candle_core::{Device, Result, Tensor};

use super::encoder::{self, Shape};
use crate::error::ModelError;
use crate::layers::{Embedding, Mask, Transformer};
use crate::scope::Scope;

/// Embeddings of words and places, and the transformer over them.
#[derive(Debug, Clone)]
pub(crate) struct Words {
    tokens: Embedding,
    positions: Embedding,
    encoder: Transformer,
    vocabulary: usize,
    device: Device,
}

impl Words {
    /// Reads `embeddings` and `encoder`.
    pub(crate) fn load(
        scope: &Scope,
        shape: &Shape,
        vocabulary: usize,
        positions: usize,
    ) -> std::result::Result<Self, ModelError> {
        let embeddings = scope.at("embeddings");
        Ok(Self {
            tokens: Embedding::load(&embeddings.at("token_embedding"), vocabulary, shape.width)?,
            positions: Embedding::load(&embeddings.at("position_embedding"), positions, shape.width)?,
            encoder: encoder::load(&scope.at("encoder"), shape)?,
            vocabulary,
            device: scope.device().clone(),
        })
    }

    /// Whether all of `tokens` are of the vocabulary; a tokenizer of another model may have more.
    pub(crate) fn know(&self, tokens: &[u32]) -> std::result::Result<(), String> {
        match tokens.iter().find(|token| **token as usize >= self.vocabulary) {
            Some(token) => Err(format!("the tokenizer gave token {token}, but the model has {}", self.vocabulary)),
            None => Ok(()),
        }
    }

    /// `sequences`: token numbers, all of one length. Gives batch x tokens x width, not yet normalised.
    pub(crate) fn forward(&self, sequences: &[Vec<u32>], mask: Mask) -> Result<Tensor> {
        let length = sequences.first().map_or(0, Vec::len);
        let numbers = Tensor::from_vec(sequences.concat(), (sequences.len(), length), &self.device)?;
        let states = self.tokens.forward(&numbers)?.broadcast_add(&self.positions.first(length)?)?;
        self.encoder.forward(&states, mask)
    }
}
