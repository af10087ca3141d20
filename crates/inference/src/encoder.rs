//! The port over towers in this process.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use async_trait::async_trait;
use sensorium_domain::encoder::{EncodeError, EncodeInput, Encoder, Priority, SpaceInfo, Tower};
use sensorium_domain::names::SpaceName;
use sensorium_domain::segment::Modality;

use crate::actor::Actor;
use crate::metrics::{Metrics, TowerMetrics};
use crate::options::Options;
use crate::shared::{Shared, Submitted};

/// Why an encoder could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A space names a tower that was not given, or the other way round.
    #[error("space \"{space}\" is said to take {modality}, but its towers and its description do not agree on that")]
    Mismatch {
        /// The space.
        space: SpaceName,
        /// The modality.
        modality: Modality,
    },
    /// A tower's vectors have another length than its space.
    #[error("the {modality} tower of space \"{space}\" gives {found} numbers, not {expected}")]
    Dimensions {
        /// The space.
        space: SpaceName,
        /// The tower's modality.
        modality: Modality,
        /// Length of the space's vectors.
        expected: usize,
        /// Length of the tower's vectors.
        found: usize,
    },
    /// The system gives no more threads.
    #[error("the encoder's threads could not be started: {0}")]
    Threads(String),
}

/// Towers of this process behind their queue.
pub struct LocalEncoder {
    spaces: Vec<SpaceInfo>,
    /// By space, then as the space's description lists them: the tower and its number.
    towers: Vec<Vec<(usize, Arc<dyn Tower>)>>,
    shared: Arc<Shared>,
    actor: Mutex<Option<JoinHandle<()>>>,
}

impl LocalEncoder {
    /// Starts the actor. Each space comes with its towers, one per modality that it describes, in any order.
    pub fn new(spaces: Vec<(SpaceInfo, Vec<Arc<dyn Tower>>)>, options: Options) -> Result<Self, SetupError> {
        let mut all: Vec<Arc<dyn Tower>> = Vec::new();
        let mut metrics = Vec::new();
        let mut infos = Vec::new();
        let mut by_space = Vec::new();
        for (info, towers) in spaces {
            let first = all.len();
            let towers = in_order(&info, towers)?;
            metrics.extend(towers.iter().map(|tower| TowerMetrics::new(info.name.clone(), tower.modality())));
            by_space.push((first..).zip(towers.iter().cloned()).collect());
            all.extend(towers);
            infos.push(info);
        }
        let threads = rayon::ThreadPoolBuilder::new()
            .num_threads(options.threads)
            .thread_name(|index| format!("encoder-{index}"))
            .build()
            .map_err(|error| SetupError::Threads(error.to_string()))?;
        let shared = Arc::new(Shared::new(options, metrics));
        let actor = Actor { towers: all, threads, shared: Arc::clone(&shared) };
        let actor = std::thread::Builder::new()
            .name("encoder".to_owned())
            .spawn(move || actor.run())
            .map_err(|error| SetupError::Threads(error.to_string()))?;
        Ok(Self { spaces: infos, towers: by_space, shared, actor: Mutex::new(Some(actor)) })
    }

    /// What has been done so far.
    pub fn metrics(&self) -> Metrics {
        self.shared.metrics()
    }

    /// Refuses what comes, drops what ingest has queued, finishes what searches have queued, and comes back when the actor has ended.
    pub async fn stop(&self) {
        self.shared.stop();
        let actor = self.actor.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(actor) = actor {
            // It ends with a panic only by a fault of this crate, which its guard has already turned into answers.
            let _ = tokio::task::spawn_blocking(move || actor.join()).await;
        }
    }
}

impl Drop for LocalEncoder {
    fn drop(&mut self) {
        self.shared.stop();
    }
}

/// The towers in the order in which the space's description lists them.
fn in_order(info: &SpaceInfo, mut towers: Vec<Arc<dyn Tower>>) -> Result<Vec<Arc<dyn Tower>>, SetupError> {
    let mismatch = |modality| SetupError::Mismatch { space: info.name.clone(), modality };
    let mut ordered = Vec::with_capacity(towers.len());
    for wanted in &info.towers {
        let position = towers.iter().position(|tower| tower.modality() == wanted.modality);
        let tower = towers.swap_remove(position.ok_or_else(|| mismatch(wanted.modality))?);
        if tower.dimensions() != info.dimensions {
            return Err(SetupError::Dimensions {
                space: info.name.clone(),
                modality: wanted.modality,
                expected: info.dimensions,
                found: tower.dimensions(),
            });
        }
        ordered.push(tower);
    }
    match towers.first() {
        Some(left) => Err(mismatch(left.modality())),
        None => Ok(ordered),
    }
}

#[async_trait]
impl Encoder for LocalEncoder {
    fn spaces(&self) -> &[SpaceInfo] {
        &self.spaces
    }

    async fn encode(&self, space: &SpaceName, input: EncodeInput, priority: Priority) -> Result<Vec<f32>, EncodeError> {
        let modality = input.modality();
        let unsupported = || EncodeError::Unsupported { space: space.clone(), modality };
        let position = self.spaces.iter().position(|info| info.name == *space).ok_or_else(unsupported)?;
        let (number, tower) =
            self.towers[position].iter().find(|(_, tower)| tower.modality() == modality).ok_or_else(unsupported)?;
        let cost = tower.cost(&input);
        match self.shared.submit(*number, input, cost, priority)? {
            Submitted::Known(vector) => Ok(vector),
            Submitted::Queued(waiting) => waiting.await.unwrap_or(Err(EncodeError::Stopped)),
        }
    }
}
