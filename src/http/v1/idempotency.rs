//! `Idempotency-Key`: a POST that creates is answered again instead of done again.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sensorium_domain::catalog::{IdempotencyState, ReservedKey};
use sensorium_domain::{BlobHash, JobId, TenantId};
use serde::Serialize;
use tracing::Instrument;

use crate::error::{ApiError, Code};
use crate::startup::App;

/// The header's value, if it was sent.
pub struct IdempotencyKey(pub Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let Some(value) = parts.headers.get("idempotency-key") else { return Ok(Self(None)) };
        match value.to_str().ok().filter(|key| (1..=255).contains(&key.len())) {
            Some(key) => Ok(Self(Some(key.to_owned()))),
            None => Err(ApiError::invalid("", "Idempotency-Key: must be 1 to 255 visible ASCII characters")),
        }
    }
}

/// A created thing's answer.
pub struct Created {
    /// 201 or 202.
    pub status: StatusCode,
    /// Where it, or its job, is found.
    pub location: String,
    /// The body, as JSON.
    pub body: String,
}

impl Created {
    /// From a value.
    pub fn new(status: StatusCode, location: String, body: &impl Serialize) -> Result<Self, ApiError> {
        Ok(Self { status, location, body: serde_json::to_string(body).map_err(ApiError::internal)? })
    }
}

impl IntoResponse for Created {
    fn into_response(self) -> Response {
        let mut response = (self.status, [(header::CONTENT_TYPE, "application/json")], self.body).into_response();
        if let Ok(location) = HeaderValue::from_str(&self.location) {
            response.headers_mut().insert(header::LOCATION, location);
        }
        response
    }
}

/// How a request begins.
pub enum Start {
    /// For the first time, under this key if one was sent.
    Fresh(Option<ReservedKey>),
    /// An equal request has enqueued this job before and has not answered yet; its process may have died.
    Accepted(JobId),
}

/// Does `work` unless a request with this key and fingerprint was answered before; then gives that answer again.
///
/// The work goes on to its end when the caller hangs up, so that a key is never left half used and a repeated request finds
/// the answer.
pub async fn once<F>(
    app: &App,
    tenant: &TenantId,
    key: IdempotencyKey,
    fingerprint: BlobHash,
    work: impl FnOnce(Start) -> F,
) -> Result<Created, ApiError>
where
    F: Future<Output = Result<Created, ApiError>> + Send + 'static,
{
    let Some(key) = key.0 else { return finish_even_alone(work(Start::Fresh(None))).await };
    let now = app.clock.now();
    let reserved_until = now.plus_ms(app.config.jobs.lease_ms);
    match app.catalog.idempotency_begin(tenant, &key, &fingerprint, reserved_until).await? {
        IdempotencyState::New => {}
        IdempotencyState::Accepted(job) => return work(Start::Accepted(job)).await,
        IdempotencyState::Replay { status, location, body } => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
            return Ok(Created { status, location: location.unwrap_or_default(), body });
        }
        IdempotencyState::Mismatch => {
            return Err(ApiError::new(Code::IdempotencyMismatch, "this Idempotency-Key was used for another request"));
        }
        IdempotencyState::InFlight => {
            let detail = "the first request with this Idempotency-Key is still running";
            return Err(ApiError::new(Code::InFlight, detail).retry_after(1_000));
        }
    }
    let keep_until = now.plus_ms(app.config.jobs.idempotency_hours * 3_600_000);
    let reserved = ReservedKey { key, request: fingerprint, keep_until };
    let work = work(Start::Fresh(Some(reserved.clone())));
    let (app, tenant) = (app.clone(), tenant.clone());
    finish_even_alone(async move {
        match kept_up(&app, &tenant, &reserved, work).await {
            Ok(created) => {
                let (status, location) = (created.status.as_u16(), created.location.as_str());
                app.catalog.idempotency_finish(&tenant, &reserved, status, Some(location), &created.body).await?;
                Ok(created)
            }
            Err(error) => {
                app.catalog.idempotency_forget(&tenant, &reserved.key).await?;
                Err(error)
            }
        }
    })
    .await
}

/// Does `work` and keeps the key reserved meanwhile, so that it is free soon after a process that dies and not before.
async fn kept_up<T>(app: &App, tenant: &TenantId, reserved: &ReservedKey, work: impl Future<Output = T>) -> T {
    let lease_ms = app.config.jobs.lease_ms;
    let mut every = tokio::time::interval(app.config.jobs.heartbeat());
    every.tick().await;
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            _ = every.tick() => {
                let until = app.clock.now().plus_ms(lease_ms);
                if let Err(error) = app.catalog.idempotency_extend(tenant, reserved, until).await {
                    tracing::warn!(%error, "an idempotency key was not kept up");
                }
            }
        }
    }
}

async fn finish_even_alone(
    work: impl Future<Output = Result<Created, ApiError>> + Send + 'static,
) -> Result<Created, ApiError> {
    tokio::spawn(work.in_current_span()).await.unwrap_or_else(|panic| Err(ApiError::internal(panic)))
}
