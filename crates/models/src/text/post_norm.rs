//! BERT, RoBERTa, XLM-R and MPNet on tensors: every block's output is added to its input and then normalised.

use candle_core::{Result, Tensor};

use super::batch::Batch;
use super::blocks::Blocks;
use super::config::{BUCKETS, Family, Positions, PostNormConfig};
use crate::error::ModelError;
use crate::layers::{Activation, LayerNorm, Linear};
use crate::scope::Scope;

/// Distances beyond this are alike to MPNet.
const FARTHEST: f32 = 128.0;

/// Token numbers to token states.
pub(super) struct PostNorm {
    words: Tensor,
    places: Tensor,
    positions: Positions,
    /// Where pairs of texts are told apart by it.
    segments: Option<Tensor>,
    norm: LayerNorm,
    /// What MPNet adds to scores: buckets x heads.
    bias: Option<Tensor>,
    layers: Vec<Layer>,
    heads: usize,
}

struct Layer {
    query_key_value: Linear,
    output: Linear,
    output_norm: LayerNorm,
    inner: Linear,
    activation: Activation,
    outer: Linear,
    outer_norm: LayerNorm,
    heads: usize,
}

impl PostNorm {
    /// Reads the tensors of `scope`.
    pub fn load(scope: &Scope, config: &PostNormConfig) -> std::result::Result<Self, ModelError> {
        let width = config.width;
        let embeddings = scope.at("embeddings");
        let table = |name: &str, rows: usize| embeddings.at(name).tensor("weight", &[rows, width]);
        let mut places = table("position_embeddings", config.position_rows)?;
        let mut segments = None;
        if config.family != Family::Mpnet {
            let table = table("token_type_embeddings", config.segment_rows)?;
            if config.family == Family::Bert {
                segments = Some(table);
            } else {
                // Tokenizers of this family tell nothing of segments, so all are the first.
                let first = table.narrow(0, 0, 1);
                places = first
                    .and_then(|first| places.broadcast_add(&first))
                    .map_err(|error| ModelError::device("segments", &error))?;
            }
        }
        let encoder = scope.at("encoder");
        let bias = || encoder.at("relative_attention_bias").tensor("weight", &[BUCKETS, config.heads]);
        Ok(Self {
            words: table("word_embeddings", config.vocabulary)?,
            places,
            positions: config.positions,
            segments,
            norm: LayerNorm::load(&embeddings.at("LayerNorm"), width, config.epsilon)?,
            bias: if config.family == Family::Mpnet { Some(bias()?) } else { None },
            layers: (0..config.layers)
                .map(|index| Layer::load(&encoder.at("layer").at(index), config))
                .collect::<std::result::Result<_, _>>()?,
            heads: config.heads,
        })
    }

    /// The states of all tokens: texts x tokens x width.
    pub fn forward(&self, batch: &Batch) -> Result<Tensor> {
        let device = self.words.device();
        let mut states = self.words.embedding(&Tensor::new(batch.ids(), device)?)?;
        states = (states + self.places.embedding(&Tensor::new(batch.positions(self.positions), device)?)?)?;
        if let Some(segments) = &self.segments {
            states = (states + segments.embedding(&Tensor::new(batch.segments(), device)?)?)?;
        }
        let width = states.dim(1)?;
        let mut states = self.norm.forward(&states.reshape((batch.texts(), batch.longest, width))?)?;
        let shape = batch.shape(self.heads, self.words.dtype(), device);
        let bias = self.bias.as_ref().map(|table| distance_bias(table, batch.longest)).transpose()?;
        let blocks = Blocks::global(&shape, bias.as_ref())?;
        for layer in &self.layers {
            states = layer.forward(&states, &blocks)?;
        }
        Ok(states)
    }
}

