//! Matrix multiplication against weights that were packed once.
//!
//! The classical scheme (Goto and van de Geijn, "Anatomy of high-performance matrix multiplication", 2008) without its outer blocking:
//! `b` lies in panels of a few columns, `a` is packed in blocks of [`BLOCK_ROWS`] rows, and the innermost loop keeps a
//! block times a panel in registers. Because a result depends only on its own row and column, and is summed in one order,
//! it is the same to the last bit whatever else is in the batch and however the work is shared out.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use super::rows::Rows;
use super::sharing::{Finish, Share, Shares, share_out};

/// Rows of `a` per block: 6 rows by 2 vectors fill 12 of the 16 vector registers of AVX2.
const BLOCK_ROWS: usize = 6;
/// Vectors per panel of `b`.
const PANEL_VECTORS: usize = 2;
/// Columns of a panel of the widest vectors that there are, 16 numbers long.
const MOST_PANEL_COLUMNS: usize = 16 * PANEL_VECTORS;
/// Most rows that one task packs at a time; the packed rows should stay in the second-level cache.
const TASK_ROWS: usize = 16 * BLOCK_ROWS;
/// Work below which sharing out costs more than it saves, in multiply-adds.
const SERIAL_BELOW: usize = 200_000;

/// The right matrix, `depth` x `columns`, in panels of a few columns; the last one is filled up with zeros.
#[derive(Debug, Clone)]
pub struct Packed {
    /// Rows of the right matrix.
    pub depth: usize,
    /// Columns of the right matrix.
    pub columns: usize,
    panel_columns: usize,
    data: Vec<f32>,
}

impl Packed {
    /// Packs the matrix whose element is `at(row, column)`.
    pub fn new(depth: usize, columns: usize, at: impl Fn(usize, usize) -> f32) -> Self {
        Self::of_rows(depth, columns, |row, into| {
            into.iter_mut().enumerate().for_each(|(column, number)| *number = at(row, column));
        })
    }

    /// Packs the matrix whose columns `read(column, into)` writes, `depth` numbers each.
    pub fn of_columns(depth: usize, columns: usize, read: impl Fn(usize, &mut [f32])) -> Self {
        let mut packed = Self::zeros(depth, columns);
        let mut numbers = vec![0.0; depth];
        for column in 0..columns {
            read(column, &mut numbers);
            let (panel, place) = (column / packed.panel_columns, column % packed.panel_columns);
            let rows = packed.data[panel * depth * packed.panel_columns..].chunks_exact_mut(packed.panel_columns);
            rows.zip(&numbers).for_each(|(row, number)| row[place] = *number);
        }
        packed
    }

    /// Packs the matrix whose rows `read(row, into)` writes, `columns` numbers each.
    pub fn of_rows(depth: usize, columns: usize, read: impl Fn(usize, &mut [f32])) -> Self {
        let mut packed = Self::zeros(depth, columns);
        let mut numbers = vec![0.0; columns];
        for row in 0..depth {
            read(row, &mut numbers);
            for (panel, numbers) in numbers.chunks(packed.panel_columns).enumerate() {
                let first = (panel * depth + row) * packed.panel_columns;
                packed.data[first..][..numbers.len()].copy_from_slice(numbers);
            }
        }
        packed
    }

    fn zeros(depth: usize, columns: usize) -> Self {
        let panel_columns = PANEL_VECTORS * Arch::new().dispatch(Lanes);
        let data = vec![0.0; columns.div_ceil(panel_columns) * depth * panel_columns];
        Self { depth, columns, panel_columns, data }
    }

    fn panels(&self) -> usize {
        self.columns.div_ceil(self.panel_columns)
    }

    fn panel(&self, panel: usize) -> &[f32] {
        let length = self.depth * self.panel_columns;
        &self.data[panel * length..][..length]
    }
}

