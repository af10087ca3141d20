//! GET /v1/usage: what the tenant keeps, and what it may use.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::http::access::Read;
use crate::http::problem::Problems;
use crate::startup::App;

/// What the tenant keeps and may use. A bound that is null is not set.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Usage)]
pub struct UsageView {
    /// Documents that are not being deleted.
    #[schema(example = 1200)]
    pub documents: u64,
    /// The most documents.
    pub max_documents: Option<u64>,
    /// Bytes of their parts, equal ones once.
    #[schema(example = 734_003_200)]
    pub blob_bytes: u64,
    /// The most bytes.
    pub max_blob_bytes: Option<u64>,
    /// Requests a minute.
    pub requests_per_minute: Option<u32>,
}

/// What the tenant keeps, and what it may use.
#[utoipa::path(get, path = "/v1/usage", operation_id = "get_usage", tag = "server",
    responses((status = 200, body = UsageView), Problems))]
pub async fn usage(State(app): State<App>, caller: Read) -> Result<Json<UsageView>, ApiError> {
    let (kept, quota) = (app.catalog.usage(&caller.tenant).await?, app.allowances.storage(&caller.tenant));
    Ok(Json(UsageView {
        documents: kept.documents,
        max_documents: quota.documents,
        blob_bytes: kept.blob_bytes,
        max_blob_bytes: quota.blob_bytes,
        requests_per_minute: app.allowances.request_rate(&caller.tenant).map(|rate| rate.per_minute.get()),
    }))
}
