//! PATCH /v1/collections/{name}: changes a collection's description.

use axum::Json;
use axum::extract::State;
use sensorium_domain::catalog::CollectionPatch;
use sensorium_domain::{Collection, CollectionName};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::http::access::Write;
use crate::http::extract::{Body, Id};
use crate::http::problem::Problems;
use crate::http::v1::collections::check_description;
use crate::http::v1::documents::patch::given;
use crate::ingest::metadata_fault;
use crate::startup::App;

/// Changes; what is left out stays as it is.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"description": "Everything from the summer"}))]
pub struct PatchCollection {
    /// A new description; null removes it.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    pub description: Option<Option<String>>,
    /// Metadata to merge (RFC 7396): null removes a key.
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Map<String, Value>>,
}

/// Changes a collection's description or metadata.
#[utoipa::path(patch, path = "/v1/collections/{name}", operation_id = "patch_collection", tag = "collections",
    params(("name" = CollectionName, Path)), request_body = PatchCollection,
    responses((status = 200, body = Collection), Problems))]
pub async fn patch(
    State(app): State<App>,
    caller: Write,
    Id(name): Id<CollectionName>,
    Body(patch): Body<PatchCollection>,
) -> Result<Json<Collection>, ApiError> {
    check_description(patch.description.as_ref().and_then(|text| text.as_deref()), &app.config.ingest)?;
    let fault = patch.metadata.as_ref().and_then(|metadata| metadata_fault(metadata, &app.config.ingest));
    ApiError::from_faults(fault.into_iter().collect()).map_or(Ok(()), Err)?;
    let patch = CollectionPatch { description: patch.description, metadata: patch.metadata };
    Ok(Json(app.catalog.patch_collection(&caller.tenant, &name, patch).await?))
}
