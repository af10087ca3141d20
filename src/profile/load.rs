//! From a profile file to towers behind their queues.

use std::sync::Arc;
use std::thread;

use sensorium_domain::Modality;
use sensorium_domain::encoder::{CountTokens, SoundFormat, SpaceInfo, Tower};
use sensorium_inference::{Lanes, LocalEncoder, Options};
use sensorium_models::labels::Labels;
use sensorium_models::registry::Device;
use sensorium_models::starter::Calibration;
use sensorium_models::{Likeness, Source};
use sensorium_sources::{Origin, ProfileFile, SpaceEntry};
use tokio::runtime::Handle;

use super::reading::{Fitted, Reading};
use super::room::Room;
use super::towers::{Loaded, Wanted, wanted};
use super::writers::Writers;
use super::{Chosen, Profile, ProfileError, Space};
use crate::config::{self, Config, LanesChoice};
use crate::models::{Models, starter_dir};

/// How sounds are cut where no tower takes any; they are kept and not found.
const NO_SOUND_TOWER: SoundFormat = SoundFormat { sample_rate_hz: 16_000, window_ms: 10_000 };

/// Loads every tower of a profile. Blocks, on a thread that knows the runtime and runs none of its tasks.
pub(super) fn load(config: &Config, chosen: Chosen) -> Result<Profile, ProfileError> {
    let Chosen { file, note } = chosen;
    let models = Models::new(config)?;
    let (device, why_no_gpu) = config.encoder.device.open()?;
    let no_gpu = why_no_gpu.map(|reason| format!("models compute on the CPU: {reason}"));
    let room = Room::new(config.profile.memory_bytes, Handle::current());
    let wanted = wanted(&file);
    let loaded = load_towers(&wanted, &room, |wanted| wanted.load(&models, &device, &room))?;
    let mut loaded = wanted.into_iter().zip(loaded).peekable();
    let mut spaces = Vec::new();
    let mut described = Vec::new();
    let mut towers = Vec::new();
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
        towers.extend(own.iter().map(|loaded| loaded.here(&entry.name)));
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
    let Writers { transcriber, captioner, unused } = Writers::find(config, &file, &models, &device, &room)?;
    let mut writers = Vec::new();
    writers.extend(transcriber.iter().map(|(found, facts)| (found.model.clone(), facts.clone())));
    writers.extend(captioner.iter().map(|(found, facts)| (found.model.clone(), facts.clone())));
    let unused = no_gpu.into_iter().chain(unused).collect();
    let local = Arc::new(LocalEncoder::new(described, options(&config.encoder, &device))?);
    Ok(Profile {
        encoder: local.clone(),
        local,
        towers,
        writers,
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

/// All at once, or where memory is bounded one after the other, in the order of the profile: there may not be room for two.
fn load_towers<'a>(
    wanted: &[Wanted<'a>],
    room: &Room,
    load: impl Fn(&Wanted<'a>) -> Result<Loaded, ProfileError> + Sync,
) -> Result<Vec<Loaded>, ProfileError> {
    if room.is_bounded() {
        return wanted.iter().map(load).collect();
    }
    thread::scope(|scope| {
        let load = &load;
        let running: Vec<_> = wanted.iter().map(|wanted| scope.spawn(move || load(wanted))).collect();
        running.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(ProfileError::Panicked))).collect()
    })
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
fn token_counter(spaces: &[(SpaceInfo, Vec<Arc<dyn Tower>>)]) -> Option<Arc<CountTokens>> {
    let mut texts: Vec<(usize, &Arc<dyn Tower>)> = spaces
        .iter()
        .flat_map(|(info, towers)| towers.iter().map(|tower| (info.towers.len(), tower)))
        .filter(|(_, tower)| tower.modality() == Modality::Text)
        .collect();
    texts.sort_by_key(|(others, _)| *others);
    texts.first().and_then(|(_, tower)| tower.token_counter())
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
