//! Speech is written down by the profile's model.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sensorium_models::whisper::{Whisper, WhisperError};

pub use sensorium_models::whisper::{Segment, Task, TranscribeOptions, Transcript, Word, language_name};

use crate::error::ApiError;
use crate::on_demand::OnDemand;

/// The rate at which sounds are given, in hertz: that of every Whisper checkpoint.
pub const SAMPLE_RATE_HZ: u32 = 16_000;

/// A profile's speech recogniser.
pub type Transcriber = OnDemand<Whisper>;

/// Tells the model to stop when nobody waits for its text any more.
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Writes down what is said in `samples` (mono, at [`SAMPLE_RATE_HZ`]). Stops when the caller leaves.
pub async fn transcribe(
    transcriber: &Transcriber,
    samples: Vec<f32>,
    options: TranscribeOptions,
) -> Result<Transcript, ApiError> {
    let stopped = Arc::new(AtomicBool::new(false));
    let _guard = StopOnDrop(stopped.clone());
    let work = move |whisper: &Whisper| {
        let mut watch = |_| {
            if stopped.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        whisper.transcribe(&samples, &options, &mut watch)
    };
    transcriber.run(work).await?.map_err(refused)
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
