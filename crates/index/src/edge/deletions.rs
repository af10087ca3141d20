//! Deletions that the library does not make durable itself, kept in a file of our own.
//!
//! While `optimize` rewrites an index segment, the library notes in memory only which of its points are deleted, and a flush does
//! not write that down (a server would find it in its log again; here nothing reads the log). So while `optimize` runs, and until
//! the first flush after it, a flush also writes the ids of what was deleted meanwhile to a file, and opening a folder with such
//! a file deletes them again. Changed points need no such care: the newer of two wins, see [`recovery`](super::recovery).

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use qdrant_edge::PointId;
use uuid::Uuid;

use super::disk;

const FILE: &str = "sensorium-index.deleted";

/// Knows what was deleted and not written again since [`watch`](Self::watch).
#[derive(Debug, Default)]
pub(super) struct Deletions(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    is_watching: bool,
    is_saved: bool,
    ids: BTreeSet<Uuid>,
}

impl Deletions {
    /// From now on deletions must be known.
    pub(super) fn watch(&self) {
        self.state().is_watching = true;
    }

    /// The points are deleted.
    pub(super) fn deleted(&self, ids: &[PointId]) {
        let mut state = self.state();
        if state.is_watching {
            state.ids.extend(ids.iter().filter_map(uuid));
            state.is_saved = false;
        }
    }

    /// The points are written, deleted before or not.
    pub(super) fn written(&self, ids: impl Iterator<Item = PointId>) {
        let mut state = self.state();
        if state.ids.is_empty() {
            return;
        }
        for id in ids {
            if uuid(&id).is_some_and(|id| state.ids.remove(&id)) {
                state.is_saved = false;
            }
        }
    }

    /// Writes to the folder what is not written yet. The library must have flushed before: a point that is written again
    /// must be on the disk when it is struck off here.
    pub(super) fn save(&self, folder: &Path) -> io::Result<()> {
        let mut state = self.state();
        if !state.is_watching || state.is_saved {
            return Ok(());
        }
        let lines: Vec<String> = state.ids.iter().map(Uuid::to_string).collect();
        disk::replace(&folder.join(FILE), lines.join("\n").as_bytes())?;
        state.is_saved = true;
        Ok(())
    }

    /// Stops watching, since the library has written down everything itself.
    pub(super) fn forget(&self, folder: &Path) -> io::Result<()> {
        *self.state() = State::default();
        match fs::remove_file(folder.join(FILE)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a killed process had deleted, as far as it had flushed.
pub(super) fn left_over(folder: &Path) -> io::Result<Vec<PointId>> {
    let text = match fs::read_to_string(folder.join(FILE)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    text.lines()
        .map(|line| {
            Uuid::try_parse(line).map(PointId::Uuid).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
        })
        .collect()
}

fn uuid(id: &PointId) -> Option<Uuid> {
    match id {
        PointId::Uuid(uuid) => Some(*uuid),
        PointId::NumId(_) => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn id(number: u128) -> PointId {
        PointId::Uuid(Uuid::from_u128(number))
    }

    #[test]
    fn what_was_deleted_last_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let deletions = Deletions::default();
        deletions.deleted(&[id(1)]);
        deletions.watch();
        deletions.deleted(&[id(2), id(3)]);
        deletions.written([id(3), id(4)].into_iter());
        deletions.save(folder.path()).unwrap();
        assert_eq!(left_over(folder.path()).unwrap(), [id(2)]);
        deletions.written([id(2)].into_iter());
        deletions.save(folder.path()).unwrap();
        assert_eq!(left_over(folder.path()).unwrap(), []);
        deletions.deleted(&[id(5)]);
        deletions.save(folder.path()).unwrap();
        deletions.forget(folder.path()).unwrap();
        deletions.forget(folder.path()).unwrap();
        assert_eq!(left_over(folder.path()).unwrap(), []);
    }
}
