//! A transformer whose blocks normalise first (Xiong et al., "On layer normalization in the transformer architecture", 2020), in memory that all blocks share.

use std::sync::Arc;

use super::attention::{HeadPlaces, Heads, Scored, Shape, attention};
use super::linear::{Linear, as_it_is, feed_forward, plus};
use super::norm::{LayerNorm, Normalised};
use crate::layers::Activation;

/// Adds attention to the states, then adds two layers with an activation between them.
#[derive(Debug, Clone)]
pub struct Block {
    /// Before attention.
    pub attention_norm: LayerNorm,
    /// Width to three times width.
    pub query_key_value: Arc<Linear>,
    /// Width to width.
    pub output: Arc<Linear>,
    /// Before the two layers.
    pub feed_norm: LayerNorm,
    /// Width to inner.
    pub widen: Arc<Linear>,
    /// After it.
    pub activation: Activation,
    /// Inner to width.
    pub narrow: Arc<Linear>,
}

/// Sends `states`, all tokens of all sequences x width, through the blocks; `lengths` are the tokens of each sequence.
pub fn forward(blocks: &[Block], states: &mut [f32], lengths: &[usize], heads: usize, scored: &impl Scored) {
    let Some(first) = blocks.first() else { return };
    let width = first.output.outputs();
    let (tokens, head_width) = (states.len() / width, width / heads);
    let shape = Shape { heads, head_width, products: first.output.products() };
    let places = HeadPlaces::of(lengths, heads, head_width);
    // Fresh memory for every block would take longer to come by than some of its steps.
    let mut qkv = vec![0.0; tokens * 3 * width];
    let mut mixed = vec![0.0; tokens * width];
    let mut between = vec![0.0; tokens * width];
    let mut wide = Vec::new();
    for block in blocks {
        let normalised = Normalised { data: states, norm: &block.attention_norm };
        block.query_key_value.apply_into(&normalised, &mut qkv, &as_it_is);
        attention(&qkv, lengths, shape, scored, &mut mixed);
        let rows = Heads { mixed: &mixed, places: &places, head_width };
        block.output.apply_into(&rows, &mut between, &plus(states));
        let normalised = Normalised { data: &between, norm: &block.feed_norm };
        let layers = (&*block.widen, block.activation, &*block.narrow);
        feed_forward(&normalised, layers, &mut wide, states, &plus(&between));
    }
}
