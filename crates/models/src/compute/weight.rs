//! The weights of a layer, laid out for the precision in which its products are taken.

use candle_core::DType;
use sensorium_tiles as tiles;
use sensorium_tiles::{Pieces, Precision};

use super::gemm;
use super::rows::{Rows, Strided};
use super::sharing::{Finish, Share, Shares, share_out};

/// Most rows of one task on tiles.
const TASK_ROWS: usize = 224;
/// Rows for each thread below which all do all rows, in some of the columns.
const FEW_ROWS: usize = 64;
/// Work below which sharing out costs more than it saves, in multiply-adds: some 50 microseconds in f32.
const SERIAL_BELOW: usize = 8_000_000;

/// Rows of one task of two layers, and most bytes of a row between them, with which these stay in the second-level cache.
const TASK_ROWS_OF_TWO: usize = 128;
const MOST_BYTES_BETWEEN: usize = 11_200;

/// How the products of layers are taken. What goes in and comes out is f32, and sums are f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Products {
    /// Of f32, in the processor's vectors.
    Vectors,
    /// By the processor's tiles, or its widest vectors.
    Tiles(Precision),
}

impl Products {
    /// For a model that is wanted in `dtype` on the processor; none where products are left to the library, whose states are in `dtype` too.
    pub fn of(dtype: DType) -> Option<Self> {
        match dtype {
            DType::F32 => Some(Self::exact()),
            DType::BF16 if tiles::supports(Precision::Bf16) => Some(Self::Tiles(Precision::Bf16)),
            _ => None,
        }
    }

    /// Of f32, in the quickest way that this processor has.
    pub fn exact() -> Self {
        if tiles::supports(Precision::F32) { Self::Tiles(Precision::F32) } else { Self::Vectors }
    }

    /// For layers that see a few rows at a time, as those do that write token by token: what counts is how long the weights take to be read, and f32 takes a third less in
    /// vectors.
    #[must_use]
    pub fn of_few_rows(self) -> Self {
        match self {
            Self::Tiles(Precision::F32) => Self::Vectors,
            other => other,
        }
    }
}

/// The matrix that a layer multiplies with, `depth` (its inputs) x `columns` (its outputs).
#[derive(Debug, Clone)]
pub enum Weight {
    /// As vectors.
    Vectors(gemm::Packed),
    /// As tiles.
    Tiles(tiles::Packed),
}

impl Weight {
    /// Packs the matrix whose columns `read(column, into)` writes, `depth` numbers each.
    pub fn of_columns(products: Products, depth: usize, columns: usize, read: impl Fn(usize, &mut [f32])) -> Self {
        match products {
            Products::Vectors => Self::Vectors(gemm::Packed::of_columns(depth, columns, read)),
            Products::Tiles(precision) => Self::Tiles(tiles::Packed::of_columns(precision, depth, columns, read)),
        }
    }

    /// Packs the matrix whose rows `read(row, into)` writes, `columns` numbers each.
    pub fn of_rows(products: Products, depth: usize, columns: usize, read: impl Fn(usize, &mut [f32])) -> Self {
        match products {
            Products::Vectors => Self::Vectors(gemm::Packed::of_rows(depth, columns, read)),
            Products::Tiles(precision) => Self::Tiles(tiles::Packed::of_rows(precision, depth, columns, read)),
        }
    }

    /// How it was packed.
    pub fn products(&self) -> Products {
        match self {
            Self::Vectors(_) => Products::Vectors,
            Self::Tiles(packed) => Products::Tiles(packed.precision()),
        }
    }

    /// Rows of the matrix.
    pub fn depth(&self) -> usize {
        match self {
            Self::Vectors(packed) => packed.depth,
            Self::Tiles(packed) => packed.depth(),
        }
    }

    /// Columns of the matrix.
    pub fn columns(&self) -> usize {
        match self {
            Self::Vectors(packed) => packed.columns,
            Self::Tiles(packed) => packed.columns(),
        }
    }

