//! Filters written as SQL. What is said in JSON each database says in its own way, in its `json.rs`.
//!
//! [`Filter::matches`](sensorium_domain::Filter::matches) says what a filter means, and the contract suite compares the two. Nothing
//! that a user wrote becomes part of the SQL: keys, paths and values are all bound. Every condition is true or false, never
//! null, so that `NOT` means the contrary.

use sensorium_domain::filter::{Condition, Key, Match, Range};
use sensorium_domain::{DocumentId, Filter};
use serde_json::Value;
use sqlx::QueryBuilder;

use super::Database;
use super::dialect::uuid_value;
use super::json;

pub(in super::super) type Sql = QueryBuilder<Database>;

pub(super) fn push_filter(sql: &mut Sql, filter: &Filter) {
    for condition in &filter.must {
        sql.push(" AND ");
        push_condition(sql, condition);
    }
    if !filter.should.is_empty() {
        sql.push(" AND (FALSE");
        for condition in &filter.should {
            sql.push(" OR ");
            push_condition(sql, condition);
        }
        sql.push(")");
    }
    for condition in &filter.must_not {
        sql.push(" AND NOT ");
        push_condition(sql, condition);
    }
}

fn push_condition(sql: &mut Sql, condition: &Condition) {
    let Some(key) = Key::parse(&condition.key) else {
        sql.push("FALSE");
        return;
    };
    if let Some(matches) = &condition.matches {
        push_match(sql, &key, &Wanted::of(matches));
    } else if let Some(range) = &condition.range {
        push_range(sql, &key, range);
    } else {
        push_exists(sql, &key, condition.exists);
    }
}

/// The values of a match by type.
#[derive(Default)]
pub(in super::super) struct Wanted<'a> {
    pub(in super::super) texts: Vec<&'a str>,
    pub(in super::super) numbers: Vec<f64>,
    pub(in super::super) truths: Vec<bool>,
}

impl<'a> Wanted<'a> {
    fn of(matches: &'a Match) -> Self {
        let mut wanted = Self::default();
        for value in matches.values() {
            match value {
                Value::String(text) => wanted.texts.push(text),
                Value::Number(number) => wanted.numbers.extend(number.as_f64()),
                Value::Bool(truth) => wanted.truths.push(*truth),
                _ => {}
            }
        }
        wanted
    }
}

fn push_match(sql: &mut Sql, key: &Key<'_>, wanted: &Wanted<'_>) {
    match key {
        Key::Document => {
            // Only the text form that ids are shown in is equal to it.
            let ids: Vec<DocumentId> = wanted
                .texts
                .iter()
                .filter_map(|text| text.parse::<DocumentId>().ok().filter(|id| id.to_string() == **text))
                .collect();
            sql.push("(FALSE");
            for id in ids {
                sql.push(" OR d.id = ").push_bind(uuid_value(id.uuid()));
            }
            sql.push(")");
        }
        Key::Title | Key::ExternalId => {
            let column = if *key == Key::Title { "d.title" } else { "d.external_id" };
            sql.push(format_args!("({column} IS NOT NULL AND "));
            json::push_text_among(sql, column, &wanted.texts);
            sql.push(")");
        }
        Key::Tags => json::push_tag_among(sql, &wanted.texts),
        Key::Modality | Key::MediaType => {
            let column = if *key == Key::Modality { "p.modality" } else { "p.media_type" };
            push_parts(sql);
            sql.push(" AND ");
            json::push_text_among(sql, column, &wanted.texts);
            sql.push(")");
        }
        // Times are compared by range; as numbers they are equal to whole milliseconds.
        Key::CreatedAt => json::push_number_among(sql, "d.created_at", &wanted.numbers),
        Key::UpdatedAt => json::push_number_among(sql, "d.updated_at", &wanted.numbers),
        Key::Metadata(path) => json::push_metadata_match(sql, path, wanted),
    }
}

fn push_range(sql: &mut Sql, key: &Key<'_>, range: &Range) {
    match key {
        Key::CreatedAt => push_bounds(sql, "d.created_at", range),
        Key::UpdatedAt => push_bounds(sql, "d.updated_at", range),
        Key::Metadata(path) => json::push_metadata_range(sql, path, range),
        // Texts have no order.
        _ => {
            sql.push("FALSE");
        }
    }
}

/// That a number lies between the bounds.
pub(in super::super) fn push_bounds(sql: &mut Sql, value: &str, range: &Range) {
    sql.push("(TRUE");
    for (operator, bound) in [(">", &range.gt), (">=", &range.gte), ("<", &range.lt), ("<=", &range.lte)] {
        if let Some(bound) = bound {
            sql.push(format_args!(" AND CAST({value} AS DOUBLE PRECISION) {operator} ")).push_bind(bound.as_f64());
        }
    }
    sql.push(")");
}

fn push_exists(sql: &mut Sql, key: &Key<'_>, wanted: Option<bool>) {
    let Some(wanted) = wanted else {
        sql.push("FALSE");
        return;
    };
    if !wanted {
        sql.push("NOT ");
    }
    match key {
        Key::Document | Key::CreatedAt | Key::UpdatedAt => {
            sql.push("TRUE");
        }
        Key::Title => {
            sql.push("(d.title IS NOT NULL)");
        }
        Key::ExternalId => {
            sql.push("(d.external_id IS NOT NULL)");
        }
        Key::Tags => {
            sql.push("(d.tags <> '[]')");
        }
        Key::Modality | Key::MediaType => {
            push_parts(sql);
            sql.push(")");
        }
        Key::Metadata(path) => json::push_metadata_exists(sql, path),
    }
}

/// Opens a search for the current parts of the document: those of the live version, or of the newest while none is live.
fn push_parts(sql: &mut Sql) {
    sql.push(
        "EXISTS (SELECT 1 FROM parts p WHERE p.document = d.id AND p.version = coalesce(d.live_version, d.version)",
    );
}
