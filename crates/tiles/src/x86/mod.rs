//! Products of tiles of numbers, by the unit of the processor that is quickest at them.

#![allow(unsafe_code)]

mod amx;
mod divide;
mod unpack;
mod vectors;

use std::cell::RefCell;
use std::ops::Range;
use std::sync::OnceLock;

use self::amx::Tiles;
use self::divide::{divide_row, numbers_in};
pub(crate) use self::divide::{round, whole};
use self::unpack::as_multiplied;
use self::vectors::Vectors;
use crate::packed::Form;
use crate::{Line, PANEL_COLUMNS, PIECE_COLUMNS, Packed, Pieces, Precision, TILE_DEPTH, TILE_ROWS};

/// What a processor multiplies with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// AMX: registers that hold tiles of bf16.
    Tiles,
    /// AVX-512: vectors of f32.
    Vectors {
        /// AVX512-BF16: vectors of pairs of bf16 as well.
        has_pairs: bool,
    },
}

/// What this processor has, and the system lets this process use. Asked once.
pub(crate) fn unit() -> Option<Unit> {
    static UNIT: OnceLock<Option<Unit>> = OnceLock::new();
    *UNIT.get_or_init(|| {
        let has_pairs = is_x86_feature_detected!("avx512bf16");
        if !is_x86_feature_detected!("avx512f") {
            return None;
        }
        Some(if has_pairs && amx::request() { Unit::Tiles } else { Unit::Vectors { has_pairs } })
    })
}

/// Writes a row of the left matrix. What is called once a row need not be compiled for each caller.
type Read<'a> = dyn Fn(usize, &mut [f32]) + 'a;
/// Works on a piece of a row of the result.
type Finish<'a> = dyn Fn(usize, usize, &mut [f32]) + 'a;

/// A unit at work on this thread.
trait Kernel {
    /// Rows that are multiplied together, all of them though some may not be wanted.
    const ROWS: usize;
    /// Lines that 32 numbers of f32 take, if they are multiplied as they are.
    const WHOLE: Option<usize>;
    /// Lines from one of a row to its next: those of 16 rows lie side by side, as tiles, or those of a row do.
    const APART: usize;
    /// Bytes of rows that are gone through before the next panel comes: they stay in the second-level cache.
    const FAR_BYTES: usize;

    /// Steps of 32 numbers, in so many lines, that are summed before the next rows come: those of a panel stay in the first-level cache.
    fn near(rows: usize, lines: usize) -> usize;

    /// Makes it ready. Only where it is there.
    fn start() -> Self;

    /// Adds to `sums`, up to two tiles of rows, the product of as many rows of `a`, each of `steps` steps from those on that are meant, and some steps of a panel, whose
    /// numbers are in `PARTS`; the `index`th panel of `sums` holds them. The first time the sums are nothing yet.
    fn add_product<const LINES: usize, const PARTS: usize>(
        &self,
        a: &[Line],
        steps: usize,
        panel: &[Line],
        sums: &mut [Sums],
        index: usize,
        is_first: bool,
    );
}

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
    room: Room,
}

/// What a product works in.
#[derive(Default)]
struct Room {
    sums: Vec<Sums>,
    panel: Vec<Line>,
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

/// Calls what is compiled for the unit that multiplies in this precision, and the lines that 32 numbers take there.
macro_rules! by_unit {
    ($precision:expr, $work:ident($($argument:expr),*)) => {
        match (unit(), $precision) {
            (Some(Unit::Tiles), Precision::Bf16) => $work::<Tiles, 1>($($argument),*),
            (Some(Unit::Tiles), Precision::Bits16) => $work::<Tiles, 2>($($argument),*),
            (Some(Unit::Tiles), Precision::F32) => $work::<Tiles, 3>($($argument),*),
            (_, Precision::Bf16) => $work::<Vectors, 1>($($argument),*),
            (_, Precision::Bits16 | Precision::F32) => $work::<Vectors, 2>($($argument),*),
        }
    };
}

/// Where the rows of a left matrix come from.
pub(crate) enum Left<'a> {
    /// They are written.
    Read(&'a Read<'a>),
    /// They are put together.
    Pieces(&'a Pieces, &'a dyn Fn(usize, usize) -> Option<usize>),
}

