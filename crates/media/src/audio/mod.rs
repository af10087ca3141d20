//! Recordings: decoding, resampling, windows and waveform peaks.

mod decode;
mod mix;
mod resample;
mod sound;
mod wav;
mod windows;

pub use decode::decode_audio;
pub use resample::resample;
pub use sound::{Sound, peaks};
pub use wav::to_wav;
pub use windows::{TimeSpan, windows};
