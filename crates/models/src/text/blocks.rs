//! Attention in blocks of queries, so that long texts take little memory and local layers little work.

use candle_core::{DType, Device, Result, Tensor};

use crate::layers::{Mask, attend};

/// Scores that one block may have, over all texts and heads: 256 MB in f32.
const MOST_SCORES: usize = 1 << 26;
/// Queries of a block where tokens see only their surroundings.
const LOCAL_QUERIES: usize = 128;
/// Added to the score of what must not be seen: its weight is 0 then, also in f16, where two of these are still a number.
const UNSEEN: f32 = -30_000.0;

/// What a batch's tokens may see, cut into blocks; the same for many layers.
pub(super) struct Blocks {
    blocks: Vec<Block>,
}

struct Block {
    first_query: usize,
    queries: usize,
    first_key: usize,
    keys: usize,
    /// Broadcast to texts x heads x queries x keys.
    mask: Option<Tensor>,
}

/// The shape of a batch.
pub(super) struct Shape<'a> {
    /// Tokens of each text; the longest has them all.
    pub lengths: &'a [usize],
    /// Tokens of the longest.
    pub longest: usize,
    /// Heads of attention.
    pub heads: usize,
    /// The numbers that states are in.
    pub dtype: DType,
    /// Where they are.
    pub device: &'a Device,
}

impl Shape<'_> {
    /// Texts x 1 x 1 x tokens, where any text is shorter than the longest.
    fn padding(&self) -> Result<Option<Tensor>> {
        if self.lengths.iter().all(|length| *length == self.longest) {
            return Ok(None);
        }
        let one = |length: &usize| {
            let length = *length;
            (0..self.longest).map(move |token| if token < length { 0.0 } else { UNSEEN })
        };
        let mask: Vec<f32> = self.lengths.iter().flat_map(one).collect();
        let shape = (self.lengths.len(), 1, 1, self.longest);
        Tensor::from_vec(mask, shape, self.device)?.to_dtype(self.dtype).map(Some)
    }
}

impl Blocks {
    /// Every token sees all of its text; `bias`, where there is one, is 1 x heads x tokens x tokens and added to the scores.
    pub fn global(shape: &Shape, bias: Option<&Tensor>) -> Result<Self> {
        let scores_of_a_query = shape.lengths.len() * shape.heads * shape.longest;
        let most = (MOST_SCORES / scores_of_a_query.max(1)).max(1);
        let padding = shape.padding()?;
        let block = |first_query: usize| {
            let queries = most.min(shape.longest - first_query);
            let bias = bias.map(|bias| bias.narrow(2, first_query, queries)).transpose()?;
            let mask = sum(padding.clone(), bias)?;
            Ok(Block { first_query, queries, first_key: 0, keys: shape.longest, mask })
        };
        let blocks = (0..shape.longest).step_by(most).map(block).collect::<Result<_>>()?;
        Ok(Self { blocks })
    }

    /// Every token sees as far as `reach` tokens to either side.
    pub fn local(shape: &Shape, reach: usize) -> Result<Self> {
        if shape.longest <= reach + 1 {
            return Self::global(shape, None);
        }
        let padding = shape.padding()?;
        let block = |first_query: usize| {
            let queries = LOCAL_QUERIES.min(shape.longest - first_query);
            let first_key = first_query.saturating_sub(reach);
            let keys = (first_query + queries + reach).min(shape.longest) - first_key;
            let seen = (0..queries)
                .flat_map(|query| (0..keys).map(move |key| (first_query + query).abs_diff(first_key + key)))
                .map(|distance| if distance <= reach { 0.0 } else { UNSEEN })
                .collect();
            let seen: Tensor = Tensor::from_vec::<_, f32>(seen, (1, 1, queries, keys), shape.device)?;
            let padding = padding.as_ref().map(|padding| padding.narrow(3, first_key, keys)).transpose()?;
            let mask = sum(Some(seen.to_dtype(shape.dtype)?), padding)?;
            Ok(Block { first_query, queries, first_key, keys, mask })
        };
        let blocks = (0..shape.longest).step_by(LOCAL_QUERIES).map(block).collect::<Result<_>>()?;
        Ok(Self { blocks })
    }