/// As many rows of `a` (`b.depth` numbers each) as `out` has, times `b`, into `out`: rows x `b.columns`.
pub fn multiply_into(a: &impl Rows, b: &Packed, out: &mut [f32], finish: &impl Finish) {
    let shares = Shares {
        columns: b.columns,
        panel_columns: b.panel_columns,
        block_rows: BLOCK_ROWS,
        few_rows: 2 * BLOCK_ROWS,
        task_rows: TASK_ROWS,
        is_small: out.len() * b.depth < SERIAL_BELOW,
    };
    let product = |share: Share| {
        let Share { ref rows, ref panels, .. } = share;
        Arch::new().dispatch(Multiply { a, rows: rows.clone(), b, panels: panels.clone(), out: &mut *share.out });
        share.finish(finish);
    };
    share_out(&shares, out, &product, finish);
}

/// [`multiply_into`] fresh memory, of `rows` rows.
pub fn multiply(rows: usize, a: &impl Rows, b: &Packed, finish: &impl Finish) -> Vec<f32> {
    let mut out = vec![0.0; rows * b.columns];
    multiply_into(a, b, &mut out, finish);
    out
}

/// As many rows as fit into `out`, on this thread.
pub fn serial(a: &impl Rows, b: &Packed, out: &mut [f32]) {
    let rows = 0..out.len() / b.columns;
    let mut out: Vec<&mut [f32]> = out.chunks_mut(b.columns).collect();
    Arch::new().dispatch(Multiply { a, rows, b, panels: 0..b.panels(), out: &mut out });
}

/// How many f32 a vector holds.
struct Lanes;

impl WithSimd for Lanes {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        S::F32_LANES
    }
}

/// Some rows times some panels, into a slice for each row, as wide as the panels.
struct Multiply<'a, 'b, A> {
    a: &'a A,
    rows: Range<usize>,
    b: &'a Packed,
    panels: Range<usize>,
    out: &'a mut [&'b mut [f32]],
}

impl<A: Rows> WithSimd for Multiply<'_, '_, A> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { a, rows, b, panels, out } = self;
        let count = rows.len();
        let packed = pack_rows(a, rows, b.depth);
        for (index, panel) in panels.enumerate() {
            let width = b.panel_columns.min(b.columns - panel * b.panel_columns);
            let panel = b.panel(panel);
            for first in (0..count).step_by(BLOCK_ROWS) {
                let height = BLOCK_ROWS.min(count - first);
                let block = &packed[first * b.depth..][..height * b.depth];
                let (out, left) = (&mut out[first..first + height], index * b.panel_columns);
                match height {
                    1 => tile::<S, 1>(simd, block, panel, out, left, width),
                    2 => tile::<S, 2>(simd, block, panel, out, left, width),
                    3 => tile::<S, 3>(simd, block, panel, out, left, width),
                    4 => tile::<S, 4>(simd, block, panel, out, left, width),
                    5 => tile::<S, 5>(simd, block, panel, out, left, width),
                    _ => tile::<S, BLOCK_ROWS>(simd, block, panel, out, left, width),
                }
            }
        }
    }
}

/// Blocks of [`BLOCK_ROWS`] rows, the last one lower; in a block the numbers of one column lie together.
#[inline(always)]
fn pack_rows(a: &impl Rows, rows: Range<usize>, depth: usize) -> Vec<f32> {
    let mut packed = vec![0.0; rows.len() * depth];
    let mut lines = vec![0.0; BLOCK_ROWS * depth];
    for (block, out) in packed.chunks_mut(BLOCK_ROWS * depth).enumerate() {
        let lines = &mut lines[..out.len()];
        for (row, line) in (rows.start + block * BLOCK_ROWS..).zip(lines.chunks_exact_mut(depth)) {
            a.write(row, line);
        }
        match out.len() / depth {
            1 => out.copy_from_slice(lines),
            2 => interleave::<2>(lines, out),
            3 => interleave::<3>(lines, out),
            4 => interleave::<4>(lines, out),
            5 => interleave::<5>(lines, out),
            _ => interleave::<BLOCK_ROWS>(lines, out),
        }
    }
    packed
}

/// `HEIGHT` lines, one after the other, to columns of `HEIGHT` numbers.
#[inline(always)]
fn interleave<const HEIGHT: usize>(lines: &[f32], out: &mut [f32]) {
    let depth = lines.len() / HEIGHT;
    let lines: [&[f32]; HEIGHT] = std::array::from_fn(|row| &lines[row * depth..][..depth]);
    let columns = &mut out.as_chunks_mut::<HEIGHT>().0[..depth];
    for (at, column) in columns.iter_mut().enumerate() {
        for (value, line) in column.iter_mut().zip(lines) {
            *value = line[at];
        }
    }
}

