//! The models of a profile that write: speech down, and sentences about pictures. They are read when they are asked.

use sensorium_domain::ModelName;
use sensorium_models::registry::{DType, Device};
use sensorium_models::{BlipCaptioner, ModelError, Source, Whisper};
use sensorium_sources::{Check, ProfileFile};

use super::room::Room;
use super::towers::{dtype, facts_of};
use super::{ModelFacts, ProfileError};
use crate::caption::Captioner;
use crate::config::Config;
use crate::models::{Models, State};
use crate::on_demand::OnDemand;
use crate::transcribe::{SAMPLE_RATE_HZ, Transcriber};

/// The models that write, where the profile has them.
pub(super) struct Writers {
    /// What writes down speech.
    pub transcriber: Option<(Transcriber, ModelFacts)>,
    /// What describes pictures.
    pub captioner: Option<(Captioner, ModelFacts)>,
    /// What is not to be had, since a model is not here.
    pub unused: Vec<String>,
}

/// A model that writes, with its files.
struct Writer {
    model: ModelName,
    facts: ModelFacts,
    source: Source,
    dtype: DType,
}

impl Writers {
    /// Looks for them. That the files are such models is found out now; they are read when they are first asked.
    pub fn find(
        config: &Config,
        file: &ProfileFile,
        models: &Models,
        device: &Device,
        room: &Room,
    ) -> Result<Self, ProfileError> {
        let mut unused = Vec::new();
        let mut find = |name: Option<&String>, without| writer(file, name, models, device, without, &mut unused);
        let transcriber = find(file.transcriber.as_ref(), "no speech is written down")?;
        let captioner = find(file.captioner.as_ref(), "no picture is described in a sentence")?;
        let transcriber = transcriber.map(|found| transcriber_of(config, room, found, device)).transpose()?;
        let captioner = captioner.map(|found| captioner_of(config, room, found, device)).transpose()?;
        Ok(Self { transcriber, captioner, unused })
    }
}

/// The model of this name, if its files are here; what is not to be had without them is noted.
fn writer(
    file: &ProfileFile,
    name: Option<&String>,
    models: &Models,
    device: &Device,
    without: &str,
    unused: &mut Vec<String>,
) -> Result<Option<Writer>, ProfileError> {
    let Some((name, entry)) = name.and_then(|name| Some((name, file.models.get(name)?))) else { return Ok(None) };
    if !matches!(models.state(name, entry)?, State::Here { .. }) {
        let pull = format!("sensorium models pull {} --model {name}", file.name);
        unused.push(format!("{without}: {name} is not here; `{pull}` fetches it"));
        return Ok(None);
    }
    let located = models.locate(name, entry, Check::Quick)?;
    let model = ModelName(format!("{name}@{}", located.revision));
    let facts = facts_of(name, entry, &located, located.parameters, device);
    Ok(Some(Writer { model, facts, source: Source::Folder(located.folder), dtype: dtype(entry.precision) }))
}

fn transcriber_of(
    config: &Config,
    room: &Room,
    found: Writer,
    device: &Device,
) -> Result<(Transcriber, ModelFacts), ProfileError> {
    let rate_hz = Whisper::check(&found.source)?;
    if rate_hz != SAMPLE_RATE_HZ {
        return Err(ProfileError::SampleRate { model: found.model, rate_hz });
    }
    found.on_demand(room, (config.transcriber.queue, "transcriber.queue"), device, Whisper::load)
}

fn captioner_of(
    config: &Config,
    room: &Room,
    found: Writer,
    device: &Device,
) -> Result<(Captioner, ModelFacts), ProfileError> {
    BlipCaptioner::check(&found.source)?;
    found.on_demand(room, (config.captioner.queue, "captioner.queue"), device, BlipCaptioner::load)
}

impl Writer {
    /// The model behind its queue, which `load` reads when it is asked.
    fn on_demand<T: Send + Sync + 'static>(
        self,
        room: &Room,
        queue: (usize, &'static str),
        device: &Device,
        load: fn(&Source, DType, &Device) -> Result<T, ModelError>,
    ) -> Result<(OnDemand<T>, ModelFacts), ProfileError> {
        let Self { model, facts, source, dtype } = self;
        let memory = room.of(&model.0, facts.memory_bytes)?;
        let device = device.clone();
        let load = move || load(&source, dtype, &device);
        Ok((OnDemand::new((model, facts.memory_bytes), memory, queue, load), facts))
    }
}
