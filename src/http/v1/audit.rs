//! GET /v1/audit: who changed what.

use axum::Json;
use axum::extract::State;
use sensorium_domain::Timestamp;
use sensorium_domain::catalog::AuditRecord;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use crate::error::ApiError;
use crate::http::access::Admin;
use crate::http::extract::Params;
use crate::http::page;
use crate::http::problem::Problems;
use crate::startup::App;

/// Which entries.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListAudit {
    /// Entries on a page, 1 to 500.
    pub page_size: Option<u32>,
    /// The `next_page_token` of the page before.
    pub page_token: Option<String>,
}

/// A page of the audit log.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditPage {
    /// Newest first.
    pub entries: Vec<AuditView>,
    /// Ask again with it for the next page; null at the end.
    pub next_page_token: Option<String>,
}

/// A change that was made.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub struct AuditView {
    /// Grows with every entry.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// Who: a key's id, or the subject of a token.
    #[schema(example = "key_01920c6a7b3c7def8123456789abcdef")]
    pub actor: String,
    /// The operation.
    #[schema(example = "DELETE /v1/documents/{id}")]
    pub action: String,
    /// What it was done to: where the thing, or its job, is found.
    #[schema(example = "/v1/documents/doc_01920c6a7b3c7def8123456789abcdef")]
    pub subject: String,
    /// The request, as in its header `X-Request-Id` and in the server's log.
    pub request_id: Option<String>,
    /// What else there is to tell: of a batch the `jobs` of what was accepted.
    #[schema(value_type = Object)]
    pub detail: Map<String, Value>,
}

impl From<AuditRecord> for AuditView {
    fn from(AuditRecord { number, entry }: AuditRecord) -> Self {
        Self {
            number,
            at: entry.at,
            actor: entry.actor,
            action: entry.action,
            subject: entry.subject,
            request_id: entry.request,
            detail: entry.detail,
        }
    }
}

/// Every change in the tenant that succeeded (documents, collections, jobs, keys), newest first. Entries are never changed nor removed.
#[utoipa::path(get, path = "/v1/audit", operation_id = "list_audit", tag = "keys",
    params(ListAudit), responses((status = 200, body = AuditPage), Problems))]
pub async fn audit(
    State(app): State<App>,
    caller: Admin,
    Params(asked): Params<ListAudit>,
) -> Result<Json<AuditPage>, ApiError> {
    let size = page::size(asked.page_size)?;
    let before = page::read(asked.page_token.as_deref())?;
    let records = app.catalog.audit(&caller.tenant, before, size + 1).await?;
    let (records, next_page_token) = page::cut(records, size, |record| record.number.to_string());
    Ok(Json(AuditPage { entries: records.into_iter().map(AuditView::from).collect(), next_page_token }))
}
