//! Products of matrices on processors with AMX or AVX-512: of numbers rounded to bf16, or of f32. Sums are in f32.
//!
//! The one crate with `unsafe`, all of it in the module `x86`: the instructions have no safe form. What a block relies on stands beside it; what is
//! offered here is safe.
//!
//! With AMX a tile is a register of 16 rows of 64 bytes. One instruction multiplies a tile of 16 rows of 32 bf16 with one of 32 rows of 16, which lie in pairs (rows 2n and
//! 2n + 1 side by side), and adds to a tile of 16 by 16 f32 (Intel, "Architecture Instruction Set Extensions and Future Features", chapter 3). A result depends
//! on its own row and column alone and is summed in one order, so it is the same to the last bit whatever else is in the batch. Without AMX, vectors take the place of tiles, in
//! the same layout: of pairs of bf16 where there is AVX512-BF16, of f32 where there is AVX-512. What is said of tiles below is true of these too.
//!
//! For tiles, a number in f32 is the sum of three in bf16, each the rest of those before it, to the last bit (where it is not within 2^16 of the smallest that f32 has). Six of the nine products
//! of such parts are summed; what the other three would add is below 2^-26 of the product, less than a product in f32 is rounded by. Six products on tiles take
//! less time than one in vectors does. Where 16 digits are enough, two parts and three products are. A matrix is kept as it is, or in f16 where that loses nothing, and divided a step at a time: few rows wait for memory alone. (After Henry, Tang and Heinecke, "Leveraging the bfloat16 artificial intelligence datatype for higher-precision
//! computations", 2019.)

mod packed;
mod pieces;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod x86;

use std::ops::Range;

pub use self::packed::Packed;
pub use self::pieces::Pieces;

/// Rows of a tile.
pub const TILE_ROWS: usize = 16;
/// bf16 of a row of a tile.
const TILE_DEPTH: usize = 32;
/// Columns of a panel: two tiles of results side by side.
pub const PANEL_COLUMNS: usize = 32;
/// Columns of a row that are finished together.
pub const PIECE_COLUMNS: usize = 8 * PANEL_COLUMNS;
/// Lines of a step of a panel, of one part.
const PANEL_LINES: usize = 2 * TILE_ROWS;

/// Whether this processor takes products in this precision, and the system lets this process use what it has for that: AMX for all, AVX512-BF16 for bf16, AVX-512 for
/// f32.
pub fn supports(precision: Precision) -> bool {
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    return match (precision, x86::unit()) {
        (_, None) => false,
        (_, Some(x86::Unit::Tiles)) | (Precision::F32, _) => true,
        (Precision::Bf16, Some(x86::Unit::Vectors { has_pairs })) => has_pairs,
        (Precision::Bits16, _) => false,
    };
    #[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
    return false;
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

/// How much of its numbers a product sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// Rounded to bf16.
    Bf16,
    /// The first 16 digits, for tiles: the sum of two bf16. Three of the four products of such parts are summed; a product is off by 2^-16 of it.
    Bits16,
    /// All of it.
    F32,
}

impl Precision {
    /// Lines that 32 numbers take: one of bf16, two or three of their parts in bf16, two of them as they are.
    fn lines(self) -> usize {
        match self {
            Self::Bf16 => 1,
            Self::Bits16 => 2,
            Self::F32 if supports(Self::F32) && !has_tiles() => WHOLE_LINES,
            Self::F32 => 3,
        }
    }
}

/// Whether there are tiles, for which numbers in f32 are divided into parts.
pub fn has_tiles() -> bool {
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    return x86::unit() == Some(x86::Unit::Tiles);
    #[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
    return false;
}

/// Lines that 32 numbers take as they are.
const WHOLE_LINES: usize = 2;

/// Rows times the columns of these panels of `b`, in its precision.
///
/// `read(row, into)` writes a row of the left matrix, as many numbers as `b` is deep; `out` has a slice for each row of the result, as wide as the panels.
/// `finish(row, column, piece)` is applied to every piece of a row of the result while it is in the cache; columns count from the first panel's. Up to a few hundred
/// rows stay in the cache.
///
/// # Panics
/// Where that precision is not supported ([`supports`]), or `out` is not as wide as the panels.
pub fn multiply(
    read: &impl Fn(usize, &mut [f32]),
    b: &Packed,
    panels: Range<usize>,
    out: &mut [&mut [f32]],
    finish: &impl Fn(usize, usize, &mut [f32]),
) {
    if let Some(panels) = wanted(b, panels, out) {
        #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
        x86::multiply(&x86::Left::Read(read), b, panels, out, finish);
    }
}

