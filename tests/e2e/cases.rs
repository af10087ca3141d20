//! Runs the cases of a story side by side on one server. A case that fails is named, and the others go on.

use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::{LocalSet, spawn_local};

use crate::server::Server;

/// Cases that run at a time.
const SIDE_BY_SIDE: usize = 3;

/// A name and what is to be done.
pub type Case = (&'static str, Pin<Box<dyn Future<Output = ()>>>);

/// Makes a story: `cases!(server; one, two)` runs `one(server)` and `two(server)`.
macro_rules! cases {
    ($server:expr; $($case:ident),* $(,)?) => {{
        let server: std::sync::Arc<$crate::server::Server> = $server;
        let cases: Vec<$crate::cases::Case> = vec![$((stringify!($case), Box::pin($case(server.clone())))),*];
        $crate::cases::run(server, cases).await;
    }};
}
pub(crate) use cases;

/// Runs the cases, then looks whether the server has logged a fault of its own.
pub async fn run(server: Arc<Server>, cases: Vec<Case>) {
    let failed = LocalSet::new().run_until(side_by_side(cases)).await;
    let log = server.log();
    let faults: Vec<&str> = log.lines().filter(|line| line.contains("ERROR") || line.contains("panicked")).collect();
    assert!(failed.is_empty(), "failed: {}\nfaults in the server's log: {faults:#?}", failed.join(", "));
    assert!(faults.is_empty(), "faults in the server's log: {faults:#?}");
}

/// Runs the cases; the names of those that panicked.
async fn side_by_side(cases: Vec<Case>) -> Vec<&'static str> {
    let only = std::env::var("E2E_CASE").unwrap_or_default();
    let places = Arc::new(Semaphore::new(SIDE_BY_SIDE));
    let mut running = Vec::new();
    for (name, case) in cases.into_iter().filter(|(name, _)| name.contains(&only)) {
        let places = places.clone();
        let task = spawn_local(async move {
            let _place = places.acquire_owned().await.unwrap();
            case.await;
        });
        running.push((name, task));
    }
    let mut failed = Vec::new();
    for (name, task) in running {
        if task.await.is_err() {
            failed.push(name);
        }
    }
    failed
}
