//! ONE table of routes. From an address here to its handler is one jump; the OpenAPI document is made from the same handlers
//! and a test checks that the two tell of the same addresses.

use axum::Router;
use axum::http::{HeaderValue, Method, header};
use axum::routing::{delete, get, post};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::http::{audit, docs, fallback, health, metrics, middleware, v1, visit};
use crate::startup::App;

/// Every address of the server.
pub fn router(app: &App) -> Router {
    let routes = Router::new()
        // Documents
        .route("/v1/documents", get(v1::documents::list::list).post(v1::documents::create::create))
        .route("/v1/documents/batch", post(v1::documents::batch::batch))
        .route(
            "/v1/documents/{id}",
            get(v1::documents::get::get).patch(v1::documents::patch::patch).delete(v1::documents::delete::delete),
        )
        .route("/v1/documents/{id}/segments", get(v1::documents::segments::segments))
        // Parts
        .route("/v1/parts/{id}", get(v1::parts::get::get))
        .route("/v1/parts/{id}/content", get(v1::parts::content::content))
        .route("/v1/parts/{id}/thumbnail", get(v1::parts::thumbnail::thumbnail))
        .route("/v1/parts/{id}/peaks", get(v1::parts::peaks::peaks))
        // Questions
        .route("/v1/search", post(v1::search::search))
        .route("/v1/embeddings", post(v1::embeddings::embeddings))
        .route("/v1/classify", post(v1::classify::classify))
        .route("/v1/captions", post(v1::captions::captions))
        .route("/v1/audio/transcriptions", post(v1::audio::transcriptions::transcriptions))
        .route("/v1/audio/translations", post(v1::audio::translations::translations))
        // Jobs
        .route("/v1/jobs", get(v1::jobs::list::list))
        .route("/v1/jobs/{id}", get(v1::jobs::get::get))
        .route("/v1/jobs/{id}/events", get(v1::jobs::events::events))
        .route("/v1/jobs/{id}/cancel", post(v1::jobs::cancel::cancel))
        .route("/v1/jobs/{id}/retry", post(v1::jobs::retry::retry))
        // Collections
        .route("/v1/collections", get(v1::collections::list::list).post(v1::collections::create::create))
        .route(
            "/v1/collections/{name}",
            get(v1::collections::get::get).patch(v1::collections::patch::patch).delete(v1::collections::delete::delete),
        )
        // Keys and what was done with them
        .route("/v1/keys", get(v1::keys::list::list).post(v1::keys::create::create))
        .route("/v1/keys/{id}", delete(v1::keys::revoke::revoke))
        .route("/v1/audit", get(v1::audit::audit))
        .route("/v1/usage", get(v1::usage::usage))
        .route("/v1/generations", get(v1::generations::generations))
        .route("/v1/reindex", post(v1::reindex::reindex))
        // The server itself
        .route("/v1/models", get(v1::models::models))
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(metrics::metrics))
        .route("/openapi.json", get(docs::openapi))
        .route("/docs", get(docs::page))
        .route("/docs/{*file}", get(docs::asset))
        .route("/", get(docs::dashboard))
        .route("/dashboard/{*file}", get(docs::dashboard_asset))
        .fallback(fallback::not_found)
        .method_not_allowed_fallback(fallback::method_not_allowed)
        .with_state(app.clone());
    surround(routes, app)
}

/// What a process answers that works on jobs alone.
pub fn worker_router(app: &App) -> Router {
    let routes = Router::new()
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(metrics::metrics))
        .fallback(fallback::not_found)
        .method_not_allowed_fallback(fallback::method_not_allowed)
        .with_state(app.clone());
    surround(routes, app)
}

/// What surrounds every route, from the inside out.
fn surround(routes: Router, app: &App) -> Router {
    let compressible = DefaultPredicate::new()
        .and(NotForContentType::const_new("text/event-stream"))
        .and(NotForContentType::const_new("audio/"));
    routes
        .layer(axum::extract::DefaultBodyLimit::disable()) // bodies are bounded while they are read: http::body_memory
        .layer(axum::middleware::from_fn_with_state(app.clone(), audit::record))
        .layer(axum::middleware::from_fn(visit::tell_standing))
        .layer(CatchPanicLayer::custom(middleware::panicked))
        .layer(axum::middleware::from_fn_with_state(app.clone(), middleware::time_limit))
        .layer(CompressionLayer::new().compress_when(compressible))
        .layer(axum::middleware::from_fn(middleware::harden))
        .layer(cors(app))
        .layer(axum::middleware::from_fn_with_state(app.clone(), middleware::identify))
}

fn cors(app: &App) -> CorsLayer {
    let origins: Vec<HeaderValue> =
        app.config.server.cors_origins.iter().filter_map(|origin| origin.parse().ok()).collect();
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::POST, Method::PATCH, Method::DELETE])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE, header::RANGE, header::IF_NONE_MATCH])
        .expose_headers([
            header::LOCATION,
            header::RETRY_AFTER,
            header::ETAG,
            header::CONTENT_RANGE,
            visit::RATE_LIMIT,
            visit::RATE_LIMIT_POLICY,
        ])
}
