//! Documents as the API shows them.

use sensorium_domain::document::{PartError, PartFacts};
use sensorium_domain::{
    BlobHash, CollectionName, Document, DocumentId, DocumentStatus, Modality, Part, PartId, PartStatus, Timestamp,
};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// A document.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Document)]
pub struct DocumentView {
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
    /// How far it has come.
    pub status: DocumentStatus,
    /// Counts the sets of parts that it has had.
    pub version: u32,
    /// When it was first added.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Its parts; left out in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parts: Option<Vec<PartView>>,
}

/// A part.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Part)]
pub struct PartView {
    /// Its id.
    pub id: PartId,
    /// Its document.
    pub document: DocumentId,
    /// Its file name.
    pub name: Option<String>,
    /// Its kind of content.
    pub modality: Modality,
    /// Its type, told from the content.
    #[schema(example = "image/png")]
    pub media_type: String,
    /// Bytes.
    pub size_bytes: u64,
    /// SHA-256 of its bytes.
    pub sha256: BlobHash,
    /// How far it has come.
    pub status: PartStatus,
    /// Why it failed.
    pub error: Option<PartError>,
    /// Segments it has.
    pub segments: u32,
    /// What was learnt about it.
    pub facts: PartFacts,
    /// Its bytes.
    pub content_url: String,
}

impl DocumentView {
    /// From the catalog's rows.
    pub fn new(document: Document, parts: Option<Vec<Part>>) -> Self {
        Self {
            id: document.id,
            collection: document.collection,
            external_id: document.external_id,
            title: document.title,
            tags: document.tags,
            metadata: document.metadata,
            status: document.status,
            version: document.version,
            created_at: document.created_at,
            updated_at: document.updated_at,
            parts: parts.map(|parts| parts.into_iter().map(PartView::from).collect()),
        }
    }
}

impl From<Part> for PartView {
    fn from(part: Part) -> Self {
        Self {
            id: part.id,
            document: part.document,
            content_url: format!("/v1/parts/{}/content", part.id),
            name: part.name,
            modality: part.modality,
            media_type: part.media_type,
            size_bytes: part.size_bytes,
            sha256: part.blob,
            status: part.status,
            error: part.error,
            segments: part.segments,
            facts: part.facts,
        }
    }
}
