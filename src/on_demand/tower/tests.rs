//! The wrapper around towers that say which reading they came from.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::Runtime;

use super::*;

/// Gives the number of its reading.
struct FakeTower(usize);

impl Tower for FakeTower {
    fn modality(&self) -> Modality {
        Modality::Text
    }

    fn dimensions(&self) -> usize {
        1
    }

    fn cost(&self, input: &EncodeInput) -> Cost {
        Cost(input.words().map_or(0, |words| 10 + words.len() as u64))
    }

    fn token_counter(&self) -> Option<Arc<CountTokens>> {
        Some(Arc::new(|text| text.split(' ').count()))
    }

    fn forward(&self, inputs: &[EncodeInput]) -> TowerOutput {
        Ok(inputs.iter().map(|_| Ok(vec![self.0 as f32])).collect())
    }
}

#[derive(Clone, Copy)]
enum Reading {
    Works,
    Fails,
    Panics,
}

/// Towers of six bytes in a memory of ten, and how the readings of all of them go.
struct Bench {
    runtime: Runtime,
    memory: Arc<Memory>,
    how: Arc<Mutex<Reading>>,
    readings: Arc<AtomicUsize>,
}

impl Bench {
    fn new() -> Self {
        let how = Arc::new(Mutex::new(Reading::Works));
        let memory = Arc::new(Memory::new(Some(10)));
        Self { runtime: Runtime::new().unwrap(), memory, how, readings: Arc::default() }
    }

    fn tower(&self, name: &str) -> Result<OnDemandTower, ReadError> {
        let (how, readings) = (self.how.clone(), self.readings.clone());
        let runtime = self.runtime.handle().clone();
        OnDemandTower::read((name.to_owned(), 6), self.memory.clone(), runtime, move || {
            let number = readings.fetch_add(1, Ordering::Relaxed) + 1;
            let how = *how.lock().unwrap();
            match how {
                Reading::Works => Ok(Box::new(FakeTower(number)) as Box<dyn Tower>),
                Reading::Fails => Err(ModelError::MissingFile { path: "a/model.safetensors".into() }),
                Reading::Panics => panic!("told to panic"),
            }
        })
    }

    fn readings_go(&self, how: Reading) {
        *self.how.lock().unwrap() = how;
    }

    fn readings(&self) -> usize {
        self.readings.load(Ordering::Relaxed)
    }
}

fn text(words: &str) -> EncodeInput {
    EncodeInput::Text(words.into())
}

/// The reading whose weights answer.
fn answer(tower: &OnDemandTower) -> Vec<f32> {
    tower.forward(&[text("a")]).unwrap().remove(0).unwrap()
}

#[test]
fn what_had_to_make_room_is_read_again_and_otherwise_it_is_not() {
    let bench = Bench::new();
    let (a, b) = (bench.tower("a").unwrap(), bench.tower("b").unwrap());
    assert_eq!((a.is_loaded(), b.is_loaded(), bench.readings()), (false, true, 2));
    assert_eq!(answer(&b), [2.0]);
    assert_eq!(answer(&a), [3.0]);
    assert_eq!(answer(&a), [3.0]);
    assert_eq!((a.is_loaded(), b.is_loaded(), bench.readings()), (true, false, 3));
}

#[test]
fn what_is_known_without_weights_does_not_bring_them_back() {
    let bench = Bench::new();
    let a = bench.tower("a").unwrap();
    bench.tower("b").unwrap();
    bench.readings_go(Reading::Panics);
    assert_eq!((a.modality(), a.dimensions(), a.sound_format()), (Modality::Text, 1, None));
    assert_eq!(a.token_counter().unwrap()("three short words"), 3);
    assert_eq!(a.cost(&text("four")), Cost(14));
    assert_eq!(bench.readings(), 2);
}

#[test]
fn what_is_held_stays_and_others_wait_for_its_room() {
    let bench = Bench::new();
    let (a, b) = (bench.tower("a").unwrap(), bench.tower("b").unwrap());
    let held = a.hold().unwrap().unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| answer(&b));
        while !bench.memory.is_waited_for() {
            std::thread::yield_now();
        }
        // Whoever holds it works on, while a new comer would stand behind the one that waits.
        assert_eq!(held.forward(&[text("a")]).unwrap(), [Ok(vec![3.0])]);
        assert!(a.is_loaded() && !b.is_loaded());
        drop(held);
        assert_eq!(waiting.join().unwrap(), [4.0]);
    });
    assert!(!a.is_loaded() && b.is_loaded());
}

#[test]
fn a_reading_that_fails_names_the_model_and_the_next_one_tries_again() {
    let bench = Bench::new();
    let a = bench.tower("a@1").unwrap();
    let b = bench.tower("b@1").unwrap();
    bench.readings_go(Reading::Fails);
    let error = a.hold().err().unwrap();
    assert!(error.starts_with("a@1 could not be read: ") && error.contains("a/model.safetensors"), "{error}");
    bench.readings_go(Reading::Panics);
    let error = a.hold().err().unwrap();
    assert!(error.starts_with("a@1 could not be read: ") && error.contains("panicked"), "{error}");
    assert!(!a.is_loaded() && !b.is_loaded(), "the room was made before the reading failed");
    bench.readings_go(Reading::Works);
    assert_eq!(answer(&a), [5.0]);
}

#[test]
fn what_cannot_be_read_at_first_is_no_tower() {
    let bench = Bench::new();
    bench.readings_go(Reading::Fails);
    assert!(matches!(bench.tower("a"), Err(ReadError::Model(ModelError::MissingFile { .. }))));
    bench.readings_go(Reading::Panics);
    assert!(matches!(bench.tower("a"), Err(ReadError::Panicked)));
}
