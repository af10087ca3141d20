//! Vectors: sixteen numbers, or sixteen pairs of bf16 by the instruction of AVX512-BF16 (Intel, "Architecture Instruction Set Extensions and Future Features",
//! `VDPBF16PS`), times as many, added to sixteen sums. The lines of tiles are what they want.

use std::arch::x86_64::{
    __m512, __m512bh, _mm512_castsi512_ps, _mm512_dpbf16_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_set1_epi32,
    _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps,
};

use super::divide::vector;
use super::{Kernel, Sums, TOGETHER};
use crate::{Line, PANEL_LINES, TILE_ROWS, WHOLE_LINES};

/// Rows whose sums are in registers together: 16 of the 32 that there are, two for each row.
const ROWS: usize = 8;

/// Nothing has to be made ready.
pub(super) struct Vectors;

impl Kernel for Vectors {
    const ROWS: usize = 1;
    const WHOLE: Option<usize> = Some(WHOLE_LINES);
    const APART: usize = 1;
    const FAR_BYTES: usize = 384 << 10;

    fn near(_: usize, lines: usize) -> usize {
        96 / lines
    }

    fn start() -> Self {
        Self
    }

    fn add_product<const LINES: usize, const PARTS: usize>(
        &self,
        a: &[Line],
        steps: usize,
        panel: &[Line],
        sums: &mut [Sums],
        index: usize,
        is_first: bool,
    ) {
        assert!((LINES == 1 || LINES == 2) && PARTS == LINES && index < TOGETHER);
        let stride = steps * LINES;
        // As many at a time: few rows would wait for their own sums.
        let together = sums.len().div_ceil(sums.len().div_ceil(ROWS));
        for (lines, sums) in a.chunks(together * stride).zip(sums.chunks_mut(together)) {
            let rows = Rows { lines, stride };
            // SAFETY: only reached where the instructions for numbers in so many lines were found.
            unsafe {
                if LINES == 1 {
                    add_pairs(rows, panel, sums, index, is_first);
                } else {
                    add_numbers(rows, panel, sums, index, is_first);
                }
            }
        }
    }
}

/// Rows of lines, so many lines apart.
#[derive(Clone, Copy)]
struct Rows<'a> {
    lines: &'a [Line],
    stride: usize,
}

impl<'a> Rows<'a> {
    /// The first lines of the first rows.
    #[inline]
    fn first<const COUNT: usize>(self, lines: usize) -> [&'a [Line]; COUNT] {
        std::array::from_fn(|row| &self.lines[row * self.stride..][..lines])
    }
}

/// The function for as many rows as there are sums.
macro_rules! by_rows {
    ($add:ident, $rows:ident, $panel:ident, $sums:ident, $index:ident, $is_first:ident) => {
        match $sums.len() {
            1 => $add::<1>($rows, $panel, $sums, $index, $is_first),
            2 => $add::<2>($rows, $panel, $sums, $index, $is_first),
            3 => $add::<3>($rows, $panel, $sums, $index, $is_first),
            4 => $add::<4>($rows, $panel, $sums, $index, $is_first),
            5 => $add::<5>($rows, $panel, $sums, $index, $is_first),
            6 => $add::<6>($rows, $panel, $sums, $index, $is_first),
            7 => $add::<7>($rows, $panel, $sums, $index, $is_first),
            _ => $add::<ROWS>($rows, $panel, $sums, $index, $is_first),
        }
    };
}

