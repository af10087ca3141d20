//! GET /v1/documents/{id}: one document with its parts.

use axum::Json;
use axum::extract::State;
use sensorium_domain::DocumentId;

use crate::error::ApiError;
use crate::http::access::Read;
use crate::http::extract::Id;
use crate::http::problem::Problems;
use crate::http::v1::documents::view::DocumentView;
use crate::startup::App;

/// One document with its parts.
#[utoipa::path(get, path = "/v1/documents/{id}", operation_id = "get_document", tag = "documents",
    params(("id" = DocumentId, Path)), responses((status = 200, body = DocumentView), Problems))]
pub async fn get(State(app): State<App>, caller: Read, Id(id): Id<DocumentId>) -> Result<Json<DocumentView>, ApiError> {
    let document = app.catalog.document(&caller.tenant, id).await?;
    let parts = app.catalog.parts(&caller.tenant, id, None).await?;
    Ok(Json(DocumentView::new(document, Some(parts))))
}
