//! The models of a profile on this machine: where each one is, and how it gets here. Blocks; for threads of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sensorium_domain::{BlobHash, Modality};
use sensorium_models::registry;
use sensorium_models::source::sha256_of;
use sensorium_models::weights::Weights;
use sensorium_models::{Manifest, ModelError, Source};
use sensorium_sources::{
    Check, HubModel, HubSettings, ModelEntry, Origin, Presence, ProfileFileError, Progress, SourceError, Store,
};

use crate::config::{self, Config};

/// What every model that is here has: one file of weights, or the index of several.
const WEIGHTS: [&str; 2] = ["model.safetensors", "model.safetensors.index.json"];

/// Digits of a revision in the names of models.
const REVISION_DIGITS: usize = 12;

/// The starter's text model, as its profile file names it; `profile.text_model_dir` is about this one.
pub const TEXT_MODEL: &str = "all-MiniLM-L6-v2";

/// Models of this machine.
pub struct Models {
    store: Store,
    settings: config::Profile,
}

/// How far a model is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// All of it.
    Here {
        /// Its folder.
        folder: PathBuf,
        /// The commit, of one that was pulled.
        commit: Option<String>,
        /// Bytes of its files, of one that was pulled.
        bytes: Option<u64>,
    },
    /// Some of it.
    Incomplete,
    /// Nothing.
    Absent,
}

/// A model that is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// The folder of its files.
    pub folder: PathBuf,
    /// Twelve hexadecimal digits that tell its weights from others: of the commit, or of their SHA-256.
    pub revision: String,
    /// Bytes of its files of weights.
    pub weights_bytes: u64,
    /// Numbers in them.
    pub parameters: u64,
    /// Those that the tower of a modality holds: where a model has two towers, they share the files and not the numbers.
    pub parameters_of_towers: BTreeMap<Modality, u64>,
}

