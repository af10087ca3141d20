//! How long a search of a text takes, over HTTP, encoding included.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use futures::future::join_all;
use serde_json::{Value, json};

use crate::content;
use crate::figures::{Values, print_table, short};
use crate::server::{Server, expect_success};
use crate::{Plan, folder, ingest, machine, start};

/// The aim for 99 of 100 searches, in milliseconds.
const AIM_MS: f64 = 25.0;
/// The aim for the p99 of encoding while ingest keeps the encoder busy, beside that of a server at rest.
const AIM_BESIDE: f64 = 2.0;
const STAGES: [&str; 4] = ["encode", "index", "fuse", "catalog"];

/// One search: the whole of it as the client sees it, and the stages that the server tells.
pub struct Search {
    /// The whole, in milliseconds.
    pub ms: f64,
    /// Of encoding, the index, fusion and the catalog.
    pub stages: [f64; STAGES.len()],
    /// The ids of the best segments.
    pub segments: Vec<String>,
    /// The caller's ids of the documents, and where in them the best segments begin.
    pub hits: Vec<(String, String)>,
}

/// Fills a folder with so many segments, starts the server on it and searches in several ways.
pub async fn measure(plan: &Plan, segments: usize) {
    let data = tempfile::tempdir().unwrap();
    folder::fill(data.path(), segments).await;
    let server = start::filled(plan, data.path(), segments).await;
    let at_ready = server.resident_mib();
    let asker = Asker { server: &server, asked: AtomicU64::new(0) };
    asker.ask(1, plan.of(100, 20), &json!({})).await;
    let mut rows = Vec::new();
    let mut idle_encode_ms = Vec::new();
    let ways = [
        ("as it comes", json!({})),
        ("group_by none", json!({"group_by": "none"})),
        ("depth 100", json!({"depth": 100})),
        ("only the dense legs", json!({"spaces": ["shared"]})),
        ("only words", json!({"spaces": ["lexical"]})),
    ];
    for (name, options) in &ways {
        for clients in [1, 4] {
            let found = asker.ask(clients, plan.of(500, 100), options).await;
            rows.push(row(name, clients, &found));
            idle_encode_ms.push(encode_ms(&found).p99()); // of the first way, with 1 and with 4 clients, the first two
        }
    }
    let after_searches = server.resident_mib();
    let (mut added, mut beside) = (0, Vec::new());
    for (clients, idle_ms) in [1, 4].into_iter().zip(idle_encode_ms) {
        let stop = AtomicBool::new(false);
        let searching = async {
            let found = asker.ask(clients, plan.of(500, 100), &json!({})).await;
            stop.store(true, Ordering::Relaxed);
            found
        };
        let (found, count) = tokio::join!(searching, ingest::add_until(&server, &stop));
        added += count;
        rows.push(row("while short texts are added", clients, &found));
        beside.push(format!("{} ({clients} at once)", short(encode_ms(&found).p99() / idle_ms)));
    }
    let head = [
        "search",
        "clients",
        "n",
        "p50 ms",
        "p99 ms",
        "max ms",
        "p99 / 25 ms",
        "encode p50",
        "p99",
        "index p50",
        "p99",
        "fuse p50",
        "catalog p50",
        "rest p50",
        "p50 / (encode + index)",
        "searches/s",
    ];
    print_table(&format!("Searching {segments} segments ({})", machine::load()), &head, rows);
    println!(
        "\nresident: {at_ready:.0} MiB at ready, {after_searches:.0} MiB after searching, {:.0} MiB after {added} texts more",
        server.resident_mib()
    );
    println!("encode p99 while texts are added / p99 without: {}; aim {AIM_BESIDE}", beside.join(", "));
    server.stop().await;
}

fn encode_ms(found: &Found) -> Values {
    Values::of(found.searches.iter().map(|search| search.stages[0]))
}

struct Asker<'a> {
    server: &'a Server,
    /// Every query is another, so that no cache knows it.
    asked: AtomicU64,
}

struct Found {
    searches: Vec<Search>,
    seconds: f64,
}

impl Asker<'_> {
    async fn ask(&self, clients: usize, count: usize, options: &Value) -> Found {
        let found = Mutex::new(Vec::with_capacity(count));
        let begun = Instant::now();
        let client = |number: usize| {
            let found = &found;
            async move {
                for _ in (number..count).step_by(clients) {
                    let search = self.ask_once(options).await;
                    found.lock().unwrap().push(search);
                }
            }
        };
        join_all((0..clients).map(client)).await;
        Found { seconds: begun.elapsed().as_secs_f64(), searches: found.into_inner().unwrap() }
    }

    async fn ask_once(&self, options: &Value) -> Search {
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        search(self.server, &content::query(number), options).await
    }
}

/// Searches by a text.
pub async fn search(server: &Server, text: &str, options: &Value) -> Search {
    let mut body = json!({"inputs": [{"text": text}]});
    if let (Some(body), Some(options)) = (body.as_object_mut(), options.as_object()) {
        body.extend(options.clone());
    }
    let request = server.post("/v1/search").json(&body);
    let begun = Instant::now();
    let answer = expect_success(request.send().await.expect("an answer")).await;
    let timing = answer.headers().get("server-timing").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let stages = STAGES.map(|stage| duration_of(timing, stage));
    let bytes = answer.bytes().await.expect("a body");
    let ms = begun.elapsed().as_secs_f64() * 1_000.0;
    let answer: Value = serde_json::from_slice(&bytes).expect("JSON");
    let hits = answer["hits"].as_array().filter(|hits| !hits.is_empty());
    let hits = hits.unwrap_or_else(|| panic!("the search {body} found nothing: {answer}"));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Search {
        ms,
        stages,
        segments: hits.iter().map(|hit| text(&hit["segment"]["id"])).collect(),
        hits: hits
            .iter()
            .map(|hit| (text(&hit["document"]["external_id"]), hit["segment"]["place"].to_string()))
            .collect(),
    }
}

/// Reads a stage's `dur` from a `Server-Timing` header.
fn duration_of(timing: &str, stage: &str) -> f64 {
    let entry = timing.split(',').map(str::trim).find_map(|entry| entry.strip_prefix(stage)?.strip_prefix(";dur="));
    entry.and_then(|number| number.parse().ok()).unwrap_or(0.0)
}

fn row(name: &str, clients: usize, found: &Found) -> Vec<String> {
    let of = |value: &dyn Fn(&Search) -> f64| Values::of(found.searches.iter().map(value));
    let whole = of(&|search| search.ms);
    let stage = |number: usize| of(&|search: &Search| search.stages[number]);
    let raw = of(&|search| search.stages[0] + search.stages[1]);
    let rest = of(&|search| search.ms - search.stages.iter().sum::<f64>());
    let mut cells = vec![name.to_owned(), clients.to_string(), whole.n().to_string()];
    let numbers = [
        whole.p50(),
        whole.p99(),
        whole.max(),
        whole.p99() / AIM_MS,
        stage(0).p50(),
        stage(0).p99(),
        stage(1).p50(),
        stage(1).p99(),
        stage(2).p50(),
        stage(3).p50(),
        rest.p50(),
        if raw.p50() > 0.0 { whole.p50() / raw.p50() } else { 0.0 },
        whole.n() as f64 / found.seconds,
    ];
    cells.extend(numbers.map(short));
    cells
}
