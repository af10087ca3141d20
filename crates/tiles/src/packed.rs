//! The right matrix of a product, packed once.

use crate::{Line, PANEL_COLUMNS, PANEL_LINES, Precision, TILE_DEPTH, TILE_ROWS, WHOLE_LINES, has_tiles};

/// How the numbers of a matrix lie in memory. They are made what is multiplied a few steps at a time: where rows are few, a product takes as long as its matrix takes to
/// be read, and what is read should be short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Rounded to bf16, as they are multiplied.
    Bf16,
    /// As f16, for tiles, where that says all of every number, as it does of a model that was stored so.
    F16,
    /// As f32.
    F32,
}

impl Form {
    /// Lines of a step of a panel.
    pub(crate) fn step_lines(self) -> usize {
        match self {
            Self::Bf16 | Self::F16 => PANEL_LINES,
            Self::F32 => 2 * PANEL_LINES,
        }
    }
}

/// The right matrix, `depth` x `columns`, in panels of columns and steps of rows; what is missing at the edges is zero.
#[derive(Debug, Clone)]
pub struct Packed {
    depth: usize,
    columns: usize,
    precision: Precision,
    form: Form,
    /// Of each panel, of each step of 32 rows: the numbers in the order in which they are multiplied.
    pub(crate) lines: Vec<Line>,
}

impl Packed {
    /// Packs the matrix whose columns `read(column, into)` writes, `depth` numbers each.
    pub fn of_columns(precision: Precision, depth: usize, columns: usize, read: impl Fn(usize, &mut [f32])) -> Self {
        let mut packed = Self::zeros(precision, form(precision, columns, depth, &read), depth, columns);
        let mut numbers = vec![0.0; packed.steps() * TILE_DEPTH];
        let mut rounded = Vec::new();
        for column in 0..columns {
            read(column, &mut numbers[..depth]);
            packed.put_column(column, &numbers, &mut rounded);
        }
        packed
    }

    /// Packs the matrix whose rows `read(row, into)` writes, `columns` numbers each.
    pub fn of_rows(precision: Precision, depth: usize, columns: usize, read: impl Fn(usize, &mut [f32])) -> Self {
        let mut packed = Self::zeros(precision, form(precision, depth, columns, &read), depth, columns);
        let mut numbers = [(); 2].map(|()| vec![0.0; packed.panels() * PANEL_COLUMNS]);
        let mut rounded = [(); 2].map(|()| Vec::new());
        for first in (0..depth).step_by(2) {
            for (row, numbers) in (first..).zip(&mut numbers) {
                if row < depth {
                    read(row, &mut numbers[..columns]);
                } else {
                    numbers.fill(0.0);
                }
            }
            packed.put_rows(first, numbers.each_ref().map(Vec::as_slice), &mut rounded);
        }
        packed
    }

    /// `numbers` fill whole steps; `room` is memory that is used again.
    fn put_column(&mut self, column: usize, numbers: &[f32], room: &mut Vec<Line>) {
        let order = Order::here();
        let (half, place) = (column % PANEL_COLUMNS / TILE_ROWS, column % TILE_ROWS);
        let length = self.panel_lines();
        let panel = &mut self.lines[column / PANEL_COLUMNS * length..][..length];
        let steps = numbers.as_chunks::<TILE_DEPTH>().0;
        match self.form {
            Form::Bf16 => {
                round(numbers, room);
                for (lines, rounded) in panel.as_chunks_mut::<PANEL_LINES>().0.iter_mut().zip(room) {
                    for (pair, both) in rounded.0.as_chunks::<2>().0.iter().enumerate() {
                        lines[order.pair(half, pair)].0.as_chunks_mut::<2>().0[place] = *both;
                    }
                }
            }
            Form::F16 => {
                for (lines, numbers) in panel.as_chunks_mut::<PANEL_LINES>().0.iter_mut().zip(steps) {
                    for (pair, both) in numbers.as_chunks::<2>().0.iter().enumerate() {
                        let line = &mut lines[order.pair(half, pair)].0;
                        [line[place], line[TILE_ROWS + place]] = both.map(|number| f16(number).unwrap_or_default());
                    }
                }
            }
            Form::F32 => {
                for (lines, numbers) in panel.as_chunks_mut::<{ 2 * PANEL_LINES }>().0.iter_mut().zip(steps) {
                    for (row, number) in numbers.iter().enumerate() {
                        lines[order.row(half, row)].0.as_chunks_mut::<2>().0[place] = words(*number);
                    }
                }
            }
        }
    }

