//! How much a folder takes on disk, and small files that are written whole or not at all.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::Path;

/// Bytes that the files under `folder` take. Files that vanish meanwhile count nothing.
pub(super) fn bytes(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else {
        return 0;
    };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => bytes(&entry.path()),
            Ok(metadata) => allocated(&metadata),
            Err(_) => 0,
        })
        .sum()
}

/// Files are laid out ahead and sparse, so their length says little.
#[cfg(unix)]
fn allocated(metadata: &Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt;
    metadata.blocks() * 512
}

#[cfg(not(unix))]
fn allocated(metadata: &Metadata) -> u64 {
    metadata.len()
}

/// Replaces a file durably: after a crash it holds the old bytes or the new.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = path.with_extension("new");
    fs::write(&draft, bytes)?;
    File::open(&draft)?.sync_all()?;
    fs::rename(&draft, path)?;
    // Folders can be synced on Unix only.
    match path.parent().map(File::open) {
        Some(Ok(folder)) if cfg!(unix) => folder.sync_all(),
        _ => Ok(()),
    }
}
