//! Log-mel features, equal to `WhisperFeatureExtractor`.

use super::config::FeatureConfig;
use crate::spectrum::{MelBands, MelScale, PowerSpectrum};

/// Bands end here, whatever the sample rate.
const HIGHEST_HZ: f64 = 8000.0;
/// Below the loudest, in powers of ten, where features are cut.
const RANGE: f32 = 8.0;

/// Turns sound into features.
pub(super) struct LogMel {
    spectrum: PowerSpectrum,
    bands: MelBands,
    window_samples: usize,
    hop: usize,
}

/// Features of a whole sound, frame by frame: frames x bands.
#[derive(Debug, Clone)]
pub(super) struct Features {
    values: Vec<f32>,
    bands: usize,
    /// Frames that sound covers; where it is shorter than a window there are more, of silence.
    pub content: usize,
}

impl LogMel {
    pub fn new(config: &FeatureConfig) -> Self {
        let spectrum = PowerSpectrum::new(config.n_fft, config.hop_length);
        let bands = MelBands::new(
            MelScale::Slaney,
            config.feature_size,
            spectrum.bins(),
            config.sampling_rate,
            0.0,
            HIGHEST_HZ,
        );
        Self { spectrum, bands, window_samples: config.window_samples(), hop: config.hop_length }
    }

    /// A sound shorter than a window is filled up with silence; a longer one is taken as a whole, so that its loudest moment sets
    /// the floor everywhere. Sound of less than a frame at the end of a longer one gives no frame.
    pub fn features(&self, samples: &[f32]) -> Features {
        let (padded, content);
        let samples = if samples.len() <= self.window_samples {
            content = samples.len().div_ceil(self.hop);
            padded = [samples, &vec![0.0; self.window_samples - samples.len()]].concat();
            &padded
        } else {
            content = samples.len() / self.hop;
            samples
        };
        // The transform is centred, which gives one frame more than is used.
        let frames = samples.len() / self.hop;
        let mut values = Vec::with_capacity((frames + 1) * self.bands.count());
        self.spectrum.for_each(samples, |power| {
            values.extend(self.bands.energies(power).map(|energy| energy.max(1e-10).log10()));
        });
        values.truncate(frames * self.bands.count());
        let floor = values.iter().copied().fold(f32::NEG_INFINITY, f32::max) - RANGE;
        for value in &mut values {
            *value = (value.max(floor) + 4.0) / 4.0;
        }
        Features { values, bands: self.bands.count(), content }
    }
}

impl Features {
    /// Appends `count` frames from `first` on; zeros stand for those beyond the end.
    pub fn window(&self, first: usize, count: usize, into: &mut Vec<f32>) {
        let start = (first * self.bands).min(self.values.len());
        let end = ((first + count) * self.bands).min(self.values.len());
        into.extend_from_slice(&self.values[start..end]);
        into.resize(into.len() + count * self.bands - (end - start), 0.0);
    }
}
