//! A product shared out over the threads of the current pool.

use std::ops::Range;

use rayon::prelude::*;

/// What happens to a result while it is in the cache.
pub trait Finish: Sync {
    /// A piece of the result, either some whole rows or a part of one, whose first number is at place `at` of all. Every number is in one piece.
    fn piece(&self, at: usize, piece: &mut [f32]);

    /// Some whole rows, after all of their pieces.
    fn rows(&self, rows: &mut [f32]) {
        let _ = rows;
    }
}

impl<F: Fn(usize, &mut [f32]) + Sync> Finish for F {
    fn piece(&self, at: usize, piece: &mut [f32]) {
        self(at, piece);
    }
}

/// How a product is best done.
pub(super) struct Shares {
    /// Of the result.
    pub columns: usize,
    /// Columns that are done together.
    pub panel_columns: usize,
    /// Rows that are done together.
    pub block_rows: usize,
    /// Rows for each thread below which all do all rows, in some of the columns.
    pub few_rows: usize,
    /// Most rows of one task; they should stay in the second-level cache.
    pub task_rows: usize,
    /// Whether it is so small that sharing out would cost more than it saves.
    pub is_small: bool,
}

/// A share of a result: some rows of some panels.
pub(super) struct Share<'a, 'b> {
    /// Of the left matrix, and of the result.
    pub rows: Range<usize>,
    /// Of the right matrix.
    pub panels: Range<usize>,
    /// For each row, its part in these panels.
    pub out: &'a mut [&'b mut [f32]],
    columns: usize,
    first_column: usize,
}

impl Share<'_, '_> {
    /// Tells the place in the whole result of a column (counted from the first panel's) of a row (counted from the first).
    pub fn places(&self) -> impl Fn(usize, usize) -> usize + use<> {
        let (first, columns) = (self.rows.start * self.columns + self.first_column, self.columns);
        move |row, column| first + row * columns + column
    }

    /// Finishes all of it, row by row.
    pub fn finish(self, finish: &impl Finish) {
        let place = self.places();
        self.out.iter_mut().enumerate().for_each(|(row, piece)| finish.piece(place(row, 0), piece));
    }
}

/// Fills `out`, rows x columns. `product` writes a share and applies [`Finish::piece`] to all of it.
pub(super) fn share_out(shares: &Shares, out: &mut [f32], product: &(impl Fn(Share) + Sync), finish: &impl Finish) {
    let &Shares { columns, panel_columns, block_rows, few_rows, task_rows, is_small } = shares;
    if out.is_empty() {
        return;
    }
    let rows = out.len() / columns;
    let threads = rayon::current_num_threads();
    let panels = columns.div_ceil(panel_columns);
    let whole_rows = |first: usize, out: &mut [f32]| {
        let rows = first..first + out.len() / columns;
        let mut slices: Vec<&mut [f32]> = out.chunks_mut(columns).collect();
        product(Share { rows, panels: 0..panels, out: &mut slices, columns, first_column: 0 });
        finish.rows(out);
    };
    if threads == 1 || is_small {
        for (task, out) in out.chunks_mut(task_rows * columns).enumerate() {
            whole_rows(task * task_rows, out);
        }
    } else if rows < threads * few_rows {
        // Few rows: every task takes some of the columns.
        let panels_each = panels.div_ceil(threads);
        let width = panels_each * panel_columns;
        let mut parts: Vec<Vec<&mut [f32]>> = (0..columns.div_ceil(width)).map(|_| Vec::with_capacity(rows)).collect();
        for row in out.chunks_mut(columns) {
            parts.iter_mut().zip(row.chunks_mut(width)).for_each(|(part, piece)| part.push(piece));
        }
        parts.par_iter_mut().enumerate().for_each(|(task, out)| {
            let panels = task * panels_each..((task + 1) * panels_each).min(panels);
            product(Share { rows: 0..rows, panels, out, columns, first_column: task * width });
        });
        out.par_chunks_mut(rows.div_ceil(threads) * columns).for_each(|rows| finish.rows(rows));
    } else {
        // As many for each thread.
        let each = rows.div_ceil(threads);
        let task_rows = each.div_ceil(each.div_ceil(task_rows)).next_multiple_of(block_rows);
        out.par_chunks_mut(task_rows * columns).enumerate().for_each(|(task, out)| whole_rows(task * task_rows, out));
    }
}
