//! Which part of a sound a model hears, and how often.
//!
//! The reference draws parts of long sounds at random. Here the same sound always gives the same vector: wherever it draws from a range,
//! the middle of the range is taken, the earlier of two.

use serde::Deserialize;

/// What fills up a sound that is shorter than the model takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Padding {
    /// The sound as often as it fits whole, then silence.
    RepeatPad,
    /// The sound again and again.
    Repeat,
    /// Silence.
    Pad,
}

impl Padding {
    /// `samples`, at least one and at most `length`, filled up to `length`.
    pub fn fill(self, samples: &[f32], length: usize) -> Vec<f32> {
        let mut filled = match self {
            Self::RepeatPad => samples.repeat(length / samples.len()),
            Self::Repeat => samples.iter().copied().cycle().take(length).collect(),
            Self::Pad => samples.to_vec(),
        };
        filled.resize(length, 0.0);
        filled
    }
}

/// The middle `length` samples; all of them where there are not more.
pub fn middle(samples: &[f32], length: usize) -> &[f32] {
    let surplus = samples.len().saturating_sub(length);
    &samples[surplus / 2..samples.len() - (surplus - surplus / 2)]
}

/// Four views of a spectrogram of more than `frames` frames of `bins` numbers each: the whole shrunk to `frames` frames, then `frames` frames
/// from its beginning, its middle and its end.
pub fn four(mel: &[f32], frames: usize, bins: usize) -> Vec<f32> {
    let total = mel.len() / bins;
    let mut views = shrunk(mel, frames, bins);
    for start in starts(total - frames + 1) {
        views.extend_from_slice(&mel[start * bins..(start + frames) * bins]);
    }
    views
}

/// `count` places divided into three ranges, the first ones longer by one where it does not come out even: the middle of each. A range that is
/// empty stands for the first place.
fn starts(count: usize) -> [usize; 3] {
    let mut first = 0;
    [0, 1, 2].map(|range| {
        let length = count / 3 + usize::from(range < count % 3);
        let place = if length == 0 { 0 } else { first + (length - 1) / 2 };
        first += length;
        place
    })
}

/// The spectrogram at `frames` frames, interpolated linearly between the frames that are next to each place, as `torch.nn.functional.interpolate`
/// does it in f32 with corners not aligned.
fn shrunk(mel: &[f32], frames: usize, bins: usize) -> Vec<f32> {
    let total = mel.len() / bins;
    let ratio = total as f32 / frames as f32;
    let mut out = Vec::with_capacity(4 * frames * bins);
    for frame in 0..frames {
        let place = (ratio * (frame as f32 + 0.5) - 0.5).max(0.0);
        let before = (place as usize).min(total - 1);
        let after = (before + 1).min(total - 1);
        let weight = place - before as f32;
        let row = |index: usize| &mel[index * bins..(index + 1) * bins];
        out.extend(row(before).iter().zip(row(after)).map(|(a, b)| (1.0 - weight) * a + weight * b));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_sounds_are_filled_up() {
        let samples = [1.0, 2.0, 3.0];
        assert_eq!(Padding::RepeatPad.fill(&samples, 8), [1.0, 2.0, 3.0, 1.0, 2.0, 3.0, 0.0, 0.0]);
        assert_eq!(Padding::Repeat.fill(&samples, 8), [1.0, 2.0, 3.0, 1.0, 2.0, 3.0, 1.0, 2.0]);
        assert_eq!(Padding::Pad.fill(&samples, 5), [1.0, 2.0, 3.0, 0.0, 0.0]);
        for padding in [Padding::RepeatPad, Padding::Repeat, Padding::Pad] {
            assert_eq!(padding.fill(&samples, 3), samples);
        }
    }

    #[test]
    fn the_middle_of_a_long_sound_is_heard() {
        assert_eq!(middle(&[1.0, 2.0, 3.0, 4.0], 2), [2.0, 3.0]);
        assert_eq!(middle(&[1.0, 2.0, 3.0], 2), [1.0, 2.0]);
        assert_eq!(middle(&[1.0, 2.0], 2), [1.0, 2.0]);
        assert_eq!(middle(&[1.0], 2), [1.0]);
    }

    #[test]
    fn ranges_are_divided_as_evenly_as_it_goes() {
        // 11 places: 0..4, 4..8, 8..11.
        assert_eq!(starts(11), [1, 5, 9]);
        assert_eq!(starts(2), [0, 1, 0]);
        assert_eq!(starts(1), [0, 0, 0]);
    }

    #[test]
    fn views_are_the_whole_and_three_parts() {
        // Six frames of one bin, four of them in a view: starts 0, 1, 2.
        let views = four(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0], 4, 1);
        assert_eq!(views[..4], [0.25, 1.75, 3.25, 4.75]);
        assert_eq!(views[4..], [0.0, 1.0, 2.0, 3.0, 1.0, 2.0, 3.0, 4.0, 2.0, 3.0, 4.0, 5.0]);
    }
}
