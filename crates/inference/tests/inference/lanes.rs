//! Lanes apart: searches and ingest each have an actor, and neither waits for the other.

use std::sync::Arc;

use futures::future::join_all;
use sensorium_domain::encoder::{EncodeError, Priority};
use sensorium_inference::{LocalEncoder, Options};

use crate::asking::{ask, encode, encoder, encoder_of, first_at_model, queued};
use crate::towers::{FakeTower, Gate, text, vector_of};

fn apart() -> Options {
    Options { threads: 2, interactive_batch_cost: 100, bulk_batch_cost: 100, ..Options::default() }
}

/// A gate for words that begin with "search", and one for those that begin with "bulk".
#[derive(Default)]
struct Gates {
    search: Gate,
    bulk: Gate,
}

impl Gates {
    fn tower(&self) -> FakeTower {
        FakeTower::default().gated_for("search", &self.search).gated_for("bulk", &self.bulk)
    }

    fn of(&self, priority: Priority) -> (&'static str, &Gate) {
        match priority {
            Priority::Interactive => ("search", &self.search),
            Priority::Bulk => ("bulk", &self.bulk),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_lane_waits_for_the_other() {
    let lanes = [Priority::Interactive, Priority::Bulk];
    for (held, free) in [(lanes[0], lanes[1]), (lanes[1], lanes[0])] {
        let gates = Gates::default();
        let encoder = encoder(gates.tower(), apart());
        let (words, gate) = gates.of(held);
        let first = first_at_model(queued(&encoder, text(words), held), gate).await;
        let second = queued(&encoder, text("second"), held).await;
        for words in ["a", "b", "c"] {
            assert_eq!(encode(&encoder, words, free).await.unwrap(), vector_of(words));
        }
        let metrics = encoder.metrics();
        assert_eq!((metrics.running, metrics.interactive.depth + metrics.bulk.depth), (1, 1), "{held:?}");
        gate.open();
        first.await.unwrap().unwrap();
        second.await.unwrap().unwrap();
        assert_eq!(encoder.metrics().running, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_lanes_run_at_once_and_are_counted_together() {
    let gates = Gates::default();
    let encoder = encoder(gates.tower(), apart());
    let search = first_at_model(queued(&encoder, text("search"), Priority::Interactive), &gates.search).await;
    let bulk = first_at_model(queued(&encoder, text("bulk"), Priority::Bulk), &gates.bulk).await;
    assert_eq!(encoder.metrics().running, 2);
    gates.bulk.open();
    bulk.await.unwrap().unwrap();
    assert_eq!(encoder.metrics().running, 1);
    gates.search.open();
    search.await.unwrap().unwrap();
    assert!(encoder.metrics().cost_per_second > 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_gets_its_own_answer_under_concurrency() {
    let encoder = encoder(FakeTower::default(), apart());
    let words: Vec<String> = (0..500).map(|number| format!("text {number}")).collect();
    let priority = |index: usize| if index.is_multiple_of(2) { Priority::Interactive } else { Priority::Bulk };
    let asked = words.iter().enumerate().map(|(index, words)| encode(&encoder, words, priority(index)));
    for (words, answer) in words.iter().zip(join_all(asked).await) {
        assert_eq!(answer.unwrap(), vector_of(words), "{words}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_lane_has_its_own_size_of_batches() {
    let gates = Gates::default();
    // What shared lanes would go by is of no meaning here.
    let options = Options { interactive_batch_cost: 2, bulk_batch_cost: 4, batch_cost_beside_searches: 1, ..apart() };
    let encoder = encoder(gates.tower(), options);
    let mut tasks = Vec::new();
    for (priority, more) in [(Priority::Interactive, 4), (Priority::Bulk, 8)] {
        let (words, gate) = gates.of(priority);
        tasks.push(first_at_model(queued(&encoder, text(words), priority), gate).await);
        for number in 0..more {
            tasks.push(queued(&encoder, text(&format!("{words} {number}")), priority).await);
        }
    }
    gates.search.open();
    gates.bulk.open();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    // Of one, of two, of up to four inputs.
    assert_eq!(encoder.metrics().towers[0].batches_by_size[..4], [2, 2, 2, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_finishes_searches_drops_ingest_and_ends_both_threads() {
    let gates = Gates::default();
    let tower = Arc::new(gates.tower());
    let encoder = encoder_of(tower.clone(), apart());
    let before = Arc::strong_count(&tower);
    let search = first_at_model(queued(&encoder, text("search"), Priority::Interactive), &gates.search).await;
    let bulk = first_at_model(queued(&encoder, text("bulk"), Priority::Bulk), &gates.bulk).await;
    let next_search = queued(&encoder, text("next search"), Priority::Interactive).await;
    let next_bulk = queued(&encoder, text("next bulk"), Priority::Bulk).await;
    let stopping = Arc::clone(&encoder);
    let stopping = tokio::spawn(async move { stopping.stop().await });
    assert_eq!(next_bulk.await.unwrap(), Err(EncodeError::Stopped));
    assert_eq!(ask(&encoder, "new").await, Err(EncodeError::Stopped));
    gates.bulk.open();
    assert!(bulk.await.unwrap().is_ok());
    until(|| Arc::strong_count(&tower) == before - 1).await;
    assert!(!stopping.is_finished(), "a search is still at the model");
    gates.search.open();
    assert!(search.await.unwrap().is_ok(), "the end of the other lane has not taken it along");
    assert!(next_search.await.unwrap().is_ok());
    stopping.await.unwrap();
    assert_eq!(Arc::strong_count(&tower), before - 2, "both threads have let the tower go");
    encoder.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_death_of_one_actor_answers_all_who_wait() {
    for dies in [Priority::Interactive, Priority::Bulk] {
        let gates = Gates::default();
        let encoder = encoder(gates.tower(), apart());
        let mut tasks = Vec::new();
        for priority in [Priority::Interactive, Priority::Bulk] {
            let (words, gate) = gates.of(priority);
            let fate = if priority == dies { "dies" } else { "lives" };
            let first = queued(&encoder, text(&format!("{words} {fate}")), priority);
            tasks.push(first_at_model(first, gate).await);
            tasks.push(queued(&encoder, text("waits"), priority).await);
        }
        gates.of(dies).1.open();
        for task in tasks {
            assert_eq!(task.await.unwrap(), Err(EncodeError::Stopped), "{dies:?}");
        }
        assert_eq!(ask(&encoder, "new").await, Err(EncodeError::Stopped));
        gates.search.open();
        gates.bulk.open();
        encoder.stop().await;
    }
}

/// An encoder that nobody stops does not leave its threads behind.
#[tokio::test(flavor = "multi_thread")]
async fn both_threads_end_with_their_encoder() {
    let tower = Arc::new(FakeTower::default());
    let encoder: Arc<LocalEncoder> = encoder_of(tower.clone(), apart());
    ask(&encoder, "a").await.unwrap();
    drop(encoder);
    until(|| Arc::strong_count(&tower) == 1).await;
}

async fn until(holds: impl Fn() -> bool) {
    while !holds() {
        tokio::task::yield_now().await;
    }
}

#[cfg(target_os = "linux")]
mod niceness {
    use std::fs;
    use std::sync::Mutex;

    use sensorium_domain::encoder::{Cost, EncodeInput, Tower, TowerOutput};
    use sensorium_domain::segment::Modality;

    use super::*;

    /// Notes the name and the niceness of the threads that it computes on, and those of the actors.
    #[derive(Default)]
    struct NiceTower(Mutex<Vec<(String, i32)>>);

    impl Tower for NiceTower {
        fn modality(&self) -> Modality {
            Modality::Text
        }

        fn dimensions(&self) -> usize {
            2
        }

        fn cost(&self, _: &EncodeInput) -> Cost {
            Cost(1)
        }

        fn forward(&self, inputs: &[EncodeInput]) -> TowerOutput {
            let mut seen = self.0.lock().unwrap();
            seen.extend(rayon::broadcast(|_| read("/proc/thread-self/stat")));
            if inputs[0].words() == Some("bulk") {
                // After a search both actors are on their way. Each test has a process of its own, so they are this encoder's.
                let tasks = fs::read_dir("/proc/self/task").unwrap();
                let all = tasks.map(|task| read(task.unwrap().path().join("stat").to_str().unwrap()));
                seen.extend(all.filter(|(name, _)| matches!(name.as_str(), "encoder" | "encoder-bulk")));
            }
            Ok(vec![Ok(vec![1.0, 0.0]); inputs.len()])
        }
    }

    /// A thread's name and field 19.
    fn read(path: &str) -> (String, i32) {
        let stat = fs::read_to_string(path).unwrap();
        let (before, after) = stat.rsplit_once(')').unwrap();
        let (_, name) = before.split_once('(').unwrap();
        (name.to_owned(), after.split_whitespace().nth(16).unwrap().parse().unwrap())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn ingest_computes_at_a_lower_priority() {
        let own = read("/proc/thread-self/stat").1;
        let tower = Arc::new(NiceTower::default());
        let encoder = encoder_of(tower.clone(), apart());
        let nicer = (own + 10).min(19);
        ask(&encoder, "search").await.unwrap();
        encode(&encoder, "bulk", Priority::Bulk).await.unwrap();
        let mut seen = std::mem::take(&mut *tower.0.lock().unwrap());
        seen.sort();
        seen.dedup();
        let expected = [
            ("encoder", own),
            ("encoder-0", own),
            ("encoder-1", own),
            ("encoder-bulk", nicer),
            ("encoder-bulk-0", nicer),
            ("encoder-bulk-1", nicer),
        ];
        assert_eq!(seen, expected.map(|(name, niceness)| (name.to_owned(), niceness)));
    }
}
