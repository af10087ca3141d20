//! The instructions.

#![allow(unsafe_code)]

use std::arch::asm;
use std::arch::x86_64::{
    __cpuid_count, __m256i, __m512, __m512bh, __m512i, _mm512_castsi512_ps, _mm512_castsi512_si256,
    _mm512_cvtepu16_epi32, _mm512_cvtne2ps_pbh, _mm512_extracti64x4_epi64, _mm512_loadu_ps, _mm512_slli_epi32,
    _mm512_sub_ps,
};
use std::cell::RefCell;
use std::ops::Range;

use crate::{Line, PANEL_COLUMNS, PANEL_LINES, PIECE_COLUMNS, Packed, TILE_DEPTH, TILE_ROWS};

/// AMX-BF16 and AMX-TILE in EDX of leaf 7.
const NEEDED: u32 = 1 << 22 | 1 << 24;
/// `ARCH_REQ_XCOMP_PERM` of `arch_prctl(2)`, and the state of tiles.
const REQUEST: libc::c_long = 0x1023;
const TILE_DATA: libc::c_long = 18;

/// Asks the system for leave to use tiles, for all threads of this process.
pub(crate) fn request() -> bool {
    // Leaf 0 says how many there are.
    let has_tiles = __cpuid_count(0, 0).eax >= 7 && __cpuid_count(7, 0).edx & NEEDED == NEEDED;
    if !has_tiles || !is_x86_feature_detected!("avx512bf16") || !is_x86_feature_detected!("avx512f") {
        return false;
    }
    // SAFETY: the call changes nothing but what this process may do.
    unsafe { libc::syscall(libc::SYS_arch_prctl, REQUEST, TILE_DATA) == 0 }
}

/// The shape of all eight tiles: 16 rows of 64 bytes.
#[repr(C, align(64))]
struct Shape {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    bytes: [u16; 16],
    rows: [u8; 16],
}

static SHAPE: Shape = Shape {
    palette: 1,
    start_row: 0,
    reserved: [0; 14],
    bytes: [64, 64, 64, 64, 64, 64, 64, 64, 0, 0, 0, 0, 0, 0, 0, 0],
    rows: [16, 16, 16, 16, 16, 16, 16, 16, 0, 0, 0, 0, 0, 0, 0, 0],
};

/// Tiles are set up as long as this lives. It stays on its thread.
struct Tiles(std::marker::PhantomData<*const ()>);

impl Tiles {
    fn new() -> Self {
        // SAFETY: only reached when `request` has succeeded; the shape is a valid one.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const SHAPE, options(nostack, preserves_flags)) };
        Self(std::marker::PhantomData)
    }
}

impl Drop for Tiles {
    fn drop(&mut self) {
        // SAFETY: tiles hold nothing that is still needed.
        unsafe { asm!("tilerelease", options(nostack, preserves_flags, nomem)) };
    }
}

/// Steps of 32 numbers, times parts, that are summed before the next rows come: those of a panel stay in the first-level cache.
const NEAR: usize = 6;

/// Bytes of rows that are gone through before the next panel comes: they stay in the second-level cache.
const FAR_BYTES: usize = 640 << 10;

/// Panels whose sums are written out together: a result is not written in short pieces far from each other.
const TOGETHER: usize = PIECE_COLUMNS / PANEL_COLUMNS;

/// A row of sums of these panels. What follows keeps rows from falling into few places of the first-level cache.
#[derive(Clone)]
#[repr(C, align(64))]
struct Sums {
    panels: [[f32; PANEL_COLUMNS]; TOGETHER],
    apart: [f32; 16],
}

impl Sums {
    const ZERO: Self = Self { panels: [[0.0; PANEL_COLUMNS]; TOGETHER], apart: [0.0; 16] };
}

