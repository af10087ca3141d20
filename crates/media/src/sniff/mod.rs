//! What a file is, by its content and never by its name.

mod audio;
mod mp4;
mod text;

pub(crate) use audio::after_id3;

use crate::error::MediaError;
use crate::media_type::MediaType;

/// Says what the bytes are.
///
/// `hint` is a file name or a media type, as the sender gave it. It decides one thing only: whether text is Markdown, since
/// any text is valid Markdown. Without a hint, text is Markdown when it shows two different marks of it in its first
/// 64 KiB, one of them a heading, a code fence or a link.
///
/// # Errors
/// [`MediaError::Empty`]; [`MediaError::Unsupported`] for what is recognised and not taken (PDF, HTML, video, ...);
/// [`MediaError::NotUtf8`] for text in another encoding; [`MediaError::Unknown`] for the rest.
pub fn sniff(bytes: &[u8], hint: Option<&str>) -> Result<MediaType, MediaError> {
    if bytes.is_empty() {
        return Err(MediaError::Empty);
    }
    if let Some(media_type) = image(bytes) {
        return Ok(media_type);
    }
    if let Some(answer) = audio::sniff(bytes) {
        return answer;
    }
    if let Some((found, reason)) = refused(bytes) {
        return Err(MediaError::unsupported(found, reason));
    }
    text::sniff(bytes, hint)
}

fn image(bytes: &[u8]) -> Option<MediaType> {
    const MAGICS: [(&[u8], MediaType); 8] = [
        (b"\x89PNG\r\n\x1a\n", MediaType::Png),
        (b"\xff\xd8\xff", MediaType::Jpeg),
        (b"GIF87a", MediaType::Gif),
        (b"GIF89a", MediaType::Gif),
        (b"II*\0", MediaType::Tiff),
        (b"MM\0*", MediaType::Tiff),
        (b"II+\0", MediaType::Tiff),
        (b"MM\0+", MediaType::Tiff),
    ];
    if let Some((_, media_type)) = MAGICS.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return Some(*media_type);
    }
    if riff_kind(bytes) == Some(b"WEBP") {
        return Some(MediaType::WebP);
    }
    is_bitmap(bytes).then_some(MediaType::Bmp)
}

/// The four letters that say what a RIFF file holds.
fn riff_kind(bytes: &[u8]) -> Option<&[u8; 4]> {
    if !bytes.starts_with(b"RIFF") {
        return None;
    }
    bytes.get(8..12)?.try_into().ok()
}

/// `BM` alone begins many a word; the size of the header that follows tells a bitmap from text.
fn is_bitmap(bytes: &[u8]) -> bool {
    const HEADER_SIZES: [u32; 8] = [12, 16, 40, 52, 56, 64, 108, 124];
    let header_size = bytes.get(14..18).and_then(|field| field.try_into().ok()).map(u32::from_le_bytes);
    bytes.starts_with(b"BM") && header_size.is_some_and(|size| HEADER_SIZES.contains(&size))
}

/// Types that are recognised and not taken, with the reason.
fn refused(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    const CONVERT_IMAGE: &str = "convert it to PNG, JPEG or WebP";
    const CONVERT_AUDIO: &str = "convert it to FLAC, MP3 or WAV";
    const NO_VIDEO: &str = "video is not taken yet; send its sound or single frames";
    const UNPACK: &str = "unpack it and send the files inside";
    const MAGICS: [(&[u8], &str, &str); 25] = [
        (b"PK\x03\x04", "ZIP (or an office document)", UNPACK),
        (b"PK\x05\x06", "ZIP (empty)", UNPACK),
        (b"\x1f\x8b", "gzip", UNPACK),
        (b"BZh", "bzip2", UNPACK),
        (b"\xfd7zXZ\0", "xz", UNPACK),
        (b"7z\xbc\xaf\x27\x1c", "7-Zip", UNPACK),
        (b"Rar!\x1a\x07", "RAR", UNPACK),
        (b"\x28\xb5\x2f\xfd", "Zstandard", UNPACK),
        (b"\x1aE\xdf\xa3", "Matroska or WebM", NO_VIDEO),
        (b"FLV\x01", "Flash video", NO_VIDEO),
        (b"\0\0\x01\xba", "MPEG video", NO_VIDEO),
        (b"\0\0\x01\xb3", "MPEG video", NO_VIDEO),
        (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "Windows Media", CONVERT_AUDIO),
        (b"FORM", "AIFF", CONVERT_AUDIO),
        (b"caff", "Core Audio", CONVERT_AUDIO),
        (b"MThd", "MIDI", "it holds notes and no sound; render it to WAV"),
        (b"wvpk", "WavPack", CONVERT_AUDIO),
        (b"#!AMR", "AMR", CONVERT_AUDIO),
        (b"RF64", "64-bit WAV", CONVERT_AUDIO),
        (b"BW64", "64-bit WAV", CONVERT_AUDIO),
        (b"8BPS", "Photoshop", CONVERT_IMAGE),
        (b"\0\0\0\x0cJXL ", "JPEG XL", CONVERT_IMAGE),
        (b"\xff\x0a", "JPEG XL", CONVERT_IMAGE),
        (b"\0\0\0\x0cjP  ", "JPEG 2000", CONVERT_IMAGE),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Microsoft Office (old format)", "send its text"),
    ];
    let head = &bytes[..bytes.len().min(1024)];
    if head.windows(5).any(|window| window == b"%PDF-") {
        return Some(("PDF", "send its text, or its pages as pictures"));
    }
    if bytes.starts_with(b"{\\rtf") {
        return Some(("RTF", "save it as plain text or Markdown"));
    }
    if bytes.starts_with(b"%!PS") {
        return Some(("PostScript", CONVERT_IMAGE));
    }
    if bytes.starts_with(b"\0\0\x01\0") {
        return Some(("ICO", CONVERT_IMAGE));
    }
    if riff_kind(bytes) == Some(b"AVI ") {
        return Some(("AVI", NO_VIDEO));
    }
    let (_, found, reason) = MAGICS.iter().find(|(magic, _, _)| bytes.starts_with(magic))?;
    Some((found, reason))
}