/// See [`crate::multiply`] and [`crate::multiply_pieces`], which have checked the widths and that there is such a unit.
pub(crate) fn multiply(left: &Left, b: &Packed, panels: Range<usize>, out: &mut [&mut [f32]], finish: &Finish) {
    by_unit!(b.precision(), multiply_by(left, b, panels, out, finish));
}

fn multiply_by<K: Kernel, const LINES: usize>(
    left: &Left,
    b: &Packed,
    panels: Range<usize>,
    out: &mut [&mut [f32]],
    finish: &Finish,
) {
    with_scratch(|Scratch { row, lines, room, .. }| {
        let lines = match left {
            Left::Read(read) => read_rows::<K, LINES>(read, out.len(), b, row, lines),
            Left::Pieces(pieces, piece) => put_together::<K, LINES>((pieces, piece), out.len(), b, lines),
        };
        product::<K, LINES>(lines, out.len(), b, panels, room, &mut |index, column, sums| {
            write(out, index, column, sums, finish);
        });
    });
}

/// See [`crate::feed_forward`], which has checked the widths and that there is such a unit.
pub(crate) fn feed_forward(
    read: &Read,
    first: &Packed,
    between: &Finish,
    second: &Packed,
    out: &mut [&mut [f32]],
    finish: &Finish,
) {
    by_unit!(first.precision(), feed_forward_by(read, first, between, second, out, finish));
}

/// See [`Pieces::new`], which has checked that there is such a unit: rows of `width` numbers to lines, those of a row one after the other.
pub(crate) fn divide_rows(precision: Precision, numbers: &[f32], width: usize, lines: &mut [Line]) {
    by_unit!(precision, divide_rows_by(numbers, width, lines));
}

fn divide_rows_by<K: Kernel, const LINES: usize>(numbers: &[f32], width: usize, lines: &mut [Line]) {
    let mut row = vec![0.0; Pieces::depth(width)];
    for (numbers, lines) in numbers.chunks_exact(width).zip(lines.chunks_exact_mut(row.len() / TILE_DEPTH * LINES)) {
        row[..width].copy_from_slice(numbers);
        // SAFETY: both units come with the instructions that so many lines need.
        unsafe { divide_row::<K, LINES>(&row, lines, 1) };
    }
}

fn feed_forward_by<K: Kernel, const LINES: usize>(
    read: &Read,
    first: &Packed,
    between: &Finish,
    second: &Packed,
    out: &mut [&mut [f32]],
    finish: &Finish,
) {
    with_scratch(|Scratch { row, lines, between: divided, room }| {
        let lines = read_rows::<K, LINES>(read, out.len(), first, row, lines);
        let steps = second.steps();
        let divided = kept(divided, out.len().next_multiple_of(TILE_ROWS) * steps * LINES, Line([0; TILE_DEPTH]));
        product::<K, LINES>(lines, out.len(), first, 0..first.panels(), room, &mut |index, column, sums| {
            let width = sums.len().min(first.columns() - column);
            between(index, column, &mut sums[..width]);
            // What is beyond the last column is a product with nothing.
            let sums = &sums[..width.next_multiple_of(TILE_DEPTH)];
            let lines = &mut divided[place::<K>(index, steps * LINES) + column / TILE_DEPTH * LINES * K::APART..];
            // SAFETY: both units come with the instructions that so many lines need.
            unsafe { divide_row::<K, LINES>(sums, lines, K::APART) };
        });
        product::<K, LINES>(divided, out.len(), second, 0..second.panels(), room, &mut |index, column, sums| {
            write(out, index, column, sums, finish);
        });
    });
}

/// So many of what memory holds, whatever that is. It is never cut off: to be filled anew takes longer than some products do.
fn kept<T: Clone>(memory: &mut Vec<T>, count: usize, fresh: T) -> &mut [T] {
    if memory.len() < count {
        memory.resize(count, fresh);
    }
    &mut memory[..count]
}

