//! GET /v1/collections/{name}: one collection.

use axum::Json;
use axum::extract::State;
use sensorium_domain::{Collection, CollectionName};

use crate::error::ApiError;
use crate::http::access::Read;
use crate::http::extract::Id;
use crate::http::problem::Problems;
use crate::startup::App;

/// One collection.
#[utoipa::path(get, path = "/v1/collections/{name}", operation_id = "get_collection", tag = "collections",
    params(("name" = CollectionName, Path)), responses((status = 200, body = Collection), Problems))]
pub async fn get(
    State(app): State<App>,
    caller: Read,
    Id(name): Id<CollectionName>,
) -> Result<Json<Collection>, ApiError> {
    Ok(Json(app.catalog.collection(&caller.tenant, &name).await?))
}
