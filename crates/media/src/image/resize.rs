//! Resizing as Pillow does it.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

use super::picture::{Picture, Rgb};
use crate::error::MediaError;
use crate::media_type::MediaType;

/// How neighbouring pixels are weighed. The support grows with the reduction (antialiasing), as in Pillow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Filter {
    /// Triangle; `PIL.Image.BILINEAR`.
    Bilinear,
    /// Catmull-Rom (a = -0.5); `PIL.Image.BICUBIC`.
    Bicubic,
}

/// Resizes a picture to exactly `width_px` x `height_px` (at least 1 x 1), with the same values as `PIL.Image.resize`
/// give or take one step of 255.
///
/// # Errors
/// [`MediaError::Corrupt`] when the buffer of `source` is shorter than its sides say.
pub fn resize_rgb(source: &Rgb, width_px: u32, height_px: u32, filter: Filter) -> Result<Rgb, MediaError> {
    let (width_px, height_px) = (width_px.max(1), height_px.max(1));
    let rgb = resize(&source.rgb, (source.width_px, source.height_px), (width_px, height_px), PixelType::U8x3, filter)?;
    Ok(Rgb { width_px, height_px, rgb })
}

/// Resizes a picture with its transparency; colours are premultiplied meanwhile, so that no fringe appears.
pub(super) fn resize_rgba(
    source: &Picture,
    width_px: u32,
    height_px: u32,
    filter: Filter,
) -> Result<Picture, MediaError> {
    let (width_px, height_px) = (width_px.max(1), height_px.max(1));
    let rgba =
        resize(&source.rgba, (source.width_px, source.height_px), (width_px, height_px), PixelType::U8x4, filter)?;
    Ok(Picture { width_px, height_px, rgba })
}

fn resize(
    pixels: &[u8],
    from: (u32, u32),
    to: (u32, u32),
    pixel_type: PixelType,
    filter: Filter,
) -> Result<Vec<u8>, MediaError> {
    let failed = |error: String| MediaError::corrupt(MediaType::Bmp, error);
    if from == to {
        return Ok(pixels.to_vec());
    }
    let source = ImageRef::new(from.0, from.1, pixels, pixel_type).map_err(|error| failed(error.to_string()))?;
    let mut target = Image::new(to.0, to.1, pixel_type);
    let filter = match filter {
        Filter::Bilinear => FilterType::Bilinear,
        Filter::Bicubic => FilterType::CatmullRom,
    };
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter));
    Resizer::new().resize(&source, &mut target, &options).map_err(|error| failed(error.to_string()))?;
    Ok(target.into_vec())
}
