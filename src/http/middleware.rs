//! What surrounds every request: its id, its span and log line, the time limit, and the net under panics.

use std::any::Any;
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::Instrument;

use crate::error::{ApiError, Code};
use crate::http::visit::Visit;
use crate::startup::App;
use crate::telemetry;

/// The header that carries the request id in and out.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What a problem tells of its request.
#[derive(Debug, Clone, Default)]
pub struct RequestFacts {
    /// The request id.
    pub id: String,
    /// The path.
    pub path: String,
}

tokio::task_local! {
    static REQUEST: RequestFacts;
}

/// The request that is being answered by this task.
pub fn current_request() -> RequestFacts {
    REQUEST.try_with(Clone::clone).unwrap_or_default()
}

/// Gives the request an id (its own, if it is a plain one), a span and a log line.
pub async fn identify(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let given = request.headers().get(&REQUEST_ID).and_then(|value| value.to_str().ok());
    let plain = |id: &&str| {
        (8..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    };
    let id = given.filter(plain).map_or_else(|| app.new_request_id(), str::to_owned);
    let facts = RequestFacts { id: id.clone(), path: request.uri().path().to_owned() };
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or("-", MatchedPath::as_str).to_owned();
    let span = tracing::info_span!(
        "request",
        otel.name = format!("{method} {route}"),
        otel.kind = "server",
        request_id = %id,
        http.request.method = %method,
        http.route = route.as_str(),
        http.response.status_code = tracing::field::Empty,
    );
    telemetry::take_up_trace(&span, request.headers());
    let visit = Visit::default();
    request.extensions_mut().insert(visit.clone());
    let started = std::time::Instant::now();
    let mut response = REQUEST.scope(facts, next.run(request)).instrument(span.clone()).await;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    let took = started.elapsed();
    let status = response.status().as_u16();
    app.metrics.answered(&route, &method, status, took);
    span.record("http.response.status_code", i64::from(status));
    // The one line of a request: everything that an operator asks of it, in its own fields.
    tracing::info!(
        request_id = %id,
        %method,
        route,
        status,
        ms = took.as_secs_f64() * 1000.0,
        tenant = visit.caller().map(|caller| caller.tenant.as_str()),
        actor = visit.caller().map(|caller| caller.subject.as_str()),
        trace_id = telemetry::trace_id(&span),
        "request done"
    );
    response
}

/// Answers 503 when a request takes longer than `server.request_timeout_ms`. Requests that wait for a job on purpose
/// (`Prefer: wait`) get that much more; event streams end by themselves and answer their headers at once.
pub async fn time_limit(State(app): State<App>, request: Request, next: Next) -> Response {
    let limits = &app.config.server;
    let waits = request.headers().contains_key("prefer");
    let limit_ms = limits.request_timeout_ms + if waits { limits.max_wait_s * 1000 } else { 0 };
    match tokio::time::timeout(Duration::from_millis(limit_ms), next.run(request)).await {
        Ok(response) => response,
        Err(_) => ApiError::new(Code::Timeout, format!("no answer within {limit_ms} ms (server.request_timeout_ms)"))
            .retry_after(1_000)
            .into_response(),
    }
}

/// Turns a panic in a handler into a 500 problem; the server lives on.
#[allow(clippy::needless_pass_by_value)] // the form that the layer asks for
pub fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("unknown");
    ApiError::internal(format!("a handler panicked: {text}")).into_response()
}

/// Headers for every answer: no sniffing, no framing, no referrer.
pub async fn harden(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::body::Body;
    use axum::routing::get;
    use http_body_util::BodyExt;
    use tower::ServiceExt;
    use tower_http::catch_panic::CatchPanicLayer;

    async fn boom() -> &'static str {
        panic!("secret inner state")
    }

    #[tokio::test]
    async fn a_panic_is_a_500_problem_that_tells_nothing_and_the_server_lives() {
        let routes = Router::new()
            .route("/boom", get(boom))
            .route("/fine", get(|| async { "fine" }))
            .layer(CatchPanicLayer::custom(panicked));
        for _ in 0..2 {
            let request = Request::get("/boom").body(Body::empty()).unwrap();
            let response = routes.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status(), 500);
            assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
            let body = response.into_body().collect().await.unwrap().to_bytes();
            let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(problem["code"], "internal");
            assert!(!problem.to_string().contains("secret"));
        }
        let request = Request::get("/fine").body(Body::empty()).unwrap();
        assert_eq!(routes.oneshot(request).await.unwrap().status(), 200);
    }
}
