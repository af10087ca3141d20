//! One archive of everything that the embedded default keeps, taken while the server runs, and a data folder made of it.
//!
//! The archive is a tar file of the blobs, a copy of the catalog of one moment, the first key, the secret that signs tokens, and last a
//! manifest, whose absence says that the archive was cut off. The index is not in it: it is filled from the vectors that the catalog keeps.

mod restore;
mod write;

use serde::{Deserialize, Serialize};

pub use restore::restore;
pub use write::{Known, write};

use crate::data_folder::{HS256_SECRET, KEY};

/// The version of the archive's layout.
const FORMAT: u32 = 1;
const MANIFEST: &str = "manifest.json";
const SECRETS: [&str; 2] = [KEY, HS256_SECRET];

/// What an archive says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The version of the layout.
    pub format: u32,
    /// The version of the program that wrote it.
    pub version: String,
    /// When, RFC 3339.
    pub made_at: String,
    /// The profile of its vectors; none where nothing was ever added.
    pub profile: Option<String>,
    /// Blobs in it.
    pub blobs: u64,
    /// Their bytes.
    pub blob_bytes: u64,
    /// Blobs that the catalog knows and that were not there: their parts cannot be read.
    pub lost_blobs: u64,
    /// SHA-256 of the catalog.
    pub catalog_sha256: String,
}

/// Why there is no backup, or no data folder of one.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file could not be read or written.
    #[error("{0}: {1}")]
    File(String, std::io::Error),
    /// The catalog could not be read.
    #[error("catalog: {0}")]
    Catalog(#[from] sensorium_domain::CatalogError),
    /// The archive is not one of ours, or is damaged.
    #[error("this is no whole backup: {0}")]
    Damaged(String),
    /// The archive is of a layout that this version does not know.
    #[error("the backup is of format {0}, and this version of Sensorium reads format {FORMAT}")]
    Format(u32),
    /// There is something where the folder would be.
    #[error("{0} exists and is not empty; restore into another folder, or move it away")]
    NotEmpty(std::path::PathBuf),
    /// A task of ours ended by a panic.
    #[error("the work ended by itself: {0}")]
    Panicked(#[from] tokio::task::JoinError),
}

/// What is missing need not be removed.
fn ignore_missing(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

/// Names the file in an error.
fn at(path: impl std::fmt::Display) -> impl FnOnce(std::io::Error) -> BackupError {
    move |error| BackupError::File(path.to_string(), error)
}
