//! Products of matrices in bf16 with sums in f32, on processors with AMX.
//!
//! The one crate with `unsafe`, all of it in the module `amx`: the instructions have no safe form. What a block relies on stands beside it; what is
//! offered here is safe.
//!
//! A tile is a register of 16 rows of 64 bytes. One instruction multiplies a tile of 16 rows of 32 bf16 with one of 32 rows of 16, which lie in pairs (rows 2n and
//! 2n + 1 side by side), and adds to a tile of 16 by 16 f32 (Intel, "Architecture Instruction Set Extensions and Future Features", chapter 3). A result depends
//! on its own row and column alone and is summed in one order, so it is the same to the last bit whatever else is in the batch.

use std::ops::Range;
use std::sync::OnceLock;

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod amx;

/// Rows of a tile.
pub const TILE_ROWS: usize = 16;
/// bf16 of a row of a tile.
const TILE_DEPTH: usize = 32;
/// Columns of a panel: two tiles of results side by side.
pub const PANEL_COLUMNS: usize = 32;

/// Whether this processor has AMX with bf16, and the system lets this process use it. Asked once.
pub fn available() -> bool {
    static AVAILABLE: OnceLock<bool> = OnceLock::new();
    *AVAILABLE.get_or_init(|| {
        #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
        return amx::request();
        #[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
        return false;
    })
}

/// A row of a tile. A tile is read several times faster when its rows do not straddle lines of the cache.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
struct Line([u16; TILE_DEPTH]);

/// The nearest bf16, ties to even; not-a-number stays so.
#[inline]
pub fn bf16(number: f32) -> u16 {
    let bits = number.to_bits();
    if number.is_nan() {
        return (bits >> 16) as u16 | 0x40;
    }
    ((bits + 0x7fff + ((bits >> 16) & 1)) >> 16) as u16
}

/// The right matrix, `depth` x `columns`, as tiles; what is missing at the edges is zero.
#[derive(Debug, Clone)]
pub struct Packed {
    depth: usize,
    columns: usize,
    lines: Vec<Line>,
}

impl Packed {
    /// Packs the matrix whose element is `at(row, column)`, rounded to bf16.
    pub fn new(depth: usize, columns: usize, at: impl Fn(usize, usize) -> f32) -> Self {
        let steps = depth.div_ceil(TILE_DEPTH);
        let panels = columns.div_ceil(PANEL_COLUMNS);
        let mut lines = vec![Line([0; TILE_DEPTH]); panels * steps * 2 * TILE_ROWS];
        for (index, line) in lines.iter_mut().enumerate() {
            let (tile, pair) = (index / TILE_ROWS, index % TILE_ROWS);
            let (panel, step, half) = (tile / 2 / steps, tile / 2 % steps, tile % 2);
            for (place, number) in line.0.iter_mut().enumerate() {
                let row = step * TILE_DEPTH + pair * 2 + place % 2;
                let column = panel * PANEL_COLUMNS + half * TILE_ROWS + place / 2;
                if row < depth && column < columns {
                    *number = bf16(at(row, column));
                }
            }
        }
        Self { depth, columns, lines }
    }

    /// Rows of the matrix.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// Columns of the matrix.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Panels of [`PANEL_COLUMNS`], the last one perhaps not full.
    pub fn panels(&self) -> usize {
        self.columns.div_ceil(PANEL_COLUMNS)
    }

    fn steps(&self) -> usize {
        self.depth.div_ceil(TILE_DEPTH)
    }

    fn panel(&self, panel: usize) -> &[Line] {
        let length = self.steps() * 2 * TILE_ROWS;
        &self.lines[panel * length..][..length]
    }
}

