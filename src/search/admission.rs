//! Who may search now: so many at once, a line behind them that is no longer than it may be, and the rest is told when to come back.
//!
//! Without a bound each search that is taken makes all others slower, and under a load that cannot be served all are slow. The line bounds that: who is taken
//! waits for at most as many as stand in it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::config;
use crate::error::{ApiError, Code};

/// Searches at once for each core: one computes, others wait for the index or the catalog.
const PLACES_PER_CORE: usize = 4;

/// How much the newest search counts in the mean time of a search.
const NEWEST: f64 = 0.05;

/// Retry hints stay within these, in seconds.
const RETRY_S: std::ops::RangeInclusive<f64> = 0.05..=60.0;

/// The places and the line.
pub struct Admission {
    places: Semaphore,
    most_running: usize,
    line: Mutex<Line>,
}

/// A search's right to run, given back when dropped.
pub struct Turn<'a> {
    standing: Standing<'a>,
    _place: Option<SemaphorePermit<'a>>,
    began: Instant,
}

/// How many search, wait, and were told to come back since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crowd {
    /// Searches that run.
    pub running: usize,
    /// Searches that wait for a place.
    pub waiting: usize,
    /// Searches that were refused.
    pub refused: u64,
}

impl Admission {
    /// After the settings; `cores` where they leave the number open.
    pub fn new(settings: &config::Search, cores: usize) -> Self {
        let or = |number: usize, usual: usize| if number == 0 { usual } else { number };
        let most_running = or(settings.max_running, cores * PLACES_PER_CORE).min(Semaphore::MAX_PERMITS);
        let most_waiting = or(settings.max_waiting, most_running.div_ceil(2));
        let line = Line::new(most_running, most_waiting);
        Self { places: Semaphore::new(most_running), most_running, line: Mutex::new(line) }
    }

    /// Waits for a place. When the line is full the search is refused at once.
    pub async fn turn(&self) -> Result<Turn<'_>, ApiError> {
        self.lock().join(Instant::now()).map_err(|wait| {
            let detail = "too many searches at once (search.max_running, search.max_waiting)";
            ApiError::new(Code::Overloaded, detail).retry_after(wait.as_millis() as u64)
        })?;
        let standing = Standing(self);
        let place = self.places.acquire().await.ok(); // nobody closes it
        Ok(Turn { standing, _place: place, began: Instant::now() })
    }

    /// How it looks now.
    pub fn crowd(&self) -> Crowd {
        let running = self.most_running - self.places.available_permits();
        let line = self.lock();
        Crowd { running, waiting: line.inside.saturating_sub(running), refused: line.refused }
    }

    /// What the lock guards is whole between any two statements.
    fn lock(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who runs or waits; whoever goes away in between leaves the line.
struct Standing<'a>(&'a Admission);

impl Drop for Standing<'_> {
    fn drop(&mut self) {
        self.0.lock().inside -= 1;
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.standing.0.lock().took(self.began.elapsed());
    }
}

/// Counts and the mean time of a search, from which it is told when a place will be free.
#[derive(Debug)]
struct Line {
    most_running: usize,
    most_waiting: usize,
    /// Those who run or wait.
    inside: usize,
    refused: u64,
    /// Mean seconds of a search; 0 before the first.
    mean_s: f64,
    /// The second that the latest refusals were counted in, and how many.
    latest: Option<(Instant, u32)>,
}

impl Line {
    fn new(most_running: usize, most_waiting: usize) -> Self {
        Self { most_running, most_waiting, inside: 0, refused: 0, mean_s: 0.0, latest: None }
    }

    /// Takes somebody in, or says after what time there will be room: when those inside and those who were told to come back within the last second have had
    /// their turn. So whoever is told to come back gets a time of their own, and they do not come back all at once.
    fn join(&mut self, now: Instant) -> Result<(), Duration> {
        if self.inside < self.most_running + self.most_waiting {
            self.inside += 1;
            return Ok(());
        }
        self.refused += 1;
        let latest = self.latest.filter(|(since, _)| now.duration_since(*since) < Duration::from_secs(1));
        let (since, told) = latest.unwrap_or((now, 0));
        self.latest = Some((since, told.saturating_add(1)));
        let before = self.inside as f64 + f64::from(told);
        let wait_s = before * self.mean_s / self.most_running as f64;
        Err(Duration::from_secs_f64(wait_s.clamp(*RETRY_S.start(), *RETRY_S.end())))
    }

    fn took(&mut self, time: Duration) {
        let time_s = time.as_secs_f64();
        self.mean_s = if self.mean_s == 0.0 { time_s } else { (1.0 - NEWEST) * self.mean_s + NEWEST * time_s };
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn admission(max_running: usize, max_waiting: usize) -> Admission {
        let line = Line::new(max_running, max_waiting);
        Admission { places: Semaphore::new(max_running), most_running: max_running, line: Mutex::new(line) }
    }

    #[tokio::test]
    async fn so_many_run_so_many_wait_and_the_rest_is_refused() {
        let admission = Arc::new(admission(2, 1));
        let (first, second) = (admission.turn().await.unwrap(), admission.turn().await.unwrap());
        let mut third = Box::pin(admission.turn());
        assert!(futures::poll!(&mut third).is_pending(), "both places are taken");
        assert_eq!(admission.crowd(), Crowd { running: 2, waiting: 1, refused: 0 });
        let refused = admission.turn().await.map(drop).unwrap_err();
        assert_eq!(refused.code, Code::Overloaded);
        assert!(refused.retry_after_ms.is_some());
        drop(first);
        let third = third.await.unwrap();
        assert_eq!(admission.crowd(), Crowd { running: 2, waiting: 0, refused: 1 });
        drop((second, third));
        assert_eq!(admission.crowd(), Crowd { running: 0, waiting: 0, refused: 1 });
    }

    #[tokio::test]
    async fn whoever_goes_away_leaves_the_line() {
        let admission = admission(1, 1);
        let first = admission.turn().await.unwrap();
        let mut second = Box::pin(admission.turn());
        assert!(futures::poll!(&mut second).is_pending());
        drop(second);
        let mut third = Box::pin(admission.turn());
        assert!(futures::poll!(&mut third).is_pending(), "there is room in the line again");
        drop(first);
        third.await.unwrap();
    }

    #[test]
    fn each_who_is_refused_is_told_a_time_of_their_own() {
        let mut line = Line::new(2, 2);
        let now = Instant::now();
        for _ in 0..200 {
            line.took(Duration::from_millis(500));
        }
        for _ in 0..4 {
            line.join(now).unwrap();
        }
        // Two at once, half a second each: four a second.
        let mut told = |ms: u64| line.join(now + Duration::from_millis(ms)).unwrap_err().as_millis();
        assert_eq!([told(0), told(1), told(999)], [1000, 1250, 1500]);
        assert_eq!(told(1000), 1000, "who was told a second ago is on the way back");
    }

    #[test]
    fn before_the_first_search_has_ended_the_hint_is_short() {
        let mut line = Line::new(1, 0);
        line.join(Instant::now()).unwrap();
        assert_eq!(line.join(Instant::now()), Err(Duration::from_millis(50)));
    }
}
