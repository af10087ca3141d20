//! Files made in the tests, and fixtures (see `tests/fixtures/make.sh`).

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, RgbaImage};
use sensorium_media::{MediaType, Sound, to_wav};

pub const MP3: &[u8] = include_bytes!("../fixtures/tone.mp3");
pub const BARE_MP3: &[u8] = include_bytes!("../fixtures/bare.mp3");
pub const OGG: &[u8] = include_bytes!("../fixtures/tone.ogg");
pub const OGG_FLAC: &[u8] = include_bytes!("../fixtures/flac.ogg");
pub const OGG_OPUS: &[u8] = include_bytes!("../fixtures/opus.ogg");
pub const M4A: &[u8] = include_bytes!("../fixtures/tone.m4a");
pub const AAC: &[u8] = include_bytes!("../fixtures/tone.aac");
pub const FLAC: &[u8] = include_bytes!("../fixtures/tone.flac");
pub const VIDEO_MP4: &[u8] = include_bytes!("../fixtures/video.mp4");
pub const VIDEO_WEBM: &[u8] = include_bytes!("../fixtures/video.webm");
pub const CMYK_JPEG: &[u8] = include_bytes!("../fixtures/cmyk.jpg");
pub const TURNED_JPEG: &[u8] = include_bytes!("../fixtures/turned.jpg");
pub const GREY_JPEG: &[u8] = include_bytes!("../fixtures/grey.jpg");
pub const MOVING_WEBP: &[u8] = include_bytes!("../fixtures/moving.webp");
pub const MOVING_GIF: &[u8] = include_bytes!("../fixtures/moving.gif");

/// A small picture: red at the top left, half transparent blue at the bottom right, white elsewhere.
pub fn drawing() -> RgbaImage {
    RgbaImage::from_fn(24, 16, |x, y| match (x < 12, y < 8) {
        (true, true) => image::Rgba([255, 0, 0, 255]),
        (false, false) => image::Rgba([0, 0, 255, 128]),
        _ => image::Rgba([255, 255, 255, 255]),
    })
}

pub fn encode(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    picture.write_to(&mut file, format).expect("the picture can be encoded");
    file.into_inner()
}

/// The drawing in every raster format.
pub fn rasters() -> Vec<(MediaType, Vec<u8>)> {
    let with_alpha = DynamicImage::ImageRgba8(drawing());
    let opaque = DynamicImage::ImageRgb8(with_alpha.to_rgb8());
    vec![
        (MediaType::Png, encode(&with_alpha, ImageFormat::Png)),
        (MediaType::Jpeg, encode(&opaque, ImageFormat::Jpeg)),
        (MediaType::WebP, encode(&with_alpha, ImageFormat::WebP)),
        (MediaType::Gif, encode(&with_alpha, ImageFormat::Gif)),
        (MediaType::Tiff, encode(&opaque, ImageFormat::Tiff)),
        (MediaType::Bmp, encode(&opaque, ImageFormat::Bmp)),
    ]
}

/// A tone of 440 Hz.
pub fn tone(sample_rate_hz: u32, seconds: f32) -> Sound {
    let count = (seconds * sample_rate_hz as f32) as usize;
    let step = 440.0 * std::f32::consts::TAU / sample_rate_hz as f32;
    let samples = (0..count).map(|index| (index as f32 * step).sin() * 0.5).collect();
    Sound { sample_rate_hz, samples, channels_in_file: 1 }
}

pub fn recordings() -> Vec<(MediaType, Vec<u8>)> {
    vec![
        (MediaType::Wav, to_wav(&tone(22_050, 0.5))),
        (MediaType::Flac, FLAC.to_vec()),
        (MediaType::Mp3, MP3.to_vec()),
        (MediaType::Mp3, BARE_MP3.to_vec()),
        (MediaType::Ogg, OGG.to_vec()),
        (MediaType::Ogg, OGG_FLAC.to_vec()),
        (MediaType::Mp4Audio, M4A.to_vec()),
        (MediaType::Aac, AAC.to_vec()),
    ]
}

pub const SVG: &str = r##"<?xml version="1.0"?>
<!-- a drawing -->
<svg xmlns="http://www.w3.org/2000/svg" width="200" height="100">
  <defs><linearGradient id="g"><stop offset="0" stop-color="red"/><stop offset="1" stop-color="blue"/></linearGradient></defs>
  <rect width="100" height="100" fill="#ff0000"/>
  <circle cx="150" cy="50" r="40" fill="url(#g)"/>
  <text x="10" y="50">words</text>
</svg>"##;

/// A WAV file of this format with this content; the header may claim any length.
pub fn wav(format: u16, channels: u16, rate: u32, bits: u16, claimed_bytes: u32, data: &[u8]) -> Vec<u8> {
    let frame_bytes = channels * bits / 8;
    let mut file = b"RIFF".to_vec();
    file.extend_from_slice(&claimed_bytes.saturating_add(36).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt \x10\0\0\0");
    file.extend_from_slice(&format.to_le_bytes());
    file.extend_from_slice(&channels.to_le_bytes());
    file.extend_from_slice(&rate.to_le_bytes());
    file.extend_from_slice(&rate.saturating_mul(u32::from(frame_bytes)).to_le_bytes());
    file.extend_from_slice(&frame_bytes.to_le_bytes());
    file.extend_from_slice(&bits.to_le_bytes());
    file.extend_from_slice(b"data");
    file.extend_from_slice(&claimed_bytes.to_le_bytes());
    file.extend_from_slice(data);
    file
}
