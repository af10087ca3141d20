//! The cache that the tools of Hugging Face share: contents by id, and a folder of links for each commit.
//!
//! Layout: <https://huggingface.co/docs/huggingface_hub/guides/manage-cache>.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::atomic;
use crate::error::SourceError;
use crate::repository::{Repository, Revision, is_commit};

/// A repository's part of the cache.
#[derive(Debug, Clone)]
pub(crate) struct Cached {
    folder: PathBuf,
    locks: PathBuf,
}

impl Cached {
    pub fn new(cache: &Path, repository: &Repository) -> Self {
        let name = repository.folder_name();
        Self { folder: cache.join(&name), locks: cache.join(".locks").join(name) }
    }

    /// The folder of a commit, with the names that files have in the repository.
    pub fn snapshot(&self, commit: &str) -> PathBuf {
        self.folder.join("snapshots").join(commit)
    }

    /// A content.
    pub fn blob(&self, id: &str) -> PathBuf {
        self.folder.join("blobs").join(id)
    }

    /// What has arrived of a content so far. The name is ours: other tools write to theirs without our lock.
    pub fn partial(&self, id: &str) -> PathBuf {
        self.folder.join("blobs").join(format!("{id}.sensorium.incomplete"))
    }

    /// One process at a time works on a content; the lock is the one that the other tools take.
    pub fn lock(&self, id: &str) -> Result<File, SourceError> {
        atomic::lock(&self.locks.join(format!("{id}.lock")))
    }

    /// The commit that a branch or tag was when it was last asked for.
    pub fn commit_of(&self, revision: &Revision) -> Option<String> {
        if revision.is_commit() {
            return Some(revision.to_string());
        }
        let text = std::fs::read_to_string(self.folder.join("refs").join(revision.as_str())).ok()?;
        Some(text.trim().to_owned()).filter(|commit| is_commit(commit))
    }

    /// Notes the commit of a branch or tag.
    pub fn note_commit(&self, revision: &Revision, commit: &str) -> Result<(), SourceError> {
        if revision.is_commit() || self.commit_of(revision).as_deref() == Some(commit) {
            return Ok(());
        }
        atomic::write(&self.folder.join("refs").join(revision.as_str()), commit.as_bytes())
    }

    /// Gives a content its name in a commit's folder.
    pub fn link(&self, commit: &str, path: &str, id: &str) -> Result<PathBuf, SourceError> {
        let place = self.snapshot(commit).join(path);
        atomic::make_parent(&place)?;
        let steps_up = "../".repeat(path.matches('/').count() + 2);
        let linked = link(&self.blob(id), &format!("{steps_up}blobs/{id}"), &place);
        match linked {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(SourceError::file(&place, error, 0)),
            // A link whose content was removed, or that leads to another one, gives way.
            Err(_) if place.canonicalize().ok() != self.blob(id).canonicalize().ok() => {
                std::fs::remove_file(&place).map_err(SourceError::at(&place))?;
                link(&self.blob(id), &format!("{steps_up}blobs/{id}"), &place).map_err(SourceError::at(&place))?;
            }
            _ => {}
        }
        Ok(place)
    }

    /// The files of a commit that are here, by their names in the repository.
    pub fn files(&self, commit: &str) -> Vec<String> {
        let root = self.snapshot(commit);
        let (mut found, mut folders) = (Vec::new(), vec![root.clone()]);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    folders.push(path);
                } else if path.is_file()
                    && let Ok(name) = path.strip_prefix(&root)
                {
                    found.push(name.display().to_string());
                }
            }
        }
        found.sort();
        found
    }

    /// Removes a commit's folder, the contents that no other commit here has, and the notes that lead to it. Says how many
    /// bytes that freed.
    pub fn remove(&self, commit: &str) -> Result<u64, SourceError> {
        let snapshot = self.snapshot(commit);
        let gone = self.contents(&snapshot);
        match std::fs::remove_dir_all(&snapshot) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(SourceError::file(&snapshot, error, 0)),
            _ => {}
        }
        let others: BTreeSet<PathBuf> =
            folders(&self.folder.join("snapshots")).iter().flat_map(|folder| self.contents(folder)).collect();
        let mut freed = 0;
        for content in gone.difference(&others) {
            let id = content.file_name().unwrap_or_default().to_string_lossy();
            let _lock = self.lock(&id)?;
            freed += std::fs::metadata(content).map_or(0, |metadata| metadata.len());
            std::fs::remove_file(content).map_err(SourceError::at(content))?;
        }
        forget(&self.folder.join("refs"), commit);
        Ok(freed)
    }

    /// The contents that a commit's folder links to.
    fn contents(&self, snapshot: &Path) -> BTreeSet<PathBuf> {
        let commit = snapshot.file_name().unwrap_or_default().to_string_lossy();
        let blobs = self.folder.join("blobs").canonicalize().unwrap_or_default();
        let files = self.files(&commit);
        let contents = files.iter().filter_map(|name| snapshot.join(name).canonicalize().ok());
        contents.filter(|content| content.parent() == Some(&blobs)).collect()
    }
}

/// Removes the notes below `folder` that say `commit`.
fn forget(folder: &Path, commit: &str) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            forget(&path, commit);
        } else if std::fs::read_to_string(&path).is_ok_and(|text| text.trim() == commit) {
            let _ = std::fs::remove_file(&path);
        }
    }
}

fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

#[cfg(unix)]
fn link(_: &Path, relative: &str, place: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(relative, place)
}

#[cfg(not(unix))]
fn link(content: &Path, _: &str, place: &Path) -> std::io::Result<()> {
    std::fs::hard_link(content, place)
}
