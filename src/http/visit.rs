//! What the layers around a request learn from its handler's extractors: who called, and how their tenant stands.

use std::sync::{Arc, OnceLock};

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;

use crate::allowance::Standing;
use crate::http::access::Caller;

/// How the tenant stands.
pub const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
/// What the tenant may do.
pub const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// A request's record; every layer holds the same one.
#[derive(Clone, Default)]
pub struct Visit(Arc<Seen>);

#[derive(Default)]
struct Seen {
    caller: OnceLock<Caller>,
    author: OnceLock<Caller>,
    standing: OnceLock<Standing>,
}

impl Visit {
    /// Tells who calls. A handler has one caller argument, so it is told once.
    pub fn is_by(&self, caller: &Caller) {
        let _ = self.0.caller.set(caller.clone());
    }

    /// Tells who has leave to change something.
    pub fn changes_by(&self, caller: &Caller) {
        let _ = self.0.author.set(caller.clone());
    }

    /// Tells how the caller's tenant stands.
    pub fn stands(&self, standing: Standing) {
        let _ = self.0.standing.set(standing);
    }

    /// Who called, if they said so and it was true.
    pub fn caller(&self) -> Option<&Caller> {
        self.0.caller.get()
    }

    /// Who had leave to change something.
    pub fn author(&self) -> Option<&Caller> {
        self.0.author.get()
    }
}

/// Says in every answer how the caller's tenant stands, in the fields of draft-ietf-httpapi-ratelimit-headers.
pub async fn tell_standing(request: Request, next: Next) -> Response {
    let visit = request.extensions().get::<Visit>().cloned().unwrap_or_default();
    let mut response = next.run(request).await;
    if let Some(standing) = visit.0.standing.get() {
        let policy = format!("\"requests\";q={};w={}", standing.rate.burst, standing.rate.window_s());
        let now = format!("\"requests\";r={};t={}", standing.remaining, standing.full_in_s);
        for (name, value) in [(RATE_LIMIT_POLICY, policy), (RATE_LIMIT, now)] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(name, value);
            }
        }
    }
    response
}
