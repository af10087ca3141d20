//! Lists of documents, with filters written as SQL.
//!
//! [`Filter::matches`](sensorium_domain::Filter::matches) says what a filter means, and the contract suite compares the two. Nothing that a user
//! wrote becomes part of the SQL: keys, paths and values are all bound. Every condition is 0 or 1, never null, so that
//! `NOT` means the contrary.

use sensorium_domain::catalog::DocumentQuery;
use sensorium_domain::filter::{Condition, Key, Match, Range};
use sensorium_domain::{Document, DocumentId, Filter, TenantId};
use serde_json::Value;
use sqlx::{QueryBuilder, Sqlite};

use super::SqliteCatalog;
use super::documents::{self, select_document};
use super::error::Result;
use super::rows::blob;

type Sql = QueryBuilder<Sqlite>;

pub(super) async fn list(catalog: &SqliteCatalog, tenant: &TenantId, query: &DocumentQuery) -> Result<Vec<Document>> {
    let mut sql = Sql::new(select_document!("WHERE d.status <> 'deleting' AND d.tenant = "));
    sql.push_bind(tenant.as_str());
    if let Some(collection) = &query.collection {
        sql.push(" AND d.collection = ").push_bind(collection.as_str());
    }
    if let Some(before) = query.before {
        sql.push(" AND d.id < ").push_bind(blob(before.uuid()));
    }
    push_filter(&mut sql, &query.filter)?;
    sql.push(" ORDER BY d.id DESC LIMIT ").push_bind(query.limit);
    let rows = sql.build().persistent(query.filter.is_empty()).fetch_all(&catalog.readers).await?;
    rows.iter().map(documents::read).collect()
}

fn push_filter(sql: &mut Sql, filter: &Filter) -> Result<()> {
    for condition in &filter.must {
        sql.push(" AND ");
        push_condition(sql, condition)?;
    }
    if !filter.should.is_empty() {
        sql.push(" AND (0");
        for condition in &filter.should {
            sql.push(" OR ");
            push_condition(sql, condition)?;
        }
        sql.push(")");
    }
    for condition in &filter.must_not {
        sql.push(" AND NOT ");
        push_condition(sql, condition)?;
    }
    Ok(())
}

fn push_condition(sql: &mut Sql, condition: &Condition) -> Result<()> {
    let Some(key) = Key::parse(&condition.key) else {
        sql.push("0");
        return Ok(());
    };
    if let Some(matches) = &condition.matches {
        push_match(sql, &key, &Wanted::of(matches))
    } else if let Some(range) = &condition.range {
        push_range(sql, &key, range);
        Ok(())
    } else {
        push_exists(sql, &key, condition.exists);
        Ok(())
    }
}

/// The values of a match by type.
#[derive(Default)]
struct Wanted<'a> {
    texts: Vec<&'a str>,
    numbers: Vec<f64>,
    truths: Vec<bool>,
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

fn push_match(sql: &mut Sql, key: &Key<'_>, wanted: &Wanted<'_>) -> Result<()> {
    let texts = serde_json::to_string(&wanted.texts)?;
    match key {
        Key::Document => {
            // Only the text form that ids are shown in is equal to it.
            let ids: Vec<DocumentId> = wanted
                .texts
                .iter()
                .filter_map(|text| text.parse::<DocumentId>().ok().filter(|id| id.to_string() == **text))
                .collect();
            sql.push("(0");
            for id in ids {
                sql.push(" OR d.id = ").push_bind(blob(id.uuid()));
            }
            sql.push(")");
        }
        Key::Title | Key::ExternalId => {
            let column = if *key == Key::Title { "d.title" } else { "d.external_id" };
            sql.push(format_args!("({column} IS NOT NULL AND {column} IN (SELECT value FROM json_each("));
            sql.push_bind(texts).push(")))");
        }
        Key::Tags => {
            sql.push("EXISTS (SELECT 1 FROM json_each(d.tags) t WHERE t.value IN (SELECT value FROM json_each(");
            sql.push_bind(texts).push(")))");
        }
        Key::Modality | Key::MediaType => {
            let column = if *key == Key::Modality { "p.modality" } else { "p.media_type" };
            push_parts(sql);
            sql.push(format_args!(" AND {column} IN (SELECT value FROM json_each("));
            sql.push_bind(texts).push(")))");
        }
        // Times are compared by range; as numbers they are equal to whole milliseconds.
        Key::CreatedAt | Key::UpdatedAt => {
            let column = if *key == Key::CreatedAt { "d.created_at" } else { "d.updated_at" };
            push_number_in(sql, column, &wanted.numbers)?;
        }
        Key::Metadata(path) => {
            push_metadata_values(sql, path);
            sql.push("((m.type = 'text' AND m.value IN (SELECT value FROM json_each(");
            sql.push_bind(texts).push("))) OR (m.type IN ('integer', 'real') AND ");
            push_number_in(sql, "m.value", &wanted.numbers)?;
            sql.push(")");
            for truth in &wanted.truths {
                sql.push(if *truth { " OR m.type = 'true'" } else { " OR m.type = 'false'" });
            }
            sql.push("))");
        }
    }
    Ok(())
}

