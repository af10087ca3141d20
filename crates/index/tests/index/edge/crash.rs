//! The process is killed in the middle of its work; the folder opens again and holds what was flushed.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use sensorium_domain::VectorIndex;
use sensorium_domain::index::Scope;
use sensorium_index::EdgeIndex;

use crate::sample::{acme, document, eager, point, segment, space, spaces, tagged, vector};

const FOLDER: &str = "SENSORIUM_CRASH_FOLDER";
const FIRST_ROUND: &str = "SENSORIUM_CRASH_FIRST_ROUND";
const KILLS: u64 = 10;
/// Points that exist at most; rounds write over each other.
const NUMBERS: u64 = 1_500;

/// What round `round` does: the numbers that it writes, and those that it deletes.
fn plan(round: u64) -> (Vec<u64>, Vec<u64>) {
    let start = round * 97 % NUMBERS;
    let write = (0..150).map(|step| (start + step) % NUMBERS).collect();
    let delete = (150..180).map(|step| (start + step * 3) % NUMBERS).collect();
    (write, delete)
}

/// The state of every number after rounds 1 to `last`: the round that wrote it.
fn state_after(last: u64) -> BTreeMap<u64, u64> {
    let mut state = BTreeMap::new();
    for round in 1..=last {
        let (write, delete) = plan(round);
        state.extend(write.into_iter().map(|number| (number, round)));
        for number in delete {
            state.remove(&number);
        }
    }
    state
}

/// Not a test by itself: what the killed process runs. It says each round that it has flushed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let Ok(folder) = std::env::var(FOLDER) else {
        return;
    };
    let first: u64 = std::env::var(FIRST_ROUND).unwrap().parse().unwrap();
    let index = EdgeIndex::open(Path::new(&folder), &spaces(), eager()).unwrap();
    let optimizer = index.clone();
    tokio::spawn(async move {
        loop {
            optimizer.optimize().await.unwrap();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    for round in first.. {
        let (write, delete) = plan(round);
        let points = write.into_iter().map(|number| point(number, round));
        index.upsert(&acme(), points.collect()).await.unwrap();
        for number in delete {
            index.delete_document(&acme(), document(number)).await.unwrap();
        }
        index.flush().await.unwrap();
        println!("\nflushed {round}");
    }
}

fn start(folder: &Path, first_round: u64) -> (Child, Receiver<u64>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "edge::crash::child", "--nocapture"])
        .env(FOLDER, folder)
        .env(FIRST_ROUND, first_round.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (said, heard) = mpsc::channel();
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            let round = line.strip_prefix("flushed ").map(str::parse);
            if let Some(Ok(round)) = round {
                let _ = said.send(round);
            }
        }
    });
    (child, heard)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_flushed_survives_kills_at_any_moment() {
    let folder = tempfile::tempdir().unwrap();
    let mut flushed = 0;
    for kill in 0..KILLS {
        let (mut child, heard) = start(folder.path(), flushed + 1);
        flushed = heard.recv_timeout(Duration::from_mins(1)).expect("the child flushes");
        let moment = Instant::now() + Duration::from_millis(kill * 7_919 % 600);
        while let Ok(round) = heard.recv_timeout(moment.saturating_duration_since(Instant::now())) {
            flushed = round;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        flushed = heard.iter().last().unwrap_or(flushed);
        verify(folder.path(), flushed).await;
    }
}

/// Everything that round `flushed` left is there. The round after it may have happened in part.
async fn verify(folder: &Path, flushed: u64) {
    let index = EdgeIndex::open(folder, &spaces(), eager()).unwrap();
    let state = state_after(flushed);
    let (write, delete) = plan(flushed + 1);
    let is_open = |number: u64| write.contains(&number) || delete.contains(&number);

    let mut walked = Vec::new();
    while let page = index.scroll(walked.last().copied(), 700).await.unwrap()
        && !page.is_empty()
    {
        walked.extend(page.into_iter().map(|(_, id)| id));
    }
    let count = index.count(&acme(), &Scope::default()).await.unwrap();
    assert_eq!(count, walked.len() as u64, "a point is there twice");

    for number in 0..NUMBERS {
        if is_open(number) {
            // Old, new or (when `optimize` had just dropped the old one) gone: its job is not done and runs again.
            continue;
        }
        let there = walked.binary_search(&segment(number)).is_ok();
        let wanted = state.contains_key(&number);
        assert_eq!(there, wanted, "point {number} after round {flushed}");
    }
    let settled: Vec<_> = state.iter().filter(|(number, _)| !is_open(**number)).collect();
    let ids: Vec<_> = settled.iter().map(|(number, _)| segment(**number)).collect();
    let vectors = index.vectors(&acme(), &space(), &ids).await.unwrap();
    assert_eq!(vectors.len(), ids.len());
    for ((_, kept), (number, round)) in vectors.iter().zip(&settled) {
        let wanted = vector(**number, **round);
        let length = wanted.iter().map(|n| n * n).sum::<f32>().sqrt();
        let dot: f32 = kept.iter().zip(&wanted).map(|(a, b)| a * b).sum();
        assert!(dot / length > 0.999, "the vector of point {number}");
    }
    for round in flushed.saturating_sub(5)..=flushed {
        let least = settled.iter().filter(|(_, wrote)| **wrote == round).count();
        let found = index.count(&acme(), &tagged(&format!("round-{round}"))).await.unwrap();
        assert!(found >= least as u64, "round {round}: {found} of {least}");
    }
}