    /// `query`, `key` and `value` are texts x tokens x width, and so is what comes out.
    pub fn attend(&self, query: &Tensor, key: &Tensor, value: &Tensor, heads: usize) -> Result<Tensor> {
        let mixed = self.blocks.iter().map(|block| {
            let query = query.narrow(1, block.first_query, block.queries)?;
            let key = key.narrow(1, block.first_key, block.keys)?;
            let value = value.narrow(1, block.first_key, block.keys)?;
            attend(&query, &key, &value, heads, block.mask.as_ref().map_or(Mask::None, Mask::Add))
        });
        let mixed = mixed.collect::<Result<Vec<_>>>()?;
        match mixed.as_slice() {
            [whole] => Ok(whole.clone()),
            blocks => Tensor::cat(blocks, 1),
        }
    }
}

fn sum(one: Option<Tensor>, other: Option<Tensor>) -> Result<Option<Tensor>> {
    match (one, other) {
        (Some(one), Some(other)) => one.broadcast_add(&other).map(Some),
        (one, other) => Ok(one.or(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADS: usize = 2;
    const WIDTH: usize = 8;

    fn states(texts: usize, tokens: usize, seed: usize) -> Tensor {
        let numbers: Vec<f32> =
            (0..texts * tokens * WIDTH).map(|i| ((i * 37 + seed) % 23) as f32 / 9.0 - 1.2).collect();
        Tensor::from_vec(numbers, (texts, tokens, WIDTH), &Device::Cpu).unwrap()
    }

    fn shape(lengths: &[usize]) -> Shape<'_> {
        Shape { lengths, longest: lengths[0], heads: HEADS, dtype: DType::F32, device: &Device::Cpu }
    }

    fn rows(blocks: &Blocks, [query, key, value]: &[Tensor; 3]) -> Vec<Vec<Vec<f32>>> {
        blocks.attend(query, key, value, HEADS).unwrap().to_vec3().unwrap()
    }

    fn assert_close(a: &[Vec<f32>], b: &[Vec<f32>]) {
        let both = a.iter().flatten().zip(b.iter().flatten());
        assert!(both.into_iter().all(|(a, b)| (a - b).abs() < 1e-5));
    }

    #[test]
    fn blocks_with_a_reach_see_what_a_mask_over_everything_would_leave() {
        let (tokens, reach) = (300, 20);
        let given = [1, 2, 3].map(|seed| states(1, tokens, seed));
        let local = rows(&Blocks::local(&shape(&[tokens]), reach).unwrap(), &given);
        let bias: Vec<f32> = (0..tokens)
            .flat_map(|query| (0..tokens).map(move |key| if query.abs_diff(key) <= reach { 0.0 } else { UNSEEN }))
            .collect();
        let bias = Tensor::from_vec(bias, (1, 1, tokens, tokens), &Device::Cpu).unwrap();
        let masked = rows(&Blocks::global(&shape(&[tokens]), Some(&bias)).unwrap(), &given);
        assert_close(&local[0], &masked[0]);
        let everything = rows(&Blocks::global(&shape(&[tokens]), None).unwrap(), &given);
        assert!((local[0][0][0] - everything[0][0][0]).abs() > 1e-4, "the reach makes no difference");
    }

    #[test]
    fn what_is_behind_a_texts_end_does_not_matter() {
        let lengths = [200, 150];
        for reach in [10, 500] {
            let given = [1, 2, 3].map(|seed| states(2, 200, seed));
            let padded = rows(&Blocks::local(&shape(&lengths), reach).unwrap(), &given);
            let alone =
                given.map(|states| states.narrow(0, 1, 1).unwrap().narrow(1, 0, 150).unwrap().contiguous().unwrap());
            let alone = rows(&Blocks::local(&shape(&lengths[1..]), reach).unwrap(), &alone);
            assert_close(&padded[1][..150], &alone[0]);
        }
    }
}
