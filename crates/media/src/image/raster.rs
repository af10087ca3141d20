//! Pictures made of pixels, by the `image` crate.

use std::io::{Cursor, ErrorKind};

use image::error::{ImageError, LimitErrorKind};
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader};

use super::picture::Picture;
use crate::error::MediaError;
use crate::limits::Limits;
use crate::media_type::MediaType;

/// What a decoder may take beside the pixels themselves: tables, rows, a compressed strip.
const DECODER_SPARE_BYTES: u64 = 64 * 1024 * 1024;

/// The deepest pixel that occurs on the way: four channels of 32-bit float, as in TIFF.
const DEEPEST_PIXEL_BYTES: u64 = 16;

pub(super) fn decode(bytes: &[u8], media_type: MediaType, limits: &Limits) -> Result<Picture, MediaError> {
    let format = format_of(media_type)?;
    if media_type == MediaType::Jpeg && !jpeg_is_complete(bytes) {
        return Err(MediaError::truncated(media_type, "it has no end marker"));
    }
    let failed = |error: ImageError| explain(error, media_type);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(allocation_limits(limits.max_pixels));
    let mut decoder = reader.into_decoder().map_err(failed)?;

    let (width, height) = decoder.dimensions();
    limits.check_picture(u64::from(width), u64::from(height))?;
    if width == 0 || height == 0 {
        return Err(MediaError::corrupt(media_type, format!("its size is {width} x {height} pixels")));
    }
    decoder.set_limits(allocation_limits(u64::from(width) * u64::from(height))).map_err(failed)?;

    let orientation = decoder.orientation().map_err(failed)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(failed)?;
    picture.apply_orientation(orientation);
    let picture = picture.into_rgba8();
    Ok(Picture { width_px: picture.width(), height_px: picture.height(), rgba: picture.into_raw() })
}

fn format_of(media_type: MediaType) -> Result<ImageFormat, MediaError> {
    match media_type {
        MediaType::Png => Ok(ImageFormat::Png),
        MediaType::Jpeg => Ok(ImageFormat::Jpeg),
        MediaType::WebP => Ok(ImageFormat::WebP),
        MediaType::Gif => Ok(ImageFormat::Gif),
        MediaType::Tiff => Ok(ImageFormat::Tiff),
        MediaType::Bmp => Ok(ImageFormat::Bmp),
        _ => Err(MediaError::WrongKind { media_type, wanted: "image" }),
    }
}

fn allocation_limits(pixels: u64) -> image::Limits {
    let mut limits = image::Limits::no_limits();
    limits.max_alloc = Some(pixels.saturating_mul(DEEPEST_PIXEL_BYTES).saturating_add(DECODER_SPARE_BYTES));
    limits
}

/// The decoder fills what is missing with grey, so that a cut is found by the end marker alone. The search begins at the
/// picture's own data, since a thumbnail in the header has an end marker too.
fn jpeg_is_complete(bytes: &[u8]) -> bool {
    let mut at = 2;
    while let Some(&[0xff, marker]) = bytes.get(at..at + 2) {
        match marker {
            0xff => at += 1,
            0x01 | 0xd0..=0xd8 => at += 2,
            0xd9 => return true,
            _ => {
                let Some(&[high, low]) = bytes.get(at + 2..at + 4) else {
                    return false;
                };
                at += 2 + usize::from(u16::from_be_bytes([high, low]));
                if marker == 0xda {
                    break;
                }
            }
        }
    }
    let data = bytes.get(at..).unwrap_or_default();
    data.windows(2).any(|pair| pair == [0xff, 0xd9])
}

fn explain(error: ImageError, media_type: MediaType) -> MediaError {
    match error {
        ImageError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => {
            MediaError::truncated(media_type, "it ends before its last pixel")
        }
        ImageError::Limits(error) if error.kind() == LimitErrorKind::InsufficientMemory => {
            MediaError::corrupt(media_type, "decoding it takes more memory than its size accounts for")
        }
        ImageError::Unsupported(error) => MediaError::unsupported(media_type.as_str(), format!("{error}")),
        error => MediaError::corrupt(media_type, error.to_string()),
    }
}

/// The number of pixels that a picture's header declares.
pub(super) fn pixels(bytes: &[u8], media_type: MediaType) -> Option<u64> {
    let format = format_of(media_type).ok()?;
    let (width, height) = ImageReader::with_format(Cursor::new(bytes), format).into_dimensions().ok()?;
    Some(u64::from(width) * u64::from(height))
}
