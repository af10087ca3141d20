//! The short-time Fourier transform.

use std::sync::Arc;

use realfft::{RealFftPlanner, RealToComplex};

/// Power spectra of frames under a periodic Hann window, centred on multiples of the hop; the signal is mirrored at both ends.
///
/// Computed in f64, as numpy does it: in f32 the rounding of a loud tone would be louder than the quiet bands beside it.
pub struct PowerSpectrum {
    fft: Arc<dyn RealToComplex<f64>>,
    hann: Vec<f64>,
    hop: usize,
}

impl PowerSpectrum {
    /// Frames of `size` samples, `hop` samples apart.
    pub fn new(size: usize, hop: usize) -> Self {
        let angle = |n: usize| std::f64::consts::TAU * n as f64 / size as f64;
        let hann = (0..size).map(|n| 0.5 - 0.5 * angle(n).cos()).collect();
        Self { fft: RealFftPlanner::new().plan_fft_forward(size), hann, hop }
    }

    /// Bins of a spectrum.
    pub fn bins(&self) -> usize {
        self.hann.len() / 2 + 1
    }

    /// How many frames so many samples give.
    pub fn frames(&self, samples: usize) -> usize {
        samples / self.hop + 1
    }

    /// Calls `each` with the power spectrum of every frame, in order. There must be more samples than half a frame, or there is nothing
    /// to mirror; with fewer, silence stands for what is missing.
    pub fn for_each(&self, samples: &[f32], mut each: impl FnMut(&[f32])) {
        let half = self.hann.len() / 2;
        let mut frame = self.fft.make_input_vec();
        let mut spectrum = self.fft.make_output_vec();
        let mut scratch = self.fft.make_scratch_vec();
        let mut power = vec![0.0; spectrum.len()];
        for index in 0..self.frames(samples.len()) {
            let start = (index * self.hop) as isize - half as isize;
            for ((offset, value), weight) in frame.iter_mut().enumerate().zip(&self.hann) {
                *value = f64::from(mirrored(samples, start + offset as isize)) * weight;
            }
            // It fails only for buffers of a wrong length, and these are its own.
            let transformed = self.fft.process_with_scratch(&mut frame, &mut spectrum, &mut scratch);
            debug_assert!(transformed.is_ok());
            for (power, bin) in power.iter_mut().zip(&spectrum) {
                *power = bin.norm_sqr() as f32;
            }
            each(&power);
        }
    }
}

/// The sample at `place`, the signal mirrored at its first and last sample without repeating them.
fn mirrored(samples: &[f32], place: isize) -> f32 {
    let last = samples.len() as isize - 1;
    let place = if place < 0 { -place } else { place };
    let place = if place > last { 2 * last - place } else { place };
    usize::try_from(place).ok().and_then(|place| samples.get(place)).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_stands_in_its_bin() {
        let spectrum = PowerSpectrum::new(400, 160);
        let tone: Vec<f32> = (0..1600).map(|n| (std::f32::consts::TAU * 1000.0 * n as f32 / 16_000.0).sin()).collect();
        let mut loudest = Vec::new();
        spectrum.for_each(&tone, |power| {
            let place = power.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).unwrap().0;
            loudest.push(place);
        });
        // At both ends the mirror image, which runs backwards, is in the frame too.
        assert_eq!(loudest[1..10], [25; 9]);
    }

    #[test]
    fn both_ends_are_mirrored() {
        let samples = [1.0, 2.0, 3.0];
        let read: Vec<f32> = (-3..7).map(|place| mirrored(&samples, place)).collect();
        assert_eq!(read, [2.0, 3.0, 2.0, 1.0, 2.0, 3.0, 2.0, 1.0, 0.0, 0.0]);
    }
}
