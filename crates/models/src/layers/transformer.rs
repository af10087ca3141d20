//! A transformer whose blocks normalise first, as those of pictures, of sounds and of CLIP's texts do.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, DType, Layout, Result, Shape, Tensor};

use super::attention::{Added, Scoring};
use super::{Activation, LayerNorm, Linear, Mask, attend};
use crate::compute::attention::Place;
use crate::compute::transformer;
use crate::error::ModelError;
use crate::scope::Scope;

/// A block: attention is added to the states, then two layers with an activation between them.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    /// Before attention.
    pub attention_norm: LayerNorm,
    /// Width to three times width.
    pub query_key_value: Linear,
    /// Width to width.
    pub output: Linear,
    /// Before the two layers.
    pub feed_norm: LayerNorm,
    /// Width to inner.
    pub widen: Linear,
    /// After it.
    pub activation: Activation,
    /// Inner to width.
    pub narrow: Linear,
}

/// The blocks, one after the other.
#[derive(Debug, Clone)]
pub(crate) struct Transformer {
    blocks: Blocks,
    heads: usize,
}

#[derive(Debug, Clone)]
enum Blocks {
    /// Where our own layers do all of it: one operation, in memory that is used again.
    Packed(Vec<transformer::Block>),
    Plain(Vec<Block>),
}

impl Transformer {
    /// Of these blocks, all of one width, of which the number of heads is a divisor.
    pub(crate) fn new(blocks: Vec<Block>, heads: usize, scope: &Scope) -> std::result::Result<Self, ModelError> {
        let packed = blocks.iter().map(Block::packed).collect::<Result<Option<Vec<_>>>>();
        let packed = packed.map_err(|error| ModelError::device(&scope.name("layers"), &error))?;
        Ok(Self { blocks: packed.map_or(Blocks::Plain(blocks), Blocks::Packed), heads })
    }

    /// `states`: batch x tokens x width, as they come out.
    pub(crate) fn forward(&self, states: &Tensor, mask: Mask) -> Result<Tensor> {
        let heads = self.heads;
        let blocks = match &self.blocks {
            Blocks::Packed(blocks) => blocks,
            Blocks::Plain(blocks) => {
                return blocks.iter().try_fold(states.clone(), |states, block| block.forward(&states, heads, mask));
            }
        };
        let (batch, tokens, width) = states.dims3()?;
        let added = Added::of(mask, (batch, heads, tokens, tokens))?;
        let scoring = Scoring { scale: 1.0 / ((width / heads) as f32).sqrt(), added };
        states.contiguous()?.apply_op1_no_bwd(&Packed { blocks, heads, scoring })
    }
}

impl Block {
    /// The same on plain numbers, where its layers are our own.
    pub(crate) fn packed(&self) -> Result<Option<transformer::Block>> {
        let layers = [&self.query_key_value, &self.output, &self.widen, &self.narrow].map(Linear::packed);
        let [Some(query_key_value), Some(output), Some(widen), Some(narrow)] = layers else { return Ok(None) };
        Ok(Some(transformer::Block {
            attention_norm: self.attention_norm.plain()?,
            query_key_value: Arc::clone(query_key_value),
            output: Arc::clone(output),
            feed_norm: self.feed_norm.plain()?,
            widen: Arc::clone(widen),
            activation: self.activation,
            narrow: Arc::clone(narrow),
        }))
    }

    fn forward(&self, states: &Tensor, heads: usize, mask: Mask) -> Result<Tensor> {
        let width = states.dim(2)?;
        let joined = self.query_key_value.forward(&self.attention_norm.forward(states)?)?;
        let third = |index: usize| joined.narrow(2, index * width, width);
        let mixed = attend(&third(0)?, &third(1)?, &third(2)?, heads, mask)?;
        let states = (states + self.output.forward(&mixed)?)?;
        let inner = self.widen.forward_activated(&self.feed_norm.forward(&states)?, self.activation)?;
        let states = (states + self.narrow.forward(&inner)?)?;
        if states.dtype() == DType::F16 {
            // Large models leave the range of half precision.
            let most = half::f16::MAX.to_f64() - 1000.0;
            return states.clamp(-most, most);
        }
        Ok(states)
    }
}

/// All blocks as one operation of the library.
struct Packed<'a> {
    blocks: &'a [transformer::Block],
    heads: usize,
    scoring: Scoring,
}

impl CustomOp1 for Packed<'_> {
    fn name(&self) -> &'static str {
        "transformer"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let shape = layout.shape().clone();
        let (batch, tokens, width) = shape.dims3()?;
        if self.blocks.iter().any(|block| block.output.outputs() != width) {
            candle_core::bail!("the blocks do not take states of {width} numbers");
        }
        let Some((start, end)) = layout.contiguous_offsets() else {
            candle_core::bail!("the states are not contiguous");
        };
        let mut states = storage.as_slice::<f32>()?[start..end].to_vec();
        let scored = |place: Place, scores: &mut [f32]| self.scoring.apply(place, scores);
        transformer::forward(self.blocks, &mut states, &vec![tokens; batch], self.heads, &scored);
        Ok((CpuStorage::F32(states), shape))
    }
}
