//! The hashes of a file, and a note of those that were computed, so that a start need not read gigabytes again.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::atomic;
use crate::error::SourceError;
use crate::listing::ContentId;

/// A file's length and SHA-256.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// Length in bytes.
    pub bytes: u64,
    /// Lower-case hexadecimal.
    pub sha256: String,
}

/// Reads a whole file.
pub(crate) fn fingerprint(path: &Path) -> Result<Fingerprint, SourceError> {
    let mut hasher = Sha256::new();
    let bytes = feed(path, |block| hasher.update(block))?;
    Ok(Fingerprint { bytes, sha256: hex(&hasher.finalize()) })
}

/// The id under which the hub would list this file, of the same kind as `kind`.
pub(crate) fn content_id(path: &Path, kind: &ContentId) -> Result<String, SourceError> {
    match kind {
        ContentId::Sha256(_) => Ok(fingerprint(path)?.sha256),
        ContentId::Git(_) => {
            let length = std::fs::metadata(path).map_err(SourceError::at(path))?.len();
            let mut hasher = Sha1::new();
            hasher.update(format!("blob {length}\0"));
            feed(path, |block| hasher.update(block))?;
            Ok(hex(&hasher.finalize()))
        }
    }
}

fn feed(path: &Path, mut take: impl FnMut(&[u8])) -> Result<u64, SourceError> {
    let mut file = File::open(path).map_err(SourceError::at(path))?;
    let mut block = vec![0_u8; 1 << 20];
    let mut bytes = 0;
    loop {
        match file.read(&mut block) {
            Ok(0) => return Ok(bytes),
            Ok(length) => {
                take(&block[..length]);
                bytes += length as u64;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(SourceError::file(path, error, 0)),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Fingerprints that were computed before. One holds as long as the file has the same length and time of change; whoever can
/// change a file and hide that could change this note as well.
#[derive(Debug)]
pub(crate) struct Noted {
    path: PathBuf,
    notes: BTreeMap<String, Note>,
    changed: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    modified_ns: u64,
    #[serde(flatten)]
    fingerprint: Fingerprint,
}

impl Noted {
    /// Notes that are missing or cannot be read are none: the files are read again.
    pub fn open(path: &Path) -> Self {
        let notes = std::fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        Self { path: path.to_owned(), notes, changed: false }
    }

    /// The file's fingerprint, from the notes where it has not changed since.
    pub fn fingerprint(&mut self, file: &Path) -> Result<Fingerprint, SourceError> {
        let real = file.canonicalize().map_err(SourceError::at(file))?;
        let metadata = std::fs::metadata(&real).map_err(SourceError::at(file))?;
        let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let modified_ns = modified.map_or(0, |time| time.as_nanos() as u64);
        let key = real.display().to_string();
        if let Some(note) = self.notes.get(&key)
            && note.modified_ns == modified_ns
            && note.fingerprint.bytes == metadata.len()
        {
            return Ok(note.fingerprint.clone());
        }
        let fingerprint = fingerprint(&real)?;
        self.notes.insert(key, Note { modified_ns, fingerprint: fingerprint.clone() });
        self.changed = true;
        Ok(fingerprint)
    }

    /// Reads the file whatever the notes say.
    pub fn read_again(&mut self, file: &Path) -> Result<Fingerprint, SourceError> {
        let real = file.canonicalize().map_err(SourceError::at(file))?;
        self.notes.remove(&real.display().to_string());
        self.fingerprint(file)
    }

    /// Keeps the notes. Where two processes do so at once, one of them reads its files again the next time.
    pub fn save(&mut self) -> Result<(), SourceError> {
        if !self.changed {
            return Ok(());
        }
        self.notes.retain(|path, _| Path::new(path).exists());
        let text = serde_json::to_vec(&self.notes).unwrap_or_default();
        atomic::write(&self.path, &text)?;
        self.changed = false;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_sha256sum_and_git() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, "abc").unwrap();
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(fingerprint(&path).unwrap(), Fingerprint { bytes: 3, sha256: sha256.to_owned() });
        let git = content_id(&path, &ContentId::Git(String::new())).unwrap();
        assert_eq!(git, "f2ba8f84ab5c1bce84a7b441cb1959cfc7093b7f");
    }

    #[test]
    fn a_note_holds_until_the_file_changes() {
        let folder = tempfile::tempdir().unwrap();
        let (path, notes) = (folder.path().join("a"), folder.path().join("notes"));
        std::fs::write(&path, "abc").unwrap();
        let mut noted = Noted::open(&notes);
        let first = noted.fingerprint(&path).unwrap();
        noted.save().unwrap();
        // Same length, same time: the note is trusted, and reading again is what finds out.
        let time = std::fs::metadata(&path).unwrap().modified().unwrap();
        std::fs::write(&path, "abd").unwrap();
        File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        let mut noted = Noted::open(&notes);
        assert_eq!(noted.fingerprint(&path).unwrap(), first);
        assert_ne!(noted.read_again(&path).unwrap(), first);
        // Another length is seen at once.
        std::fs::write(&path, "abcd").unwrap();
        assert_eq!(noted.fingerprint(&path).unwrap().bytes, 4);
    }
}
