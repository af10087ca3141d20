//! Files that are there whole or not at all.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::SourceError;

/// Tells apart what threads of this process write at once.
static WRITTEN: AtomicU64 = AtomicU64::new(0);

/// Replaces `path`. Readers see the old text or the new one.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), SourceError> {
    make_parent(path)?;
    let new = beside(path, &format!(".{}-{}.new", std::process::id(), WRITTEN.fetch_add(1, Ordering::Relaxed)));
    let written = File::create(&new)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&new, path));
    written.map_err(|error| {
        let _ = std::fs::remove_file(&new);
        SourceError::file(path, error, bytes.len() as u64)
    })
}

/// Waits until no other process works on `path`. The lock goes with the file, however the process ends.
pub(crate) fn lock(path: &Path) -> Result<File, SourceError> {
    make_parent(path)?;
    let file = File::options().create(true).truncate(false).write(true).open(path).map_err(SourceError::at(path))?;
    file.lock().map_err(SourceError::at(path))?;
    Ok(file)
}

/// Makes the folder of `path`.
pub(crate) fn make_parent(path: &Path) -> Result<(), SourceError> {
    let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) else { return Ok(()) };
    std::fs::create_dir_all(folder).map_err(SourceError::at(folder))
}

/// `path` with more at the end of its name.
pub(crate) fn beside(path: &Path, more: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(more);
    PathBuf::from(name)
}
