//! Ten times as many searches as the server can answer, for a minute: what becomes of those that it takes, of the others, and of its memory.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;
use reqwest::StatusCode;
use serde_json::json;

use crate::figures::{Values, print_table, short};
use crate::server::Server;
use crate::{Plan, content, folder, machine};

const SEGMENTS: usize = 10_000;
const CLIENTS: usize = 8;
const TIMES: f64 = 10.0;
/// The aim for the p99 of what is taken, beside the p99 at the rate that can be served.
const AIM: f64 = 2.0;
/// Requests under way at once at most; a generator on the same cores that had no bound would measure itself.
const MOST_UNDER_WAY: usize = 1_000;

/// Measures before, during and after.
pub async fn measure(plan: &Plan) {
    let data = tempfile::tempdir().unwrap();
    folder::fill(data.path(), SEGMENTS).await;
    let server = Server::start(data.path()).await;
    let asker = Asker { server: &server, asked: AtomicU64::new(0) };
    let seconds = plan.of(60, 10);
    asker.closed(Duration::from_secs(3)).await;
    let before = asker.closed(Duration::from_secs(10)).await;
    let rate = before.ms.n() as f64 / before.seconds;
    let memory_before = server.resident_mib();

    let over = AtomicBool::new(false);
    let overload = async {
        let outcome = asker.open(rate * TIMES, Duration::from_secs(seconds as u64)).await;
        over.store(true, Ordering::Relaxed);
        outcome
    };
    let (during, memory, obedient) = tokio::join!(overload, watch_memory(&server, &over), asker.obey(&over));
    let after = asker.closed(Duration::from_secs(10)).await;

    let head =
        ["load", "s", "asked/s", "taken/s", "taken p50 ms", "taken p99 ms", "p99 / p99 before", "aim", "429", "other"];
    let rows = [
        (format!("{CLIENTS} clients, before"), &before),
        (format!("{TIMES} x that rate"), &during),
        (format!("{CLIENTS} clients, after"), &after),
    ]
    .map(|(name, outcome)| row(name, outcome, &before));
    print_table(&format!("Overload: searches over {SEGMENTS} segments ({})", machine::load()), &head, rows.into());
    println!(
        "\nspeed after / before: {}; resident {memory_before:.0} MiB before, {:.0} to {:.0} MiB during, {:.0} MiB after; not sent, since {MOST_UNDER_WAY} were under way: {}",
        short(after.ms.n() as f64 / after.seconds / rate),
        memory.0,
        memory.1,
        server.resident_mib(),
        during.not_sent
    );
    println!(
        "Retry-After of the 429: {} to {} s; a client that does as it is told is answered at try {} (median of {}), {} at most",
        short(during.retry_after_s.quantile(0.0)),
        short(during.retry_after_s.max()),
        short(obedient.p50()),
        obedient.n(),
        short(obedient.max())
    );
    server.stop().await;
}

/// What became of requests.
#[derive(Default)]
struct Outcome {
    seconds: f64,
    /// Of those that were taken.
    ms: Values,
    retry_after_s: Values,
    other: usize,
    not_sent: usize,
}

impl Outcome {
    fn of(answers: &[Answer], seconds: f64, not_sent: usize) -> Self {
        let ms = Values::of(answers.iter().filter_map(|answer| match answer {
            Answer::Taken(ms) => Some(*ms),
            _ => None,
        }));
        let retry_after_s = Values::of(answers.iter().filter_map(|answer| match answer {
            Answer::Later(seconds) => Some(*seconds),
            _ => None,
        }));
        let other = answers.iter().filter(|answer| matches!(answer, Answer::Other)).count();
        Self { seconds, ms, retry_after_s, other, not_sent }
    }
}

