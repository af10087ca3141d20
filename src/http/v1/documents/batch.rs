//! POST /v1/documents/batch: adds many documents.

use std::collections::HashSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::future::join_all;
use sensorium_domain::CollectionName;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::config;
use crate::error::{ApiError, FieldError};
use crate::http::access::Write;
use crate::http::audit::AuditDetail;
use crate::http::extract::Wait;
use crate::http::problem::{Problem, Problems, retry_after};
use crate::http::upload::{Upload, UploadedFile, read_upload};
use crate::http::v1::documents::create::{Addition, add};
use crate::http::v1::documents::view::DocumentView;
use crate::http::v1::idempotency::{Created, IdempotencyKey};
use crate::http::v1::jobs::view::JobView;
use crate::ingest::{DocumentRequest, PartBytes, unnamed_file};
use crate::startup::App;

/// Documents to add. In a form this is the field `batch`, and every other field is a file that a part names.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"documents": [{"external_id": "note-1", "parts": [{"text": "A dog barks at night."}]}]}))]
pub struct BatchRequest {
    /// The documents, no two of them with the same external id in one collection.
    pub documents: Vec<DocumentRequest>,
}

/// A form with files, for the OpenAPI document.
#[derive(ToSchema)]
#[allow(dead_code)]
pub struct BatchForm {
    /// The documents; their parts name the files.
    batch: BatchRequest,
    /// Files, in fields of any name.
    #[schema(value_type = Option<Vec<String>>, format = Binary)]
    file: Option<Vec<Vec<u8>>>,
}

/// What became of a batch.
#[derive(Debug, Serialize, ToSchema)]
pub struct BatchAnswer {
    /// How many documents were accepted.
    pub accepted: usize,
    /// How many were refused.
    pub refused: usize,
    /// What became of each document, in the order of the request.
    pub results: Vec<BatchResult>,
}

/// What became of one document: what its own request would have been answered.
#[derive(Debug, Serialize, ToSchema)]
pub struct BatchResult {
    /// 202, or the problem's status.
    #[schema(example = 202)]
    pub status: u16,
    /// The accepted document.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<DocumentView>)]
    pub document: Option<Value>,
    /// The job that works on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<JobView>)]
    pub job: Option<Value>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

/// Adds many documents at once, each as if it came by itself: one that is refused does not keep the others back.
///
/// Once this has answered 202, every document whose result is 202 survives a crash. `Prefer: wait=N` waits for all their jobs. A
/// repeated request with the same `Idempotency-Key` adds those that are missing. When every document is refused, the answer is a
/// problem that names the faults of all.
#[utoipa::path(post, path = "/v1/documents/batch", operation_id = "create_documents", tag = "documents",
    params(
        ("Prefer" = Option<String>, Header, description = "`wait=N`: wait up to N seconds for the jobs", example = "wait=10"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes repeating the request safe"),
    ),
    request_body(content(
        (BatchRequest = "application/json"),
        (BatchForm = "multipart/form-data"),
    )),
    responses((status = 202, body = BatchAnswer), Problems))]
pub async fn batch(
    State(app): State<App>,
    caller: Write,
    Wait(patience): Wait,
    key: IdempotencyKey,
    request: Request,
) -> Result<Response, ApiError> {
    let Upload { json, files, share } = read_upload::<BatchRequest>(request, &app, "batch").await?;
    let documents = json.unwrap_or_default().documents;
    check(&documents, &files, &app.config.ingest)?;
    let resolved = resolve(&documents, &files, &app.config.ingest);
    // The bytes are held until the last document has been accepted, and not while its job is waited for.
    drop(files);
    let share = Arc::new(share);
    let additions: Vec<_> = documents
        .into_iter()
        .zip(resolved)
        .enumerate()
        .map(|(index, (document, parts))| {
            let key = IdempotencyKey(key.0.as_ref().map(|key| format!("{key}#{index}")));
            let (app, tenant, share) = (&app, &caller.tenant, share.clone());
            async move {
                let addition = Addition { document, parts: parts?, patience, key };
                Box::pin(add(app, tenant, addition, share)).await.map_err(|error| below(index, error))
            }
        })
        .collect();
    drop(share);
    answer(join_all(additions).await)
}

