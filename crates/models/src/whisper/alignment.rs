//! When each token was said, from how the decoder looked at the sound.
//!
//! The weights of the heads that follow the sound are normalised over tokens, smoothed by a median over time, and averaged; the cheapest
//! monotone path through them (dynamic time warping) gives every token its moment. As in Transformers, the row of a token is the one in which it
//! was read, so that its moment is when it ends.

use super::timestamps::STEP_SECONDS;

/// Weights with which heads looked at the sound: heads x tokens x moments, row by row.
pub(super) struct Weights {
    pub values: Vec<f32>,
    pub heads: usize,
    pub tokens: usize,
    pub moments: usize,
}

/// The end of every token in seconds from the start of the window.
pub(super) fn token_ends(weights: Weights, median_width: usize) -> Vec<f64> {
    let (tokens, moments) = (weights.tokens, weights.moments);
    if tokens == 0 || moments == 0 {
        return vec![0.0; tokens];
    }
    let mean = likeness(weights, median_width);
    let mut ends = vec![0.0; tokens];
    // The path is walked backwards, so the last to be written is the token's first moment.
    for (token, moment) in cheapest_path(&mean, tokens, moments) {
        ends[token] = moment as f64 * STEP_SECONDS;
    }
    ends
}

/// Tokens x moments, averaged over heads.
fn likeness(weights: Weights, median_width: usize) -> Vec<f32> {
    let Weights { mut values, heads, tokens, moments } = weights;
    let mut mean = vec![0.0; tokens * moments];
    for head in values.chunks_exact_mut(tokens * moments) {
        normalise_columns(head, moments);
        for (row, into) in head.chunks_exact(moments).zip(mean.chunks_exact_mut(moments)) {
            for (value, into) in medians(row, median_width).into_iter().zip(into) {
                *into += value / heads as f32;
            }
        }
    }
    mean
}

/// Every column to mean 0 and standard deviation 1; a constant one to 0.
fn normalise_columns(values: &mut [f32], columns: usize) {
    let rows = (values.len() / columns) as f64;
    for column in 0..columns {
        let of_column = || values.iter().skip(column).step_by(columns).map(|value| f64::from(*value));
        let mean = of_column().sum::<f64>() / rows;
        let deviation = (of_column().map(|value| (value - mean).powi(2)).sum::<f64>() / rows).sqrt();
        for value in values.iter_mut().skip(column).step_by(columns) {
            *value = if deviation > 0.0 { ((f64::from(*value) - mean) / deviation) as f32 } else { 0.0 };
        }
    }
}

/// The median of `width` neighbours (an odd number), mirrored at both ends; a row shorter than that stays as it is.
fn medians(row: &[f32], width: usize) -> Vec<f32> {
    let half = width / 2;
    if row.len() <= half {
        return row.to_vec();
    }
    let last = row.len() - 1;
    let mirrored = |place: usize| {
        let place = place.abs_diff(half);
        if place > last { 2 * last - place } else { place }
    };
    let mut window = Vec::with_capacity(width);
    (0..row.len())
        .map(|start| {
            window.clear();
            window.extend((start..start + width).map(|place| row[mirrored(place)]));
            window.sort_by(f32::total_cmp);
            window[half]
        })
        .collect()
}

/// The path from the last token and moment back to the first, through the largest `likeness`.
fn cheapest_path(likeness: &[f32], tokens: usize, moments: usize) -> Vec<(usize, usize)> {
    #[derive(Clone, Copy)]
    enum From {
        Both,
        Token,
        Moment,
    }
    let wide = moments + 1;
    let mut costs = vec![f32::INFINITY; (tokens + 1) * wide];
    let mut steps = vec![From::Moment; (tokens + 1) * wide];
    costs[0] = 0.0;
    for token in 1..=tokens {
        for moment in 1..=moments {
            let here = token * wide + moment;
            let (both, one_token, one_moment) = (costs[here - wide - 1], costs[here - wide], costs[here - 1]);
            let (cost, step) = if both < one_token && both < one_moment {
                (both, From::Both)
            } else if one_token < both && one_token < one_moment {
                (one_token, From::Token)
            } else {
                (one_moment, From::Moment)
            };
            costs[here] = cost - likeness[(token - 1) * moments + moment - 1];
            steps[here] = step;
        }
    }
    let (mut token, mut moment) = (tokens, moments);
    let mut path = Vec::with_capacity(tokens + moments);
    while token > 0 && moment > 0 {
        path.push((token - 1, moment - 1));
        match steps[token * wide + moment] {
            From::Both => (token, moment) = (token - 1, moment - 1),
            From::Token => token -= 1,
            From::Moment => moment -= 1,
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_mirrored_at_the_ends() {
        assert_eq!(medians(&[5.0, 1.0, 2.0, 9.0], 3), [1.0, 2.0, 2.0, 2.0]);
        assert_eq!(medians(&[3.0], 3), [3.0]);
    }

    #[test]
    fn columns_are_normalised_and_constant_ones_vanish() {
        let mut values = [1.0, 7.0, 3.0, 7.0];
        normalise_columns(&mut values, 2);
        assert_eq!(values, [-1.0, 0.0, 1.0, 0.0]);
    }

    #[test]
    fn tokens_end_where_the_attention_moves_on() {
        // Three tokens over nine moments, three each.
        let value = |token: usize, moment: usize| if moment / 3 == token { 1.0 } else { 0.0 };
        let values = (0..3).flat_map(|token| (0..9).map(move |moment| value(token, moment))).collect();
        let ends = token_ends(Weights { values, heads: 1, tokens: 3, moments: 9 }, 1);
        assert_eq!(ends, [0.0, 3.0 * STEP_SECONDS, 6.0 * STEP_SECONDS]);
    }

    #[test]
    fn a_single_token_and_no_moments_are_fine() {
        assert_eq!(token_ends(Weights { values: vec![0.2; 5], heads: 1, tokens: 1, moments: 5 }, 7), [0.0]);
        assert_eq!(token_ends(Weights { values: vec![], heads: 2, tokens: 3, moments: 0 }, 7), [0.0; 3]);
    }
}
