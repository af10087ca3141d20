//! The types of file that are taken.

use sensorium_domain::Modality;
use serde::{Deserialize, Serialize};

/// A type of file that is taken, known by its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum MediaType {
    /// Unicode text.
    #[serde(rename = "text/plain")]
    PlainText,
    /// Unicode text with Markdown structure.
    #[serde(rename = "text/markdown")]
    Markdown,
    /// Portable Network Graphics.
    #[serde(rename = "image/png")]
    Png,
    /// JPEG.
    #[serde(rename = "image/jpeg")]
    Jpeg,
    /// WebP, lossy or lossless.
    #[serde(rename = "image/webp")]
    WebP,
    /// GIF; the first frame is used.
    #[serde(rename = "image/gif")]
    Gif,
    /// Scalable Vector Graphics.
    #[serde(rename = "image/svg+xml")]
    Svg,
    /// TIFF; the first page is used.
    #[serde(rename = "image/tiff")]
    Tiff,
    /// Windows bitmap.
    #[serde(rename = "image/bmp")]
    Bmp,
    /// RIFF WAVE with PCM or float samples.
    #[serde(rename = "audio/wav")]
    Wav,
    /// FLAC in its own container.
    #[serde(rename = "audio/flac")]
    Flac,
    /// MPEG layer III.
    #[serde(rename = "audio/mpeg")]
    Mp3,
    /// Ogg with Vorbis or FLAC.
    #[serde(rename = "audio/ogg")]
    Ogg,
    /// MP4 with an AAC track and no pictures (M4A).
    #[serde(rename = "audio/mp4")]
    Mp4Audio,
    /// AAC in ADTS frames.
    #[serde(rename = "audio/aac")]
    Aac,
}

impl MediaType {
    /// All of them, in the order in which they are listed to users.
    pub const ALL: [Self; 15] = [
        Self::PlainText,
        Self::Markdown,
        Self::Png,
        Self::Jpeg,
        Self::WebP,
        Self::Gif,
        Self::Svg,
        Self::Tiff,
        Self::Bmp,
        Self::Wav,
        Self::Flac,
        Self::Mp3,
        Self::Ogg,
        Self::Mp4Audio,
        Self::Aac,
    ];

    /// The media type as it stands in a `Content-Type` header, without parameters.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PlainText => "text/plain",
            Self::Markdown => "text/markdown",
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::WebP => "image/webp",
            Self::Gif => "image/gif",
            Self::Svg => "image/svg+xml",
            Self::Tiff => "image/tiff",
            Self::Bmp => "image/bmp",
            Self::Wav => "audio/wav",
            Self::Flac => "audio/flac",
            Self::Mp3 => "audio/mpeg",
            Self::Ogg => "audio/ogg",
            Self::Mp4Audio => "audio/mp4",
            Self::Aac => "audio/aac",
        }
    }

    /// The modality of its content.
    pub const fn modality(self) -> Modality {
        match self {
            Self::PlainText | Self::Markdown => Modality::Text,
            Self::Png | Self::Jpeg | Self::WebP | Self::Gif | Self::Svg | Self::Tiff | Self::Bmp => Modality::Image,
            Self::Wav | Self::Flac | Self::Mp3 | Self::Ogg | Self::Mp4Audio | Self::Aac => Modality::Audio,
        }
    }

    /// The usual extension of its file names, without the dot.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::PlainText => "txt",
            Self::Markdown => "md",
            Self::Png => "png",
            Self::Jpeg => "jpg",
            Self::WebP => "webp",
            Self::Gif => "gif",
            Self::Svg => "svg",
            Self::Tiff => "tif",
            Self::Bmp => "bmp",
            Self::Wav => "wav",
            Self::Flac => "flac",
            Self::Mp3 => "mp3",
            Self::Ogg => "ogg",
            Self::Mp4Audio => "m4a",
            Self::Aac => "aac",
        }
    }
}

impl std::fmt::Display for MediaType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for MediaType {
    type Err = String;

    /// Reads the name back; parameters (`; charset=utf-8`) are ignored.
    fn from_str(text: &str) -> Result<Self, String> {
        let name = text.split(';').next().unwrap_or_default().trim();
        Self::ALL
            .into_iter()
            .find(|media_type| media_type.as_str().eq_ignore_ascii_case(name))
            .ok_or_else(|| format!("\"{text}\" is not a supported media type"))
    }
}
