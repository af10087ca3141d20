//! Tables for people: one line a row, no borders.

use comfy_table::{CellAlignment, ContentArrangement, Table};

use super::output::{clean, line};
use super::problem::CliError;

/// Lines of a table: the head, then one for each row.
pub fn lines(head: &[&str], right: &[usize], rows: Vec<Vec<String>>) -> Vec<String> {
    let mut table = Table::new();
    table.load_preset(comfy_table::presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(head.iter().map(|name| name.to_uppercase()));
    for row in rows {
        table.add_row(row.iter().map(|cell| clean(cell)));
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if right.contains(&index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.lines().map(|text| text.trim_end().to_owned()).collect()
}

/// Prints a table; `none` when it has no rows.
pub fn print(head: &[&str], right: &[usize], rows: Vec<Vec<String>>, none: &str) -> Result<(), CliError> {
    if rows.is_empty() {
        return line(none);
    }
    lines(head, right, rows).iter().try_for_each(|text| line(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_one_line_whatever_it_holds() {
        let rows = vec![vec!["1".to_owned(), "a\nb".to_owned()], vec!["12".to_owned(), "c".to_owned()]];
        assert_eq!(lines(&["n", "name"], &[0], rows), [" N  NAME", " 1  a b", "12  c"]);
    }
}