/// The first line of a row, each of which has so many.
fn place<K: Kernel>(row: usize, lines: usize) -> usize {
    row / K::APART * K::APART * lines + row % K::APART
}

/// Reads rows of the left matrix and divides them into tiles; rows that are multiplied and not wanted are zero.
fn read_rows<'a, K: Kernel, const LINES: usize>(
    read: &Read,
    rows: usize,
    b: &Packed,
    row: &mut Vec<f32>,
    lines: &'a mut Vec<Line>,
) -> &'a [Line] {
    let steps = b.steps();
    row.clear();
    row.resize(steps * TILE_DEPTH, 0.0);
    let lines = kept(lines, rows.next_multiple_of(TILE_ROWS) * steps * LINES, Line([0; TILE_DEPTH]));
    for index in 0..rows.next_multiple_of(K::ROWS) {
        let lines = &mut lines[place::<K>(index, steps * LINES)..];
        if K::WHOLE == Some(LINES) && K::APART == 1 {
            let numbers = numbers_in(&mut lines[..steps * LINES]);
            read(index, &mut numbers[..b.depth()]);
            numbers[b.depth()..].fill(0.0);
            continue;
        }
        if index < rows {
            read(index, &mut row[..b.depth()]);
        } else {
            row.fill(0.0);
        }
        // SAFETY: both units come with the instructions that so many lines need.
        unsafe { divide_row::<K, LINES>(row, lines, K::APART) };
    }
    lines
}

/// Puts rows of the left matrix together; rows that are multiplied and not wanted are zero.
fn put_together<'a, K: Kernel, const LINES: usize>(
    (pieces, piece): (&Pieces, &dyn Fn(usize, usize) -> Option<usize>),
    rows: usize,
    b: &Packed,
    lines: &'a mut Vec<Line>,
) -> &'a [Line] {
    let of_row = b.steps() * LINES;
    let lines = kept(lines, rows.next_multiple_of(TILE_ROWS) * of_row, Line([0; TILE_DEPTH]));
    for row in 0..rows.next_multiple_of(K::ROWS) {
        let lines = &mut lines[place::<K>(row, of_row)..];
        for (place, lines) in lines.chunks_mut(pieces.length * K::APART).take(of_row / pieces.length).enumerate() {
            let into = lines.iter_mut().step_by(K::APART);
            match (row < rows).then(|| piece(row, place)).flatten() {
                Some(piece) => {
                    let from = &pieces.lines[piece * pieces.length..][..pieces.length];
                    into.zip(from).for_each(|(into, from)| *into = *from);
                }
                None => into.take(pieces.length).for_each(|into| *into = Line([0; TILE_DEPTH])),
            }
        }
    }
    lines
}

/// Writes sums of a row from a column (counted from the first panel's) on where they belong, and finishes them.
fn write(out: &mut [&mut [f32]], row: usize, column: usize, sums: &[f32], finish: &Finish) {
    let out = &mut out[row][column..];
    let width = sums.len().min(out.len());
    out[..width].copy_from_slice(&sums[..width]);
    finish(row, column, &mut out[..width]);
}

/// So many rows, divided into tiles, times some panels. `consume` is given the sums of some panels of a row, from a column (counted from the first panel's) on; of all
/// columns that these panels have room for.
fn product<K: Kernel, const LINES: usize>(
    lines: &[Line],
    rows: usize,
    b: &Packed,
    panels: Range<usize>,
    room: &mut Room,
    consume: &mut dyn FnMut(usize, usize, &mut [f32]),
) {
    match b.form() {
        Form::F16 => product_of_parts::<K, LINES, 2>(lines, rows, b, panels, room, consume),
        Form::Bf16 | Form::F32 => product_of_parts::<K, LINES, LINES>(lines, rows, b, panels, room, consume),
    }
}

