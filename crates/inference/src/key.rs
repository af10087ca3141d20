//! Equal inputs have equal keys.

use sensorium_domain::encoder::EncodeInput;
use sha2::{Digest, Sha256};

/// Larger inputs have no key: hashing them would hold up the caller's thread for longer than half a millisecond.
const MOST_BYTES: usize = 256 << 10;

/// A hash of a tower's model and an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key(pub [u8; 32]);

impl Key {
    /// The key of `input` for the tower number `tower`, where it is small enough to have one.
    pub fn of(tower: usize, input: &EncodeInput) -> Option<Self> {
        let mut hasher = Sha256::new();
        hasher.update((tower as u64).to_le_bytes());
        match input {
            EncodeInput::Text(text) if text.len() <= MOST_BYTES => {
                hasher.update(b"t");
                hasher.update(text.as_bytes());
            }
            EncodeInput::Query(text) if text.len() <= MOST_BYTES => {
                hasher.update(b"q");
                hasher.update(text.as_bytes());
            }
            EncodeInput::Image { width_px, height_px, rgb } if rgb.len() <= MOST_BYTES => {
                hasher.update(width_px.to_le_bytes());
                hasher.update(height_px.to_le_bytes());
                hasher.update(rgb);
            }
            EncodeInput::Audio { sample_rate_hz, samples } if size_of_val(&**samples) <= MOST_BYTES => {
                hasher.update(sample_rate_hz.to_le_bytes());
                for sample in samples.iter() {
                    hasher.update(sample.to_le_bytes());
                }
            }
            _ => return None,
        }
        Some(Self(hasher.finalize().into()))
    }
}
