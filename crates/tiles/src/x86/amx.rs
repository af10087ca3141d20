//! Tiles: the instructions of AMX.

use std::arch::asm;
use std::arch::x86_64::__cpuid_count;

use super::{Kernel, Sums, TOGETHER};
use crate::{Line, PANEL_COLUMNS, PANEL_LINES, TILE_ROWS};

/// AMX-BF16 and AMX-TILE in EDX of leaf 7.
const NEEDED: u32 = 1 << 22 | 1 << 24;
/// `ARCH_REQ_XCOMP_PERM` of `arch_prctl(2)`, and the state of tiles.
const REQUEST: libc::c_long = 0x1023;
const TILE_DATA: libc::c_long = 18;

/// Asks the system for leave to use tiles, for all threads of this process.
pub(super) fn request() -> bool {
    // Leaf 0 says how many there are.
    let has_tiles = __cpuid_count(0, 0).eax >= 7 && __cpuid_count(7, 0).edx & NEEDED == NEEDED;
    // SAFETY: the call changes nothing but what this process may do.
    has_tiles && unsafe { libc::syscall(libc::SYS_arch_prctl, REQUEST, TILE_DATA) == 0 }
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
pub(super) struct Tiles(std::marker::PhantomData<*const ()>);

impl Drop for Tiles {
    fn drop(&mut self) {
        // SAFETY: tiles hold nothing that is still needed.
        unsafe { asm!("tilerelease", options(nostack, preserves_flags, nomem)) };
    }
}

/// Where to go through some steps: of a tile of rows, of the one below it where there are two, and of a panel.
#[derive(Clone, Copy)]
struct Steps {
    a: *const Line,
    below: *const Line,
    panel: *const Line,
    some: usize,
}

/// Goes through some steps: the instructions for one, with the parts that there are of a number of a row, and of one of the panel.
macro_rules! steps {
    ($lines:literal x $parts:literal, $at:ident, [$($instruction:literal),* $(,)?]) => {
        asm!(
            "2:",
            $($instruction,)*
            "add {a}, {next_a}",
            "add {below}, {next_a}",
            "add {b}, {next_b}",
            "dec {some}",
            "jnz 2b",
            a = inout(reg) $at.a => _,
            below = inout(reg) $at.below => _,
            b = inout(reg) $at.panel => _,
            some = inout(reg) $at.some => _,
            line = in(reg) size_of::<Line>(),
            next_a = const $lines * 1024,
            next_b = const $parts * 2048,
            options(nostack, readonly),
        )
    };
}

impl Kernel for Tiles {
    const ROWS: usize = TILE_ROWS;
    const WHOLE: Option<usize> = None;
    const APART: usize = TILE_ROWS;
    const FAR_BYTES: usize = 640 << 10;

    /// Numbers that are divided for few rows are so step by step, because memory should be read all the time; for many rows, sums are fetched and put back less often.
    fn near(rows: usize, lines: usize) -> usize {
        if lines == 1 { 6 } else { (rows / (2 * TILE_ROWS)).clamp(1, 4) }
    }

    fn start() -> Self {
        // SAFETY: only reached when `request` has succeeded; the shape is a valid one.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const SHAPE, options(nostack, preserves_flags)) };
        Self(std::marker::PhantomData)
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
        let some = panel.len() / (PARTS * PANEL_LINES);
        let tiles = sums.len() / TILE_ROWS;
        assert!(
            index < TOGETHER
                && some > 0
                && matches!((LINES, PARTS), (1, 1) | (2, 2) | (3, 2 | 3))
                && (tiles == 1 || tiles == 2)
                && a.len() >= ((tiles - 1) * steps + some) * LINES * TILE_ROWS
        );
        let sum = size_of::<Sums>();
        let first = sums.as_mut_ptr().cast::<[f32; PANEL_COLUMNS]>().wrapping_add(index);
        let second = first.wrapping_byte_add(TILE_ROWS * sum);
        let below = a.as_ptr().wrapping_add(steps * LINES * TILE_ROWS);
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
            let (is_one, at) = (tiles == 1, Steps { a: a.as_ptr(), below, panel: panel.as_ptr(), some });
            match (LINES, PARTS) {
                (1, _) => add_bf16(is_one, at),
                (2, _) => add_bits16(is_one, at),
                (_, 2) => add_f16(is_one, at),
                _ => add_f32(is_one, at),
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
}

/// Adds products of numbers in one part, of one tile of rows or of two.
///
/// # Safety
/// As for [`Kernel::add_product`], which has checked it.
#[inline]
unsafe fn add_bf16(is_one: bool, at: Steps) {
    // SAFETY: it was checked.
    unsafe {
        if is_one {
            steps!(1 x 1, at,
                [
                    "tileloadd tmm4, [{a} + {line}*1]",
                    "tileloadd tmm6, [{b} + {line}*1]",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    "tileloadd tmm7, [{b} + {line}*1 + 1024]",
                    "tdpbf16ps tmm1, tmm4, tmm7"
                ]
            );
        } else {
            steps!(1 x 1, at,
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

/// Adds products of numbers in two parts, of one tile of rows or of two: 2 x 1, 1 x 1, 1 x 2.
///
/// # Safety
/// As for [`Kernel::add_product`], which has checked it.
#[inline]
unsafe fn add_bits16(is_one: bool, at: Steps) {
    // SAFETY: it was checked.
    unsafe {
        if is_one {
            steps!(2 x 2, at,
                [
                    "tileloadd tmm4, [{a} + {line}*1 + 1024]",
                    "tileloadd tmm6, [{b} + {line}*1]",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    "tileloadd tmm7, [{b} + {line}*1 + 1024]",
                    "tdpbf16ps tmm1, tmm4, tmm7",
                    "tileloadd tmm5, [{a} + {line}*1]",
                    "tdpbf16ps tmm0, tmm5, tmm6",
                    "tdpbf16ps tmm1, tmm5, tmm7",
                    "tileloadd tmm2, [{b} + {line}*1 + 2048]",
                    "tdpbf16ps tmm0, tmm5, tmm2",
                    "tileloadd tmm3, [{b} + {line}*1 + 3072]",
                    "tdpbf16ps tmm1, tmm5, tmm3"
                ]
            );
        } else {
            steps!(2 x 2, at,
                [
                    "tileloadd tmm4, [{a} + {line}*1 + 1024]",
                    "tileloadd tmm6, [{b} + {line}*1]",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    "tileloadd tmm7, [{b} + {line}*1 + 1024]",
                    "tdpbf16ps tmm1, tmm4, tmm7",
                    "tileloadd tmm5, [{below} + {line}*1 + 1024]",
                    "tdpbf16ps tmm2, tmm5, tmm6",
                    "tileloadd tmm4, [{a} + {line}*1]",
                    "tdpbf16ps tmm3, tmm5, tmm7",
                    "tileloadd tmm5, [{below} + {line}*1]",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    "tdpbf16ps tmm2, tmm5, tmm6",
                    "tileloadd tmm6, [{b} + {line}*1 + 2048]",
                    "tdpbf16ps tmm1, tmm4, tmm7",
                    "tdpbf16ps tmm3, tmm5, tmm7",
                    "tileloadd tmm7, [{b} + {line}*1 + 3072]",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    "tdpbf16ps tmm2, tmm5, tmm6",
                    "tdpbf16ps tmm1, tmm4, tmm7",
                    "tdpbf16ps tmm3, tmm5, tmm7"
                ]
            );
        }
    }
}

/// Adds products of numbers in three parts with such in two, of one tile of rows or of two: 3 x 1, 2 x 1, 2 x 2, 1 x 2, 1 x 1.
///
/// # Safety
/// As for [`Kernel::add_product`], which has checked it.
#[inline]
unsafe fn add_f16(is_one: bool, at: Steps) {
    // SAFETY: it was checked.
    unsafe {
        if is_one {
            steps!(3 x 2, at,
                [
                    "tileloadd tmm4, [{a} + {line}*1 + 2048]",
                    "tileloadd tmm6, [{b} + {line}*1]",
                    "tileloadd tmm7, [{b} + {line}*1 + 1024]",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    "tdpbf16ps tmm1, tmm4, tmm7",
                    "tileloadd tmm4, [{a} + {line}*1 + 1024]",
                    "tileloadd tmm5, [{b} + {line}*1 + 2048]",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    "tdpbf16ps tmm1, tmm4, tmm7",
                    "tileloadd tmm2, [{b} + {line}*1 + 3072]",
                    "tdpbf16ps tmm0, tmm4, tmm5",
                    "tdpbf16ps tmm1, tmm4, tmm2",
                    "tileloadd tmm4, [{a} + {line}*1]",
                    "tdpbf16ps tmm0, tmm4, tmm5",
                    "tdpbf16ps tmm1, tmm4, tmm2",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    "tdpbf16ps tmm1, tmm4, tmm7"
                ]
            );
        } else {
            steps!(3 x 2, at,
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

/// Adds products of numbers in three parts, of one tile of rows or of two. The smallest first: 3 x 1, 2 x 1, 2 x 2, 1 x 2, 1 x 3, 1 x 1, so that one side stays from each to
/// the next.
///
/// # Safety
/// As for [`Kernel::add_product`], which has checked it.
#[inline]
unsafe fn add_f32(is_one: bool, at: Steps) {
    // SAFETY: it was checked.
    unsafe {
        if is_one {
            steps!(3 x 3, at,
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
            steps!(3 x 3, at,
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