/// What is wrong with the batch as such.
fn check(documents: &[DocumentRequest], files: &[UploadedFile], limits: &config::Ingest) -> Result<(), ApiError> {
    if !(1..=limits.max_batch).contains(&documents.len()) {
        let (count, most) = (documents.len(), limits.max_batch);
        return Err(ApiError::invalid(
            "/documents",
            format!("{count} documents; must be 1 to {most} (ingest.max_batch)"),
        ));
    }
    let is_named = |file: &&UploadedFile| documents.iter().any(|document| document.names_file(&file.field));
    let unnamed = files.iter().filter(|file| !is_named(file)).map(unnamed_file);
    let unnamed = unnamed.map(|fault| FieldError { pointer: "/documents".to_owned(), ..fault });
    ApiError::from_faults(unnamed.collect()).map_or(Ok(()), Err)
}

/// The bytes of each document, or what is wrong with it.
fn resolve(
    documents: &[DocumentRequest],
    files: &[UploadedFile],
    limits: &config::Ingest,
) -> Vec<Result<Vec<PartBytes>, ApiError>> {
    let mut known: HashSet<(&CollectionName, &str)> = HashSet::new();
    let mut resolved = Vec::with_capacity(documents.len());
    for (index, document) in documents.iter().enumerate() {
        let is_first = match &document.external_id {
            Some(id) => known.insert((&document.collection, id)),
            None => true,
        };
        let parts = if is_first {
            document.resolve_named(files, limits)
        } else {
            Err(ApiError::invalid(
                "/external_id",
                "a document before this one has it too; the last one would replace it",
            ))
        };
        resolved.push(parts.map_err(|error| below(index, error)));
    }
    resolved
}

/// The same error with its places in the batch.
fn below(index: usize, mut error: ApiError) -> ApiError {
    for fault in &mut error.errors {
        fault.pointer.insert_str(0, &format!("/documents/{index}"));
    }
    error
}

fn answer(outcomes: Vec<Result<Created, ApiError>>) -> Result<Response, ApiError> {
    let retry_after_ms = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()?.retry_after_ms).max();
    let count = outcomes.len();
    let accepted = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    if accepted == 0 {
        return Err(all_refused(outcomes.into_iter().filter_map(Result::err).collect(), retry_after_ms));
    }
    let jobs = outcomes.iter().flatten().map(|created| created.location.clone().into()).collect();
    let results = outcomes.into_iter().map(result).collect::<Result<Vec<_>, _>>()?;
    let body = BatchAnswer { accepted, refused: count - accepted, results };
    let mut response = (StatusCode::ACCEPTED, Json(body)).into_response();
    if let Some(ms) = retry_after_ms {
        response.headers_mut().insert(header::RETRY_AFTER, retry_after(ms));
    }
    response.extensions_mut().insert(AuditDetail(Map::from_iter([("jobs".to_owned(), Value::Array(jobs))])));
    Ok(response)
}

fn result(outcome: Result<Created, ApiError>) -> Result<BatchResult, ApiError> {
    match outcome {
        Ok(created) => {
            let mut body: Value = serde_json::from_str(&created.body).map_err(ApiError::internal)?;
            let mut member = |name| body.get_mut(name).map(Value::take);
            let (document, job) = (member("document"), member("job"));
            Ok(BatchResult { status: created.status.as_u16(), document, job, problem: None })
        }
        Err(error) => {
            let problem = Problem::from(error);
            Ok(BatchResult { status: problem.status, document: None, job: None, problem: Some(problem) })
        }
    }
}

/// The first error, with the faults of all. One that may pass by itself comes before others: the batch is worth sending again.
fn all_refused(errors: Vec<ApiError>, retry_after_ms: Option<u64>) -> ApiError {
    let count = errors.len();
    let faults = errors.iter().flat_map(|error| error.errors.clone()).collect();
    let first = errors.iter().position(|error| error.retry_after_ms.is_some()).unwrap_or_default();
    let Some(mut first) = errors.into_iter().nth(first) else { return ApiError::internal("a batch of nothing") };
    if count > 1 {
        first.detail = format!("none of the {count} documents was accepted; the first: {}", first.detail);
    }
    ApiError { errors: faults, retry_after_ms, ..first }
}
