//! Filters, held against [`Filter::matches`] on random points.

use serde_json::{Map, Value, json};

use super::sample::{Chance, bare, dense_leg, document, found, scope, shared, tenant};
use crate::filter::Facts;
use crate::index::{Point, VectorIndex};
use crate::segment::Modality;
use crate::time::Timestamp;

const POINTS: u32 = 150;
const FILTERS: usize = 400;

/// Random filters over random points pass exactly the points that the domain's definition passes.
pub async fn filters_mean_what_the_domain_says(index: &dyn VectorIndex) {
    let acme = tenant("acme");
    let mut chance = Chance(9);
    let points: Vec<Point> = (0..POINTS).map(|number| random_point(&mut chance, number)).collect();
    index.upsert(&acme, points.clone()).await.unwrap();
    let mut narrowing = 0;
    for _ in 0..FILTERS {
        let filter = random_filter(&mut chance);
        let scope = scope(filter.clone());
        let mut wanted: Vec<_> =
            points.iter().filter(|point| passes(point, &scope.filter)).map(|point| point.id).collect();
        wanted.sort();
        narrowing += usize::from(!wanted.is_empty() && wanted.len() < points.len());
        let leg = dense_leg(shared(), vec![1.0; 8], POINTS as usize);
        let mut passed = found(index, &acme, &scope, leg).await;
        passed.sort();
        assert_eq!(passed, wanted, "{filter}");
        let count = index.count(&acme, &scope).await.unwrap();
        assert_eq!(count, wanted.len() as u64, "{filter}");
    }
    assert!(narrowing > FILTERS / 3, "the filters are too dull");
}

fn passes(point: &Point, filter: &crate::Filter) -> bool {
    let payload = &point.payload;
    filter.matches(&Facts {
        document: &payload.document.to_string(),
        external_id: payload.external_id.as_deref(),
        title: payload.title.as_deref(),
        tags: &payload.tags,
        metadata: Some(&payload.metadata),
        modalities: vec![payload.modality.as_str()],
        media_types: vec![&payload.media_type],
        created_at: payload.created_at,
        updated_at: payload.updated_at,
    })
}

const TEXTS: [&str; 6] = ["red", "blue", "", "naïve café", "2", "a.b"];
const NUMBERS: [i64; 5] = [-1, 0, 2, 3, 9_007_199_254_740_993];
const METADATA_KEYS: [&str; 6] = ["year", "a-b", "under_score", "größe", "camera", "empty"];
const MEDIA_TYPES: [&str; 3] = ["text/plain", "image/png", "audio/wav"];

pub(super) fn random_point(chance: &mut Chance, number: u32) -> Point {
    let mut point = bare(number, 0);
    point.dense = vec![(shared(), chance.unit_vector(8))];
    let payload = &mut point.payload;
    payload.modality = *chance.pick(&Modality::ALL);
    (*chance.pick(&MEDIA_TYPES)).clone_into(&mut payload.media_type);
    payload.title = random_text(chance);
    payload.external_id = random_text(chance);
    payload.tags = (0..chance.below(4)).map(|_| (*chance.pick(&TEXTS)).to_owned()).collect();
    payload.created_at = Timestamp::from_millis(1_000 * (chance.below(10) as i64 - 2));
    payload.updated_at = Timestamp::from_millis(1_000 * chance.below(10) as i64);
    payload.metadata = random_object(chance, 2);
    point
}

fn random_text(chance: &mut Chance) -> Option<String> {
    (!chance.one_in(3)).then(|| (*chance.pick(&TEXTS)).to_owned())
}

fn random_object(chance: &mut Chance, depth: u32) -> Map<String, Value> {
    let mut object = Map::new();
    for key in METADATA_KEYS {
        if !chance.one_in(3) {
            object.insert(key.to_owned(), random_value(chance, depth));
        }
    }
    object
}

fn random_value(chance: &mut Chance, depth: u32) -> Value {
    match chance.below(if depth == 0 { 7 } else { 10 }) {
        0 => Value::Null,
        1 => chance.one_in(2).into(),
        2 => (*chance.pick(&NUMBERS)).into(),
        3 => (*chance.pick(&[2.0, 2.5, -1.0, 1e300])).into(),
        4 | 5 => (*chance.pick(&TEXTS)).into(),
        6 => Value::Array(Vec::new()),
        7 => random_object(chance, depth - 1).into(),
        _ => (0..chance.below(4)).map(|_| random_value(chance, depth - 1)).collect(),
    }
}

pub(super) fn random_filter(chance: &mut Chance) -> Value {
    let mut filter = Map::new();
    for (name, most) in [("must", 3), ("should", 4), ("must_not", 2)] {
        let list: Vec<Value> = (0..chance.below(most)).map(|_| random_condition(chance)).collect();
        if !list.is_empty() {
            filter.insert(name.to_owned(), list.into());
        }
    }
    filter.into()
}

fn random_condition(chance: &mut Chance) -> Value {
    let key = match chance.below(12) {
        0 => "tags".to_owned(),
        1 => "title".to_owned(),
        2 => "external_id".to_owned(),
        3 => "modality".to_owned(),
        4 => "media_type".to_owned(),
        5 => "document".to_owned(),
        6 => return random_moment(chance),
        7 => format!("metadata.camera.{}", chance.pick(&METADATA_KEYS)),
        8 => format!("metadata.{}.nothing", chance.pick(&METADATA_KEYS)),
        _ => format!("metadata.{}", chance.pick(&METADATA_KEYS)),
    };
    let is_metadata = key.starts_with("metadata.");
    match chance.below(if is_metadata { 6 } else { 4 }) {
        0 => json!({"key": key, "exists": chance.one_in(2)}),
        1 => {
            let any: Vec<Value> = (0..=chance.below(20)).map(|_| random_text_for(chance, &key).into()).collect();
            json!({"key": key, "match": {"any": any}})
        }
        2 | 3 if !is_metadata => {
            json!({"key": key, "match": {"value": random_text_for(chance, &key)}})
        }
        2 => {
            let any: Vec<i64> = (0..=chance.below(3)).map(|_| *chance.pick(&NUMBERS)).collect();
            json!({"key": key, "match": {"any": any}})
        }
        3 => {
            let value = match chance.below(3) {
                0 => chance.one_in(2).into(),
                1 => Value::from(*chance.pick(&NUMBERS)),
                _ => Value::from(*chance.pick(&TEXTS)),
            };
            json!({"key": key, "match": {"value": value}})
        }
        _ => {
            let bounds = [-1.0, 0.0, 2.0, 2.5, 3.0];
            random_range(chance, &key, |chance| (*chance.pick(&bounds)).into())
        }
    }
}

fn random_text_for(chance: &mut Chance, key: &str) -> String {
    match key {
        "modality" => chance.pick(&Modality::ALL).to_string(),
        "media_type" => (*chance.pick(&MEDIA_TYPES)).to_owned(),
        "document" => document(chance.below(u64::from(POINTS) + 5) as u32).to_string(),
        _ => (*chance.pick(&TEXTS)).to_owned(),
    }
}

fn random_moment(chance: &mut Chance) -> Value {
    let key = *chance.pick(&["created_at", "updated_at"]);
    random_range(chance, key, |chance| {
        let moment = Timestamp::from_millis(1_000 * (chance.below(10) as i64 - 2));
        json!(moment)
    })
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
