//! A tower whose weights go when other models need their room, and are read again with the next batch.

use std::sync::Arc;

use sensorium_domain::Modality;
use sensorium_domain::encoder::{Cost, CountTokens, EncodeInput, HeldTower, SoundFormat, Tower, TowerOutput};
use sensorium_models::ModelError;
use tokio::runtime::Handle;

use super::costs::Costs;
use super::memory::{InUse, Memory};

/// Reads the tower. Blocks.
type Load = dyn Fn() -> Result<Box<dyn Tower>, ModelError> + Send + Sync;

/// Why a tower is not in memory.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Its files.
    #[error("{0}")]
    Model(ModelError),
    /// A fault of the program.
    #[error("reading it panicked; the log has the reason")]
    Panicked,
    /// The server is shutting down.
    #[error("the server is shutting down")]
    Stopped,
}

/// A tower without its weights: what is asked of it beside vectors it answers always, from what it was when it was first read. Tokens are counted
/// exactly, since a tokenizer is small and stays; costs are estimated by size ([`Costs`]).
pub struct OnDemandTower {
    weights: Weights,
    modality: Modality,
    dimensions: usize,
    sound_format: Option<SoundFormat>,
    token_counter: Option<Arc<CountTokens>>,
    costs: Costs,
}

/// How the weights are had.
struct Weights {
    name: String,
    bytes: u64,
    memory: Arc<Memory>,
    runtime: Handle,
    load: Arc<Load>,
}

impl OnDemandTower {
    /// Reads the tower once, which proves that it can be read and tells what it is; from then on its weights may go. Messages name it by `name`, which no
    /// other model in `memory` has; its weights take so many `bytes` there.
    ///
    /// Like [`Tower::hold`] it blocks, and panics on a thread that runs tasks of a tokio runtime.
    pub fn read(
        (name, bytes): (String, u64),
        memory: Arc<Memory>,
        runtime: Handle,
        load: impl Fn() -> Result<Box<dyn Tower>, ModelError> + Send + Sync + 'static,
    ) -> Result<Self, ReadError> {
        let weights = Weights { name, bytes, memory, runtime, load: Arc::new(load) };
        let tower = weights.get()?;
        Ok(Self {
            modality: tower.modality(),
            dimensions: tower.dimensions(),
            sound_format: tower.sound_format(),
            token_counter: tower.token_counter(),
            costs: Costs::of(&**tower),
            weights,
        })
    }

    /// Whether its weights are in memory.
    pub fn is_loaded(&self) -> bool {
        self.weights.memory.has(&self.weights.name)
    }

    /// The tower with its weights, which stay as long as this is held.
    fn with_weights(&self) -> Result<InUse<Box<dyn Tower>>, String> {
        self.weights.get().map_err(|error| format!("{} could not be read: {error}", self.weights.name))
    }
}

impl Weights {
    /// They are read on a thread of the runtime, not on the one that asks: that one may be of ingest, which yields to searches, and searches may
    /// want the same weights.
    fn get(&self) -> Result<InUse<Box<dyn Tower>>, ReadError> {
        let read = async || {
            let load = self.load.clone();
            match self.runtime.spawn_blocking(move || load()).await {
                Ok(read) => read.map_err(ReadError::Model),
                Err(ended) if ended.is_panic() => Err(ReadError::Panicked),
                Err(_) => Err(ReadError::Stopped),
            }
        };
        self.runtime.block_on(self.memory.get(&self.name, self.bytes, read))
    }
}

impl Tower for OnDemandTower {
    fn modality(&self) -> Modality {
        self.modality
    }

    fn dimensions(&self) -> usize {
        self.dimensions
    }

    fn cost(&self, input: &EncodeInput) -> Cost {
        self.costs.estimate(input)
    }

    fn token_counter(&self) -> Option<Arc<CountTokens>> {
        self.token_counter.clone()
    }

    fn sound_format(&self) -> Option<SoundFormat> {
        self.sound_format
    }

    fn hold(&self) -> Result<Option<HeldTower>, String> {
        Ok(Some(Box::new(self.with_weights()?)))
    }

    fn forward(&self, inputs: &[EncodeInput]) -> TowerOutput {
        self.with_weights()?.forward(inputs)
    }
}

#[cfg(test)]
mod tests;
