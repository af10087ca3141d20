//! Numbers to what is multiplied: as they are, or in parts of bf16.

use std::arch::x86_64::{
    __m256i, __m512, __m512bh, __m512i, _mm512_castsi512_ps, _mm512_castsi512_si256, _mm512_cvtepu16_epi32,
    _mm512_cvtne2ps_pbh, _mm512_extracti64x4_epi64, _mm512_slli_epi32, _mm512_sub_ps,
};

use super::Kernel;
use crate::{Line, TILE_DEPTH, WHOLE_LINES};

/// Rounds numbers to bf16, 32 to a line. Only where AVX512-BF16 is.
pub(crate) fn round(numbers: &[[f32; TILE_DEPTH]], lines: &mut [Line]) {
    #[target_feature(enable = "avx512f,avx512bf16")]
    fn round(numbers: &[[f32; TILE_DEPTH]], lines: &mut [Line]) {
        for (numbers, line) in numbers.iter().zip(lines) {
            divide_step(whole(numbers), std::iter::once(line));
        }
    }
    // SAFETY: who asks has found these instructions.
    unsafe { round(numbers, lines) };
}

/// Divides a row: the lines of each 32 numbers so far apart. In bf16 only where AVX512-BF16 is.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn divide_row<K: Kernel, const LINES: usize>(row: &[f32], lines: &mut [Line], apart: usize) {
    let (steps, _) = row.as_chunks::<TILE_DEPTH>();
    for (numbers, lines) in steps.iter().zip(lines.chunks_mut(apart * LINES)) {
        let lines = lines.iter_mut().step_by(apart).take(LINES);
        if K::WHOLE == Some(LINES) {
            lines.zip(whole(numbers)).for_each(|(line, numbers)| *line = numbers);
        } else {
            // SAFETY: numbers go in bf16 only where the instructions for it are.
            unsafe { divide_step(whole(numbers), lines) };
        }
    }
}

/// 32 numbers as they are.
pub(crate) fn whole(numbers: &[f32; TILE_DEPTH]) -> [Line; WHOLE_LINES] {
    // SAFETY: both have 128 bytes, of which all values are valid.
    unsafe { std::mem::transmute::<[f32; TILE_DEPTH], [Line; WHOLE_LINES]>(*numbers) }
}

/// 16 numbers of f32.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn vector(line: &Line) -> __m512 {
    // SAFETY: both have 64 bytes, of which all values are valid.
    unsafe { std::mem::transmute::<Line, __m512>(*line) }
}

/// The numbers that lines hold as they are.
pub(super) fn numbers_in(lines: &mut [Line]) -> &mut [f32] {
    let count = size_of_val(lines) / size_of::<f32>();
    // SAFETY: it is the same memory, more strictly aligned, and all values are valid.
    unsafe { std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), count) }
}

/// 32 numbers as bf16, what is left of them as bf16, and so on, as many times as there are lines.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
fn divide_step<'a>(numbers: [Line; WHOLE_LINES], lines: impl Iterator<Item = &'a mut Line>) {
    let [mut low, mut high] = [vector(&numbers[0]), vector(&numbers[1])];
    for line in lines {
        // SAFETY: the types have 64 bytes, of which all values are valid.
        let bits = unsafe {
            let rounded: __m512bh = _mm512_cvtne2ps_pbh(high, low);
            *line = std::mem::transmute::<__m512bh, Line>(rounded);
            std::mem::transmute::<__m512bh, __m512i>(rounded)
        };
        low = left(low, _mm512_castsi512_si256(bits));
        high = left(high, _mm512_extracti64x4_epi64::<1>(bits));
    }
}

/// What a bf16 leaves of a number; not a number where it is not finite.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
fn left(number: __m512, part: __m256i) -> __m512 {
    let value = _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(part)));
    _mm512_sub_ps(number, value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Tiles;
    use super::*;
    use crate::Precision;

    /// A number in three parts, the largest first. Of one that is not finite, or is rounded to infinity, the others are not numbers, and neither is a product with it.
    fn split(number: f32) -> [u16; 3] {
        let mut rest = number;
        std::array::from_fn(|_| {
            let part = crate::bf16(rest);
            rest -= f32::from_bits(u32::from(part) << 16);
            part
        })
    }

    proptest! {
        /// The instructions divide as the definition does.
        #[test]
        fn numbers_are_divided_alike(bits in proptest::collection::vec(any::<u32>(), TILE_DEPTH)) {
            let normal = |bits: &u32| f32::from_bits(*bits).is_nan() || f32::from_bits(*bits).abs() > 1e-30 || *bits == 0;
            if !crate::supports(Precision::Bf16) || !bits.iter().all(normal) {
                return Ok(());
            }
            let numbers: Vec<f32> = bits.iter().map(|bits| f32::from_bits(*bits)).collect();
            let mut lines = [Line([0; TILE_DEPTH]); 3];
            // SAFETY: the instructions were asked for.
            unsafe { divide_row::<Tiles, 3>(&numbers, &mut lines, 1) };
            for (place, number) in numbers.iter().enumerate() {
                let found = lines.map(|line| line.0[place]);
                let value = |part: u16| f32::from_bits(u32::from(part) << 16);
                let same = |one: u16, other: u16| one == other || value(one).is_nan() && value(other).is_nan();
                let wanted = split(*number);
                prop_assert!((0..3).all(|part| same(found[part], wanted[part])), "{}: {:?}", number, found);
            }
        }

        /// A number is the sum of its parts to the last bit, so one times one is exact too where f32 is.
        #[test]
        fn parts_add_up_to_the_number(bits in any::<u32>()) {
            let number = f32::from_bits(bits);
            let sum: f64 = split(number).into_iter().map(|part| f64::from(f32::from_bits(u32::from(part) << 16))).sum();
            if number.is_finite() && number.abs() > 1e-30 && number.abs() < 3e38 {
                prop_assert!((sum - f64::from(number)).abs() == 0.0, "{} for {}", sum, number);
            } else if !number.is_finite() {
                prop_assert!(!sum.is_finite());
            }
        }
    }
}
