//! The library's log of operations. It numbers them, but nothing ever replays it, and the library never cuts it.
//!
//! Its files are `closed-START` (full ones, START being the number of the first operation) and `open-N`. The numbers must go on
//! rising, or the index takes new writes for old ones; the last closed file carries them, so all before it can go.

use std::fs;
use std::path::{Path, PathBuf};

const FOLDER: &str = "wal";

/// The size of one file.
pub(super) const FILE_BYTES: usize = 8 << 20;

/// Removes the files of the log that are not needed to go on counting. The index must be closed.
pub(super) fn cut(index: &Path) -> std::io::Result<()> {
    let mut closed: Vec<(u64, PathBuf)> = Vec::new();
    let folder = index.join(FOLDER);
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let start = name.to_str().and_then(|name| name.strip_prefix("closed-")).and_then(|start| start.parse().ok());
        if let Some(start) = start {
            closed.push((start, entry.path()));
        }
    }
    closed.sort_unstable();
    closed.pop();
    for (_, path) in closed {
        fs::remove_file(path)?;
    }
    Ok(())
}

/// The size of the log in bytes.
pub(super) fn size(index: &Path) -> u64 {
    super::disk::bytes(&index.join(FOLDER))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_last_full_file_and_the_open_one_stay() {
        let index = tempfile::tempdir().unwrap();
        let folder = index.path().join(FOLDER);
        fs::create_dir(&folder).unwrap();
        for name in ["closed-0", "closed-90", "closed-1000", "open-4", "first-index"] {
            fs::write(folder.join(name), "x").unwrap();
        }
        cut(index.path()).unwrap();
        let mut left: Vec<_> =
            fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        left.sort();
        assert_eq!(left, ["closed-1000", "first-index", "open-4"]);
    }
}
