//! How large a file and its content may be.

use serde::Deserialize;

use crate::error::{Measure, MediaError};

/// Upper bounds on untrusted media, checked before and during decoding. The names are those of the `[ingest]` section of
/// the configuration; each has a default that suits a laptop.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Bytes of one file. Default 256 MiB.
    pub max_bytes: u64,
    /// Pixels (width x height) of one picture. A picture takes 4 bytes per pixel in memory, and while it is decoded as
    /// many again as its own depth has (3 for most, 8 at 16 bits). Default 100,000,000.
    pub max_pixels: u64,
    /// Pixels of a picture's longer side. Default 65,535.
    pub max_side_px: u64,
    /// Length of one recording in milliseconds. Default one hour.
    pub max_duration_ms: u64,
    /// Samples of one recording after its channels are mixed into one; 4 bytes each in memory. Default 180,000,000, which
    /// is one hour at 48 kHz.
    pub max_decoded_samples: u64,
    /// Bytes of one text, as UTF-8. Default 16 MiB. Also the bound for the source of an SVG.
    pub max_text_bytes: u64,
    /// Elements and characters of an SVG after all of its references (`use`, patterns, masks, markers, filters) are
    /// followed. Default 200,000.
    pub max_svg_nodes: u64,
    /// Pixels that drawing an SVG may touch, layer by layer, with costly filters counted several times and
    /// opaque colours for less. Default 400,000,000, which is up to ten seconds of one core.
    pub max_svg_painted_pixels: u64,
    /// Segments that one file is cut into. Default 20,000.
    pub max_segments: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_bytes: 256 * 1024 * 1024,
            max_pixels: 100_000_000,
            max_side_px: 65_535,
            max_duration_ms: 60 * 60 * 1000,
            max_decoded_samples: 180_000_000,
            max_text_bytes: 16 * 1024 * 1024,
            max_svg_nodes: 200_000,
            max_svg_painted_pixels: 400_000_000,
            max_segments: 20_000,
        }
    }
}

impl Limits {
    /// Refuses a file that is empty or has more bytes than `max_bytes`.
    pub fn check_bytes(&self, bytes: u64) -> Result<(), MediaError> {
        if bytes == 0 {
            return Err(MediaError::Empty);
        }
        self.check(Measure::Bytes, bytes)
    }

    /// Refuses a file that is cut into too many segments.
    pub fn check_segments(&self, segments: u64) -> Result<(), MediaError> {
        self.check(Measure::Segments, segments)
    }

    /// Refuses a picture with a side or an area above the limits, or without any pixel.
    pub(crate) fn check_picture(&self, width_px: u64, height_px: u64) -> Result<(), MediaError> {
        self.check(Measure::SidePixels, width_px.max(height_px))?;
        self.check(Measure::Pixels, width_px.saturating_mul(height_px))
    }

    /// Refuses `value` when it is above the limit of `what`.
    pub(crate) fn check(&self, what: Measure, value: u64) -> Result<(), MediaError> {
        let limit = self.limit_of(what);
        if value > limit {
            return Err(MediaError::TooLarge { what, value, limit });
        }
        Ok(())
    }

    /// The limit that a measure is held against.
    pub(crate) fn limit_of(&self, what: Measure) -> u64 {
        match what {
            Measure::Bytes => self.max_bytes,
            Measure::Pixels => self.max_pixels,
            Measure::SidePixels => self.max_side_px,
            Measure::DurationMs => self.max_duration_ms,
            Measure::Samples => self.max_decoded_samples,
            Measure::TextBytes => self.max_text_bytes,
            Measure::SvgNodes => self.max_svg_nodes,
            Measure::SvgPaintedPixels => self.max_svg_painted_pixels,
            Measure::Segments => self.max_segments,
        }
    }
}
