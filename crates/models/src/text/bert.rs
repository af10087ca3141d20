//! BERT (Devlin et al., "BERT: pre-training of deep bidirectional transformers for language understanding", 2018).
//!
//! Sequences lie end to end, without padding; so what one gets cannot depend on the length of another.

use std::path::Path;

use super::config::BertConfig;
use crate::compute::attention::attention;
use crate::compute::linear::Linear;
use crate::compute::norm::LayerNorm;
use crate::error::ModelError;
use crate::weights::Weights;

/// Token numbers to token states.
pub struct Bert {
    width: usize,
    heads: usize,
    words: Vec<f32>,
    /// Position and segment 0 in one.
    places: Vec<f32>,
    norm: LayerNorm,
    layers: Vec<Layer>,
}

struct Layer {
    query_key_value: Linear,
    output: Linear,
    output_norm: LayerNorm,
    inner: Linear,
    outer: Linear,
    outer_norm: LayerNorm,
}

impl Bert {
    /// Reads the tensors; their names may begin with `bert.`.
    pub fn load(path: &Path, config: &BertConfig) -> Result<Self, ModelError> {
        let weights = Weights::open(path)?;
        let prefix = if weights.has("bert.embeddings.word_embeddings.weight") { "bert." } else { "" };
        let width = config.hidden_size;
        let epsilon = config.layer_norm_eps as f32;
        let embeddings = format!("{prefix}embeddings.");
        let table = |name: &str, rows: usize| weights.tensor(&format!("{embeddings}{name}.weight"), &[rows, width]);
        let segments = table("token_type_embeddings", config.type_vocab_size)?;
        let mut places = table("position_embeddings", config.max_position_embeddings)?;
        for place in places.chunks_exact_mut(width) {
            for (value, segment) in place.iter_mut().zip(&segments) {
                *value += segment;
            }
        }
        Ok(Self {
            width,
            heads: config.num_attention_heads,
            words: table("word_embeddings", config.vocab_size)?,
            places,
            norm: LayerNorm::load(&weights, &format!("{embeddings}LayerNorm"), width, epsilon)?,
            layers: (0..config.num_hidden_layers)
                .map(|index| Layer::load(&weights, &format!("{prefix}encoder.layer.{index}."), config))
                .collect::<Result<_, _>>()?,
        })
    }

    /// Width of the token states.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The states of all tokens of all sequences, end to end: tokens x width. A token beyond the vocabulary is taken for token 0.
    pub fn forward(&self, sequences: &[Vec<u32>]) -> Vec<f32> {
        let lengths: Vec<usize> = sequences.iter().map(Vec::len).collect();
        let mut states = self.embed(sequences);
        for layer in &self.layers {
            states = layer.forward(&states, &lengths, self.heads, self.width / self.heads);
        }
        states
    }

    fn embed(&self, sequences: &[Vec<u32>]) -> Vec<f32> {
        let mut states = Vec::with_capacity(sequences.iter().map(Vec::len).sum::<usize>() * self.width);
        for sequence in sequences {
            for (token, place) in sequence.iter().zip(self.places.chunks_exact(self.width)) {
                let word =
                    self.words.chunks_exact(self.width).nth(*token as usize).unwrap_or(&self.words[..self.width]);
                states.extend(word.iter().zip(place).map(|(word, place)| word + place));
            }
        }
        self.norm.apply(&mut states);
        states
    }
}

impl Layer {
    fn load(weights: &Weights, prefix: &str, config: &BertConfig) -> Result<Self, ModelError> {
        let (width, inner) = (config.hidden_size, config.intermediate_size);
        let epsilon = config.layer_norm_eps as f32;
        let of = |name: &str| format!("{prefix}{name}");
        let [query, key, value] = ["query", "key", "value"].map(|name| of(&format!("attention.self.{name}")));
        Ok(Self {
            query_key_value: Linear::load_attention(
                weights,
                [&query, &key, &value],
                width,
                width / config.num_attention_heads,
            )?,
            output: Linear::load(weights, &of("attention.output.dense"), width, width)?,
            output_norm: LayerNorm::load(weights, &of("attention.output.LayerNorm"), width, epsilon)?,
            inner: Linear::load(weights, &of("intermediate.dense"), width, inner)?,
            outer: Linear::load(weights, &of("output.dense"), inner, width)?,
            outer_norm: LayerNorm::load(weights, &of("output.LayerNorm"), width, epsilon)?,
        })
    }

    fn forward(&self, states: &[f32], lengths: &[usize], heads: usize, head_width: usize) -> Vec<f32> {
        let qkv = self.query_key_value.apply(states);
        let mixed = attention(&qkv, lengths, heads, head_width);
        let states = self.output.apply_add_norm(&mixed, states, &self.output_norm);
        let inner = self.inner.apply_gelu(&states);
        self.outer.apply_add_norm(&inner, &states, &self.outer_norm)
    }
}
