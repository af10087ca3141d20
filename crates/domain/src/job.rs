//! Background work that survives its process.

use serde::{Deserialize, Serialize};

use crate::document::PartError;
use crate::ids::{DocumentId, JobId, PartId};
use crate::names::CollectionName;
use crate::time::Timestamp;

/// What a job does. Payloads hold ids only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum JobKind {
    /// Cut, encode and index one version of a document.
    Ingest {
        /// The document.
        document: DocumentId,
        /// The version of its parts.
        version: u32,
    },
    /// Write a document's title, tags and metadata anew into the index, with the vectors it has.
    Refresh {
        /// The document.
        document: DocumentId,
    },
    /// Remove a document's points, vectors, blobs and rows.
    Delete {
        /// The document.
        document: DocumentId,
    },
    /// Remove a collection with all its documents.
    DeleteCollection {
        /// The collection.
        collection: CollectionName,
    },
    /// Write every point of every tenant anew into the index from the kept vectors.
    Rebuild,
    /// Bring a generation that is not live up to date, and make it live.
    Reindex {
        /// Its number.
        generation: u32,
    },
}

impl JobKind {
    /// The name used in the API and the catalog.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Ingest { .. } => "ingest",
            Self::Refresh { .. } => "refresh",
            Self::Delete { .. } => "delete",
            Self::DeleteCollection { .. } => "delete_collection",
            Self::Rebuild => "rebuild",
            Self::Reindex { .. } => "reindex",
        }
    }

    /// The names of all kinds.
    pub const NAMES: [&'static str; 6] = ["ingest", "refresh", "delete", "delete_collection", "rebuild", "reindex"];

    /// The document that it works on, if it is one.
    pub const fn document(&self) -> Option<DocumentId> {
        match self {
            Self::Ingest { document, .. } | Self::Refresh { document } | Self::Delete { document } => Some(*document),
            Self::DeleteCollection { .. } | Self::Rebuild | Self::Reindex { .. } => None,
        }
    }
}

/// How far a job has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Waits for a worker (or for its next attempt).
    Queued,
    /// A worker holds its lease.
    Running,
    /// Done. A part may have failed; `parts` says which.
    Succeeded,
    /// Given up; `error` says why.
    Failed,
    /// Stopped because somebody asked, or a newer version took its place.
    Cancelled,
}

impl JobState {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Queued, Self::Running, Self::Succeeded, Self::Failed, Self::Cancelled];

    /// The name used in the API and the catalog.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing will change any more.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

/// Counts and stage, written by the worker as it goes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct Progress {
    /// What is going on: `waiting`, `decode`, `encode`, `index`, `delete`, `done`.
    pub stage: String,
    /// Steps done. The unit is parts for ingest and documents otherwise.
    pub done: u64,
    /// Steps in all; 0 while unknown.
    pub total: u64,
    /// Segments written to the index.
    pub segments: u64,
    /// Segments whose vectors were already known, so that no model ran.
    pub reused: u64,
}

/// What became of one part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PartResult {
    /// The part.
    pub part: PartId,
    /// Its file name, if it has one.
    pub name: Option<String>,
    /// Segments it has, when it was read.
    pub segments: u32,
    /// Why it was not read, when it was not.
    pub error: Option<PartError>,
}

/// A job as the catalog keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// What it does.
    pub kind: JobKind,
    /// How far it has come.
    pub state: JobState,
    /// Grows with every visible change; the `id:` of its events.
    pub revision: u64,
    /// Counts and stage.
    pub progress: Progress,
    /// What became of each part, once known.
    pub parts: Vec<PartResult>,
    /// Why it failed, or failed last time.
    pub error: Option<String>,
    /// Times a worker has taken it.
    pub attempts: u32,
    /// Somebody has asked for it to stop.
    pub cancel_requested: bool,
    /// When it was enqueued.
    pub created_at: Timestamp,
    /// When a worker first took it.
    pub started_at: Option<Timestamp>,
    /// When it reached a final state.
    pub finished_at: Option<Timestamp>,
}
