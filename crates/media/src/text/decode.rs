//! Bytes to characters.

use std::borrow::Cow;

use crate::error::{Measure, MediaError};
use crate::limits::Limits;

/// Decodes UTF-8, or UTF-16 that begins with a byte order mark. Byte order marks are dropped. The characters are otherwise
/// left as they are; the ranges of [`crate::Chunk`] count them.
///
/// # Errors
/// [`MediaError::Empty`] without bytes; [`MediaError::NotUtf8`] for other encodings; [`MediaError::TooLarge`] beyond the
/// limits on bytes of the file or of the text.
pub fn decode_text(bytes: &[u8], limits: &Limits) -> Result<String, MediaError> {
    limits.check_bytes(bytes.len() as u64)?;
    limits.check(Measure::TextBytes, bytes.len() as u64)?;
    let text = to_utf8(bytes)?;
    limits.check(Measure::TextBytes, text.len() as u64)?;
    Ok(text.into_owned())
}

/// The text without its byte order mark, copied only where it must be.
pub(crate) fn to_utf8(bytes: &[u8]) -> Result<Cow<'_, str>, MediaError> {
    match bytes {
        [0xff, 0xfe, rest @ ..] => from_utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => from_utf16(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => from_utf8(rest, 3),
        bytes => from_utf8(bytes, 0),
    }
}

fn from_utf8(bytes: &[u8], skipped: usize) -> Result<Cow<'_, str>, MediaError> {
    std::str::from_utf8(bytes)
        .map(Cow::Borrowed)
        .map_err(|error| MediaError::NotUtf8 { offset: (skipped + error.valid_up_to()) as u64 })
}

fn from_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<Cow<'static, str>, MediaError> {
    let mut text = String::with_capacity(bytes.len());
    let (pairs, odd) = bytes.as_chunks::<2>();
    let mut offset = 2;
    for character in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))) {
        let character = character.map_err(|_| MediaError::NotUtf8 { offset })?;
        offset += character.len_utf16() as u64 * 2;
        text.push(character);
    }
    if odd.is_empty() { Ok(Cow::Owned(text)) } else { Err(MediaError::NotUtf8 { offset }) }
}
