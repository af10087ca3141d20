//! POST /v1/keys: makes an API key.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use sensorium_domain::catalog::ApiKey;
use sensorium_domain::ids::KeyId;
use sensorium_domain::{BlobHash, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::auth::KEY_PREFIX;
use crate::error::{ApiError, FieldError};
use crate::http::access::{Admin, Scope};
use crate::http::extract::Body;
use crate::http::problem::Problems;
use crate::http::v1::keys::KeyView;
use crate::startup::App;

/// The most characters of a name.
const MAX_NAME_CHARS: usize = 200;

/// A key to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "photo importer", "scopes": ["read", "write"], "expires_at": "2027-12-31T00:00:00Z"}))]
pub struct CreateKey {
    /// For people, 1 to 200 characters.
    pub name: String,
    /// What it may do; at least one.
    pub scopes: Vec<Scope>,
    /// When it stops working; never when left out.
    pub expires_at: Option<Timestamp>,
}

/// A key with its secret, which is shown this once.
#[derive(Debug, Serialize, ToSchema)]
pub struct CreatedKey {
    /// The key.
    #[serde(flatten)]
    pub key: KeyView,
    /// What to send as `Authorization: Bearer ...`. Only its hash is kept.
    #[schema(example = "sk_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")]
    pub secret: String,
}

/// Makes an API key of the caller's tenant. The secret is in this answer and nowhere else; so repeating the request makes another key.
#[utoipa::path(post, path = "/v1/keys", operation_id = "create_key", tag = "keys",
    request_body = CreateKey,
    responses((status = 201, body = CreatedKey, headers(("Location" = String, description = "The key"))), Problems))]
pub async fn create(State(app): State<App>, caller: Admin, Body(asked): Body<CreateKey>) -> Result<Response, ApiError> {
    let now = app.clock.now();
    ApiError::from_faults(asked.faults(now)).map_or(Ok(()), Err)?;
    let secret = format!("{KEY_PREFIX}{:032x}{:032x}", app.randomness(), app.randomness());
    let key = ApiKey {
        id: KeyId::new(now, app.randomness()),
        name: asked.name,
        tenant: caller.tenant.clone(),
        scopes: asked.scopes.iter().map(|scope| scope.as_str().to_owned()).collect(),
        created_at: now,
        expires_at: asked.expires_at,
        last_used_at: None,
        revoked_at: None,
    };
    app.catalog.put_key(&key, &BlobHash::of(secret.as_bytes())).await?;
    let location = format!("/v1/keys/{}", key.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(CreatedKey { key: key.into(), secret }))
        .into_response())
}

impl CreateKey {
    fn faults(&self, now: Timestamp) -> Vec<FieldError> {
        let fault = |pointer: &str, detail: String| FieldError { pointer: pointer.to_owned(), detail };
        let mut faults = Vec::new();
        let chars = self.name.chars().count();
        if self.name.trim().is_empty() || chars > MAX_NAME_CHARS {
            faults.push(fault("/name", format!("{chars} characters; must be 1 to {MAX_NAME_CHARS}")));
        }
        if self.scopes.is_empty() {
            faults.push(fault("/scopes", "give at least one of read, write, caption, admin".to_owned()));
        }
        if let Some(end) = self.expires_at.filter(|end| *end <= now) {
            faults.push(fault("/expires_at", format!("{end} is past")));
        }
        faults
    }
}
