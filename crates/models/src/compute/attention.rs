//! Multi-head self-attention over sequences that lie end to end, so that there is no padding to mask
//! (Vaswani et al., "Attention is all you need", 2017).

use std::cell::Cell;

use rayon::prelude::*;

use super::elementwise::{exp_below_highest, softmax};
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

/// Which scores.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// Of which sequence.
    pub sequence: usize,
    /// Of which head.
    pub head: usize,
    /// Of which query.
    pub query: usize,
    /// The key of the first one.
    pub key: usize,
}

/// What is done to some scores of a query of one head before the softmax.
pub trait Scored: Fn(Place, &mut [f32]) + Sync {}

impl<F: Fn(Place, &mut [f32]) + Sync> Scored for F {}

/// Queries and keys whose scores are in the cache together.
const QUERIES: usize = 128;
const KEYS: usize = 256;

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
        one_head(&third(0), keys, shape, (sequence, head), scored, own);
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

    /// For rows that attention saw in another order: as its `n`th row, row `order[n]`.
    pub fn back(places: &[Self], order: &[u32]) -> Vec<Self> {
        let mut back = places.to_vec();
        for (place, row) in places.iter().zip(order) {
            back[*row as usize] = *place;
        }
        back
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

/// One head, of a sequence: for each query, the mean of the values, weighed by the softmax of scores, to which `scored` is applied first. Query and key start with the numbers of
/// the head. Into `out` come queries x `head_width`.
pub fn one_head(
    query: &Strided,
    (keys, key, value): (usize, &Strided, &Strided),
    Shape { head_width, products, .. }: Shape,
    (sequence, head): (usize, usize),
    scored: &impl Scored,
    out: &mut [f32],
) {
    let pack = |keys: std::ops::Range<usize>| {
        let (first, count) = (keys.start, keys.len());
        let turned = Weight::of_columns(products, head_width, count, |token, into| key.write(first + token, into));
        (turned, Weight::of_rows(products, count, head_width, |token, into| value.write(first + token, into)))
    };
    let queries = |block: usize| Strided { data: &query.data[block * QUERIES * query.stride..], stride: query.stride };
    let mut wide = Vec::new();
    if keys <= KEYS {
        let (turned, values) = pack(0..keys);
        for (block, out) in out.chunks_mut(QUERIES * head_width).enumerate() {
            let weigh = |row: usize, scores: &mut [f32]| {
                scored(Place { sequence, head, query: block * QUERIES + row, key: 0 }, scores);
                softmax(scores, keys);
            };
            turned.serial_twice(&queries(block), &weigh, &values, &mut wide, out);
        }
        return;
    }
    // More keys come some at a time, each time with the weights that they have among themselves (Milakov and Gimelshein, "Online normalizer calculation for softmax",
    // 2018; Dao et al., "FlashAttention", 2022).
    let firsts = (0..keys).step_by(KEYS);
    let packed: Vec<_> = firsts.clone().map(|first| pack(first..(first + KEYS).min(keys))).collect();
    let mut some = vec![0.0; QUERIES * head_width];
    let found = vec![Cell::new(Weighed::NOTHING); QUERIES];
    let mut totals = vec![Weighed::NOTHING; QUERIES];
    for (block, out) in out.chunks_mut(QUERIES * head_width).enumerate() {
        out.fill(0.0);
        totals.fill(Weighed::NOTHING);
        for ((turned, values), first) in packed.iter().zip(firsts.clone()) {
            let weigh = |row: usize, scores: &mut [f32]| {
                scored(Place { sequence, head, query: block * QUERIES + row, key: first }, scores);
                let (highest, total) = exp_below_highest(scores);
                found[row].set(Weighed { highest, total });
            };
            let some = &mut some[..out.len()];
            turned.serial_twice(&queries(block), &weigh, values, &mut wide, some);
            let rows = out.chunks_exact_mut(head_width).zip(some.chunks_exact(head_width));
            for ((out, some), (total, found)) in rows.zip(totals.iter_mut().zip(&found)) {
                let (before, after) = total.add(found.get());
                out.iter_mut().zip(some).for_each(|(out, some)| *out = *out * before + some * after);
            }
        }
        for (out, Weighed { total, .. }) in out.chunks_exact_mut(head_width).zip(&totals) {
            let scale = 1.0 / total;
            for value in out {
                *value *= scale;
            }
        }
    }
}

/// The highest of some scores, and the sum of the powers of all below it.
#[derive(Clone, Copy)]
struct Weighed {
    highest: f32,
    total: f32,
}

impl Weighed {
    const NOTHING: Self = Self { highest: f32::NEG_INFINITY, total: 0.0 };

    /// Takes others in; says what the means of these and of those are to be multiplied by.
    fn add(&mut self, other: Self) -> (f32, f32) {
        let highest = if other.highest > self.highest { other.highest } else { self.highest };
        let share = |of: Self| if of.total == 0.0 { 0.0 } else { (of.highest - highest).exp() };
        let (before, after) = (share(*self), share(other));
        *self = Self { highest, total: self.total * before + other.total * after };
        (before, after)
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
        attention(&qkv, &lengths, shape, &|_, _: &mut [f32]| {}, &mut mixed);
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

    /// What is masked has no part in it, also where that is all of the keys that come together.
    #[test]
    fn masked_keys_do_not_count() {
        let (head_width, keys) = (4, 3 * KEYS);
        let qkv: Vec<f32> = (0..keys * 3 * head_width).map(|seed| ((seed * 31 + 7) % 19) as f32 / 6.0 - 1.5).collect();
        let shape = Shape { heads: 1, head_width, products: Products::exact() };
        for wanted in [0..5, KEYS + 3..KEYS + 9, 2 * KEYS + 1..keys] {
            let mask = |place: Place, scores: &mut [f32]| {
                for (score, key) in scores.iter_mut().zip(place.key..) {
                    if !wanted.contains(&key) {
                        *score = f32::NEG_INFINITY;
                    }
                }
            };
            let mut all = vec![f32::NAN; keys * head_width];
            attention(&qkv, &[keys], shape, &mask, &mut all);
            let third = |index: usize, first: usize| Strided {
                data: &qkv[first * 3 * head_width + index * head_width..],
                stride: 3 * head_width,
            };
            let (key, value) = (third(1, wanted.start), third(2, wanted.start));
            let mut alone = vec![f32::NAN; keys * head_width];
            one_head(&third(0, 0), (wanted.len(), &key, &value), shape, (0, 0), &|_, _: &mut [f32]| {}, &mut alone);
            assert!(all.iter().zip(&alone).all(|(all, alone)| (all - alone).abs() < 1e-5), "{wanted:?}");
        }
    }
}
