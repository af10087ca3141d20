//! Models that are read when they are asked, into a memory that they share: one that works on one thing at a time, with a bound on what may wait;
//! and towers, which the encoder has work.

mod costs;
mod memory;
mod tower;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use sensorium_domain::ModelName;
use sensorium_models::ModelError;
use tokio::sync::{Semaphore, TryAcquireError};

use crate::error::{ApiError, Code};

use memory::InUse;
pub use memory::Memory;
pub use tower::{OnDemandTower, ReadError};

/// Reads the model. Blocks.
type Load<T> = dyn Fn() -> Result<T, ModelError> + Send + Sync;

/// A model behind its queue.
pub struct OnDemand<T> {
    /// `name@revision`.
    pub model: ModelName,
    load: Arc<Load<T>>,
    /// Bytes of its weights in memory.
    bytes: u64,
    memory: Arc<Memory>,
    /// Whose turn it is.
    turn: Arc<Semaphore>,
    /// How many may wait or be worked on.
    places: Arc<Semaphore>,
    /// The option that bounds the queue, for messages.
    option: &'static str,
    /// What a piece of work took lately, in milliseconds.
    recent_ms: AtomicU64,
}

impl<T: Send + Sync + 'static> OnDemand<T> {
    /// A model of so many `bytes`, which shares `memory` with others. `queue` callers may wait, as the `option` of the settings says.
    pub fn new(
        (model, bytes): (ModelName, u64),
        memory: Arc<Memory>,
        (queue, option): (usize, &'static str),
        load: impl Fn() -> Result<T, ModelError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            model,
            load: Arc::new(load),
            bytes,
            memory,
            turn: Arc::new(Semaphore::new(1)),
            places: Arc::new(Semaphore::new(queue + 1)),
            option,
            recent_ms: AtomicU64::new(0),
        }
    }

    /// Does `work` with the model on a thread that may block, when it is its turn. Refuses with 429 when too many wait.
    pub async fn run<R: Send + 'static>(&self, work: impl FnOnce(&T) -> R + Send + 'static) -> Result<R, ApiError> {
        let place = self.places.clone().try_acquire_owned().map_err(|error| match error {
            TryAcquireError::NoPermits => {
                let detail = format!("too many wait for {} already ({})", self.model, self.option);
                let wait_ms = self.recent_ms.load(Ordering::Relaxed).max(1_000);
                ApiError::new(Code::Overloaded, detail).retry_after(wait_ms)
            }
            TryAcquireError::Closed => ApiError::internal(error),
        })?;
        let turn = self.turn.clone().acquire_owned().await.map_err(ApiError::internal)?;
        let model = self.model().await?;
        let started = Instant::now();
        let running = tokio::task::spawn_blocking(move || {
            let _held = (place, turn);
            work(&model)
        });
        let done = running.await.map_err(ApiError::internal)?;
        self.recent_ms.store(started.elapsed().as_millis() as u64, Ordering::Relaxed);
        Ok(done)
    }

    /// Whether its weights are in memory.
    pub fn is_loaded(&self) -> bool {
        self.memory.has(&self.model.0)
    }

    async fn model(&self) -> Result<InUse<T>, ApiError> {
        let load = async || {
            let load = self.load.clone();
            let loading = tokio::task::spawn_blocking(move || load());
            loading.await.map_err(ApiError::internal)?.map_err(ApiError::internal)
        };
        self.memory.get(&self.model.0, self.bytes, load).await
    }
}
