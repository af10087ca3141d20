//! Conditions on JSON in Postgres's words. Tags and metadata are kept as the text that was written, since `jsonb` would
//! write numbers and the order of keys anew; they are read as `jsonb` here.

use sensorium_domain::filter::Range;

use super::queries::filters::{Sql, Wanted, push_bounds};

pub(super) fn push_text_among(sql: &mut Sql, column: &str, texts: &[&str]) {
    sql.push(format_args!("{column} = ANY(")).push_bind(storable_only(texts)).push(")");
}

pub(super) fn push_number_among(sql: &mut Sql, value: &str, numbers: &[f64]) {
    sql.push(format_args!("(CAST({value} AS DOUBLE PRECISION) = ANY(")).push_bind(numbers.to_vec()).push("))");
}

pub(super) fn push_tag_among(sql: &mut Sql, texts: &[&str]) {
    sql.push("(CAST(d.tags AS jsonb) ?| ").push_bind(storable_only(texts)).push(")");
}

pub(super) fn push_metadata_match(sql: &mut Sql, path: &[&str], wanted: &Wanted<'_>) {
    push_metadata_values(sql, path);
    sql.push("CASE jsonb_typeof(m.value) WHEN 'string' THEN ");
    push_text_among(sql, "m.value #>> '{}'", &wanted.texts);
    sql.push(" WHEN 'number' THEN ");
    push_number_among(sql, "m.value", &wanted.numbers);
    sql.push(" WHEN 'boolean' THEN CAST(m.value AS boolean) = ANY(").push_bind(wanted.truths.clone());
    sql.push(") ELSE FALSE END)");
}

pub(super) fn push_metadata_range(sql: &mut Sql, path: &[&str], range: &Range) {
    push_metadata_values(sql, path);
    sql.push("CASE jsonb_typeof(m.value) WHEN 'number' THEN ");
    push_bounds(sql, "m.value", range);
    sql.push(" ELSE FALSE END)");
}

pub(super) fn push_metadata_exists(sql: &mut Sql, path: &[&str]) {
    push_metadata_values(sql, path);
    sql.push("jsonb_typeof(m.value) <> 'null')");
}

/// Opens a search for the values under a metadata path: the elements of a list, or the single value; null where there is
/// none.
fn push_metadata_values(sql: &mut Sql, path: &[&str]) {
    sql.push("EXISTS (SELECT 1 FROM (SELECT CAST(d.metadata AS jsonb)");
    for step in path {
        sql.push(" -> ").push_bind((*step).to_owned());
    }
    sql.push(
        " AS found) f, LATERAL jsonb_array_elements(CASE jsonb_typeof(f.found) WHEN 'array' THEN f.found \
         ELSE jsonb_build_array(f.found) END) m (value) WHERE ",
    );
}

/// Texts as they are bound, without those that no column can hold: nothing is equal to them.
fn storable_only(texts: &[&str]) -> Vec<String> {
    texts.iter().filter(|text| !text.contains('\0')).map(|text| (*text).to_owned()).collect()
}
