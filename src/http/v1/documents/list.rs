//! GET /v1/documents: documents, newest first.

use axum::Json;
use axum::extract::State;
use sensorium_domain::catalog::DocumentQuery;
use sensorium_domain::{CollectionName, Filter};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::error::{ApiError, FieldError};
use crate::http::access::Read;
use crate::http::extract::{Params, parse_json};
use crate::http::page;
use crate::http::problem::Problems;
use crate::http::v1::documents::view::DocumentView;
use crate::startup::App;

/// Which documents.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListDocuments {
    /// Only of this collection.
    #[param(value_type = Option<String>)]
    pub collection: Option<CollectionName>,
    /// Conditions, as JSON in the language of search filters; `modality` and `media_type` look at the parts.
    #[param(example = r#"{"must":[{"key":"tags","match":{"value":"bike"}}]}"#)]
    pub filter: Option<String>,
    /// The document with this external id.
    pub external_id: Option<String>,
    /// Documents on a page, 1 to 500.
    pub page_size: Option<u32>,
    /// The `next_page_token` of the page before.
    pub page_token: Option<String>,
}

/// A page of documents.
#[derive(Debug, Serialize, ToSchema)]
pub struct DocumentPage {
    /// Newest first; without their parts.
    pub documents: Vec<DocumentView>,
    /// Ask again with it for the next page; null at the end.
    pub next_page_token: Option<String>,
}

/// Documents, newest first.
#[utoipa::path(get, path = "/v1/documents", operation_id = "list_documents", tag = "documents",
    params(ListDocuments), responses((status = 200, body = DocumentPage), Problems))]
pub async fn list(
    State(app): State<App>,
    caller: Read,
    Params(asked): Params<ListDocuments>,
) -> Result<Json<DocumentPage>, ApiError> {
    let size = page::size(asked.page_size)?;
    let filter = filter(&asked)?;
    let query = DocumentQuery {
        collection: asked.collection,
        filter,
        before: page::read(asked.page_token.as_deref())?,
        limit: size + 1,
    };
    let documents = app.catalog.documents(&caller.tenant, &query).await?;
    let (documents, next_page_token) = page::cut(documents, size, |document| document.id.to_string());
    let documents = documents.into_iter().map(|document| DocumentView::new(document, None)).collect();
    Ok(Json(DocumentPage { documents, next_page_token }))
}

fn filter(asked: &ListDocuments) -> Result<Filter, ApiError> {
    let mut filter: Filter = match &asked.filter {
        Some(text) => parse_json(text.as_bytes(), "/filter")?,
        None => Filter::default(),
    };
    if let Some(external_id) = &asked.external_id {
        let condition = serde_json::json!({"key": "external_id", "match": {"value": external_id}});
        filter.must.push(serde_json::from_value(condition).map_err(ApiError::internal)?);
    }
    let faults = filter.check().into_iter();
    let faults =
        faults.map(|error| FieldError { pointer: format!("/filter{}", error.pointer), detail: error.detail }).collect();
    ApiError::from_faults(faults).map_or(Ok(filter), Err)
}
