//! The weights of a layer, laid out for the precision in which its products are taken.

use candle_core::DType;
use sensorium_tiles as tiles;

use super::gemm::{self, Strided};
use super::sharing::{Shares, share_out};

/// Rows of one task in bf16: in the second-level cache there is room for them beside a panel.
const TASK_ROWS: usize = 128;
/// Rows that two tiles have.
const BLOCK_ROWS: usize = 2 * tiles::TILE_ROWS;
/// Work below which sharing out costs more than it saves, in multiply-adds.
const SERIAL_BELOW: usize = 2_000_000;

/// How the products of layers are taken. What goes in and comes out is f32, and sums are f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Products {
    /// Of f32.
    F32,
    /// Of numbers rounded to bf16, by the processor's tiles.
    Bf16,
}

impl Products {
    /// For a model that is wanted in `dtype` on the processor; none where products are left to the library, whose states are in `dtype` too.
    pub fn of(dtype: DType) -> Option<Self> {
        match dtype {
            DType::F32 => Some(Self::F32),
            DType::BF16 if tiles::available() => Some(Self::Bf16),
            _ => None,
        }
    }
}

/// The matrix that a layer multiplies with, `depth` (its inputs) x `columns` (its outputs).
#[derive(Debug, Clone)]
pub enum Weight {
    /// In f32.
    F32(gemm::Packed),
    /// In bf16.
    Bf16(tiles::Packed),
}

impl Weight {
    /// Packs the matrix whose element is `at(row, column)`.
    pub fn new(products: Products, depth: usize, columns: usize, at: impl Fn(usize, usize) -> f32) -> Self {
        match products {
            Products::F32 => Self::F32(gemm::Packed::new(depth, columns, at)),
            Products::Bf16 => Self::Bf16(tiles::Packed::new(depth, columns, at)),
        }
    }

    /// Rows of the matrix.
    pub fn depth(&self) -> usize {
        match self {
            Self::F32(packed) => packed.depth,
            Self::Bf16(packed) => packed.depth(),
        }
    }

    /// Columns of the matrix.
    pub fn columns(&self) -> usize {
        match self {
            Self::F32(packed) => packed.columns,
            Self::Bf16(packed) => packed.columns(),
        }
    }

    /// `a`, rows of `depth` numbers, times this: as many rows of `columns`. `finish` as in [`gemm::multiply`].
    pub fn multiply(&self, a: &[f32], finish: &(impl Fn(usize, &mut [f32]) + Sync)) -> Vec<f32> {
        let depth = self.depth();
        let rows = a.len() / depth;
        match self {
            Self::F32(packed) => gemm::multiply(rows, &Strided { data: a, stride: depth }, packed, finish),
            Self::Bf16(packed) => {
                let shares = Shares {
                    rows,
                    columns: packed.columns(),
                    panel_columns: tiles::PANEL_COLUMNS,
                    block_rows: BLOCK_ROWS,
                    task_rows: TASK_ROWS,
                    is_small: rows * depth * packed.columns() < SERIAL_BELOW,
                };
                let product = |rows: std::ops::Range<usize>, panels, out: &mut [f32], stride| {
                    tiles::multiply(&a[rows.start * depth..rows.end * depth], packed, panels, out, stride);
                };
                share_out(&shares, &product, finish)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(seed: usize) -> f32 {
        ((seed * 7919 + 13) % 1009) as f32 / 504.5 - 1.0
    }

    /// However the work is shared out: few rows, many, small products.
    #[test]
    fn in_bf16_a_product_is_nearly_that_in_f32() {
        if Products::of(DType::BF16) != Some(Products::Bf16) {
            return;
        }
        let finish = |first: usize, block: &mut [f32]| block.iter_mut().for_each(|value| *value += first as f32);
        for (rows, depth, columns) in [(3, 40, 50), (50, 384, 1536), (300, 384, 700), (1000, 96, 33)] {
            let a: Vec<f32> = (0..rows * depth).map(number).collect();
            let product = |products| {
                let weight = Weight::new(products, depth, columns, |row, column| number(row * columns + column + 5));
                assert_eq!((weight.depth(), weight.columns()), (depth, columns));
                weight.multiply(&a, &|_, block| finish(1, block))
            };
            let (exact, near) = (product(Products::F32), product(Products::Bf16));
            assert_eq!(exact.len(), near.len());
            let deviation = |(one, other): (&f32, &f32)| f64::from(one - other).powi(2);
            let off = exact.iter().zip(&near).map(deviation).sum::<f64>().sqrt();
            let size = exact.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
            assert!(off < 0.005 * size, "{rows} x {depth} x {columns}: {off} of {size}");
            assert!(off > 0.0, "it is not in bf16");
        }
    }
}
