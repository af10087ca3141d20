//! GET /v1/documents/{id}/segments: what a document was cut into.

use axum::Json;
use axum::extract::State;
use sensorium_domain::{DocumentId, Modality, PartId, Place, Segment, SegmentId, SegmentKind};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::error::ApiError;
use crate::http::access::Read;
use crate::http::extract::{Id, Params};
use crate::http::page;
use crate::http::problem::Problems;
use crate::startup::App;

/// Which segments.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListSegments {
    /// Segments on a page, 1 to 500.
    pub page_size: Option<u32>,
    /// The `next_page_token` of the page before.
    pub page_token: Option<String>,
}

/// A segment.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Segment)]
pub struct SegmentView {
    /// Its id.
    pub id: SegmentId,
    /// Its part.
    pub part: PartId,
    /// Its kind of content.
    pub modality: Modality,
    /// How it was cut.
    pub kind: SegmentKind,
    /// Position among the segments of its part.
    pub ordinal: u32,
    /// Where it lies.
    pub place: Place,
    /// Its words, for text.
    pub text: Option<String>,
}

/// A page of segments.
#[derive(Debug, Serialize, ToSchema)]
pub struct SegmentPage {
    /// In the order of the document.
    pub segments: Vec<SegmentView>,
    /// Ask again with it for the next page; null at the end.
    pub next_page_token: Option<String>,
}

impl From<Segment> for SegmentView {
    fn from(segment: Segment) -> Self {
        Self {
            id: segment.id,
            part: segment.part,
            modality: segment.modality,
            kind: segment.kind,
            ordinal: segment.ordinal,
            place: segment.place,
            text: segment.text,
        }
    }
}

/// What a document was cut into, in its order.
#[utoipa::path(get, path = "/v1/documents/{id}/segments", operation_id = "list_segments", tag = "documents",
    params(("id" = DocumentId, Path), ListSegments), responses((status = 200, body = SegmentPage), Problems))]
pub async fn segments(
    State(app): State<App>,
    caller: Read,
    Id(id): Id<DocumentId>,
    Params(asked): Params<ListSegments>,
) -> Result<Json<SegmentPage>, ApiError> {
    let size = page::size(asked.page_size)?;
    let offset: u32 = page::read(asked.page_token.as_deref())?.unwrap_or(0);
    let document = app.catalog.document(&caller.tenant, id).await?;
    let segments = app.catalog.segments(&caller.tenant, document.id, offset, size + 1).await?;
    let (segments, next_page_token) = page::cut(segments, size, |_| (offset + size).to_string());
    let segments = segments.into_iter().map(SegmentView::from).collect();
    Ok(Json(SegmentPage { segments, next_page_token }))
}
