//! The bytes of a part, wherever they lie: small ones are in the catalog, others in the blob store.

use std::ops::Range;

use bytes::Bytes;
use sensorium_domain::{Part, TenantId};

use crate::error::ApiError;
use crate::startup::App;

/// What may be kept in the catalog at most, whatever the settings are: larger parts are not looked for there.
pub const INLINE_AT_MOST: usize = 64 << 10;

/// All bytes of a part.
pub async fn content(app: &App, tenant: &TenantId, part: &Part) -> Result<Bytes, ApiError> {
    if let Some(bytes) = app.blobs.fresh(tenant, part.blob) {
        return Ok(bytes);
    }
    match inline(app, tenant, part).await? {
        Some(bytes) => Ok(bytes),
        None => app.blobs.get(tenant, part.blob).await,
    }
}

/// Some of them; the range lies within the part.
pub async fn content_range(app: &App, tenant: &TenantId, part: &Part, range: Range<u64>) -> Result<Bytes, ApiError> {
    let Some(bytes) = inline(app, tenant, part).await? else {
        return app.blobs.get_range(tenant, part.blob, range).await;
    };
    let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
    Ok(bytes.slice(place(range.start)..place(range.end)))
}

async fn inline(app: &App, tenant: &TenantId, part: &Part) -> Result<Option<Bytes>, ApiError> {
    if part.size_bytes > INLINE_AT_MOST as u64 {
        return Ok(None);
    }
    Ok(app.catalog.blob_bytes(tenant, part.blob).await?.map(Bytes::from))
}
