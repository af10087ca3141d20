//! RoBERTa (Liu et al., "RoBERTa: a robustly optimized BERT pretraining approach", 2019) up to its pooler.

use candle_core::{Device, Result, Tensor};

use super::config::TextConfig;
use crate::error::ModelError;
use crate::layers::{Activation, LayerNorm, Linear, Mask, attend};
use crate::scope::Scope;

/// Token numbers in, the pooled state of the first token out.
///
/// Sequences lie one after another without padding; those of one length, which are neighbours, go through attention together.
pub struct Roberta {
    words: Tensor,
    /// With the one kind of segment that there is added.
    positions: Tensor,
    norm: LayerNorm,
    layers: Vec<Layer>,
    pooler: Linear,
    padding: u32,
    device: Device,
}

struct Layer {
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    attention_norm: LayerNorm,
    widen: Linear,
    narrow: Linear,
    norm: LayerNorm,
    activation: Activation,
    heads: usize,
}

/// So many sequences of one length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    sequences: usize,
    length: usize,
}

impl Roberta {
    /// Reads `embeddings`, `encoder` and `pooler`.
    pub fn load(scope: &Scope, config: &TextConfig) -> std::result::Result<Self, ModelError> {
        let width = config.hidden_size;
        let embeddings = scope.at("embeddings");
        let table = |name: &str, rows| embeddings.at(name).tensor("weight", &[rows, width]);
        let positions = table("position_embeddings", config.max_position_embeddings)?;
        let segments = table("token_type_embeddings", config.type_vocab_size)?;
        let positions = segments.narrow(0, 0, 1).and_then(|segment| positions.broadcast_add(&segment));
        let load_layer = |index| Layer::load(&scope.at("encoder.layer").at(index), config);
        Ok(Self {
            words: table("word_embeddings", config.vocab_size)?,
            positions: positions
                .map_err(|error| ModelError::device(&embeddings.name("position_embeddings"), &error))?,
            norm: LayerNorm::load(&embeddings.at("LayerNorm"), width, config.layer_norm_eps)?,
            layers: (0..config.num_hidden_layers).map(load_layer).collect::<std::result::Result<_, _>>()?,
            pooler: Linear::load(&scope.at("pooler.dense"), width, width)?,
            padding: config.padding() as u32,
            device: scope.device().clone(),
        })
    }

    /// Sequences x width, in order. Sequences of one length should be neighbours.
    pub fn forward(&self, sequences: &[&[u32]]) -> Result<Tensor> {
        let tokens = sequences.concat();
        let positions: Vec<u32> = sequences.iter().flat_map(|sequence| self.places(sequence)).collect();
        let words = self.words.index_select(&Tensor::new(tokens, &self.device)?, 0)?;
        let positions = self.positions.index_select(&Tensor::new(positions, &self.device)?, 0)?;
        let mut states = self.norm.forward(&(words + positions)?)?;
        let runs = runs(sequences);
        for layer in &self.layers {
            states = layer.forward(&states, &runs)?;
        }
        let starts = sequences.iter().scan(0, |next, sequence| {
            let start = *next;
            *next += sequence.len() as u32;
            Some(start)
        });
        let first = states.index_select(&Tensor::from_iter(starts, &self.device)?, 0)?;
        self.pooler.forward_activated(&first, Activation::Tanh)
    }

    /// Positions count the tokens that are not padding, from one after its number. A padding token, which a text can spell out, has its number.
    fn places(&self, sequence: &[u32]) -> Vec<u32> {
        let mut last = self.padding;
        let place = |token: &u32| {
            if *token == self.padding {
                return self.padding;
            }
            last += 1;
            last
        };
        sequence.iter().map(place).collect()
    }
}

fn runs(sequences: &[&[u32]]) -> Vec<Run> {
    let same = sequences.chunk_by(|one, next| one.len() == next.len());
    same.map(|run| Run { sequences: run.len(), length: run[0].len() }).collect()
}

impl Layer {
    fn load(scope: &Scope, config: &TextConfig) -> std::result::Result<Self, ModelError> {
        let (width, wide) = (config.hidden_size, config.intermediate_size);
        let attention = scope.at("attention");
        Ok(Self {
            query: Linear::load(&attention.at("self.query"), width, width)?,
            key: Linear::load(&attention.at("self.key"), width, width)?,
            value: Linear::load(&attention.at("self.value"), width, width)?,
            output: Linear::load(&attention.at("output.dense"), width, width)?,
            attention_norm: LayerNorm::load(&attention.at("output.LayerNorm"), width, config.layer_norm_eps)?,
            widen: Linear::load(&scope.at("intermediate.dense"), width, wide)?,
            narrow: Linear::load(&scope.at("output.dense"), wide, width)?,
            norm: LayerNorm::load(&scope.at("output.LayerNorm"), width, config.layer_norm_eps)?,
            activation: config.hidden_act,
            heads: config.num_attention_heads,
        })
    }

    /// `states`: tokens of all sequences x width.
    fn forward(&self, states: &Tensor, runs: &[Run]) -> Result<Tensor> {
        let attended = self.output.forward(&self.attend(states, runs)?)?;
        let states = self.attention_norm.forward(&(states + attended)?)?;
        let wide = self.widen.forward_activated(&states, self.activation)?;
        self.norm.forward(&(&states + self.narrow.forward(&wide)?)?)
    }

    fn attend(&self, states: &Tensor, runs: &[Run]) -> Result<Tensor> {
        let (query, key, value) = (self.query.forward(states)?, self.key.forward(states)?, self.value.forward(states)?);
        let width = states.dim(1)?;
        let mut start = 0;
        let mut attended = Vec::with_capacity(runs.len());
        for Run { sequences, length } in runs {
            let rows = sequences * length;
            let of_run = |all: &Tensor| all.narrow(0, start, rows)?.reshape((*sequences, *length, width));
            let run = attend(&of_run(&query)?, &of_run(&key)?, &of_run(&value)?, self.heads, Mask::None)?;
            attended.push(run.reshape((rows, width))?);
            start += rows;
        }
        Tensor::cat(&attended, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_of_one_length_are_a_run() {
        let found = runs(&[&[1, 2], &[3, 4], &[5]]);
        assert_eq!(found, [Run { sequences: 2, length: 2 }, Run { sequences: 1, length: 1 }]);
        assert_eq!(runs(&[]), []);
    }
}