/// Why a model is not here, or is not the right one.
#[derive(Debug, thiserror::Error)]
pub enum ModelsError {
    /// The hub, the cache, or `models.lock`.
    #[error("{0}")]
    Source(#[from] SourceError),
    /// A file.
    #[error("{0}")]
    Model(#[from] ModelError),
    /// A profile file.
    #[error("{0}")]
    Profile(#[from] ProfileFileError),
    /// Files that are not where they should be.
    #[error("{what} is not in {}: {advice}", .folder.display())]
    Missing {
        /// What was looked for.
        what: String,
        /// Where.
        folder: PathBuf,
        /// What to do.
        advice: &'static str,
    },
}

impl ModelsError {
    /// Whether the hub could not be reached, so that it may work later.
    pub fn is_no_connection(&self) -> bool {
        use SourceError::{ServerFailed, TooMany, Unreachable};
        matches!(self, Self::Source(Unreachable { .. } | ServerFailed { .. } | TooMany { .. }))
    }
}

impl Models {
    /// The models of the configured data folder, and of the hub's cache that the environment names.
    pub fn new(config: &Config) -> Result<Self, ModelsError> {
        let store = Store::new(HubSettings::from_environment()?, &config.storage.data_dir);
        Ok(Self { store, settings: config.profile.clone() })
    }

    /// Whether a model is here; files are looked for and not read.
    pub fn state(&self, name: &str, entry: &ModelEntry) -> Result<State, ModelsError> {
        let here = |folder: PathBuf| State::Here { folder, commit: None, bytes: None };
        Ok(match &entry.origin {
            Origin::Bundled => starter_dir(&self.settings).map_or(State::Absent, here),
            Origin::Folder(folder) if has_weights(folder) => here(folder.clone()),
            Origin::Folder(_) => State::Absent,
            Origin::Hub { model, package } => match self.packaged(name, package.as_deref()) {
                Err(_) => State::Absent,
                Ok(Some(folder)) => here(folder),
                Ok(None) => match self.store.presence(model)? {
                    Presence::Here(snapshot) => {
                        let bytes = Some(snapshot.pin.bytes());
                        State::Here { folder: snapshot.folder, commit: Some(snapshot.pin.commit), bytes }
                    }
                    Presence::Incomplete(_) => State::Incomplete,
                    Presence::Absent => State::Absent,
                },
            },
        })
    }

    /// Fetches what is missing of a model, and says where it is.
    pub fn pull(&self, name: &str, entry: &ModelEntry, progress: &mut Progress) -> Result<PathBuf, ModelsError> {
        match &entry.origin {
            Origin::Hub { model, package } if self.packaged(name, package.as_deref())?.is_none() => {
                Ok(self.store.pull(model, progress)?.folder)
            }
            _ => self.check(name, entry, Check::Quick, progress),
        }
    }

    /// Proves that a model is here and is the right one, and says where it is. Nothing is fetched.
    pub fn check(
        &self,
        name: &str,
        entry: &ModelEntry,
        check: Check,
        progress: &mut Progress,
    ) -> Result<PathBuf, ModelsError> {
        match &entry.origin {
            Origin::Bundled => starter_dir(&self.settings),
            Origin::Folder(folder) if has_weights(folder) => Ok(folder.clone()),
            Origin::Folder(folder) => {
                let advice = "put model.safetensors there, or name another folder in the profile";
                Err(ModelsError::Missing { what: name.to_owned(), folder: folder.clone(), advice })
            }
            Origin::Hub { model, package } => match self.packaged(name, package.as_deref())? {
                Some(folder) => {
                    let manifest = Manifest { sha256: model.sha256.clone() };
                    manifest.verify(&Source::Folder(folder.clone()))?;
                    Ok(folder)
                }
                None => self.pulled(name, model, package.as_deref(), check, progress),
            },
        }
    }

    /// As [`Self::check`], and says which weights they are.
    pub fn locate(&self, name: &str, entry: &ModelEntry, check: Check) -> Result<Located, ModelsError> {
        let folder = self.check(name, entry, check, &mut |_| {})?;
        let only = bundled_file(entry).filter(|_| entry.origin == Origin::Bundled);
        let weights = weights(&folder, only);
        let revision = match &entry.origin {
            Origin::Hub { model, .. } => match (self.state(name, entry)?, model.sha256.get(WEIGHTS[0])) {
                (State::Here { commit: Some(commit), .. }, None) => commit,
                // The same files count as the same model wherever they come from; `check` has compared them.
                (_, Some(sha256)) => sha256.clone(),
                (_, None) => hash_of(&weights)?,
            },
            Origin::Bundled | Origin::Folder(_) => hash_of(&weights)?,
        };
        let revision = revision.chars().take(REVISION_DIGITS).collect();
        let weights_bytes = weights.iter().filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum();
        let opened = weights.iter().map(|file| Weights::open(file)).collect::<Result<Vec<_>, _>>()?;
        let parameters = opened.iter().map(Weights::parameters).sum();
        let of_towers = Modality::ALL.map(|modality| (modality, registry::parameters(&opened, modality)));
        Ok(Located { folder, revision, weights_bytes, parameters, parameters_of_towers: of_towers.into() })
    }

    /// Removes what was pulled, and says how many bytes that freed. What is bundled, in the user's folder or from a package stays.
    pub fn remove(&self, entry: &ModelEntry) -> Result<u64, ModelsError> {
        match &entry.origin {
            Origin::Hub { model, .. } => Ok(self.store.remove(model)?),
            Origin::Bundled | Origin::Folder(_) => Ok(0),
        }
    }

    /// `models.lock`.
    pub fn lock_path(&self) -> &Path {
        self.store.lock().path()
    }

    fn pulled(
        &self,
        name: &str,
        model: &HubModel,
        package: Option<&str>,
        check: Check,
        progress: &mut Progress,
    ) -> Result<PathBuf, ModelsError> {
        match self.store.check(model, check, progress) {
            Ok(snapshot) => Ok(snapshot.folder),
            Err(SourceError::NotPulled { .. }) if package.is_some() => Err(ModelsError::Missing {
                what: name.to_owned(),
                folder: package_dir(name),
                advice: "run scripts/fetch-text-model (from PyPI) or `sensorium models pull starter` (from the hub), or set profile.text_model_dir",
            }),
            Err(error) => Err(error.into()),
        }
    }

    /// The folder into which a script has put a package's model, or the one that the settings name in its place, which then
    /// has to have it.
    fn packaged(&self, name: &str, package: Option<&str>) -> Result<Option<PathBuf>, ModelsError> {
        let chosen = &self.settings.text_model_dir;
        if name == TEXT_MODEL && !chosen.as_os_str().is_empty() {
            if has_weights(chosen) {
                return Ok(Some(chosen.clone()));
            }
            let advice = "set profile.text_model_dir to the folder that has it, or leave it empty";
            return Err(ModelsError::Missing { what: name.to_owned(), folder: chosen.clone(), advice });
        }
        Ok(package.map(|_| package_dir(name)).filter(|folder| has_weights(folder)))
    }
}

/// The file of a bundled tower.
fn bundled_file(entry: &ModelEntry) -> Option<&'static str> {
    match entry.architecture.as_deref() {
        Some("sensorium-picture-tower") => Some("picture.safetensors"),
        Some("sensorium-sound-tower") => Some("sound.safetensors"),
        _ => None,
    }
}

/// The file of weights, which is `only` where that is given; or the several, by name.
fn weights(folder: &Path, only: Option<&str>) -> Vec<PathBuf> {
    let single = folder.join(only.unwrap_or(WEIGHTS[0]));
    if single.is_file() {
        return vec![single];
    }
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|ending| ending == "safetensors"))
        .collect();
    files.sort();
    files
}

/// The SHA-256 of the file of weights, or of the hashes of the several.
fn hash_of(weights: &[PathBuf]) -> Result<String, ModelsError> {
    if let [single] = weights {
        return Ok(sha256_of(single)?);
    }
    let hashes = weights.iter().map(|path| sha256_of(path)).collect::<Result<Vec<_>, _>>()?;
    Ok(BlobHash::of(hashes.concat().as_bytes()).to_string())
}

fn package_dir(name: &str) -> PathBuf {
    config::cache_dir().join("models").join(name)
}

fn has_weights(folder: &Path) -> bool {
    WEIGHTS.iter().any(|name| folder.join(name).is_file())
}

/// The folder with the towers of the starter.
pub fn starter_dir(settings: &config::Profile) -> Result<PathBuf, ModelsError> {
    if !settings.starter_dir.as_os_str().is_empty() {
        return with_towers(settings.starter_dir.clone());
    }
    let beside = std::env::current_exe().ok().and_then(|program| Some(program.parent()?.join("models/starter")));
    let here = PathBuf::from("models/starter");
    let built_from = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/starter");
    let places = beside.into_iter().chain([here.clone(), built_from]);
    let folder = places.into_iter().find(|folder| folder.join("picture.safetensors").exists()).unwrap_or(here);
    with_towers(folder)
}

fn with_towers(folder: PathBuf) -> Result<PathBuf, ModelsError> {
    if folder.join("picture.safetensors").exists() {
        return Ok(folder);
    }
    let advice = "start in the repository's folder, or set profile.starter_dir";
    Err(ModelsError::Missing { what: "the starter's towers".to_owned(), folder, advice })
}
