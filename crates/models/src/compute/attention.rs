//! Multi-head self-attention over sequences that lie end to end, so that there is no padding to mask
//! (Vaswani et al., "Attention is all you need", 2017).

use rayon::prelude::*;

use super::elementwise::softmax;
use super::gemm::{Packed, Strided, serial};

/// Every token attends to the tokens of its own sequence.
///
/// `qkv` is tokens x (3 * heads * `head_width`): query (already scaled), key and value; `lengths` are the tokens of each sequence, which
/// add up to all tokens. Out comes tokens x (heads * `head_width`).
pub fn attention(qkv: &[f32], lengths: &[usize], heads: usize, head_width: usize) -> Vec<f32> {
    let width = heads * head_width;
    let starts = lengths.iter().scan(0, |next, length| {
        let start = *next;
        *next += length;
        Some(start)
    });
    let jobs: Vec<(usize, usize, usize)> =
        starts.zip(lengths).flat_map(|(start, length)| (0..heads).map(move |head| (start, *length, head))).collect();
    let mixed: Vec<Vec<f32>> = jobs
        .par_iter()
        .with_min_len(heads.div_ceil(4))
        .map(|&(start, length, head)| {
            one_head(&qkv[start * 3 * width..][..length * 3 * width], length, head * head_width, width, head_width)
        })
        .collect();
    let mut out = vec![0.0; qkv.len() / 3];
    for (&(start, length, head), mixed) in jobs.iter().zip(&mixed) {
        for (token, row) in (start..start + length).zip(mixed.chunks_exact(head_width)) {
            out[token * width + head * head_width..][..head_width].copy_from_slice(row);
        }
    }
    out
}

/// One head of one sequence; `offset` is the head's first column. Out comes tokens x `head_width`.
fn one_head(qkv: &[f32], tokens: usize, offset: usize, width: usize, head_width: usize) -> Vec<f32> {
    let stride = 3 * width;
    let keys = Packed::new(head_width, tokens, |depth, token| qkv[token * stride + width + offset + depth]);
    let values = Packed::new(tokens, head_width, |token, column| qkv[token * stride + 2 * width + offset + column]);
    let mut scores = vec![0.0; tokens * tokens];
    serial(0, &Strided { data: &qkv[offset..], stride }, &keys, &mut scores);
    softmax(&mut scores, tokens);
    let mut out = vec![0.0; tokens * head_width];
    serial(0, &Strided { data: &scores, stride: tokens }, &values, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_the_definition_and_keeps_sequences_apart() {
        let (heads, head_width, lengths) = (3, 5, [4, 1, 9]);
        let width = heads * head_width;
        let tokens: usize = lengths.iter().sum();
        let qkv: Vec<f32> = (0..tokens * 3 * width).map(|seed| ((seed * 31 + 7) % 19) as f32 / 6.0 - 1.5).collect();
        let out = attention(&qkv, &lengths, heads, head_width);
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
