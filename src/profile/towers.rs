//! The towers of a profile: what its file wants, read.

use std::sync::Arc;

use sensorium_domain::encoder::{Tower, TowerInfo};
use sensorium_domain::{BlobHash, Modality, ModelName, SpaceName};
use sensorium_models::registry::{self, DType, Device, LoadOptions};
use sensorium_models::text::{Pooling, TextOptions};
use sensorium_models::{Source, device};
use sensorium_sources::{Check, ModelEntry, Origin, PoolingDefault, Precision, ProfileFile, SpaceEntry};

use super::room::Room;
use super::{ModelFacts, ProfileError};
use crate::models::{Located, Models};
use crate::on_demand::OnDemandTower;

/// A tower that is to be loaded.
pub(super) struct Wanted<'a> {
    /// Its space.
    pub space: &'a SpaceEntry,
    modality: Modality,
    model: &'a str,
    entry: &'a ModelEntry,
}

/// A tower that is loaded.
pub(super) struct Loaded {
    /// What the encoder has work.
    pub tower: Arc<dyn Tower>,
    /// What it takes, and its model.
    pub info: TowerInfo,
    /// Its files.
    pub source: Source,
    facts: ModelFacts,
    on_demand: Option<Arc<OnDemandTower>>,
}

/// What is told of a tower that runs.
pub(super) struct TowerHere {
    /// Its space.
    pub space: SpaceName,
    /// What it takes.
    pub modality: Modality,
    /// Of its model; the memory is its own.
    pub facts: ModelFacts,
    /// Where memory is bounded.
    on_demand: Option<Arc<OnDemandTower>>,
}

impl TowerHere {
    /// Whether its weights are in memory.
    pub fn is_loaded(&self) -> bool {
        self.on_demand.as_ref().is_none_or(|tower| tower.is_loaded())
    }
}

impl Loaded {
    /// What is told of it.
    pub fn here(&self, space: &SpaceName) -> TowerHere {
        let (facts, on_demand) = (self.facts.clone(), self.on_demand.clone());
        TowerHere { space: space.clone(), modality: self.info.modality, facts, on_demand }
    }
}

/// What a profile's file wants, space by space.
pub(super) fn wanted(file: &ProfileFile) -> Vec<Wanted<'_>> {
    let towers = file.spaces.iter().flat_map(|space| space.towers.iter().map(move |tower| (space, tower)));
    towers
        .filter_map(|(space, (modality, model))| {
            // A profile that uses a model which it does not describe has been refused.
            let entry = file.models.get(model)?;
            Some(Wanted { space, modality: *modality, model, entry })
        })
        .collect()
}

impl Wanted<'_> {
    /// Reads it. Where memory is bounded it is read again whenever it had to make room.
    pub fn load(&self, models: &Models, device: &Device, room: &Room) -> Result<Loaded, ProfileError> {
        let located = models.locate(self.model, self.entry, Check::Quick)?;
        // Bundled towers have kernels of their own, for the CPU.
        let device = if self.entry.origin == Origin::Bundled { &Device::Cpu } else { device };
        let parameters = located.parameters_of_towers.get(&self.modality).copied().unwrap_or(located.parameters);
        let facts = facts_of(self.model, self.entry, &located, parameters, device);
        let source = match self.entry.origin {
            Origin::Bundled => Source::Bundled(located.folder),
            _ => Source::Folder(located.folder),
        };
        let prompt = |prompt: &str| (!prompt.is_empty()).then(|| prompt.to_owned());
        let with = LoadOptions {
            architecture: self.entry.architecture.clone(),
            dtype: dtype(self.entry.precision),
            text: TextOptions {
                query_prompt: prompt(&self.space.query_prompt),
                passage_prompt: prompt(&self.space.passage_prompt),
                pooling: self.space.pooling.map(pooling),
            },
            device: device.clone(),
        };
        let modality = self.modality;
        let info = TowerInfo { modality, model: self.name(&located.revision) };
        if !room.is_bounded() {
            let tower = registry::load(&source, modality, &with)?;
            return Ok(Loaded { tower: Arc::from(tower), info, source, facts, on_demand: None });
        }
        let name = format!("{} ({modality}, space {})", info.model, self.space.name);
        let files = source.clone();
        let tower = room.tower(name, facts.memory_bytes, move || registry::load(&files, modality, &with))?;
        let tower = Arc::new(tower);
        Ok(Loaded { tower: tower.clone(), info, source, facts, on_demand: Some(tower) })
    }

    /// The name under which the tower's vectors are kept: all that they depend on beside their content goes into it.
    fn name(&self, revision: &str) -> ModelName {
        let mut name = format!("{}@{revision}", self.model);
        if self.entry.precision != Precision::F32 {
            name = format!("{name}-{}", self.entry.precision.as_str());
        }
        let SpaceEntry { passage_prompt, pooling, .. } = self.space;
        if self.modality == Modality::Text && !(passage_prompt.is_empty() && pooling.is_none()) {
            let also = BlobHash::of(format!("{pooling:?} {passage_prompt}").as_bytes()).to_string();
            name = format!("{name}-{}", &also[..8]);
        }
        ModelName(name)
    }
}

/// The numbers that a model computes with.
pub(super) const fn dtype(precision: Precision) -> DType {
    match precision {
        Precision::F32 => DType::F32,
        Precision::Bf16 => DType::BF16,
        Precision::F16 => DType::F16,
    }
}

const fn pooling(pooling: PoolingDefault) -> Pooling {
    match pooling {
        PoolingDefault::Mean => Pooling::Mean,
        PoolingDefault::Cls => Pooling::First,
    }
}

/// What there is to know about a model, or about a tower of it, which holds so many `parameters`.
pub(super) fn facts_of(
    name: &str,
    entry: &ModelEntry,
    located: &Located,
    parameters: u64,
    device: &Device,
) -> ModelFacts {
    let licence = &entry.licence;
    ModelFacts {
        licence: match entry.origin {
            Origin::Bundled if name.starts_with("starter-") => {
                format!("{licence} (ingredients: models/starter/README.md)")
            }
            _ => licence.clone(),
        },
        precision: entry.precision.as_str(),
        device: device::name(device),
        weights_bytes: located.weights_bytes,
        memory_bytes: parameters * dtype(entry.precision).size_in_bytes() as u64,
    }
}