/// [`multiply`] of rows that are made of pieces: `piece(row, place)` tells which piece lies at a place of a row, if there is one, of which each has as many as `b` is deep.
///
/// # Panics
/// As [`multiply`], and where the pieces are of another precision or do not fill the depth of `b`.
pub fn multiply_pieces(
    (pieces, piece): (&Pieces, &impl Fn(usize, usize) -> Option<usize>),
    b: &Packed,
    panels: Range<usize>,
    out: &mut [&mut [f32]],
    finish: &impl Fn(usize, usize, &mut [f32]),
) {
    assert!(pieces.precision() == b.precision(), "the pieces are of another precision");
    let steps = b.depth() / TILE_DEPTH;
    let fill =
        b.depth().is_multiple_of(TILE_DEPTH) && (steps * b.precision().lines()).is_multiple_of(pieces.length.max(1));
    assert!(fill, "the pieces do not fill a row");
    if let Some(panels) = wanted(b, panels, out) {
        #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
        x86::multiply(&x86::Left::Pieces(pieces, piece), b, panels, out, finish);
    }
}

/// The panels that there is something to do for.
fn wanted(b: &Packed, panels: Range<usize>, out: &[&mut [f32]]) -> Option<Range<usize>> {
    assert!(supports(b.precision()), "this processor does not multiply so");
    if out.is_empty() || panels.is_empty() || b.depth() == 0 {
        return None;
    }
    let width = (panels.end * PANEL_COLUMNS).min(b.columns()) - panels.start * PANEL_COLUMNS;
    assert!(out.iter().all(|row| row.len() == width), "the result is not as wide as the panels");
    Some(panels)
}

