//! A JSON body.

use axum::extract::{FromRequest, Request};
use axum::http::header;
use serde::de::DeserializeOwned;

use crate::error::{ApiError, Code};
use crate::http::body_memory;
use crate::http::extract::objects::Objects;
use crate::startup::App;

/// A JSON body. Not JSON is 400; a wrong type or an unknown field is 422 with its place.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest<App> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
        let is_json = kind.split(';').next().is_some_and(|kind| {
            let kind = kind.trim();
            kind.eq_ignore_ascii_case("application/json") || kind.ends_with("+json")
        });
        if !is_json {
            return Err(ApiError::new(
                Code::UnsupportedContentType,
                format!("the content type is \"{kind}\"; send application/json"),
            ));
        }
        let body = body_memory::read(request.into_body(), app).await?;
        parse_json(&body.bytes, "").map(Self)
    }
}

/// Parses JSON, telling malformed (400) from wrong (422, with a pointer below `base`).
pub fn parse_json<T: DeserializeOwned>(bytes: &[u8], base: &str) -> Result<T, ApiError> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(Objects(&mut deserializer)).map_err(|error| {
        let pointer = format!("{base}{}", pointer(error.path()));
        let inner = error.into_inner();
        if inner.is_data() {
            ApiError::invalid(pointer, without_position(&inner.to_string()))
        } else {
            ApiError::new(Code::Malformed, format!("the body is not JSON: {inner}"))
        }
    })?;
    deserializer
        .end()
        .map_err(|error| ApiError::new(Code::Malformed, format!("the body is not one JSON value: {error}")))?;
    Ok(value)
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter()
        .map(|segment| match segment {
            Segment::Seq { index } => format!("/{index}"),
            Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
            Segment::Enum { variant } => format!("/{variant}"),
            Segment::Unknown => String::new(),
        })
        .collect()
}

fn without_position(text: &str) -> String {
    text.rfind(" at line ").map_or(text, |end| &text[..end]).to_owned()
}
