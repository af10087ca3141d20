//! What was answered 202 survives SIGKILL at any moment: the documents are there and found, what was deleted is gone, what was
//! replaced is replaced, and catalog, blobs and index agree. A request that was cut off and is sent again under its key makes one
//! document, whether it had been accepted or not.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::StreamExt;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::{Mutex, Notify};
use tokio::task::spawn_blocking;

use crate::client::{Api, id, list};
use crate::media::{base64, png, wav};
use crate::postgres_process::Server as Postgres;
use crate::qdrant_process::Server as Qdrant;
use crate::server::{Server, eventually};

const ROUNDS: usize = 20;
const ROUNDS_ON_SERVERS: usize = 8;
const WRITERS: usize = 4;
/// What is kept in the catalog and has no file: `blobs.inline_bytes` as it is.
const INLINE_BYTES: u64 = 4096;
const SEED: u64 = 0x5E05_0121;

/// A document that was answered 202.
#[derive(Debug, Clone)]
struct Accepted {
    id: String,
    word: String,
}

/// A request that got no answer.
struct CutOff {
    word: String,
    document: Value,
}

/// What writers share.
#[derive(Default)]
struct Book {
    accepted: Mutex<Vec<Accepted>>,
    words: AtomicUsize,
    answered: AtomicUsize,
    progress: Notify,
}

impl Book {
    /// A word that was not used before; of letters that no stemmer touches.
    fn word(&self) -> String {
        let mut rest = self.words.fetch_add(1, Ordering::Relaxed);
        let mut word = String::new();
        for _ in 0..5 {
            word.insert(0, char::from(b"bdfgkm"[rest % 6]));
            word.insert(0, 'o');
            rest /= 6;
        }
        word + "ab"
    }
}

/// How often the server is killed: `SENSORIUM_CRASH_ROUNDS`, which `make bench-crash` sets, or so many.
fn rounds(usual: usize) -> usize {
    std::env::var("SENSORIUM_CRASH_ROUNDS").map_or(usual, |rounds| rounds.parse().expect("a number of rounds"))
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_was_accepted_is_lost() {
    survive(Server::start().await, rounds(ROUNDS)).await;
}

/// The databases live on; what a dead process held there runs out.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_on_postgres_and_qdrant() {
    let (postgres, qdrant) = spawn_blocking(|| (Postgres::start(), Qdrant::start())).await.unwrap();
    let qdrant_url = qdrant.url();
    let settings = [
        ("catalog.url", postgres.url.as_str()),
        ("index.url", qdrant_url.as_str()),
        ("jobs.lease_ms", "3000"),
        ("jobs.claim_ms", "20000"),
        ("jobs.sweep_interval_ms", "1000"),
        ("jobs.max_attempts", "100"),
        ("jobs.retry_cap_ms", "1000"),
    ];
    survive(Server::start_with(&settings).await, rounds(ROUNDS_ON_SERVERS)).await;
    spawn_blocking(|| drop((postgres, qdrant))).await.unwrap();
}

async fn survive(mut server: Server, rounds: usize) {
    let mut rng = StdRng::seed_from_u64(SEED);
    let book = Arc::new(Book::default());
    let (mut deleted, mut moving, mut sent_again) = (Vec::new(), None, 0);
    for round in 0..rounds {
        let api = server.owner();
        moving = Some(replace(&api, &book).await);
        if round % 2 == 1 {
            deleted.extend(delete_one(&api, &book, &mut rng).await);
        }
        let goal = book.answered.load(Ordering::Relaxed) + rng.random_range(0..10);
        let waits = rng.random_bool(0.4); // answers come when jobs end, so the end is near these
        let writers: Vec<_> =
            (0..WRITERS).map(|_| tokio::spawn(write(api.clone(), book.clone(), rng.random(), waits))).collect();
        while book.answered.load(Ordering::Relaxed) < goal {
            book.progress.notified().await;
        }
        server.kill();
        let cut_off = futures::future::join_all(writers).await;
        server.restart().await;
        for cut_off in cut_off {
            send_again(&server.owner(), &book, cut_off.unwrap()).await;
            sent_again += 1;
        }
    }
    let accepted = book.accepted.lock().await.clone();
    println!(
        "{} documents accepted, {sent_again} of them sent again, {} deleted, in {rounds} rounds",
        accepted.len(),
        deleted.len()
    );
    let api = server.owner();
    all_jobs_end(&api).await;
    everything_is_there(&api, &accepted).await;
    for gone in &deleted {
        api.get(&format!("/v1/documents/{}", gone.id)).await.problem(404, "not_found");
        assert_eq!(api.with_word(&gone.word).await, [""; 0], "{gone:?} was deleted");
    }
    let moving = moving.unwrap();
    everything_is_there(&api, std::slice::from_ref(&moving)).await;
    let only = json!({"must": [{"key": "document", "match": {"value": moving.id}}]});
    let query =
        json!({"inputs": [{"document": moving.id}], "exclude_inputs": false, "group_by": "none", "filter": only});
    assert_eq!(list(&api.search(&query).await, "/hits").len(), 1, "old versions have left no segment");
    no_blob_is_left_over(&server, &api).await;
    assert!(server.stop().await.success());
    consistent(&server).await;
}

