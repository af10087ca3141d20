//! The picture tower: a small ResNet (He et al., "Deep residual learning for image recognition", 2015) over a fixed front end.

mod front_end;
pub(super) mod prepare;
mod resize;

use rayon::prelude::*;
use sensorium_domain::encoder::{Cost, EncodeInput, Tower, TowerOutput};
use sensorium_domain::segment::Modality;

use self::front_end::{CHANNELS, front_end};
use self::prepare::{SIDE, prepare};
use super::config::{PictureConfig, read};
use crate::batch;
use crate::compute::conv::{Conv, Shape};
use crate::compute::linear::{Linear, as_it_is};
use crate::compute::norm::normalise;
use crate::compute::weight::Products;
use crate::error::ModelError;
use crate::source::Source;
use crate::weights::Weights;

/// One picture through the network, in millions of floating-point operations.
const NETWORK_COST: u64 = 570;
/// Pixels of a large picture that are looked at and shrunk for one such million.
const PIXELS_PER_COST: u64 = 20_000;

/// Pictures that go through all layers together where there are tiles: what lies between layers then stays in the second-level cache, which takes longer to be read anew than weights
/// of f16 do.
const TOGETHER_ON_TILES: usize = 2;

/// Pictures of any size to unit vectors. Good at drawings, icons and emoji; photographs are out of its scope.
pub struct PictureTower {
    stem: Conv,
    blocks: Vec<Block>,
    head: Linear,
    last_pixels: usize,
    width: usize,
    dimensions: usize,
}

struct Block {
    first: Conv,
    second: Conv,
    shortcut: Option<Conv>,
}

impl PictureTower {
    /// Loads `picture.json` and `picture.safetensors`.
    pub fn load(source: &Source) -> Result<Self, ModelError> {
        let config: PictureConfig = read(source, "picture.json", "sensorium-picture-tower")?;
        let weights = Weights::open(&source.weights("picture.safetensors")?)?;
        let stem_width = config.network.widths.first().copied().unwrap_or(0);
        let stem = Shape { side: SIDE, channels: CHANNELS, outputs: stem_width, kernel: 3, stride: 2 };
        let stem = Conv::load(&weights, "stem", stem)?;
        let (mut side, mut width) = (stem.shape().side_after(), stem_width);
        let mut blocks = Vec::new();
        for (stage, (&next, &depth)) in config.network.widths.iter().zip(&config.network.depths).enumerate() {
            for position in 0..depth {
                let stride = if stage > 0 && position == 0 { 2 } else { 1 };
                let shape = Shape { side, channels: width, outputs: next, kernel: 3, stride };
                blocks.push(Block::load(&weights, &format!("blocks.{}", blocks.len()), shape)?);
                (side, width) = (shape.side_after(), next);
            }
        }
        let head = Linear::load(&weights, "head", width, config.dim, Products::exact())?;
        Ok(Self { stem, blocks, head, last_pixels: side * side, width, dimensions: config.dim })
    }

    /// Encodes pictures that have been prepared to channel, row, column in [0, 1].
    fn encode_planes(&self, pictures: &[Vec<f32>]) -> Vec<Vec<f32>> {
        let together = if sensorium_tiles::has_tiles() { TOGETHER_ON_TILES } else { pictures.len().max(1) };
        pictures.par_chunks(together).flat_map(|pictures| self.encode_together(pictures)).collect()
    }

    fn encode_together(&self, pictures: &[Vec<f32>]) -> Vec<Vec<f32>> {
        let channels: Vec<Vec<f32>> = pictures.par_iter().map(|planes| front_end(planes, SIDE)).collect();
        let mut states = self.stem.apply_relu(&channels.concat());
        for block in &self.blocks {
            states = block.apply(&states);
        }
        let means: Vec<f32> = states
            .chunks_exact(self.last_pixels * self.width)
            .flat_map(|picture| mean_of_rows(picture, self.width))
            .collect();
        let mut out = self.head.apply(&means, &as_it_is);
        out.chunks_exact_mut(self.dimensions)
            .map(|vector| {
                normalise(vector);
                vector.to_vec()
            })
            .collect()
    }
}

impl Block {
    /// `shape` is that of its first convolution.
    fn load(weights: &Weights, prefix: &str, shape: Shape) -> Result<Self, ModelError> {
        let has_shortcut = shape.stride != 1 || shape.channels != shape.outputs;
        let second = Shape { side: shape.side_after(), channels: shape.outputs, stride: 1, ..shape };
        let shortcut = Shape { kernel: 1, ..shape };
        Ok(Self {
            first: Conv::load(weights, &format!("{prefix}.conv1"), shape)?,
            second: Conv::load(weights, &format!("{prefix}.conv2"), second)?,
            shortcut: has_shortcut.then(|| Conv::load(weights, &format!("{prefix}.shortcut"), shortcut)).transpose()?,
        })
    }

