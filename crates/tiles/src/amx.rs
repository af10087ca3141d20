//! The instructions.

#![allow(unsafe_code)]

use std::arch::asm;
use std::arch::x86_64::{__cpuid_count, __m512bh, _mm512_cvtne2ps_pbh, _mm512_loadu_ps};
use std::cell::RefCell;
use std::ops::Range;

use crate::{Line, PANEL_COLUMNS, Packed, TILE_DEPTH, TILE_ROWS, bf16};

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

/// Steps of 32 numbers that are summed before the next rows come: a panel's part then stays in the first-level cache.
const STEPS: usize = 16;

/// Panels whose sums are written out together: a result is not written in short pieces far from each other.
const TOGETHER: usize = 8;

/// A row of sums of these panels.
#[derive(Clone)]
#[repr(align(64))]
struct Sums([[f32; PANEL_COLUMNS]; TOGETHER]);

/// What a thread works in, kept for the next time: fresh memory would cost more than the product of a small matrix.
#[derive(Default)]
struct Scratch {
    lines: Vec<Line>,
    sums: Vec<Sums>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// See [`crate::multiply`], which has checked the lengths.
pub(crate) fn multiply(a: &[f32], b: &Packed, panels: Range<usize>, out: &mut [f32], stride: usize) {
    SCRATCH.with_borrow_mut(|Scratch { lines, sums }| {
        let (rows, steps) = (a.len() / b.depth, b.steps());
        let padded = rows.next_multiple_of(TILE_ROWS);
        lines.resize(padded * steps, Line([0; TILE_DEPTH]));
        sums.resize(padded, Sums([[0.0; PANEL_COLUMNS]; TOGETHER]));
        // SAFETY: `request` has found these instructions.
        unsafe { round(a, b.depth, lines) };
        let tiles = Tiles::new();
        for first in panels.clone().step_by(TOGETHER) {
            let together = first..(first + TOGETHER).min(panels.end);
            for (index, panel) in together.clone().enumerate() {
                for part in (0..steps).step_by(STEPS) {
                    let some = part..(part + STEPS).min(steps);
                    let panel = &b.panel(panel)[some.start * 2 * TILE_ROWS..some.end * 2 * TILE_ROWS];
                    // Two tiles of rows at a time, at the end perhaps one.
                    for (lines, sums) in lines.chunks(2 * TILE_ROWS * steps).zip(sums.chunks_mut(2 * TILE_ROWS)) {
                        add_product(&tiles, &lines[some.start * TILE_ROWS..], steps, panel, sums, index, part == 0);
                    }
                }
            }
            let columns = (together.end * PANEL_COLUMNS).min(b.columns) - first * PANEL_COLUMNS;
            let left = (first - panels.start) * PANEL_COLUMNS;
            for (sums, out) in sums.iter().zip(out.chunks_mut(stride)).take(rows) {
                out[left..][..columns].copy_from_slice(&sums.0.as_flattened()[..columns]);
            }
        }
    });
}

/// Rounds rows of `depth` numbers into tiles, those of the first 16 rows first; what is missing at the edges is zero.
#[target_feature(enable = "avx512f,avx512bf16")]
fn round(a: &[f32], depth: usize, lines: &mut [Line]) {
    let steps = depth.div_ceil(TILE_DEPTH);
    for (rows, lines) in a.chunks(TILE_ROWS * depth).zip(lines.chunks_exact_mut(TILE_ROWS * steps)) {
        for (index, row) in rows.chunks_exact(depth).enumerate() {
            let (whole, rest) = row.as_chunks::<TILE_DEPTH>();
            for (step, numbers) in whole.iter().enumerate() {
                // SAFETY: there are 32 numbers; a vector of f32 has 16, one of bf16 32.
                unsafe {
                    let low = _mm512_loadu_ps(numbers.as_ptr());
                    let high = _mm512_loadu_ps(numbers.as_ptr().add(16));
                    let rounded: __m512bh = _mm512_cvtne2ps_pbh(high, low);
                    lines[step * TILE_ROWS + index] = std::mem::transmute::<__m512bh, Line>(rounded);
                }
            }
            if !rest.is_empty() {
                let line = &mut lines[whole.len() * TILE_ROWS + index].0;
                line.fill(0);
                line.iter_mut().zip(rest).for_each(|(rounded, number)| *rounded = bf16(*number));
            }
        }
        for index in rows.len() / depth..TILE_ROWS {
            for step in 0..steps {
                lines[step * TILE_ROWS + index].0.fill(0);
            }
        }
    }
}

/// Adds to `sums`, one or two tiles of rows, the product of as many tiles of `a`, of which those of one row of tiles are `steps` tiles apart, and some steps of a
/// panel. The first time the sums are nothing yet.
fn add_product(_: &Tiles, a: &[Line], steps: usize, panel: &[Line], sums: &mut [Sums], index: usize, is_first: bool) {
    let some = panel.len() / (2 * TILE_ROWS);
    let tiles = sums.len() / TILE_ROWS;
    assert!(
        index < TOGETHER
            && some > 0
            && (tiles == 1 || tiles == 2)
            && a.len() >= ((tiles - 1) * steps + some) * TILE_ROWS
    );
    let (line, sum) = (size_of::<Line>(), size_of::<Sums>());
    let first = sums.as_mut_ptr().cast::<[f32; PANEL_COLUMNS]>().wrapping_add(index);
    let second = first.wrapping_add(TILE_ROWS * TOGETHER);
    let below = a.as_ptr().wrapping_add(steps * TILE_ROWS);
    // SAFETY: tiles are set up. The loops read `some` tiles from `a`, and as many from `below` where there are two, and `some` times two tiles of `panel`; sums
    // are read and written in their own 16 or 32 rows. All of that was checked to be there.
    unsafe {
        if is_first {
            asm!("tilezero tmm0", "tilezero tmm1", "tilezero tmm2", "tilezero tmm3", options(nostack, nomem));
        } else {
            asm!(
                "tileloadd tmm0, [{first} + {sum}*1]", "tileloadd tmm1, [{first} + {sum}*1 + 64]",
                first = in(reg) first, sum = in(reg) sum, options(nostack, readonly),
            );
        }
        if tiles == 1 {
            asm!(
                "2:",
                "tileloadd tmm4, [{a} + {line}*1]",
                "tileloadd tmm6, [{b} + {line}*1]",
                "tileloadd tmm7, [{b} + {line}*1 + 1024]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "add {a}, 1024",
                "add {b}, 2048",
                "dec {some}",
                "jnz 2b",
                a = inout(reg) a.as_ptr() => _,
                b = inout(reg) panel.as_ptr() => _,
                some = inout(reg) some => _,
                line = in(reg) line,
                options(nostack, readonly),
            );
        } else {
            if !is_first {
                asm!(
                    "tileloadd tmm2, [{second} + {sum}*1]", "tileloadd tmm3, [{second} + {sum}*1 + 64]",
                    second = in(reg) second, sum = in(reg) sum, options(nostack, readonly),
                );
            }
            asm!(
                "2:",
                "tileloadd tmm4, [{a} + {line}*1]",
                "tileloadd tmm6, [{b} + {line}*1]",
                "tileloadd tmm7, [{b} + {line}*1 + 1024]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "tileloadd tmm5, [{below} + {line}*1]",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "tdpbf16ps tmm2, tmm5, tmm6",
                "tdpbf16ps tmm3, tmm5, tmm7",
                "add {a}, 1024",
                "add {below}, 1024",
                "add {b}, 2048",
                "dec {some}",
                "jnz 2b",
                a = inout(reg) a.as_ptr() => _,
                below = inout(reg) below => _,
                b = inout(reg) panel.as_ptr() => _,
                some = inout(reg) some => _,
                line = in(reg) line,
                options(nostack, readonly),
            );
            asm!(
                "tilestored [{second} + {sum}*1], tmm2", "tilestored [{second} + {sum}*1 + 64], tmm3",
                second = in(reg) second, sum = in(reg) sum, options(nostack),
            );
        }
        asm!(
            "tilestored [{first} + {sum}*1], tmm0", "tilestored [{first} + {sum}*1 + 64], tmm1",
            first = in(reg) first, sum = in(reg) sum, options(nostack),
        );
    }
}
