//! From the start of the process to the first 200 of `/readyz`, and the memory that takes.

use std::path::Path;

use crate::figures::{Values, print_table, short};
use crate::server::Server;
use crate::{Plan, machine};

/// The aim for a start, in milliseconds.
const AIM_MS: f64 = 1_000.0;

/// Starts on an empty folder, and again on it.
pub async fn empty(plan: &Plan) {
    let (mut first, mut rows) = (Vec::new(), Vec::new());
    let repeats = plan.of(7, 3);
    for _ in 0..repeats {
        let folder = tempfile::tempdir().unwrap();
        first.push(times(folder.path(), 1).await.remove(0));
    }
    rows.push(row("no folder yet", &first));
    let folder = tempfile::tempdir().unwrap();
    times(folder.path(), 1).await;
    rows.push(row("empty", &times(folder.path(), repeats).await));
    print(rows);
}

/// Starts on a folder with `segments` segments. Returns the server that was started last.
pub async fn filled(plan: &Plan, folder: &Path, segments: usize) -> Server {
    let found = times(folder, plan.of(7, 3)).await;
    print(vec![row(&format!("{segments} segments"), &found)]);
    Server::start(folder).await
}

/// Milliseconds to ready, and MiB then.
async fn times(folder: &Path, repeats: usize) -> Vec<(f64, f64)> {
    let mut found = Vec::with_capacity(repeats);
    for _ in 0..repeats {
        let server = Server::start(folder).await;
        found.push((server.ready_after.as_secs_f64() * 1_000.0, server.resident_mib()));
        server.stop().await;
    }
    found
}

fn row(name: &str, found: &[(f64, f64)]) -> Vec<String> {
    let ready = Values::of(found.iter().map(|(ms, _)| *ms));
    let memory = Values::of(found.iter().map(|(_, mib)| *mib));
    vec![
        name.to_owned(),
        ready.n().to_string(),
        short(ready.p50()),
        short(ready.max()),
        short(ready.p50() / AIM_MS),
        short(memory.p50()),
    ]
}

fn print(rows: Vec<Vec<String>>) {
    let title = format!("Start to ready ({})", machine::load());
    print_table(&title, &["data folder", "n", "p50 ms", "max ms", "p50 / 1 s", "resident MiB"], rows);
}
