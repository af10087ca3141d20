//! Why a file was not taken.

use crate::media_type::MediaType;

/// What is supported, in the words of error messages.
pub(crate) const SUPPORTED: &str =
    "plain text, Markdown; PNG, JPEG, WebP, GIF, SVG, TIFF, BMP; WAV, FLAC, MP3, Ogg Vorbis, M4A, AAC";

/// Why a file was not taken. Every message can be shown to the user who sent the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MediaError {
    /// There is no content: no bytes, or no samples.
    #[error("the file is empty")]
    Empty,
    /// The content is of no type that is known here.
    #[error("the type of the file is not recognised ({found}); supported are {SUPPORTED}")]
    Unknown {
        /// What the content looks like.
        found: String,
    },
    /// The content is recognised, and is not taken.
    #[error("{found} is not supported: {reason}; supported are {SUPPORTED}")]
    Unsupported {
        /// The name of the type or feature.
        found: String,
        /// Why it is not taken, or what to send in its place.
        reason: String,
    },
    /// The content ends before it is complete.
    #[error("the {media_type} file is truncated: {reason}")]
    Truncated {
        /// What the content claims to be.
        media_type: MediaType,
        /// Where it stops making sense.
        reason: String,
    },
    /// The content contradicts its own format.
    #[error("the {media_type} file is damaged: {reason}")]
    Corrupt {
        /// What the content claims to be.
        media_type: MediaType,
        /// What is wrong with it.
        reason: String,
    },
    /// The content is above a limit. Where decoding was stopped at the limit, `value` is what had been seen until then.
    #[error("{}: {value} {}; the limit is {limit} ({})", .what.complaint(), .what.unit(), .what.setting())]
    TooLarge {
        /// What was measured.
        what: Measure,
        /// The value found.
        value: u64,
        /// The largest value that is taken.
        limit: u64,
    },
    /// Text in an encoding other than UTF-8 or UTF-16 with a byte order mark.
    #[error(
        "the text is not UTF-8 (first bad byte at offset {offset}); save it as UTF-8, or as UTF-16 with a byte order mark"
    )]
    NotUtf8 {
        /// Position of the first byte that is not part of a UTF-8 character.
        offset: u64,
    },
    /// The caller asked one kind of decoder for another kind of content.
    #[error("{media_type} cannot be read as {wanted}")]
    WrongKind {
        /// The type that was given.
        media_type: MediaType,
        /// What was asked for: `text`, `image` or `audio`.
        wanted: &'static str,
    },
}

impl MediaError {
    /// A stable name for programs, in `snake_case`.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Empty => "file_empty",
            Self::Unknown { .. } => "media_type_unknown",
            Self::Unsupported { .. } => "media_type_unsupported",
            Self::Truncated { .. } => "file_truncated",
            Self::Corrupt { .. } => "file_corrupt",
            Self::TooLarge { what, .. } => what.code(),
            Self::NotUtf8 { .. } => "text_not_utf8",
            Self::WrongKind { .. } => "media_type_mismatch",
        }
    }

    pub(crate) fn unsupported(found: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Unsupported { found: found.into(), reason: reason.into() }
    }

    pub(crate) fn corrupt(media_type: MediaType, reason: impl Into<String>) -> Self {
        Self::Corrupt { media_type, reason: reason.into() }
    }

    pub(crate) fn truncated(media_type: MediaType, reason: impl Into<String>) -> Self {
        Self::Truncated { media_type, reason: reason.into() }
    }
}

/// A quantity that has a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Measure {
    /// Bytes of a file.
    Bytes,
    /// Pixels of a picture.
    Pixels,
    /// Pixels of a picture's longer side.
    SidePixels,
    /// Milliseconds of a recording.
    DurationMs,
    /// Samples of a recording, one channel.
    Samples,
    /// Bytes of a text as UTF-8.
    TextBytes,
    /// Elements and characters of an SVG, references followed.
    SvgNodes,
    /// Pixels that drawing an SVG touches.
    SvgPaintedPixels,
    /// Pieces that a file is cut into.
    Segments,
}

impl Measure {
    /// The setting that holds the limit, as it is written in the configuration.
    pub const fn setting(self) -> &'static str {
        match self {
            Self::Bytes => "ingest.max_bytes",
            Self::Pixels => "ingest.max_pixels",
            Self::SidePixels => "ingest.max_side_px",
            Self::DurationMs => "ingest.max_duration_ms",
            Self::Samples => "ingest.max_decoded_samples",
            Self::TextBytes => "ingest.max_text_bytes",
            Self::SvgNodes => "ingest.max_svg_nodes",
            Self::SvgPaintedPixels => "ingest.max_svg_painted_pixels",
            Self::Segments => "ingest.max_segments",
        }
    }

    /// The code of the error that exceeds it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Bytes => "file_too_large",
            Self::Pixels | Self::SidePixels => "image_too_large",
            Self::DurationMs => "audio_too_long",
            Self::Samples => "audio_too_large",
            Self::TextBytes => "text_too_large",
            Self::SvgNodes | Self::SvgPaintedPixels => "image_too_complex",
            Self::Segments => "too_many_segments",
        }
    }

    /// The unit that goes with a value.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Bytes | Self::TextBytes => "bytes",
            Self::Pixels => "pixels",
            Self::SidePixels => "pixels on the longer side",
            Self::DurationMs => "ms",
            Self::Samples => "samples",
            Self::SvgNodes => "elements and characters after references are followed",
            Self::SvgPaintedPixels => "pixels to paint",
            Self::Segments => "segments",
        }
    }

    const fn complaint(self) -> &'static str {
        match self {
            Self::Bytes => "the file is too large",
            Self::Pixels | Self::SidePixels => "the picture is too large",
            Self::DurationMs => "the recording is too long",
            Self::Samples => "the recording has too many samples",
            Self::TextBytes => "the text is too large",
            Self::SvgNodes | Self::SvgPaintedPixels => "the SVG is too complex",
            Self::Segments => "the file is cut into too many segments",
        }
    }
}
