//! Pictures to a model's pixel values, as `preprocessor_config.json` of the Transformers library says: resize, crop the middle, rescale,
//! normalise.
//!
//! Read are the files of CLIPImageProcessor, SiglipImageProcessor and BlipImageProcessor. Every picture comes out in one size: a file that
//! would keep a picture's own size, or pad it, is refused.

mod config;

use candle_core::{Device, Tensor};
use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use sensorium_domain::EncodeInput;

use self::config::{Config, Resize, unsupported};
use crate::error::ModelError;
use crate::source::Source;

const CHANNELS: usize = 3;

/// What stands between a picture and a model.
#[derive(Debug, Clone)]
pub struct ImageProcessor {
    resize: Resize,
    filter: FilterType,
    height_px: u32,
    width_px: u32,
    /// What each value of a byte becomes, by channel.
    values: Box<[[f32; 256]; CHANNELS]>,
}

impl ImageProcessor {
    /// Reads `preprocessor_config.json`, or `processor_config.json` where only that is there.
    pub fn load(source: &Source) -> Result<Self, ModelError> {
        let config = Config::load(source)?;
        let resize = config.resize()?;
        let filter = match config.resample() {
            2 => FilterType::Bilinear,
            3 => FilterType::CatmullRom,
            other => return Err(unsupported("resample", &other.to_string(), "2 (bilinear), 3 (bicubic)")),
        };
        let (least, whole) = match resize {
            Resize::Exact { height_px, width_px } => ([height_px, width_px], Some([height_px, width_px])),
            Resize::ShortestEdge(side) => ([side, side], None),
        };
        let crop = config.crop()?;
        let Some([height_px, width_px]) = crop.or(whole) else {
            return Err(unsupported(
                "size of pictures",
                "shortest_edge without do_center_crop",
                "one size for all pictures",
            ));
        };
        if height_px == 0 || width_px == 0 || height_px > least[0] || width_px > least[1] {
            let found = format!("{height_px} by {width_px} of {} by {}", least[0], least[1]);
            return Err(unsupported("crop_size", &found, "at least 1 and at most the size before cropping"));
        }
        Ok(Self { resize, filter, height_px, width_px, values: Box::new(config.values()?) })
    }

    /// Height and width of what comes out.
    pub fn size(&self) -> (usize, usize) {
        (self.height_px as usize, self.width_px as usize)
    }

    /// `rgb`: rows of 8-bit pixels without padding. Gives channel x height x width.
    ///
    /// # Errors
    /// When there are more or fewer bytes than the sides say, or none.
    pub fn apply(&self, width_px: u32, height_px: u32, rgb: &[u8]) -> Result<Vec<f32>, String> {
        let bytes = u128::from(width_px) * u128::from(height_px) * CHANNELS as u128;
        if bytes != rgb.len() as u128 || rgb.is_empty() {
            return Err(format!("a picture of {width_px} by {height_px} pixels has {bytes} bytes, not {}", rgb.len()));
        }
        let resized = self.resized(width_px, height_px, rgb).map_err(|error| error.to_string())?;
        let planes = self.values.iter().enumerate().flat_map(|(channel, values)| {
            resized.iter().skip(channel).step_by(CHANNELS).map(|byte| values[usize::from(*byte)])
        });
        Ok(planes.collect())
    }

    /// Applies it to an input, which must be a picture.
    pub(crate) fn prepare(&self, input: &EncodeInput) -> Result<Vec<f32>, String> {
        match input {
            EncodeInput::Image { width_px, height_px, rgb } => self.apply(*width_px, *height_px, rgb),
            other => Err(format!("a picture model takes no {}", other.modality())),
        }
    }

    /// Prepared pictures as one tensor in memory: pictures x channel x height x width.
    pub(crate) fn stack(&self, pictures: &[Vec<f32>]) -> candle_core::Result<Tensor> {
        let (height, width) = self.size();
        Tensor::from_vec(pictures.concat(), (pictures.len(), CHANNELS, height, width), &Device::Cpu)
    }

    /// The middle of the resized picture. Only what is kept is computed, so that no picture becomes larger than the model takes, however
    /// thin it is.
    fn resized(&self, width_px: u32, height_px: u32, rgb: &[u8]) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
        let [whole_height, whole_width] = self.resize.apply(height_px, width_px);
        let (left, width) = middle(whole_width, self.width_px, width_px);
        let (top, height) = middle(whole_height, self.height_px, height_px);
        let picture = ImageRef::new(width_px, height_px, rgb, PixelType::U8x3)?;
        let mut resized = Image::new(self.width_px, self.height_px, PixelType::U8x3);
        let options =
            ResizeOptions::new().resize_alg(ResizeAlg::Convolution(self.filter)).crop(left, top, width, height);
        Resizer::new().resize(&picture, &mut resized, &options)?;
        Ok(resized.into_vec())
    }
}

