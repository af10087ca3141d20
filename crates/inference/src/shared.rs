//! What callers and the actors share, under one lock that nobody holds while a model runs.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sensorium_domain::encoder::{Cost, EncodeError, EncodeInput, Priority};
use tokio::sync::oneshot;

use crate::cache::Cache;
use crate::execute::{Answer, Executed};
use crate::key::Key;
use crate::metrics::{Metrics, QueueMetrics, TowerMetrics};
use crate::options::{Lanes, Options};
use crate::queue::{Bounds, Budgets, Entry, Queue};
use crate::rate::Rates;

/// Where an answer is waited for.
pub type Waiting = oneshot::Receiver<Answer>;

/// For how long after a search another one is expected.
const SEARCHING: Duration = Duration::from_secs(2);

/// How often a batch of ingest lets others go first.
const MOST_YIELDS: usize = 8;

/// What an actor takes from the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Serves {
    /// Both lanes in turn: the only actor there is.
    Both,
    /// One lane; another actor serves the other.
    Only(Priority),
}

/// A batch on its way to a tower.
pub struct Work {
    /// The tower's number.
    pub tower: usize,
    /// What it is given.
    pub inputs: Vec<EncodeInput>,
    priority: Priority,
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

/// The state and the bells that wake the actors.
pub struct Shared {
    options: Options,
    state: Mutex<State>,
    bell: Condvar,
    /// Of the actor that serves ingest alone, so that a search does not wake it for nothing.
    bulk_bell: Condvar,
}

struct State {
    lanes: Lanes,
    queue: Queue<u64>,
    flights: HashMap<u64, Flight>,
    joints: HashMap<(Key, Priority), u64>,
    next_flight: u64,
    last_search: Option<Instant>,
    cache: Cache,
    metrics: Metrics,
    rates: Rates,
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
            lanes: options.lanes,
            queue: Queue::new(bounds),
            flights: HashMap::new(),
            joints: HashMap::new(),
            next_flight: 0,
            last_search: None,
            cache: Cache::new(options.cache_bytes),
            metrics: Metrics { towers, ..Metrics::default() },
            rates: Rates::default(),
            is_stopping: false,
        };
        Self { options, state: Mutex::new(state), bell: Condvar::new(), bulk_bell: Condvar::new() }
    }

    /// A panic under the lock would be a fault of this module; what it guards stays whole, so the lock is not given up.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bell of the actor that serves a lane.
    fn bell(&self, priority: Priority) -> &Condvar {
        match (self.options.lanes, priority) {
            (Lanes::Apart, Priority::Bulk) => &self.bulk_bell,
            _ => &self.bell,
        }
    }

    fn ring_all(&self) {
        self.bell.notify_all();
        self.bulk_bell.notify_all();
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
        self.bell(priority).notify_one();
        Ok(Submitted::Queued(waiting))
    }

    /// Waits for the next batch of what an actor serves; nothing once the queue has been told to stop and that is empty.
    pub fn take(&self, serves: Serves) -> Option<Work> {
        let bell = match serves {
            Serves::Both => &self.bell,
            Serves::Only(priority) => self.bell(priority),
        };
        let mut state = self.lock();
        loop {
            if serves != Serves::Only(Priority::Interactive) {
                state = self.let_fill(state);
            }
            let budgets = self.budgets(state.last_search);
            if let Some(work) = state.take(serves, budgets) {
                return Some(work);
            }
            if state.is_stopping {
                return None;
            }
            state = bell.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Where ingest is next, lets those go first who are about to bring more: on a busy processor their turn would come after this batch, which would
    /// then be a small one, and so would the next. On one that is not busy this takes no time.
    fn let_fill<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let mut before = 0;
        for _ in 0..MOST_YIELDS {
            let waiting = state.queue.len(Priority::Bulk);
            let is_full = state.queue.cost(Priority::Bulk).0 >= self.options.bulk_batch_cost;
            let searches_go_first = self.options.lanes == Lanes::Shared && state.queue.len(Priority::Interactive) > 0;
            if waiting == before || is_full || searches_go_first || state.is_stopping {
                break;
            }
            before = waiting;
            drop(state);
            std::thread::yield_now();
            state = self.lock();
        }
        state
    }

    /// Where lanes are shared, ingest goes in small steps while somebody searches, since each search waits for the one that runs.
    fn budgets(&self, last_search: Option<Instant>) -> Budgets {
        let (interactive, bulk) = (Cost(self.options.interactive_batch_cost), Cost(self.options.bulk_batch_cost));
        let searching = last_search.is_some_and(|moment| moment.elapsed() < SEARCHING);
        if self.options.lanes == Lanes::Shared && searching {
            return Budgets { interactive, bulk: bulk.min(Cost(self.options.batch_cost_beside_searches)) };
        }
        Budgets { interactive, bulk }
    }

    /// Hands out the answers to a batch.
    pub fn finish(&self, work: Work, executed: Executed, busy: Duration) {
        let mut state = self.lock();
        state.rates.measure(work.priority, work.cost, busy);
        state.metrics.cost_per_second = state.rates.all().per_second();
        state.metrics.running -= work.inputs.len();
        let tower = &mut state.metrics.towers[work.tower];
        tower.count_batch(work.flights.len(), busy);
        tower.panics += executed.panics;
        let answers = work.flights.into_iter().zip(executed.answers);
        let done: Vec<_> = answers.filter_map(|(id, answer)| Some((state.land(id, &answer)?, answer))).collect();
        // Whoever is told wakes at once and may take the processor from this thread, which must not hold the lock then.
        drop(state);
        for (flight, answer) in done {
            flight.tell(&answer);
        }
    }

    /// From now on nothing is taken in; what ingest has queued is dropped, what searches have queued is still done.
    pub fn stop(&self) {
        let mut state = self.lock();
        state.is_stopping = true;
        state.drop_all(Priority::Bulk);
        drop(state);
        self.ring_all();
    }

    /// An actor is no more before its time: nothing will be done, and another that there may be ends too.
    pub fn abandon(&self) {
        let mut state = self.lock();
        state.is_stopping = true;
        state.drop_all(Priority::Bulk);
        state.drop_all(Priority::Interactive);
        state.flights.clear();
        state.joints.clear();
        drop(state);
        self.ring_all();
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
    fn take(&mut self, serves: Serves, budgets: Budgets) -> Option<Work> {
        let flights = &self.flights;
        let is_wanted = |id: &u64| flights.get(id).is_some_and(Flight::is_wanted);
        let taken = match serves {
            Serves::Both => self.queue.next_batch(budgets, Instant::now(), is_wanted),
            Serves::Only(priority) => {
                self.queue.next_batch_of(priority, budgets.of(priority), Instant::now(), is_wanted)
            }
        };
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
        self.metrics.running += inputs.len();
        Some(Work { tower: batch.tower, inputs, priority: batch.priority, cost: Cost(cost), flights })
    }

    /// Takes out a flight that has its answer, counts it, and remembers the vector of a query.
    fn land(&mut self, id: u64, answer: &Answer) -> Option<Flight> {
        let flight = self.remove(id)?;
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
        Some(flight)
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

    /// How long what goes before a newcomer takes, by the rate at which that has gone so far.
    fn retry_after_ms(&self, priority: Priority) -> u64 {
        let (interactive, bulk) = (self.queue.cost(Priority::Interactive), self.queue.cost(Priority::Bulk));
        match (self.lanes, priority) {
            (Lanes::Apart, _) => self.rates.of(priority).retry_after_ms(self.queue.cost(priority)),
            (Lanes::Shared, Priority::Interactive) => self.rates.all().retry_after_ms(interactive),
            (Lanes::Shared, Priority::Bulk) => self.rates.all().retry_after_ms(Cost(interactive.0 + bulk.0)),
        }
    }

    fn queue_metrics(&mut self, priority: Priority) -> &mut QueueMetrics {
        match priority {
            Priority::Interactive => &mut self.metrics.interactive,
            Priority::Bulk => &mut self.metrics.bulk,
        }
    }
}

#[cfg(test)]
mod tests {
    use sensorium_domain::segment::Modality;

    use super::*;

    fn shared(lanes: Lanes) -> Shared {
        let options = Options { lanes, interactive_queue_cost: 1_000, bulk_queue_cost: 4_000, ..Options::default() };
        Shared::new(options, vec![TowerMetrics::new("s".parse().unwrap(), Modality::Text)])
    }

    fn submit(shared: &Shared, words: &str, cost: u64, priority: Priority) -> Result<Submitted, EncodeError> {
        shared.submit(0, EncodeInput::Text(words.into()), Cost(cost), priority)
    }

    /// Has a batch of 1000 done in so many seconds, then fills the lane. What a newcomer is told, in milliseconds.
    fn hint(shared: &Shared, serves: Serves, priority: Priority, busy_s: u64, fill: u64) -> u64 {
        let _waiting = submit(shared, "first", 1_000, priority).unwrap();
        let work = shared.take(serves).unwrap();
        let executed = Executed { answers: vec![Ok(vec![1.0])], panics: 0 };
        shared.finish(work, executed, Duration::from_secs(busy_s));
        let _waiting = submit(shared, "fills", fill, priority).unwrap();
        match submit(shared, "one more", fill, priority) {
            Err(EncodeError::Overloaded { retry_after_ms }) => retry_after_ms,
            _ => panic!("it was not refused"),
        }
    }

    #[test]
    fn lanes_apart_wait_by_their_own_rate_for_their_own_work() {
        let shared = shared(Lanes::Apart);
        let (interactive, bulk) = (Serves::Only(Priority::Interactive), Serves::Only(Priority::Bulk));
        assert_eq!(hint(&shared, interactive, Priority::Interactive, 1, 900), 900);
        assert_eq!(hint(&shared, bulk, Priority::Bulk, 4, 3_000), 12_000);
    }

    #[test]
    fn ingest_of_shared_lanes_waits_for_searches_too_by_the_rate_of_all() {
        let shared = shared(Lanes::Shared);
        assert_eq!(hint(&shared, Serves::Both, Priority::Interactive, 1, 900), 900);
        let _waiting = submit(&shared, "bulk", 3_500, Priority::Bulk).unwrap();
        let told = submit(&shared, "more", 3_500, Priority::Bulk).err();
        assert_eq!(told, Some(EncodeError::Overloaded { retry_after_ms: 4_400 }));
    }
}
