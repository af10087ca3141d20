//! The towers that the repository bundles, trained by this project into the space of all-MiniLM-L6-v2 (384 numbers). What they
//! are, to the last constant, is in `training/README.md`; what they know and what not, in `models/starter/README.md`.

mod calibration;
mod config;
#[cfg(test)]
pub(crate) mod goldens;
#[cfg(test)]
mod in_candle;
mod out_of_scope;
mod picture;
mod sound;

pub use calibration::Calibration;
pub use out_of_scope::OutOfScope;
pub use picture::PictureTower;
pub use sound::{SAMPLE_RATE_HZ, SoundTower, WINDOW_SAMPLES};
