//! Bytes to typed content: what a file is, whether it is within the limits, and its pixels, samples or words.
//!
//! Everything here is synchronous and free of side effects (system fonts are read once, for SVG text). Nothing trusts a
//! declared size: headers are checked against [`Limits`] before memory is taken, and decoding stops at the limit.
//!
//! | step | text | image | audio |
//! |---|---|---|---|
//! | what is it | [`sniff`] | [`sniff`] | [`sniff`] |
//! | decode | [`decode_text`] | [`decode_image`] | [`decode_audio`] |
//! | cut | [`chunk`] | [`tiles`] | [`windows`] |
//! | prepare | | [`resize_rgb`] | [`resample`] |
//! | show | | [`Picture::thumbnail`] | [`peaks`] |
#![forbid(unsafe_code)]

mod audio;
mod error;
mod guard;
mod image;
mod limits;
mod media_type;
mod sniff;
mod text;

pub use audio::{Sound, TimeSpan, decode_audio, peaks, resample, to_wav, windows};
pub use error::{Measure, MediaError};
pub use image::{Filter, Picture, PixelBox, Rgb, Thumbnail, TileOptions, decode_image, resize_rgb, tiles};
pub use limits::Limits;
pub use media_type::MediaType;
pub use sensorium_domain::Modality;
pub use sniff::sniff;
pub use text::{Chunk, chunk, decode_text};