/// Adds the product of up to [`ROWS`] rows and some steps of a panel. Numbers are pairs of bf16.
#[target_feature(enable = "avx512f,avx512bf16")]
fn add_pairs(rows: Rows, panel: &[Line], sums: &mut [Sums], index: usize, is_first: bool) {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bf16")]
    fn add<const COUNT: usize>(rows: Rows, panel: &[Line], sums: &mut [Sums], index: usize, is_first: bool) {
        let mut totals = read::<COUNT>(sums, index, is_first);
        let (tiles, _) = panel.as_chunks::<PANEL_LINES>();
        let rows = rows.first::<COUNT>(tiles.len());
        for (tile, panel) in tiles.iter().enumerate() {
            let lines = rows.map(|row| &row[tile]);
            for (pair, [low, high]) in panel.as_chunks::<2>().0.iter().enumerate() {
                let [low, high] = [pairs(vector(low)), pairs(vector(high))];
                for (line, totals) in lines.into_iter().zip(&mut totals) {
                    let both = pairs(_mm512_castsi512_ps(_mm512_set1_epi32(word(line, pair).cast_signed())));
                    *totals = [_mm512_dpbf16_ps(totals[0], both, low), _mm512_dpbf16_ps(totals[1], both, high)];
                }
            }
        }
        write(totals, sums, index);
    }
    by_rows!(add, rows, panel, sums, index, is_first);
}

/// [`add_pairs`] for numbers as they are.
#[target_feature(enable = "avx512f")]
fn add_numbers(rows: Rows, panel: &[Line], sums: &mut [Sums], index: usize, is_first: bool) {
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn add<const COUNT: usize>(rows: Rows, panel: &[Line], sums: &mut [Sums], index: usize, is_first: bool) {
        let mut totals = read::<COUNT>(sums, index, is_first);
        let (tiles, _) = panel.as_chunks::<PANEL_LINES>();
        let rows = rows.first::<COUNT>(tiles.len());
        for (tile, panel) in tiles.iter().enumerate() {
            let lines = rows.map(|row| &row[tile]);
            for (place, [low, high]) in panel.as_chunks::<2>().0.iter().enumerate() {
                let [low, high] = [vector(low), vector(high)];
                for (line, totals) in lines.into_iter().zip(&mut totals) {
                    let number = _mm512_set1_ps(f32::from_bits(word(line, place)));
                    *totals = [_mm512_fmadd_ps(number, low, totals[0]), _mm512_fmadd_ps(number, high, totals[1])];
                }
            }
        }
        write(totals, sums, index);
    }
    by_rows!(add, rows, panel, sums, index, is_first);
}

/// The sums of a panel so far.
#[inline]
#[target_feature(enable = "avx512f")]
fn read<const COUNT: usize>(sums: &[Sums], index: usize, is_first: bool) -> [[__m512; 2]; COUNT] {
    let mut totals = [[_mm512_setzero_ps(); 2]; COUNT];
    if !is_first {
        for (totals, sums) in totals.iter_mut().zip(sums) {
            let (low, high) = sums.panels[index].split_at(TILE_ROWS);
            // SAFETY: each half has the 16 numbers of a vector.
            *totals = unsafe { [_mm512_loadu_ps(low.as_ptr()), _mm512_loadu_ps(high.as_ptr())] };
        }
    }
    totals
}

#[inline]
#[target_feature(enable = "avx512f")]
fn write<const COUNT: usize>(totals: [[__m512; 2]; COUNT], sums: &mut [Sums], index: usize) {
    for (totals, sums) in totals.into_iter().zip(sums) {
        let (low, high) = sums.panels[index].split_at_mut(TILE_ROWS);
        // SAFETY: each half has the 16 numbers of a vector.
        unsafe {
            _mm512_storeu_ps(low.as_mut_ptr(), totals[0]);
            _mm512_storeu_ps(high.as_mut_ptr(), totals[1]);
        }
    }
}

/// Two bf16 of a line, or one number.
#[inline]
fn word(line: &Line, place: usize) -> u32 {
    let [low, high] = line.0.as_chunks::<2>().0[place];
    u32::from(low) | u32::from(high) << 16
}

#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
fn pairs(bits: __m512) -> __m512bh {
    // SAFETY: both have 64 bytes, of which all values are valid.
    unsafe { std::mem::transmute::<__m512, __m512bh>(bits) }
}
