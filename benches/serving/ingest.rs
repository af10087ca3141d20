//! Documents a second by kind, from the first POST until the last job has succeeded.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use futures::future::join_all;
use reqwest::StatusCode;
use reqwest::multipart::{Form, Part};
use sensorium_domain::Timestamp;
use serde_json::{Value, json};

use crate::content::{self, Random};
use crate::figures::{Values, print_table, short};
use crate::server::{Server, expect_success};
use crate::{Plan, machine};

/// Clients that add side by side.
const CLIENTS: usize = 8;

/// One part of a document to add.
enum Content {
    Text(String),
    File(Vec<u8>),
}

type Document = Vec<Content>;

/// What a number of additions came to.
struct Outcome {
    seconds: f64,
    segments: u64,
    post_ms: Values,
    wait_ms: Values,
    run_ms: Values,
    stages: BTreeMap<String, usize>,
}

/// Adds every kind to one server, one kind after the other, and each a second time.
pub async fn measure(plan: &Plan) {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let at_ready = server.resident_mib();
    let mut rows = Vec::new();
    for (name, documents) in kinds(plan) {
        let load = machine::load();
        let fresh = add_all(&server, &documents).await;
        let again = add_all(&server, &documents).await;
        rows.push(row(name, &documents, &fresh, &again));
        println!("{name}: {load}; jobs seen in {}", shares(&fresh.stages));
    }
    let head = [
        "documents",
        "n",
        "segments",
        "documents/s",
        "segments/s",
        "POST p50 ms",
        "POST p99 ms",
        "wait p50 ms",
        "job p50 ms",
        "again: documents/s",
        "share of encoding",
    ];
    print_table(&format!("Adding, {CLIENTS} clients ({})", machine::load()), &head, rows);
    println!("\nresident: {at_ready:.0} MiB at ready, {:.0} MiB after adding", server.resident_mib());
    server.stop().await;
}

fn kinds(plan: &Plan) -> Vec<(&'static str, Vec<Document>)> {
    let mut random = Random::new(42);
    let mut many = |count: usize, make: &mut dyn FnMut(&mut Random) -> Document| -> Vec<Document> {
        (0..count).map(|_| make(&mut random)).collect()
    };
    vec![
        ("short text, 30 words", many(plan.of(400, 80), &mut |random| vec![Content::Text(content::text(random, 2))])),
        ("long text, 1700 words", many(plan.of(16, 4), &mut |random| vec![Content::Text(content::text(random, 110))])),
        ("picture, 64-512 px", many(plan.of(240, 40), &mut |random| vec![Content::File(content::picture(random))])),
        ("sound, 4 s", many(plan.of(160, 24), &mut |random| vec![Content::File(content::sound(random))])),
        (
            "mixed: one of each",
            many(plan.of(80, 16), &mut |random| {
                let text = Content::Text(content::text(random, 2));
                vec![text, Content::File(content::picture(random)), Content::File(content::sound(random))]
            }),
        ),
    ]
}

fn row(name: &str, documents: &[Document], fresh: &Outcome, again: &Outcome) -> Vec<String> {
    let rate = |outcome: &Outcome| documents.len() as f64 / outcome.seconds;
    vec![
        name.to_owned(),
        documents.len().to_string(),
        fresh.segments.to_string(),
        short(rate(fresh)),
        short(fresh.segments as f64 / fresh.seconds),
        short(fresh.post_ms.p50()),
        short(fresh.post_ms.p99()),
        short(fresh.wait_ms.p50()),
        short(fresh.run_ms.p50()),
        short(rate(again)),
        format!("{:.0} %", 100.0 * (1.0 - again.seconds / fresh.seconds).max(0.0)),
    ]
}

fn shares(stages: &BTreeMap<String, usize>) -> String {
    let all: usize = stages.values().sum();
    let share = |count: usize| 100.0 * count as f64 / all.max(1) as f64;
    let list: Vec<String> = stages.iter().map(|(stage, count)| format!("{stage} {:.0} %", share(*count))).collect();
    format!("{} (n = {all})", list.join(", "))
}

