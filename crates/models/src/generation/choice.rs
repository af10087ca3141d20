//! Which token comes next.

use super::random::Random;

/// The first of the largest.
pub(crate) fn likeliest(logits: &[f32]) -> usize {
    let mut best = 0;
    for (token, logit) in logits.iter().enumerate() {
        if *logit > logits[best] {
            best = token;
        }
    }
    best
}

/// One by its probability at a temperature above zero.
pub(crate) fn drawn(logits: &[f32], temperature: f32, random: &mut Random) -> usize {
    let most = logits[likeliest(logits)];
    let weights = logits.iter().map(|logit| weight(*logit, most, temperature));
    draw(weights.enumerate(), random).unwrap_or_else(|| likeliest(logits))
}

/// One by its probability at a temperature above zero, among the likeliest that together reach `share` (Holtzman et al., "The curious case of
/// neural text degeneration", 2019, <https://arxiv.org/abs/1904.09751>). There is always at least one.
pub(crate) fn drawn_from_nucleus(logits: &[f32], share: f32, temperature: f32, random: &mut Random) -> usize {
    let most = logits[likeliest(logits)];
    let mut weights: Vec<(usize, f64)> =
        logits.iter().map(|logit| weight(*logit, most, temperature)).enumerate().collect();
    // Those that are equal keep their order.
    weights.sort_by(|a, b| b.1.total_cmp(&a.1));
    let wanted = weights.iter().map(|(_, weight)| weight).sum::<f64>() * f64::from(share);
    let mut reached = 0.0;
    let within = weights.iter().take_while(|(_, weight)| {
        let before = reached;
        reached += weight;
        before < wanted
    });
    let kept = within.count().max(1);
    weights.truncate(kept);
    draw(weights.into_iter(), random).unwrap_or_else(|| likeliest(logits))
}

fn weight(logit: f32, most: f32, temperature: f32) -> f64 {
    f64::from((logit - most) / temperature).exp()
}

/// A token by its weight; none where none has any.
fn draw(weights: impl Iterator<Item = (usize, f64)> + Clone, random: &mut Random) -> Option<usize> {
    let mut left = random.unit() * weights.clone().map(|(_, weight)| weight).sum::<f64>();
    let mut last = None;
    for (token, weight) in weights.filter(|(_, weight)| *weight > 0.0) {
        last = Some(token);
        left -= weight;
        if left < 0.0 {
            break;
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(draws: &[usize]) -> [f64; 4] {
        std::array::from_fn(|token| draws.iter().filter(|drawn| **drawn == token).count() as f64 / draws.len() as f64)
    }

    #[test]
    fn tokens_are_drawn_by_their_probability_and_the_same_from_the_same_seed() {
        let logits = [0.5_f32.ln(), f32::NEG_INFINITY, 0.3_f32.ln(), 0.2_f32.ln()];
        let mut random = Random::seeded(7);
        let draws: Vec<usize> = (0..10_000).map(|_| drawn(&logits, 1.0, &mut random)).collect();
        for (found, expected) in shares(&draws).into_iter().zip([0.5, 0.0, 0.3, 0.2]) {
            assert!((found - expected).abs() < 0.02, "{found} {expected}");
        }
        let mut again = Random::seeded(7);
        assert!(draws.iter().all(|token| drawn(&logits, 1.0, &mut again) == *token));
        let mut cold = Random::seeded(7);
        assert!((0..100).all(|_| drawn(&logits, 0.01, &mut cold) == 0));
    }

    #[test]
    fn a_nucleus_leaves_out_the_unlikely_rest() {
        let logits = [0.2_f32.ln(), 0.5_f32.ln(), 0.05_f32.ln(), 0.25_f32.ln()];
        let within = |share: f32, temperature: f32| {
            let mut random = Random::seeded(3);
            let draws: Vec<usize> =
                (0..10_000).map(|_| drawn_from_nucleus(&logits, share, temperature, &mut random)).collect();
            shares(&draws)
        };
        let near = |found: [f64; 4], expected: [f64; 4]| {
            assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 0.02), "{found:?} {expected:?}");
        };
        near(within(1.0, 1.0), [0.2, 0.5, 0.05, 0.25]);
        near(within(0.9, 1.0), [0.2 / 0.95, 0.5 / 0.95, 0.0, 0.25 / 0.95]);
        near(within(0.7, 1.0), [0.0, 0.5 / 0.75, 0.0, 0.25 / 0.75]);
        near(within(0.4, 1.0), [0.0, 1.0, 0.0, 0.0]);
        near(within(0.0, 1.0), [0.0, 1.0, 0.0, 0.0]);
        // Hotter, the likeliest alone no longer reaches the share.
        assert!(within(0.4, 5.0)[3] > 0.1);
    }
}
