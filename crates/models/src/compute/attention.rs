//! Multi-head self-attention over sequences that lie end to end, so that there is no padding to mask
//! (Vaswani et al., "Attention is all you need", 2017).

use rayon::prelude::*;

use super::elementwise::softmax;
use super::rows::{Rows, Strided};
use super::weight::{Products, Weight};

/// The heads of an attention.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// How many.
    pub heads: usize,
    /// Numbers of each.
    pub head_width: usize,
    /// How their products are taken.
    pub products: Products,
}

/// What is done to the scores of a query of one head before the softmax: `(sequence, head, query, scores)`.
pub trait Scored: Fn(usize, usize, usize, &mut [f32]) + Sync {}

impl<F: Fn(usize, usize, usize, &mut [f32]) + Sync> Scored for F {}

/// Queries whose scores are in the second-level cache together, even where there are more than a thousand keys.
const QUERIES: usize = 128;

/// Every token attends to the tokens of its own sequence.
///
/// `qkv` is tokens x (3 * heads * head width): query, key and value; `lengths` are the tokens of each sequence, which add up to all tokens. Into `mixed` come, for each
/// sequence, heads x tokens x head width; [`Heads`] reads rows of tokens from that.
pub fn attention(qkv: &[f32], lengths: &[usize], shape: Shape, scored: &impl Scored, mixed: &mut [f32]) {
    let Shape { heads, head_width, .. } = shape;
    let width = heads * head_width;
    let mut jobs = Vec::with_capacity(lengths.len() * heads);
    let (mut first, mut rest) = (0, mixed);
    for (sequence, &length) in lengths.iter().enumerate() {
        for head in 0..heads {
            let (own, after) = rest.split_at_mut(length * head_width);
            rest = after;
            jobs.push((first, length, sequence, head, own));
        }
        first += length;
    }
    jobs.into_par_iter().with_min_len(heads.div_ceil(4)).for_each(|(first, length, sequence, head, own)| {
        let third = |index: usize| Strided {
            data: &qkv[first * 3 * width + index * width + head * head_width..],
            stride: 3 * width,
        };
        let keys = (length, &third(1), &third(2));
        one_head(&third(0), keys, shape, |query, scores| scored(sequence, head, query, scores), own);
    });
}

/// Rows of tokens, their heads side by side, from what [`attention`] gave.
pub struct Heads<'a> {
    /// For each sequence, heads x tokens x `head_width`.
    pub mixed: &'a [f32],
    /// Of each row.
    pub places: &'a [HeadPlaces],
    /// Numbers of a head.
    pub head_width: usize,
}

/// Where the heads of a token lie.
#[derive(Debug, Clone, Copy)]
pub struct HeadPlaces {
    first: usize,
    step: usize,
}

impl HeadPlaces {
    /// For all tokens of sequences of these lengths.
    pub fn of(lengths: &[usize], heads: usize, head_width: usize) -> Vec<Self> {
        let mut places = Vec::with_capacity(lengths.iter().sum());
        let mut start = 0;
        for &length in lengths {
            let step = length * head_width;
            places.extend((0..length).map(|token| Self { first: start + token * head_width, step }));
            start += heads * step;
        }
        places
    }
}

impl Rows for Heads<'_> {
    fn write(&self, row: usize, into: &mut [f32]) {
        let HeadPlaces { first, step } = self.places[row];
        for (head, into) in into.chunks_exact_mut(self.head_width).enumerate() {
            into.copy_from_slice(&self.mixed[first + head * step..][..self.head_width]);
        }
    }
}

/// One head: for each query, the mean of the values, weighed by the softmax of scores; `scored(query, scores)` is applied to those of each query first. Query and key start with the
/// numbers of the head. Into `out` come queries x `head_width`.
pub fn one_head(
    query: &Strided,
    (keys, key, value): (usize, &Strided, &Strided),
    Shape { head_width, products, .. }: Shape,
    scored: impl Fn(usize, &mut [f32]),
    out: &mut [f32],
) {
    let turned = Weight::of_columns(products, head_width, keys, |token, into| key.write(token, into));
    let values = Weight::of_rows(products, keys, head_width, |token, into| value.write(token, into));
    let mut scores = Vec::new();
    for (block, out) in out.chunks_mut(QUERIES * head_width).enumerate() {
        let first = block * QUERIES;
        let query = Strided { data: &query.data[first * query.stride..], stride: query.stride };
        let weigh = |row: usize, scores: &mut [f32]| {
            scored(first + row, scores);
            softmax(scores, keys);
        };
        turned.serial_twice(&query, &weigh, &values, &mut scores, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_the_definition_and_keeps_sequences_apart() {
        let (heads, head_width, lengths) = (3, 5, [4, 1, 300]);
        let width = heads * head_width;
        let tokens: usize = lengths.iter().sum();
        let qkv: Vec<f32> = (0..tokens * 3 * width).map(|seed| ((seed * 31 + 7) % 19) as f32 / 6.0 - 1.5).collect();
        let mut mixed = vec![f32::NAN; tokens * width];
        let shape = Shape { heads, head_width, products: Products::exact() };
        attention(&qkv, &lengths, shape, &|_, _, _, _: &mut [f32]| {}, &mut mixed);
        let places = HeadPlaces::of(&lengths, heads, head_width);
        let mut out = vec![f32::NAN; tokens * width];
        for (row, out) in out.chunks_exact_mut(width).enumerate() {
            Heads { mixed: &mixed, places: &places, head_width }.write(row, out);
        }
        let mut start = 0;
        for length in lengths {
            for query in start..start + length {
                for head in 0..heads {
                    let at = |token: usize, third: usize, column: usize| {
                        f64::from(qkv[token * 3 * width + third * width + head * head_width + column])
                    };
                    let weights: Vec<f64> = (start..start + length)
                        .map(|key| (0..head_width).map(|c| at(query, 0, c) * at(key, 1, c)).sum::<f64>().exp())
                        .collect();
                    let total: f64 = weights.iter().sum();
                    for column in 0..head_width {
                        let exact: f64 =
                            weights.iter().zip(start..).map(|(weight, key)| weight / total * at(key, 2, column)).sum();
                        let got = f64::from(out[query * width + head * head_width + column]);
                        assert!((got - exact).abs() < 1e-5, "{got} for {exact}");
                    }
                }
            }
            start += length;
        }
    }
}
