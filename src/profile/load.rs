//! From a profile file to towers behind their queues.

use std::sync::Arc;
use std::thread;

use sensorium_domain::encoder::{SoundFormat, SpaceInfo, Tower, TowerInfo};
use sensorium_domain::{BlobHash, Modality, ModelName};
use sensorium_inference::{Lanes, LocalEncoder, Options};
use sensorium_models::device;
use sensorium_models::labels::Labels;
use sensorium_models::registry::{self, DType, Device, LoadOptions};
use sensorium_models::starter::Calibration;
use sensorium_models::text::{Pooling, TextOptions};
use sensorium_models::{Likeness, Source};
use sensorium_sources::{Check, ModelEntry, Origin, PoolingDefault, Precision, ProfileFile, SpaceEntry};

use super::reading::{Fitted, Reading};
use super::writers::{Room, Writers};
use super::{Chosen, ModelFacts, Profile, ProfileError, Space};
use crate::config::{self, Config, LanesChoice};
use crate::models::{Located, Models, starter_dir};

/// How sounds are cut where no tower takes any; they are kept and not found.
const NO_SOUND_TOWER: SoundFormat = SoundFormat { sample_rate_hz: 16_000, window_ms: 10_000 };

/// A tower that is to be loaded.
struct Wanted<'a> {
    space: &'a SpaceEntry,
    modality: Modality,
    model: &'a str,
    entry: &'a ModelEntry,
}

/// A tower that is loaded.
struct Loaded {
    tower: Arc<dyn Tower>,
    info: TowerInfo,
    facts: ModelFacts,
    source: Source,
}

/// Loads every tower of a profile, all at once. Blocks.
pub(super) fn load(config: &Config, chosen: Chosen) -> Result<Profile, ProfileError> {
    let Chosen { file, note } = chosen;
    let models = Models::new(config)?;
    let (device, why_no_gpu) = config.encoder.device.open()?;
    let no_gpu = why_no_gpu.map(|reason| format!("models compute on the CPU: {reason}"));
    let wanted = wanted(&file);
    let loaded: Result<Vec<Loaded>, ProfileError> = thread::scope(|scope| {
        let running: Vec<_> = wanted.iter().map(|wanted| scope.spawn(|| wanted.load(&models, &device))).collect();
        running.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(ProfileError::Panicked))).collect()
    });
    let mut loaded = wanted.into_iter().zip(loaded?).peekable();
    let mut spaces = Vec::new();
    let mut described = Vec::new();
    let mut facts = Vec::new();
    for entry in &file.spaces {
        let mut own = Vec::new();
        while let Some((_, tower)) = loaded.next_if(|(wanted, _)| wanted.space.name == entry.name) {
            own.push(tower);
        }
        let reading = reading(config, &file, entry, &own)?;
        let info = SpaceInfo {
            name: entry.name.clone(),
            dimensions: entry.dimensions,
            towers: own.iter().map(|loaded| loaded.info.clone()).collect(),
        };
        spaces.push(Space { name: entry.name.clone(), reading });
        facts.extend(own.iter().map(|loaded| (loaded.info.model.clone(), loaded.facts.clone())));
        described.push((info, own.into_iter().map(|loaded| loaded.tower).collect::<Vec<_>>()));
    }
    let sound = sound_format(&described)?;
    if config.ingest.window_ms > sound.window_ms {
        return Err(ProfileError::Window { set: config.ingest.window_ms, most: sound.window_ms });
    }
    let counter = token_counter(&described);
    let labels = match spaces.iter().find_map(|space| space.reading.starter()) {
        Some(calibration) => Some(Labels::load(&bundled(&config.profile)?, calibration)?),
        None => None,
    };
    let room = Room::beside(&facts, config.profile.memory_bytes)?;
    let Writers { transcriber, captioner, unused } = Writers::find(config, &file, &models, &device, &room)?;
    facts.extend(transcriber.iter().map(|(found, facts)| (found.model.clone(), facts.clone())));
    facts.extend(captioner.iter().map(|(found, facts)| (found.model.clone(), facts.clone())));
    let unused = no_gpu.into_iter().chain(unused).collect();
    let local = Arc::new(LocalEncoder::new(described, options(&config.encoder, &device))?);
    Ok(Profile {
        encoder: local.clone(),
        local,
        models: facts,
        name: file.name,
        summary: file.summary,
        transcriber: transcriber.map(|(found, _)| found),
        captioner: captioner.map(|(found, _)| found),
        unused,
        spaces,
        counter,
        sound,
        labels,
        note,
    })
}

