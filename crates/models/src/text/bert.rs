//! BERT (Devlin et al., "BERT: pre-training of deep bidirectional transformers for language understanding", 2018) and its like on
//! the processor in f32.
//!
//! Sequences lie end to end, without padding; so what one gets cannot depend on the length of another.

use super::config::{Family, Positions, PostNormConfig};
use super::pooling::Pooling;
use super::tokens::Token;
use crate::compute::attention::{HeadPlaces, Heads, Shape, attention};
use crate::compute::linear::{AddNorm, Linear, as_it_is, feed_forward};
use crate::compute::memory::{Memory, room};
use crate::compute::norm::LayerNorm;
use crate::compute::rows::Strided;
use crate::compute::weight::Products;
use crate::error::ModelError;
use crate::layers::Activation;
use crate::weights::Weights;

/// Token numbers to token states.
pub(super) struct Bert {
    width: usize,
    heads: usize,
    words: Vec<f32>,
    places: Vec<f32>,
    positions: Positions,
    segments: Vec<f32>,
    has_segments: bool,
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
    /// Whether a network is one that can be computed here.
    pub fn can_be(config: &PostNormConfig) -> bool {
        config.activation == Activation::Gelu && matches!(config.family, Family::Bert | Family::Roberta)
    }

    /// Reads the tensors, whose names begin with `prefix`.
    pub fn load(
        weights: &Weights,
        prefix: &str,
        config: &PostNormConfig,
        products: Products,
    ) -> Result<Self, ModelError> {
        let width = config.width;
        let embeddings = format!("{prefix}embeddings.");
        let table = |name: &str, rows: usize| weights.tensor(&format!("{embeddings}{name}.weight"), &[rows, width]);
        Ok(Self {
            width,
            heads: config.heads,
            words: table("word_embeddings", config.vocabulary)?,
            places: table("position_embeddings", config.position_rows)?,
            positions: config.positions,
            segments: table("token_type_embeddings", config.segment_rows)?,
            has_segments: config.family == Family::Bert,
            norm: LayerNorm::load(weights, &format!("{embeddings}LayerNorm"), width, config.epsilon as f32)?,
            layers: (0..config.layers)
                .map(|index| Layer::load(weights, &format!("{prefix}encoder.layer.{index}."), config, products))
                .collect::<Result<_, _>>()?,
        })
    }

    /// A vector for each text, in order.
    pub fn pooled(&self, sequences: &[Vec<Token>], pooling: Pooling) -> Vec<Vec<f32>> {
        let states = self.forward(sequences);
        let mut rest = states.as_slice();
        let mut vectors = Vec::with_capacity(sequences.len());
        for sequence in sequences {
            let (own, after) = rest.split_at(sequence.len() * self.width);
            rest = after;
            vectors.push(pooling.apply(own, self.width));
        }
        vectors
    }

    /// The states of all tokens of all sequences, end to end: tokens x width.
    fn forward(&self, sequences: &[Vec<Token>]) -> Vec<f32> {
        let lengths: Vec<usize> = sequences.iter().map(Vec::len).collect();
        let mut states = self.embed(sequences);
        let head_width = self.width / self.heads;
        let places = HeadPlaces::of(&lengths, self.heads, head_width);
        Memory::lend(|Memory { qkv, mixed, between, wide }| {
            let (qkv, mixed) = (room(qkv, 3 * states.len()), room(mixed, states.len()));
            let between = room(between, states.len());
            for layer in &self.layers {
                let rows = Strided { data: &states, stride: self.width };
                let shape = Shape { heads: self.heads, head_width, products: layer.output.products() };
                layer.query_key_value.apply_into(&rows, qkv, &as_it_is);
                attention(qkv, &lengths, shape, &|_, _: &mut [f32]| {}, mixed);
                let heads = Heads { mixed, places: &places, head_width };
                layer.output.apply_into(&heads, between, &AddNorm { others: &states, norm: &layer.output_norm });
                let rows = Strided { data: between, stride: self.width };
                let then = AddNorm { others: between, norm: &layer.outer_norm };
                feed_forward(&rows, (&layer.inner, Activation::Gelu, &layer.outer), wide, &mut states, &then);
            }
        });
        states
    }

    fn embed(&self, sequences: &[Vec<Token>]) -> Vec<f32> {
        let width = self.width;
        let mut states = Vec::with_capacity(sequences.iter().map(Vec::len).sum::<usize>() * self.width);
        for sequence in sequences {
            for (token, position) in sequence.iter().zip(self.positions.of(sequence.iter().map(|token| token.id))) {
                let word = &self.words[token.id as usize * width..][..width];
                let place = &self.places[position as usize * width..][..width];
                let segment = &self.segments[self.segment_of(*token) * width..][..width];
                let parts = word.iter().zip(place).zip(segment);
                states.extend(parts.map(|((word, place), segment)| word + (place + segment)));
            }
        }
        self.norm.apply(&mut states);
        states
    }

    /// Only the tokenizers of BERT tell segments apart.
    fn segment_of(&self, token: Token) -> usize {
        if self.has_segments { usize::from(token.segment) } else { 0 }
    }
}

impl Layer {
    fn load(weights: &Weights, prefix: &str, config: &PostNormConfig, products: Products) -> Result<Self, ModelError> {
        let (width, inner) = (config.width, config.inner);
        let epsilon = config.epsilon as f32;
        let of = |name: &str| format!("{prefix}{name}");
        let [query, key, value] = ["query", "key", "value"].map(|name| of(&format!("attention.self.{name}")));
        Ok(Self {
            query_key_value: Linear::load_attention(
                weights,
                [&query, &key, &value],
                width,
                width / config.heads,
                products,
            )?,
            output: Linear::load(weights, &of("attention.output.dense"), width, width, products)?,
            output_norm: LayerNorm::load(weights, &of("attention.output.LayerNorm"), width, epsilon)?,
            inner: Linear::load(weights, &of("intermediate.dense"), width, inner, products)?,
            outer: Linear::load(weights, &of("output.dense"), inner, width, products)?,
            outer_norm: LayerNorm::load(weights, &of("output.LayerNorm"), width, epsilon)?,
        })
    }
}
