//! POST /v1/documents: adds a document.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use sensorium_domain::{BlobHash, JobId, JobKind, TenantId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::http::access::Write;
use crate::http::extract::Wait;
use crate::http::problem::Problems;
use crate::http::upload::read_upload;
use crate::http::v1::documents::view::DocumentView;
use crate::http::v1::idempotency::{Created, IdempotencyKey, Start, once};
use crate::http::v1::jobs::view::{JobView, location};
use crate::ingest::{AcceptedDocument, DocumentRequest, NewIngest, PartBytes, accept};
use crate::jobs::wait_for_changes;
use crate::startup::App;

/// An accepted document and the job that works on it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Accepted {
    /// The document.
    pub document: DocumentView,
    /// The job.
    pub job: JobView,
}

/// A form with files, for the OpenAPI document.
#[derive(ToSchema)]
#[allow(dead_code)]
pub struct DocumentForm {
    /// What is to be known of the document; may be left out.
    document: Option<DocumentRequest>,
    /// Files, in fields of any name; each is a part unless `document.parts` says otherwise.
    #[schema(value_type = Option<Vec<String>>, format = Binary)]
    file: Option<Vec<Vec<u8>>>,
}

/// Adds a document of text, pictures and sounds in any mix.
///
/// Once this has answered 202 the document survives a crash. The job cuts, encodes and indexes it; `Prefer: wait=N` waits for it
/// up to N seconds. A part that cannot be read is named and the rest is found; when no part can be read the request is refused.
#[utoipa::path(post, path = "/v1/documents", operation_id = "create_document", tag = "documents",
    params(
        ("Prefer" = Option<String>, Header, description = "`wait=N`: wait up to N seconds for the job", example = "wait=10"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes repeating the request safe"),
    ),
    request_body(content(
        (DocumentRequest = "application/json"),
        (DocumentForm = "multipart/form-data"),
    )),
    responses(
        (status = 202, body = Accepted, headers(("Location" = String, description = "The job"))),
        (status = 409, description = "The first request with this key is still running, or the collection is being deleted", body = crate::http::problem::Problem, content_type = "application/problem+json"),
        Problems,
    ))]
pub async fn create(
    State(app): State<App>,
    caller: Write,
    Wait(patience): Wait,
    key: IdempotencyKey,
    request: Request,
) -> Result<Created, ApiError> {
    let upload = read_upload::<DocumentRequest>(request, &app, "document").await?;
    let document = upload.json.unwrap_or_default();
    let parts = document.resolve(upload.files, &app.config.ingest)?;
    Box::pin(add(&app, &caller.tenant, Addition { document, parts, patience, key }, upload.share)).await
}

/// A document to add, checked, and how.
pub(super) struct Addition {
    pub document: DocumentRequest,
    pub parts: Vec<PartBytes>,
    /// How long to wait for the job.
    pub patience: Duration,
    pub key: IdempotencyKey,
}

/// Adds a document; `held` is let go of as soon as its bytes are stored.
pub(super) async fn add(
    app: &App,
    tenant: &TenantId,
    addition: Addition,
    held: impl Send + 'static,
) -> Result<Created, ApiError> {
    let Addition { document, parts, patience, key } = addition;
    let fingerprint = fingerprint(&document, &parts);
    let (server, owner) = (app.clone(), tenant.clone());
    once(app, tenant, key, fingerprint, |start| async move {
        let accepted = match start {
            Start::Fresh(once) => accept(&server, &owner, NewIngest { document, parts, once }).await?,
            Start::Accepted(job) => accepted_as(&server, &owner, job).await?,
        };
        drop(held);
        let AcceptedDocument { mut document, mut parts, mut job, changes } = accepted;
        if !patience.is_zero() {
            let ended;
            (job, ended) = wait_for_changes(&server, &owner, job, changes, patience).await?;
            if let Some(ended) = ended.filter(|ended| ended.document.version == document.version) {
                (document, parts) = (ended.document.clone(), ended.parts.clone());
            } else if let Ok(now) = server.catalog.document(&owner, document.id).await
                && let Ok(its) = server.catalog.parts(&owner, now.id, Some(now.version)).await
            {
                // A document that was deleted while we waited is shown as it was accepted.
                (document, parts) = (now, its);
            }
        }
        let place = location(job.id);
        let body =
            Accepted { document: DocumentView::new(document, Some(parts)), job: JobView::new(job, server.clock.now()) };
        Created::new(StatusCode::ACCEPTED, place, &body)
    })
    .await
}

/// What an equal request has been accepted as.
async fn accepted_as(app: &App, tenant: &TenantId, job: JobId) -> Result<AcceptedDocument, ApiError> {
    let changes = app.bell.changes_of(job);
    let job = app.catalog.job(tenant, job).await?;
    let JobKind::Ingest { document, .. } = job.kind else {
        return Err(ApiError::internal(format!("{} was accepted for a document and is none of its jobs", job.id)));
    };
    let document = app.catalog.document(tenant, document).await?;
    let parts = app.catalog.parts(tenant, document.id, Some(document.version)).await?;
    Ok(AcceptedDocument { document, parts, job, changes })
}

fn fingerprint(document: &DocumentRequest, parts: &[PartBytes]) -> BlobHash {
    let mut text = serde_json::to_vec(document).unwrap_or_default();
    for part in parts {
        text.extend_from_slice(BlobHash::of(&part.bytes).as_bytes());
        text.extend_from_slice(part.name.as_deref().unwrap_or_default().as_bytes());
    }
    BlobHash::of(&text)
}
