//! Attention as Whisper has it: no bias on keys, and keys and values that are kept from one step to the next.

use candle_core::{D, Result, Tensor};

use crate::error::ModelError;
use crate::layers::{Linear, Mask, attend, softmax};
use crate::scope::Scope;

/// Projections of queries, keys, values, and of what comes out.
#[derive(Debug, Clone)]
pub(super) struct Attention {
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
    heads: usize,
}

/// Keys and values, split into heads: batch x heads x length x head width.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    keys: Tensor,
    values: Tensor,
}

impl Kept {
    /// This and what comes after it.
    pub fn followed_by(&self, next: &Self) -> Result<Self> {
        Ok(Self {
            keys: Tensor::cat(&[&self.keys, &next.keys], 2)?,
            values: Tensor::cat(&[&self.values, &next.values], 2)?,
        })
    }

    /// Batch items by number, which may repeat.
    pub fn pick(&self, items: &Tensor) -> Result<Self> {
        Ok(Self { keys: self.keys.index_select(items, 0)?, values: self.values.index_select(items, 0)? })
    }
}

impl Attention {
    pub fn load(scope: &Scope, width: usize, heads: usize) -> std::result::Result<Self, ModelError> {
        Ok(Self {
            query: Linear::load(&scope.at("q_proj"), width, width)?,
            key: Linear::load_without_bias(&scope.at("k_proj"), width, width)?,
            value: Linear::load(&scope.at("v_proj"), width, width)?,
            out: Linear::load(&scope.at("out_proj"), width, width)?,
            heads,
        })
    }

    /// Everything at everything within `states`: batch x length x width.
    pub fn within(&self, states: &Tensor) -> Result<Tensor> {
        let (query, key, value) = (self.query.forward(states)?, self.key.forward(states)?, self.value.forward(states)?);
        self.out.forward(&attend(&query, &key, &value, self.heads, Mask::None)?)
    }

    /// Keys and values of `states`: batch x length x width.
    pub fn keep(&self, states: &Tensor) -> Result<Kept> {
        Ok(Kept { keys: self.split(&self.key.forward(states)?)?, values: self.split(&self.value.forward(states)?)? })
    }

    /// Looks from `states` (rows x length x width) at what was kept, and gives besides what comes out the weights: batch x heads x
    /// queries x keys. Where there are several rows for each item of the batch they are looked up as more queries, so that keys are not repeated;
    /// a mask (queries x keys) is for as many rows as items.
    pub fn look(&self, states: &Tensor, kept: &Kept, mask: Option<&Tensor>) -> Result<(Tensor, Tensor)> {
        let (rows, length, width) = states.dims3()?;
        let items = kept.keys.dim(0)?;
        let scale = 1.0 / ((width / self.heads) as f64).sqrt();
        let query = (self.query.forward(states)? * scale)?.reshape((items, rows / items * length, width))?;
        let scores = self.split(&query)?.matmul(&kept.keys.transpose(D::Minus1, D::Minus2)?)?;
        let scores = match mask {
            Some(mask) => scores.broadcast_add(mask)?,
            None => scores,
        };
        let weights = softmax(&scores)?;
        let seen = weights.matmul(&kept.values)?.transpose(1, 2)?.reshape((rows, length, width))?;
        Ok((self.out.forward(&seen)?, weights))
    }

    fn split(&self, states: &Tensor) -> Result<Tensor> {
        let (batch, length, width) = states.dims3()?;
        states.reshape((batch, length, self.heads, width / self.heads))?.transpose(1, 2)?.contiguous()
    }
}
