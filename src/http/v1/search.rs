//! POST /v1/search: any modality asks, any may answer.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header::HeaderName};
use axum::response::{IntoResponse, Response};
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::http::access::Read;
use crate::http::problem::Problems;
use crate::http::upload::read_upload;
use crate::search::{self, Answer, SearchRequest, Timing};
use crate::startup::App;

/// A form with files, for the OpenAPI document.
#[derive(ToSchema)]
#[allow(dead_code)]
pub struct SearchForm {
    /// The search; its inputs name files by `{"file":"FIELD"}`.
    query: SearchRequest,
    /// Files, in fields of any name.
    #[schema(value_type = Option<Vec<String>>, format = Binary)]
    file: Option<Vec<Vec<u8>>>,
}

/// Finds documents or segments of any modality by any number of texts, pictures, sounds and stored things.
#[utoipa::path(post, path = "/v1/search", operation_id = "search", tag = "search",
    request_body(content((SearchRequest = "application/json"), (SearchForm = "multipart/form-data"))),
    responses(
        (status = 200, body = Answer, headers(("Server-Timing" = String, description = "Milliseconds by stage"))),
        (status = 410, description = "The page token belongs to another query or an older index", body = crate::http::problem::Problem, content_type = "application/problem+json"),
        Problems,
    ))]
pub async fn search(State(app): State<App>, caller: Read, request: Request) -> Result<Response, ApiError> {
    let upload = read_upload::<SearchRequest>(request, &app, "query").await?;
    let query = upload.json.ok_or_else(|| ApiError::invalid("/query", "the form has no field \"query\""))?;
    app.recent.note(&caller.tenant, &query, app.config.reindex.keep_queries as usize);
    let answer = search::search(&app, &caller.tenant, query, &upload.files).await?;
    let timing = server_timing(&answer.timing);
    Ok(([(HeaderName::from_static("server-timing"), timing)], Json(answer)).into_response())
}

fn server_timing(timing: &Timing) -> HeaderValue {
    let Timing { encode_ms, index_ms, fuse_ms, catalog_ms } = timing;
    let total = encode_ms + index_ms + fuse_ms + catalog_ms;
    let text = format!(
        "encode;dur={encode_ms:.3}, index;dur={index_ms:.3}, fuse;dur={fuse_ms:.3}, catalog;dur={catalog_ms:.3}, total;dur={total:.3}"
    );
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("total"))
}
