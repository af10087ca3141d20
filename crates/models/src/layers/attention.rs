//! Scaled dot-product attention of several heads (Vaswani et al., 2017).

use candle_core::{CpuStorage, CustomOp3, D, DType, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use crate::compute::attention::{self, HeadPlaces, Heads, Place, one_head};
use crate::compute::elementwise::add_bias;
use crate::compute::rows::{Rows, Strided};
use crate::compute::weight::Products;

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
    if query.device().is_cpu() && query.dtype() == DType::F32 {
        let added = Added::of(mask, (batch, heads, queries, key.dim(1)?))?;
        let scoring = Scoring { scale: 1.0 / ((width / heads) as f32).sqrt(), added };
        return query.apply_op3_no_bwd(key, value, &Attend { heads, scoring });
    }
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

/// Attention on the processor, head by head, so that scores stay in the cache.
struct Attend {
    heads: usize,
    scoring: Scoring,
}

/// What is done to scores before the softmax: they are scaled, then a mask is added.
pub(crate) struct Scoring {
    pub(crate) scale: f32,
    pub(crate) added: Option<Added>,
}

impl Scoring {
    /// To some of a query of one head.
    pub(crate) fn apply(&self, place: Place, scores: &mut [f32]) {
        for score in &mut *scores {
            *score *= self.scale;
        }
        if let Some(added) = &self.added {
            added.add(place, scores);
        }
    }
}

/// What is added to scores: numbers, and how far it is to the next in each of batch, heads, queries and keys.
pub(crate) struct Added {
    numbers: Vec<f32>,
    steps: [usize; 4],
}

impl Added {
    /// For scores of this shape: batch, heads, queries and keys.
    pub(crate) fn of(mask: Mask, shape: (usize, usize, usize, usize)) -> Result<Option<Self>> {
        let Mask::Add(mask) = mask else { return Ok(None) };
        let (batch, heads, queries, keys) = mask.dims4()?;
        mask.broadcast_as(shape)?; // or it does not fit
        let step = |size: usize, step: usize| if size == 1 { 0 } else { step };
        let steps =
            [step(batch, heads * queries * keys), step(heads, queries * keys), step(queries, keys), step(keys, 1)];
        Ok(Some(Self { numbers: mask.flatten_all()?.to_vec1()?, steps }))
    }

    /// Adds to some scores of a query of one head.
    fn add(&self, Place { sequence, head, query, key }: Place, scores: &mut [f32]) {
        let [to_sequence, to_head, to_query, to_key] = self.steps;
        let numbers = &self.numbers[sequence * to_sequence + head * to_head + query * to_query + key * to_key..];
        if to_key == 1 {
            add_bias(scores, &numbers[..scores.len()]);
        } else {
            for score in scores {
                *score += numbers[0];
            }
        }
    }
}

/// The rows of each of a batch, batch x tokens x width, of which the numbers of a row lie together.
struct Batch<'a> {
    numbers: &'a [f32],
    tokens: usize,
    stride: usize,
    next: usize,
}

impl<'a> Batch<'a> {
    fn new(storage: &'a CpuStorage, layout: &Layout) -> Result<Self> {
        let (_, tokens, _) = layout.shape().dims3()?;
        let &[next, stride, 1] = layout.stride() else {
            candle_core::bail!("the numbers of a state do not lie together");
        };
        Ok(Self { numbers: &storage.as_slice::<f32>()?[layout.start_offset()..], tokens, stride, next })
    }

    fn head(&self, batch: usize, first: usize) -> Strided<'a> {
        Strided { data: &self.numbers[batch * self.next + first..], stride: self.stride }
    }
}

impl CustomOp3 for Attend {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(
        &self,
        query: &CpuStorage,
        queries: &Layout,
        key: &CpuStorage,
        keys: &Layout,
        value: &CpuStorage,
        values: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let result = queries.shape().clone();
        let (batch, _, width) = result.dims3()?;
        let (others, tokens, _) = keys.shape().dims3()?;
        if others != batch
            || values.shape() != keys.shape()
            || keys.shape().dims()[2] != width
            || !width.is_multiple_of(self.heads)
        {
            candle_core::bail!("{:?} cannot look at {:?} and {:?}", result, keys.shape(), values.shape());
        }
        let (query, key, value) = (Batch::new(query, queries)?, Batch::new(key, keys)?, Batch::new(value, values)?);
        let head_width = width / self.heads;
        let shape = attention::Shape { heads: self.heads, head_width, products: Products::exact() };
        let mut mixed = vec![0.0; batch * query.tokens * width];
        mixed.par_chunks_mut((query.tokens * head_width).max(1)).enumerate().for_each(|(index, out)| {
            let (batch, head) = (index / self.heads, index % self.heads);
            let column = head * head_width;
            let scored = |place: Place, scores: &mut [f32]| self.scoring.apply(place, scores);
            let (key, value) = (key.head(batch, column), value.head(batch, column));
            one_head(&query.head(batch, column), (tokens, &key, &value), shape, (batch, head), &scored, out);
        });
        let places = HeadPlaces::of(&vec![query.tokens; batch], self.heads, head_width);
        let heads = Heads { mixed: &mixed, places: &places, head_width };
        let mut out = vec![0.0; mixed.len()];
        out.chunks_exact_mut(width).enumerate().for_each(|(row, out)| heads.write(row, out));
        Ok((CpuStorage::F32(out), result))
    }
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

