//! /openapi.json, /docs (served offline) and the page at /.

use std::sync::{Arc, LazyLock};

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use utoipa_swagger_ui::Config;

use crate::error::{ApiError, Code};
use crate::openapi;

static SWAGGER: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| Arc::new(Config::from("/openapi.json")));

const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; \
    media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The OpenAPI document.
pub async fn openapi() -> Response {
    static DOCUMENT: LazyLock<String> = LazyLock::new(openapi::text);
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT.as_str()).into_response()
}

/// /docs, without a file.
pub async fn page() -> Redirect {
    Redirect::permanent("/docs/index.html")
}

/// A file of the documentation page.
pub async fn asset(Path(file): Path<String>) -> Result<Response, ApiError> {
    match utoipa_swagger_ui::serve(&file, SWAGGER.clone()) {
        Ok(Some(file)) => Ok(([(header::CONTENT_TYPE, file.content_type)], file.bytes.into_owned()).into_response()),
        Ok(None) => Err(ApiError::new(Code::RouteNotFound, format!("there is no {file} under /docs"))),
        Err(error) => Err(ApiError::internal(error)),
    }
}

/// The page.
pub async fn dashboard() -> Result<Response, ApiError> {
    file("index.html")
}

/// A file of the page.
pub async fn dashboard_asset(Path(name): Path<String>) -> Result<Response, ApiError> {
    file(&name)
}

fn file(name: &str) -> Result<Response, ApiError> {
    let (content, media_type) = crate::dashboard::file(name)
        .ok_or_else(|| ApiError::new(Code::RouteNotFound, format!("there is no {name} under /dashboard")))?;
    let headers = [
        (header::CONTENT_TYPE, media_type),
        (header::CONTENT_SECURITY_POLICY, PAGE_POLICY),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    Ok((StatusCode::OK, headers, content).into_response())
}
