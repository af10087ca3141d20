//! What callers and the actor share, under one lock that nobody holds while a model runs.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sensorium_domain::encoder::{Cost, EncodeError, EncodeInput, Priority};
use tokio::sync::oneshot;

use crate::cache::Cache;
use crate::execute::{Answer, Executed};
use crate::key::Key;
use crate::metrics::{Metrics, QueueMetrics, TowerMetrics};
use crate::options::Options;
use crate::queue::{Bounds, Budgets, Entry, Queue};

/// Where an answer is waited for.
pub type Waiting = oneshot::Receiver<Answer>;

/// For how long after a search another one is expected.
const SEARCHING: Duration = Duration::from_secs(2);

/// How often a batch of ingest lets others go first.
const MOST_YIELDS: usize = 8;

/// Retry hints stay within these, in milliseconds.
const RETRY_MS: std::ops::RangeInclusive<u64> = 50..=60_000;

/// A batch on its way to a tower.
pub struct Work {
    /// The tower's number.
    pub tower: usize,
    /// What it is given.
    pub inputs: Vec<EncodeInput>,
    cost: Cost,
    flights: Vec<u64>,
}

/// An input that waits or is being encoded, and all who wait for it.
struct Flight {
    tower: usize,
    input: EncodeInput,
    priority: Priority,
    /// Under which equal inputs of the same priority find it.
    key: Option<Key>,
    /// Whether its vector is remembered under the key.
    is_query: bool,
    waiters: Vec<oneshot::Sender<Answer>>,
}

impl Flight {
    fn is_wanted(&self) -> bool {
        self.waiters.iter().any(|waiter| !waiter.is_closed())
    }

    fn tell(self, answer: &Answer) {
        for waiter in self.waiters {
            // Whoever has gone does not hear it.
            let _ = waiter.send(answer.clone());
        }
    }
}

/// The state and the bell that wakes the actor.
pub struct Shared {
    options: Options,
    state: Mutex<State>,
    bell: Condvar,
}

struct State {
    queue: Queue<u64>,
    flights: HashMap<u64, Flight>,
    joints: HashMap<(Key, Priority), u64>,
    next_flight: u64,
    last_search: Option<Instant>,
    cache: Cache,
    metrics: Metrics,
    is_stopping: bool,
}

impl Shared {
    pub fn new(options: Options, towers: Vec<TowerMetrics>) -> Self {
        let bounds = Bounds {
            interactive: options.queue_cost(Priority::Interactive),
            bulk: options.queue_cost(Priority::Bulk),
            interactive_in_a_row: options.interactive_batches_in_a_row,
        };
        let state = State {
            queue: Queue::new(bounds),
            flights: HashMap::new(),
            joints: HashMap::new(),
            next_flight: 0,
            last_search: None,
            cache: Cache::new(options.cache_bytes),
            metrics: Metrics { towers, ..Metrics::default() },
            is_stopping: false,
        };
        Self { options, state: Mutex::new(state), bell: Condvar::new() }
    }