    /// An even row and the odd one after it; their numbers fill whole panels.
    fn put_rows(&mut self, first: usize, numbers: [&[f32]; 2], room: &mut [Vec<Line>; 2]) {
        let (order, step_lines) = (Order::here(), self.form.step_lines());
        let (step, row) = (first / TILE_DEPTH, first % TILE_DEPTH);
        let length = self.panel_lines().max(1);
        let panels = self.lines.chunks_exact_mut(length).map(|panel| &mut panel[step * step_lines..][..step_lines]);
        let [even, odd] = numbers.map(|numbers| numbers.as_chunks::<PANEL_COLUMNS>().0);
        match self.form {
            Form::Bf16 => {
                numbers.iter().zip(&mut *room).for_each(|(numbers, room)| round(numbers, room));
                for ((lines, even), odd) in panels.zip(&room[0]).zip(&room[1]) {
                    for half in 0..2 {
                        let line = lines[order.pair(half, row / 2)].0.as_chunks_mut::<2>().0;
                        let (even, odd) = (&even.0[half * TILE_ROWS..], &odd.0[half * TILE_ROWS..]);
                        for ((both, even), odd) in line.iter_mut().zip(even).zip(odd) {
                            *both = [*even, *odd];
                        }
                    }
                }
            }
            Form::F16 => {
                for ((lines, even), odd) in panels.zip(even).zip(odd) {
                    for (half, at) in (0..2).zip([0, TILE_ROWS]) {
                        let (left, right) = lines[order.pair(half, row / 2)].0.split_at_mut(TILE_ROWS);
                        left.iter_mut()
                            .zip(&even[at..])
                            .for_each(|(word, number)| *word = f16(*number).unwrap_or_default());
                        right
                            .iter_mut()
                            .zip(&odd[at..])
                            .for_each(|(word, number)| *word = f16(*number).unwrap_or_default());
                    }
                }
            }
            Form::F32 => {
                for ((lines, even), odd) in panels.zip(even).zip(odd) {
                    for (row, numbers) in [(row, even), (row + 1, odd)] {
                        [lines[order.row(0, row)], lines[order.row(1, row)]] = whole(numbers);
                    }
                }
            }
        }
    }

    fn zeros(precision: Precision, form: Form, depth: usize, columns: usize) -> Self {
        let count = columns.div_ceil(PANEL_COLUMNS) * depth.div_ceil(TILE_DEPTH) * form.step_lines();
        let mut lines = Vec::with_capacity(count);
        #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
        crate::x86::prefer_huge_pages(lines.spare_capacity_mut());
        lines.resize(count, Line([0; TILE_DEPTH]));
        Self { depth, columns, precision, form, lines }
    }

    /// How much is seen of its numbers, and of those that it is multiplied with.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    pub(crate) fn form(&self) -> Form {
        self.form
    }

    /// What a number of a row takes that it is multiplied with.
    pub fn bytes_of_a_number(&self) -> usize {
        self.precision.lines() * size_of::<Line>() / TILE_DEPTH
    }

    /// Rows of the matrix.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// Columns of the matrix.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Panels of [`PANEL_COLUMNS`], the last one perhaps not full.
    pub fn panels(&self) -> usize {
        self.columns.div_ceil(PANEL_COLUMNS)
    }

    pub(crate) fn steps(&self) -> usize {
        self.depth.div_ceil(TILE_DEPTH)
    }

    fn panel_lines(&self) -> usize {
        self.steps() * self.form.step_lines()
    }

    pub(crate) fn panel(&self, panel: usize) -> &[Line] {
        let length = self.panel_lines();
        &self.lines[panel * length..][..length]
    }
}

/// The shortest form that keeps what is multiplied of all numbers, of which there are so many `rows` and `columns`, by whatever name.
fn form(precision: Precision, rows: usize, columns: usize, read: &impl Fn(usize, &mut [f32])) -> Form {
    if precision == Precision::Bf16 {
        return Form::Bf16;
    }
    if !has_tiles() {
        return Form::F32;
    }
    let mut numbers = vec![0.0; columns];
    let is_f16 = (0..rows).all(|row| {
        read(row, &mut numbers);
        numbers.iter().all(|number| f16(*number).is_some())
    });
    if is_f16 { Form::F16 } else { Form::F32 }
}

/// In which order the lines of a step lie.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Order {
    /// For tiles, all of the left half of the columns, then all of the right; for vectors, row by row.
    pub(crate) is_by_halves: bool,
}

