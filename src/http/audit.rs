//! The audit log: every change that a caller made.

use std::sync::{Arc, OnceLock};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, header};
use axum::middleware::Next;
use axum::response::Response;
use sensorium_domain::catalog::AuditEntry;
use serde_json::Map;

use crate::http::access::Caller;
use crate::http::middleware::current_request;
use crate::startup::App;

/// Where the extractor that lets a change pass leaves who asked for it.
#[derive(Clone, Default)]
pub struct Author(Arc<OnceLock<Caller>>);

impl Author {
    /// Tells who it is.
    pub fn is(&self, caller: &Caller) {
        // A handler has one caller argument, so it is told once.
        let _ = self.0.set(caller.clone());
    }
}

/// Records a request that changed something, after it has succeeded. The change has been made by then, so a log that cannot be written does not
/// take it back; the server's own log then has the entry.
pub async fn record(State(app): State<App>, mut request: Request, next: Next) -> Response {
    if request.method() == Method::GET {
        return next.run(request).await;
    }
    let author = Author::default();
    request.extensions_mut().insert(author.clone());
    let route = request.extensions().get::<MatchedPath>().map_or("-", MatchedPath::as_str);
    let action = format!("{} {route}", request.method());
    // What is made is named by the answer; whatever else is changed is named by the request.
    let makes_something = !route.contains('{');
    let path = request.uri().path().to_owned();
    let response = next.run(request).await;
    let Some(caller) = author.0.get().filter(|_| response.status().is_success()) else { return response };
    let location = response.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
    let entry = AuditEntry {
        at: app.clock.now(),
        actor: caller.subject.clone(),
        action,
        subject: location.filter(|_| makes_something).map_or(path, str::to_owned),
        request: Some(current_request().id),
        detail: Map::new(),
    };
    if let Err(error) = app.catalog.record(&caller.tenant, &entry).await {
        tracing::error!(%error, tenant = %caller.tenant, ?entry, "audit entry not written");
    }
    response
}
