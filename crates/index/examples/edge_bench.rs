//! Figures of the embedded index on vectors that lie in clusters: `cargo run --example edge_bench -- [POINTS...]`.
//!
//! Prints, per number of points: how fast they are written, how long optimizing takes, and for searches by tenant and modality
//! the time of a leg (alone, and four at once), before and after optimizing; how many of the true nearest are found; how
//! long opening takes; and the memory of the process. With `EDGE_BENCH_FOLDER` the index is built there and kept; one that is
//! there already is opened as it is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use sensorium_domain::index::{IndexedSpace, Leg, LegQuery, Point, PointPayload, Scope};
use sensorium_domain::{
    DocumentId, Modality, PartId, SegmentId, SegmentKind, SpaceName, TenantId, Timestamp, VectorIndex,
};
use sensorium_index::HnswOptions;
use sensorium_index::{EdgeIndex, EdgeOptions};
use serde_json::json;

const DIMENSION: usize = 384;
const CLUSTERS: u64 = 200;
const QUERIES: u64 = 200;
/// Points of the tenant that asks, of ten.
const OWN_TENTHS: u64 = 9;

#[tokio::main]
async fn main() {
    let mut sizes: Vec<u64> = std::env::args().skip(1).map(|size| size.parse().expect("a number of points")).collect();
    if sizes.is_empty() {
        sizes = vec![1_000, 10_000, 100_000];
    }
    for size in sizes {
        measure(size).await;
    }
}

async fn measure(size: u64) {
    let temporary = tempfile::tempdir().unwrap();
    let kept = std::env::var_os("EDGE_BENCH_FOLDER").map(|folder| PathBuf::from(folder).join(size.to_string()));
    let folder = kept.unwrap_or_else(|| temporary.path().to_owned());
    let spaces = [IndexedSpace { name: space(), dimension: DIMENSION, modalities: Modality::ALL.to_vec() }];
    let open = |options: EdgeOptions| EdgeIndex::open(&folder, &spaces, options).unwrap();
    println!("\n{size} points");

    let index = open(EdgeOptions::default());
    if index.stats().await.unwrap().points == 0 {
        fill(&index, size).await;
        searches(&index, "unindexed").await;
        let begun = Instant::now();
        index.optimize().await.unwrap();
        let stats = index.stats().await.unwrap();
        println!(
            "  optimize  {:.1?}; {} of {} points in graphs, {} MiB on disk",
            begun.elapsed(),
            stats.indexed,
            stats.points,
            stats.disk_bytes.unwrap_or(0) >> 20
        );
        searches(&index, "optimized").await;
    }
    drop(index);

    let begun = Instant::now();
    let index = open(EdgeOptions::default());
    println!("  open      {:.1?}", begun.elapsed());
    searches(&index, "reopened").await;
    drop(index);
    println!("  memory    {} MiB", resident_mib());

    let with =
        |ef, exact| EdgeOptions { hnsw: HnswOptions { ef, exact, ..HnswOptions::default() }, ..EdgeOptions::default() };
    for limit in [10, 100] {
        let truth = nearest(&open(with(128, true)), limit).await;
        let wanted: usize = truth.iter().map(HashSet::len).sum();
        for ef in [64, 128, 256, 512] {
            let index = open(with(ef, false));
            let answers = nearest(&index, limit).await;
            let counts: Vec<usize> =
                answers.iter().zip(&truth).map(|(found, truth)| found.intersection(truth).count()).collect();
            let found: usize = counts.iter().sum();
            let lost = counts.iter().filter(|count| **count == 0).count();
            let (median, worst) = times(&index, limit, 1).await;
            let recall = found as f64 / wanted as f64;
            println!(
                "  ef {ef:3}: recall@{limit} {recall:.3} ({lost} of {QUERIES} found none), 1 leg p50 {median:>8.2?} p99 {worst:>8.2?}"
            );
        }
    }
}

async fn fill(index: &EdgeIndex, size: u64) {
    let mut spent = Duration::ZERO;
    for start in (0..size).step_by(1_000) {
        for (name, is_own) in [("acme", true), ("zeta", false)] {
            let numbers = (start..(start + 1_000).min(size)).filter(|n| owns(*n) == is_own);
            let points: Vec<Point> = numbers.map(point).collect();
            let begun = Instant::now();
            index.upsert(&tenant(name), points).await.unwrap();
            spent += begun.elapsed();
        }
    }
    let rate = size as f64 / spent.as_secs_f64();
    let begun = Instant::now();
    index.flush().await.unwrap();
    println!("  upsert    {rate:8.0} points/s, flush {:.0?}", begun.elapsed());
}

