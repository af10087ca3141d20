//! The rows of a left matrix, wherever they come from.

/// The left matrix of a product: anything that can write one of its rows into a slice.
pub trait Rows: Sync {
    /// Writes row `row`, all of it, into `into`.
    fn write(&self, row: usize, into: &mut [f32]);
}

/// Rows that lie in memory, `stride` numbers apart, each starting with the numbers that count.
pub struct Strided<'a> {
    /// The numbers.
    pub data: &'a [f32],
    /// From one row to the next.
    pub stride: usize,
}

impl Rows for Strided<'_> {
    #[inline(always)]
    fn write(&self, row: usize, into: &mut [f32]) {
        into.copy_from_slice(&self.data[row * self.stride..][..into.len()]);
    }
}

/// Rows of pieces that lie anywhere in memory: those of row `n` are the next ones of `order` after those of row `n - 1`.
pub struct Gathered<'a> {
    /// The numbers.
    pub data: &'a [f32],
    /// Numbers of a piece.
    pub width: usize,
    /// Which pieces.
    pub order: &'a [u32],
}

impl Rows for Gathered<'_> {
    fn write(&self, row: usize, into: &mut [f32]) {
        let pieces = into.len() / self.width;
        for (into, piece) in into.chunks_exact_mut(self.width).zip(&self.order[row * pieces..]) {
            into.copy_from_slice(&self.data[*piece as usize * self.width..][..self.width]);
        }
    }
}
