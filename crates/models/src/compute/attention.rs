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
            let third = |index: usize| Strided {
                data: &qkv[start * 3 * width + index * width + head * head_width..],
                stride: 3 * width,
            };
            one_head((length, &third(0)), (length, &third(1), &third(2)), head_width, |_| {})
        })
        .collect();
    side_by_side(&mixed, heads, head_width)
}

/// Puts what the heads of each sequence gave, tokens x `head_width` and one head after the other, side by side: tokens of all sequences x (heads * `head_width`).
pub fn side_by_side(mixed: &[Vec<f32>], heads: usize, head_width: usize) -> Vec<f32> {
    let mut out = vec![0.0; mixed.iter().map(Vec::len).sum()];
    let mut start = 0;
    for sequence in mixed.chunks_exact(heads) {
        for (head, numbers) in sequence.iter().enumerate() {
            let rows = out[start..].chunks_exact_mut(heads * head_width);
            for (row, numbers) in rows.zip(numbers.chunks_exact(head_width)) {
                row[head * head_width..][..head_width].copy_from_slice(numbers);
            }
        }
        start += sequence.iter().map(Vec::len).sum::<usize>();
    }
    out
}

/// One head: for each query, the mean of the values, weighed by the softmax of `scored(scores)`; scores are queries x keys. Query and key start with the numbers of
/// the head. Out comes queries x `head_width`.
pub fn one_head(
    (queries, query): (usize, &Strided),
    (keys, key, value): (usize, &Strided, &Strided),
    head_width: usize,
    scored: impl FnOnce(&mut [f32]),
) -> Vec<f32> {
    let turned = Packed::new(head_width, keys, |depth, token| key.data[token * key.stride + depth]);
    let values = Packed::new(keys, head_width, |token, column| value.data[token * value.stride + column]);
    let mut scores = vec![0.0; queries * keys];
    serial(0, query, &turned, &mut scores);
    scored(&mut scores);
    softmax(&mut scores, keys);
    let mut out = vec![0.0; queries * head_width];
    serial(0, &Strided { data: &scores, stride: keys }, &values, &mut out);
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
