//! Postgres, then Qdrant, go and come back under load: answers are 503 problems that say when to try again, nothing that was answered 202
//! is lost, and the server needs no restart.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use reqwest::Method;
use serde_json::json;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

use crate::client::{Answer, Api, id};
use crate::postgres_process::Server as Postgres;
use crate::qdrant::on_a_thread;
use crate::qdrant_process::Server as Qdrant;
use crate::server::{Server, eventually};

/// What the load saw.
#[derive(Default)]
struct Seen {
    is_over: AtomicBool,
    refused: AtomicUsize,
    searched: AtomicUsize,
    accepted: Mutex<BTreeMap<String, String>>,
}

impl Seen {
    /// Counts a refusal, which must be a problem that says when to try again; whether the answer is one.
    fn is_refusal(&self, answer: &Answer) -> bool {
        if answer.status < 500 {
            return false;
        }
        answer.problem(503, "unavailable");
        assert!(answer.header("retry-after").parse::<u64>().unwrap() > 0);
        self.refused.fetch_add(1, Ordering::Relaxed);
        true
    }

    async fn add(&self, api: &Api, writer: usize) {
        let mut number = 0;
        while !self.is_over.load(Ordering::Relaxed) {
            number += 1;
            let word = format!("w{writer}x{number}");
            let document = json!({"external_id": word, "parts": [{"text": format!("a buoy with the number {word}")}]});
            let answer = api.send(api.request(Method::POST, "/v1/documents").json(&document)).await;
            if !self.is_refusal(&answer) {
                self.accepted.lock().await.insert(word, id(&answer.expect(202)["document"]));
            }
        }
    }

    async fn search(&self, api: &Api) {
        while !self.is_over.load(Ordering::Relaxed) {
            let answer = api.post("/v1/search", &json!({"inputs": [{"text": "a buoy"}]})).await;
            if !self.is_refusal(&answer) {
                answer.expect(200);
                self.searched.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Waits until the load has been refused, or served, a few times more.
    async fn more(&self, what: &str, count: &AtomicUsize) {
        let before = count.load(Ordering::Relaxed);
        eventually(what, async || (count.load(Ordering::Relaxed) > before + 4).then_some(())).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn databases_go_and_come_back_on_postgres_and_qdrant() {
    let (postgres, qdrant) = spawn_blocking(|| (Arc::new(Postgres::start()), Qdrant::start())).await.unwrap();
    let qdrant_url = qdrant.url();
    let settings = [
        ("catalog.url", postgres.url.as_str()),
        ("catalog.patience_ms", "300"),
        ("index.url", qdrant_url.as_str()),
        ("index.connect_timeout_ms", "300"),
        ("jobs.lease_ms", "2000"),
        ("jobs.max_attempts", "1000"),
        ("jobs.retry_cap_ms", "500"),
    ];
    let server = Server::start_with(&settings).await;
    let (api, seen) = (server.owner(), Arc::new(Seen::default()));
    let load: Vec<_> = (0..4)
        .map(|number| {
            let (api, seen) = (api.clone(), seen.clone());
            tokio::spawn(async move { if number < 3 { seen.add(&api, number).await } else { seen.search(&api).await } })
        })
        .collect();
    seen.more("searches are answered", &seen.searched).await;

    let stopped = postgres.clone();
    spawn_blocking(move || stopped.stop()).await.unwrap();
    seen.more("the load is refused without Postgres", &seen.refused).await;
    assert_eq!(server.stranger().get("/livez").await.status, 200);
    assert_eq!(server.stranger().get("/readyz").await.status, 503);
    let started = postgres.clone();
    spawn_blocking(move || started.start_again()).await.unwrap();
    seen.more("searches are answered again", &seen.searched).await;

    let qdrant = on_a_thread(qdrant, Qdrant::kill).await;
    seen.more("searches are refused without Qdrant", &seen.refused).await;
    assert_eq!(server.stranger().get("/readyz").await.status, 503);
    let qdrant = on_a_thread(qdrant, Qdrant::start_again).await;
    seen.more("searches are answered again", &seen.searched).await;
    eventually("the server is ready", async || (server.stranger().get("/readyz").await.status == 200).then_some(()))
        .await;

    seen.is_over.store(true, Ordering::Relaxed);
    for task in load {
        task.await.unwrap();
    }
    let accepted = seen.accepted.lock().await.clone();
    assert!(accepted.len() >= 3, "{}", accepted.len());
    eventually("no job is open", async || {
        let open =
            [api.all("/v1/jobs?state=queued", "jobs", 100).await, api.all("/v1/jobs?state=running", "jobs", 100).await];
        open.iter().all(Vec::is_empty).then_some(())
    })
    .await;
    assert!(api.all("/v1/jobs?state=failed", "jobs", 100).await.is_empty());
    for (word, document) in &accepted {
        assert_eq!(api.with_word(word).await, [document.clone()], "{word}");
    }
    // Requests that were refused after their document was accepted are found by their external ids and counted here too.
    let all = api.all("/v1/documents", "documents", 100).await;
    assert!(all.len() >= accepted.len() && all.iter().all(|document| document["status"] == "ready"));
    spawn_blocking(|| drop((postgres, qdrant))).await.unwrap();
}