    fn states(batch: usize, tokens: usize, width: usize, seed: usize) -> Tensor {
        let numbers: Vec<f32> =
            (0..batch * tokens * width).map(|n| ((n * 31 + seed) % 23) as f32 / 7.0 - 1.5).collect();
        Tensor::from_vec(numbers, (batch, tokens, width), &Device::Cpu).unwrap()
    }

    /// By the definition, in double precision with the library's operations.
    fn defined(query: &Tensor, key: &Tensor, value: &Tensor, heads: usize, mask: Option<&Tensor>) -> Tensor {
        let (batch, queries, width) = query.dims3().unwrap();
        let split = |states: &Tensor| {
            let tokens = states.dim(1).unwrap();
            let states = states.to_dtype(DType::F64).unwrap().reshape((batch, tokens, heads, width / heads)).unwrap();
            states.transpose(1, 2).unwrap().contiguous().unwrap()
        };
        let (query, key, value) = (split(query), split(key), split(value));
        let scale = 1.0 / ((width / heads) as f64).sqrt();
        let mut scores = (query.matmul(&key.t().unwrap().contiguous().unwrap()).unwrap() * scale).unwrap();
        if let Some(mask) = mask {
            scores = scores.broadcast_add(&mask.to_dtype(DType::F64).unwrap()).unwrap();
        }
        let mixed = candle_nn::ops::softmax(&scores, D::Minus1).unwrap().matmul(&value).unwrap();
        mixed.transpose(1, 2).unwrap().reshape((batch, queries, width)).unwrap().to_dtype(DType::F32).unwrap()
    }

    fn worst(one: &Tensor, other: &Tensor) -> f32 {
        assert_eq!(one.dims(), other.dims());
        (one - other).unwrap().abs().unwrap().max_all().unwrap().to_scalar().unwrap()
    }

    #[test]
    fn on_the_processor_it_equals_the_definition() {
        let (heads, width) = (3, 15);
        for (batch, queries, keys) in [(2, 7, 7), (1, 1, 9), (3, 4, 2), (1, 150, 11)] {
            let (query, key) = (states(batch, queries, width, 1), states(batch, keys, width, 2));
            let value = states(batch, keys, width, 3);
            let found = attend(&query, &key, &value, heads, Mask::None).unwrap();
            assert!(worst(&found, &defined(&query, &key, &value, heads, None)) < 1e-5);
            let sizes = [(1, 1, queries, keys), (batch, 1, 1, keys), (1, heads, queries, keys), (batch, 1, 1, 1)];
            for (index, size) in sizes.into_iter().enumerate() {
                let count = size.0 * size.1 * size.2 * size.3;
                let numbers: Vec<f32> = (0..count).map(|n| if (n + index) % 3 == 0 { -3.0 } else { 0.5 }).collect();
                let mask = Tensor::from_vec(numbers, size, &Device::Cpu).unwrap();
                let found = attend(&query, &key, &value, heads, Mask::Add(&mask)).unwrap();
                assert!(worst(&found, &defined(&query, &key, &value, heads, Some(&mask))) < 1e-5, "{size:?}");
            }
            let other = Tensor::zeros((1, 1, queries, keys + 1), DType::F32, &Device::Cpu).unwrap();
            assert!(attend(&query, &key, &value, heads, Mask::Add(&other)).is_err(), "a mask that does not fit");
        }
    }

    #[test]
    fn views_need_not_be_copied() {
        let joined = states(2, 6, 3 * 8, 5);
        let third = |index: usize| joined.narrow(2, index * 8, 8).unwrap().narrow(1, 1, 4).unwrap();
        let copies = [0, 1, 2].map(|index| third(index).contiguous().unwrap());
        let found = attend(&third(0), &third(1), &third(2), 2, Mask::None).unwrap();
        assert!(worst(&found, &attend(&copies[0], &copies[1], &copies[2], 2, Mask::None).unwrap()) == 0.0);
    }

    #[test]
    fn many_small_weights_in_bf16_add_up_to_one() {
        let scores = Tensor::zeros((1, 1000), DType::BF16, &Device::Cpu).unwrap();
        let total =
            softmax(&scores).unwrap().to_dtype(DType::F32).unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap();
        assert!((total - 1.0).abs() < 0.01, "{total}");
    }
}
