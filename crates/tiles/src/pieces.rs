//! Rows that are made of pieces of other rows, as the windows of a picture are made of pixels: each is divided once, however many rows it is in.

use crate::{Line, Precision, TILE_DEPTH};

/// Rows of numbers as they are multiplied, to be put together.
#[derive(Debug, Clone)]
pub struct Pieces {
    precision: Precision,
    /// Of a piece.
    pub(crate) length: usize,
    pub(crate) lines: Vec<Line>,
}

impl Pieces {
    /// Of `numbers`, as many to a piece as `width`.
    ///
    /// # Panics
    /// Where this precision is not supported ([`crate::supports`]).
    pub fn new(precision: Precision, numbers: &[f32], width: usize) -> Self {
        assert!(crate::supports(precision), "this processor does not multiply so");
        let length = Self::depth(width) / TILE_DEPTH * precision.lines();
        let mut lines = vec![Line([0; TILE_DEPTH]); numbers.len() / width * length];
        #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
        crate::x86::divide_rows(precision, numbers, width, &mut lines);
        Self { precision, length, lines }
    }

    /// Rows of the right matrix for a piece of this `width`: what is beyond the width is multiplied as zero.
    pub fn depth(width: usize) -> usize {
        width.next_multiple_of(TILE_DEPTH)
    }

    /// How much is seen of the numbers.
    pub fn precision(&self) -> Precision {
        self.precision
    }
}