/// One block of `HEIGHT` rows times one panel.
#[inline(always)]
fn tile<S: Simd, const HEIGHT: usize>(
    simd: S,
    block: &[f32],
    panel: &[f32],
    out: &mut [&mut [f32]],
    left: usize,
    width: usize,
) {
    let (vectors, _) = S::as_simd_f32s(panel);
    let (pairs, _) = vectors.as_chunks::<PANEL_VECTORS>();
    let (columns, _) = block.as_chunks::<HEIGHT>();
    let mut sums = [[simd.splat_f32s(0.0); PANEL_VECTORS]; HEIGHT];
    for (column, pair) in columns.iter().zip(pairs) {
        for (value, sums) in column.iter().zip(&mut sums) {
            let value = simd.splat_f32s(*value);
            for (weight, sum) in pair.iter().zip(sums) {
                *sum = simd.mul_add_e_f32s(value, *weight, *sum);
            }
        }
    }
    // The sums are moved one by one, so that none of them ever has to lie in memory.
    if width == PANEL_VECTORS * S::F32_LANES {
        for (out, sums) in out.iter_mut().zip(sums) {
            let (vectors, _) = S::as_mut_simd_f32s(&mut out[left..][..width]);
            for (out, sum) in vectors.iter_mut().zip(sums) {
                *out = sum;
            }
        }
    } else {
        for (out, sums) in out.iter_mut().zip(sums) {
            let mut whole = [0.0; MOST_PANEL_COLUMNS];
            let (vectors, _) = S::as_mut_simd_f32s(&mut whole);
            for (out, sum) in vectors.iter_mut().zip(sums) {
                *out = sum;
            }
            out[left..][..width].copy_from_slice(&whole[..width]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::rows::Strided;
    use super::*;

    fn number(seed: usize) -> f32 {
        ((seed * 7919 + 13) % 1009) as f32 / 504.5 - 1.0
    }

    fn check(rows: usize, depth: usize, columns: usize) {
        let a: Vec<f32> = (0..rows * depth).map(number).collect();
        let b: Vec<f32> = (0..depth * columns).map(|seed| number(seed + 5)).collect();
        let packed = Packed::new(depth, columns, |row, column| b[row * columns + column]);
        let by_columns = Packed::of_columns(depth, columns, |column, into| {
            into.iter_mut().enumerate().for_each(|(row, number)| *number = b[row * columns + column]);
        });
        assert_eq!(packed.data, by_columns.data);
        let out = multiply(rows, &Strided { data: &a, stride: depth }, &packed, &|_, block: &mut [f32]| {
            for value in block {
                *value += 1.0;
            }
        });
        for row in 0..rows {
            for column in 0..columns {
                let exact: f64 = (0..depth)
                    .map(|inner| f64::from(a[row * depth + inner]) * f64::from(b[inner * columns + column]))
                    .sum();
                let got = f64::from(out[row * columns + column]) - 1.0;
                assert!((got - exact).abs() < 1e-3, "{rows}x{depth}x{columns} at {row},{column}: {got} for {exact}");
            }
        }
    }

    #[test]
    fn equals_the_definition_for_every_edge() {
        for rows in [1, 2, 5, 6, 7, 13, 97, 200] {
            for columns in [1, 15, 16, 17, 33, 64, 100] {
                check(rows, 37, columns);
            }
        }
        check(9, 1, 9);
        check(8, 384, 1152);
        check(0, 8, 8);
    }

    #[test]
    fn a_row_does_not_depend_on_its_company() {
        let (depth, columns) = (96, 130);
        let a: Vec<f32> = (0..100 * depth).map(number).collect();
        let packed = Packed::new(depth, columns, |row, column| number(row * 3 + column));
        let all = multiply(100, &Strided { data: &a, stride: depth }, &packed, &|_, _: &mut [f32]| {});
        for row in [0, 1, 57, 99] {
            let alone =
                multiply(1, &Strided { data: &a[row * depth..], stride: depth }, &packed, &|_, _: &mut [f32]| {});
            assert_eq!(alone, all[row * columns..][..columns]);
        }
    }
}
