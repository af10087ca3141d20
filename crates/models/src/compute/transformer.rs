//! A transformer whose blocks normalise first (Xiong et al., "On layer normalization in the transformer architecture", 2020), in memory that all blocks share.

use std::sync::Arc;

use super::attention::{HeadPlaces, Heads, Scored, Shape, attention};
use super::linear::{Linear, as_it_is, feed_forward, plus};
use super::memory::{Memory, room};
use super::norm::{LayerNorm, Normalised};
use super::rows::{Gathered, Strided};
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

/// How attention sees states.
pub struct Seen<'a> {
    /// Tokens of each sequence.
    lengths: &'a [usize],
    /// Which rows of the states the sequences consist of, where they do not lie one after the other. Every row is in one.
    order: Option<&'a [u32]>,
    heads: usize,
    /// Where the heads of each row of the states lie in what attention gives.
    places: Vec<HeadPlaces>,
}

impl<'a> Seen<'a> {
    /// By so many heads, of states of so many numbers.
    pub fn new(lengths: &'a [usize], order: Option<&'a [u32]>, heads: usize, width: usize) -> Self {
        let places = HeadPlaces::of(lengths, heads, width / heads);
        let places = match order {
            Some(order) => HeadPlaces::back(&places, order),
            None => places,
        };
        Self { lengths, order, heads, places }
    }
}

impl Block {
    /// Sends `states`, tokens x width, through it.
    pub fn apply(&self, states: &mut [f32], seen: &Seen, scored: &impl Scored, memory: &mut Memory) {
        let &Seen { lengths, order, heads, ref places } = seen;
        let width = self.output.outputs();
        let head_width = width / heads;
        let shape = Shape { heads, head_width, products: self.output.products() };
        let Memory { qkv, mixed, between, wide } = memory;
        let (qkv, mixed) = (room(qkv, states.len() * 3), room(mixed, states.len()));
        let between = room(between, states.len());
        let norm = &self.attention_norm;
        if let Some(order) = order {
            let rows = Gathered { data: states, width, order };
            self.query_key_value.apply_into(&Normalised { rows, norm }, qkv, &as_it_is);
        } else {
            let rows = Strided { data: states, stride: width };
            self.query_key_value.apply_into(&Normalised { rows, norm }, qkv, &as_it_is);
        }
        attention(qkv, lengths, shape, scored, mixed);
        let rows = Heads { mixed, places, head_width };
        self.output.apply_into(&rows, between, &plus(states));
        let normalised = Normalised { rows: Strided { data: between, stride: width }, norm: &self.feed_norm };
        let layers = (&*self.widen, self.activation, &*self.narrow);
        feed_forward(&normalised, layers, wide, states, &plus(between));
    }
}

/// Sends `states`, all tokens of all sequences x width, through the blocks; `lengths` are the tokens of each sequence.
pub fn forward(blocks: &[Block], states: &mut [f32], lengths: &[usize], heads: usize, scored: &impl Scored) {
    let Some(first) = blocks.first() else { return };
    let seen = Seen::new(lengths, None, heads, first.output.outputs());
    Memory::lend(|memory| blocks.iter().for_each(|block| block.apply(states, &seen, scored, memory)));
}
