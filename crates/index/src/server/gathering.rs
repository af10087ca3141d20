//! Points that many callers write at the same time go to the server together: it takes one request of many points in far less time than many
//! of few.
//!
//! There is no timer. Who comes while requests are under way waits for one of them to end, and then goes with all who have come since.

use std::sync::Arc;

use futures::stream::{FuturesUnordered, StreamExt};
use qdrant_client::qdrant::PointStruct;
use sensorium_domain::IndexError;
use tokio::sync::{mpsc, oneshot};

use super::client::Client;
use super::write::send;
use crate::points::BATCH;

/// Requests under way at once: the server works on one while the next is on its way.
const UNDER_WAY: usize = 2;
/// Callers who wait in the queue; others wait for a place in it.
const QUEUE: usize = 64;

/// The way to the server for all who write points.
pub(super) struct Gathering {
    queue: mpsc::Sender<Waiting>,
}

/// A caller's points, and where to tell what became of them.
struct Waiting {
    points: Vec<PointStruct>,
    told: oneshot::Sender<Result<(), IndexError>>,
}

impl Gathering {
    /// Starts the task that writes. It ends with the last caller.
    pub(super) fn start(client: Arc<Client>, collection: String) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        tokio::spawn(run(client, collection, waiting));
        Self { queue }
    }

    /// Writes points and returns when the server has them.
    pub(super) async fn write(&self, points: Vec<PointStruct>) -> Result<(), IndexError> {
        let (told, answer) = oneshot::channel();
        let gone = || IndexError::Internal("the task that writes points has ended".to_owned());
        self.queue.send(Waiting { points, told }).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

async fn run(client: Arc<Client>, collection: String, mut queue: mpsc::Receiver<Waiting>) {
    let mut under_way = FuturesUnordered::new();
    loop {
        tokio::select! {
            Some(()) = under_way.next() => {}
            first = queue.recv(), if under_way.len() < UNDER_WAY => match first {
                Some(first) => {
                    // Tasks that became ready at the same moment bring theirs first.
                    tokio::task::yield_now().await;
                    under_way.push(write(&client, &collection, gather(first, &mut queue)));
                }
                None => break,
            },
        }
    }
    while under_way.next().await.is_some() {}
}

/// The first caller and those behind it, as long as their points are fewer than a batch.
fn gather(first: Waiting, queue: &mut mpsc::Receiver<Waiting>) -> Vec<Waiting> {
    let mut size = first.points.len();
    let mut together = vec![first];
    while size < BATCH
        && let Ok(next) = queue.try_recv()
    {
        size += next.points.len();
        together.push(next);
    }
    together
}

/// Writes the points of all. Where the server refuses them, each caller's are tried alone, so that only those fail that are at fault.
async fn write(client: &Client, collection: &str, together: Vec<Waiting>) {
    if let [_, _, ..] = together.as_slice() {
        let points = together.iter().flat_map(|waiting| waiting.points.iter().cloned()).collect();
        match send(client, collection, points).await {
            Ok(()) => return together.into_iter().for_each(|waiting| tell(waiting, Ok(()))),
            Err(IndexError::Unavailable(why)) => {
                return together
                    .into_iter()
                    .for_each(|waiting| tell(waiting, Err(IndexError::Unavailable(why.clone()))));
            }
            Err(_) => {}
        }
    }
    for mut waiting in together {
        let points = std::mem::take(&mut waiting.points);
        let written = send(client, collection, points).await;
        tell(waiting, written);
    }
}

/// That the caller has gone meanwhile is no fault.
fn tell(waiting: Waiting, written: Result<(), IndexError>) {
    let _ = waiting.told.send(written);
}
