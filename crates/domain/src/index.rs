//! The port to the vector index: named dense vectors, one sparse vector for words, payload filters.

use async_trait::async_trait;
use serde_json::{Map, Value};

use crate::filter::Filter;
use crate::ids::{DocumentId, PartId, SegmentId};
use crate::names::{CollectionName, SpaceName, TenantId};
use crate::segment::{Modality, SegmentKind};
use crate::time::Timestamp;

/// A space that an index has vectors of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexedSpace {
    /// Its name.
    pub name: SpaceName,
    /// The length of its vectors.
    pub dimension: usize,
    /// What its vectors are made from.
    pub modalities: Vec<Modality>,
}

/// What is kept with a point: everything a filter can ask, and what grouping needs.
#[derive(Debug, Clone, PartialEq)]
pub struct PointPayload {
    /// The collection.
    pub collection: CollectionName,
    /// The document; hits are grouped by it.
    pub document: DocumentId,
    /// The part.
    pub part: PartId,
    /// The segment's kind of content.
    pub modality: Modality,
    /// How it was cut.
    pub kind: SegmentKind,
    /// The part's media type.
    pub media_type: String,
    /// The client's own id of the document.
    pub external_id: Option<String>,
    /// The document's title.
    pub title: Option<String>,
    /// The document's tags.
    pub tags: Vec<String>,
    /// The document's metadata.
    pub metadata: Map<String, Value>,
    /// When the document was first accepted.
    pub created_at: Timestamp,
    /// When the document last changed.
    pub updated_at: Timestamp,
}

/// One segment's vectors and payload.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// The segment.
    pub id: SegmentId,
    /// What filters look at.
    pub payload: PointPayload,
    /// Unit vectors by space; each space must know the point's modality.
    pub dense: Vec<(SpaceName, Vec<f32>)>,
    /// Words for BM25; `None` where there are none.
    pub words: Option<String>,
}

/// Which points a query looks at, inside its tenant.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scope {
    /// Any of these collections; all when empty.
    pub collections: Vec<CollectionName>,
    /// Conditions.
    pub filter: Filter,
}

/// What one leg of a search asks.
#[derive(Debug, Clone, PartialEq)]
pub enum LegQuery {
    /// Nearest by cosine in a space.
    Dense {
        /// The space.
        space: SpaceName,
        /// A vector of the space's length (need not be a unit vector).
        vector: Vec<f32>,
    },
    /// Best by BM25.
    Words(String),
}

/// One ranked list to fetch.
#[derive(Debug, Clone, PartialEq)]
pub struct Leg {
    /// What is asked.
    pub query: LegQuery,
    /// Only segments of this modality; all when `None`.
    pub modality: Option<Modality>,
    /// The most hits to return.
    pub limit: usize,
}

/// A hit of one leg.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScoredPoint {
    /// The segment.
    pub segment: SegmentId,
    /// Its document.
    pub document: DocumentId,
    /// Its kind of content.
    pub modality: Modality,
    /// Cosine, or BM25 score.
    pub score: f32,
}

/// Numbers about an index.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IndexStats {
    /// Points of all tenants.
    pub points: u64,
    /// Points that an HNSW graph covers.
    pub indexed: u64,
    /// Bytes on disk, where known.
    pub disk_bytes: Option<u64>,
}

/// Why an index call failed.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The index is of another shape than the profile: a reindex is needed.
    #[error("the index does not fit the profile: {0}")]
    Mismatch(String),
    /// The index cannot be reached; try again.
    #[error("the index cannot be reached: {0}")]
    Unavailable(String),
    /// The request makes no sense to the index: a fault of ours.
    #[error("the index refused the request: {0}")]
    Rejected(String),
    /// The index was written by another version of the program, in a form that this one does not read: it must be built again from
    /// the kept vectors.
    #[error("the index is of another version: {0}")]
    Outdated(String),
    /// What is stored is damaged: the index must be built again from the kept vectors.
    #[error("the index is damaged: {0}")]
    Corrupt(String),
    /// Anything else.
    #[error("the index failed: {0}")]
    Internal(String),
}

/// A vector index that holds the points of all tenants. Every call that reads or removes takes the tenant first.
#[async_trait]
pub trait VectorIndex: Send + Sync {
    /// Writes points, replacing those of equal id whole. Seen by queries when it returns; durable after [`flush`](Self::flush).
    async fn upsert(&self, tenant: &TenantId, points: Vec<Point>) -> Result<(), IndexError>;

    /// Makes everything written and deleted before the call durable.
    async fn flush(&self) -> Result<(), IndexError>;

    /// Removes the segments; unknown ids are no error.
    async fn delete_segments(&self, tenant: &TenantId, segments: &[SegmentId]) -> Result<(), IndexError>;

    /// Removes every point of a document.
    async fn delete_document(&self, tenant: &TenantId, document: DocumentId) -> Result<(), IndexError>;

    /// Runs legs over one scope; a list per leg, best first, equal scores by ascending segment id.
    async fn query_batch(
        &self,
        tenant: &TenantId,
        scope: &Scope,
        legs: &[Leg],
    ) -> Result<Vec<Vec<ScoredPoint>>, IndexError>;

    /// The stored vectors of segments in a space; those without one are left out.
    async fn vectors(
        &self,
        tenant: &TenantId,
        space: &SpaceName,
        segments: &[SegmentId],
    ) -> Result<Vec<(SegmentId, Vec<f32>)>, IndexError>;

    /// How many points a scope has.
    async fn count(&self, tenant: &TenantId, scope: &Scope) -> Result<u64, IndexError>;

    /// Counts the points of a scope by the value of a filter key (`tags`, `modality`, `metadata.x`), most first.
    async fn facet(
        &self,
        tenant: &TenantId,
        scope: &Scope,
        key: &str,
        limit: usize,
    ) -> Result<Vec<(Value, u64)>, IndexError>;

    /// Segment ids of every tenant in ascending order, after `after`: what `fsck` walks. Empty at the end.
    async fn scroll(&self, after: Option<SegmentId>, limit: usize) -> Result<Vec<(TenantId, SegmentId)>, IndexError>;

    /// Builds or extends graphs for points that have none. Long; returns whether anything was done.
    async fn optimize(&self) -> Result<bool, IndexError>;

    /// Numbers.
    async fn stats(&self) -> Result<IndexStats, IndexError>;
}
