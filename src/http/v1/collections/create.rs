//! POST /v1/collections: makes a collection.

use axum::extract::State;
use axum::http::StatusCode;
use sensorium_domain::{BlobHash, Collection, CollectionName};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::http::access::Write;
use crate::http::extract::Body;
use crate::http::problem::{Problem, Problems};
use crate::http::v1::collections::check_description;
use crate::http::v1::idempotency::{Created, IdempotencyKey, once};
use crate::ingest::metadata_fault;
use crate::startup::App;

/// A collection to make.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "holiday", "description": "Pictures and sounds of the journey"}))]
pub struct CreateCollection {
    /// Unique in the tenant.
    pub name: CollectionName,
    /// For people.
    pub description: Option<String>,
    /// Anything.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub metadata: Map<String, Value>,
}

/// Makes a collection. Adding a document makes its collection too, so this is for those who want a description.
#[utoipa::path(post, path = "/v1/collections", operation_id = "create_collection", tag = "collections",
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes repeating the request safe")),
    request_body = CreateCollection,
    responses(
        (status = 201, body = Collection, headers(("Location" = String, description = "The collection"))),
        (status = 409, description = "It exists", body = Problem, content_type = "application/problem+json"),
        Problems,
    ))]
pub async fn create(
    State(app): State<App>,
    caller: Write,
    key: IdempotencyKey,
    Body(asked): Body<CreateCollection>,
) -> Result<Created, ApiError> {
    check_description(asked.description.as_deref(), &app.config.ingest)?;
    ApiError::from_faults(metadata_fault(&asked.metadata, &app.config.ingest).into_iter().collect())
        .map_or(Ok(()), Err)?;
    let fingerprint = BlobHash::of(&serde_json::to_vec(&asked).map_err(ApiError::internal)?);
    let (server, tenant) = (app.clone(), caller.tenant.clone());
    once(&app, &caller.tenant, key, fingerprint, |_| async move {
        let collection =
            server.catalog.create_collection(&tenant, &asked.name, asked.description, asked.metadata).await?;
        Created::new(StatusCode::CREATED, format!("/v1/collections/{}", collection.name), &collection)
    })
    .await
}