fn push_number_in(sql: &mut Sql, value: &str, numbers: &[f64]) -> Result<()> {
    sql.push(format_args!("(CAST({value} AS REAL) IN (SELECT CAST(value AS REAL) FROM json_each("));
    sql.push_bind(serde_json::to_string(numbers)?).push(")))");
    Ok(())
}

fn push_range(sql: &mut Sql, key: &Key<'_>, range: &Range) {
    match key {
        Key::CreatedAt => push_bounds(sql, "d.created_at", range),
        Key::UpdatedAt => push_bounds(sql, "d.updated_at", range),
        Key::Metadata(path) => {
            push_metadata_values(sql, path);
            sql.push("m.type IN ('integer', 'real') AND ");
            push_bounds(sql, "m.value", range);
            sql.push(")");
        }
        // Texts have no order.
        _ => {
            sql.push("0");
        }
    }
}

fn push_bounds(sql: &mut Sql, value: &str, range: &Range) {
    sql.push("(1");
    for (operator, bound) in [(">", &range.gt), (">=", &range.gte), ("<", &range.lt), ("<=", &range.lte)] {
        if let Some(bound) = bound {
            sql.push(format_args!(" AND CAST({value} AS REAL) {operator} ")).push_bind(bound.as_f64());
        }
    }
    sql.push(")");
}

fn push_exists(sql: &mut Sql, key: &Key<'_>, wanted: Option<bool>) {
    let Some(wanted) = wanted else {
        sql.push("0");
        return;
    };
    if !wanted {
        sql.push("NOT ");
    }
    match key {
        Key::Document | Key::CreatedAt | Key::UpdatedAt => {
            sql.push("1");
        }
        Key::Title => {
            sql.push("(d.title IS NOT NULL)");
        }
        Key::ExternalId => {
            sql.push("(d.external_id IS NOT NULL)");
        }
        Key::Tags => {
            sql.push("(json_array_length(d.tags) > 0)");
        }
        Key::Modality | Key::MediaType => {
            push_parts(sql);
            sql.push(")");
        }
        Key::Metadata(path) => {
            let path = json_path(path);
            sql.push("coalesce(CASE json_type(d.metadata, ").push_bind(path.clone());
            sql.push(") WHEN 'null' THEN 0 WHEN 'array' THEN EXISTS (SELECT 1 FROM json_each(d.metadata, ");
            sql.push_bind(path.clone()).push(") m WHERE m.type <> 'null') ELSE json_type(d.metadata, ");
            sql.push_bind(path);
            sql.push(") IS NOT NULL END, 0)");
        }
    }
}

/// Opens a search for the current parts of the document: those of the live version, or of the newest while none is live.
fn push_parts(sql: &mut Sql) {
    sql.push(
        "EXISTS (SELECT 1 FROM parts p WHERE p.document = d.id AND p.version = coalesce(d.live_version, d.version)",
    );
}

/// Opens a search for the values under a metadata path: the elements of a list, or the single value. An object is
/// nothing that could be equal or between bounds.
fn push_metadata_values(sql: &mut Sql, path: &[&str]) {
    sql.push("EXISTS (SELECT 1 FROM json_each(d.metadata, ").push_bind(json_path(path));
    sql.push(") m WHERE json_type(d.metadata, ").push_bind(json_path(path));
    sql.push(") <> 'object' AND ");
}

/// The path in SQLite's words. The steps are letters, digits, `_` and `-` (see [`Key::parse`]), so quoting is enough.
fn json_path(path: &[&str]) -> String {
    let mut text = String::from("$");
    for step in path {
        text.push_str(".\"");
        text.push_str(step);
        text.push('"');
    }
    text
}
