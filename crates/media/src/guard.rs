//! A wall around decoders that other people wrote.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::MediaError;
use crate::media_type::MediaType;

/// Runs a decoder on untrusted bytes; a panic in it makes the file damaged and nothing else.
pub(crate) fn guarded<T>(
    media_type: MediaType,
    decode: impl FnOnce() -> Result<T, MediaError>,
) -> Result<T, MediaError> {
    catch_unwind(AssertUnwindSafe(decode))
        .unwrap_or_else(|_panic| Err(MediaError::corrupt(media_type, "the decoder cannot make sense of it")))
}
