//! Recordings: WAV, FLAC, Ogg, MP3, ADTS and MP4.

use super::{mp4, riff_kind};
use crate::error::MediaError;
use crate::media_type::MediaType;

/// `None` when the bytes are no recording that is known here.
pub(super) fn sniff(bytes: &[u8]) -> Option<Result<MediaType, MediaError>> {
    if riff_kind(bytes) == Some(b"WAVE") {
        return Some(Ok(MediaType::Wav));
    }
    if bytes.starts_with(b"fLaC") {
        return Some(Ok(MediaType::Flac));
    }
    if bytes.starts_with(b"OggS") {
        return Some(ogg(bytes));
    }
    if bytes.get(4..8) == Some(b"ftyp") {
        return Some(mp4::sniff(bytes));
    }
    if bytes.starts_with(b"ID3") {
        return Some(tagged(bytes));
    }
    frames(bytes)
}

/// An Ogg file opens with one page for each of its streams; the page says what the stream is.
fn ogg(bytes: &[u8]) -> Result<MediaType, MediaError> {
    let head = &bytes[..bytes.len().min(4096)];
    let contains = |mark: &[u8]| head.windows(mark.len()).any(|window| window == mark);
    let refuse = |found: &str, reason: &str| Err(MediaError::unsupported(found, reason));
    if contains(b"\x80theora") {
        return refuse("Ogg with Theora", "video is not taken yet; send its sound or single frames");
    }
    if contains(b"\x01vorbis") || contains(b"\x7fFLAC") {
        return Ok(MediaType::Ogg);
    }
    if contains(b"OpusHead") {
        return refuse("Ogg with Opus", "convert it to Ogg Vorbis, FLAC or MP3");
    }
    if contains(b"Speex   ") {
        return refuse("Ogg with Speex", "convert it to Ogg Vorbis, FLAC or MP3");
    }
    if bytes.len() < 64 {
        return Err(MediaError::truncated(MediaType::Ogg, "it ends in its first page"));
    }
    refuse("Ogg with an unknown codec", "convert it to Ogg Vorbis, FLAC or MP3")
}

/// Where the content begins after ID3v2 tags at the front, if there are any.
pub(crate) fn after_id3(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(header) = bytes.get(at..at + 10) {
        if !header.starts_with(b"ID3") {
            break;
        }
        let size = header[6..10].iter().fold(0_usize, |size, byte| size << 7 | usize::from(byte & 0x7f));
        let footer = if header[5] & 0x10 == 0 { 0 } else { 10 };
        at += 10 + size + footer;
    }
    at.min(bytes.len())
}

fn tagged(bytes: &[u8]) -> Result<MediaType, MediaError> {
    let content = &bytes[after_id3(bytes)..];
    if content.is_empty() {
        return Err(MediaError::truncated(MediaType::Mp3, "it ends inside its ID3 tag"));
    }
    if content.starts_with(b"fLaC") {
        return Ok(MediaType::Flac);
    }
    // Tags are often followed by padding, so a tag alone makes it an MP3.
    frames(content).unwrap_or(Ok(MediaType::Mp3))
}

/// MPEG audio or ADTS without any container. One header is two lucky bytes; the next frame must stand where the first says.
fn frames(bytes: &[u8]) -> Option<Result<MediaType, MediaError>> {
    let header: [u8; 4] = bytes.get(..4)?.try_into().ok()?;
    if let Some(length) = adts_frame_bytes(bytes) {
        let next_is_frame = bytes.get(length..).is_none_or(|rest| rest.is_empty() || adts_frame_bytes(rest).is_some());
        return next_is_frame.then_some(Ok(MediaType::Aac));
    }
    let frame = MpegFrame::read(header)?;
    let rest = bytes.get(frame.bytes..).unwrap_or_default();
    let next_is_frame = match rest.get(..4) {
        Some(next) => next.try_into().ok().and_then(MpegFrame::read).is_some() || rest.starts_with(b"TAG"),
        None => bytes.len() >= frame.bytes,
    };
    if !next_is_frame {
        return None;
    }
    Some(if frame.layer == 3 {
        Ok(MediaType::Mp3)
    } else {
        Err(MediaError::unsupported("MPEG audio layer I or II", "convert it to MP3 or FLAC"))
    })
}

/// The length of the ADTS frame at the front of `bytes`, header included.
fn adts_frame_bytes(bytes: &[u8]) -> Option<usize> {
    let header = bytes.get(..7)?;
    let is_sync = header[0] == 0xff && header[1] & 0xf6 == 0xf0;
    let rate_index = header[2] >> 2 & 0xf;
    let length = usize::from(header[3] & 3) << 11 | usize::from(header[4]) << 3 | usize::from(header[5]) >> 5;
    (is_sync && rate_index < 13 && length > 7).then_some(length)
}

struct MpegFrame {
    layer: u8,
    bytes: usize,
}

impl MpegFrame {
    fn read(header: [u8; 4]) -> Option<Self> {
        const KBPS: [[usize; 14]; 5] = [
            [32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
            [32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
            [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
            [32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
            [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
        ];
        // FF FE is also the byte order mark of UTF-16; as a frame it would be layer I, which is not taken anyway.
        if header[0] != 0xff || header[1] & 0xe0 != 0xe0 || header[1] == 0xfe {
            return None;
        }
        let version = header[1] >> 3 & 3; // 0: 2.5, 2: 2, 3: 1
        let layer = 4 - (header[1] >> 1 & 3);
        let rate_index = usize::from(header[2] >> 2 & 3);
        let bitrate_index = usize::from(header[2] >> 4);
        if version == 1 || layer == 4 || rate_index == 3 || !(1..15).contains(&bitrate_index) {
            return None;
        }
        let table = match (version, layer) {
            (3, 1) => 0,
            (3, 2) => 1,
            (3, _) => 2,
            (_, 1) => 3,
            _ => 4,
        };
        let bits_per_second = KBPS[table][bitrate_index - 1] * 1000;
        let divisor = match version {
            3 => 1,
            2 => 2,
            _ => 4,
        };
        let rate = [44_100, 48_000, 32_000][rate_index] / divisor;
        let padding = usize::from(header[2] >> 1 & 1);
        let bytes = match (layer, version) {
            (1, _) => (12 * bits_per_second / rate + padding) * 4,
            (3, 0 | 2) => 72 * bits_per_second / rate + padding,
            _ => 144 * bits_per_second / rate + padding,
        };
        Some(Self { layer, bytes })
    }
}
