//! GET /v1/parts/{id}/content: a part's bytes, whole or a range (RFC 9110).

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sensorium_domain::{Part, PartId};

use crate::blobs::content_range;
use crate::error::{ApiError, Code};
use crate::http::access::Read;
use crate::http::extract::Id;
use crate::http::problem::Problems;
use crate::startup::App;

/// A part's bytes. Takes `Range` (one range) and `If-None-Match`; answers `ETag`, the content's hash.
#[utoipa::path(get, path = "/v1/parts/{id}/content", operation_id = "get_part_content", tag = "parts",
    params(
        ("id" = PartId, Path),
        ("Range" = Option<String>, Header, example = "bytes=0-1023"),
        ("If-None-Match" = Option<String>, Header),
    ),
    responses(
        (status = 200, description = "The bytes", content_type = "application/octet-stream", body = Vec<u8>),
        (status = 206, description = "The range", content_type = "application/octet-stream", body = Vec<u8>),
        (status = 304, description = "Not changed"),
        (status = 416, description = "The range is not in the content", body = crate::http::problem::Problem, content_type = "application/problem+json"),
        Problems,
    ))]
pub async fn content(
    State(app): State<App>,
    caller: Read,
    Id(id): Id<PartId>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let part = app.catalog.part(&caller.tenant, id).await?;
    let etag = format!("\"{}\"", part.blob);
    if matches_etag(&headers, header::IF_NONE_MATCH, &etag) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response());
    }
    let size = part.size_bytes;
    let whole = headers.contains_key(header::IF_RANGE) && !matches_etag(&headers, header::IF_RANGE, &etag);
    let range = headers
        .get(header::RANGE)
        .filter(|_| !whole)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| parse_range(text, size));
    let (status, range) = match range {
        None => (StatusCode::OK, 0..size),
        Some(Asked::Bytes(range)) => (StatusCode::PARTIAL_CONTENT, range),
        Some(Asked::Outside) => {
            let error = ApiError::new(Code::RangeNotSatisfiable, format!("the content has {size} bytes"));
            return Ok(([(header::CONTENT_RANGE, format!("bytes */{size}"))], error).into_response());
        }
    };
    let bytes = if range.is_empty() {
        bytes::Bytes::new()
    } else {
        content_range(&app, &caller.tenant, &part, range.clone()).await?
    };
    let mut response = (status, Body::from(bytes)).into_response();
    let answer = response.headers_mut();
    answer.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    insert(answer, header::ETAG, &etag);
    insert(answer, header::CONTENT_TYPE, &part.media_type);
    insert(answer, header::CONTENT_DISPOSITION, &disposition(&part));
    // Untrusted content never runs in our origin: an SVG or HTML that is opened directly stays inert.
    insert(answer, header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'; sandbox");
    insert(answer, header::CACHE_CONTROL, "private, max-age=3600");
    if status == StatusCode::PARTIAL_CONTENT {
        insert(answer, header::CONTENT_RANGE, &format!("bytes {}-{}/{size}", range.start, range.end - 1));
    }
    Ok(response)
}

enum Asked {
    Bytes(std::ops::Range<u64>),
    Outside,
}

/// Reads one byte range; `None` where the header is to be ignored (several ranges, other units, not understood).
fn parse_range(text: &str, size: u64) -> Option<Asked> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let (first, last) = (first.trim(), last.trim());
    let range = match (first.is_empty(), last.is_empty()) {
        (true, true) => return None,
        (true, false) => size.saturating_sub(last.parse().ok()?)..size,
        (false, true) => first.parse().ok()?..size,
        (false, false) => {
            let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
            if last < first {
                return None;
            }
            first..last.saturating_add(1).min(size)
        }
    };
    Some(if range.start >= range.end { Asked::Outside } else { Asked::Bytes(range) })
}

pub(super) fn matches_etag(headers: &HeaderMap, name: header::HeaderName, etag: &str) -> bool {
    let Some(value) = headers.get(name).and_then(|value| value.to_str().ok()) else { return false };
    value.split(',').map(str::trim).any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
}

fn disposition(part: &Part) -> String {
    let name: String = part
        .name
        .as_deref()
        .unwrap_or("content")
        .bytes()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect();
    format!("inline; filename*=UTF-8''{name}")
}

pub(super) fn insert(headers: &mut HeaderMap, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str, size: u64) -> Option<Result<(u64, u64), ()>> {
        parse_range(text, size).map(|asked| match asked {
            Asked::Bytes(range) => Ok((range.start, range.end)),
            Asked::Outside => Err(()),
        })
    }

    #[test]
    fn ranges_after_rfc_9110() {
        assert_eq!(range("bytes=0-4", 10), Some(Ok((0, 5))));
        assert_eq!(range("bytes=5-", 10), Some(Ok((5, 10))));
        assert_eq!(range("bytes=-3", 10), Some(Ok((7, 10))));
        assert_eq!(range("bytes=-30", 10), Some(Ok((0, 10))));
        assert_eq!(range("bytes=8-100", 10), Some(Ok((8, 10))));
        assert_eq!(range("bytes=10-", 10), Some(Err(())));
        assert_eq!(range("bytes=-0", 10), Some(Err(())));
        assert_eq!(range("bytes=4-2", 10), None);
        assert_eq!(range("bytes=0-1,3-4", 10), None);
        assert_eq!(range("lines=0-1", 10), None);
        assert_eq!(range("bytes=99999999999999999999-", 10), None);
    }
}
