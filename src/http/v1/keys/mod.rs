//! `/v1/keys`.

pub mod create;
pub mod list;
pub mod revoke;

use sensorium_domain::Timestamp;
use sensorium_domain::catalog::ApiKey;
use sensorium_domain::ids::KeyId;
use serde::Serialize;
use utoipa::ToSchema;

/// An API key, without its secret.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ApiKey)]
pub struct KeyView {
    /// Its id; what the audit log calls who used it.
    pub id: KeyId,
    /// For people.
    #[schema(example = "photo importer")]
    pub name: String,
    /// What it may do.
    #[schema(example = json!(["read", "write"]))]
    pub scopes: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops working; null for never.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked; it does not work any more.
    pub revoked_at: Option<Timestamp>,
}

impl From<ApiKey> for KeyView {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.id,
            name: key.name,
            scopes: key.scopes,
            created_at: key.created_at,
            expires_at: key.expires_at,
            last_used_at: key.last_used_at,
            revoked_at: key.revoked_at,
        }
    }
}
