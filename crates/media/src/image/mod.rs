//! Pictures: decoding, cropping, tiling, resizing and thumbnails.

mod picture;
mod raster;
mod resize;
mod svg;
mod thumbnail;
mod tiles;

pub use picture::{Picture, PixelBox, Rgb};
pub use resize::{Filter, resize_rgb};
pub use thumbnail::Thumbnail;
pub use tiles::{TileOptions, tiles};

use sensorium_domain::Modality;

use crate::error::MediaError;
use crate::guard::guarded;
use crate::limits::Limits;
use crate::media_type::MediaType;

/// Decodes a picture to 8-bit RGBA, upright.
///
/// The size that the header declares is held against `limits` before any pixel is decoded. The EXIF orientation is
/// applied. Of an animation the first frame is taken, of a TIFF the first page. Depths above 8 bits, palettes, greys and
/// CMYK become 8-bit RGBA. An SVG is drawn with its longer side between 512 and 1024 pixels; nothing outside the file is
/// read for it except system fonts.
///
/// # Errors
/// [`MediaError::TooLarge`] beyond the limits; [`MediaError::Truncated`] and [`MediaError::Corrupt`] for bytes that are
/// not a whole picture; [`MediaError::Unsupported`] for rare variants; [`MediaError::WrongKind`] for text and audio types.
pub fn decode_image(bytes: &[u8], media_type: MediaType, limits: &Limits) -> Result<Picture, MediaError> {
    if media_type.modality() != Modality::Image {
        return Err(MediaError::WrongKind { media_type, wanted: "image" });
    }
    limits.check_bytes(bytes.len() as u64)?;
    if media_type == MediaType::Svg {
        return svg::decode(bytes, limits);
    }
    guarded(media_type, || raster::decode(bytes, media_type, limits))
}
