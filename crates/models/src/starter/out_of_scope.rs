//! Tells pictures that the picture tower does not know, such as photographs, from drawings on a plain ground.

use serde::Deserialize;

use super::calibration::sigmoid;
use super::picture::prepare::{Prepared, SIDE, prepare};

/// Largest difference, in each channel, between neighbours that are flat.
const FLAT: u8 = 2;

/// A logistic regression over three features of the prepared picture.
#[derive(Debug, Clone, Deserialize)]
pub struct OutOfScope {
    weights: [f32; 3],
    bias: f32,
    /// At or above it a picture is not one that the tower knows, and what is said of it is worth little.
    pub threshold: f32,
}

impl OutOfScope {
    /// From 0, a drawing on a plain ground, to 1, nothing like it. `rgb` is rows of 8-bit pixels; a wrong length is an error.
    pub fn score(&self, width_px: u32, height_px: u32, rgb: &[u8]) -> Result<f32, String> {
        let prepared = prepare(width_px, height_px, rgb)?;
        let features = features(&prepared);
        let sum: f32 = features.iter().zip(self.weights).map(|(feature, weight)| feature * weight).sum();
        Ok(sigmoid(self.bias + sum))
    }
}

/// How unlike its middle colour the border is, the share of flat pixels, and the share of the four most frequent colours.
fn features(prepared: &Prepared) -> [f32; 3] {
    let pixels = prepared.0.as_chunks::<3>().0;
    [border_residual(pixels), flat_share(pixels), top_share(pixels)]
}

fn border_residual(pixels: &[[u8; 3]]) -> f32 {
    let is_border = |index: &usize| {
        let (x, y) = (index % SIDE, index / SIDE);
        x == 0 || y == 0 || x == SIDE - 1 || y == SIDE - 1
    };
    let border: Vec<[u8; 3]> = (0..pixels.len()).filter(is_border).map(|index| pixels[index]).collect();
    let mut sum = 0;
    for channel in 0..3 {
        let mut values: Vec<u8> = border.iter().map(|pixel| pixel[channel]).collect();
        values.sort_unstable();
        let middle = values[values.len() / 2];
        sum += values.iter().map(|value| u32::from(value.abs_diff(middle))).sum::<u32>();
    }
    sum as f32 / (3 * border.len()) as f32 / 255.0
}

fn flat_share(pixels: &[[u8; 3]]) -> f32 {
    let like = |a: [u8; 3], b: [u8; 3]| a.iter().zip(b).all(|(a, b)| a.abs_diff(b) <= FLAT);
    let flat = (0..SIDE - 1)
        .flat_map(|y| (0..SIDE - 1).map(move |x| y * SIDE + x))
        .filter(|&at| like(pixels[at], pixels[at + 1]) && like(pixels[at], pixels[at + SIDE]))
        .count();
    flat as f32 / ((SIDE - 1) * (SIDE - 1)) as f32
}

fn top_share(pixels: &[[u8; 3]]) -> f32 {
    let mut counts = [0_u32; 1 << 12];
    for pixel in pixels {
        let [red, green, blue] = pixel.map(|value| usize::from(value / 16));
        counts[red << 8 | green << 4 | blue] += 1;
    }
    counts.sort_unstable();
    counts[counts.len() - 4..].iter().sum::<u32>() as f32 / pixels.len() as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(colour: impl Fn(usize, usize) -> [u8; 3]) -> Prepared {
        Prepared((0..SIDE * SIDE).flat_map(|at| colour(at % SIDE, at / SIDE)).collect())
    }

    #[test]
    fn features_of_plain_and_of_busy_pictures() {
        assert_eq!(features(&picture(|_, _| [7, 8, 9])), [0.0, 1.0, 1.0]);
        let [border, flat, top] =
            features(&picture(|x, y| [((x * 37 + y * 91) % 256) as u8, (x * 4) as u8, (y * 4) as u8]));
        assert!(border > 0.2 && flat < 0.05 && top < 0.1, "{border} {flat} {top}");
        let [border, flat, top] = features(&picture(|x, _| if x < 32 { [0; 3] } else { [255; 3] }));
        // 126 of 252 are black, so the middle one is white.
        assert_eq!((border, top), (0.5, 1.0));
        assert!((flat - 62.0 / 63.0).abs() < 1e-6);
    }

    #[test]
    fn the_score_rises_with_what_speaks_against_a_drawing() {
        let scope = OutOfScope { weights: [10.0, -5.0, -5.0], bias: 4.0, threshold: 0.5 };
        let plain = scope.score(64, 64, &picture(|_, _| [255; 3]).0).unwrap();
        let busy = scope.score(64, 64, &picture(|x, y| [((x * 37 + y * 91) % 256) as u8; 3]).0).unwrap();
        assert!(plain < scope.threshold && busy > scope.threshold, "{plain} {busy}");
        assert!(scope.score(64, 64, &[0; 3]).is_err());
    }
}
