//! Small versions for result pages.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};

use super::picture::Picture;
use super::resize::{Filter, resize_rgba};
use crate::error::MediaError;
use crate::media_type::MediaType;

const JPEG_QUALITY: u8 = 85;

/// An encoded small picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thumbnail {
    /// JPEG, or PNG where the picture has transparency.
    pub media_type: MediaType,
    /// Width in pixels.
    pub width_px: u32,
    /// Height in pixels.
    pub height_px: u32,
    /// The encoded file.
    pub bytes: Vec<u8>,
}

impl Picture {
    /// The picture reduced until its longer side is at most `max_side_px`; never enlarged.
    ///
    /// # Errors
    /// [`MediaError::Corrupt`] when the buffer of the picture is shorter than its sides say.
    pub fn thumbnail(&self, max_side_px: u32) -> Result<Thumbnail, MediaError> {
        let longer = self.width_px.max(self.height_px).max(1);
        let scale = (f64::from(max_side_px.max(1)) / f64::from(longer)).min(1.0);
        let scaled = |side: u32| ((f64::from(side) * scale).round() as u32).max(1);
        let small = resize_rgba(self, scaled(self.width_px), scaled(self.height_px), Filter::Bicubic)?;
        let media_type = if small.has_transparency() { MediaType::Png } else { MediaType::Jpeg };
        let mut encoded = Cursor::new(Vec::new());
        let outcome = if media_type == MediaType::Png {
            PngEncoder::new(&mut encoded).write_image(
                &small.rgba,
                small.width_px,
                small.height_px,
                ExtendedColorType::Rgba8,
            )
        } else {
            JpegEncoder::new_with_quality(&mut encoded, JPEG_QUALITY).write_image(
                &small.on_white().rgb,
                small.width_px,
                small.height_px,
                ExtendedColorType::Rgb8,
            )
        };
        outcome.map_err(|error| MediaError::corrupt(media_type, error.to_string()))?;
        Ok(Thumbnail { media_type, width_px: small.width_px, height_px: small.height_px, bytes: encoded.into_inner() })
    }
}