impl Layer {
    fn load(scope: &Scope, config: &PostNormConfig) -> std::result::Result<Self, ModelError> {
        let (width, inner) = (config.width, config.inner);
        let (projections, output, output_norm) = match config.family {
            Family::Mpnet => (
                ["q", "k", "v"].map(|name| format!("attention.attn.{name}")),
                "attention.attn.o",
                "attention.LayerNorm",
            ),
            _ => (
                ["query", "key", "value"].map(|name| format!("attention.self.{name}")),
                "attention.output.dense",
                "attention.output.LayerNorm",
            ),
        };
        Ok(Self {
            query_key_value: joined(scope, &projections, width)?,
            output: Linear::load(&scope.at(output), width, width)?,
            output_norm: LayerNorm::load(&scope.at(output_norm), width, config.epsilon)?,
            inner: Linear::load(&scope.at("intermediate.dense"), width, inner)?,
            activation: config.activation,
            outer: Linear::load(&scope.at("output.dense"), inner, width)?,
            outer_norm: LayerNorm::load(&scope.at("output.LayerNorm"), width, config.epsilon)?,
            heads: config.heads,
        })
    }

    fn forward(&self, states: &Tensor, blocks: &Blocks) -> Result<Tensor> {
        let width = states.dim(2)?;
        let joined = self.query_key_value.forward(states)?;
        let third = |index: usize| joined.narrow(2, index * width, width);
        let mixed = blocks.attend(&third(0)?, &third(1)?, &third(2)?, self.heads)?;
        let states = self.output_norm.forward(&(self.output.forward(&mixed)? + states)?)?;
        let inner = self.inner.forward_activated(&states, self.activation)?;
        self.outer_norm.forward(&(self.outer.forward(&inner)? + states)?)
    }
}

/// The layers of query, key and value as one of `3 * width` outputs.
fn joined(scope: &Scope, names: &[String; 3], width: usize) -> std::result::Result<Linear, ModelError> {
    let read = |tensor: &str, shape: &[usize]| -> std::result::Result<Vec<Tensor>, ModelError> {
        names.iter().map(|name| scope.at(name).tensor(tensor, shape)).collect()
    };
    let (weights, biases) = (read("weight", &[width, width])?, read("bias", &[width])?);
    let join = || Linear::of(scope, &Tensor::cat(&weights, 0)?, Some(Tensor::cat(&biases, 0)?));
    join().map_err(|error| ModelError::device(&scope.name(&names[0]), &error))
}

/// The bias of MPNet, 1 x heads x tokens x tokens, from its `table` of buckets x heads.
fn distance_bias(table: &Tensor, tokens: usize) -> Result<Tensor> {
    let buckets: Vec<u32> = (0..tokens).flat_map(|query| (0..tokens).map(move |key| bucket(query, key))).collect();
    let heads = table.dim(1)?;
    let rows = table.embedding(&Tensor::from_vec(buckets, tokens * tokens, table.device())?)?;
    rows.reshape((tokens, tokens, heads))?.permute((2, 0, 1))?.unsqueeze(0)?.contiguous()
}

/// The bucket of a distance: one for each near one, then ever wider, the second half for keys after the query (Raffel et al., "T5", 2019).
fn bucket(query: usize, key: usize) -> u32 {
    let of_a_side = BUCKETS as u32 / 2;
    let exact = of_a_side / 2;
    let side = if key > query { of_a_side } else { 0 };
    let distance = query.abs_diff(key);
    if distance < exact as usize {
        return side + distance as u32;
    }
    let wide = (distance as f32 / exact as f32).ln() / (FARTHEST / exact as f32).ln() * exact as f32;
    side + (exact + wide as u32).min(of_a_side - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_widen_with_the_distance() {
        let before: Vec<u32> = [0, 1, 7, 8, 11, 12, 100, 127, 500].map(|distance| bucket(distance, 0)).to_vec();
        assert_eq!(before, [0, 1, 7, 8, 8, 9, 15, 15, 15]);
        let after: Vec<u32> = [1, 7, 8, 500].map(|distance| bucket(0, distance)).to_vec();
        assert_eq!(after, [17, 23, 24, 31]);
    }
}
