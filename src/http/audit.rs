//! The audit log: every change that a caller made.

use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, header};
use axum::middleware::Next;
use axum::response::Response;
use sensorium_domain::catalog::AuditEntry;
use serde_json::{Map, Value};

use crate::http::middleware::current_request;
use crate::http::visit::Visit;
use crate::startup::App;

/// What an answer adds to its entry in the log.
#[derive(Clone, Default)]
pub struct AuditDetail(pub Map<String, Value>);

/// Records a request that changed something, after it has succeeded. The change has been made by then, so a log that cannot be written does not
/// take it back; the server's own log then has the entry.
pub async fn record(State(app): State<App>, request: Request, next: Next) -> Response {
    if request.method() == Method::GET {
        return next.run(request).await;
    }
    let visit = request.extensions().get::<Visit>().cloned().unwrap_or_default();
    let route = request.extensions().get::<MatchedPath>().map_or("-", MatchedPath::as_str);
    let action = format!("{} {route}", request.method());
    // What is made is named by the answer; whatever else is changed is named by the request.
    let makes_something = !route.contains('{');
    let path = request.uri().path().to_owned();
    let response = next.run(request).await;
    let Some(caller) = visit.author().filter(|_| response.status().is_success()) else { return response };
    let location = response.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
    let entry = AuditEntry {
        at: app.clock.now(),
        actor: caller.subject.clone(),
        action,
        subject: location.filter(|_| makes_something).map_or(path, str::to_owned),
        request: Some(current_request().id),
        detail: response.extensions().get::<AuditDetail>().cloned().unwrap_or_default().0,
    };
    if let Err(error) = app.catalog.record(&caller.tenant, &entry).await {
        tracing::error!(%error, tenant = %caller.tenant, ?entry, "audit entry not written");
    }
    response
}