/// What a thread works in, kept for the next time: fresh memory would cost more than the product of a small matrix.
#[derive(Default)]
struct Scratch {
    row: Vec<f32>,
    lines: Vec<Line>,
    between: Vec<Line>,
    sums: Vec<Sums>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Lends this thread's memory. Meanwhile it is not there for others: whoever reads or finishes rows may itself multiply.
fn with_scratch(work: impl FnOnce(&mut Scratch)) {
    let mut scratch = SCRATCH.take();
    work(&mut scratch);
    SCRATCH.set(scratch);
}

/// See [`crate::multiply`], which has checked the widths.
pub(crate) fn multiply<const PARTS: usize>(
    read: &impl Fn(usize, &mut [f32]),
    b: &Packed,
    panels: Range<usize>,
    out: &mut [&mut [f32]],
    finish: &impl Fn(usize, usize, &mut [f32]),
) {
    with_scratch(|Scratch { row, lines, sums, .. }| {
        read_rows::<PARTS>(read, out.len(), b, row, lines);
        product::<PARTS>(lines, b, panels, sums, |index, column, sums| write(out, index, column, sums, finish));
    });
}

/// See [`crate::feed_forward`], which has checked the widths.
pub(crate) fn feed_forward<const PARTS: usize>(
    read: &impl Fn(usize, &mut [f32]),
    first: &Packed,
    between: &impl Fn(usize, usize, &mut [f32]),
    second: &Packed,
    out: &mut [&mut [f32]],
    finish: &impl Fn(usize, usize, &mut [f32]),
) {
    with_scratch(|Scratch { row, lines, between: divided, sums }| {
        read_rows::<PARTS>(read, out.len(), first, row, lines);
        let steps = second.steps();
        divided.resize(out.len().next_multiple_of(TILE_ROWS) * steps * PARTS, Line([0; TILE_DEPTH]));
        product::<PARTS>(lines, first, 0..first.panels(), sums, |index, column, sums| {
            if index < out.len() {
                let width = sums.len().min(first.columns - column);
                between(index, column, &mut sums[..width]);
                // What is beyond the last column is a product with nothing.
                let sums = &sums[..width.next_multiple_of(TILE_DEPTH)];
                let lines = &mut divided[place(index, steps * PARTS) + column / TILE_DEPTH * PARTS * TILE_ROWS..];
                // SAFETY: `request` has found these instructions.
                unsafe { divide_row::<PARTS>(sums, lines) };
            }
        });
        product::<PARTS>(divided, second, 0..second.panels(), sums, |index, column, sums| {
            write(out, index, column, sums, finish);
        });
    });
}

/// The first line of a row among tiles, of which 16 rows have so many.
fn place(row: usize, tiles: usize) -> usize {
    row / TILE_ROWS * TILE_ROWS * tiles + row % TILE_ROWS
}

/// Reads rows of the left matrix and divides them into tiles; what is missing of the last 16 rows is zero.
fn read_rows<const PARTS: usize>(
    read: &impl Fn(usize, &mut [f32]),
    rows: usize,
    b: &Packed,
    row: &mut Vec<f32>,
    lines: &mut Vec<Line>,
) {
    let steps = b.steps();
    let padded = rows.next_multiple_of(TILE_ROWS);
    row.clear();
    row.resize(steps * TILE_DEPTH, 0.0);
    lines.resize(padded * steps * PARTS, Line([0; TILE_DEPTH]));
    for index in 0..padded {
        if index < rows {
            read(index, &mut row[..b.depth]);
        } else {
            row.fill(0.0);
        }
        // SAFETY: `request` has found these instructions.
        unsafe { divide_row::<PARTS>(row, &mut lines[place(index, steps * PARTS)..]) };
    }
}

/// Writes sums of a row from a column (counted from the first panel's) on where they belong, and finishes them.
fn write(out: &mut [&mut [f32]], row: usize, column: usize, sums: &[f32], finish: &impl Fn(usize, usize, &mut [f32])) {
    if let Some(out) = out.get_mut(row) {
        let width = sums.len().min(out.len() - column);
        let out = &mut out[column..][..width];
        out.copy_from_slice(&sums[..width]);
        finish(row, column, out);
    }
}

/// Rows, divided into tiles, times some panels. `consume` is given the sums of some panels of a row, from a column (counted from the first panel's) on; of all columns
/// that these panels have room for, and also of the rows with which the last 16 are filled up.
fn product<const PARTS: usize>(
    lines: &[Line],
    b: &Packed,
    panels: Range<usize>,
    sums: &mut Vec<Sums>,
    mut consume: impl FnMut(usize, usize, &mut [f32]),
) {
    let steps = b.steps();
    let rows = lines.len() / (steps * PARTS);
    let near = NEAR / PARTS;
    let far = (FAR_BYTES / (rows * PARTS * size_of::<Line>())).next_multiple_of(near).max(near);
    sums.resize(rows, Sums::ZERO);
    for first in panels.clone().step_by(TOGETHER) {
        let together = (panels.end - first).min(TOGETHER);
        let tiles = Tiles::new();
        for far in (0..steps).step_by(far).map(|begin| begin..(begin + far).min(steps)) {
            for index in 0..together {
                let panel = b.panel(first + index);
                for begin in far.clone().step_by(near) {
                    let some = begin..(begin + near).min(far.end);
                    let panel = &panel[some.start * PARTS * PANEL_LINES..some.end * PARTS * PANEL_LINES];
                    // Two tiles of rows at a time, at the end perhaps one.
                    let rows = lines.chunks(2 * TILE_ROWS * steps * PARTS).zip(sums.chunks_mut(2 * TILE_ROWS));
                    for (lines, sums) in rows {
                        let lines = &lines[some.start * PARTS * TILE_ROWS..];
                        add_product::<PARTS>(&tiles, lines, steps, panel, sums, index, begin == 0);
                    }
                }
            }
        }
        // Before `consume`, in which somebody may multiply and so leave none.
        drop(tiles);
        let column = (first - panels.start) * PANEL_COLUMNS;
        for (index, sums) in sums.iter_mut().enumerate() {
            consume(index, column, &mut sums.panels.as_flattened_mut()[..together * PANEL_COLUMNS]);
        }
    }
}

/// Asks for large pages under what is not written yet: a matrix is read from end to end, and small ones would have to be looked up all the time.
pub(crate) fn prefer_huge_pages<T>(memory: &mut [T]) {
    const PAGE: usize = 2 << 20;
    let range = memory.as_mut_ptr_range();
    let (start, end) = ((range.start as usize).next_multiple_of(PAGE), range.end as usize / PAGE * PAGE);
    if start < end {
        // SAFETY: the range lies within the memory. It stays as it is; a system without such pages says so, and nothing is lost.
        unsafe { libc::madvise(start as *mut libc::c_void, end - start, libc::MADV_HUGEPAGE) };
    }
}

/// See [`crate::divide`].
pub(crate) fn divide(numbers: &[f32], parts: usize, lines: &mut [Line]) {
    let (steps, _) = numbers.as_chunks::<TILE_DEPTH>();
    for (numbers, lines) in steps.iter().zip(lines.chunks_exact_mut(parts)) {
        // SAFETY: who asks has found these instructions.
        unsafe { divide_step(numbers, lines.iter_mut()) };
    }
}

/// Divides a row into tiles: the parts of each 32 numbers to the first lines of the next tiles.
#[target_feature(enable = "avx512f,avx512bf16")]
fn divide_row<const PARTS: usize>(row: &[f32], lines: &mut [Line]) {
    let (steps, _) = row.as_chunks::<TILE_DEPTH>();
    for (numbers, lines) in steps.iter().zip(lines.chunks_mut(TILE_ROWS * PARTS)) {
        divide_step(numbers, lines.iter_mut().step_by(TILE_ROWS).take(PARTS));
    }
}

/// 32 numbers as bf16, what is left of them as bf16, and so on, as many times as there are lines.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
fn divide_step<'a>(numbers: &[f32; TILE_DEPTH], lines: impl Iterator<Item = &'a mut Line>) {
    // SAFETY: there are 32 numbers; a vector has 16.
    let [mut low, mut high] = unsafe { [_mm512_loadu_ps(numbers.as_ptr()), _mm512_loadu_ps(numbers.as_ptr().add(16))] };
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

/// Goes through some steps: the instructions for one, with the parts of a number that there are.
macro_rules! steps {
    ($parts:literal, $a:ident, $below:ident, $panel:ident, $some:ident, [$($instruction:literal),* $(,)?]) => {
        asm!(
            "2:",
            $($instruction,)*
            "add {a}, {next_a}",
            "add {below}, {next_a}",
            "add {b}, {next_b}",
            "dec {some}",
            "jnz 2b",
            a = inout(reg) $a => _,
            below = inout(reg) $below => _,
            b = inout(reg) $panel => _,
            some = inout(reg) $some => _,
            line = in(reg) size_of::<Line>(),
            next_a = const $parts * 1024,
            next_b = const $parts * 2048,
            options(nostack, readonly),
        )
    };
}

/// Adds to `sums`, one or two tiles of rows, the product of as many tiles of `a`, of which those of one row of tiles are `steps` steps apart, and some steps of a
/// panel. The first time the sums are nothing yet.
fn add_product<const PARTS: usize>(
    _: &Tiles,
    a: &[Line],
    steps: usize,
    panel: &[Line],
    sums: &mut [Sums],
    index: usize,
    is_first: bool,
) {
    let some = panel.len() / (PARTS * PANEL_LINES);
    let tiles = sums.len() / TILE_ROWS;
    assert!(
        index < TOGETHER
            && some > 0
            && (PARTS == 1 || PARTS == 3)
            && (tiles == 1 || tiles == 2)
            && a.len() >= ((tiles - 1) * steps + some) * PARTS * TILE_ROWS
    );
    let sum = size_of::<Sums>();
    let first = sums.as_mut_ptr().cast::<[f32; PANEL_COLUMNS]>().wrapping_add(index);
    let second = first.wrapping_byte_add(TILE_ROWS * sum);
    let below = a.as_ptr().wrapping_add(steps * PARTS * TILE_ROWS);
    // SAFETY: tiles are set up. The loops read `some` steps from `a`, and as many from `below` where there are two tiles, and `some` steps of `panel`; sums are
    // read and written in their own 16 or 32 rows. All of that was checked to be there.
    unsafe {
        if is_first {
            asm!("tilezero tmm0", "tilezero tmm1", "tilezero tmm2", "tilezero tmm3", options(nostack, nomem));
        } else {
            asm!(
                "tileloadd tmm0, [{first} + {sum}*1]", "tileloadd tmm1, [{first} + {sum}*1 + 64]",
                first = in(reg) first, sum = in(reg) sum, options(nostack, readonly),
            );
            if tiles == 2 {
                asm!(
                    "tileloadd tmm2, [{second} + {sum}*1]", "tileloadd tmm3, [{second} + {sum}*1 + 64]",
                    second = in(reg) second, sum = in(reg) sum, options(nostack, readonly),
                );
            }
        }
        let (is_one, first_step, first_panel) = (tiles == 1, a.as_ptr(), panel.as_ptr());
        if PARTS == 1 {
            add_bf16(is_one, first_step, below, first_panel, some);
        } else {
            add_f32(is_one, first_step, below, first_panel, some);
        }
        asm!(
            "tilestored [{first} + {sum}*1], tmm0", "tilestored [{first} + {sum}*1 + 64], tmm1",
            first = in(reg) first, sum = in(reg) sum, options(nostack),
        );
        if tiles == 2 {
            asm!(
                "tilestored [{second} + {sum}*1], tmm2", "tilestored [{second} + {sum}*1 + 64], tmm3",
                second = in(reg) second, sum = in(reg) sum, options(nostack),
            );
        }
    }
}

/// Adds products of numbers in one part, of one tile of rows or of two.
///
/// # Safety
/// As for [`add_product`], which has checked it.
#[inline]
unsafe fn add_bf16(is_one: bool, a: *const Line, below: *const Line, panel: *const Line, some: usize) {
    // SAFETY: it was checked.
    unsafe {
        if is_one {
            steps!(
                1,
                a,
                below,
                panel,
                some,
                [
                    "tileloadd tmm4, [{a} + {line}*1]",
                    "tileloadd tmm6, [{b} + {line}*1]",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    "tileloadd tmm7, [{b} + {line}*1 + 1024]",
                    "tdpbf16ps tmm1, tmm4, tmm7"
                ]
            );
        } else {
            steps!(
                1,
                a,
                below,
                panel,
                some,
                [
                    "tileloadd tmm4, [{a} + {line}*1]",
                    "tileloadd tmm6, [{b} + {line}*1]",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    "tileloadd tmm7, [{b} + {line}*1 + 1024]",
                    "tdpbf16ps tmm1, tmm4, tmm7",
                    "tileloadd tmm5, [{below} + {line}*1]",
                    "tdpbf16ps tmm2, tmm5, tmm6",
                    "tdpbf16ps tmm3, tmm5, tmm7"
                ]
            );
        }
    }
}

/// Adds products of numbers in three parts, of one tile of rows or of two. The smallest first: 3 x 1, 2 x 1, 2 x 2, 1 x 2, 1 x 3, 1 x 1, so that one side stays from each to
/// the next.
///
/// # Safety
/// As for [`add_product`], which has checked it.
#[inline]
unsafe fn add_f32(is_one: bool, a: *const Line, below: *const Line, panel: *const Line, some: usize) {
    // SAFETY: it was checked.
    unsafe {
        if is_one {
            steps!(
                3,
                a,
                below,
                panel,
                some,
                [
                    "tileloadd tmm4, [{a} + {line}*1 + 2048]",
                    "tileloadd tmm6, [{b} + {line}*1]",
                    "tileloadd tmm7, [{b} + {line}*1 + 1024]",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    "tdpbf16ps tmm1, tmm4, tmm7",
                    "tileloadd tmm4, [{a} + {line}*1 + 1024]",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    "tdpbf16ps tmm1, tmm4, tmm7",
                    "tileloadd tmm6, [{b} + {line}*1 + 2048]",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    "tileloadd tmm7, [{b} + {line}*1 + 3072]",
                    "tdpbf16ps tmm1, tmm4, tmm7",
                    "tileloadd tmm4, [{a} + {line}*1]",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    "tdpbf16ps tmm1, tmm4, tmm7",
                    "tileloadd tmm6, [{b} + {line}*1 + 4096]",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    "tileloadd tmm7, [{b} + {line}*1 + 5120]",
                    "tdpbf16ps tmm1, tmm4, tmm7",
                    "tileloadd tmm6, [{b} + {line}*1]",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    "tileloadd tmm7, [{b} + {line}*1 + 1024]",
                    "tdpbf16ps tmm1, tmm4, tmm7"
                ]
            );
        } else {
            steps!(
                3,
                a,
                below,
                panel,
                some,
                [
                    "tileloadd tmm4, [{a} + {line}*1 + 2048]",
                    "tileloadd tmm6, [{b} + {line}*1]",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    "tileloadd tmm7, [{b} + {line}*1 + 1024]",
                    "tdpbf16ps tmm1, tmm4, tmm7",
                    "tileloadd tmm5, [{below} + {line}*1 + 2048]",
                    "tdpbf16ps tmm2, tmm5, tmm6",
                    "tileloadd tmm4, [{a} + {line}*1 + 1024]",
                    "tdpbf16ps tmm3, tmm5, tmm7",
                    "tileloadd tmm5, [{below} + {line}*1 + 1024]",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    "tdpbf16ps tmm2, tmm5, tmm6",
                    "tileloadd tmm6, [{b} + {line}*1 + 2048]",
                    "tdpbf16ps tmm1, tmm4, tmm7",
                    "tdpbf16ps tmm3, tmm5, tmm7",
                    "tileloadd tmm7, [{b} + {line}*1 + 3072]",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    "tdpbf16ps tmm1, tmm4, tmm7",
                    "tileloadd tmm4, [{a} + {line}*1]",
                    "tdpbf16ps tmm2, tmm5, tmm6",
                    "tdpbf16ps tmm3, tmm5, tmm7",
                    "tileloadd tmm5, [{below} + {line}*1]",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    "tdpbf16ps tmm2, tmm5, tmm6",
                    "tileloadd tmm6, [{b} + {line}*1 + 4096]",
                    "tdpbf16ps tmm1, tmm4, tmm7",
                    "tdpbf16ps tmm3, tmm5, tmm7",
                    "tileloadd tmm7, [{b} + {line}*1 + 5120]",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    "tdpbf16ps tmm2, tmm5, tmm6",
                    "tileloadd tmm6, [{b} + {line}*1]",
                    "tdpbf16ps tmm1, tmm4, tmm7",
                    "tdpbf16ps tmm3, tmm5, tmm7",
                    "tileloadd tmm7, [{b} + {line}*1 + 1024]",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    "tdpbf16ps tmm2, tmm5, tmm6",
                    "tdpbf16ps tmm1, tmm4, tmm7",
                    "tdpbf16ps tmm3, tmm5, tmm7"
                ]
            );
        }
    }
}