    /// A panic under the lock would be a fault of this module; what it guards stays whole, so the lock is not given up.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks the vector up, joins an equal input on its way, or queues; refuses when full or stopping.
    pub fn submit(
        &self,
        tower: usize,
        input: EncodeInput,
        cost: Cost,
        priority: Priority,
    ) -> Result<Submitted, EncodeError> {
        let key = Key::of(tower, &input);
        let is_query = priority == Priority::Interactive && input.words().is_some() && self.options.cache_bytes > 0;
        let deadline = self.options.deadline_ms(priority).map(|ms| Instant::now() + Duration::from_millis(ms));
        let mut state = self.lock();
        if state.is_stopping {
            return Err(EncodeError::Stopped);
        }
        if priority == Priority::Interactive {
            state.last_search = Some(Instant::now());
        }
        if let Some(key) = key.filter(|_| is_query) {
            if let Some(vector) = state.cache.get(&key) {
                state.metrics.cache_hits += 1;
                return Ok(Submitted::Known(vector.to_vec()));
            }
            state.metrics.cache_misses += 1;
        }
        let (waiter, waiting) = oneshot::channel();
        if let Some(flight) = key.and_then(|key| state.flight_of(key, priority)) {
            flight.waiters.push(waiter);
            state.metrics.joined += 1;
            return Ok(Submitted::Queued(waiting));
        }
        let id = state.next_flight;
        if state.queue.push(priority, Entry { tower, cost, deadline, job: id }).is_err() {
            let retry_after_ms = state.retry_after_ms(priority);
            state.queue_metrics(priority).refused += 1;
            return Err(EncodeError::Overloaded { retry_after_ms });
        }
        state.next_flight += 1;
        let flight = Flight { tower, input, priority, key, is_query, waiters: vec![waiter] };
        state.flights.insert(id, flight);
        if let Some(key) = key {
            state.joints.insert((key, priority), id);
        }
        drop(state);
        self.bell.notify_one();
        Ok(Submitted::Queued(waiting))
    }

    /// Waits for the next batch; nothing once the queue has been told to stop and is empty.
    pub fn take(&self) -> Option<Work> {
        let mut state = self.lock();
        loop {
            state = self.let_fill(state);
            let budgets = self.budgets(state.last_search);
            if let Some(work) = state.take(budgets) {
                return Some(work);
            }
            if state.is_stopping {
                return None;
            }
            state = self.bell.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Where only ingest waits, lets those go first who are about to bring more: on a busy processor their turn would come after this batch, which would
    /// then be a small one, and so would the next. On one that is not busy this takes no time.
    fn let_fill<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let mut before = 0;
        for _ in 0..MOST_YIELDS {
            let waiting = state.queue.len(Priority::Bulk);
            let is_full = state.queue.cost(Priority::Bulk).0 >= self.options.batch_cost;
            if waiting == before || is_full || state.queue.len(Priority::Interactive) > 0 || state.is_stopping {
                break;
            }
            before = waiting;
            drop(state);
            std::thread::yield_now();
            state = self.lock();
        }
        state
    }

    /// While somebody searches, ingest goes in small steps, since each search waits for the one that runs.
    fn budgets(&self, last_search: Option<Instant>) -> Budgets {
        let whole = Cost(self.options.batch_cost);
        let searching = last_search.is_some_and(|moment| moment.elapsed() < SEARCHING);
        let bulk = if searching { Cost(self.options.batch_cost_beside_searches).min(whole) } else { whole };
        Budgets { interactive: whole, bulk }
    }

    /// Hands out the answers to a batch.
    pub fn finish(&self, work: Work, executed: Executed, busy: Duration) {
        let mut state = self.lock();
        let metrics = &mut state.metrics;
        metrics.running = 0;
        let rate = work.cost.0 as f64 / busy.as_secs_f64().max(1e-6);
        let is_first = metrics.cost_per_second == 0.0;
        metrics.cost_per_second = if is_first { rate } else { 0.8 * metrics.cost_per_second + 0.2 * rate };
        let tower = &mut metrics.towers[work.tower];
        tower.count_batch(work.flights.len(), busy);
        tower.panics += executed.panics;
        for (id, answer) in work.flights.into_iter().zip(executed.answers) {
            state.answer(id, &answer);
        }
    }

    /// From now on nothing is taken in; what ingest has queued is dropped, what searches have queued is still done.
    pub fn stop(&self) {
        let mut state = self.lock();
        state.is_stopping = true;
        state.drop_all(Priority::Bulk);
        drop(state);
        self.bell.notify_all();
    }

    /// The actor is no more: nothing will be done.
    pub fn abandon(&self) {
        let mut state = self.lock();
        state.is_stopping = true;
        state.drop_all(Priority::Bulk);
        state.drop_all(Priority::Interactive);
        state.flights.clear();
        state.joints.clear();
    }

    /// A snapshot.
    pub fn metrics(&self) -> Metrics {
        let mut state = self.lock();
        for priority in [Priority::Interactive, Priority::Bulk] {
            let (depth, cost) = (state.queue.len(priority), state.queue.cost(priority).0);
            let metrics = state.queue_metrics(priority);
            (metrics.depth, metrics.cost) = (depth, cost);
        }
        state.metrics.cache_entries = state.cache.len();
        state.metrics.cache_bytes = state.cache.bytes();
        state.metrics.clone()
    }
}

/// What came of a submission.
pub enum Submitted {
    /// The vector was remembered.
    Known(Vec<f32>),
    /// It will come.
    Queued(Waiting),
}

impl State {
    fn take(&mut self, budgets: Budgets) -> Option<Work> {
        let flights = &self.flights;
        let is_wanted = |id: &u64| flights.get(id).is_some_and(Flight::is_wanted);
        let taken = self.queue.next_batch(budgets, Instant::now(), is_wanted);
        for entry in taken.abandoned {
            if let Some(flight) = self.remove(entry.job) {
                self.queue_metrics(flight.priority).abandoned += 1;
            }
        }
        for entry in taken.late {
            if let Some(flight) = self.remove(entry.job) {
                self.queue_metrics(flight.priority).late += 1;
                let retry_after_ms = self.retry_after_ms(flight.priority);
                flight.tell(&Err(EncodeError::Overloaded { retry_after_ms }));
            }
        }
        let batch = taken.batch?;
        let (mut inputs, mut flights, mut cost) = (Vec::new(), Vec::new(), 0);
        for entry in batch.entries {
            if let Some(flight) = self.flights.get(&entry.job) {
                inputs.push(flight.input.clone());
                flights.push(entry.job);
                cost += entry.cost.0;
            }
        }
        self.metrics.running = inputs.len();
        Some(Work { tower: batch.tower, inputs, cost: Cost(cost), flights })
    }

