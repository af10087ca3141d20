//! A window of sound as a picture: loudness over mel bands and time, in decibels below the loudest place.

use std::sync::Arc;

use realfft::{RealFftPlanner, RealToComplex};

/// Samples a second that the tower takes.
pub const SAMPLE_RATE_HZ: u32 = 16_000;
/// Samples of a window: 4.096 s.
pub const WINDOW_SAMPLES: usize = 65_536;
/// Width and height of the picture.
pub const PICTURE_SIDE: usize = 128;

const FFT: usize = 1024;
const HOP: usize = 256;
/// Zeros on either side, so that there are as many frames as hops.
const PADDING: usize = 384;
const FRAMES: usize = WINDOW_SAMPLES / HOP;
const BANDS: usize = 64;
const LOW_HZ: f64 = 40.0;
const HIGH_HZ: f64 = 8_000.0;
const RANGE_DB: f32 = 80.0;

/// The transform, planned once.
pub struct LogMel {
    fft: Arc<dyn RealToComplex<f32>>,
    hann: Vec<f32>,
    bands: Vec<Band>,
}

/// A triangular filter: its first frequency bin, and its weights from there on.
struct Band {
    first: usize,
    weights: Vec<f32>,
}

impl LogMel {
    pub fn new() -> Self {
        let hann =
            (0..FFT).map(|n| (0.5 - 0.5 * (std::f64::consts::TAU * n as f64 / FFT as f64).cos()) as f32).collect();
        Self { fft: RealFftPlanner::new().plan_fft_forward(FFT), hann, bands: bands() }
    }

    /// The picture of a window: 128 by 128, its upper half the first half of the window, its lower half the second, the lowest
    /// band first in each. What is missing of the window at its end is silence.
    pub fn picture(&self, samples: &[f32]) -> Vec<f32> {
        let mut decibels = self.decibels(samples);
        let loudest = decibels.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        for value in &mut decibels {
            *value = ((*value - loudest).max(-RANGE_DB) + 40.0) / 20.0;
        }
        let mut picture = Vec::with_capacity(PICTURE_SIDE * PICTURE_SIDE);
        for half in decibels.chunks_exact(PICTURE_SIDE * BANDS) {
            for band in 0..BANDS {
                picture.extend(half.chunks_exact(BANDS).map(|frame| frame[band]));
            }
        }
        picture
    }

    /// Frames x bands.
    fn decibels(&self, samples: &[f32]) -> Vec<f32> {
        let mut padded = vec![0.0; PADDING + WINDOW_SAMPLES + PADDING];
        padded[PADDING..PADDING + samples.len()].copy_from_slice(samples);
        let mut frame = self.fft.make_input_vec();
        let mut spectrum = self.fft.make_output_vec();
        let mut scratch = self.fft.make_scratch_vec();
        let mut power = vec![0.0; spectrum.len()];
        let mut out = Vec::with_capacity(FRAMES * BANDS);
        for start in (0..FRAMES).map(|index| index * HOP) {
            for ((value, sample), weight) in frame.iter_mut().zip(&padded[start..start + FFT]).zip(&self.hann) {
                *value = sample * weight;
            }
            // It fails only for buffers of a wrong length, and these are its own.
            let transformed = self.fft.process_with_scratch(&mut frame, &mut spectrum, &mut scratch);
            debug_assert!(transformed.is_ok());
            for (power, bin) in power.iter_mut().zip(&spectrum) {
                *power = bin.re * bin.re + bin.im * bin.im;
            }
            out.extend(self.bands.iter().map(|band| band.decibels(&power)));
        }
        out
    }
}

impl Band {
    fn decibels(&self, power: &[f32]) -> f32 {
        let sum: f32 = power[self.first..].iter().zip(&self.weights).map(|(power, weight)| power * weight).sum();
        10.0 * (sum + 1e-10).log10()
    }
}

/// Triangles of height 1, their edges equally far apart on the mel scale of HTK.
fn bands() -> Vec<Band> {
    let mel = |hz: f64| 2595.0 * (1.0 + hz / 700.0).log10();
    let (low, high) = (mel(LOW_HZ), mel(HIGH_HZ));
    let edge = |index: usize| {
        let at = low + (high - low) * index as f64 / (BANDS + 1) as f64;
        700.0 * (10_f64.powf(at / 2595.0) - 1.0)
    };
    let hz_per_bin = f64::from(SAMPLE_RATE_HZ) / FFT as f64;
    (0..BANDS)
        .map(|band| {
            let [left, centre, right] = [edge(band), edge(band + 1), edge(band + 2)];
            let weight = |bin: usize| {
                let hz = bin as f64 * hz_per_bin;
                ((hz - left) / (centre - left)).min((right - hz) / (right - centre)).max(0.0)
            };
            let first = (left / hz_per_bin).floor() as usize;
            let end = ((right / hz_per_bin).ceil() as usize).min(FFT / 2) + 1;
            Band { first, weights: (first..end).map(|bin| weight(bin) as f32).collect() }
        })
        .collect()
}