impl Order {
    /// That of this processor.
    fn here() -> Self {
        Self { is_by_halves: has_tiles() }
    }

    /// The line of a pair of rows, of a half.
    #[inline]
    pub(crate) fn pair(self, half: usize, pair: usize) -> usize {
        if self.is_by_halves { half * TILE_ROWS + pair } else { pair * 2 + half }
    }

    /// The line of a row of f32, of a half.
    #[inline]
    fn row(self, half: usize, row: usize) -> usize {
        if self.is_by_halves { half * TILE_DEPTH + row } else { row * 2 + half }
    }
}

/// Rounds numbers to bf16, 32 to a line.
fn round(numbers: &[f32], lines: &mut Vec<Line>) {
    let numbers = numbers.as_chunks::<TILE_DEPTH>().0;
    lines.resize(numbers.len(), Line([0; TILE_DEPTH]));
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    if crate::supports(Precision::Bf16) {
        return crate::x86::round(numbers, lines);
    }
    lines.iter_mut().zip(numbers).for_each(|(line, numbers)| line.0 = numbers.map(crate::bf16));
}

/// 32 numbers as they are.
#[inline]
fn whole(numbers: &[f32; TILE_DEPTH]) -> [Line; WHOLE_LINES] {
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    return crate::x86::whole(numbers);
    #[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
    {
        let mut lines = [Line([0; TILE_DEPTH]); WHOLE_LINES];
        let places = lines.iter_mut().flat_map(|line| line.0.as_chunks_mut::<2>().0);
        places.zip(numbers).for_each(|(place, number)| *place = words(*number));
        lines
    }
}

/// The lower and the upper half of a number.
#[inline]
fn words(number: f32) -> [u16; 2] {
    let bits = number.to_bits();
    [bits as u16, (bits >> 16) as u16]
}

/// The f16 that is this number, where there is one.
#[inline]
fn f16(number: f32) -> Option<u16> {
    /// The smallest number with all digits, and how many steps of the smallest of all make a whole.
    const SMALLEST_NORMAL: f32 = 1.0 / 16_384.0;
    const STEPS: f32 = 16_777_216.0;
    const GREATEST: f32 = 65_504.0;
    let (sign, size) = ((number.to_bits() >> 16) as u16 & 0x8000, number.abs());
    if size < SMALLEST_NORMAL {
        let steps = size * STEPS;
        return (steps.fract() <= 0.0).then_some(sign | (steps as i32).unsigned_abs() as u16);
    }
    let bits = size.to_bits();
    (size <= GREATEST && bits.trailing_zeros() >= 13).then_some(sign | ((bits - (112 << 23)) >> 13) as u16)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a f16 stands for, by its definition (IEEE 754-2008, 3.4).
    fn value(half: u16) -> f32 {
        let (exponent, digits) = (i32::from(half >> 10 & 0x1f), f32::from(half & 0x3ff));
        let size = if exponent == 0 { digits * 2f32.powi(-24) } else { (1024.0 + digits) * 2f32.powi(exponent - 25) };
        if half >> 15 == 1 { -size } else { size }
    }

    #[test]
    fn a_number_that_is_one_becomes_the_f16_that_it_is() {
        for half in (0..=u16::MAX).filter(|half| half >> 10 & 0x1f != 0x1f) {
            assert_eq!(f16(value(half)), Some(half), "{half:#06x}");
        }
    }

    proptest! {
        #[test]
        fn no_other_number_does(bits in any::<u32>()) {
            let number = f32::from_bits(bits);
            prop_assert!(f16(number).is_none_or(|half| value(half).to_bits() == bits), "{}", number);
        }

        /// One number that is none is enough.
        #[test]
        fn the_form_is_as_long_as_it_has_to_be(depth in 1usize..70, columns in 1usize..70, is_f16: bool, seed in 0u32..1000) {
            let number = |row: usize, column: usize| {
                let is_last = row + 1 == depth && column + 1 == columns;
                if is_last && !is_f16 { 1.0 / 3.0 } else { (((row * 101 + column) as u32 * 7919 + seed) % 2048) as f32 / 64.0 }
            };
            let packed = Packed::of_rows(Precision::F32, depth, columns, |row, into| {
                into.iter_mut().enumerate().for_each(|(column, into)| *into = number(row, column));
            });
            prop_assert_eq!(packed.form == Form::F16, is_f16 && has_tiles());
        }
    }
}
