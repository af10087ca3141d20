//! What models that are read on demand may hold of memory together: before one is read, those that have not been asked for longest go.

use std::any::Any;
use std::ops::Deref;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// The models that are in memory.
#[derive(Default)]
pub struct Memory {
    /// Bytes of all of them; `None` is without a bound.
    budget_bytes: Option<u64>,
    /// What was asked for longest ago stands first.
    held: Mutex<Vec<Resident>>,
    /// One model is read at a time: two would each take the same room.
    reading: tokio::sync::Mutex<()>,
    /// Somebody waits for room: whoever wants a model now stands in line behind them, or a busy model would never go.
    is_full: AtomicBool,
    freed: Notify,
}

struct Resident {
    model: String,
    bytes: u64,
    weights: Arc<dyn Any + Send + Sync>,
}

/// A model that somebody works with: it stays in memory meanwhile.
pub struct InUse<T> {
    // Dropped in this order: it is free before those who wait for room are told.
    weights: Arc<T>,
    _end: EndOfUse,
}

struct EndOfUse(Arc<Memory>);

impl Drop for EndOfUse {
    fn drop(&mut self) {
        self.0.freed.notify_waiters();
    }
}

impl Memory {
    /// For models of so many bytes together.
    pub fn new(budget_bytes: Option<u64>) -> Self {
        Self { budget_bytes, ..Self::default() }
    }

    /// The model of this name, which no two have, read by `load` if it is not in memory. Waits while what is there is in use and leaves no room
    /// for it. Whoever has a model in use must not ask for another before giving it back: two who did would wait for each other.
    pub async fn get<T: Send + Sync + 'static, E>(
        self: &Arc<Self>,
        model: &str,
        bytes: u64,
        load: impl AsyncFnOnce() -> Result<T, E>,
    ) -> Result<InUse<T>, E> {
        if !self.is_full.load(Ordering::Relaxed)
            && let Some(found) = self.find(model)
        {
            return Ok(found);
        }
        let _reading = self.reading.lock().await;
        if let Some(found) = self.find(model) {
            return Ok(found);
        }
        self.make_room(bytes).await;
        let weights = Arc::new(load().await?);
        self.lock().push(Resident { model: model.to_owned(), bytes, weights: weights.clone() });
        Ok(self.in_use(weights))
    }

    /// Whether a model is in memory.
    pub fn has(&self, model: &str) -> bool {
        self.lock().iter().any(|resident| resident.model == model)
    }

    /// Whether somebody waits for room.
    #[cfg(test)]
    pub fn is_waited_for(&self) -> bool {
        self.is_full.load(Ordering::Relaxed)
    }

    fn find<T: Send + Sync + 'static>(self: &Arc<Self>, model: &str) -> Option<InUse<T>> {
        let mut held = self.lock();
        let position = held.iter().position(|resident| resident.model == model)?;
        held[position..].rotate_left(1); // now it was asked for last
        let weights = held.last()?.weights.clone().downcast().ok()?;
        Some(self.in_use(weights))
    }

    fn in_use<T>(self: &Arc<Self>, weights: Arc<T>) -> InUse<T> {
        InUse { weights, _end: EndOfUse(self.clone()) }
    }

    async fn make_room(&self, bytes: u64) {
        /// Whoever waited may have gone away.
        struct Waiting<'a>(&'a AtomicBool);
        impl Drop for Waiting<'_> {
            fn drop(&mut self) {
                self.0.store(false, Ordering::Relaxed);
            }
        }
        let _waiting = Waiting(&self.is_full);
        self.is_full.store(true, Ordering::Relaxed);
        loop {
            let mut freed = pin!(self.freed.notified());
            freed.as_mut().enable(); // before looking, so that nothing is missed in between
            if self.has_room_after_unloading(bytes) {
                return;
            }
            freed.await;
        }
    }

    /// Unloads what nobody works with, whatever was asked for longest ago first, until there is room; says whether there is.
    fn has_room_after_unloading(&self, bytes: u64) -> bool {
        let Some(budget) = self.budget_bytes else { return true };
        loop {
            let mut held = self.lock();
            let taken: u64 = held.iter().map(|resident| resident.bytes).sum();
            if taken == 0 || taken.saturating_add(bytes) <= budget {
                return true;
            }
            // Others get hold of a model under the lock alone.
            let idle = held.iter().position(|resident| Arc::strong_count(&resident.weights) == 1);
            let Some(oldest) = idle else { return false };
            let unloaded = held.remove(oldest);
            drop(held); // giving memory back takes its time
            tracing::info!(model = unloaded.model, bytes = unloaded.bytes, "model unloaded to make room");
        }
    }

    /// What the lock guards is whole between any two statements.
    fn lock(&self) -> MutexGuard<'_, Vec<Resident>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Deref for InUse<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.weights
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    async fn get(memory: &Arc<Memory>, model: &str, bytes: u64) -> InUse<String> {
        memory.get(model, bytes, async || Ok::<_, Infallible>(model.to_owned())).await.unwrap()
    }

    fn inside(memory: &Memory) -> Vec<&'static str> {
        ["a", "b", "c"].into_iter().filter(|model| memory.has(model)).collect()
    }

    #[tokio::test]
    async fn a_model_is_read_once_while_there_is_room() {
        let memory = Arc::new(Memory::new(Some(10)));
        drop(get(&memory, "a", 5).await);
        let again = memory.get::<String, Infallible>("a", 5, async || panic!("it is there")).await.unwrap();
        assert_eq!(*again, "a");
        drop(get(&memory, "b", 5).await);
        assert_eq!(inside(&memory), ["a", "b"]);
    }

    #[tokio::test]
    async fn what_was_asked_for_longest_ago_goes_first() {
        let memory = Arc::new(Memory::new(Some(10)));
        for model in ["a", "b", "a"] {
            drop(get(&memory, model, 5).await);
        }
        drop(get(&memory, "c", 4).await);
        assert_eq!(inside(&memory), ["a", "c"]);
        drop(get(&memory, "b", 10).await);
        assert_eq!(inside(&memory), ["b"]);
    }

    #[tokio::test]
    async fn what_is_in_use_stays_and_who_needs_its_room_waits() {
        let memory = Arc::new(Memory::new(Some(10)));
        let a = get(&memory, "a", 6).await;
        let mut b = Box::pin(get(&memory, "b", 6));
        assert!(futures::poll!(&mut b).is_pending());
        let mut again = Box::pin(get(&memory, "a", 6));
        assert!(futures::poll!(&mut again).is_pending(), "whoever comes later stands in line");
        drop(a);
        let b = b.await;
        assert_eq!((&**b, inside(&memory)), ("b", vec!["b"]));
        assert!(futures::poll!(&mut again).is_pending());
        drop(b);
        again.await;
        assert_eq!(inside(&memory), ["a"]);
    }

    #[tokio::test]
    async fn whoever_stops_waiting_for_room_holds_nobody_up() {
        let memory = Arc::new(Memory::new(Some(10)));
        let a = get(&memory, "a", 6).await;
        let mut b = Box::pin(get(&memory, "b", 6));
        assert!(futures::poll!(&mut b).is_pending());
        drop(b);
        let again = get(&memory, "a", 6).await;
        drop((a, again));
    }

    #[tokio::test]
    async fn a_model_that_cannot_be_read_takes_no_room() {
        let memory = Arc::new(Memory::new(Some(10)));
        let failed = memory.get::<String, _>("a", 8, async || Err("no")).await;
        assert_eq!(failed.err(), Some("no"));
        drop(get(&memory, "b", 8).await);
        assert_eq!(inside(&memory), ["b"]);
    }
}