    /// Rows of `a` times this, then `between(row, numbers)` on each row, then times `second`, on this thread, into `out`; `wide` has room for the rows between, where that is
    /// needed.
    pub fn serial_twice(
        &self,
        a: &impl Rows,
        between: &impl Fn(usize, &mut [f32]),
        second: &Self,
        wide: &mut Vec<f32>,
        out: &mut [f32],
    ) {
        let inner = self.columns();
        if let (Self::Tiles(first), Self::Tiles(second)) = (self, second)
            && inner <= tiles::PIECE_COLUMNS
        {
            let mut out: Vec<&mut [f32]> = out.chunks_mut(second.columns()).collect();
            let read = |row: usize, into: &mut [f32]| a.write(row, into);
            let between = |row: usize, _: usize, numbers: &mut [f32]| between(row, numbers);
            tiles::feed_forward(&read, first, &between, second, &mut out, &|_, _, _| {});
            return;
        }
        wide.resize(out.len() / second.columns() * inner, 0.0);
        self.serial(a, wide);
        wide.chunks_exact_mut(inner).enumerate().for_each(|(row, numbers)| between(row, numbers));
        second.serial(&Strided { data: wide, stride: inner }, out);
    }

    /// [`Self::multiply`] on this thread, as it is.
    pub fn serial(&self, a: &impl Rows, out: &mut [f32]) {
        match self {
            Self::Vectors(packed) => gemm::serial(a, packed, out),
            Self::Tiles(packed) => {
                let mut out: Vec<&mut [f32]> = out.chunks_mut(packed.columns()).collect();
                let read = |row: usize, into: &mut [f32]| a.write(row, into);
                tiles::multiply(&read, packed, 0..packed.panels(), &mut out, &|_, _, _| {});
            }
        }
    }

    /// As many rows of `a` (`depth` numbers each) as `out` has, times this, into `out`: rows of `columns`.
    pub fn multiply(&self, a: &impl Rows, out: &mut [f32], finish: &impl Finish) {
        match self {
            Self::Vectors(packed) => gemm::multiply_into(a, packed, out, finish),
            Self::Tiles(packed) => {
                let is_small = out.len() * packed.depth() < SERIAL_BELOW;
                let shares = shares_of_tiles(packed.columns(), FEW_ROWS, TASK_ROWS, is_small);
                let product = |share: Share| {
                    let (first, place) = (share.rows.start, share.places());
                    let read = |row: usize, into: &mut [f32]| a.write(first + row, into);
                    let finish = |row: usize, column: usize, piece: &mut [f32]| finish.piece(place(row, column), piece);
                    tiles::multiply(&read, packed, share.panels, share.out, &finish);
                };
                share_out(&shares, out, &product, finish);
            }
        }
    }
}

/// How a product on tiles is shared out.
fn shares_of_tiles(columns: usize, few_rows: usize, task_rows: usize, is_small: bool) -> Shares {
    Shares { columns, panel_columns: tiles::PANEL_COLUMNS, block_rows: tiles::TILE_ROWS, few_rows, task_rows, is_small }
}

/// As many rows as `out` has, made of pieces as `piece(row, place)` tells, times `right`, into `out`.
pub(super) fn multiply_pieces(
    pieces: &Pieces,
    piece: &(impl Fn(usize, usize) -> Option<usize> + Sync),
    right: &tiles::Packed,
    out: &mut [f32],
    finish: &impl Finish,
) {
    let is_small = out.len() * right.depth() < SERIAL_BELOW;
    let shares = shares_of_tiles(right.columns(), FEW_ROWS, TASK_ROWS, is_small);
    let product = |share: Share| {
        let (first, place) = (share.rows.start, share.places());
        let piece = |row: usize, place: usize| piece(first + row, place);
        let finish = |row: usize, column: usize, numbers: &mut [f32]| finish.piece(place(row, column), numbers);
        tiles::multiply_pieces((pieces, &piece), right, share.panels, share.out, &finish);
    };
    share_out(&shares, out, &product, finish);
}