fn row(name: String, outcome: &Outcome, before: &Outcome) -> Vec<String> {
    let taken = outcome.ms.n() as f64;
    let asked = taken + outcome.retry_after_s.n() as f64 + outcome.other as f64;
    vec![
        name,
        short(outcome.seconds),
        short(asked / outcome.seconds),
        short(taken / outcome.seconds),
        short(outcome.ms.p50()),
        short(outcome.ms.p99()),
        short(outcome.ms.p99() / before.ms.p99()),
        short(AIM),
        outcome.retry_after_s.n().to_string(),
        outcome.other.to_string(),
    ]
}

enum Answer {
    /// Milliseconds.
    Taken(f64),
    /// Seconds of `Retry-After`.
    Later(f64),
    Other,
}

struct Asker<'a> {
    server: &'a Server,
    asked: AtomicU64,
}

impl Asker<'_> {
    /// So many clients, each with one request at a time.
    async fn closed(&self, span: Duration) -> Outcome {
        let begun = Instant::now();
        let answers = Mutex::new(Vec::new());
        let client = || async {
            while begun.elapsed() < span {
                let answer = self.ask().await;
                answers.lock().unwrap().push(answer);
            }
        };
        join_all((0..CLIENTS).map(|_| client())).await;
        Outcome::of(&answers.into_inner().unwrap(), begun.elapsed().as_secs_f64(), 0)
    }

    /// Requests at a rate, whether or not those before have been answered.
    async fn open(&self, each_second: f64, span: Duration) -> Outcome {
        let begun = Instant::now();
        let answers = Mutex::new(Vec::new());
        let not_sent = AtomicUsize::new(0);
        // Each of these sends every n-th request, so that no request waits for the one before.
        let lane = |number: usize| {
            let (answers, not_sent) = (&answers, &not_sent);
            async move {
                for turn in (number..).step_by(MOST_UNDER_WAY) {
                    let due = Duration::from_secs_f64(turn as f64 / each_second);
                    if due > span {
                        return;
                    }
                    if begun.elapsed() > due + Duration::from_millis(100) {
                        not_sent.fetch_add(1, Ordering::Relaxed);
                        continue;
                    }
                    tokio::time::sleep_until((begun + due).into()).await;
                    let answer = self.ask().await;
                    answers.lock().unwrap().push(answer);
                }
            }
        };
        join_all((0..MOST_UNDER_WAY).map(lane)).await;
        Outcome::of(&answers.into_inner().unwrap(), begun.elapsed().as_secs_f64(), not_sent.into_inner())
    }

    /// One client that waits as long as it is told. Returns how often it had to ask for each answer.
    async fn obey(&self, over: &AtomicBool) -> Values {
        let mut tries = Vec::new();
        while !over.load(Ordering::Relaxed) {
            let mut count = 0.0;
            loop {
                count += 1.0;
                match self.ask().await {
                    Answer::Later(seconds) => tokio::time::sleep(Duration::from_secs_f64(seconds)).await,
                    _ => break,
                }
            }
            tries.push(count);
        }
        Values::of(tries)
    }

    async fn ask(&self) -> Answer {
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        let body = json!({"inputs": [{"text": content::query(number)}]});
        let begun = Instant::now();
        let Ok(answer) = self.server.post("/v1/search").json(&body).send().await else { return Answer::Other };
        let status = answer.status();
        let retry_after = answer.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        let is_whole = answer.bytes().await.is_ok();
        match (status, retry_after) {
            (StatusCode::OK, _) if is_whole => Answer::Taken(begun.elapsed().as_secs_f64() * 1_000.0),
            (StatusCode::TOO_MANY_REQUESTS, Some(seconds)) => Answer::Later(seconds),
            _ => Answer::Other,
        }
    }
}

/// The least and the most memory in MiB, looked at each second.
async fn watch_memory(server: &Server, over: &AtomicBool) -> (f64, f64) {
    let (mut least, mut most) = (f64::MAX, 0.0_f64);
    while !over.load(Ordering::Relaxed) {
        let now = server.resident_mib();
        (least, most) = (least.min(now), most.max(now));
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    (least, most)
}
