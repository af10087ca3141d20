//! Changing the sample rate.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler, WindowFunction};

use super::sound::Sound;
use crate::error::MediaError;

/// Samples that one step of the resampler takes at least; long enough for a steep low-pass filter.
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
        let rates = format!("a sample rate of {} Hz brought to {sample_rate_hz} Hz", sound.sample_rate_hz);
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
            step_samples(from, to),
            1,
            1,
            WindowFunction::BlackmanHarris2,
            FixedSync::Both,
        )
        .map_err(|error| unsupported(error.to_string()))?;
        let output =
            resampler.process_all(&input, sound.samples.len(), None).map_err(|error| unsupported(error.to_string()))?;
        samples = output.take_data();
    }
    samples.resize(expected, 0.0);
    Ok(Sound { sample_rate_hz, samples, channels_in_file: sound.channels_in_file })
}

/// The samples of the original in one step: whole periods of the two rates, an even number of them, so that the delay of
/// the resampler, half a step, is a whole number of samples on both sides.
fn step_samples(from: usize, to: usize) -> usize {
    let period = from / greatest_common_divisor(from, to);
    period * STEP_SAMPLES.div_ceil(period).next_multiple_of(2)
}

fn greatest_common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}
