//! Paging of lists: newest first, by id or name; the token is the last id or name, written opaquely.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::str::FromStr;

use crate::error::ApiError;

/// Items of a page when the caller says nothing.
pub const DEFAULT_SIZE: u32 = 50;
/// The most items of a page.
pub const MAX_SIZE: u32 = 500;

/// Checks a `page_size`.
pub fn size(asked: Option<u32>) -> Result<u32, ApiError> {
    match asked.unwrap_or(DEFAULT_SIZE) {
        size @ 1..=MAX_SIZE => Ok(size),
        size => Err(ApiError::invalid("/page_size", format!("{size} is not from 1 to {MAX_SIZE}"))),
    }
}

/// Reads a `page_token`.
pub fn read<T: FromStr>(token: Option<&str>) -> Result<Option<T>, ApiError> {
    let Some(token) = token else { return Ok(None) };
    URL_SAFE_NO_PAD
        .decode(token)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|text| text.parse().ok())
        .map(Some)
        .ok_or_else(|| ApiError::invalid("/page_token", "this is not a page token of this list"))
}

/// Cuts a list that was fetched with one item too many, and writes the token of the next page.
pub fn cut<T>(mut items: Vec<T>, size: u32, key: impl Fn(&T) -> String) -> (Vec<T>, Option<String>) {
    let size = size as usize;
    if items.len() <= size {
        return (items, None);
    }
    items.truncate(size);
    let token = items.last().map(|last| URL_SAFE_NO_PAD.encode(key(last)));
    (items, token)
}
