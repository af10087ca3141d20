//! The port over towers in this process.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use async_trait::async_trait;
use sensorium_domain::encoder::{EncodeError, EncodeInput, Encoder, Priority, SpaceInfo, Tower};
use sensorium_domain::names::SpaceName;
use sensorium_domain::segment::Modality;

use crate::actor::Actor;
use crate::metrics::{Metrics, TowerMetrics};
use crate::options::{Lanes, Options};
use crate::priority::yielding_to_searches;
use crate::shared::{Serves, Shared, Submitted};

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
    actors: Mutex<Vec<JoinHandle<()>>>,
}

impl LocalEncoder {
    /// Starts an actor, or one for each lane. Each space comes with its towers, one per modality that it describes, in any order.
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
        let (lanes, threads) = (options.lanes, options.threads);
        let shared = Arc::new(Shared::new(options, metrics));
        let serves: &[Serves] = match lanes {
            Lanes::Shared => &[Serves::Both],
            Lanes::Apart => &[Serves::Only(Priority::Interactive), Serves::Only(Priority::Bulk)],
        };
        // If the second fails, the drop of this ends the first.
        let encoder = Self { spaces: infos, towers: by_space, shared, actors: Mutex::default() };
        for serves in serves {
            let actor = start(&all, &encoder.shared, *serves, threads)?;
            encoder.actors().push(actor);
        }
        Ok(encoder)
    }

    /// What has been done so far.
    pub fn metrics(&self) -> Metrics {
        self.shared.metrics()
    }

    /// Refuses what comes, drops what ingest has queued, finishes what searches have queued, and comes back when all actors have ended.
    pub async fn stop(&self) {
        self.shared.stop();
        let actors = std::mem::take(&mut *self.actors());
        for actor in actors {
            // It ends with a panic only by a fault of this crate, which its guard has already turned into answers.
            let _ = tokio::task::spawn_blocking(move || actor.join()).await;
        }
    }

    fn actors(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.actors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts an actor with threads of its own. What serves ingest alone yields to searches.
fn start(
    towers: &[Arc<dyn Tower>],
    shared: &Arc<Shared>,
    serves: Serves,
    threads: usize,
) -> Result<JoinHandle<()>, SetupError> {
    let yields = serves == Serves::Only(Priority::Bulk);
    let name = if yields { "encoder-bulk" } else { "encoder" };
    let yielding = yields.then(yielding_to_searches);
    let begin = move || {
        if let Some(yield_to_searches) = &yielding {
            yield_to_searches();
        }
    };
    let begin_worker = begin.clone();
    let threads = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(move |index| format!("{name}-{index}"))
        .start_handler(move |_| begin_worker())
        .build()
        .map_err(|error| SetupError::Threads(error.to_string()))?;
    let actor = Actor::new(towers.to_vec(), threads, Arc::clone(shared), serves);
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            begin();
            actor.run();
        })
        .map_err(|error| SetupError::Threads(error.to_string()))
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
