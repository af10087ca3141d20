//! Conditions on JSON in SQLite's words: lists of values are bound as one JSON text.

use sensorium_domain::filter::Range;
use serde_json::Value;

use super::queries::filters::{Sql, Wanted, push_bounds};

pub(super) fn push_text_among(sql: &mut Sql, column: &str, texts: &[&str]) {
    sql.push(format_args!("{column} IN (SELECT value FROM json_each("));
    sql.push_bind(texts.iter().copied().collect::<Value>().to_string()).push("))");
}

pub(super) fn push_number_among(sql: &mut Sql, value: &str, numbers: &[f64]) {
    sql.push(format_args!("(CAST({value} AS REAL) IN (SELECT CAST(value AS REAL) FROM json_each("));
    sql.push_bind(numbers.iter().copied().collect::<Value>().to_string()).push(")))");
}

pub(super) fn push_tag_among(sql: &mut Sql, texts: &[&str]) {
    sql.push("EXISTS (SELECT 1 FROM json_each(d.tags) t WHERE ");
    push_text_among(sql, "t.value", texts);
    sql.push(")");
}

pub(super) fn push_metadata_match(sql: &mut Sql, path: &[&str], wanted: &Wanted<'_>) {
    push_metadata_values(sql, path);
    sql.push("((m.type = 'text' AND ");
    push_text_among(sql, "m.value", &wanted.texts);
    sql.push(") OR (m.type IN ('integer', 'real') AND ");
    push_number_among(sql, "m.value", &wanted.numbers);
    sql.push(")");
    for truth in &wanted.truths {
        sql.push(if *truth { " OR m.type = 'true'" } else { " OR m.type = 'false'" });
    }
    sql.push("))");
}

pub(super) fn push_metadata_range(sql: &mut Sql, path: &[&str], range: &Range) {
    push_metadata_values(sql, path);
    sql.push("m.type IN ('integer', 'real') AND ");
    push_bounds(sql, "m.value", range);
    sql.push(")");
}

pub(super) fn push_metadata_exists(sql: &mut Sql, path: &[&str]) {
    let path = json_path(path);
    sql.push("coalesce(CASE json_type(d.metadata, ").push_bind(path.clone());
    sql.push(") WHEN 'null' THEN 0 WHEN 'array' THEN EXISTS (SELECT 1 FROM json_each(d.metadata, ");
    sql.push_bind(path.clone()).push(") m WHERE m.type <> 'null') ELSE json_type(d.metadata, ");
    sql.push_bind(path);
    sql.push(") IS NOT NULL END, 0)");
}

/// Opens a search for the values under a metadata path: the elements of a list, or the single value. An object is
/// nothing that could be equal or between bounds.
fn push_metadata_values(sql: &mut Sql, path: &[&str]) {
    sql.push("EXISTS (SELECT 1 FROM json_each(d.metadata, ").push_bind(json_path(path));
    sql.push(") m WHERE json_type(d.metadata, ").push_bind(json_path(path));
    sql.push(") <> 'object' AND ");
}

/// The path in SQLite's words. The steps are letters, digits, `_` and `-` (see `Key::parse`), so quoting is enough.
fn json_path(path: &[&str]) -> String {
    let mut text = String::from("$");
    for step in path {
        text.push_str(".\"");
        text.push_str(step);
        text.push('"');
    }
    text
}