/// [`product`] with numbers of panels in so many lines.
fn product_of_parts<K: Kernel, const LINES: usize, const PARTS: usize>(
    lines: &[Line],
    rows: usize,
    b: &Packed,
    panels: Range<usize>,
    Room { sums, panel: unpacked }: &mut Room,
    consume: &mut dyn FnMut(usize, usize, &mut [f32]),
) {
    let steps = b.steps();
    let near = K::near(rows, LINES);
    let far = (K::FAR_BYTES / (rows * LINES * size_of::<Line>())).next_multiple_of(near).max(near);
    let sums = kept(sums, rows.next_multiple_of(K::ROWS), Sums::ZERO);
    for first in panels.clone().step_by(TOGETHER) {
        let together = (panels.end - first).min(TOGETHER);
        let kernel = K::start();
        for far in (0..steps).step_by(far).map(|begin| begin..(begin + far).min(steps)) {
            for index in 0..together {
                let panel = b.panel(first + index);
                for begin in far.clone().step_by(near) {
                    let some = begin..(begin + near).min(far.end);
                    let lines_of_step = b.form().step_lines();
                    let panel = &panel[some.start * lines_of_step..some.end * lines_of_step];
                    let panel =
                        if K::WHOLE == Some(LINES) { panel } else { as_multiplied::<PARTS>(panel, b.form(), unpacked) };
                    // Two tiles of rows at a time, at the end perhaps one.
                    let rows = lines.chunks(2 * TILE_ROWS * steps * LINES).zip(sums.chunks_mut(2 * TILE_ROWS));
                    for (lines, sums) in rows {
                        let lines = &lines[some.start * LINES * K::APART..];
                        kernel.add_product::<LINES, PARTS>(lines, steps, panel, sums, index, begin == 0);
                    }
                }
            }
        }
        // Before `consume`, in which somebody may multiply and so leave none.
        drop(kernel);
        let column = (first - panels.start) * PANEL_COLUMNS;
        for (index, sums) in sums[..rows].iter_mut().enumerate() {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::PANEL_LINES;
    use crate::packed::Order;

    fn number(seed: usize) -> f32 {
        ((seed * 7919 + 13) % 1009) as f32 / 504.5 - 1.0
    }

    fn product_by<K: Kernel>(rows: usize, b: &Packed) -> Vec<f32> {
        let mut out = vec![f32::NAN; rows * b.columns()];
        let mut slices: Vec<&mut [f32]> = out.chunks_mut(b.columns()).collect();
        let read = |row: usize, into: &mut [f32]| {
            into.iter_mut().zip(row * 31..).for_each(|(value, seed)| *value = number(seed));
        };
        multiply_by::<K, 1>(&Left::Read(&read), b, 0..b.panels(), &mut slices, &|_, _, _| {});
        out
    }

    /// A matrix that was packed for tiles as it is for vectors.
    fn for_vectors(b: &Packed) -> Packed {
        let mut packed = b.clone();
        let [tiles, vectors] = [true, false].map(|is_by_halves| Order { is_by_halves });
        let panels = packed.lines.chunks_exact_mut(PANEL_LINES).zip(b.lines.chunks_exact(PANEL_LINES));
        for (ours, theirs) in panels {
            for (half, row) in (0..2).flat_map(|half| (0..TILE_ROWS).map(move |row| (half, row))) {
                ours[vectors.pair(half, row)] = theirs[tiles.pair(half, row)];
            }
        }
        packed
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        /// Where there are both, either may be asked: products of bf16 are exact in f32, so that sums alone differ, in their last bits.
        #[test]
        fn units_agree(rows in 1usize..70, depth in 1usize..1700, columns in 1usize..300) {
            if unit() != Some(Unit::Tiles) {
                return Ok(());
            }
            let b = Packed::of_rows(Precision::Bf16, depth, columns, |row, into| {
                into.iter_mut().zip(row * 17..).for_each(|(value, seed)| *value = number(seed));
            });
            let (tiles, vectors) = (product_by::<Tiles>(rows, &b), product_by::<Vectors>(rows, &for_vectors(&b)));
            prop_assert!(tiles.iter().zip(&vectors).all(|(one, other)| (one - other).abs() < 1e-3));
        }
    }
}