/// Start and length, in pixels of a picture that has `source` of them, of the middle `kept` of `whole` pixels to which it is resized.
fn middle(whole: u64, kept: u32, source: u32) -> (f64, f64) {
    let (kept, source) = (u64::from(kept), f64::from(source));
    let scale = source / whole as f64;
    let start = ((whole - kept) / 2) as f64 * scale;
    (start, (kept as f64 * scale).min(source - start))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn processor(config: &str) -> Result<ImageProcessor, ModelError> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("preprocessor_config.json"), config).unwrap();
        ImageProcessor::load(&Source::Folder(folder.path().to_owned()))
    }

    fn refusal(config: &str) -> String {
        processor(config).unwrap_err().to_string()
    }

    /// A picture in which every pixel tells its place.
    fn ramp(width: u32, height: u32) -> Vec<u8> {
        (0..height).flat_map(|y| (0..width).flat_map(move |x| [x as u8, y as u8, (x + y) as u8])).collect()
    }

    #[test]
    fn old_and_new_forms_of_a_size_mean_the_same() {
        let old = r#"{"feature_extractor_type": "CLIPFeatureExtractor", "size": 32, "crop_size": 30}"#;
        let new = r#"{"image_processor_type": "CLIPImageProcessorFast", "size": {"shortest_edge": 32, "longest_edge": null},
            "crop_size": {"height": 30, "width": 30}}"#;
        let (old, new) = (processor(old).unwrap(), processor(new).unwrap());
        assert_eq!((old.size(), old.resize), ((30, 30), Resize::ShortestEdge(32)));
        let picture = ramp(57, 91);
        assert_eq!(old.apply(57, 91, &picture), new.apply(57, 91, &picture));
        let square = processor(r#"{"image_processor_type": "BlipImageProcessor", "size": 20}"#).unwrap();
        assert_eq!((square.size(), square.resize), ((20, 20), Resize::Exact { height_px: 20, width_px: 20 }));
    }

    #[test]
    fn defaults_are_those_of_the_class() {
        let sizes = ["CLIPImageProcessor", "SiglipImageProcessor", "BlipImageProcessor"]
            .map(|class| processor(&format!(r#"{{"image_processor_type": "{class}"}}"#)).unwrap().size());
        assert_eq!(sizes, [(224, 224), (224, 224), (384, 384)]);
    }

    #[test]
    fn what_is_not_implemented_is_refused_by_name() {
        let of = |rest: &str| refusal(&format!(r#"{{"image_processor_type": "CLIPImageProcessor", {rest}}}"#));
        assert!(refusal(r#"{"image_processor_type": "ViTImageProcessor"}"#).contains("\"ViTImageProcessor\""));
        assert!(refusal("{}").contains("image processor"));
        assert!(of(r#""resample": 1"#).starts_with("resample \"1\""));
        assert!(of(r#""do_resize": false"#).starts_with("do_resize"));
        assert!(of(r#""do_pad": true"#).starts_with("do_pad"));
        assert!(of(r#""size": {"longest_edge": 3}"#).contains("longest_edge"));
        assert!(of(r#""do_center_crop": false"#).contains("without do_center_crop"));
        assert!(of(r#""size": 100, "crop_size": 101"#).contains("101 by 101 of 100 by 100"));
        assert!(of(r#""crop_size": {"shortest_edge": 3}"#).starts_with("crop_size"));
        assert!(of(r#""size": "large""#).contains("preprocessor_config.json cannot be understood"));
    }

    #[test]
    fn values_are_rescaled_and_normalised_by_channel() {
        let config = r#"{"image_processor_type": "SiglipImageProcessor", "size": {"height": 2, "width": 3},
            "rescale_factor": 0.01, "image_mean": [0.0, 0.5, 1.0], "image_std": [1.0, 2.0, 4.0]}"#;
        let rgb: Vec<u8> = (0..18).collect();
        let planes = processor(config).unwrap().apply(3, 2, &rgb).unwrap();
        let expected = |byte: u8, mean: f64, deviation: f64| ((f64::from(byte) * 0.01 - mean) / deviation) as f32;
        assert_eq!(planes[..2], [expected(0, 0.0, 1.0), expected(3, 0.0, 1.0)]);
        assert_eq!(planes[6..8], [expected(1, 0.5, 2.0), expected(4, 0.5, 2.0)]);
        assert_eq!(planes[17], expected(17, 1.0, 4.0));
    }

    #[test]
    fn the_middle_alone_is_the_middle_of_the_whole() {
        let with = |crop: &str| {
            let rest = r#""size": {"height": 61, "width": 45}, "do_normalize": false, "do_rescale": false"#;
            processor(&format!(r#"{{"image_processor_type": "CLIPImageProcessor", {rest}, {crop}}}"#)).unwrap()
        };
        let (whole, middle) = (with(r#""do_center_crop": false"#), with(r#""crop_size": [20, 30]"#));
        for (width, height) in [(200, 90), (45, 61), (13, 17), (45, 100)] {
            let picture = ramp(width, height);
            let whole = whole.apply(width, height, &picture).unwrap();
            let cropped = middle.apply(width, height, &picture).unwrap();
            for (place, value) in cropped.iter().enumerate() {
                let (channel, y, x) = (place / 600, place / 30 % 20, place % 30);
                assert_eq!(*value, whole[(channel * 61 + y + 20) * 45 + x + 7], "{width} by {height}: {place}");
            }
        }
    }

    #[test]
    fn thin_and_broken_pictures_are_answered() {
        let processor = processor(r#"{"image_processor_type": "CLIPImageProcessor"}"#).unwrap();
        assert_eq!(processor.apply(1, 2_000_000, &vec![7; 6_000_000]).unwrap().len(), 3 * 224 * 224);
        assert_eq!(processor.apply(1, 1, &[1, 2, 3]).unwrap().len(), 3 * 224 * 224);
        assert!(processor.apply(2, 2, &[0; 11]).unwrap_err().contains("has 12 bytes, not 11"));
        assert!(processor.apply(0, 5, &[]).is_err());
        assert!(processor.apply(u32::MAX, u32::MAX, &[0; 3]).is_err());
    }
}
