//! `models.lock`: which commit each revision was at the first pull, and what its files are. From then on that is what runs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::atomic;
use crate::digest::Fingerprint;
use crate::error::SourceError;
use crate::repository::{Repository, Revision, is_commit, is_hex};

const VERSION: u32 = 1;
const HEAD: &str = "\
# The models of this data folder: the commit that each revision was at the first pull, and its files.
# Written by `sensorium models pull`; what runs later is checked against it. To move a model to a newer commit:
# `sensorium models rm`, then `sensorium models pull`. The vectors of two commits do not mix.
";

/// A revision of a repository, as it was at the first pull.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// The repository.
    pub repository: Repository,
    /// What was asked for.
    pub revision: Revision,
    /// What that was.
    pub commit: String,
    /// The files that were fetched.
    pub files: Vec<PinnedFile>,
}

/// A file of a pinned model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinnedFile {
    /// Its place in the repository.
    pub path: String,
    /// Its length and SHA-256.
    #[serde(flatten)]
    pub fingerprint: Fingerprint,
}

impl Pin {
    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.fingerprint.bytes).sum()
    }
}

/// The file.
#[derive(Debug, Clone)]
pub struct ModelsLock {
    path: PathBuf,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    version: u32,
    #[serde(default, rename = "model")]
    models: Vec<WrittenPin>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenPin {
    repository: String,
    revision: String,
    commit: String,
    #[serde(rename = "file")]
    files: Vec<PinnedFile>,
}

impl ModelsLock {
    /// At `path`, which need not exist.
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All pins.
    pub fn pins(&self) -> Result<Vec<Pin>, SourceError> {
        let text = match std::fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(SourceError::file(&self.path, error, 0)),
        };
        read(&text).map_err(|reason| SourceError::Lock { path: self.path.clone(), reason })
    }

    /// The pin of a revision.
    pub fn pin(&self, repository: &Repository, revision: &Revision) -> Result<Option<Pin>, SourceError> {
        Ok(self.pins()?.into_iter().find(|pin| pin.repository == *repository && pin.revision == *revision))
    }

    /// Adds a pin. Where another process has pinned the same revision meanwhile, its pin stays, and is what comes back.
    pub fn add(&self, pin: Pin) -> Result<Pin, SourceError> {
        self.change(|pins| {
            let known = pins.iter().find(|known| known.repository == pin.repository && known.revision == pin.revision);
            if let Some(known) = known {
                return known.clone();
            }
            pins.push(pin.clone());
            pin
        })
    }

    /// Removes the pin of a revision.
    pub fn remove(&self, repository: &Repository, revision: &Revision) -> Result<(), SourceError> {
        self.change(|pins| pins.retain(|pin| pin.repository != *repository || pin.revision != *revision))
    }

    fn change<T>(&self, change: impl FnOnce(&mut Vec<Pin>) -> T) -> Result<T, SourceError> {
        let _guard = atomic::lock(&atomic::beside(&self.path, ".guard"))?;
        let before = self.pins()?;
        let mut pins = before.clone();
        let value = change(&mut pins);
        if pins != before {
            pins.sort_by(|a, b| (&a.repository, &a.revision).cmp(&(&b.repository, &b.revision)));
            let text = write(pins).map_err(|reason| SourceError::Lock { path: self.path.clone(), reason })?;
            atomic::write(&self.path, text.as_bytes())?;
        }
        Ok(value)
    }
}

fn write(pins: Vec<Pin>) -> Result<String, String> {
    let models = pins.into_iter().map(|pin| WrittenPin {
        repository: pin.repository.to_string(),
        revision: pin.revision.to_string(),
        commit: pin.commit,
        files: pin.files,
    });
    let written = Written { version: VERSION, models: models.collect() };
    let text = toml::to_string(&written).map_err(|error| error.to_string())?;
    Ok(format!("{HEAD}{text}"))
}

fn read(text: &str) -> Result<Vec<Pin>, String> {
    let written: Written = toml::from_str(text).map_err(|error| error.to_string())?;
    if written.version != VERSION {
        return Err(format!("version {}, and this program writes {VERSION}", written.version));
    }
    let mut seen = BTreeSet::new();
    let mut pins = Vec::with_capacity(written.models.len());
    for model in written.models {
        let WrittenPin { repository, revision, commit, files } = model;
        if !is_commit(&commit) {
            return Err(format!("{repository}: \"{commit}\" is not a commit"));
        }
        if let Some(file) = files.iter().find(|file| !is_hex(&file.fingerprint.sha256, 64)) {
            return Err(format!("{repository}: {} has no sha256", file.path));
        }
        if files.iter().any(|file| file.path.split('/').any(|step| matches!(step, "" | "." | ".."))) {
            return Err(format!("{repository}: a file outside its folder"));
        }
        let repository: Repository = repository.parse().map_err(|error| format!("{error}"))?;
        let revision: Revision = revision.parse().map_err(|error| format!("{error}"))?;
        if !seen.insert((repository.clone(), revision.clone())) {
            return Err(format!("{repository}@{revision} stands there twice"));
        }
        pins.push(Pin { repository, revision, commit, files });
    }
    Ok(pins)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pin(repository: &str, commit: char) -> Pin {
        let fingerprint = Fingerprint { bytes: 3, sha256: "d".repeat(64) };
        let files = vec![PinnedFile { path: "1_Pooling/config.json".to_owned(), fingerprint }];
        let commit = commit.to_string().repeat(40);
        Pin { repository: repository.parse().unwrap(), revision: Revision::default(), commit, files }
    }

    #[test]
    fn a_pin_stays_until_it_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let lock = ModelsLock::new(folder.path().join("data/models.lock"));
        assert_eq!(lock.pins().unwrap(), []);
        lock.add(pin("b/b", '1')).unwrap();
        lock.add(pin("a/a", '2')).unwrap();
        assert_eq!(lock.add(pin("b/b", '3')).unwrap(), pin("b/b", '1'), "the first pull counts");
        assert_eq!(lock.pins().unwrap(), [pin("a/a", '2'), pin("b/b", '1')]);
        lock.remove(&"b/b".parse().unwrap(), &Revision::default()).unwrap();
        assert_eq!(lock.pins().unwrap(), [pin("a/a", '2')]);
    }

    #[test]
    fn processes_that_pin_at_once_do_not_lose_each_others_pins() {
        let folder = tempfile::tempdir().unwrap();
        let lock = ModelsLock::new(folder.path().join("models.lock"));
        std::thread::scope(|scope| {
            for number in 0..8 {
                let lock = &lock;
                scope.spawn(move || lock.add(pin(&format!("a/m{number}"), '1')).unwrap());
            }
        });
        assert_eq!(lock.pins().unwrap().len(), 8);
    }

    #[test]
    fn what_was_spoilt_by_hand_is_told() {
        let good = write(vec![pin("a/a", '1')]).unwrap();
        assert_eq!(read(&good).unwrap(), [pin("a/a", '1')]);
        let spoilt = [
            ("version = 1", "version = 2", "version 2"),
            ("revision", "revisoin", "revisoin"),
            ("1111", "x111", "not a commit"),
            ("dddd", "", "no sha256"),
            ("1_Pooling", "..", "outside"),
        ];
        for (from, to, told) in spoilt {
            let error = read(&good[HEAD.len()..].replacen(from, to, 1)).unwrap_err();
            assert!(error.contains(told), "{from}: {error}");
        }
    }
}
