//! Filters of listings, held against [`Filter::matches`] on random documents.

use serde_json::{Map, Value, json};

use super::CatalogFixture;
use super::sample::{Chance, Stage};
use crate::catalog::{DocumentQuery, NewDocument};
use crate::document::{Document, Part};
use crate::filter::{Facts, Filter};
use crate::segment::Modality;
use crate::time::Timestamp;

const DOCUMENTS: usize = 80;
const FILTERS: usize = 600;
const TEXTS: [&str; 8] = ["red", "Red", "", "größe", "2", "it's \"so\" \\ %_", "doc_", "null"];
const WHOLE: [i64; 6] = [-1, 0, 2, 2021, 9_007_199_254_740_993, i64::MAX];
const NUMBERS: [f64; 6] = [-1.0, 0.0, 2.0, 2.5, 0.1, 1e300];
const KEYS: [&str; 5] = ["year", "a-b", "größe", "camera", "0"];
const MEDIA_TYPES: [&str; 3] = ["text/plain", "image/png", "audio/wav"];

/// Random filters over random documents list exactly those that the domain's definition passes.
pub async fn filters_mean_what_the_domain_says(fixture: &dyn CatalogFixture) {
    let stage = Stage::open(fixture).await;
    let mut chance = Chance(11);
    for number in 0..DOCUMENTS {
        stage.clock.advance(1000);
        let new = random_document(&stage, &mut chance);
        stage.accept_new(&stage.acme, new).await;
        if number % 3 == 0 {
            let lease = stage.lease("worker").await;
            stage.finish(&lease, 1).await;
        }
    }
    let query = DocumentQuery { limit: 1000, ..DocumentQuery::default() };
    let documents = stage.catalog.documents(&stage.acme, &query).await.unwrap();
    let mut parts = Vec::new();
    for document in &documents {
        parts.push(stage.catalog.parts(&stage.acme, document.id, None).await.unwrap());
    }
    let mut narrowing = 0;
    for number in 0..FILTERS {
        let filter = random_filter(&mut chance, &documents);
        let parsed: Filter = serde_json::from_value(filter.clone()).unwrap();
        assert_eq!(parsed.check(), []);
        let passing = documents.iter().zip(&parts).filter(|(document, parts)| passes(document, parts, &parsed));
        let wanted: Vec<_> = passing.map(|(document, _)| document.id).collect();
        let query = DocumentQuery { filter: parsed, limit: 1000, ..DocumentQuery::default() };
        let found = stage.catalog.documents(&stage.acme, &query).await.unwrap();
        let found: Vec<_> = found.iter().map(|document| document.id).collect();
        assert_eq!(found, wanted, "filter {number}: {filter}");
        narrowing += usize::from(!wanted.is_empty() && wanted.len() < documents.len());
    }
    assert!(narrowing > FILTERS / 3, "the filters are too dull: {narrowing}");
}

fn passes(document: &Document, parts: &[Part], filter: &Filter) -> bool {
    filter.matches(&Facts {
        document: &document.id.to_string(),
        external_id: document.external_id.as_deref(),
        title: document.title.as_deref(),
        tags: &document.tags,
        metadata: Some(&document.metadata),
        modalities: parts.iter().map(|part| part.modality.as_str()).collect(),
        media_types: parts.iter().map(|part| part.media_type.as_str()).collect(),
        created_at: document.created_at,
        updated_at: document.updated_at,
    })
}

/// An external id that comes again makes a document with a live and a newer version.
fn random_document(stage: &Stage, chance: &mut Chance) -> NewDocument {
    let texts: Vec<&str> = (0..chance.below(4)).map(|_| *chance.pick(&TEXTS)).collect();
    let external_id = (!chance.one_in(3)).then(|| format!("{}{}", chance.pick(&TEXTS), chance.below(3)));
    let mut new = stage.unstored(external_id.as_deref(), &texts);
    new.title = (!chance.one_in(3)).then(|| (*chance.pick(&TEXTS)).to_owned());
    new.tags = (0..chance.below(4)).map(|_| (*chance.pick(&TEXTS)).to_owned()).collect();
    new.metadata = random_object(chance, 2);
    for part in &mut new.parts {
        part.modality = *chance.pick(&Modality::ALL);
        (*chance.pick(&MEDIA_TYPES)).clone_into(&mut part.media_type);
    }
    new
}

