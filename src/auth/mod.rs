//! Tells who a caller is from a token or an API key.

mod claims;
mod key_set;
mod known_keys;

use std::sync::Arc;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, decode_header, encode};
use sensorium_domain::catalog::ApiKey;
use sensorium_domain::ids::KeyId;
use sensorium_domain::{BlobHash, Catalog, TenantId, Timestamp};
use serde_json::json;

use crate::config;
use crate::error::{ApiError, Code};
use crate::http::access::{Caller, Scope};

pub use key_set::Source;

use key_set::KeySet;
use known_keys::KnownKeys;

/// API keys begin with this, so that leaked ones can be found.
pub const KEY_PREFIX: &str = "sk_";
/// The use of a key is noted this often at most.
const NOTED_EVERY_MS: i64 = 60_000;

/// Checks credentials.
pub struct Auth {
    secret: DecodingKey,
    issuer_keys: Option<Arc<KeySet>>,
    known: KnownKeys,
    settings: config::Auth,
    catalog: Arc<dyn Catalog>,
}

impl Auth {
    /// With the HS256 secret in force, and the keys of an issuer where the settings name one.
    pub fn new(secret: &[u8], settings: config::Auth, catalog: Arc<dyn Catalog>) -> Result<Self, reqwest::Error> {
        let issuer_keys = KeySet::of(&settings)?.map(Arc::new);
        let known = KnownKeys::new(settings.key_fresh_ms);
        Ok(Self { secret: DecodingKey::from_secret(secret), issuer_keys, known, settings, catalog })
    }

    /// The caller behind a bearer credential.
    pub async fn authenticate(&self, credentials: &str, now: Timestamp) -> Result<Caller, ApiError> {
        if credentials.starts_with(KEY_PREFIX) {
            self.by_key(credentials, now).await
        } else {
            self.by_token(credentials, now).await
        }
    }

    async fn by_key(&self, secret: &str, now: Timestamp) -> Result<Caller, ApiError> {
        let hash = BlobHash::of(secret.as_bytes());
        let key = match self.known.get(&hash, now) {
            Some(key) => key,
            None => self.read_key(hash, now).await?,
        };
        if key.expires_at.is_some_and(|end| end <= now) {
            return Err(ApiError::new(Code::Unauthorized, "this API key has expired"));
        }
        let scopes = key.scopes.iter().filter_map(|name| Scope::parse(name)).collect();
        Ok(Caller { tenant: key.tenant, scopes, subject: key.id.to_string() })
    }

    async fn read_key(&self, hash: BlobHash, now: Timestamp) -> Result<ApiKey, ApiError> {
        let key = self.catalog.key_by_secret(&hash).await?;
        let key =
            key.ok_or_else(|| ApiError::new(Code::Unauthorized, "this API key is not known, or has been revoked"))?;
        if key.last_used_at.is_none_or(|last| now.since_ms(last) >= NOTED_EVERY_MS)
            && let Err(error) = self.catalog.key_used(key.id).await
        {
            tracing::warn!(%error, key = %key.id, "the use of a key was not noted");
        }
        self.known.keep(hash, key.clone(), now);
        Ok(key)
    }

    /// A key has been revoked here; other servers know it for `auth.key_fresh_ms` at most.
    pub fn forget_key(&self, id: KeyId, now: Timestamp) {
        self.known.forget(id, now);
    }

    /// What a token says, checked by the one key that may have signed it. The token chooses among keys, never the algorithm: each key has its own.
    async fn by_token(&self, token: &str, now: Timestamp) -> Result<Caller, ApiError> {
        let header = decode_header(token).map_err(|error| claims::refused(&error))?;
        if header.alg == Algorithm::HS256 {
            return claims::check(token, &self.secret, Algorithm::HS256, &self.settings);
        }
        let Some(keys) = &self.issuer_keys else {
            return Err(claims::refused(&format!("it is signed by {:?}, and no auth.jwks_url is set", header.alg)));
        };
        let key = keys.find(header.kid.as_deref(), header.alg, now).await?;
        claims::check(token, &key.key, key.algorithm, &self.settings)
    }
}

/// Signs an HS256 token for `tenant` with `scopes` that ends at `expires`.
pub fn sign_token(
    secret: &[u8],
    settings: &config::Auth,
    tenant: &TenantId,
    scopes: &[Scope],
    now: Timestamp,
    expires: Timestamp,
) -> Result<String, jsonwebtoken::errors::Error> {
    let scope = scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" ");
    let mut claims = json!({
        "sub": "cli",
        "iat": now.as_millis() / 1000,
        "exp": expires.as_millis() / 1000,
    });
    claims[settings.scope_claim.as_str()] = scope.into();
    claims[settings.tenant_claim.as_str()] = tenant.as_str().into();
    if !settings.issuer.is_empty() {
        claims["iss"] = settings.issuer.as_str().into();
    }
    if !settings.audience.is_empty() {
        claims["aud"] = settings.audience.as_str().into();
    }
    encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(secret))
}
