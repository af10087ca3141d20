//! Where models come from: profile files that name them, the hub that has them, the cache that keeps them, and `models.lock`,
//! which says what they were.
//!
//! A [`Store`] pulls models of Hugging Face's hub into the cache that all of its tools share, and proves at every start that they
//! are still what was pulled. It blocks; models load on threads of their own.
//!
//! The client is our own. The crate `hf-hub` 1.0 begins a file anew where a connection broke, knows no `HF_HUB_OFFLINE`, waits
//! ten seconds for another process and no longer, does not compare contents with their hashes, and brings the Xet protocol,
//! which nothing here needs: the hub serves every file over plain HTTP as well.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod atomic;
mod cache;
mod digest;
mod download;
pub mod error;
mod http;
mod listing;
mod lock;
mod needed;
pub mod profile;
pub mod repository;
mod retry;
pub mod settings;
mod store;

pub use digest::Fingerprint;
pub use download::{Event, Progress};
pub use error::SourceError;
pub use lock::{ModelsLock, Pin, PinnedFile};
pub use profile::{ModelEntry, Origin, PoolingDefault, Precision, ProfileFile, ProfileFileError, SpaceEntry};
pub use repository::{Repository, Revision};
pub use settings::{HubSettings, Patience, Token};
pub use store::{Check, HubModel, Presence, Snapshot, Store};
