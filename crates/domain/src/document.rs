//! What a user adds and how far its processing has come.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::ids::{BlobHash, DocumentId, PartId};
use crate::names::CollectionName;
use crate::segment::Modality;
use crate::time::Timestamp;

/// A named set of documents inside a tenant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Collection {
    /// Unique in the tenant.
    pub name: CollectionName,
    /// For people.
    pub description: Option<String>,
    /// Anything the owner wants to keep with it.
    pub metadata: Map<String, Value>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its description or metadata last changed.
    pub updated_at: Timestamp,
    /// Documents in it now.
    pub documents: u64,
}

/// How far a document has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum DocumentStatus {
    /// Accepted; a job is on it. An earlier version, if there is one, is still found.
    Processing,
    /// Every part is found.
    Ready,
    /// Some parts are found and at least one failed; the parts say which.
    Partial,
    /// No part could be read.
    Failed,
    /// A job is removing it; it is not found any more.
    Deleting,
}

impl DocumentStatus {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Processing, Self::Ready, Self::Partial, Self::Failed, Self::Deleting];

    /// The name used in the API and the catalog.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Processing => "processing",
            Self::Ready => "ready",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Deleting => "deleting",
        }
    }
}

/// A document as the catalog keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// Stable over updates.
    pub id: DocumentId,
    /// The collection that it is in.
    pub collection: CollectionName,
    /// The client's own id, unique in the collection; adding again under it replaces the document.
    pub external_id: Option<String>,
    /// For people; also searched by words.
    pub title: Option<String>,
    /// Labels to filter by.
    pub tags: Vec<String>,
    /// Anything, to filter by and to show.
    pub metadata: Map<String, Value>,
    /// How far it has come.
    pub status: DocumentStatus,
    /// Counts the sets of parts it has had, from 1. A job works on one version.
    pub version: u32,
    /// When it was first accepted.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// How far a part has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum PartStatus {
    /// Not looked at yet.
    Pending,
    /// Its segments are found.
    Ready,
    /// It could not be read; `error` says why.
    Failed,
}

impl PartStatus {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Pending, Self::Ready, Self::Failed];

    /// The name used in the API and the catalog.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Ready => "ready",
            Self::Failed => "failed",
        }
    }
}

/// Why a part failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PartError {
    /// For programs, e.g. `image_too_large`.
    pub code: String,
    /// For people: what failed, the value and the limit.
    pub detail: String,
}

/// One piece of content of a document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// Its id.
    pub id: PartId,
    /// The document that owns it.
    pub document: DocumentId,
    /// The document's version that it belongs to.
    pub version: u32,
    /// Position in the document, from 0.
    pub ordinal: u32,
    /// The file's name, for people; never used to tell the type.
    pub name: Option<String>,
    /// Its kind of content.
    pub modality: Modality,
    /// Told from the content, e.g. `image/png`.
    pub media_type: String,
    /// Its bytes.
    pub blob: BlobHash,
    /// Their number.
    pub size_bytes: u64,
    /// How far it has come.
    pub status: PartStatus,
    /// Why it failed, if it did.
    pub error: Option<PartError>,
    /// Segments it has.
    pub segments: u32,
    /// Facts learnt while decoding.
    pub facts: PartFacts,
}

/// Facts about a part learnt while decoding.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct PartFacts {
    /// Width of a picture, after orientation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width_px: Option<u32>,
    /// Height of a picture, after orientation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height_px: Option<u32>,
    /// Length of a sound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// Sample rate of a sound, in hertz.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample_rate_hz: Option<u32>,
    /// Length of a text in characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub characters: Option<u64>,
}
