//! Many callers at once: searches, writes, flushes and optimizing meet.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use sensorium_domain::VectorIndex;
use sensorium_domain::index::Scope;
use sensorium_index::EdgeIndex;

use crate::sample::{acme, eager, near, point, spaces, vector};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_goes_on_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let index = EdgeIndex::open(folder.path(), &spaces(), eager()).unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let searched = Arc::new(AtomicU64::new(0));
    let mut tasks = Vec::new();
    for _ in 0..3 {
        let (index, done, searched) = (index.clone(), done.clone(), searched.clone());
        tasks.push(tokio::spawn(async move {
            let mut number = 0;
            while !done.load(Ordering::Relaxed) {
                let legs = [near(vector(number, 1), 20), near(vector(number, 2), 20)];
                let lists = index.query_batch(&acme(), &Scope::default(), &legs).await.unwrap();
                assert_eq!(lists.len(), 2);
                number += 1;
                searched.fetch_add(1, Ordering::Relaxed);
            }
        }));
    }
    for _ in 0..2 {
        let (index, done) = (index.clone(), done.clone());
        tasks.push(tokio::spawn(async move {
            while !done.load(Ordering::Relaxed) {
                index.optimize().await.unwrap();
                tokio::task::yield_now().await;
            }
        }));
    }
    for _ in 0..2 {
        let (index, done) = (index.clone(), done.clone());
        tasks.push(tokio::spawn(async move {
            while !done.load(Ordering::Relaxed) {
                index.flush().await.unwrap();
                tokio::task::yield_now().await;
            }
        }));
    }
    for round in 1..=3 {
        for batch in 0..8 {
            let numbers = batch * 50..(batch + 1) * 50;
            let points = numbers.map(|number| point(number, round)).collect();
            index.upsert(&acme(), points).await.unwrap();
        }
    }
    done.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await.unwrap();
    }
    assert!(searched.load(Ordering::Relaxed) > 0);
    assert_eq!(index.count(&acme(), &Scope::default()).await.unwrap(), 400);
    let legs = [near(vector(77, 3), 1)];
    let lists = index.query_batch(&acme(), &Scope::default(), &legs).await.unwrap();
    assert!(lists[0][0].score > 0.999);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_call_runs_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let index = EdgeIndex::open(folder.path(), &spaces(), eager()).unwrap();
    for number in 0..20 {
        let owner = acme();
        let write = index.upsert(&owner, (0..500).map(|n| point(n, number)).collect());
        let _ = tokio::time::timeout(std::time::Duration::from_millis(1), write).await;
        let flush = tokio::time::timeout(std::time::Duration::from_micros(100), index.flush());
        let _ = flush.await;
    }
    index.flush().await.unwrap();
    let everything = (0..500).map(|n| point(n, 99)).collect();
    index.upsert(&acme(), everything).await.unwrap();
    assert_eq!(index.count(&acme(), &Scope::default()).await.unwrap(), 500);
}