    fn apply(&self, states: &[f32]) -> Vec<f32> {
        let inner = self.first.apply_relu(states);
        match &self.shortcut {
            Some(shortcut) => self.second.apply_add_relu(&inner, &shortcut.apply(states)),
            None => self.second.apply_add_relu(&inner, states),
        }
    }
}

fn mean_of_rows(rows: &[f32], width: usize) -> Vec<f32> {
    let mut mean = vec![0.0; width];
    for row in rows.chunks_exact(width) {
        for (sum, value) in mean.iter_mut().zip(row) {
            *sum += value;
        }
    }
    let count = (rows.len() / width) as f32;
    for value in &mut mean {
        *value /= count;
    }
    mean
}

impl Tower for PictureTower {
    fn modality(&self) -> Modality {
        Modality::Image
    }

    fn dimensions(&self) -> usize {
        self.dimensions
    }

    fn cost(&self, input: &EncodeInput) -> Cost {
        let pixels = match input {
            EncodeInput::Image { width_px, height_px, .. } => u64::from(*width_px) * u64::from(*height_px),
            _ => 0,
        };
        Cost(NETWORK_COST + pixels / PIXELS_PER_COST)
    }

    fn forward(&self, inputs: &[EncodeInput]) -> TowerOutput {
        let planes = |input: &EncodeInput| match input {
            EncodeInput::Image { width_px, height_px, rgb } => Ok(prepare(*width_px, *height_px, rgb)?.planes()),
            other => Err(format!("a picture tower takes no {}", other.modality())),
        };
        batch::each(inputs, planes, |pictures| Ok(self.encode_planes(&pictures)))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::starter::goldens;

    pub(in crate::starter) fn picture(name: &str) -> Vec<f32> {
        let formula = |x: i32, y: i32, c: i32| -> f64 {
            match name {
                "ramp" => f64::from((x * 7 + y * 13 + c * 29) % 256) / 255.0,
                "disc" if (x - 32).pow(2) + (y - 30).pow(2) > 400 => 1.0,
                "disc" => [0.9, 0.1, 0.2][c as usize],
                "bars" => f64::from((x / 8 + c) % 2) * 0.8 + 0.1,
                "white" => 1.0,
                "noise" => f64::from((x * x * 31 + y * y * 17 + x * y * 7 + c * 101) % 256) / 255.0,
                "frame" => {
                    let (inside, edge) = (|v: i32| (10..=54).contains(&v), |v: i32| v <= 14 || v >= 50);
                    if inside(x) && inside(y) && (edge(x) || edge(y)) { 0.2 } else { [1.0, 0.95, 0.8][c as usize] }
                }
                other => panic!("no formula for \"{other}\""),
            }
        };
        let side = SIDE as i32;
        (0..3 * side * side)
            .map(|index| formula(index % side, index / side % side, index / side / side) as f32)
            .collect()
    }

    #[test]
    fn equals_the_reference() {
        let tower = PictureTower::load(&goldens::source()).unwrap();
        let goldens = goldens::read().pictures;
        let planes: Vec<Vec<f32>> = goldens.iter().map(|golden| picture(&golden.name)).collect();
        let together = tower.encode_planes(&planes);
        for ((golden, planes), vector) in goldens.iter().zip(&planes).zip(&together) {
            golden.check(vector);
            assert_eq!(tower.encode_planes(std::slice::from_ref(planes))[0], *vector);
        }
    }

    #[test]
    fn an_input_of_another_kind_fails_alone() {
        let tower = PictureTower::load(&goldens::source()).unwrap();
        let image = EncodeInput::Image { width_px: 2, height_px: 1, rgb: vec![0, 0, 0, 255, 255, 255].into() };
        let short = EncodeInput::Image { width_px: 2, height_px: 2, rgb: vec![0; 11].into() };
        let out = tower.forward(&[EncodeInput::Text("a".into()), image, short]).unwrap();
        assert_eq!(out[0].as_ref().unwrap_err(), "a picture tower takes no text");
        assert_eq!(out[1].as_ref().unwrap().len(), 384);
        assert_eq!(out[2].as_ref().unwrap_err(), "a picture of 2 by 2 pixels has 12 bytes, not 11");
    }
}
