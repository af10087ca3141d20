//! /livez and /readyz.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::startup::App;

/// A check's outcome.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// `ok` or `unavailable`.
    #[schema(example = "ok")]
    pub status: &'static str,
    /// The parts that do not answer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failing: Vec<&'static str>,
}

/// The process runs.
#[utoipa::path(get, path = "/livez", operation_id = "livez", tag = "server", security(()),
    responses((status = 200, body = Health)))]
pub async fn livez() -> Json<Health> {
    Json(Health { status: "ok", failing: Vec::new() })
}

/// The server can do its work: catalog, index and blobs answer, a model gives a vector, and it is not shutting down.
#[utoipa::path(get, path = "/readyz", operation_id = "readyz", tag = "server", security(()),
    responses((status = 200, body = Health), (status = 503, body = Health)))]
pub async fn readyz(State(app): State<App>) -> Response {
    let (catalog, index, blobs, encoder) =
        tokio::join!(app.catalog.ping(), app.index.stats(), app.blobs.ping(), app.profile.ping());
    let mut failing = Vec::new();
    if catalog.is_err() {
        failing.push("catalog");
    }
    if index.is_err() {
        failing.push("index");
    }
    if blobs.is_err() {
        failing.push("blobs");
    }
    if encoder.is_err() {
        failing.push("encoder");
    }
    if app.stopping.is_cancelled() {
        failing.push("stopping");
    }
    let (code, status) =
        if failing.is_empty() { (StatusCode::OK, "ok") } else { (StatusCode::SERVICE_UNAVAILABLE, "unavailable") };
    (code, Json(Health { status, failing })).into_response()
}