/// `a`, rows of as many numbers as `b` is deep, rounded to bf16, times the columns of these panels of `b`, into `out`: rows of `stride` numbers, the first of
/// them of the first panel. Up to a few hundred rows stay in the cache.
///
/// # Panics
/// Where there are no tiles ([`available`]), `a` has no whole rows, or `out` is too short.
pub fn multiply(a: &[f32], b: &Packed, panels: Range<usize>, out: &mut [f32], stride: usize) {
    assert!(available(), "this processor has no tiles");
    assert!(b.depth > 0 && a.len().is_multiple_of(b.depth), "the matrices do not fit");
    let rows = a.len() / b.depth;
    if rows == 0 || panels.is_empty() {
        return;
    }
    let width = (panels.end * PANEL_COLUMNS).min(b.columns) - panels.start * PANEL_COLUMNS;
    assert!(stride >= width && out.len() >= (rows - 1) * stride + width, "the result has no room");
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    amx::multiply(a, b, panels, out, stride);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number(seed: usize) -> f32 {
        ((seed * 7919 + 13) % 1009) as f32 / 504.5 - 1.0
    }

    fn matrix(rows: usize, columns: usize, seed: usize) -> Vec<f32> {
        (0..rows * columns).map(|place| number(place + seed)).collect()
    }

    fn rounded(number: f32) -> f64 {
        f64::from(f32::from_bits(u32::from(bf16(number)) << 16))
    }

    fn product(a: &[f32], b: &Packed) -> Vec<f32> {
        let mut out = vec![f32::NAN; a.len() / b.depth() * b.columns()];
        multiply(a, b, 0..b.panels(), &mut out, b.columns());
        out
    }

    #[test]
    fn numbers_are_rounded_to_the_nearest_bf16() {
        for (number, wanted) in [
            (0.0, 0x0000),
            (-0.0, 0x8000),
            (1.0, 0x3f80),
            (f32::from_bits(0x3f80_7fff), 0x3f80),
            (f32::from_bits(0x3f80_8000), 0x3f80),
            (f32::from_bits(0x3f80_8001), 0x3f81),
            (f32::from_bits(0x3f81_8000), 0x3f82),
            (f32::MAX, 0x7f80),
            (f32::INFINITY, 0x7f80),
            (f32::NEG_INFINITY, 0xff80),
        ] {
            assert_eq!(bf16(number), wanted, "{number}");
        }
        assert!(rounded(f32::NAN).is_nan() && rounded(f32::from_bits(0x7f80_0001)).is_nan());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        /// Every edge of tiles, panels and parts, in all of the columns and in some of the panels.
        #[test]
        fn a_product_is_that_of_the_rounded_numbers(
            rows in 1usize..70, depth in 1usize..1700, columns in 1usize..300, first in 0usize..10, seed in 0usize..1000,
        ) {
            if !available() {
                return Ok(());
            }
            let (a, b) = (matrix(rows, depth, seed), matrix(depth, columns, seed + 5));
            let packed = Packed::new(depth, columns, |row, column| b[row * columns + column]);
            let panels = first.min(packed.panels() - 1)..packed.panels();
            let left = panels.start * PANEL_COLUMNS;
            let stride = columns - left + seed % 3;
            let mut out = vec![7.0; rows * stride];
            multiply(&a, &packed, panels, &mut out, stride);
            for row in 0..rows {
                for place in 0..stride {
                    let column = left + place;
                    let exact: f64 = if column < columns {
                        (0..depth).map(|inner| rounded(a[row * depth + inner]) * rounded(b[inner * columns + column])).sum()
                    } else {
                        7.0 // nothing is written there
                    };
                    let got = f64::from(out[row * stride + place]);
                    prop_assert!((got - exact).abs() < 1e-3, "at {row},{column}: {got} for {exact}");
                }
            }
        }
    }

    #[test]
    fn a_row_does_not_depend_on_its_company_or_on_what_was_before() {
        if !available() {
            return;
        }
        let (depth, columns) = (600, 130);
        let a = matrix(100, depth, 1);
        let packed = Packed::new(depth, columns, |row, column| number(row * 3 + column));
        let all = product(&a, &packed);
        for row in [0, 1, 57, 99] {
            let alone = product(&a[row * depth..][..depth], &packed);
            assert_eq!(alone, all[row * columns..][..columns]);
        }
        // A smaller one leaves nothing of the larger in what the thread works in.
        let small = Packed::new(33, 5, |row, column| number(row * 5 + column));
        let before = product(&a[..33 * 3], &small);
        product(&a, &packed);
        assert_eq!(product(&a[..33 * 3], &small), before);
    }

    #[test]
    fn threads_do_not_disturb_each_other() {
        if !available() {
            return;
        }
        let a = matrix(40, 256, 1);
        let packed = Packed::new(256, 256, |row, column| number(row * 256 + column));
        let wanted = product(&a, &packed);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..200).for_each(|_| assert_eq!(product(&a, &packed), wanted)));
            }
        });
    }

    #[test]
    fn nothing_times_something_is_nothing() {
        if available() {
            multiply(&[], &Packed::new(4, 4, |_, _| 1.0), 0..1, &mut [], 4);
        }
    }

    #[test]
    #[should_panic(expected = "no room")]
    fn a_result_without_room_is_refused() {
        assert!(available(), "no room either");
        multiply(&[1.0; 8], &Packed::new(4, 4, |_, _| 1.0), 0..1, &mut [0.0; 7], 4);
    }
}
