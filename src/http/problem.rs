//! RFC 9457 problems: [`ApiError`] as `application/problem+json`.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::openapi::{ContentBuilder, RefOr, ResponseBuilder, ResponsesBuilder};
use utoipa::{IntoResponses, ToSchema};

use crate::error::{ApiError, Code, FieldError};
use crate::http::middleware::current_request;

/// The media type of problems.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// What went wrong, after RFC 9457.
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    /// Names the kind of problem.
    #[schema(example = "/problems/invalid")]
    pub r#type: String,
    /// The kind of problem, for people.
    #[schema(example = "Invalid request")]
    pub title: String,
    /// The HTTP status.
    #[schema(example = 422)]
    pub status: u16,
    /// What happened, with value and limit.
    pub detail: String,
    /// The path of the request.
    #[schema(example = "/v1/search")]
    pub instance: String,
    /// For programs; finer than `type` where there is more to tell.
    #[schema(example = "invalid")]
    pub code: String,
    /// Names this request in the log.
    #[schema(example = "req_01920c6a7b3c7def8123456789abcdef")]
    pub request_id: String,
    /// Every fault with its place.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

impl From<ApiError> for Problem {
    /// As the answer of the request that is being answered.
    fn from(error: ApiError) -> Self {
        let request = current_request();
        Self {
            r#type: format!("/problems/{}", error.code.as_str().replace('_', "-")),
            title: error.code.title().to_owned(),
            status: error.code.status(),
            detail: error.detail,
            instance: request.path,
            code: error.fine.unwrap_or_else(|| error.code.as_str().to_owned()),
            request_id: request.id,
            errors: error.errors,
        }
    }
}

/// When to come back, as the header `Retry-After` says it: in whole seconds.
pub fn retry_after(ms: u64) -> HeaderValue {
    HeaderValue::from(ms.div_ceil(1000).max(1))
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (code, retry_after_ms) = (self.code, self.retry_after_ms);
        let status = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(Problem::from(self))).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some(ms) = retry_after_ms {
            headers.insert(header::RETRY_AFTER, retry_after(ms));
        }
        if code == Code::Unauthorized {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// The problem responses that every operation may give, for the OpenAPI document.
pub struct Problems;

impl IntoResponses for Problems {
    fn responses() -> std::collections::BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        let schema = RefOr::Ref(utoipa::openapi::Ref::from_schema_name("Problem"));
        let described = [
            ("400", "The request is malformed"),
            ("401", "No or no valid credentials"),
            ("403", "The credentials do not allow it"),
            ("404", "There is no such thing in the caller's tenant"),
            ("413", "Too large; the detail names the limit"),
            ("415", "A media type that is not taken"),
            ("422", "A value is wrong; `errors` says where"),
            ("429", "Too much at once; `Retry-After` says when to come back"),
            ("500", "A fault of the server"),
            ("503", "A dependency is down, or it took too long"),
        ];
        let mut responses = ResponsesBuilder::new();
        for (status, description) in described {
            let content = ContentBuilder::new().schema(Some(schema.clone())).build();
            responses = responses
                .response(status, ResponseBuilder::new().description(description).content(PROBLEM_JSON, content));
        }
        responses.build().responses.into_iter().collect()
    }
}
