//! DELETE /v1/keys/{id}: revokes an API key.

use axum::Json;
use axum::extract::State;
use sensorium_domain::ids::KeyId;

use crate::error::ApiError;
use crate::http::access::Admin;
use crate::http::extract::Id;
use crate::http::problem::Problems;
use crate::http::v1::keys::KeyView;
use crate::startup::App;

/// Revokes an API key: it does not work from now on, and on other servers of the same catalog after a second (`auth.key_fresh_ms`). The key stays in the list, so that the audit log can be read.
#[utoipa::path(delete, path = "/v1/keys/{id}", operation_id = "revoke_key", tag = "keys",
    params(("id" = KeyId, Path)), responses((status = 200, body = KeyView), Problems))]
pub async fn revoke(State(app): State<App>, caller: Admin, Id(id): Id<KeyId>) -> Result<Json<KeyView>, ApiError> {
    let key = app.catalog.revoke_key(&caller.tenant, id).await?;
    app.auth.forget_key(id, app.clock.now());
    Ok(Json(key.into()))
}
