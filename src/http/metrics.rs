//! GET /metrics.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use crate::error::ApiError;
use crate::http::access::Admin;
use crate::http::problem::Problems;
use crate::metrics::text;
use crate::startup::App;

/// What the server has done for all tenants, in the text format of Prometheus. For administrators of the first tenant.
#[utoipa::path(get, path = "/metrics", operation_id = "metrics", tag = "server",
    responses((status = 200, body = String, content_type = "text/plain"), Problems))]
pub async fn metrics(State(app): State<App>, caller: Admin) -> Result<Response, ApiError> {
    caller.must_operate(&app)?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], text(&app).await?).into_response())
}
