//! A product shared out over the threads of the current pool.

use std::ops::Range;

use rayon::prelude::*;

/// The sizes of a product, and in which portions it is best done.
pub(super) struct Shares {
    /// Of the result.
    pub rows: usize,
    /// Of the result.
    pub columns: usize,
    /// Columns that are done together.
    pub panel_columns: usize,
    /// Rows that are done together.
    pub block_rows: usize,
    /// Most rows of one task; they should stay in the second-level cache.
    pub task_rows: usize,
    /// Whether it is so small that sharing out would cost more than it saves.
    pub is_small: bool,
}

/// `rows` x `columns`. `product(rows, panels, out, stride)` writes some rows of some panels, `stride` numbers from one row to the next; `finish(first, block)`
/// is applied to every finished block of whole rows while it is still in the cache, `first` being its first row.
pub(super) fn share_out(
    shares: &Shares,
    product: &(impl Fn(Range<usize>, Range<usize>, &mut [f32], usize) + Sync),
    finish: &(impl Fn(usize, &mut [f32]) + Sync),
) -> Vec<f32> {
    let &Shares { rows, columns, panel_columns, block_rows, task_rows, is_small } = shares;
    let mut out = vec![0.0; rows * columns];
    if out.is_empty() {
        return out;
    }
    let threads = rayon::current_num_threads();
    let panels = columns.div_ceil(panel_columns);
    let whole_rows = |first: usize, out: &mut [f32]| {
        product(first..first + out.len() / columns, 0..panels, out, columns);
        finish(first, out);
    };
    if threads == 1 || is_small {
        for (task, out) in out.chunks_mut(task_rows * columns).enumerate() {
            whole_rows(task * task_rows, out);
        }
    } else if rows < threads * block_rows * 2 {
        // Few rows: every task takes some of the columns.
        let panels_each = panels.div_ceil(threads);
        let width = panels_each * panel_columns;
        let parts: Vec<Vec<f32>> = (0..panels.div_ceil(panels_each))
            .into_par_iter()
            .map(|task| {
                let panels = task * panels_each..((task + 1) * panels_each).min(panels);
                let mut part = vec![0.0; rows * width];
                product(0..rows, panels, &mut part, width);
                part
            })
            .collect();
        for (row, out) in out.chunks_exact_mut(columns).enumerate() {
            for (part, out) in parts.iter().zip(out.chunks_mut(width)) {
                out.copy_from_slice(&part[row * width..][..out.len()]);
            }
        }
        finish(0, &mut out);
    } else {
        let task_rows = rows.div_ceil(threads).next_multiple_of(block_rows).min(task_rows);
        out.par_chunks_mut(task_rows * columns).enumerate().for_each(|(task, out)| whole_rows(task * task_rows, out));
    }
    out
}
