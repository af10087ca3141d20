//! The sample library is found: for each direction the share of the searches of `samples/queries.json` that bring up a right file
//! among the first hits must not fall below what was reached before.

use std::collections::BTreeMap;

use futures::StreamExt;
use serde_json::{Value, json};

use crate::client::{Api, list};
use crate::media::{base64, sample};
use crate::server::{Server, root};

/// Direction, and the least share of searches with a right file first, and among the first three, in percent.
const FLOORS: [(&str, usize, usize); 8] = [
    ("text->text", 85, 95),
    ("text->image", 88, 92),
    ("text->audio", 68, 82),
    ("image->text", 70, 90),
    ("image->audio", 52, 82),
    ("audio->text", 45, 85),
    ("audio->image", 50, 66),
    ("mixed", 50, 75),
];

#[tokio::test]
async fn texts_find_texts() {
    check(&["texts"], |direction| direction == "text->text").await;
}

#[tokio::test]
async fn any_modality_finds_any_other() {
    check(&["texts", "drawings", "sounds"], |direction| direction != "text->text").await;
}

/// How often a right file came first and among the first three, of how many searches.
#[derive(Debug, Default, Clone)]
struct Tally {
    searches: usize,
    first: usize,
    third: usize,
    misses: Vec<String>,
}

async fn check(folders: &[&str], wanted: impl Fn(&str) -> bool) {
    let server = Server::start().await;
    let api = server.tenant("library");
    add_library(&api, folders).await;
    let queries: Vec<Value> =
        serde_json::from_slice(&std::fs::read(root().join("samples/queries.json")).unwrap()).unwrap();
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    for query in queries.iter().filter(|query| wanted(query["direction"].as_str().unwrap())) {
        let rank = rank(&api, query).await;
        let tally = tallies.entry(query["direction"].as_str().unwrap().to_owned()).or_default();
        tally.searches += 1;
        tally.first += usize::from(rank == Some(1));
        tally.third += usize::from(rank.is_some_and(|rank| rank <= 3));
        if rank.is_none_or(|rank| rank > 3) {
            tally.misses.push(query["inputs"].to_string());
        }
    }
    let mut below = Vec::new();
    for (direction, tally) in &tallies {
        let percent = |count: usize| count * 100 / tally.searches;
        let (first, third) = (percent(tally.first), percent(tally.third));
        println!("{direction}: {} searches, first {first} %, first three {third} %", tally.searches);
        let (_, least_first, least_third) = FLOORS.iter().find(|(name, ..)| name == direction).unwrap();
        if first < *least_first || third < *least_third {
            below.push(format!(
                "{direction}: {first} % and {third} %, not {least_first} % and {least_third} %; missed: {:?}",
                tally.misses
            ));
        }
    }
    assert!(!tallies.is_empty());
    assert!(below.is_empty(), "{below:#?}");
}

/// Adds the files of the library under their paths.
async fn add_library(api: &Api, folders: &[&str]) {
    let library = root().join("samples/library");
    let mut paths = Vec::new();
    for folder in folders {
        for entry in std::fs::read_dir(library.join(folder)).unwrap() {
            paths.push(format!("{folder}/{}", entry.unwrap().file_name().to_str().unwrap()));
        }
    }
    let adding = paths.iter().map(|path| async move {
        let name = path.rsplit('/').next().unwrap();
        api.add_files(Some(&json!({"external_id": path})), &[("file", name, sample(path))]).await
    });
    futures::stream::iter(adding).buffer_unordered(4).collect::<Vec<_>>().await;
}

/// The place of the first right file, from 1; with several target modalities the worst of their places, each counted among its own.
async fn rank(api: &Api, query: &Value) -> Option<usize> {
    let mut inputs = query["inputs"].clone();
    for input in inputs.as_array_mut().unwrap() {
        for kind in ["image", "audio"] {
            if let Some(file) = input.pointer(&format!("/{kind}/file")).and_then(Value::as_str) {
                input[kind] = json!({"base64": base64(&sample(file))});
            }
        }
    }
    let mut worst = Some(0);
    for target in list(query, "/targets") {
        let answer = api.search(&json!({"inputs": inputs, "targets": [target], "page_size": 10})).await;
        let right = list(query, &format!("/relevant/{}", target.as_str().unwrap()));
        let place = list(&answer, "/hits").iter().position(|hit| right.contains(&hit["document"]["external_id"]));
        worst = worst.zip(place).map(|(worst, place)| worst.max(place + 1));
    }
    worst
}
