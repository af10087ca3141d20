//! What a token must say, and who it makes of its bearer.

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use sensorium_domain::TenantId;
use serde_json::{Map, Value};

use crate::config;
use crate::error::{ApiError, Code};
use crate::http::access::{Caller, Scope};

/// Checks signature, `exp`, `nbf` and, where the settings name them, `iss` and `aud`; reads tenant, scopes and subject.
pub fn check(
    token: &str,
    key: &DecodingKey,
    algorithm: Algorithm,
    settings: &config::Auth,
) -> Result<Caller, ApiError> {
    let claims = decode::<Map<String, Value>>(token, key, &validation(algorithm, settings))
        .map_err(|error| refused(&error))?
        .claims;
    let tenant = claims.get(&settings.tenant_claim).and_then(Value::as_str).unwrap_or_default();
    let tenant: TenantId = tenant.parse().map_err(|_| {
        ApiError::new(
            Code::Unauthorized,
            format!("the token's claim \"{}\" does not name a tenant", settings.tenant_claim),
        )
    })?;
    let scopes = claims.get(&settings.scope_claim).map(scopes).unwrap_or_default();
    let subject = claims.get("sub").and_then(Value::as_str).unwrap_or("token").to_owned();
    Ok(Caller { tenant, scopes, subject })
}

/// The answer to a token that is not taken.
pub fn refused(why: &impl std::fmt::Display) -> ApiError {
    ApiError::new(Code::Unauthorized, format!("this token is not valid: {why}"))
}

fn validation(algorithm: Algorithm, settings: &config::Auth) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.leeway = settings.leeway_s;
    validation.validate_nbf = true;
    validation.set_required_spec_claims(&["exp"]);
    if settings.issuer.is_empty() {
        validation.iss = None;
    } else {
        validation.set_issuer(&[&settings.issuer]);
        validation.required_spec_claims.insert("iss".to_owned());
    }
    if settings.audience.is_empty() {
        validation.validate_aud = false;
    } else {
        validation.set_audience(&[&settings.audience]);
        validation.required_spec_claims.insert("aud".to_owned());
    }
    validation
}

/// Scopes as issuers write them: one string with spaces or commas, or a list. Names that are not ours grant nothing.
fn scopes(claim: &Value) -> Vec<Scope> {
    let names: Vec<&str> = match claim {
        Value::String(names) => names.split([' ', ',']).collect(),
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    names.into_iter().filter_map(Scope::parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_read_as_issuers_write_them() {
        for written in [serde_json::json!("openid read,write"), serde_json::json!(["openid", "read", 7, "write"])] {
            assert_eq!(scopes(&written), [Scope::Read, Scope::Write], "{written}");
        }
        assert!(scopes(&serde_json::json!({"read": true})).is_empty());
    }
}
