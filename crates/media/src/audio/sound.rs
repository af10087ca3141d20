//! Samples in memory.

use super::windows::TimeSpan;

/// A decoded recording, mixed to one channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Sound {
    /// Samples per second, at least 1.
    pub sample_rate_hz: u32,
    /// One channel, nominally from -1 to 1, every value finite.
    pub samples: Vec<f32>,
    /// How many channels the file had before they were mixed.
    pub channels_in_file: u16,
}

impl Sound {
    /// Length in milliseconds, rounded up, so that [`Sound::slice`] over the whole of it loses nothing.
    pub fn duration_ms(&self) -> u64 {
        (self.samples.len() as u64).saturating_mul(1000).div_ceil(u64::from(self.sample_rate_hz.max(1)))
    }

    /// The stretch of the recording inside `span`; shorter, or without samples, where the recording ends before.
    #[must_use]
    pub fn slice(&self, span: TimeSpan) -> Self {
        let sample_at = |ms: u64| {
            let sample = u128::from(ms) * u128::from(self.sample_rate_hz) / 1000;
            usize::try_from(sample).unwrap_or(usize::MAX).min(self.samples.len())
        };
        let start = sample_at(span.start_ms);
        let end = sample_at(span.end_ms).max(start);
        Self {
            sample_rate_hz: self.sample_rate_hz,
            samples: self.samples[start..end].to_vec(),
            channels_in_file: self.channels_in_file,
        }
    }
}

/// The lowest and highest sample of each of `buckets` equal stretches, for drawing a waveform. Where there are fewer
/// samples than buckets, neighbouring buckets show the same sample; without samples all are zero.
pub fn peaks(sound: &Sound, buckets: usize) -> Vec<(f32, f32)> {
    let count = sound.samples.len();
    if count == 0 {
        return vec![(0.0, 0.0); buckets];
    }
    let position = |bucket: usize| (bucket as u128 * count as u128 / buckets as u128) as usize;
    (0..buckets)
        .map(|bucket| {
            let start = position(bucket).min(count - 1);
            let end = position(bucket + 1).clamp(start + 1, count);
            let stretch = &sound.samples[start..end];
            stretch
                .iter()
                .fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), &sample| (low.min(sample), high.max(sample)))
        })
        .collect()
}