    /// Tells all who wait for a flight, and remembers the vector of a query.
    fn answer(&mut self, id: u64, answer: &Answer) {
        let Some(flight) = self.remove(id) else {
            return;
        };
        let tower = &mut self.metrics.towers[flight.tower];
        match answer {
            Ok(vector) => {
                tower.encoded += 1;
                if let Some(key) = flight.key.filter(|_| flight.is_query) {
                    self.cache.put(key, vector);
                }
            }
            Err(_) => tower.failed += 1,
        }
        flight.tell(answer);
    }

    fn flight_of(&mut self, key: Key, priority: Priority) -> Option<&mut Flight> {
        let id = self.joints.get(&(key, priority))?;
        self.flights.get_mut(id)
    }

    fn remove(&mut self, id: u64) -> Option<Flight> {
        let flight = self.flights.remove(&id)?;
        if let Some(key) = flight.key {
            self.joints.remove(&(key, flight.priority));
        }
        Some(flight)
    }

    fn drop_all(&mut self, priority: Priority) {
        for entry in self.queue.drain(priority) {
            if let Some(flight) = self.remove(entry.job) {
                flight.tell(&Err(EncodeError::Stopped));
            }
        }
    }

    /// How long what goes before a newcomer takes, by the measured rate; a second while nothing has been measured.
    fn retry_after_ms(&self, priority: Priority) -> u64 {
        let before = match priority {
            Priority::Interactive => self.queue.cost(Priority::Interactive).0,
            Priority::Bulk => self.queue.cost(Priority::Interactive).0 + self.queue.cost(Priority::Bulk).0,
        };
        if self.metrics.cost_per_second <= 0.0 {
            return 1_000;
        }
        let ms = (before as f64 / self.metrics.cost_per_second * 1e3) as u64;
        ms.clamp(*RETRY_MS.start(), *RETRY_MS.end())
    }

    fn queue_metrics(&mut self, priority: Priority) -> &mut QueueMetrics {
        match priority {
            Priority::Interactive => &mut self.metrics.interactive,
            Priority::Bulk => &mut self.metrics.bulk,
        }
    }
}
