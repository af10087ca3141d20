//! Which profile a deployment runs.

use std::path::Path;

use sensorium_domain::index::IndexedSpace;
use sensorium_sources::ProfileFile;

use crate::config::Config;
use crate::models::{Models, ModelsError, State};
use crate::profile::ProfileError;

/// What `auto` takes where the models of the other are not here.
const FALLBACK: &str = "starter";
/// What `auto` takes where its models are here.
const PREFERRED: &str = "standard";

/// A profile that was chosen and whose models are not loaded yet.
#[derive(Debug)]
pub struct Chosen {
    /// What it says.
    pub file: ProfileFile,
    /// Why it was taken, where the settings leave it open.
    pub note: Option<String>,
}

/// The profile of the settings. `auto` stays with `kept`, the name or path of the profile that the live generation has.
pub fn choose(config: &Config, kept: Option<&str>) -> Result<Chosen, ProfileError> {
    let name = config.profile.name.as_str();
    if name != "auto" {
        return Ok(Chosen { file: read(name)?, note: None });
    }
    if let Some(kept) = kept.filter(|kept| ProfileFile::is_name(kept)) {
        return Ok(Chosen { file: read(kept)?, note: None });
    }
    let preferred = read(PREFERRED)?;
    if is_here(config, &preferred)? {
        return Ok(Chosen { file: preferred, note: None });
    }
    let note = format!(
        "profile auto took {FALLBACK}: the models of {PREFERRED} are not here; `sensorium models pull {PREFERRED}` fetches them, for a new data folder"
    );
    Ok(Chosen { file: read(FALLBACK)?, note: Some(note) })
}

/// A bundled profile by its name, or the file of one.
pub fn read(name: &str) -> Result<ProfileFile, ProfileError> {
    if let Some(read) = ProfileFile::bundled(name) {
        return Ok(read.map_err(ModelsError::from)?);
    }
    if ProfileFile::is_name(name) {
        return Ok(ProfileFile::load(Path::new(name)).map_err(ModelsError::from)?);
    }
    let names = ProfileFile::bundled_names().collect::<Vec<_>>().join(", ");
    Err(ProfileError::Unknown { name: name.to_owned(), names })
}

/// Whether the models of a profile's towers are on this machine.
pub fn is_here(config: &Config, profile: &ProfileFile) -> Result<bool, ModelsError> {
    let models = Models::new(config)?;
    for name in profile.spaces.iter().flat_map(|space| space.towers.values()) {
        let here = match profile.models.get(name) {
            Some(entry) => matches!(models.state(name, entry)?, State::Here { .. }),
            None => false,
        };
        if !here {
            return Ok(false);
        }
    }
    Ok(true)
}

impl Chosen {
    /// What the index is to hold.
    pub fn spaces(&self) -> Vec<IndexedSpace> {
        let spaces = self.file.spaces.iter().map(|space| IndexedSpace {
            name: space.name.clone(),
            dimension: space.dimensions,
            modalities: space.towers.keys().copied().collect(),
        });
        spaces.collect()
    }
}
