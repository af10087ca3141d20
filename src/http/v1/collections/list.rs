//! GET /v1/collections: collections by name.

use axum::Json;
use axum::extract::State;
use sensorium_domain::{Collection, CollectionName};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::error::ApiError;
use crate::http::access::Read;
use crate::http::extract::Params;
use crate::http::page;
use crate::http::problem::Problems;
use crate::startup::App;

/// Which collections.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListCollections {
    /// Collections on a page, 1 to 500.
    pub page_size: Option<u32>,
    /// The `next_page_token` of the page before.
    pub page_token: Option<String>,
}

/// A page of collections.
#[derive(Debug, Serialize, ToSchema)]
pub struct CollectionPage {
    /// By name.
    pub collections: Vec<Collection>,
    /// Ask again with it for the next page; null at the end.
    pub next_page_token: Option<String>,
}

/// Collections by name.
#[utoipa::path(get, path = "/v1/collections", operation_id = "list_collections", tag = "collections",
    params(ListCollections), responses((status = 200, body = CollectionPage), Problems))]
pub async fn list(
    State(app): State<App>,
    caller: Read,
    Params(asked): Params<ListCollections>,
) -> Result<Json<CollectionPage>, ApiError> {
    let size = page::size(asked.page_size)?;
    let after: Option<CollectionName> = page::read(asked.page_token.as_deref())?;
    let collections = app.catalog.collections(&caller.tenant, after.as_ref(), size + 1).await?;
    let (collections, next_page_token) = page::cut(collections, size, |collection| collection.name.to_string());
    Ok(Json(CollectionPage { collections, next_page_token }))
}