/// As many rows of `a` as `out` has, times `first`, then `between(column, piece)` on every piece of a row, then times `second`, into `out`. What lies between does not
/// leave the cache where it has room there, and else goes through `wide`, in which it is used again.
pub fn multiply_twice(
    a: &impl Rows,
    (first, second): (&Weight, &Weight),
    between: &(impl Fn(usize, &mut [f32]) + Sync),
    wide: &mut Vec<f32>,
    out: &mut [f32],
    finish: &impl Finish,
) {
    let inner = first.columns();
    let rows = out.len() / second.columns();
    if let (Weight::Tiles(first), Weight::Tiles(second)) = (first, second)
        && rows >= rayon::current_num_threads() * FEW_ROWS
        && inner * first.bytes_of_a_number() <= MOST_BYTES_BETWEEN
    {
        let shares = shares_of_tiles(second.columns(), 0, TASK_ROWS_OF_TWO, false);
        let product = |share: Share| {
            let (start, place) = (share.rows.start, share.places());
            let read = |row: usize, into: &mut [f32]| a.write(start + row, into);
            let finish = |row: usize, column: usize, piece: &mut [f32]| finish.piece(place(row, column), piece);
            let between = |_: usize, column: usize, piece: &mut [f32]| between(column, piece);
            tiles::feed_forward(&read, first, &between, second, share.out, &finish);
        };
        share_out(&shares, out, &product, finish);
        return;
    }
    wide.resize(rows * inner, 0.0);
    first.multiply(a, wide, &|at: usize, pieces: &mut [f32]| {
        // Some whole rows, or a part of one.
        for piece in pieces.chunks_mut(inner) {
            between(at % inner, piece);
        }
    });
    second.multiply(&Strided { data: wide, stride: inner }, out, finish);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(seed: usize) -> f32 {
        ((seed * 7919 + 13) % 1009) as f32 / 504.5 - 1.0
    }

    /// However the work is shared out: few rows, many, small products.
    #[test]
    fn on_tiles_a_product_is_that_of_vectors_as_far_as_its_precision_goes() {
        if Products::exact() == Products::Vectors {
            return;
        }
        for (rows, depth, columns) in [(3, 40, 50), (50, 384, 1536), (300, 384, 700), (1000, 96, 33)] {
            let a: Vec<f32> = (0..rows * depth).map(number).collect();
            let product = |products| {
                let weight = Weight::of_rows(products, depth, columns, |row, into| {
                    into.iter_mut().zip(row * columns + 5..).for_each(|(value, seed)| *value = number(seed));
                });
                assert_eq!((weight.depth(), weight.columns()), (depth, columns));
                let mut out = vec![f32::NAN; rows * columns];
                let finish = |at: usize, piece: &mut [f32]| {
                    piece.iter_mut().zip(at..).for_each(|(value, at)| *value += (at % 1000) as f32 / 1000.0);
                };
                weight.multiply(&Strided { data: &a, stride: depth }, &mut out, &finish);
                out
            };
            let exact = product(Products::Vectors);
            let size = exact.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
            let bounds = [(Precision::F32, 0.0, 2e-6), (Precision::Bf16, 1e-4, 5e-3)];
            for (precision, least, most) in bounds.into_iter().filter(|(precision, ..)| tiles::supports(*precision)) {
                let near = product(Products::Tiles(precision));
                let deviation = |(one, other): (&f32, &f32)| f64::from(one - other).powi(2);
                let off = exact.iter().zip(&near).map(deviation).sum::<f64>().sqrt() / size;
                assert!((least..most).contains(&off), "{precision:?}, {rows} x {depth} x {columns}: {off}");
            }
        }
    }

    #[test]
    fn two_products_are_one_after_the_other_in_the_cache_and_beside_it() {
        let (depth, columns) = (40, 50);
        for (rows, inner) in [(3, 96), (400, 96), (400, 6_000)] {
            let a: Vec<f32> = (0..rows * depth).map(number).collect();
            let rows_of_a = Strided { data: &a, stride: depth };
            let weight = |depth: usize, columns: usize| {
                Weight::of_rows(Products::exact(), depth, columns, |row, into| {
                    into.iter_mut().zip(row * columns..).for_each(|(value, seed)| *value = number(seed) / 8.0);
                })
            };
            let (first, second) = (weight(depth, inner), weight(inner, columns));
            let between = |column: usize, piece: &mut [f32]| {
                piece
                    .iter_mut()
                    .zip(column..)
                    .for_each(|(value, column)| *value = value.max((column % 5) as f32 / 10.0));
            };
            let mut wide = vec![0.0; rows * inner];
            first.multiply(&rows_of_a, &mut wide, &|_: usize, _: &mut [f32]| {});
            wide.chunks_mut(inner).for_each(|row| between(0, row));
            let mut wanted = vec![0.0; rows * columns];
            second.multiply(&Strided { data: &wide, stride: inner }, &mut wanted, &|_: usize, _: &mut [f32]| {});
            let mut out = vec![f32::NAN; rows * columns];
            let finish = |_: usize, piece: &mut [f32]| piece.iter_mut().for_each(|value| *value += 1.0);
            multiply_twice(&rows_of_a, (&first, &second), &between, &mut Vec::new(), &mut out, &finish);
            assert!(out.iter().zip(&wanted).all(|(out, wanted)| *out == wanted + 1.0), "{rows} rows, {inner} between");
        }
    }
}
