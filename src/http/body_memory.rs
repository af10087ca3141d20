//! Reads request bodies within two bounds: bytes of one body, and bytes of all bodies held at once.

use axum::body::Body;
use axum::http::HeaderMap;
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use tokio::sync::OwnedSemaphorePermit;

use crate::error::{ApiError, Code};
use crate::startup::App;

/// Bytes together with their share of the memory bound, given back when dropped.
pub struct HeldBytes {
    /// The bytes.
    pub bytes: Bytes,
    _share: OwnedSemaphorePermit,
}

/// Takes a share of the memory bound for a body that is read piece by piece: what its header claims, or the largest body when
/// it claims nothing.
pub async fn reserve(app: &App, headers: &HeaderMap) -> Result<OwnedSemaphorePermit, ApiError> {
    let limit = app.config.server.max_body_bytes;
    let declared =
        headers.get("content-length").and_then(|value| value.to_str().ok()).and_then(|text| text.parse::<usize>().ok());
    if declared.is_some_and(|length| length > limit) {
        return Err(too_large(declared.unwrap_or(limit), limit));
    }
    take_share(app, declared.unwrap_or(limit)).await
}

/// Reads a whole body.
pub async fn read(body: Body, app: &App) -> Result<HeldBytes, ApiError> {
    let limit = app.config.server.max_body_bytes;
    let expected =
        http_body::Body::size_hint(&body).exact().map_or(limit, |length| usize::try_from(length).unwrap_or(usize::MAX));
    if expected > limit {
        drain(body).await;
        return Err(too_large(expected, limit));
    }
    let share = take_share(app, expected).await?;
    let mut body = body;
    let collected = Limited::new(&mut body, limit).collect().await;
    match collected {
        Ok(collected) => Ok(HeldBytes { bytes: collected.to_bytes(), _share: share }),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            drain(body).await;
            Err(too_large(limit + 1, limit))
        }
        Err(_) => Err(ApiError::new(Code::Malformed, "the request ended before its body was complete")),
    }
}

/// Reads on for a little while and throws away: a client that is still sending would otherwise find the line cut before it
/// has read the answer.
pub async fn drain(mut body: Body) {
    const MOST_BYTES: usize = 64 << 20;
    let reading = async {
        let mut bytes = 0;
        while let Some(Ok(frame)) = body.frame().await {
            bytes += frame.data_ref().map_or(0, Bytes::len);
            if bytes > MOST_BYTES {
                return;
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(5), reading).await.ok();
}

async fn take_share(app: &App, bytes: usize) -> Result<OwnedSemaphorePermit, ApiError> {
    let kib = u32::try_from(bytes.div_ceil(1024).max(1)).unwrap_or(u32::MAX);
    let wait = std::time::Duration::from_secs(10);
    match tokio::time::timeout(wait, app.body_memory.clone().acquire_many_owned(kib)).await {
        Ok(Ok(share)) => Ok(share),
        _ => Err(ApiError::new(Code::Overloaded, "too many uploads at once (server.max_body_memory_bytes)")
            .retry_after(2_000)),
    }
}

/// A body above the limit.
pub fn too_large(bytes: usize, limit: usize) -> ApiError {
    ApiError::new(
        Code::TooLarge,
        format!("the body has {bytes} bytes or more; the limit is {limit} (server.max_body_bytes)"),
    )
}
