//! A tower that does as its input says, and a gate at which it can be made to stand.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use sensorium_domain::encoder::{Cost, EncodeInput, HeldTower, SpaceInfo, Tower, TowerInfo, TowerOutput};
use sensorium_domain::names::ModelName;
use sensorium_domain::segment::Modality;
use tokio::sync::Notify;

/// Closed until it is opened, then open for ever.
#[derive(Clone, Default)]
pub struct Gate {
    inner: Arc<GateInner>,
}

#[derive(Default)]
struct GateInner {
    is_open: Mutex<bool>,
    opened: Condvar,
    somebody: Notify,
}

impl Gate {
    pub fn open(&self) {
        *self.inner.is_open.lock().unwrap() = true;
        self.inner.opened.notify_all();
    }

    /// Comes back when somebody stands, or has stood, at the gate.
    pub async fn somebody_stands(&self) {
        self.inner.somebody.notified().await;
    }

    fn pass(&self) {
        self.inner.somebody.notify_one();
        let mut is_open = self.inner.is_open.lock().unwrap();
        while !*is_open {
            is_open = self.inner.opened.wait(is_open).unwrap();
        }
    }
}

/// The words that came out as vectors, in order.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub fn words(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

#[derive(Default)]
pub struct FakeTower {
    /// Words that begin so stand at the gate first.
    gates: Vec<(&'static str, Gate)>,
    log: Log,
    /// Whether the next question for its dimensions, which nobody expects to fail, ends the thread that asks.
    is_deadly: AtomicBool,
}

impl FakeTower {
    pub fn gated(gate: &Gate) -> Self {
        Self::default().gated_for("", gate)
    }

    pub fn gated_for(mut self, beginning: &'static str, gate: &Gate) -> Self {
        self.gates.push((beginning, gate.clone()));
        self
    }

    pub fn log(&self) -> Log {
        self.log.clone()
    }
}

/// The unit vector that the fake tower gives for words.
pub fn vector_of(words: &str) -> Vec<f32> {
    let sum = words.bytes().fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
    let angle = f64::from(sum) / f64::from(u32::MAX) * std::f64::consts::TAU;
    let raw = [angle.cos() as f32, angle.sin() as f32];
    let length = raw.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt();
    raw.iter().map(|x| (f64::from(*x) / length) as f32).collect()
}

impl Tower for FakeTower {
    fn modality(&self) -> Modality {
        Modality::Text
    }

    fn dimensions(&self) -> usize {
        assert!(!self.is_deadly.load(Ordering::Relaxed), "told to die");
        2
    }

    fn cost(&self, _: &EncodeInput) -> Cost {
        Cost(1)
    }

    fn forward(&self, inputs: &[EncodeInput]) -> TowerOutput {
        let words: Vec<&str> = inputs.iter().map(words_of).collect();
        for (beginning, gate) in &self.gates {
            if words.iter().any(|words| words.starts_with(beginning)) {
                gate.pass();
            }
        }
        if words.iter().any(|words| words.ends_with("dies")) {
            self.is_deadly.store(true, Ordering::Relaxed);
        }
        assert!(!words.contains(&"panic"), "told to panic");
        if words.contains(&"poison") {
            return Err("out of memory".to_owned());
        }
        if words.contains(&"short") {
            return Ok(vec![Ok(vec![1.0, 0.0, 0.0]); usize::from(words.len() == 1)]);
        }
        Ok(words
            .into_iter()
            .map(|words| match words {
                "refuse" => Err("too odd".to_owned()),
                "nan" => Ok(vec![f32::NAN, 1.0]),
                "zeros" => Ok(vec![0.0, 0.0]),
                _ => {
                    self.log.0.lock().unwrap().push(words.to_owned());
                    Ok(vector_of(words))
                }
            })
            .collect())
    }
}

/// A tower whose weights are read for every batch, by a reader that fails or panics as it is told.
#[derive(Default)]
pub struct AwayTower {
    gate: Gate,
    how: Mutex<Reading>,
    pub readings: AtomicUsize,
}

#[derive(Clone, Copy, Default)]
pub enum Reading {
    #[default]
    Works,
    Fails,
    Panics,
}

impl AwayTower {
    /// One whose readings wait at the gate.
    pub fn gated(gate: &Gate) -> Self {
        Self { gate: gate.clone(), ..Self::default() }
    }

    /// From now on readings go so.
    pub fn reading(&self, how: Reading) {
        *self.how.lock().unwrap() = how;
    }
}

impl Tower for AwayTower {
    fn modality(&self) -> Modality {
        Modality::Text
    }

    fn dimensions(&self) -> usize {
        2
    }

    fn cost(&self, _: &EncodeInput) -> Cost {
        Cost(1)
    }

    fn hold(&self) -> Result<Option<HeldTower>, String> {
        self.gate.pass();
        self.readings.fetch_add(1, Ordering::Relaxed);
        let how = *self.how.lock().unwrap();
        match how {
            Reading::Works => Ok(Some(Box::new(Box::new(Box::new(FakeTower::default()) as Box<dyn Tower>)))),
            Reading::Fails => Err("fake@1 could not be read: no such file".to_owned()),
            Reading::Panics => panic!("told to panic"),
        }
    }

    fn forward(&self, _: &[EncodeInput]) -> TowerOutput {
        panic!("the weights are away")
    }
}

fn words_of(input: &EncodeInput) -> &str {
    match input {
        EncodeInput::Text(words) => words,
        _ => "",
    }
}

pub fn text(words: &str) -> EncodeInput {
    EncodeInput::Text(words.into())
}

pub fn image() -> EncodeInput {
    EncodeInput::Image { width_px: 1, height_px: 1, rgb: vec![0, 0, 0].into() }
}

/// A space that takes text.
pub fn space(name: &str, dimensions: usize) -> SpaceInfo {
    let tower = TowerInfo { modality: Modality::Text, model: ModelName("fake@1".to_owned()) };
    SpaceInfo { name: name.parse().unwrap(), dimensions, towers: vec![tower] }
}
