//! Scaled dot-product attention of several heads (Vaswani et al., 2017).

use candle_core::{D, DType, Result, Tensor};

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
    softmax(&scores)?.matmul(&value)?.transpose(1, 2)?.reshape((batch, queries, width))
}

/// Over the last dimension. On the processor the library adds up weights in the numbers that they are in, and a sum of hundreds in bf16 loses
/// all that is small; so there it is done in f32.
pub(crate) fn softmax(scores: &Tensor) -> Result<Tensor> {
    let dtype = scores.dtype();
    if scores.device().is_cpu() && dtype != DType::F32 {
        return candle_nn::ops::softmax_last_dim(&scores.to_dtype(DType::F32)?)?.to_dtype(dtype);
    }
    candle_nn::ops::softmax_last_dim(scores)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn many_small_weights_in_bf16_add_up_to_one() {
        let scores = Tensor::zeros((1, 1000), DType::BF16, &Device::Cpu).unwrap();
        let total =
            softmax(&scores).unwrap().to_dtype(DType::F32).unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap();
        assert!((total - 1.0).abs() < 0.01, "{total}");
    }
}