fn wanted(file: &ProfileFile) -> Vec<Wanted<'_>> {
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
    fn load(&self, models: &Models, device: &Device) -> Result<Loaded, ProfileError> {
        let located = models.locate(self.model, self.entry, Check::Quick)?;
        // Bundled towers have kernels of their own, for the CPU.
        let device = if self.entry.origin == Origin::Bundled { &Device::Cpu } else { device };
        let facts = facts_of(self.model, self.entry, &located, device);
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
        let tower = registry::load(&source, self.modality, &with)?;
        let info = TowerInfo { modality: self.modality, model: self.name(&located.revision) };
        Ok(Loaded { tower: Arc::from(tower), info, facts, source })
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

fn reading(
    config: &Config,
    file: &ProfileFile,
    entry: &SpaceEntry,
    loaded: &[Loaded],
) -> Result<Reading, ProfileError> {
    let is_bundled = |model: &String| file.models.get(model).is_some_and(|model| model.origin == Origin::Bundled);
    if entry.towers.values().any(is_bundled) {
        return Ok(Reading::Starter(Box::new(Calibration::load(&bundled(&config.profile)?)?)));
    }
    // Two towers of one model were trained on pairs; a model alone has learned nothing of pairs.
    let likeness = match loaded {
        [first, .., last] if first.info.model == last.info.model => Likeness::load(&first.source)?,
        _ => None,
    };
    Ok(match (&entry.calibration, likeness) {
        (Some(path), likeness) => Reading::Fitted(Fitted::load(path)?, likeness),
        (None, Some(likeness)) => Reading::Learned(likeness),
        (None, None) => Reading::Ranks,
    })
}

fn bundled(settings: &config::Profile) -> Result<Source, ProfileError> {
    Ok(Source::Bundled(starter_dir(settings)?))
}

/// The one way in which sounds are brought to all towers that take them.
fn sound_format(spaces: &[(SpaceInfo, Vec<Arc<dyn Tower>>)]) -> Result<SoundFormat, ProfileError> {
    let formats = spaces.iter().flat_map(|(_, towers)| towers).filter_map(|tower| tower.sound_format());
    let mut chosen = None;
    for format in formats {
        match chosen {
            Some(other) if other != format => return Err(ProfileError::TwoSounds(other, format)),
            _ => chosen = Some(format),
        }
    }
    Ok(chosen.unwrap_or(NO_SOUND_TOWER))
}

/// The text tower by whose tokens texts are cut: of a space of texts alone if there is one, since it finds texts.
fn token_counter(spaces: &[(SpaceInfo, Vec<Arc<dyn Tower>>)]) -> Option<Arc<dyn Tower>> {
    let mut texts: Vec<(usize, &Arc<dyn Tower>)> = spaces
        .iter()
        .flat_map(|(info, towers)| towers.iter().map(|tower| (info.towers.len(), tower)))
        .filter(|(_, tower)| tower.modality() == Modality::Text)
        .collect();
    texts.sort_by_key(|(others, _)| *others);
    texts.first().map(|(_, tower)| Arc::clone(tower))
}

pub(super) fn facts_of(name: &str, entry: &ModelEntry, located: &Located, device: &Device) -> ModelFacts {
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
        memory_bytes: located.parameters * dtype(entry.precision).size_in_bytes() as u64,
    }
}

fn options(settings: &config::Encoder, device: &Device) -> Options {
    let usual = match (device.is_cpu(), settings.lanes) {
        (false, _) => Options::gpu(),
        (true, LanesChoice::Shared) => Options::shared_cpu(),
        (true, LanesChoice::Auto | LanesChoice::Apart) => Options::default(),
    };
    let lanes = match settings.lanes {
        LanesChoice::Auto => usual.lanes,
        LanesChoice::Shared => Lanes::Shared,
        LanesChoice::Apart => Lanes::Apart,
    };
    let or = |cost: u64, usual: u64| if cost == 0 { usual } else { cost };
    Options {
        lanes,
        threads: settings.threads,
        interactive_queue_cost: or(settings.interactive_queue_cost, usual.interactive_queue_cost),
        bulk_queue_cost: or(settings.bulk_queue_cost, usual.bulk_queue_cost),
        interactive_batch_cost: or(settings.interactive_batch_cost, usual.interactive_batch_cost),
        bulk_batch_cost: or(settings.bulk_batch_cost, usual.bulk_batch_cost),
        batch_cost_beside_searches: or(settings.batch_cost_beside_searches, usual.batch_cost_beside_searches),
        interactive_deadline_ms: settings.interactive_deadline_ms,
        cache_bytes: settings.cache_bytes,
        ..usual
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on_a_cpu(overrides: config::Overrides) -> Options {
        options(&config::load(None, std::iter::empty(), overrides).unwrap().encoder, &Device::Cpu)
    }

    #[test]
    fn costs_on_a_cpu_go_by_how_its_lanes_share_it() {
        let kept = |options: Options| Options { cache_bytes: Options::default().cache_bytes, ..options };
        assert_eq!(kept(on_a_cpu(Vec::new())), Options::default());
        assert_eq!(kept(on_a_cpu(vec![("encoder.lanes", "apart".to_owned())])), Options::default());
        let shared = vec![("encoder.lanes", "shared".to_owned())];
        assert_eq!(kept(on_a_cpu(shared)), Options::shared_cpu());
        let own = vec![("encoder.bulk_batch_cost", "7".to_owned()), ("encoder.interactive_batch_cost", "5".to_owned())];
        let own = on_a_cpu(own);
        assert_eq!((own.lanes, own.interactive_batch_cost, own.bulk_batch_cost), (Lanes::Apart, 5, 7));
    }
}