async fn searches(index: &EdgeIndex, state: &str) {
    for limit in [10, 100, 1_000] {
        let alone = times(index, limit, 1).await;
        let together = times(index, limit, 4).await;
        println!(
            "  {state} limit {limit:4}: 1 leg p50 {:>8.2?} p99 {:>8.2?}; 4 legs p50 {:>8.2?} p99 {:>8.2?}",
            alone.0, alone.1, together.0, together.1
        );
    }
    let mut spent = Vec::new();
    for number in 0..QUERIES {
        let legs = [Leg { query: LegQuery::Words(format!("word{} thing", number % 50)), modality: None, limit: 100 }];
        let begun = Instant::now();
        index.query_batch(&tenant("acme"), &Scope::default(), &legs).await.unwrap();
        spent.push(begun.elapsed());
    }
    let (median, worst) = quantiles(spent);
    println!("  {state} words, limit 100: p50 {median:>8.2?} p99 {worst:>8.2?}");
}

async fn times(index: &EdgeIndex, limit: usize, legs: u64) -> (Duration, Duration) {
    let mut spent = Vec::new();
    for number in 0..QUERIES {
        let legs: Vec<Leg> = (0..legs).map(|leg| ask(number * 7 + leg, limit)).collect();
        let begun = Instant::now();
        index.query_batch(&tenant("acme"), &Scope::default(), &legs).await.unwrap();
        spent.push(begun.elapsed());
    }
    quantiles(spent)
}

fn quantiles(mut spent: Vec<Duration>) -> (Duration, Duration) {
    spent.sort();
    (spent[spent.len() / 2], spent[spent.len() * 99 / 100])
}

async fn nearest(index: &EdgeIndex, limit: usize) -> Vec<HashSet<SegmentId>> {
    let mut lists = Vec::new();
    for number in 0..QUERIES {
        let legs = [ask(number, limit)];
        let mut answer = index.query_batch(&tenant("acme"), &Scope::default(), &legs).await.unwrap();
        let hits = answer.remove(0).into_iter();
        lists.push(hits.map(|hit| hit.segment).collect());
    }
    lists
}

fn ask(number: u64, limit: usize) -> Leg {
    Leg {
        query: LegQuery::Dense { space: space(), vector: vector(number % CLUSTERS, u64::MAX - number) },
        modality: Some(Modality::Image),
        limit,
    }
}

/// A direction near the middle of a cluster.
fn vector(cluster: u64, seed: u64) -> Vec<f32> {
    let middle = noise(cluster + 1);
    let offset = noise(seed.wrapping_mul(31).wrapping_add(977));
    middle.zip(offset).take(DIMENSION).map(|(m, o)| m + 0.7 * o).collect()
}

fn noise(seed: u64) -> impl Iterator<Item = f32> {
    let mut state = seed;
    std::iter::repeat_with(move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    })
}

fn owns(number: u64) -> bool {
    number % 10 < OWN_TENTHS
}

fn point(number: u64) -> Point {
    let moment = Timestamp::from_millis(1_700_000_000_000 + number as i64);
    let document = DocumentId::new(moment, u128::from(number / 4));
    let part = PartId::from_uuid(document.uuid());
    let metadata = json!({
        "year": 2000 + number % 25,
        "camera": {"maker": "Maker", "model": format!("Model {}", number % 90)},
        "place": "Somewhere in a town by the sea",
    });
    Point {
        id: SegmentId::derive(part, "image", (number % 4) as u32),
        payload: PointPayload {
            collection: "default".parse().unwrap(),
            document,
            part,
            modality: Modality::ALL[(number / 7 % 4) as usize],
            kind: SegmentKind::Image,
            media_type: "image/jpeg".to_owned(),
            external_id: Some(format!("external-{number}")),
            title: Some(format!("The title of document {number}")),
            tags: vec![format!("tag-{}", number % 40), "all".to_owned()],
            metadata: metadata.as_object().unwrap().clone(),
            created_at: moment,
            updated_at: moment,
        },
        dense: vec![(space(), vector(number % CLUSTERS, number))],
        words: Some(format!("some thing with word{} and word{} and word{}", number % 50, number % 501, number % 5_003)),
    }
}

fn space() -> SpaceName {
    "shared".parse().unwrap()
}

fn tenant(name: &str) -> TenantId {
    name.parse().unwrap()
}

/// Resident memory, where the system tells.
fn resident_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok())
        .map_or(0, |kib| kib >> 10)
}
