//! Models on this machine: pulled, pinned, checked, removed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::cache::Cached;
use crate::digest::{Fingerprint, Noted};
use crate::download::{Event, Progress, fetch};
use crate::error::SourceError;
use crate::http::{About, Http};
use crate::listing::{Listing, RemoteFile};
use crate::lock::{ModelsLock, Pin, PinnedFile};
use crate::needed::{self, At};
use crate::repository::{Repository, Revision};
use crate::settings::HubSettings;

/// A model on the hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubModel {
    /// The repository.
    pub repository: Repository,
    /// Which state of it.
    pub revision: Revision,
    /// SHA-256 that files must have, by name, where that is known beforehand.
    pub sha256: BTreeMap<String, String>,
}

/// A model that is here, as `models.lock` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The folder with its files.
    pub folder: PathBuf,
    /// What it is.
    pub pin: Pin,
}

/// How far a model is here. Nothing is read for it but names and lengths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presence {
    /// Complete.
    Here(Snapshot),
    /// Pinned, and not complete.
    Incomplete(Pin),
    /// Never pulled.
    Absent,
}

/// How a check is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// A file that has not changed since it was read through is not read again. For every start.
    Quick,
    /// Every file is read through.
    Full,
}

/// The models of a data folder, in the cache that all tools of the hub share.
pub struct Store {
    settings: HubSettings,
    lock: ModelsLock,
    notes: PathBuf,
}

impl Store {
    /// The models of `data_dir`; its `models.lock` need not exist.
    pub fn new(settings: HubSettings, data_dir: &Path) -> Self {
        let lock = ModelsLock::new(data_dir.join("models.lock"));
        Self { settings, lock, notes: data_dir.join("models.checked") }
    }

    /// `models.lock`.
    pub fn lock(&self) -> &ModelsLock {
        &self.lock
    }

    /// Whether a model is here.
    pub fn presence(&self, model: &HubModel) -> Result<Presence, SourceError> {
        let Some(pin) = self.lock.pin(&model.repository, &model.revision)? else { return Ok(Presence::Absent) };
        let folder = self.cached(model).snapshot(&pin.commit);
        let has = |file: &PinnedFile| {
            std::fs::metadata(folder.join(&file.path)).is_ok_and(|found| found.len() == file.fingerprint.bytes)
        };
        Ok(if pin.files.iter().all(has) { Presence::Here(Snapshot { folder, pin }) } else { Presence::Incomplete(pin) })
    }

    /// The model as it was pinned; nothing is fetched. An error where it was not pulled or is not what was pinned.
    pub fn check(&self, model: &HubModel, check: Check, progress: &mut Progress) -> Result<Snapshot, SourceError> {
        let cached = self.cached(model);
        let Some(pin) = self.lock.pin(&model.repository, &model.revision)? else {
            let path = cached.snapshot(model.revision.as_str());
            return Err(SourceError::NotPulled { model: name(model), path });
        };
        let folder = cached.snapshot(&pin.commit);
        let mut noted = Noted::open(&self.notes);
        for file in &pin.files {
            let path = folder.join(&file.path);
            if !path.is_file() {
                return Err(SourceError::NotPulled { model: name(model), path });
            }
            let found = match check {
                Check::Quick => noted.fingerprint(&path)?,
                Check::Full => {
                    progress(Event::Checking { path: &file.path });
                    let found = noted.read_again(&path)?;
                    progress(Event::Done);
                    found
                }
            };
            if found != file.fingerprint {
                // The note stays, so that every later check finds it too.
                noted.save()?;
                return Err(unlike_the_lock(path, found, file));
            }
        }
        expect_known(model, &pin, &folder)?;
        noted.save()?;
        Ok(Snapshot { folder, pin })
    }

