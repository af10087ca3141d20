//! Tells who a caller is from a token or an API key.

use std::sync::Arc;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use sensorium_domain::{BlobHash, Catalog, TenantId, Timestamp};
use serde_json::{Map, Value, json};

use crate::config;
use crate::error::{ApiError, Code};
use crate::http::access::{Caller, Scope};

/// API keys begin with this, so that leaked ones can be found.
pub const KEY_PREFIX: &str = "sk_";
/// The use of a key is noted this often at most.
const NOTED_EVERY_MS: i64 = 60_000;

/// Checks credentials.
pub struct Auth {
    secret: Vec<u8>,
    settings: config::Auth,
    catalog: Arc<dyn Catalog>,
}

impl Auth {
    /// With the HS256 secret in force.
    pub fn new(secret: Vec<u8>, settings: config::Auth, catalog: Arc<dyn Catalog>) -> Self {
        Self { secret, settings, catalog }
    }

    /// The caller behind a bearer credential.
    pub async fn authenticate(&self, credentials: &str, now: Timestamp) -> Result<Caller, ApiError> {
        if credentials.starts_with(KEY_PREFIX) {
            self.by_key(credentials, now).await
        } else {
            self.by_token(credentials)
        }
    }

    async fn by_key(&self, secret: &str, now: Timestamp) -> Result<Caller, ApiError> {
        let key = self.catalog.key_by_secret(&BlobHash::of(secret.as_bytes())).await?;
        let key =
            key.ok_or_else(|| ApiError::new(Code::Unauthorized, "this API key is not known, or has been revoked"))?;
        if key.expires_at.is_some_and(|end| end <= now) {
            return Err(ApiError::new(Code::Unauthorized, "this API key has expired"));
        }
        if key.last_used_at.is_none_or(|last| now.since_ms(last) >= NOTED_EVERY_MS)
            && let Err(error) = self.catalog.key_used(key.id).await
        {
            tracing::warn!(%error, key = %key.id, "the use of a key was not noted");
        }
        let scopes = key.scopes.iter().filter_map(|name| Scope::parse(name)).collect();
        Ok(Caller { tenant: key.tenant, scopes, subject: key.id.to_string() })
    }

    fn by_token(&self, token: &str) -> Result<Caller, ApiError> {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = self.settings.leeway_s;
        validation.validate_nbf = true;
        validation.set_required_spec_claims(&["exp"]);
        if self.settings.issuer.is_empty() {
            validation.iss = None;
        } else {
            validation.set_issuer(&[&self.settings.issuer]);
            validation.required_spec_claims.insert("iss".to_owned());
        }
        if self.settings.audience.is_empty() {
            validation.validate_aud = false;
        } else {
            validation.set_audience(&[&self.settings.audience]);
            validation.required_spec_claims.insert("aud".to_owned());
        }
        let claims = decode::<Map<String, Value>>(token, &DecodingKey::from_secret(&self.secret), &validation)
            .map_err(|error| ApiError::new(Code::Unauthorized, format!("this token is not valid: {error}")))?
            .claims;
        let tenant = claims.get(&self.settings.tenant_claim).and_then(Value::as_str).unwrap_or_default();
        let tenant: TenantId = tenant.parse().map_err(|_| {
            ApiError::new(
                Code::Unauthorized,
                format!("the token's claim \"{}\" does not name a tenant", self.settings.tenant_claim),
            )
        })?;
        let scopes = claims.get("scope").and_then(Value::as_str).unwrap_or_default();
        let scopes = scopes.split([' ', ',']).filter_map(Scope::parse).collect();
        let subject = claims.get("sub").and_then(Value::as_str).unwrap_or("token").to_owned();
        Ok(Caller { tenant, scopes, subject })
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
        "scope": scope,
        "iat": now.as_millis() / 1000,
        "exp": expires.as_millis() / 1000,
    });
    claims[settings.tenant_claim.as_str()] = tenant.as_str().into();
    if !settings.issuer.is_empty() {
        claims["iss"] = settings.issuer.as_str().into();
    }
    if !settings.audience.is_empty() {
        claims["aud"] = settings.audience.as_str().into();
    }
    encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(secret))
}
