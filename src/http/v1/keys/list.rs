//! GET /v1/keys: the API keys, newest first.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::error::ApiError;
use crate::http::access::Admin;
use crate::http::extract::Params;
use crate::http::page;
use crate::http::problem::Problems;
use crate::http::v1::keys::KeyView;
use crate::startup::App;

/// Which keys.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListKeys {
    /// Keys on a page, 1 to 500.
    pub page_size: Option<u32>,
    /// The `next_page_token` of the page before.
    pub page_token: Option<String>,
}

/// A page of keys.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyPage {
    /// Newest first.
    pub keys: Vec<KeyView>,
    /// Ask again with it for the next page; null at the end.
    pub next_page_token: Option<String>,
}

/// The tenant's API keys, newest first, revoked and expired ones too. Secrets are not kept and not shown.
#[utoipa::path(get, path = "/v1/keys", operation_id = "list_keys", tag = "keys",
    params(ListKeys), responses((status = 200, body = KeyPage), Problems))]
pub async fn list(
    State(app): State<App>,
    caller: Admin,
    Params(asked): Params<ListKeys>,
) -> Result<Json<KeyPage>, ApiError> {
    let size = page::size(asked.page_size)?;
    let before = page::read(asked.page_token.as_deref())?;
    let keys = app.catalog.keys(&caller.tenant, before, size + 1).await?;
    let (keys, next_page_token) = page::cut(keys, size, |key| key.id.to_string());
    Ok(Json(KeyPage { keys: keys.into_iter().map(KeyView::from).collect(), next_page_token }))
}
