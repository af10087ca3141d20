//! Changing the sample rate.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler, WindowFunction};

use super::sound::Sound;
use crate::error::MediaError;

/// Samples of the original that one step of the resampler takes; long enough for a steep low-pass filter.
const STEP_SAMPLES: usize = 4096;

/// The recording at another sample rate, band-limited, without delay: exactly `samples * rate / old rate` samples,
/// rounded up.
///
/// # Errors
/// [`MediaError::Unsupported`] when a rate is zero or the two cannot be brought together.
pub fn resample(sound: &Sound, sample_rate_hz: u32) -> Result<Sound, MediaError> {
    if sound.sample_rate_hz == sample_rate_hz {
        return Ok(sound.clone());
    }
    let unsupported = |reason: String| {
        let rates = format!(
            "a sample rate of {} Hz brought to {sample_rate_hz} Hz",
            sound.sample_rate_hz
        );
        MediaError::unsupported(rates, reason)
    };
    let (from, to) = (sound.sample_rate_hz as usize, sample_rate_hz as usize);
    if from == 0 || to == 0 {
        return Err(unsupported("a rate must be above zero".to_owned()));
    }
    let expected = (sound.samples.len() as u128 * to as u128).div_ceil(from as u128) as usize;
    let mut samples = Vec::new();
    if !sound.samples.is_empty() {
        let input = InterleavedSlice::new(&sound.samples, 1, sound.samples.len())
            .map_err(|error| unsupported(error.to_string()))?;
        let mut resampler = Fft::<f32>::new_custom(
            from,
            to,
            STEP_SAMPLES,
            1,
            1,
            WindowFunction::BlackmanHarris2,
            FixedSync::Both,
        )
        .map_err(|error| unsupported(error.to_string()))?;
        let output = resampler
            .process_all(&input, sound.samples.len(), None)
            .map_err(|error| unsupported(error.to_string()))?;
        samples = output.take_data();
    }
    samples.resize(expected, 0.0);
    Ok(Sound {
        sample_rate_hz,
        samples,
        channels_in_file: sound.channels_in_file,
    })
}
