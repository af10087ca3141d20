//! GET /v1/parts/{id}: one part.

use axum::Json;
use axum::extract::State;
use sensorium_domain::PartId;

use crate::error::ApiError;
use crate::http::access::Read;
use crate::http::extract::Id;
use crate::http::problem::Problems;
use crate::http::v1::documents::view::PartView;
use crate::startup::App;

/// One part.
#[utoipa::path(get, path = "/v1/parts/{id}", operation_id = "get_part", tag = "parts",
    params(("id" = PartId, Path)), responses((status = 200, body = PartView), Problems))]
pub async fn get(State(app): State<App>, caller: Read, Id(id): Id<PartId>) -> Result<Json<PartView>, ApiError> {
    Ok(Json(app.catalog.part(&caller.tenant, id).await?.into()))
}
