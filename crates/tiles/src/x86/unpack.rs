//! Numbers of a panel, from the form in which they lie to the parts in which tiles multiply them.

use std::arch::x86_64::{
    __m512, __m512i, _MM_HINT_T0, _mm_prefetch, _mm512_and_si512, _mm512_castps_si512, _mm512_castsi512_ps,
    _mm512_castsi512_si256, _mm512_cvtph_ps, _mm512_extracti64x4_epi64, _mm512_or_si512, _mm512_set1_epi32,
    _mm512_srli_epi32, _mm512_sub_ps,
};

use super::divide::vector;
use super::kept;
use crate::packed::Form;
use crate::{Line, PANEL_LINES, TILE_DEPTH};

/// How far ahead of what is unpacked memory is asked for what comes; the processor itself looks less far.
const AHEAD_LINES: usize = 256;

/// Some steps of a panel in so many parts for tiles, in `room`, unless they lie so.
pub(super) fn as_multiplied<'a, const PARTS: usize>(
    panel: &'a [Line],
    form: Form,
    room: &'a mut Vec<Line>,
) -> &'a [Line] {
    if form == Form::Bf16 {
        return panel;
    }
    let room = kept(room, panel.len() / form.step_lines() * PARTS * PANEL_LINES, Line([0; TILE_DEPTH]));
    // SAFETY: numbers are divided for tiles, with which these instructions come.
    unsafe {
        match form {
            Form::F16 => unpack::<PARTS, PANEL_LINES>(panel, room),
            _ => unpack::<PARTS, { 2 * PANEL_LINES }>(panel, room),
        }
    }
    room
}

/// Divides steps of so many lines: of numbers in f16, or of twice as many in f32.
#[target_feature(enable = "avx512f")]
fn unpack<const PARTS: usize, const STEP_LINES: usize>(panel: &[Line], room: &mut [Line]) {
    let steps = panel.as_chunks::<STEP_LINES>().0.iter().zip(room.chunks_exact_mut(PARTS * PANEL_LINES));
    for (step, divided) in steps {
        for line in 0..PANEL_LINES {
            let mut rows = if STEP_LINES == PANEL_LINES {
                ahead(&step[line]);
                halves(&step[line])
            } else {
                let [even, odd] = [&step[2 * line], &step[2 * line + 1]];
                ahead(even);
                ahead(odd);
                [vector(even), vector(odd)]
            };
            for part in 0..PARTS {
                let (tops, rest) = divide(rows);
                divided[part * PANEL_LINES + line] = tops;
                rows = rest;
            }
        }
    }
}

/// The upper halves of the numbers of an even row and of the odd one after it, which are bf16, as a line of a tile, and what they leave. After three times nothing is left, and of
/// numbers in f16 after two.
#[inline]
#[target_feature(enable = "avx512f")]
fn divide([even, odd]: [__m512; 2]) -> (Line, [__m512; 2]) {
    let upper = _mm512_set1_epi32(0xffff_0000_u32.cast_signed());
    let bits = [_mm512_castps_si512(even), _mm512_castps_si512(odd)];
    let tops = [_mm512_and_si512(bits[0], upper), _mm512_and_si512(bits[1], upper)];
    let both = _mm512_or_si512(_mm512_srli_epi32::<16>(tops[0]), tops[1]);
    // SAFETY: both have 64 bytes, of which all values are valid.
    let line = unsafe { std::mem::transmute::<__m512i, Line>(both) };
    let [even_top, odd_top] = [_mm512_castsi512_ps(tops[0]), _mm512_castsi512_ps(tops[1])];
    (line, [_mm512_sub_ps(even, even_top), _mm512_sub_ps(odd, odd_top)])
}

/// 32 numbers in f16.
#[inline]
#[target_feature(enable = "avx512f")]
fn halves(line: &Line) -> [__m512; 2] {
    // SAFETY: both have 64 bytes, of which all values are valid.
    let bits = unsafe { std::mem::transmute::<Line, __m512i>(*line) };
    [_mm512_cvtph_ps(_mm512_castsi512_si256(bits)), _mm512_cvtph_ps(_mm512_extracti64x4_epi64::<1>(bits))]
}

/// Asks for the line so far behind this one, if there is one.
#[inline]
#[target_feature(enable = "avx512f")]
fn ahead(line: &Line) {
    _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(line).wrapping_add(AHEAD_LINES).cast());
}
