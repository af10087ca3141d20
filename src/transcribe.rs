//! Speech is written down: one model, loaded when it is first asked, one sound at a time.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use sensorium_domain::ModelName;
use sensorium_models::registry::{DType, Device};
use sensorium_models::whisper::{Whisper, WhisperError};
use sensorium_models::{ModelError, Source};
use tokio::sync::{OnceCell, Semaphore, TryAcquireError};

pub use sensorium_models::whisper::{Segment, Task, TranscribeOptions, Transcript, Word, language_name};

use crate::error::{ApiError, Code};

/// The rate at which sounds are given, in hertz: that of every Whisper checkpoint.
pub const SAMPLE_RATE_HZ: u32 = 16_000;

/// A profile's speech recogniser.
pub struct Transcriber {
    /// `name@revision`.
    pub model: ModelName,
    source: Source,
    dtype: DType,
    loaded: OnceCell<Arc<Whisper>>,
    /// Whose sound is being worked on.
    turn: Arc<Semaphore>,
    /// How many may wait or be worked on.
    places: Arc<Semaphore>,
    queue: usize,
    /// What a sound took lately, in milliseconds.
    recent_ms: AtomicU64,
}

/// Tells the model to stop when nobody waits for its text any more.
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Transcriber {
    /// For the model in `source`, which is not read yet. `queue` sounds may wait.
    pub fn new(model: ModelName, source: Source, dtype: DType, queue: usize) -> Self {
        Self {
            model,
            source,
            dtype,
            loaded: OnceCell::new(),
            turn: Arc::new(Semaphore::new(1)),
            places: Arc::new(Semaphore::new(queue + 1)),
            queue,
            recent_ms: AtomicU64::new(0),
        }
    }

    /// Writes down what is said in `samples` (mono, at [`SAMPLE_RATE_HZ`]). Refuses with 429 when too many wait; stops when the caller
    /// leaves.
    pub async fn transcribe(&self, samples: Vec<f32>, options: TranscribeOptions) -> Result<Transcript, ApiError> {
        let place = self.places.clone().try_acquire_owned().map_err(|error| match error {
            TryAcquireError::NoPermits => {
                let detail = format!("{} sounds wait already (transcriber.queue)", self.queue);
                let wait_ms = self.recent_ms.load(Ordering::Relaxed).max(1_000);
                ApiError::new(Code::Overloaded, detail).retry_after(wait_ms)
            }
            TryAcquireError::Closed => ApiError::internal(error),
        })?;
        let turn = self.turn.clone().acquire_owned().await.map_err(ApiError::internal)?;
        let whisper = self.whisper().await?;
        let stopped = Arc::new(AtomicBool::new(false));
        let guard = StopOnDrop(stopped.clone());
        let started = Instant::now();
        let running = tokio::task::spawn_blocking(move || {
            let _held = (place, turn);
            let mut watch = |_| {
                if stopped.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            whisper.transcribe(&samples, &options, &mut watch)
        });
        let transcript = running.await.map_err(ApiError::internal)?.map_err(refused);
        drop(guard);
        self.recent_ms.store(started.elapsed().as_millis() as u64, Ordering::Relaxed);
        transcript
    }

    async fn whisper(&self) -> Result<Arc<Whisper>, ApiError> {
        let load = async || {
            let (source, dtype) = (self.source.clone(), self.dtype);
            let loading = tokio::task::spawn_blocking(move || Whisper::load(&source, dtype, &Device::Cpu));
            let loaded: Result<Whisper, ModelError> = loading.await.map_err(ApiError::internal)?;
            let whisper = loaded.map_err(ApiError::internal)?;
            if whisper.sample_rate_hz() != SAMPLE_RATE_HZ {
                return Err(ApiError::internal(format!("{} wants {} Hz", self.model, whisper.sample_rate_hz())));
            }
            Ok(Arc::new(whisper))
        };
        self.loaded.get_or_try_init(load).await.cloned()
    }
}

fn refused(error: WhisperError) -> ApiError {
    let field = match &error {
        WhisperError::Model(_) | WhisperError::Cancelled => return ApiError::internal(error),
        WhisperError::UnknownLanguage { .. } | WhisperError::EnglishOnly { .. } => "/language",
        WhisperError::NoAlignmentHeads => "/timestamp_granularities[]",
        WhisperError::Option { option: "temperatures", .. } => "/temperature",
        WhisperError::Option { .. } => "",
        WhisperError::Prompt { .. } => "/prompt",
        WhisperError::Samples { .. } => "/file",
    };
    ApiError::invalid(field, error.to_string())
}
