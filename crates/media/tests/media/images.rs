//! Pictures made of pixels.

use image::{DynamicImage, ImageBuffer, ImageFormat, Luma, Rgb as RgbPixel};
use proptest::prelude::*;
use sensorium_media::{Limits, MediaType, Picture, PixelBox, TileOptions, decode_image, sniff, tiles};

use crate::support::{CMYK_JPEG, GREY_JPEG, MOVING_GIF, MOVING_WEBP, TURNED_JPEG, drawing, encode, rasters};

fn decode(bytes: &[u8]) -> Picture {
    let media_type = sniff(bytes, None).expect("the type is known");
    decode_image(bytes, media_type, &Limits::default()).expect("the picture decodes")
}

fn pixel(picture: &Picture, x: u32, y: u32) -> [u8; 4] {
    let at = (y * picture.width_px + x) as usize * 4;
    picture.rgba[at..at + 4].try_into().expect("four channels")
}

fn assert_near(found: [u8; 4], expected: [u8; 4]) {
    let near = found.iter().zip(expected).all(|(a, b)| a.abs_diff(b) <= 16);
    assert!(near, "{found:?} is not near {expected:?}");
}

#[test]
fn every_format_decodes_to_the_same_pixels() {
    for (media_type, bytes) in rasters() {
        let picture = decode(&bytes);
        assert_eq!((picture.width_px, picture.height_px), (24, 16), "{media_type}");
        assert_near(pixel(&picture, 2, 2), [255, 0, 0, 255]);
        assert_near(pixel(&picture, 20, 2), [255, 255, 255, 255]);
    }
}

#[test]
fn rare_pixels_become_rgba() {
    let deep = ImageBuffer::from_pixel(4, 4, RgbPixel([65_535_u16, 32_768, 0]));
    let deep = encode(&DynamicImage::ImageRgb16(deep), ImageFormat::Png);
    assert_near(pixel(&decode(&deep), 1, 1), [255, 128, 0, 255]);
    let grey = ImageBuffer::from_pixel(4, 4, Luma([100_u8]));
    let grey = encode(&DynamicImage::ImageLuma8(grey), ImageFormat::Png);
    assert_eq!(pixel(&decode(&grey), 1, 1), [100, 100, 100, 255]);
    assert_near(pixel(&decode(CMYK_JPEG), 4, 4), [255, 0, 0, 255]);
    let gradient = decode(GREY_JPEG);
    assert!(pixel(&gradient, 8, 1)[0] < 40 && pixel(&gradient, 8, 14)[0] > 200);
}

#[test]
fn of_moving_pictures_the_first_frame_is_taken() {
    for file in [MOVING_GIF, MOVING_WEBP] {
        let picture = decode(file);
        assert_eq!((picture.width_px, picture.height_px), (8, 8));
        assert_near(pixel(&picture, 4, 4), [255, 0, 0, 255]);
    }
}

#[test]
fn exif_orientation_is_applied() {
    let picture = decode(TURNED_JPEG);
    assert_eq!((picture.width_px, picture.height_px), (16, 24));
    assert_near(pixel(&picture, 13, 3), [255, 0, 0, 255]);
    assert_near(pixel(&picture, 3, 3), [255, 255, 255, 255]);
    assert_near(pixel(&picture, 13, 20), [255, 255, 255, 255]);
}

#[test]
fn transparency_is_laid_on_white() {
    let picture = decode(&rasters()[0].1);
    assert!(picture.has_transparency());
    let rgb = picture.on_white();
    let last = &rgb.rgb[rgb.rgb.len() - 3..];
    assert_eq!(last, [127, 127, 255]);
}

#[test]
fn crops_are_clipped_to_the_picture() {
    let picture = decode(&rasters()[0].1);
    let corner = PixelBox { x_px: 20, y_px: 10, width_px: 100, height_px: 100 };
    let cropped = picture.crop(corner).expect("a part is left");
    assert_eq!((cropped.width_px, cropped.height_px), (4, 6));
    assert_eq!(pixel(&cropped, 0, 0), pixel(&picture, 20, 10));
    assert_eq!(pixel(&cropped, 3, 5), pixel(&picture, 23, 15));
    assert!(picture.crop(PixelBox { x_px: 24, ..corner }).is_none());
}

#[test]
fn thumbnails_are_small_files_of_their_type() {
    let picture = decode(&rasters()[0].1);
    let thumbnail = picture.thumbnail(12).expect("a thumbnail");
    assert_eq!((thumbnail.width_px, thumbnail.height_px), (12, 8));
    assert_eq!(thumbnail.media_type, MediaType::Png);
    assert_eq!(sniff(&thumbnail.bytes, None), Ok(MediaType::Png));
    assert_near(pixel(&decode(&thumbnail.bytes), 2, 2), [255, 0, 0, 255]);

    let opaque = encode(&DynamicImage::ImageRgb8(DynamicImage::ImageRgba8(drawing()).to_rgb8()), ImageFormat::Bmp);
    let thumbnail = decode(&opaque).thumbnail(512).expect("a thumbnail");
    assert_eq!((thumbnail.width_px, thumbnail.height_px, thumbnail.media_type), (24, 16, MediaType::Jpeg));
    assert_eq!(sniff(&thumbnail.bytes, None), Ok(MediaType::Jpeg));
}

#[test]
fn small_pictures_have_no_tiles() {
    assert!(tiles(800, 600, &TileOptions::default()).is_empty());
    assert!(tiles(1024, 1024, &TileOptions::default()).is_empty());
    assert!(tiles(4000, 10, &TileOptions::default()).is_empty());
    assert!(tiles(0, 0, &TileOptions::default()).is_empty());
    assert_eq!(tiles(2000, 1000, &TileOptions::default()).len(), 8);
}

proptest! {
    #[test]
    fn tiles_cover_the_picture_within_the_bounds(
        width in 1_u32..20_000, height in 1_u32..20_000, side in 0_u32..3000, overlap in -1.0_f32..2.0, most in 0_u32..40,
    ) {
        let options = TileOptions { tile_side_px: side, overlap, max_tiles: most, ..TileOptions::default() };
        let boxes = tiles(width, height, &options);
        prop_assert!(boxes.len() <= most as usize);
        prop_assert!(boxes.len() != 1);
        for edge in boxes.iter().flat_map(|tile| [tile.x_px + tile.width_px <= width, tile.y_px + tile.height_px <= height]) {
            prop_assert!(edge);
        }
        let covered = |x: u32, y: u32| boxes.iter().any(|tile| {
            (tile.x_px..tile.x_px + tile.width_px).contains(&x) && (tile.y_px..tile.y_px + tile.height_px).contains(&y)
        });
        if !boxes.is_empty() {
            for step in 0..=16 {
                prop_assert!(covered((width - 1) / 16 * step, (height - 1) / 16 * step));
                prop_assert!(covered((width - 1) / 16 * step, height - 1 - (height - 1) / 16 * step));
            }
        }
    }
}