    /// Fetches what is missing and pins what was not pinned. A pinned model stays at its commit. Safe beside other processes
    /// that do the same.
    pub fn pull(&self, model: &HubModel, progress: &mut Progress) -> Result<Snapshot, SourceError> {
        let pinned = self.lock.pin(&model.repository, &model.revision)?;
        if matches!(self.presence(model)?, Presence::Here(_)) {
            match self.check(model, Check::Quick, progress) {
                // It is fetched again.
                Err(SourceError::WrongHash { by: BY_LOCK, .. }) => {}
                checked => return checked,
            }
        }
        let pin = if self.settings.offline {
            self.take_cached(model, pinned.as_ref())?
        } else {
            self.fetch(model, pinned.as_ref(), progress)?
        };
        let folder = self.cached(model).snapshot(&pin.commit);
        expect_known(model, &pin, &folder)?;
        if let Some(pinned) = &pinned {
            for file in &pinned.files {
                let found = pin.files.iter().find(|found| found.path == file.path);
                let missing = || SourceError::NotPulled { model: name(model), path: folder.join(&file.path) };
                let found = found.ok_or_else(missing)?.fingerprint.clone();
                if found != file.fingerprint {
                    return Err(unlike_the_lock(folder.join(&file.path), found, file));
                }
            }
        }
        let won = self.lock.add(pin.clone())?;
        // Another process pinned another commit of the same branch meanwhile: that one counts.
        if won.commit == pin.commit { Ok(Snapshot { folder, pin: won }) } else { self.pull(model, progress) }
    }

    /// Removes a model's pin and its files, unless another commit in the cache has them too. Says how many bytes that freed.
    pub fn remove(&self, model: &HubModel) -> Result<u64, SourceError> {
        let Some(pin) = self.lock.pin(&model.repository, &model.revision)? else { return Ok(0) };
        self.lock.remove(&model.repository, &model.revision)?;
        let still_used =
            self.lock.pins()?.iter().any(|other| other.repository == pin.repository && other.commit == pin.commit);
        if still_used { Ok(0) } else { self.cached(model).remove(&pin.commit) }
    }

    fn cached(&self, model: &HubModel) -> Cached {
        Cached::new(&self.settings.cache, &model.repository)
    }

    /// From the hub.
    fn fetch(&self, model: &HubModel, pinned: Option<&Pin>, progress: &mut Progress) -> Result<Pin, SourceError> {
        let http = Http::new(&self.settings);
        let cached = self.cached(model);
        let repository = &model.repository;
        let commit = pinned.map(|pin| pin.commit.parse()).transpose();
        let revision: Revision = commit.ok().flatten().unwrap_or_else(|| model.revision.clone());
        let listing = Listing::fetch(&http, repository, &revision)?;
        let (commit, at) = (&listing.commit, At { repository, commit: &listing.commit });
        let mut files = Vec::new();
        let mut take = |file: &RemoteFile, noted: &mut Noted| -> Result<PathBuf, SourceError> {
            let about = About { repository, revision: &revision, file: Some(&file.path) };
            let path = fetch(&http, &cached, commit, file, about, progress)?;
            files.push(PinnedFile { path: file.path.clone(), fingerprint: noted.fingerprint(&path)? });
            Ok(path)
        };
        let mut noted = Noted::open(&self.notes);
        let small = needed::small(&listing, at)?;
        if listing.file(needed::INDEX).is_none() {
            // Told before anything is fetched.
            needed::weights(&listing, None, at)?;
        }
        let (mut index, mut modules) = (None, None);
        for file in small {
            let path = take(file, &mut noted)?;
            let text = || std::fs::read(&path).map_err(SourceError::at(&path));
            match file.path.as_str() {
                needed::INDEX => index = Some(text()?),
                needed::MODULES => modules = Some(text()?),
                _ => {}
            }
        }
        for file in modules.iter().flat_map(|text| needed::modules(&listing, text)) {
            take(file, &mut noted)?;
        }
        for file in needed::weights(&listing, index.as_deref(), at)? {
            take(file, &mut noted)?;
        }
        noted.save()?;
        cached.note_commit(&model.revision, commit)?;
        Ok(Pin {
            repository: repository.clone(),
            revision: model.revision.clone(),
            commit: listing.commit.clone(),
            files,
        })
    }

