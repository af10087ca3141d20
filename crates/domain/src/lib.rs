//! The words of Sensorium: ids, value types, errors, the clock, and the ports that storage and models implement.
//!
//! Nothing here depends on another crate of the workspace, on HTTP, on SQL or on a model.
//! The feature `contract` adds one test suite per port, run by every implementation of it.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::float_cmp))]

pub mod catalog;
pub mod clock;
#[cfg(feature = "contract")]
pub mod contract;
pub mod document;
pub mod encoder;
pub mod filter;
pub mod ids;
pub mod index;
pub mod job;
pub mod names;
pub mod segment;
pub mod time;

pub use catalog::{Catalog, CatalogError};
pub use clock::{Clock, SystemClock};
pub use document::{Collection, Document, DocumentStatus, Part, PartStatus};
pub use encoder::{EncodeError, EncodeInput, Encoder, Priority};
pub use filter::Filter;
pub use ids::{BlobHash, ContentKey, DocumentId, IdError, JobId, PartId, SegmentId};
pub use index::{IndexError, VectorIndex};
pub use job::{Job, JobKind, JobState};
pub use names::{CollectionName, ModelName, NameError, SpaceName, TenantId};
pub use segment::{Modality, Place, Segment, SegmentKind};
pub use time::Timestamp;
