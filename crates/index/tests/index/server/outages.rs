//! Servers that are away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use sensorium_domain::index::Scope;
use sensorium_domain::{IndexError, VectorIndex};
use sensorium_index::{QdrantIndex, QdrantOptions};
use tokio::task::{JoinHandle, spawn_blocking};

use super::fresh::Place;
use super::process::Server;
use crate::sample::{acme, near, point, spaces, vector};

/// Gives up early, so that these tests are not long.
async fn impatient(place: &Place) -> QdrantIndex {
    let options = QdrantOptions {
        connect_timeout: Duration::from_secs(1),
        read_timeout: Duration::from_secs(1),
        write_timeout: Duration::from_secs(2),
        ..place.options()
    };
    eventually(async || QdrantIndex::open(options.clone(), &spaces(), 1).await).await
}

/// Asks until the answer is not "unavailable": on a busy machine more than the server's absence makes calls late.
async fn eventually<T>(ask: impl AsyncFn() -> Result<T, IndexError>) -> T {
    loop {
        match ask().await {
            Err(IndexError::Unavailable(_)) => {}
            outcome => return outcome.unwrap(),
        }
    }
}

/// What callers met.
#[derive(Default)]
struct Met {
    done: AtomicBool,
    answers: AtomicU64,
    refusals: AtomicU64,
}

impl Met {
    fn note<T>(&self, outcome: Result<T, IndexError>) -> Option<T> {
        match outcome {
            Ok(answer) => {
                self.answers.fetch_add(1, Ordering::Relaxed);
                Some(answer)
            }
            Err(IndexError::Unavailable(_)) => {
                self.refusals.fetch_add(1, Ordering::Relaxed);
                None
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Waits until another call was answered, or refused.
    async fn another(&self, count: &AtomicU64) {
        let before = count.load(Ordering::Relaxed);
        while count.load(Ordering::Relaxed) == before {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn searching(index: &Arc<QdrantIndex>, met: &Arc<Met>) -> JoinHandle<()> {
    let (index, met) = (index.clone(), met.clone());
    tokio::spawn(async move {
        while !met.done.load(Ordering::Relaxed) {
            let lists = index.query_batch(&acme(), &Scope::default(), &[near(vector(3, 1), 1)]).await;
            if let Some(lists) = met.note(lists) {
                assert!(lists[0][0].score > 0.999);
            }
        }
    })
}

/// Gives the numbers of the points whose writing was confirmed.
fn writing(index: &Arc<QdrantIndex>, met: &Arc<Met>) -> JoinHandle<Vec<u64>> {
    let (index, met) = (index.clone(), met.clone());
    tokio::spawn(async move {
        let mut confirmed = Vec::new();
        let mut number = 1_000;
        while !met.done.load(Ordering::Relaxed) {
            if met.note(index.upsert(&acme(), vec![point(number, 1)]).await).is_some() {
                confirmed.push(number);
            }
            number += 1;
        }
        confirmed
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_is_unavailable_and_then_met_again() {
    let mut server = Server::start();
    let place = Place::on(server.url());
    let patient = place.open(&spaces()).await.unwrap();
    patient.upsert(&acme(), (0..50).map(|number| point(number, 1)).collect()).await.unwrap();
    let index = Arc::new(impatient(&place).await);
    let (reads, writes) = (Arc::new(Met::default()), Arc::new(Met::default()));
    let searchers: Vec<_> = (0..3).map(|_| searching(&index, &reads)).collect();
    let writer = writing(&index, &writes);
    for _ in 0..2 {
        tokio::join!(reads.another(&reads.answers), writes.another(&writes.answers));
        server.kill();
        tokio::join!(reads.another(&reads.refusals), writes.another(&writes.refusals));
        server = spawn_blocking(move || {
            server.start_again();
            server
        })
        .await
        .unwrap();
        tokio::join!(reads.another(&reads.answers), writes.another(&writes.answers));
    }
    reads.done.store(true, Ordering::Relaxed);
    writes.done.store(true, Ordering::Relaxed);
    for searcher in searchers {
        searcher.await.unwrap();
    }
    let confirmed = writer.await.unwrap();
    assert!(confirmed.len() >= 3);
    for number in confirmed {
        let lists = patient.query_batch(&acme(), &Scope::default(), &[near(vector(number, 1), 1)]).await.unwrap();
        assert!(lists[0][0].score > 0.999, "point {number} was confirmed and is lost");
    }
}

#[tokio::test]
async fn a_silent_server_is_given_up_in_time() {
    let server = Server::start();
    let place = Place::on(server.url());
    let patient = place.open(&spaces()).await.unwrap();
    patient.upsert(&acme(), vec![point(3, 1)]).await.unwrap();
    let index = impatient(&place).await;
    server.freeze();
    // Without deadlines these would wait for ever.
    let count = index.count(&acme(), &Scope::default()).await;
    assert!(matches!(count, Err(IndexError::Unavailable(_))), "{count:?}");
    let written = index.upsert(&acme(), vec![point(4, 1)]).await;
    assert!(matches!(written, Err(IndexError::Unavailable(_))), "{written:?}");
    server.thaw();
    eventually(async || index.upsert(&acme(), vec![point(4, 1)]).await).await;
    assert_eq!(eventually(async || index.count(&acme(), &Scope::default()).await).await, 2);
}

#[tokio::test]
async fn nobody_at_the_address_is_unavailable() {
    let mut server = Server::start();
    let place = Place::on(server.url());
    server.kill();
    let opened = place.open(&spaces()).await.map(|_| ());
    assert!(matches!(opened, Err(IndexError::Unavailable(_))), "{opened:?}");
}

#[tokio::test]
async fn the_servers_key_is_needed() {
    let server = Server::start_with(&[("QDRANT__SERVICE__API_KEY", "a key for this test")]);
    let place = Place::on(server.url());
    for wrong in [None, Some("another".to_owned())] {
        let options = QdrantOptions { api_key: wrong, ..place.options() };
        let opened = QdrantIndex::open(options, &spaces(), 1).await.map(|_| ());
        assert!(matches!(&opened, Err(IndexError::Rejected(text)) if text.contains("API key")), "{opened:?}");
    }
    let options = QdrantOptions { api_key: Some("a key for this test".to_owned()), ..place.options() };
    assert!(!format!("{options:?}").contains("a key for this test"));
    let index = QdrantIndex::open(options, &spaces(), 1).await.unwrap();
    assert_eq!(index.count(&acme(), &Scope::default()).await.unwrap(), 0);
}