async fn add_all(server: &Server, documents: &[Document]) -> Outcome {
    let next = AtomicUsize::new(0);
    let posted = Mutex::new(Vec::new());
    let all_posted = AtomicBool::new(false);
    let begun_ms = now_ms();
    let client = || async {
        while let Some(document) = documents.get(next.fetch_add(1, Ordering::Relaxed)) {
            let begun = Instant::now();
            let job = add(server, document).await;
            posted.lock().unwrap().push((job, begun.elapsed().as_secs_f64() * 1_000.0));
        }
    };
    let posting = async {
        join_all((0..CLIENTS).map(|_| client())).await;
        all_posted.store(true, Ordering::Relaxed);
    };
    let ((), stages) = tokio::join!(posting, watch(server, &all_posted));
    let posted = posted.into_inner().unwrap();
    let (mut wait_ms, mut run_ms, mut segments, mut ended_ms) = (Vec::new(), Vec::new(), 0, begun_ms);
    for (job, _) in &posted {
        let job = server.json(&format!("/v1/jobs/{job}")).await;
        assert_eq!(job["state"], "succeeded", "{job}");
        let [created, started, finished] = ["created_at", "started_at", "finished_at"].map(|field| moment(&job[field]));
        wait_ms.push(started - created);
        run_ms.push(finished - started);
        ended_ms = ended_ms.max(finished);
        segments += job["progress"]["segments"].as_u64().unwrap_or(0);
    }
    Outcome {
        seconds: (ended_ms - begun_ms) / 1_000.0,
        segments,
        post_ms: Values::of(posted.iter().map(|(_, ms)| *ms)),
        wait_ms: Values::of(wait_ms),
        run_ms: Values::of(run_ms),
        stages,
    }
}

/// Looks now and then at what running jobs do, until none is left.
async fn watch(server: &Server, all_posted: &AtomicBool) -> BTreeMap<String, usize> {
    let mut stages = BTreeMap::new();
    loop {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let was_last = all_posted.load(Ordering::Relaxed);
        let running = server.json("/v1/jobs?state=running&page_size=100").await;
        let running = running["jobs"].as_array().cloned().unwrap_or_default();
        for job in &running {
            *stages.entry(job["progress"]["stage"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
        }
        if was_last && running.is_empty() {
            let queued = server.json("/v1/jobs?state=queued&page_size=1").await;
            if queued["jobs"].as_array().is_none_or(Vec::is_empty) {
                return stages;
            }
        }
    }
}

/// Adds a document and returns its job. A full server is asked again.
async fn add(server: &Server, document: &[Content]) -> String {
    loop {
        let answer = request(server, document).send().await.expect("an answer");
        if answer.status() == StatusCode::TOO_MANY_REQUESTS {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        }
        let answer: Value = expect_success(answer).await.json().await.expect("JSON");
        return answer["job"]["id"].as_str().expect("a job").to_owned();
    }
}

fn request(server: &Server, document: &[Content]) -> reqwest::RequestBuilder {
    let parts: Vec<Value> = document
        .iter()
        .enumerate()
        .map(|(number, content)| match content {
            Content::Text(text) => json!({"text": text}),
            Content::File(_) => json!({"file": format!("file{number}")}),
        })
        .collect();
    let described = json!({"title": "Added by the bench", "parts": parts});
    let mut form = Form::new().text("document", described.to_string());
    for (number, content) in document.iter().enumerate() {
        if let Content::File(bytes) = content {
            form = form.part(format!("file{number}"), Part::bytes(bytes.clone()).file_name("made-up"));
        }
    }
    server.post("/v1/documents").multipart(form)
}

/// Adds short texts until told to stop, two at a time. Returns how many.
pub async fn add_until(server: &Server, stop: &AtomicBool) -> usize {
    let added = AtomicUsize::new(0);
    let client = || async {
        while !stop.load(Ordering::Relaxed) {
            let number = added.fetch_add(1, Ordering::Relaxed);
            let text = content::text(&mut Random::new(0xadd_0000 + number as u64), 2);
            add(server, &[Content::Text(text)]).await;
        }
    };
    tokio::join!(client(), client());
    added.into_inner()
}

fn now_ms() -> f64 {
    SystemTime::UNIX_EPOCH.elapsed().expect("a clock").as_secs_f64() * 1_000.0
}

fn moment(value: &Value) -> f64 {
    value.as_str().and_then(|text| text.parse::<Timestamp>().ok()).expect("a time").as_millis() as f64
}
