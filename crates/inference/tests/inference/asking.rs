//! How tests ask an encoder.

use std::sync::Arc;

use sensorium_domain::encoder::{EncodeError, EncodeInput, Encoder, Priority, Tower};
use sensorium_inference::{LocalEncoder, Options};

use crate::towers::{FakeTower, Gate, space, text};

pub type Asked = tokio::task::JoinHandle<Result<Vec<f32>, EncodeError>>;

pub fn encoder(tower: FakeTower, options: Options) -> Arc<LocalEncoder> {
    encoder_of(Arc::new(tower), options)
}

pub fn encoder_of(tower: Arc<dyn Tower>, options: Options) -> Arc<LocalEncoder> {
    Arc::new(LocalEncoder::new(vec![(space("s", 2), vec![tower])], options).unwrap())
}

pub async fn ask(encoder: &LocalEncoder, words: &str) -> Result<Vec<f32>, EncodeError> {
    encode(encoder, words, Priority::Interactive).await
}

pub async fn encode(encoder: &LocalEncoder, words: &str, priority: Priority) -> Result<Vec<f32>, EncodeError> {
    encoder.encode(&"s".parse().unwrap(), text(words), priority).await
}

/// Asks in a task of its own and comes back when the question is in the queue or at the model.
pub async fn queued(encoder: &Arc<LocalEncoder>, input: EncodeInput, priority: Priority) -> Asked {
    let before = arrived(encoder);
    let mine = Arc::clone(encoder);
    let task = tokio::spawn(async move { mine.encode(&"s".parse().unwrap(), input, priority).await });
    while arrived(encoder) == before && !task.is_finished() {
        tokio::task::yield_now().await;
    }
    task
}

/// Lets the question reach the model, which stands at the gate.
pub async fn first_at_model(question: impl Future<Output = Asked>, gate: &Gate) -> Asked {
    let (task, ()) = tokio::join!(question, gate.somebody_stands());
    task
}

/// All inputs that have come so far, whatever became of them.
fn arrived(encoder: &LocalEncoder) -> usize {
    let metrics = encoder.metrics();
    let left = [metrics.interactive, metrics.bulk]
        .iter()
        .map(|queue| queue.late + queue.abandoned + queue.refused)
        .sum::<u64>();
    let done = metrics.towers.iter().map(|tower| tower.encoded + tower.failed).sum::<u64>();
    metrics.interactive.depth + metrics.bulk.depth + metrics.running + (left + done + metrics.joined) as usize
}
