//! PATCH /v1/documents/{id}: changes a document's description.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use sensorium_domain::catalog::DocumentPatch;
use sensorium_domain::{DocumentId, JobId};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::error::{ApiError, FieldError};
use crate::http::access::Write;
use crate::http::extract::{Body, Id, Wait};
use crate::http::problem::Problems;
use crate::http::v1::documents::create::Accepted;
use crate::http::v1::documents::view::DocumentView;
use crate::http::v1::jobs::view::{JobView, location};
use crate::ingest::{metadata_fault, tag_faults};
use crate::jobs::wait_for_job;
use crate::startup::App;

/// Changes; what is left out stays as it is.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"title": "Evening ride", "tags": ["bike", "evening"], "metadata": {"year": null}}))]
pub struct PatchDocument {
    /// A new title; null removes it.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    pub title: Option<Option<String>>,
    /// New tags, in place of the old ones.
    pub tags: Option<Vec<String>>,
    /// Metadata to merge (RFC 7396): null removes a key.
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Map<String, Value>>,
}

/// Tells null from absent.
pub fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(deserializer).map(Some)
}

/// Changes title, tags or metadata; the job writes them to the index without running a model.
#[utoipa::path(patch, path = "/v1/documents/{id}", operation_id = "patch_document", tag = "documents",
    params(("id" = DocumentId, Path), ("Prefer" = Option<String>, Header, description = "`wait=N`: wait up to N seconds for the job")),
    request_body = PatchDocument,
    responses((status = 202, body = Accepted, headers(("Location" = String, description = "The job"))), Problems))]
pub async fn patch(
    State(app): State<App>,
    caller: Write,
    Id(id): Id<DocumentId>,
    Wait(patience): Wait,
    Body(patch): Body<PatchDocument>,
) -> Result<Response, ApiError> {
    check(&app, &patch)?;
    let patch = DocumentPatch { title: patch.title, tags: patch.tags, metadata: patch.metadata };
    let job = JobId::new(app.clock.now(), app.randomness());
    let (document, job) = app.catalog.patch_document(&caller.tenant, id, patch, job).await?;
    app.bell.ring();
    let job = wait_for_job(&app, &caller.tenant, job.id, patience).await?;
    let place = location(job.id);
    let body = Accepted { document: DocumentView::new(document, None), job: JobView::new(job, app.clock.now()) };
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, place)], Json(body)).into_response())
}

fn check(app: &App, patch: &PatchDocument) -> Result<(), ApiError> {
    let limits = &app.config.ingest;
    let mut faults = Vec::new();
    let chars = patch.title.iter().flatten().map(|title| title.chars().count()).max().unwrap_or(0);
    if chars > limits.max_title_chars {
        let detail = format!("{chars} characters; the limit is {} (ingest.max_title_chars)", limits.max_title_chars);
        faults.push(FieldError { pointer: "/title".to_owned(), detail });
    }
    faults.extend(patch.tags.iter().flat_map(|tags| tag_faults(tags, limits)));
    faults.extend(patch.metadata.as_ref().and_then(|metadata| metadata_fault(metadata, limits)));
    ApiError::from_faults(faults).map_or(Ok(()), Err)
}
