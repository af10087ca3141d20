//! The places of jobs that run side by side, and who gets them: jobs that wait come first, then those of documents as they are accepted.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::runtime::Handle;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// As many places as jobs may run at once.
pub struct Places {
    free: Arc<Semaphore>,
    number: usize,
    freed: Arc<Notify>,
    /// Where jobs run, once they do.
    runtime: OnceLock<Handle>,
    /// Whether jobs may wait for a place: no new one gets before them.
    some_wait: AtomicBool,
}

/// A place for a job, free again when it is dropped.
pub struct Place {
    permit: Option<OwnedSemaphorePermit>,
    freed: Arc<Notify>,
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(self.permit.take());
        self.freed.notify_one();
    }
}

impl Places {
    /// `number` of them, which nobody gets before [`open`](Self::open).
    pub fn new(number: usize) -> Self {
        Self {
            free: Arc::new(Semaphore::new(number)),
            number,
            freed: Arc::default(),
            runtime: OnceLock::new(),
            some_wait: AtomicBool::new(true),
        }
    }

    /// Jobs run on the caller's runtime from now on.
    pub(super) fn open(&self) {
        self.runtime.get_or_init(Handle::current);
    }

    /// A place for a job that is not enqueued yet, if fewer than `most` run and no other job waits for it.
    pub fn for_new_job(&self, most: usize) -> Option<Place> {
        if self.runtime.get().is_none() || self.some_wait.load(Ordering::Relaxed) {
            return None;
        }
        let place = if self.taken() < most { self.take() } else { None };
        if place.is_none() {
            self.some_may_wait();
        }
        place
    }

    fn taken(&self) -> usize {
        self.number.saturating_sub(self.free.available_permits())
    }

    fn take(&self) -> Option<Place> {
        let permit = self.free.clone().try_acquire_owned().ok()?;
        Some(Place { permit: Some(permit), freed: self.freed.clone() })
    }

    /// Up to `limit` places for jobs that wait, so that no more than `most` run; none if there is none.
    pub(super) fn for_waiting_jobs(&self, most: usize, limit: usize) -> Vec<Place> {
        let places: Vec<_> = (self.taken()..most).take(limit).map_while(|_| self.take()).collect();
        if places.is_empty() {
            self.some_may_wait();
        }
        places
    }

    /// Jobs may wait that nobody has looked for.
    pub(super) fn some_may_wait(&self) {
        self.some_wait.store(true, Ordering::Relaxed);
    }

    /// All jobs that can be taken are, as far as the last look saw.
    pub(super) fn none_waits(&self) {
        self.some_wait.store(false, Ordering::Relaxed);
    }

    /// Waits until a place is free that was not.
    pub(super) async fn freed(&self) {
        self.freed.notified().await;
    }

    /// Runs a job that has one of the places.
    pub(super) fn run(&self, job: impl Future<Output = ()> + Send + 'static) {
        match self.runtime.get() {
            Some(runtime) => runtime.spawn(job),
            None => tokio::spawn(job),
        };
    }

    /// Waits until all places are free: no job runs, and nobody is about to begin with one. They are given out no more.
    pub(super) async fn emptied(&self) {
        let all = u32::try_from(self.number).unwrap_or(u32::MAX);
        if let Ok(all) = self.free.acquire_many(all).await {
            all.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[tokio::test]
    async fn new_jobs_get_what_no_other_waits_for() {
        let places = Places::new(3);
        assert!(places.for_new_job(3).is_none(), "nobody works yet");
        places.open();
        assert!(places.for_new_job(3).is_none(), "nobody has looked yet whether jobs wait");
        places.none_waits();
        let new = places.for_new_job(3);
        assert!(new.is_some());
        assert!(places.for_new_job(1).is_none(), "as many run as may of its kind");
        places.none_waits();
        let mut waiting = places.for_waiting_jobs(3, 10);
        assert_eq!(waiting.len(), 2);
        assert!(places.for_new_job(3).is_none(), "all are taken");
        assert!(places.for_waiting_jobs(3, 10).is_empty());
        drop(waiting.pop());
        places.freed().await;
        assert!(places.for_new_job(3).is_none(), "others have asked before");
        places.none_waits();
        assert!(places.for_new_job(3).is_some());
    }

    #[tokio::test]
    async fn the_end_waits_for_all() {
        let places = Arc::new(Places::new(2));
        places.open();
        places.none_waits();
        let (one, place) = (places.for_waiting_jobs(2, 1), places.for_new_job(2));
        let end = tokio::spawn({
            let places = places.clone();
            async move { places.emptied().await }
        });
        drop(one);
        places.freed().await;
        tokio::task::yield_now().await;
        assert!(!end.is_finished(), "somebody is about to begin");
        drop(place);
        end.await.unwrap();
        assert!(places.for_new_job(2).is_none());
    }

    #[tokio::test]
    async fn no_more_run_than_may() {
        let places = Places::new(8);
        places.open();
        assert_eq!(places.for_waiting_jobs(8, 2).len(), 2);
        let _six = places.for_waiting_jobs(8, 6);
        assert!(places.for_waiting_jobs(4, 8).is_empty(), "more run already");
        assert_eq!(places.for_waiting_jobs(7, 8).len(), 1);
    }
}
