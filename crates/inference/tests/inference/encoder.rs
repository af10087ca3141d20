//! The encoder with towers that fail, panic, give nonsense or stand still on command; its lanes are shared. Nothing here sleeps.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::asking::{ask, encoder, encoder_of, first_at_model, queued};
use crate::towers::{AwayTower, FakeTower, Gate, Reading, image, space, text, vector_of};
use futures::future::join_all;
use sensorium_domain::encoder::{EncodeError, Encoder, Priority};
use sensorium_inference::{LocalEncoder, Options, SetupError};

fn options() -> Options {
    Options { threads: 2, interactive_batch_cost: 100, bulk_batch_cost: 100, ..Options::shared_cpu() }
}

#[tokio::test(flavor = "multi_thread")]
async fn order_is_kept_under_concurrency() {
    let encoder = encoder(FakeTower::default(), options());
    let words: Vec<String> = (0..500).map(|number| format!("text {number}")).collect();
    let answers = join_all(words.iter().map(|words| ask(&encoder, words))).await;
    for (words, answer) in words.iter().zip(answers) {
        assert_eq!(answer.unwrap(), vector_of(words), "{words}");
    }
    let metrics = encoder.metrics();
    assert_eq!(metrics.towers[0].encoded, 500);
    assert!(metrics.towers[0].batches < 500, "batches fill while the one before runs");
    assert!(metrics.cost_per_second > 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poisonous_item_fails_alone() {
    for poison in ["poison", "panic", "nan", "zeros", "short"] {
        let gate = Gate::default();
        let encoder = encoder(FakeTower::gated(&gate), options());
        let first = queued(&encoder, text("first"), Priority::Interactive);
        let first = first_at_model(first, &gate).await;
        let mut tasks = Vec::new();
        for words in ["a", "b", poison, "c", "d"] {
            tasks.push(queued(&encoder, text(words), Priority::Interactive).await);
        }
        gate.open();
        assert!(first.await.unwrap().is_ok());
        for (index, task) in tasks.into_iter().enumerate() {
            let answer = task.await.unwrap();
            assert_eq!(matches!(answer, Err(EncodeError::Model(_))), index == 2, "{poison}: {answer:?}");
        }
        let metrics = encoder.metrics();
        assert_eq!((metrics.towers[0].encoded, metrics.towers[0].failed), (5, 1));
        assert_eq!(metrics.towers[0].panics > 0, poison == "panic");
        assert!(ask(&encoder, "after").await.is_ok(), "the actor lives on");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_cannot_be_read_is_tried_once_for_a_batch_and_again_for_the_next() {
    let gate = Gate::default();
    let tower = Arc::new(AwayTower::gated(&gate));
    let encoder = encoder_of(tower.clone(), options());
    let first = first_at_model(queued(&encoder, text("first"), Priority::Interactive), &gate).await;
    let mut tasks = Vec::new();
    for words in ["a", "b", "c", "d"] {
        tasks.push(queued(&encoder, text(words), Priority::Interactive).await);
    }
    tower.reading(Reading::Fails);
    gate.open();
    let failed = Err(EncodeError::Model("fake@1 could not be read: no such file".to_owned()));
    assert_eq!(first.await.unwrap(), failed);
    for task in tasks {
        assert_eq!(task.await.unwrap(), failed);
    }
    assert_eq!(tower.readings.load(Ordering::Relaxed), 2, "two batches");
    tower.reading(Reading::Panics);
    let answer = ask(&encoder, "panic").await;
    assert!(matches!(&answer, Err(EncodeError::Model(reason)) if reason.contains("told to panic")), "{answer:?}");
    tower.reading(Reading::Works);
    assert_eq!(ask(&encoder, "after").await, Ok(vector_of("after")));
    let metrics = encoder.metrics();
    let counts = &metrics.towers[0];
    assert_eq!((counts.encoded, counts.failed, counts.panics), (1, 6, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_the_input_is_told_as_such() {
    let encoder = encoder(FakeTower::default(), options());
    assert_eq!(ask(&encoder, "refuse").await, Err(EncodeError::Input("too odd".to_owned())));
    let space_name = "s".parse().unwrap();
    let error = encoder.encode(&space_name, image(), Priority::Bulk).await.unwrap_err();
    assert_eq!(error.to_string(), "space \"s\" takes no image");
    let error = encoder.encode(&"other".parse().unwrap(), text("a"), Priority::Bulk).await.unwrap_err();
    assert!(matches!(error, EncodeError::Unsupported { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_go_before_ingest_and_ingest_still_moves() {
    let gate = Gate::default();
    let tower = FakeTower::gated(&gate);
    let log = tower.log();
    let options = Options {
        interactive_batch_cost: 1,
        bulk_batch_cost: 1,
        interactive_batches_in_a_row: NonZeroU32::new(2).unwrap(),
        ..options()
    };
    let encoder = encoder(tower, options);
    let first = first_at_model(queued(&encoder, text("first"), Priority::Bulk), &gate).await;
    let mut tasks = vec![first];
    for words in ["b1", "b2"] {
        tasks.push(queued(&encoder, text(words), Priority::Bulk).await);
    }
    for words in ["i1", "i2", "i3", "i4", "i5"] {
        tasks.push(queued(&encoder, text(words), Priority::Interactive).await);
    }
    gate.open();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(log.words(), ["first", "i1", "i2", "b1", "i3", "i4", "b2", "i5"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_gone_is_not_served() {
    let gate = Gate::default();
    let tower = FakeTower::gated(&gate);
    let log = tower.log();
    let encoder = encoder(tower, options());
    let first = first_at_model(queued(&encoder, text("first"), Priority::Interactive), &gate).await;
    let leaves = queued(&encoder, text("leaves"), Priority::Interactive).await;
    let stays = queued(&encoder, text("stays"), Priority::Interactive).await;
    leaves.abort();
    assert!(leaves.await.unwrap_err().is_cancelled());
    gate.open();
    first.await.unwrap().unwrap();
    stays.await.unwrap().unwrap();
    assert_eq!(log.words(), ["first", "stays"]);
    assert_eq!(encoder.metrics().interactive.abandoned, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn overload_is_refused_with_a_hint_and_passes() {
    let gate = Gate::default();
    let options = Options { interactive_queue_cost: 5, bulk_queue_cost: 3, ..options() };
    let encoder = encoder(FakeTower::gated(&gate), options);
    let mut tasks = vec![first_at_model(queued(&encoder, text("first"), Priority::Interactive), &gate).await];
    for number in 0..3 {
        tasks.push(queued(&encoder, text(&format!("bulk {number}")), Priority::Bulk).await);
    }
    let refused = queued(&encoder, text("bulk more"), Priority::Bulk).await.await.unwrap();
    assert!(matches!(refused, Err(EncodeError::Overloaded { .. })), "{refused:?}");
    for number in 0..5 {
        tasks.push(queued(&encoder, text(&format!("search {number}")), Priority::Interactive).await);
    }
    let refused = ask(&encoder, "one more").await.unwrap_err();
    assert!(matches!(refused, EncodeError::Overloaded { retry_after_ms: 50..=60_000 }), "{refused:?}");
    gate.open();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert!(ask(&encoder, "one more").await.is_ok());
    let metrics = encoder.metrics();
    assert_eq!((metrics.interactive.refused, metrics.bulk.refused), (1, 1));
    assert_eq!((metrics.interactive.depth, metrics.interactive.cost, metrics.bulk.cost), (0, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_past_its_deadline_is_refused() {
    let gate = Gate::default();
    let encoder = encoder(FakeTower::gated(&gate), Options { interactive_deadline_ms: 1, ..options() });
    let first = first_at_model(queued(&encoder, text("first"), Priority::Bulk), &gate).await;
    let late = queued(&encoder, text("late"), Priority::Interactive).await;
    let start = std::time::Instant::now();
    while start.elapsed().as_millis() < 3 {
        tokio::task::yield_now().await;
    }
    gate.open();
    first.await.unwrap().unwrap();
    assert!(matches!(late.await.unwrap(), Err(EncodeError::Overloaded { .. })));
    assert_eq!(encoder.metrics().interactive.late, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_inputs_are_encoded_once_and_queries_are_remembered() {
    let gate = Gate::default();
    let tower = FakeTower::gated(&gate);
    let log = tower.log();
    let encoder = encoder(tower, options());
    let first = first_at_model(queued(&encoder, text("same"), Priority::Interactive), &gate).await;
    let joins_at_model = queued(&encoder, text("same"), Priority::Interactive).await;
    let waits = queued(&encoder, text("other"), Priority::Bulk).await;
    let joins_in_queue = queued(&encoder, text("other"), Priority::Bulk).await;
    gate.open();
    for task in [first, joins_at_model, waits, joins_in_queue] {
        task.await.unwrap().unwrap();
    }
    assert_eq!(ask(&encoder, "same").await.unwrap(), vector_of("same"));
    assert_eq!(log.words(), ["same", "other"]);
    let metrics = encoder.metrics();
    assert_eq!((metrics.joined, metrics.cache_hits, metrics.cache_entries), (2, 1, 1));
    assert!(ask(&encoder, "other").await.is_ok());
    assert_eq!(log.words().len(), 3, "what ingest encodes is not remembered here");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_leaves_does_not_take_the_others_with_him() {
    let gate = Gate::default();
    let encoder = encoder(FakeTower::gated(&gate), options());
    let first = first_at_model(queued(&encoder, text("first"), Priority::Interactive), &gate).await;
    let leaves = queued(&encoder, text("same"), Priority::Interactive).await;
    let stays = queued(&encoder, text("same"), Priority::Interactive).await;
    leaves.abort();
    assert!(leaves.await.unwrap_err().is_cancelled());
    gate.open();
    first.await.unwrap().unwrap();
    assert_eq!(stays.await.unwrap().unwrap(), vector_of("same"));
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_finishes_searches_and_drops_ingest() {
    let gate = Gate::default();
    let encoder = encoder(FakeTower::gated(&gate), options());
    let first = first_at_model(queued(&encoder, text("first"), Priority::Bulk), &gate).await;
    let search = queued(&encoder, text("search"), Priority::Interactive).await;
    let ingest = queued(&encoder, text("ingest"), Priority::Bulk).await;
    let stopping = Arc::clone(&encoder);
    let stopping = tokio::spawn(async move { stopping.stop().await });
    assert_eq!(ingest.await.unwrap(), Err(EncodeError::Stopped));
    assert_eq!(ask(&encoder, "new").await, Err(EncodeError::Stopped));
    gate.open();
    assert!(first.await.unwrap().is_ok());
    assert!(search.await.unwrap().is_ok());
    stopping.await.unwrap();
    encoder.stop().await;
}

#[test]
fn towers_that_do_not_fit_their_space_are_refused() {
    let build = |dimensions, towers: Vec<Arc<dyn sensorium_domain::encoder::Tower>>| {
        LocalEncoder::new(vec![(space("s", dimensions), towers)], options()).err()
    };
    assert!(matches!(build(2, Vec::new()), Some(SetupError::Mismatch { .. })));
    let two: Vec<Arc<dyn sensorium_domain::encoder::Tower>> =
        vec![Arc::new(FakeTower::default()), Arc::new(FakeTower::default())];
    assert!(matches!(build(2, two), Some(SetupError::Mismatch { .. })));
    let wrong = build(3, vec![Arc::new(FakeTower::default())]);
    assert!(matches!(wrong, Some(SetupError::Dimensions { expected: 3, found: 2, .. })));
}