/// Rows times `first`, then `between(row, column, piece)` on every piece of a row, then times `second`: what lies between is never whole, and does not leave the cache
/// while there are not many rows. A row of up to [`PIECE_COLUMNS`] columns is one piece. `read`, `out` and `finish` are as in [`multiply`], of all columns.
///
/// # Panics
/// Where that precision is not supported ([`supports`]), the matrices do not follow each other in one precision, or `out` is not as wide as the second.
pub fn feed_forward(
    read: &impl Fn(usize, &mut [f32]),
    first: &Packed,
    between: &impl Fn(usize, usize, &mut [f32]),
    second: &Packed,
    out: &mut [&mut [f32]],
    finish: &impl Fn(usize, usize, &mut [f32]),
) {
    assert!(supports(first.precision()), "this processor does not multiply so");
    assert!(
        first.columns() == second.depth() && first.precision() == second.precision(),
        "the matrices do not follow each other"
    );
    if out.is_empty() || first.depth() == 0 || second.depth() == 0 {
        return;
    }
    assert!(out.iter().all(|row| row.len() == second.columns()), "the result is not as wide as the matrix");
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    x86::feed_forward(read, first, between, second, out, finish);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn supported() -> impl Iterator<Item = Precision> {
        [Precision::Bf16, Precision::Bits16, Precision::F32].into_iter().filter(|precision| supports(*precision))
    }

    fn number(seed: usize) -> f32 {
        ((seed * 7919 + 13) % 1009) as f32 / 504.5 - 1.0
    }

    fn matrix(rows: usize, columns: usize, seed: usize) -> Vec<f32> {
        (0..rows * columns).map(|place| number(place + seed)).collect()
    }

    fn rounded(number: f32) -> f64 {
        f64::from(f32::from_bits(u32::from(bf16(number)) << 16))
    }

    fn packed(precision: Precision, depth: usize, columns: usize, at: impl Fn(usize, usize) -> f32) -> Packed {
        Packed::of_rows(precision, depth, columns, |row, into| {
            into.iter_mut().enumerate().for_each(|(column, number)| *number = at(row, column));
        })
    }

    fn some_panels(a: &[f32], b: &Packed, panels: Range<usize>) -> Vec<f32> {
        let width = (panels.end * PANEL_COLUMNS).min(b.columns()) - panels.start * PANEL_COLUMNS;
        let mut out = vec![f32::NAN; a.len() / b.depth() * width];
        let mut rows: Vec<&mut [f32]> = out.chunks_mut(width).collect();
        let read = |row: usize, into: &mut [f32]| into.copy_from_slice(&a[row * b.depth()..][..b.depth()]);
        multiply(&read, b, panels, &mut rows, &|_, _, _| {});
        out
    }

    fn product(a: &[f32], b: &Packed) -> Vec<f32> {
        some_panels(a, b, 0..b.panels())
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
        fn a_product_is_that_of_the_numbers_in_its_precision(
            rows in 1usize..70, depth in 1usize..1700, columns in 1usize..300, first in 0usize..10, seed in 0usize..1000,
            precision in prop_oneof![Just(Precision::Bf16), Just(Precision::Bits16), Just(Precision::F32)], is_f16: bool,
        ) {
            if !supports(precision) {
                return Ok(());
            }
            let (a, mut b) = (matrix(rows, depth, seed), matrix(depth, columns, seed + 5));
            if is_f16 {
                for number in &mut b {
                    *number = (*number * 512.0).round() / 512.0;
                }
            }
            let by_rows = |row: usize, into: &mut [f32]| into.copy_from_slice(&b[row * columns..][..columns]);
            let packed = Packed::of_rows(precision, depth, columns, by_rows);
            let by_columns = |column: usize, into: &mut [f32]| {
                into.iter_mut().zip(b.iter().skip(column).step_by(columns)).for_each(|(into, number)| *into = *number);
            };
            let same = Packed::of_columns(precision, depth, columns, by_columns);
            prop_assert!(packed.lines.iter().zip(&same.lines).all(|(one, other)| one.0 == other.0));
            let panels = first.min(packed.panels() - 1)..packed.panels();
            let left = panels.start * PANEL_COLUMNS;
            let out = some_panels(&a, &packed, panels);
            let seen: fn(f32) -> f64 = match precision {
                Precision::Bf16 => rounded,
                Precision::Bits16 | Precision::F32 => f64::from,
            };
            // Roundings of so many sums, which go either way; and of numbers, where there are two parts of them.
            let digits = if precision == Precision::Bits16 { 2f64.powi(-15) } else { 0.0 };
            let rounding = 2f64.powi(-23) * (depth as f64).sqrt() + digits;
            for row in 0..rows {
                for column in left..columns {
                    let products = (0..depth).map(|inner| seen(a[row * depth + inner]) * seen(b[inner * columns + column]));
                    let (exact, size) = products.fold((0.0, 0.0), |(sum, size), product| (sum + product, size + product.abs()));
                    let got = f64::from(out[row * (columns - left) + column - left]);
                    prop_assert!((got - exact).abs() <= rounding * (size + 1.0), "at {row},{column}: {got} for {exact}");
                }
            }
        }

        /// Put together from pieces, or written whole with zeros between: the same to the last bit.
        #[test]
        fn rows_of_pieces_are_rows(
            rows in 1usize..70, width in 1usize..100, places in 1usize..6, columns in 1usize..100, seed in 0usize..1000,
            precision in prop_oneof![Just(Precision::Bf16), Just(Precision::Bits16), Just(Precision::F32)],
        ) {
            if !supports(precision) {
                return Ok(());
            }
            let numbers = matrix(17, width, seed);
            let piece = |row: usize, place: usize| (!(row + place).is_multiple_of(5)).then_some((row * 3 + place * 7 + seed) % 17);
            let depth = places * Pieces::depth(width);
            let right = packed(precision, depth, columns, |row, column| number(row * columns + column));
            let mut whole = vec![0.0; rows * depth];
            for (row, whole) in whole.chunks_mut(depth).enumerate() {
                for (place, into) in whole.chunks_mut(Pieces::depth(width)).enumerate() {
                    if let Some(piece) = piece(row, place) {
                        into[..width].copy_from_slice(&numbers[piece * width..][..width]);
                    }
                }
            }
            let mut out = vec![f32::NAN; rows * columns];
            let mut slices: Vec<&mut [f32]> = out.chunks_mut(columns).collect();
            let pieces = Pieces::new(precision, &numbers, width);
            multiply_pieces((&pieces, &piece), &right, 0..right.panels(), &mut slices, &|_, _, _| {});
            prop_assert_eq!(out, product(&whole, &right));
        }

        /// With what lies between in the precision of both, as if it had been written and read again.
        #[test]
        fn two_products_together_are_one_after_the_other(
            rows in 1usize..70, depth in 1usize..100, inner in 1usize..600, columns in 1usize..100, seed in 0usize..1000,
            precision in prop_oneof![Just(Precision::Bf16), Just(Precision::Bits16), Just(Precision::F32)],
        ) {
            if !supports(precision) {
                return Ok(());
            }
            let a = matrix(rows, depth, seed);
            let first = packed(precision, depth, inner, |row, column| number(row * inner + column + seed));
            let second = packed(precision, inner, columns, |row, column| number(row * columns + column + 3));
            let activate = |_: usize, column: usize, piece: &mut [f32]| {
                piece.iter_mut().zip(column..).for_each(|(value, column)| *value = (*value + (column % 7) as f32).max(0.0));
            };
            let mut wide = product(&a, &first);
            wide.chunks_mut(inner).for_each(|row| activate(0, 0, row));
            let wanted = product(&wide, &second);
            let mut out = vec![f32::NAN; rows * columns];
            let mut slices: Vec<&mut [f32]> = out.chunks_mut(columns).collect();
            let read = |row: usize, into: &mut [f32]| into.copy_from_slice(&a[row * depth..][..depth]);
            feed_forward(&read, &first, &activate, &second, &mut slices, &|_, _, _| {});
            prop_assert_eq!(out, wanted);
        }

        /// The parts of a matrix's number add up to it, whichever form it is kept in.
        #[test]
        fn one_times_a_number_is_that_number(bits in any::<u32>(), half in -2048i16..2048) {
            let number = f32::from_bits(bits);
            if supports(Precision::F32) && number.is_normal() && number.abs() > 1e-30 && number.abs() < 3e38 {
                prop_assert_eq!(product(&[1.0], &packed(Precision::F32, 1, 1, |_, _| number)), [number]);
            }
            let half = f32::from(half) / 1024.0;
            if supports(Precision::F32) {
                prop_assert_eq!(product(&[1.0], &packed(Precision::F32, 1, 1, |_, _| half)), [half]);
            }
        }
    }

    /// A product in f32 is off by the rounding of f32 and not by that of its parts: to half of the last bit where one product is all there is.
    #[test]
    fn in_f32_a_single_product_is_rounded_once() {
        if !supports(Precision::F32) {
            return;
        }
        let right = packed(Precision::F32, 1, 40, |_, column| number(column * 3 + 1));
        for seed in 0..200 {
            let a = number(seed) * 1.000_123;
            for (column, got) in product(&[a], &right).into_iter().enumerate() {
                let exact = f64::from(a) * f64::from(number(column * 3 + 1));
                assert!((f64::from(got) - exact).abs() <= exact.abs() * 2f64.powi(-22), "{got} for {exact}");
            }
        }
    }

    #[test]
    fn what_is_not_finite_stays_so() {
        for precision in supported() {
            let right = packed(precision, 3, 1, |_, _| 1.0);
            for number in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                assert!(!product(&[1.0, number, 2.0], &right)[0].is_finite(), "{number}");
            }
        }
    }

    #[test]
    fn every_number_is_finished_once() {
        if !supports(Precision::Bf16) {
            return;
        }
        let (rows, columns) = (50, 700);
        let right = packed(Precision::Bf16, 40, columns, |_, _| 1.0);
        let panels = 3..right.panels();
        let width = columns - panels.start * PANEL_COLUMNS;
        let mut out = vec![0.0; rows * width];
        let mut slices: Vec<&mut [f32]> = out.chunks_mut(width).collect();
        let finish = |row: usize, column: usize, piece: &mut [f32]| {
            piece.iter_mut().zip(column..).for_each(|(value, column)| *value += (row * width + column) as f32);
        };
        multiply(&|_, row| row.fill(0.5), &right, panels, &mut slices, &finish);
        assert!(out.iter().enumerate().all(|(place, value)| (*value - 20.0 - place as f32).abs() == 0.0));
    }

    #[test]
    fn a_row_does_not_depend_on_its_company_or_on_what_was_before() {
        let (depth, columns) = (600, 130);
        let a = matrix(100, depth, 1);
        for precision in supported() {
            let right = packed(precision, depth, columns, |row, column| number(row * 3 + column));
            let halves = packed(precision, depth, columns, |row, column| ((row * 3 + column) % 2000) as f32 / 1024.0);
            for right in [&right, &halves] {
                let all = product(&a, right);
                for row in [0, 1, 57, 99] {
                    let alone = product(&a[row * depth..][..depth], right);
                    assert_eq!(alone, all[row * columns..][..columns]);
                }
            }
            // A smaller one leaves nothing of the larger in what the thread works in.
            let small = packed(precision, 33, 5, |row, column| number(row * 5 + column));
            let before = product(&a[..33 * 3], &small);
            product(&a, &right);
            assert_eq!(product(&a[..33 * 3], &small), before);
        }
    }

    #[test]
    fn threads_do_not_disturb_each_other() {
        if !supports(Precision::Bf16) {
            return;
        }
        let a = matrix(40, 256, 1);
        let right = packed(Precision::Bf16, 256, 256, |row, column| number(row * 256 + column));
        let wanted = product(&a, &right);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..200).for_each(|_| assert_eq!(product(&a, &right), wanted)));
            }
        });
    }

    #[test]
    fn nothing_times_something_is_nothing() {
        for precision in supported() {
            multiply(&|_, _| {}, &packed(precision, 4, 4, |_, _| 1.0), 0..1, &mut [], &|_, _, _| {});
        }
    }

    #[test]
    #[should_panic(expected = "not as wide")]
    fn a_result_of_another_width_is_refused() {
        assert!(supports(Precision::Bf16), "a processor that does not multiply so is not as wide either");
        let right = packed(Precision::Bf16, 4, 4, |_, _| 1.0);
        multiply(&|_, row| row.fill(1.0), &right, 0..1, &mut [&mut [0.0; 3]], &|_, _, _| {});
    }
}
