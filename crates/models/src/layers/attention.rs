//! Scaled dot-product attention of several heads (Vaswani et al., 2017).

use candle_core::{D, Result, Tensor};

/// What may look at what.
#[derive(Debug, Clone, Copy)]
pub enum Mask<'a> {
    /// Everything at everything.
    None,
    /// Added to the scores before the softmax; broadcast to batch x heads x queries x keys.
    Add(&'a Tensor),
}

/// `query`: batch x queries x width; `key` and `value`: batch x keys x width; width is heads times head width. Scores are divided by
/// the root of the head width. Gives batch x queries x width.
pub fn attend(query: &Tensor, key: &Tensor, value: &Tensor, heads: usize, mask: Mask) -> Result<Tensor> {
    let (batch, queries, width) = query.dims3()?;
    let scale = 1.0 / ((width / heads) as f64).sqrt();
    let split = |states: &Tensor| -> Result<Tensor> {
        let length = states.dim(1)?;
        states.reshape((batch, length, heads, width / heads))?.transpose(1, 2)?.contiguous()
    };
    let (query, key, value) = (split(&(query * scale)?)?, split(key)?, split(value)?);
    let scores = query.matmul(&key.transpose(D::Minus1, D::Minus2)?)?;
    let scores = match mask {
        Mask::None => scores,
        Mask::Add(mask) => scores.broadcast_add(mask)?,
    };
    let weights = candle_nn::ops::softmax_last_dim(&scores)?;
    weights.matmul(&value)?.transpose(1, 2)?.reshape((batch, queries, width))
}
