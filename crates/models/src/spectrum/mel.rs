//! Triangular filters on the mel scale.

/// How hertz become mels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MelScale {
    /// `2595 log10(1 + f / 700)`.
    Htk,
    /// Linear below 1000 Hz and logarithmic above (Slaney's Auditory Toolbox); filters are divided by their width in hertz.
    Slaney,
}

impl MelScale {
    fn mels(self, hz: f64) -> f64 {
        match self {
            Self::Htk => 2595.0 * (1.0 + hz / 700.0).log10(),
            Self::Slaney if hz < 1000.0 => 3.0 * hz / 200.0,
            Self::Slaney => 15.0 + (hz / 1000.0).ln() * (27.0 / 6.4_f64.ln()),
        }
    }

    fn hz(self, mel: f64) -> f64 {
        match self {
            Self::Htk => 700.0 * (10.0_f64.powf(mel / 2595.0) - 1.0),
            Self::Slaney if mel < 15.0 => 200.0 * mel / 3.0,
            Self::Slaney => 1000.0 * ((mel - 15.0) * (6.4_f64.ln() / 27.0)).exp(),
        }
    }
}

/// A bank of filters over the bins of a spectrum.
#[derive(Debug, Clone)]
pub struct MelBands {
    bands: Vec<Band>,
}

/// A filter: its first bin that counts, and the weights from there on.
#[derive(Debug, Clone)]
struct Band {
    first: usize,
    weights: Vec<f32>,
}

impl MelBands {
    /// `count` filters from `low_hz` to `high_hz` over `bins` bins that lie evenly from 0 Hz to half of the sample rate.
    pub fn new(scale: MelScale, count: usize, bins: usize, sample_rate_hz: u32, low_hz: f64, high_hz: f64) -> Self {
        let (low, high) = (scale.mels(low_hz), scale.mels(high_hz));
        let edge = |index: usize| scale.hz(low + (high - low) * index as f64 / (count + 1) as f64);
        let nyquist_hz = f64::from(sample_rate_hz / 2);
        let hz = |bin: usize| nyquist_hz * bin as f64 / (bins - 1) as f64;
        let band = |index: usize| {
            let (left, centre, right) = (edge(index), edge(index + 1), edge(index + 2));
            let area = if scale == MelScale::Slaney { 2.0 / (right - left) } else { 1.0 };
            let weight =
                |bin| (((hz(bin) - left) / (centre - left)).min((right - hz(bin)) / (right - centre))).max(0.0);
            let first = (0..bins).find(|bin| weight(*bin) > 0.0).unwrap_or(0);
            let weights = (first..bins).map(weight).take_while(|weight| *weight > 0.0);
            Band { first, weights: weights.map(|weight| (weight * area) as f32).collect() }
        };
        Self { bands: (0..count).map(band).collect() }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.bands.len()
    }

    /// The energy in every band of a power spectrum.
    pub fn energies<'a>(&'a self, power: &'a [f32]) -> impl Iterator<Item = f32> + 'a {
        self.bands.iter().map(|band| {
            let weighted = band.weights.iter().zip(&power[band.first..]).map(|(weight, power)| weight * power);
            weighted.sum()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_turn_back() {
        for scale in [MelScale::Htk, MelScale::Slaney] {
            for hz in [0.0, 440.0, 999.0, 1000.0, 1001.0, 8000.0] {
                assert!((scale.hz(scale.mels(hz)) - hz).abs() < 1e-6, "{scale:?} {hz}");
            }
        }
        // Known: 1000 Hz is 15 mels on Slaney's scale and about 1000 on the other.
        assert!((MelScale::Slaney.mels(1000.0) - 15.0).abs() < 1e-9);
        assert!((MelScale::Htk.mels(1000.0) - 999.985_537).abs() < 1e-3);
    }

    #[test]
    fn htk_filters_between_first_and_last_centre_add_up_to_one() {
        let bands = MelBands::new(MelScale::Htk, 20, 513, 16_000, 0.0, 8_000.0);
        for bin in 40..440 {
            let mut power = vec![0.0; 513];
            power[bin] = 1.0;
            let sum: f32 = bands.energies(&power).sum();
            assert!((sum - 1.0).abs() < 1e-4, "bin {bin}: {sum}");
        }
    }
}