/// The files of requests that died before they were accepted go when their claims run out; small parts have none.
async fn no_blob_is_left_over(server: &Server, api: &Api) {
    let mut owned = HashSet::new();
    for document in api.all("/v1/documents", "documents", 100).await {
        let document = api.read(&format!("/v1/documents/{}", id(&document))).await;
        let files = list(&document, "/parts").iter().filter(|part| part["size_bytes"].as_u64().unwrap() > INLINE_BYTES);
        owned.extend(files.map(|part| part["sha256"].as_str().unwrap().to_owned()));
    }
    eventually("blobs without an owner are swept", async || {
        let stored = server.stored_blobs("default");
        (stored == owned.len()).then_some(())
    })
    .await;
}

/// Adds documents until the connection breaks.
async fn write(api: Api, book: Arc<Book>, seed: u64, waits: bool) -> CutOff {
    let mut rng = StdRng::seed_from_u64(seed);
    loop {
        let word = book.word();
        let mut parts = vec![json!({"text": format!("The {word} was here.")})];
        match rng.random_range(0..4) {
            0 => parts.push(json!({"base64": base64(&png(40, 40, rng.random()))})),
            1 => parts.push(json!({"base64": base64(&wav(rng.random_range(200..3000), 440.0))})),
            _ => {}
        }
        let new = CutOff { word, document: json!({"parts": parts}) };
        if let Err(cut_off) = send(&api, &book, new, waits).await {
            return cut_off;
        }
    }
}

/// Until the key is free that the dead process had reserved, if the catalog has outlived it.
async fn send_again(api: &Api, book: &Book, cut_off: CutOff) {
    let known = eventually("the key is free or has its document", async || {
        let request = api.request(Method::POST, "/v1/documents").header("idempotency-key", &cut_off.word);
        let answer = api.send(request.json(&cut_off.document)).await;
        (answer.status != 409).then(|| id(&answer.expect(202)["document"]))
    })
    .await;
    book.accepted.lock().await.push(Accepted { id: known, word: cut_off.word });
}

/// Adds a document under its word as the key.
async fn send(api: &Api, book: &Book, new: CutOff, waits: bool) -> Result<(), CutOff> {
    let mut request =
        api.request(Method::POST, "/v1/documents").header("idempotency-key", &new.word).json(&new.document);
    if waits {
        request = request.header("prefer", "wait=5");
    }
    let Ok(answer) = api.try_send(request).await else { return Err(new) };
    let document = id(&answer.expect(202)["document"]);
    book.accepted.lock().await.push(Accepted { id: document, word: new.word });
    book.answered.fetch_add(1, Ordering::Relaxed);
    book.progress.notify_one();
    Ok(())
}

/// Puts new words under the same external id.
async fn replace(api: &Api, book: &Book) -> Accepted {
    let word = book.word();
    let document = json!({"external_id": "moving", "parts": [{"text": format!("Now it is {word}.")}]});
    let answer = api.post("/v1/documents", &document).await.expect(202);
    Accepted { id: id(&answer["document"]), word }
}

/// Deletes a document that was accepted in an earlier round.
async fn delete_one(api: &Api, book: &Book, rng: &mut StdRng) -> Option<Accepted> {
    let mut accepted = book.accepted.lock().await;
    if accepted.is_empty() {
        return None;
    }
    let place = rng.random_range(0..accepted.len());
    let chosen = accepted.swap_remove(place);
    let answer = api.send(api.request(Method::DELETE, &format!("/v1/documents/{}", chosen.id))).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    Some(chosen)
}

async fn all_jobs_end(api: &Api) {
    eventually("all jobs end", async || {
        let mut left = 0;
        for state in ["queued", "running"] {
            left += api.read(&format!("/v1/jobs?state={state}")).await["jobs"].as_array().unwrap().len();
        }
        (left == 0).then_some(())
    })
    .await;
    for state in ["failed", "cancelled"] {
        let jobs = api.all(&format!("/v1/jobs?state={state}"), "jobs", 100).await;
        let lost: Vec<_> = jobs.iter().filter(|job| state == "failed" || job["kind"] != "ingest").collect();
        assert!(lost.is_empty(), "{state}: {lost:?}");
    }
}

async fn everything_is_there(api: &Api, accepted: &[Accepted]) {
    let looking = accepted.iter().map(|document| async move {
        let found = api.get(&format!("/v1/documents/{}", document.id)).await;
        if found.status != 200 || found.json()["status"] != "ready" {
            return Some(format!("{document:?}: {} {}", found.status, found.text()));
        }
        let hits = api.with_word(&document.word).await;
        (hits != [document.id.clone()]).then(|| format!("{document:?} is not found by its word: {hits:?}"))
    });
    let faults: Vec<String> =
        futures::stream::iter(looking).buffer_unordered(4).filter_map(|fault| async { fault }).collect().await;
    assert!(faults.is_empty(), "{} of {} documents: {faults:#?}", faults.len(), accepted.len());
}

async fn consistent(server: &Server) {
    let checked = server.command(&["fsck", "--json"]).await;
    let report: Value = serde_json::from_slice(&checked.stdout).unwrap_or_default();
    assert_eq!(report["clean"], true, "{report:#} {}", String::from_utf8_lossy(&checked.stderr));
    assert!(checked.status.success());
}
