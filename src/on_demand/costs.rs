//! What the inputs of a tower cost, for when it cannot be asked.

use sensorium_domain::Modality;
use sensorium_domain::encoder::{Cost, EncodeInput, Tower};

/// The longest text that is tried, in bytes; any longer one is cut by every model.
const LONGEST_TEXT: usize = 1 << 16;
/// Sizes that are tried of texts from one length to twice that length.
const STEPS: usize = 8;
/// The side of the larger picture that is tried, in pixels.
const LARGE_SIDE: u32 = 1024;
/// The larger sound that is tried where the tower does not say what it hears, in samples.
const LONG_SOUND: usize = 16_000;

/// The work of inputs by their size (bytes of a text, pixels of a picture, samples of a sound), learned from a tower by trying some sizes. What lies
/// between two that were tried is on the line between them: what the tower says where that is the same for every size, and within a tenth of it elsewhere.
pub struct Costs {
    by_size: Line,
    /// Texts that somebody asks with may have another prompt.
    of_queries: Option<Line>,
}

/// Sizes and what they cost, from small to large; at least two.
struct Line(Vec<(usize, Cost)>);

impl Costs {
    /// What this tower says.
    pub fn of(tower: &dyn Tower) -> Self {
        let line =
            |inputs: Vec<EncodeInput>| Line(inputs.iter().map(|input| (size(input), tower.cost(input))).collect());
        let texts = |make: fn(&str) -> EncodeInput| {
            let longest = "x".repeat(LONGEST_TEXT);
            line(lengths().map(|length| make(&longest[..length])).collect())
        };
        match tower.modality() {
            Modality::Text => Self {
                by_size: texts(|words| EncodeInput::Text(words.into())),
                of_queries: Some(texts(|words| EncodeInput::Query(words.into()))),
            },
            Modality::Audio => Self { by_size: line(sounds(tower)), of_queries: None },
            Modality::Image | Modality::Video => {
                Self { by_size: line([1, LARGE_SIDE].map(picture).to_vec()), of_queries: None }
            }
        }
    }

    /// The work that one input is.
    pub fn estimate(&self, input: &EncodeInput) -> Cost {
        let line = match (input, &self.of_queries) {
            (EncodeInput::Query(_), Some(of_queries)) => of_queries,
            _ => &self.by_size,
        };
        line.at(size(input))
    }
}

impl Line {
    fn at(&self, size: usize) -> Cost {
        let above = self.0.partition_point(|(tried, _)| *tried < size).clamp(1, self.0.len() - 1);
        let ((small, low), (large, high)) = (self.0[above - 1], self.0[above]);
        let slope = (high.0 as f64 - low.0 as f64) / (large - small) as f64;
        Cost((low.0 as f64 + slope * (size as f64 - small as f64)).round() as u64)
    }
}

/// 0, then each up to twice [`STEPS`], then [`STEPS`] for each doubling.
fn lengths() -> impl Iterator<Item = usize> {
    let coarse = (1..).map(|doubling| STEPS << doubling).take_while(|start| *start < LONGEST_TEXT);
    let coarse = coarse.flat_map(|start| (0..STEPS).map(move |step| start + step * (start / STEPS)));
    (0..2 * STEPS).chain(coarse).chain([LONGEST_TEXT])
}

fn picture(side: u32) -> EncodeInput {
    let bytes = side as usize * side as usize * 3;
    EncodeInput::Image { width_px: side, height_px: side, rgb: vec![0; bytes].into() }
}

fn sounds(tower: &dyn Tower) -> Vec<EncodeInput> {
    let format = tower.sound_format();
    let sample_rate_hz = format.map_or(16_000, |format| format.sample_rate_hz);
    let window = format.map_or(LONG_SOUND, |format| (u64::from(sample_rate_hz) * format.window_ms / 1000) as usize);
    let sound = |samples: usize| EncodeInput::Audio { sample_rate_hz, samples: vec![0.0; samples].into() };
    vec![sound(1), sound(window.max(2))]
}

fn size(input: &EncodeInput) -> usize {
    match input {
        EncodeInput::Text(words) | EncodeInput::Query(words) => words.len(),
        EncodeInput::Image { width_px, height_px, .. } => *width_px as usize * *height_px as usize,
        EncodeInput::Audio { samples, .. } => samples.len(),
    }
}

#[cfg(test)]
mod tests {
    use sensorium_domain::encoder::TowerOutput;

    use super::*;

    /// Costs what the function says of the size, and a query ten more.
    struct FakeTower(Modality, fn(usize) -> usize);

    impl Tower for FakeTower {
        fn modality(&self) -> Modality {
            self.0
        }

        fn dimensions(&self) -> usize {
            1
        }

        fn cost(&self, input: &EncodeInput) -> Cost {
            let more = if matches!(input, EncodeInput::Query(_)) { 10 } else { 0 };
            Cost((self.1(size(input)) + more) as u64)
        }

        fn forward(&self, _: &[EncodeInput]) -> TowerOutput {
            Err("it has no weights".to_owned())
        }
    }

    /// Whether the estimate is within a tenth of what the tower says.
    #[track_caller]
    fn assert_near(costs: &Costs, tower: &FakeTower, input: &EncodeInput) {
        let (told, estimated) = (tower.cost(input).0 as f64, costs.estimate(input).0 as f64);
        assert!((estimated / told - 1.0).abs() < 0.1, "{}: {estimated}, not {told}", size(input));
    }

    #[test]
    fn pictures_and_sounds_go_by_what_two_of_them_cost() {
        let tower = FakeTower(Modality::Image, |pixels| 570 + pixels / 20_000);
        let costs = Costs::of(&tower);
        for side in [1, 500, 1024, 3000] {
            assert_near(&costs, &tower, &picture(side));
        }
        let costs = Costs::of(&FakeTower(Modality::Audio, |_| 7));
        let sound = EncodeInput::Audio { sample_rate_hz: 16_000, samples: vec![0.0; 48_000].into() };
        assert_eq!(costs.estimate(&sound), Cost(7));
    }

    #[test]
    fn texts_go_by_their_length_up_to_where_the_model_cuts_them() {
        // As CLIP's: four letters a token, at most 77, each of which looks at all others.
        let tower = FakeTower(Modality::Text, |letters| {
            let tokens = (letters / 4 + 2).min(77);
            tokens * 1_000 + tokens * tokens
        });
        let costs = Costs::of(&tower);
        for length in (0..1_000).chain([50_000, 200_000]) {
            let words = "y".repeat(length);
            assert_near(&costs, &tower, &EncodeInput::Text(words.as_str().into()));
            assert_near(&costs, &tower, &EncodeInput::Query(words.as_str().into()));
        }
        let (found, asked) = (EncodeInput::Text("y".into()), EncodeInput::Query("y".into()));
        assert_eq!(costs.estimate(&asked).0, costs.estimate(&found).0 + 10);
    }
}
