//! ISO base media files: sound (M4A) is taken; pictures (HEIC, AVIF) and video are named and refused.

use crate::error::MediaError;
use crate::media_type::MediaType;

pub(super) fn sniff(bytes: &[u8]) -> Result<MediaType, MediaError> {
    let brand = bytes.get(8..12).unwrap_or_default();
    let refuse = |found: &str, reason: &str| Err(MediaError::unsupported(found, reason));
    match brand {
        b"heic" | b"heix" | b"hevc" | b"hevx" | b"heim" | b"heis" | b"mif1" | b"msf1" => {
            return refuse("HEIC", "convert it to JPEG, PNG or WebP");
        }
        b"avif" | b"avis" => return refuse("AVIF", "convert it to JPEG, PNG or WebP"),
        b"crx " => return refuse("Canon raw", "convert it to JPEG, PNG or WebP"),
        _ => {}
    }
    let handlers = handlers(bytes);
    if handlers.contains(b"vide") {
        return refuse("MP4 with video", "video is not taken yet; send its sound or single frames");
    }
    if handlers.contains(b"soun") || matches!(brand, b"M4A " | b"M4B ") {
        return Ok(MediaType::Mp4Audio);
    }
    if handlers.is_empty() {
        return Err(MediaError::truncated(MediaType::Mp4Audio, "it has no list of tracks"));
    }
    refuse("MP4 without sound", "send a file with a sound track")
}

/// The kinds of the file's tracks (`moov/trak/mdia/hdlr`).
fn handlers(bytes: &[u8]) -> Vec<[u8; 4]> {
    const MOST_TRACKS: usize = 64;
    children(bytes, *b"moov")
        .flat_map(|moov| children(moov, *b"trak"))
        .flat_map(|track| children(track, *b"mdia"))
        .flat_map(|media| children(media, *b"hdlr"))
        .take(MOST_TRACKS)
        .filter_map(|handler| handler.get(8..12)?.try_into().ok())
        .collect()
}

/// The contents of the boxes of one kind that stand side by side in `bytes`. A box that runs past the end is cut there.
fn children(mut bytes: &[u8], wanted: [u8; 4]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        loop {
            let (kind, header, size) = box_header(bytes)?;
            let content = bytes.get(header..size.min(bytes.len()))?;
            bytes = bytes.get(size..).unwrap_or_default();
            if kind == wanted {
                return Some(content);
            }
        }
    })
}

/// Kind, length of the header, and length of the whole box.
fn box_header(bytes: &[u8]) -> Option<([u8; 4], usize, usize)> {
    let short = u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?);
    let kind = bytes.get(4..8)?.try_into().ok()?;
    let (header, size) = match short {
        0 => (8, bytes.len()),
        1 => (16, usize::try_from(u64::from_be_bytes(bytes.get(8..16)?.try_into().ok()?)).ok()?),
        _ => (8, usize::try_from(short).ok()?),
    };
    (size >= header).then_some((kind, header, size))
}
