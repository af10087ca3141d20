//! multipart/form-data: one JSON field and any number of files.

use axum::extract::{FromRequest, Multipart, Request};
use axum::http::header;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use tokio::sync::OwnedSemaphorePermit;

use crate::error::{ApiError, Code};
use crate::http::body_memory;
use crate::http::extract::{Body, parse_json};
use crate::startup::App;

/// A file field of a form.
#[derive(Debug, Clone)]
pub struct UploadedFile {
    /// The name of the form's field; JSON refers to the file by it.
    pub field: String,
    /// The file's own name, if the client sent one.
    pub name: Option<String>,
    /// Its bytes.
    pub bytes: Bytes,
}

/// A request that comes as JSON alone, or as a form with a JSON field and files.
pub struct Upload<T> {
    /// The JSON; `None` when the form has no such field.
    pub json: Option<T>,
    /// The files in the form's order.
    pub files: Vec<UploadedFile>,
    /// The share of the memory bound; held as long as the bytes.
    pub share: Option<OwnedSemaphorePermit>,
}

/// Reads either form of a request. `field` is the name of the JSON field.
pub async fn read_upload<T: DeserializeOwned>(request: Request, app: &App, field: &str) -> Result<Upload<T>, ApiError> {
    let kind =
        request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("").to_owned();
    if !kind.to_ascii_lowercase().starts_with("multipart/form-data") {
        let Body(json) = Body::<T>::from_request(request, app).await.map_err(|error| match error.code {
            Code::UnsupportedContentType => ApiError::new(
                Code::UnsupportedContentType,
                format!("the content type is \"{kind}\"; send application/json or multipart/form-data"),
            ),
            _ => error,
        })?;
        return Ok(Upload { json: Some(json), files: Vec::new(), share: None });
    }
    let share = match body_memory::reserve(app, request.headers()).await {
        Ok(share) => share,
        Err(error) => {
            body_memory::drain(request.into_body()).await;
            return Err(error);
        }
    };
    let limit = app.config.server.max_body_bytes;
    let mut form = Multipart::from_request(request, app)
        .await
        .map_err(|rejection| ApiError::new(Code::Malformed, rejection.body_text()))?;
    let mut upload = Upload { json: None, files: Vec::new(), share: Some(share) };
    let mut total = 0usize;
    let broken = |error: axum::extract::multipart::MultipartError| {
        if error.status().as_u16() == 413 {
            body_memory::too_large(limit + 1, limit)
        } else {
            ApiError::new(Code::Malformed, format!("the form cannot be read: {}", error.body_text()))
        }
    };
    while let Some(mut part) = form.next_field().await.map_err(broken)? {
        let name = part.name().unwrap_or_default().to_owned();
        let file_name = part.file_name().map(str::to_owned).filter(|name| !name.is_empty());
        let mut bytes = Vec::new();
        while let Some(chunk) = part.chunk().await.map_err(broken)? {
            total += chunk.len();
            if total > limit {
                return Err(body_memory::too_large(total, limit));
            }
            bytes.extend_from_slice(&chunk);
        }
        if name == field {
            if upload.json.is_some() {
                return Err(ApiError::new(Code::Malformed, format!("the form has the field \"{field}\" twice")));
            }
            upload.json = Some(parse_json(&bytes, "")?);
        } else {
            if upload.files.len() >= app.config.ingest.max_parts {
                let limit = app.config.ingest.max_parts;
                return Err(ApiError::new(Code::TooLarge, format!("more than {limit} files (ingest.max_parts)")));
            }
            upload.files.push(UploadedFile { field: name, name: file_name, bytes: bytes.into() });
        }
    }
    Ok(upload)
}
