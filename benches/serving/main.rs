//! What the server does in a second, and how long a search takes: `cargo bench --bench serving`.
//!
//! Everything goes over HTTP through the real program. It prints and judges nothing; docs/performance.md tells what the
//! figures mean. Names after `--` choose sections: `start`, `ingest`, `search`, `served`, `overload`, and `cluster`, which is not run unless it is named: it takes an hour
//! and needs a Postgres and a Qdrant server (`scripts/prepare test`). `BENCH_QUICK=1` takes fewer of everything and leaves 100,000 segments out.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod cluster;
mod content;
mod figures;
mod folder;
mod ingest;
mod machine;
mod overload;
#[path = "../../tests/e2e/postgres_process.rs"]
mod postgres_process;
#[path = "../../crates/index/tests/index/server/process.rs"]
mod qdrant_process;
mod search;
mod served;
mod server;
mod start;
mod straight;

/// How much is measured.
pub struct Plan {
    /// Fewer of everything.
    pub quick: bool,
}

impl Plan {
    /// `full`, or `quick` in a quick run.
    pub fn of(&self, full: usize, quick: usize) -> usize {
        if self.quick { quick } else { full }
    }

    /// Segments of the folders that are searched.
    pub fn sizes(&self) -> &'static [usize] {
        if self.quick { &[1_000, 10_000] } else { &[1_000, 10_000, 100_000] }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let plan = Plan { quick: std::env::var_os("BENCH_QUICK").is_some_and(|value| value != "0") };
    let chosen: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let (numbers, names): (Vec<&String>, Vec<&String>) = chosen.iter().partition(|word| word.parse::<usize>().is_ok());
    let wanted = |name: &str| names.is_empty() || names.iter().any(|word| *word == name);
    machine::print();
    if wanted("start") {
        start::empty(&plan).await;
    }
    if wanted("ingest") {
        ingest::measure(&plan).await;
    }
    if wanted("served") {
        served::measure(&plan).await;
    }
    if wanted("overload") {
        overload::measure(&plan).await;
    }
    if names.iter().any(|name| *name == "cluster") {
        let segments = numbers.first().and_then(|number| number.parse().ok());
        Box::pin(cluster::measure(&plan, segments)).await;
    }
    if wanted("search") {
        let asked = |size: &&usize| numbers.is_empty() || numbers.iter().any(|number| **number == size.to_string());
        for size in plan.sizes().iter().filter(asked) {
            search::measure(&plan, *size).await;
        }
    }
}