fn random_object(chance: &mut Chance, depth: u32) -> Map<String, Value> {
    let mut object = Map::new();
    for key in KEYS {
        if !chance.one_in(3) {
            object.insert(key.to_owned(), random_value(chance, depth));
        }
    }
    object
}

fn random_value(chance: &mut Chance, depth: u32) -> Value {
    match chance.below(if depth == 0 { 6 } else { 9 }) {
        0 => Value::Null,
        1 => chance.one_in(2).into(),
        2 => (*chance.pick(&WHOLE)).into(),
        3 => (*chance.pick(&NUMBERS)).into(),
        4 | 5 => (*chance.pick(&TEXTS)).into(),
        6 => random_object(chance, depth - 1).into(),
        _ => (0..chance.below(4)).map(|_| random_value(chance, depth - 1)).collect(),
    }
}

fn random_filter(chance: &mut Chance, documents: &[Document]) -> Value {
    let mut filter = Map::new();
    for (name, most) in [("must", 3), ("should", 4), ("must_not", 2)] {
        let conditions = chance.below(most);
        let list: Vec<Value> = (0..conditions).map(|_| random_condition(chance, documents)).collect();
        filter.insert(name.to_owned(), list.into());
    }
    filter.into()
}

fn random_condition(chance: &mut Chance, documents: &[Document]) -> Value {
    let document = chance.pick(documents);
    match chance.below(12) {
        0 => with_text(chance, "title", &TEXTS),
        1 => with_text(chance, "external_id", &[document.external_id.as_deref().unwrap_or("none"), "red1"]),
        2 => with_text(chance, "tags", &TEXTS),
        3 => with_text(chance, "modality", &["text", "image", "audio", "video", "none"]),
        4 => with_text(chance, "media_type", &MEDIA_TYPES),
        5 => {
            let id = document.id.to_string();
            with_text(chance, "document", &[&id, &id.to_uppercase(), "doc_", "red"])
        }
        6 => {
            let key = *chance.pick(&["created_at", "updated_at"]);
            let base = document.updated_at;
            random_range(chance, key, |chance| {
                let moment: Timestamp = base.plus_ms(500 * (chance.below(5) as i64 - 2));
                json!(moment)
            })
        }
        _ => {
            let first = chance.pick(&KEYS);
            let key = match chance.below(4) {
                0 => format!("metadata.{first}.{}", chance.pick(&KEYS)),
                1 => format!("metadata.camera.{}", chance.pick(&KEYS)),
                _ => format!("metadata.{first}"),
            };
            random_metadata_condition(chance, &key)
        }
    }
}

fn with_text(chance: &mut Chance, key: &str, texts: &[&str]) -> Value {
    match chance.below(3) {
        0 => json!({"key": key, "exists": chance.one_in(2)}),
        1 => json!({"key": key, "match": {"value": chance.pick(texts)}}),
        _ => {
            let any: Vec<&str> = (0..=chance.below(3)).map(|_| *chance.pick(texts)).collect();
            json!({"key": key, "match": {"any": any}})
        }
    }
}

fn random_metadata_condition(chance: &mut Chance, key: &str) -> Value {
    match chance.below(6) {
        0 => json!({"key": key, "exists": chance.one_in(2)}),
        1 => json!({"key": key, "match": {"value": chance.one_in(2)}}),
        2 => json!({"key": key, "match": {"value": chance.pick(&WHOLE)}}),
        3 => {
            let any: Vec<i64> = (0..=chance.below(3)).map(|_| *chance.pick(&WHOLE)).collect();
            json!({"key": key, "match": {"any": any}})
        }
        4 => with_text(chance, key, &TEXTS),
        _ => random_range(chance, key, |chance| (*chance.pick(&NUMBERS)).into()),
    }
}

fn random_range(chance: &mut Chance, key: &str, bound: impl Fn(&mut Chance) -> Value) -> Value {
    let mut range = Map::new();
    for name in ["gt", "gte", "lt", "lte"] {
        if chance.one_in(3) {
            range.insert(name.to_owned(), bound(chance));
        }
    }
    if range.is_empty() {
        range.insert("gte".to_owned(), bound(chance));
    }
    json!({"key": key, "range": range})
}
