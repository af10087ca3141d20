//! The file that says how pictures are prepared.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::error::ModelError;
use crate::source::Source;

/// `preprocessor_config.json`, with the defaults of its class where a field is left out.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Config {
    image_processor_type: Option<String>,
    /// The same in older files.
    feature_extractor_type: Option<String>,
    do_resize: Option<bool>,
    size: Option<Size>,
    default_to_square: Option<bool>,
    use_square_size: Option<bool>,
    resample: Option<u32>,
    do_center_crop: Option<bool>,
    crop_size: Option<Size>,
    do_pad: Option<bool>,
    do_rescale: Option<bool>,
    rescale_factor: Option<f64>,
    do_normalize: Option<bool>,
    image_mean: Option<[f64; 3]>,
    image_std: Option<[f64; 3]>,
}

/// `processor_config.json`, where a repository keeps everything in one file.
#[derive(Deserialize)]
struct Processor {
    image_processor: Config,
}

/// A size in any of the forms that files have had.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Size {
    Side(u32),
    /// Height and width.
    Pair([u32; 2]),
    Named(BTreeMap<String, Option<u32>>),
}

/// What size a picture gets before it is cropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resize {
    /// Whatever its shape was.
    Exact {
        /// Height.
        height_px: u32,
        /// Width.
        width_px: u32,
    },
    /// Its shape stays, and its shorter side becomes this long.
    ShortestEdge(u32),
}

impl Resize {
    /// Height and width of what a picture of `height_px` by `width_px` becomes; the longer side is rounded down.
    pub(super) fn apply(self, height_px: u32, width_px: u32) -> [u64; 2] {
        match self {
            Self::Exact { height_px, width_px } => [height_px.into(), width_px.into()],
            Self::ShortestEdge(side) => {
                let shorter = u64::from(height_px.min(width_px));
                [height_px, width_px].map(|length| u64::from(side) * u64::from(length) / shorter)
            }
        }
    }
}

/// The classes whose files are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Clip,
    Siglip,
    Blip,
}

impl Class {
    fn of(name: &str) -> Option<Self> {
        match name.strip_suffix("Fast").or_else(|| name.strip_suffix("Pil")).unwrap_or(name) {
            "CLIPImageProcessor" | "CLIPFeatureExtractor" => Some(Self::Clip),
            "SiglipImageProcessor" => Some(Self::Siglip),
            "BlipImageProcessor" => Some(Self::Blip),
            _ => None,
        }
    }

    fn resize(self) -> Resize {
        match self {
            Self::Clip => Resize::ShortestEdge(224),
            Self::Siglip => Resize::Exact { height_px: 224, width_px: 224 },
            Self::Blip => Resize::Exact { height_px: 384, width_px: 384 },
        }
    }

    fn mean_and_deviation(self) -> [[f64; 3]; 2] {
        match self {
            Self::Clip | Self::Blip => {
                [[0.481_454_66, 0.457_827_5, 0.408_210_73], [0.268_629_54, 0.261_302_58, 0.275_777_11]]
            }
            Self::Siglip => [[0.5; 3]; 2],
        }
    }
}

impl Config {
    /// Reads the file of `source`.
    pub(super) fn load(source: &Source) -> Result<Self, ModelError> {
        match source.json("preprocessor_config.json") {
            Err(missing @ ModelError::MissingFile { .. }) => source
                .optional_json::<Processor>("processor_config.json")?
                .map(|file| file.image_processor)
                .ok_or(missing),
            read => read,
        }
    }

    fn class(&self) -> Result<Class, ModelError> {
        let name = self.image_processor_type.as_deref().or(self.feature_extractor_type.as_deref()).unwrap_or_default();
        Class::of(name).ok_or_else(|| {
            unsupported(
                "image processor",
                name,
                "CLIPImageProcessor, SiglipImageProcessor, BlipImageProcessor (also Fast)",
            )
        })
    }

    /// What size a picture gets.
    pub(super) fn resize(&self) -> Result<Resize, ModelError> {
        let class = self.class()?;
        if self.do_resize == Some(false) {
            return Err(unsupported("do_resize", "false", "true"));
        }
        if self.do_pad == Some(true) {
            return Err(unsupported("do_pad", "true", "false"));
        }
        if self.use_square_size == Some(true) {
            return Err(unsupported("use_square_size", "true", "false"));
        }
        let is_square = self.default_to_square.unwrap_or(class == Class::Blip);
        match &self.size {
            None => Ok(class.resize()),
            Some(Size::Side(side)) if is_square => Ok(Resize::Exact { height_px: *side, width_px: *side }),
            Some(Size::Side(side)) => Ok(Resize::ShortestEdge(*side)),
            Some(Size::Pair([height_px, width_px])) => Ok(Resize::Exact { height_px: *height_px, width_px: *width_px }),
            Some(Size::Named(sides)) => named(sides)
                .ok_or_else(|| unsupported("size of pictures", &keys(sides), "height and width, or shortest_edge")),
        }
    }

    /// Height and width of the middle that is kept, where the rest is cropped.
    pub(super) fn crop(&self) -> Result<Option<[u32; 2]>, ModelError> {
        let class = self.class()?;
        if !self.do_center_crop.unwrap_or(class == Class::Clip) {
            return Ok(None);
        }
        match &self.crop_size {
            None => Ok(Some([224; 2])),
            Some(Size::Side(side)) => Ok(Some([*side; 2])),
            Some(Size::Pair(pair)) => Ok(Some(*pair)),
            Some(Size::Named(sides)) => match named(sides) {
                Some(Resize::Exact { height_px, width_px }) => Ok(Some([height_px, width_px])),
                _ => Err(unsupported("crop_size", &keys(sides), "height and width")),
            },
        }
    }

    /// Pillow's number of the filter.
    pub(super) fn resample(&self) -> u32 {
        const BICUBIC: u32 = 3;
        self.resample.unwrap_or(BICUBIC)
    }

    /// What each value of a byte becomes, by channel.
    pub(super) fn values(&self) -> Result<[[f32; 256]; 3], ModelError> {
        let scale = if self.do_rescale == Some(false) { 1.0 } else { self.rescale_factor.unwrap_or(1.0 / 255.0) };
        let [mean, deviation] = self.class()?.mean_and_deviation();
        let [mean, deviation] = match self.do_normalize {
            Some(false) => [[0.0; 3], [1.0; 3]],
            _ => [self.image_mean.unwrap_or(mean), self.image_std.unwrap_or(deviation)],
        };
        Ok(std::array::from_fn(|channel| {
            std::array::from_fn(|byte| ((byte as f64 * scale - mean[channel]) / deviation[channel]) as f32)
        }))
    }
}

fn named(sides: &BTreeMap<String, Option<u32>>) -> Option<Resize> {
    let given: Vec<(&str, u32)> = sides.iter().filter_map(|(name, side)| Some((name.as_str(), (*side)?))).collect();
    match given.as_slice() {
        [("height", height_px), ("width", width_px)] => {
            Some(Resize::Exact { height_px: *height_px, width_px: *width_px })
        }
        [("shortest_edge", side)] => Some(Resize::ShortestEdge(*side)),
        _ => None,
    }
}

fn keys(sides: &BTreeMap<String, Option<u32>>) -> String {
    sides.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
}

pub(super) fn unsupported(what: &'static str, found: &str, supported: &'static str) -> ModelError {
    ModelError::Unsupported { what, found: found.to_owned(), supported }
}