    /// From the cache alone: the pinned files, or whatever is there of the revision's last known commit.
    fn take_cached(&self, model: &HubModel, pinned: Option<&Pin>) -> Result<Pin, SourceError> {
        let cached = self.cached(model);
        let offline = |what: String| SourceError::Offline { what, cache: self.settings.cache.clone() };
        let commit = pinned.map(|pin| pin.commit.clone()).or_else(|| cached.commit_of(&model.revision));
        let commit = commit.ok_or_else(|| offline(name(model)))?;
        let folder = cached.snapshot(&commit);
        let here = cached.files(&commit);
        let names: Vec<String> = if let Some(pin) = pinned {
            pin.files.iter().map(|file| file.path.clone()).collect()
        } else {
            let needed = needed_of(&folder, &here, At { repository: &model.repository, commit: &commit });
            needed.map_err(|error| match error {
                // The repository may well have it; the cache has not.
                SourceError::NoConfig { .. } => offline(format!("config.json of {}", name(model))),
                SourceError::NoWeights { .. } => offline(format!("{} of {}", needed::WEIGHTS, name(model))),
                SourceError::NoFile { file, .. } => offline(format!("{file} of {}", name(model))),
                other => other,
            })?
        };
        let mut noted = Noted::open(&self.notes);
        let mut files = Vec::with_capacity(names.len());
        for path in names {
            let place = folder.join(&path);
            if !place.is_file() {
                return Err(offline(format!("{path} of {}", name(model))));
            }
            files.push(PinnedFile { fingerprint: noted.fingerprint(&place)?, path });
        }
        noted.save()?;
        Ok(Pin { repository: model.repository.clone(), revision: model.revision.clone(), commit, files })
    }
}

/// Which files of a commit in the cache a model needs.
fn needed_of(folder: &Path, here: &[String], at: At) -> Result<Vec<String>, SourceError> {
    let listing = Listing::of_names(at.commit, here);
    let text = |name: &str| listing.file(name).and_then(|_| std::fs::read(folder.join(name)).ok());
    let mut files = needed::small(&listing, at)?;
    if let Some(modules) = text(needed::MODULES) {
        files.extend(needed::modules(&listing, &modules));
    }
    files.extend(needed::weights(&listing, text(needed::INDEX).as_deref(), at)?);
    Ok(files.into_iter().map(|file| file.path.clone()).collect())
}

/// What the profile knows of a model's files beforehand.
fn expect_known(model: &HubModel, pin: &Pin, folder: &Path) -> Result<(), SourceError> {
    for (name, expected) in &model.sha256 {
        let found = pin.files.iter().find(|file| file.path == *name);
        let found = found.map_or("none", |file| file.fingerprint.sha256.as_str());
        if found != expected {
            return Err(SourceError::WrongHash {
                path: folder.join(name),
                found: found.to_owned(),
                expected: expected.clone(),
                by: "the profile",
                advice: "name the revision that has the file which is meant, then `sensorium models rm` and `pull`",
            });
        }
    }
    Ok(())
}

/// Who says what a pinned file is.
const BY_LOCK: &str = "models.lock";

fn unlike_the_lock(path: PathBuf, found: Fingerprint, file: &PinnedFile) -> SourceError {
    let expected = file.fingerprint.clone();
    if found.bytes == expected.bytes {
        let advice = "run `sensorium models pull` to fetch the right one";
        return SourceError::WrongHash { path, found: found.sha256, expected: expected.sha256, by: BY_LOCK, advice };
    }
    SourceError::WrongLength { path, found: found.bytes, expected: expected.bytes, by: BY_LOCK }
}

fn name(model: &HubModel) -> String {
    format!("{}@{}", model.repository, model.revision)
}
