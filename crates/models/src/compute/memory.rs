//! Memory that is used again.

use std::sync::{Mutex, PoisonError};

/// What lies between the steps of blocks. Fresh memory would take longer to come by than some of these steps, so it is kept for the next time: as much as the largest
/// batch took, for each of those that were encoded at once.
#[derive(Debug, Default)]
pub struct Memory {
    /// Queries, keys and values.
    pub qkv: Vec<f32>,
    /// What attention gave.
    pub mixed: Vec<f32>,
    /// States after attention.
    pub between: Vec<f32>,
    /// What lies between two layers.
    pub wide: Vec<f32>,
}

static SPARE: Mutex<Vec<Memory>> = Mutex::new(Vec::new());

impl Memory {
    /// Lends some.
    pub fn lend<R>(work: impl FnOnce(&mut Self) -> R) -> R {
        let spare = || SPARE.lock().unwrap_or_else(PoisonError::into_inner);
        let mut memory = spare().pop().unwrap_or_default();
        let result = work(&mut memory);
        spare().push(memory);
        result
    }
}

/// So many numbers, whatever they are.
pub fn room(memory: &mut Vec<f32>, count: usize) -> &mut [f32] {
    if memory.len() < count {
        memory.resize(count, 0.0);
    }
    &mut memory[..count]
}
