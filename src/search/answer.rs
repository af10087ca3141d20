//! What a search answers.

use sensorium_domain::catalog::SegmentView;
use sensorium_domain::{CollectionName, DocumentId, Modality, PartId, Place, SegmentId, SegmentKind, Timestamp};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::search::highlight::Snippet;

/// A page of hits.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Answer {
    /// Best first.
    pub hits: Vec<Hit>,
    /// Ask again with it for the next page; null at the end.
    pub next_page_token: Option<String>,
    /// A leg's list was as long as `depth`: further hits may exist below.
    pub truncated: bool,
    /// What the caller should know: no good match, an input that the profile does not know, a target that it has not.
    pub warnings: Vec<String>,
    /// Where the time went; sent as `Server-Timing`.
    #[serde(skip)]
    pub timing: Timing,
}

/// Milliseconds by stage.
#[derive(Debug, Clone, Copy, Default)]
pub struct Timing {
    /// Decoding and encoding inputs.
    pub encode_ms: f64,
    /// The index.
    pub index_ms: f64,
    /// Joining, grouping, paging.
    pub fuse_ms: f64,
    /// Reading rows of the hits.
    pub catalog_ms: f64,
}

impl Timing {
    /// The stages by name.
    pub const fn stages(&self) -> [(&'static str, f64); 4] {
        [("encode", self.encode_ms), ("index", self.index_ms), ("fuse", self.fuse_ms), ("catalog", self.catalog_ms)]
    }
}

/// A document, or a segment, that answers.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Hit {
    /// The joined score; its scale depends on the method.
    #[schema(example = 0.031)]
    pub score: f64,
    /// How likely the hit fits, from 0 to 1, measured on pairs held out from training; null where it is not known.
    #[schema(example = 0.87)]
    pub confidence: Option<f32>,
    /// The document.
    pub document: DocumentHit,
    /// Its best segment.
    pub segment: SegmentHit,
    /// How the best segment came; with `explain`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explain: Option<Explain>,
    /// With `group_by: document`: the document's best segments, the best first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segments: Option<Vec<SegmentHit>>,
}

/// The document of a hit.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DocumentHit {
    /// Its id.
    pub id: DocumentId,
    /// Its collection.
    pub collection: CollectionName,
    /// Your own id for it.
    pub external_id: Option<String>,
    /// Its title.
    pub title: Option<String>,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its metadata.
    #[schema(value_type = Object)]
    pub metadata: Map<String, Value>,
    /// When it was added.
    pub created_at: Timestamp,
}

/// A segment of a hit.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SegmentHit {
    /// Its id.
    pub id: SegmentId,
    /// Its kind of content.
    pub modality: Modality,
    /// How it was cut.
    pub kind: SegmentKind,
    /// Where in its part it lies.
    pub place: Place,
    /// Its joined score.
    pub score: f64,
    /// How likely it fits.
    pub confidence: Option<f32>,
    /// Its words around what matched; null for pictures and sounds.
    pub snippet: Option<Snippet>,
    /// The part that it was cut from.
    pub part: PartHit,
    /// Its bytes, with the place as a fragment.
    pub content_url: String,
    /// A small picture of it; null where there is none.
    pub thumbnail_url: Option<String>,
}

/// The part of a hit.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PartHit {
    /// Its id.
    pub id: PartId,
    /// Its file name.
    pub name: Option<String>,
    /// Its type.
    pub media_type: String,
}

/// How a hit came.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Explain {
    /// What each leg gave; the contributions add up to the score.
    pub legs: Vec<LegShare>,
}

/// What a leg gave to a hit.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LegShare {
    /// Position of the input; null for the joined vector of early fusion.
    pub input: Option<usize>,
    /// The space, or `lexical`.
    pub space: String,
    /// Rank in the leg, from 1.
    pub rank: usize,
    /// Cosine, or BM25 score.
    pub score: f32,
    /// Calibrated confidence, by which a dense leg ranks.
    pub confidence: Option<f32>,
    /// How much the leg counts.
    pub weight: f64,
    /// What it adds to the score.
    pub contribution: f64,
}

impl DocumentHit {
    /// From the catalog's row.
    pub fn of(view: &SegmentView) -> Self {
        let document = &view.document;
        Self {
            id: document.id,
            collection: document.collection.clone(),
            external_id: document.external_id.clone(),
            title: document.title.clone(),
            tags: document.tags.clone(),
            metadata: document.metadata.clone(),
            created_at: document.created_at,
        }
    }
}

impl SegmentHit {
    /// From the catalog's row and the hit's numbers.
    pub fn of(view: &SegmentView, score: f64, confidence: Option<f32>, snippet: Option<Snippet>) -> Self {
        let (segment, part) = (&view.segment, &view.part);
        let thumbnail_url = (segment.modality == Modality::Image).then(|| match &segment.place {
            Place::Region { x_px, y_px, width_px, height_px } => {
                format!("/v1/parts/{}/thumbnail?size=256&region={x_px},{y_px},{width_px},{height_px}", part.id)
            }
            _ => format!("/v1/parts/{}/thumbnail?size=256", part.id),
        });
        Self {
            id: segment.id,
            modality: segment.modality,
            kind: segment.kind,
            place: segment.place.clone(),
            score,
            confidence,
            snippet,
            part: PartHit { id: part.id, name: part.name.clone(), media_type: part.media_type.clone() },
            content_url: format!("/v1/parts/{}/content{}", part.id, fragment(&segment.place)),
            thumbnail_url,
        }
    }
}

/// The place as a URL fragment: W3C Media Fragments for time and regions, RFC 5147 for characters.
fn fragment(place: &Place) -> String {
    match place {
        Place::Whole => String::new(),
        Place::Characters { start_char, end_char, .. } => format!("#char={start_char},{end_char}"),
        Place::Region { x_px, y_px, width_px, height_px } => format!("#xywh={x_px},{y_px},{width_px},{height_px}"),
        Place::Time { start_ms, end_ms } => format!("#t={},{}", seconds(*start_ms), seconds(*end_ms)),
    }
}

fn seconds(ms: u64) -> String {
    if ms.is_multiple_of(1000) { (ms / 1000).to_string() } else { format!("{}.{:03}", ms / 1000, ms % 1000) }
}
