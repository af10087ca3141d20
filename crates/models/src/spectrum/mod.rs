//! Sound as pictures of its frequencies: short-time spectra and mel bands, equal to `transformers.audio_utils`.

mod mel;
mod stft;

pub use mel::{MelBands, MelScale};
pub use stft::PowerSpectrum;
