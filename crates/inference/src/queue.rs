//! What waits for the towers. A pure structure: it knows neither threads nor clocks.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::time::Instant;

use sensorium_domain::encoder::{Cost, Priority};

/// Something that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<T> {
    /// The tower that it is for.
    pub tower: usize,
    /// The work that it is.
    pub cost: Cost,
    /// When it is too late.
    pub deadline: Option<Instant>,
    /// Whose it is.
    pub job: T,
}

/// Entries of one tower that go together, the cheapest first, so that neighbours are of like length.
#[derive(Debug, PartialEq, Eq)]
pub struct Batch<T> {
    /// The tower.
    pub tower: usize,
    /// The queue that they come from.
    pub priority: Priority,
    /// At least one.
    pub entries: Vec<Entry<T>>,
}

/// What [`Queue::next_batch`] took out.
#[derive(Debug, PartialEq, Eq)]
pub struct Taken<T> {
    /// What goes now; nothing where nothing waits.
    pub batch: Option<Batch<T>>,
    /// Whose deadline has passed.
    pub late: Vec<Entry<T>>,
    /// Whose caller has gone.
    pub abandoned: Vec<Entry<T>>,
}

impl<T> Default for Taken<T> {
    fn default() -> Self {
        Self { batch: None, late: Vec::new(), abandoned: Vec::new() }
    }
}

/// The bounds of a queue.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Most work of searches that waits.
    pub interactive: Cost,
    /// Most work of ingest that waits.
    pub bulk: Cost,
    /// Most batches of searches in a row while ingest waits.
    pub interactive_in_a_row: NonZeroU32,
}

/// The most work of a batch, by the lane that it is taken from.
#[derive(Debug, Clone, Copy)]
pub struct Budgets {
    /// Of searches.
    pub interactive: Cost,
    /// Of ingest.
    pub bulk: Cost,
}

impl Budgets {
    /// Of a lane.
    pub fn of(self, priority: Priority) -> Cost {
        match priority {
            Priority::Interactive => self.interactive,
            Priority::Bulk => self.bulk,
        }
    }
}

/// Two lanes. Where they take turns, searches go before ingest, but not for ever.
#[derive(Debug)]
pub struct Queue<T> {
    bounds: Bounds,
    interactive: Lane<T>,
    bulk: Lane<T>,
    interactive_run: u32,
}

#[derive(Debug)]
struct Lane<T> {
    entries: VecDeque<Entry<T>>,
    cost: Cost,
}

impl<T> Queue<T> {
    /// An empty queue.
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, interactive: Lane::new(), bulk: Lane::new(), interactive_run: 0 }
    }

    /// Puts an entry at the end of its lane. A lane that would hold more than its bound gives it back; an empty one takes
    /// anything, so that no entry is too large for ever.
    pub fn push(&mut self, priority: Priority, entry: Entry<T>) -> Result<(), Entry<T>> {
        let bound = match priority {
            Priority::Interactive => self.bounds.interactive,
            Priority::Bulk => self.bounds.bulk,
        };
        self.lane_mut(priority).push(entry, bound)
    }

    /// Takes the next batch, within its lane's budget: searches first, then ingest; one tower at a time, that of the oldest entry.
    /// An entry above the budget travels alone. Entries that are late, or that `is_wanted` denies, are taken out of both lanes first.
    pub fn next_batch(&mut self, budgets: Budgets, now: Instant, is_wanted: impl Fn(&T) -> bool) -> Taken<T> {
        let mut taken = Taken::default();
        for lane in [&mut self.interactive, &mut self.bulk] {
            lane.sweep(now, &is_wanted, &mut taken);
        }
        let bulk_is_due =
            !self.bulk.entries.is_empty() && self.interactive_run >= self.bounds.interactive_in_a_row.get();
        let priority =
            if self.interactive.entries.is_empty() || bulk_is_due { Priority::Bulk } else { Priority::Interactive };
        taken.batch = self.lane_mut(priority).take(budgets.of(priority), priority);
        if taken.batch.is_some() {
            let bulk_waits = !self.bulk.entries.is_empty();
            self.interactive_run =
                if priority == Priority::Interactive && bulk_waits { self.interactive_run + 1 } else { 0 };
        }
        taken
    }

    /// Takes the next batch of one lane in the same way, as if there were no other: for lanes that need not take turns.
    pub fn next_batch_of(
        &mut self,
        priority: Priority,
        budget: Cost,
        now: Instant,
        is_wanted: impl Fn(&T) -> bool,
    ) -> Taken<T> {
        let mut taken = Taken::default();
        let lane = self.lane_mut(priority);
        lane.sweep(now, &is_wanted, &mut taken);
        taken.batch = lane.take(budget, priority);
        taken
    }

    /// Empties a lane.
    pub fn drain(&mut self, priority: Priority) -> Vec<Entry<T>> {
        let lane = self.lane_mut(priority);
        lane.cost = Cost::default();
        lane.entries.drain(..).collect()
    }

    /// How many entries wait in a lane.
    pub fn len(&self, priority: Priority) -> usize {
        self.lane(priority).entries.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.interactive.entries.is_empty() && self.bulk.entries.is_empty()
    }

    /// The work that waits in a lane.
    pub fn cost(&self, priority: Priority) -> Cost {
        self.lane(priority).cost
    }

    fn lane(&self, priority: Priority) -> &Lane<T> {
        match priority {
            Priority::Interactive => &self.interactive,
            Priority::Bulk => &self.bulk,
        }
    }

    fn lane_mut(&mut self, priority: Priority) -> &mut Lane<T> {
        match priority {
            Priority::Interactive => &mut self.interactive,
            Priority::Bulk => &mut self.bulk,
        }
    }
}

impl<T> Lane<T> {
    fn new() -> Self {
        Self { entries: VecDeque::new(), cost: Cost::default() }
    }

    fn push(&mut self, entry: Entry<T>, bound: Cost) -> Result<(), Entry<T>> {
        let cost = self.cost.0.saturating_add(entry.cost.0);
        if cost > bound.0 && !self.entries.is_empty() {
            return Err(entry);
        }
        self.cost = Cost(cost);
        self.entries.push_back(entry);
        Ok(())
    }

    fn sweep(&mut self, now: Instant, is_wanted: &impl Fn(&T) -> bool, taken: &mut Taken<T>) {
        let is_late = |entry: &Entry<T>| entry.deadline.is_some_and(|deadline| deadline <= now);
        if self.entries.iter().all(|entry| is_wanted(&entry.job) && !is_late(entry)) {
            return;
        }
        for entry in std::mem::take(&mut self.entries) {
            if !is_wanted(&entry.job) {
                taken.abandoned.push(entry);
            } else if is_late(&entry) {
                taken.late.push(entry);
            } else {
                self.entries.push_back(entry);
            }
        }
        self.add_up();
    }

    /// The oldest entry and others of its tower, up to `budget`: of searches the next oldest, of ingest those nearest to it in
    /// cost, which pads least. Either way the oldest goes, so that every entry moves up.
    fn take(&mut self, budget: Cost, priority: Priority) -> Option<Batch<T>> {
        let oldest = self.entries.front()?;
        let (tower, cost) = (oldest.tower, oldest.cost);
        let mut candidates: Vec<usize> =
            (0..self.entries.len()).filter(|&index| self.entries[index].tower == tower).collect();
        if priority == Priority::Bulk {
            candidates.sort_by_key(|&index| self.entries[index].cost.0.abs_diff(cost.0));
        }
        let mut chosen = vec![false; self.entries.len()];
        let mut room = budget.0;
        for (position, index) in candidates.into_iter().enumerate() {
            let cost = self.entries[index].cost.0;
            if cost > room && position > 0 {
                break;
            }
            chosen[index] = true;
            room = room.saturating_sub(cost);
        }
        let mut entries = Vec::new();
        for (entry, chosen) in std::mem::take(&mut self.entries).into_iter().zip(chosen) {
            if chosen {
                entries.push(entry);
            } else {
                self.entries.push_back(entry);
            }
        }
        entries.sort_by_key(|entry| entry.cost);
        self.add_up();
        Some(Batch { tower, priority, entries })
    }

    fn add_up(&mut self) {
        self.cost = Cost(self.entries.iter().map(|entry| entry.cost.0).sum());
    }
}
