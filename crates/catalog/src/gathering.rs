//! Calls that many make at the same time go to the database together: one transaction and few statements for all of them cost little more than
//! for one.
//!
//! There is no timer. A call that comes while none of its kind is under way goes as soon as the tasks that are ready have made theirs; those that come
//! meanwhile wait for it to end and then go together.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::slice;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::error::{Fail, Result};

/// Calls that go together at most.
const MOST: usize = 64;

/// Answers to calls, in their order; see [`Together::run`].
pub(crate) type Answers<A> = Result<Vec<Option<Result<A>>>>;

/// An answer for every call.
pub(crate) fn each<C: Together>(
    calls: &[C],
    answer: impl FnMut(&C) -> Result<C::Answer>,
) -> Vec<Option<Result<C::Answer>>> {
    calls.iter().map(answer).map(Some).collect()
}

/// A call that can go together with others of its kind.
pub(crate) trait Together: Sized + Send + Sync + 'static {
    /// What runs it.
    type Store: Clone + Send + Sync + 'static;
    /// What those that go together have in common, their tenant at least.
    type Lane: Clone + Eq + Hash + Send + Sync + 'static;
    /// What the caller gets.
    type Answer: Send + 'static;

    /// Answers the calls, which are one or more, in their order. One that gets `None` is run alone afterwards; so is every one when all fail
    /// together, so that only those fail that are at fault. For one that is alone there is always an answer.
    fn run(
        store: &Self::Store,
        lane: &Self::Lane,
        calls: &[Self],
    ) -> impl Future<Output = Answers<Self::Answer>> + Send;
}

/// Where calls of one kind meet.
pub(crate) struct Gathering<C: Together> {
    lanes: Arc<Lanes<C>>,
}

/// The calls that wait, by lane. A lane is there as long as somebody works on it.
type Lanes<C> = Mutex<HashMap<<C as Together>::Lane, Vec<Waiting<C>>>>;

struct Waiting<C: Together> {
    call: C,
    told: oneshot::Sender<Result<C::Answer>>,
}

impl<C: Together> Default for Gathering<C> {
    fn default() -> Self {
        Self { lanes: Arc::default() }
    }
}

impl<C: Together> Gathering<C> {
    /// Makes a call, together with others where there are others. Once begun it is carried through, whether or not the caller still waits.
    pub(crate) async fn call(&self, store: &C::Store, lane: C::Lane, call: C) -> Result<C::Answer> {
        let (told, answer) = oneshot::channel();
        let waiting = Waiting { call, told };
        let is_first = match locked(&self.lanes).entry(lane.clone()) {
            Entry::Occupied(mut others) => {
                others.get_mut().push(waiting);
                false
            }
            Entry::Vacant(nobody) => {
                nobody.insert(vec![waiting]);
                true
            }
        };
        if is_first {
            let worker = Worker { lanes: self.lanes.clone(), lane, has_ended: false };
            tokio::spawn(worker.work(store.clone()));
        }
        answer.await.unwrap_or_else(|_| Err(Fail::broken_off()))
    }
}

fn locked<C: Together>(lanes: &Lanes<C>) -> MutexGuard<'_, HashMap<C::Lane, Vec<Waiting<C>>>> {
    // Nothing that holds the lock can panic half-way.
    lanes.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Works on a lane until nobody waits there.
struct Worker<C: Together> {
    lanes: Arc<Lanes<C>>,
    lane: C::Lane,
    has_ended: bool,
}

impl<C: Together> Worker<C> {
    async fn work(mut self, store: C::Store) {
        loop {
            // Tasks that became ready at the same moment make their calls first; those that the last group has answered, among others.
            tokio::task::yield_now().await;
            let Some(together) = self.next() else { return };
            run(&store, &self.lane, together).await;
        }
    }

    fn next(&mut self) -> Option<Vec<Waiting<C>>> {
        let mut lanes = locked(&self.lanes);
        let waiting = lanes.get_mut(&self.lane).filter(|waiting| !waiting.is_empty());
        let Some(waiting) = waiting else {
            lanes.remove(&self.lane);
            self.has_ended = true;
            return None;
        };
        let later = waiting.split_off(waiting.len().min(MOST));
        Some(std::mem::replace(waiting, later))
    }
}

impl<C: Together> Drop for Worker<C> {
    /// After a panic those who wait are told, and the next call begins anew.
    fn drop(&mut self) {
        if !self.has_ended {
            locked(&self.lanes).remove(&self.lane);
        }
    }
}

async fn run<C: Together>(store: &C::Store, lane: &C::Lane, together: Vec<Waiting<C>>) {
    let (calls, told): (Vec<_>, Vec<_>) = together.into_iter().map(|waiting| (waiting.call, waiting.told)).unzip();
    let answers = match C::run(store, lane, &calls).await {
        Ok(answers) => answers,
        Err(fail) if calls.len() == 1 || fail.is_unavailable() => {
            calls.iter().map(|_| Some(Err(fail.clone()))).collect()
        }
        Err(_) => calls.iter().map(|_| None).collect(),
    };
    for ((call, told), answer) in calls.iter().zip(told).zip(answers) {
        let answer = match answer {
            Some(answer) => answer,
            None => alone(store, lane, call).await,
        };
        // That the caller has gone meanwhile is no fault.
        let _ = told.send(answer);
    }
}

async fn alone<C: Together>(store: &C::Store, lane: &C::Lane, call: &C) -> Result<C::Answer> {
    C::run(store, lane, slice::from_ref(call)).await?.pop().flatten().unwrap_or_else(|| Err(Fail::broken_off()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tokio::sync::{Notify, Semaphore};

    use super::*;

    /// Doubles numbers, and keeps count of the groups. Groups wait for leave to begin.
    #[derive(Clone, Default)]
    struct Doubler {
        groups: Arc<Mutex<Vec<Vec<u32>>>>,
        gate: Arc<Gate>,
    }

    struct Gate {
        begun: Notify,
        leave: Semaphore,
    }

    impl Default for Gate {
        fn default() -> Self {
            Self { begun: Notify::new(), leave: Semaphore::new(0) }
        }
    }

    /// Odd numbers are run alone only, 13 is refused and takes its group along, 666 panics.
    struct Double(u32);

    impl Together for Double {
        type Store = Doubler;
        type Lane = u8;
        type Answer = u32;

        async fn run(store: &Doubler, _: &u8, calls: &[Self]) -> Answers<u32> {
            store.groups.lock().unwrap().push(calls.iter().map(|call| call.0).collect());
            store.gate.begun.notify_one();
            store.gate.leave.acquire().await.unwrap().forget();
            assert!(calls.iter().all(|call| call.0 != 666), "a call that panics");
            if calls.iter().any(|call| call.0 == 13) {
                return Err(Fail::conflict("13"));
            }
            let is_alone = calls.len() == 1;
            Ok(calls.iter().map(|call| (is_alone || call.0 % 2 == 0).then_some(Ok(call.0 * 2))).collect())
        }
    }

    /// Makes the first call, lets the others come while it is under way, and returns the answers and the groups.
    async fn tell(first: u32, others: &[u32]) -> (Vec<Result<u32>>, Vec<Vec<u32>>) {
        let (store, gathering) = (Doubler::default(), Arc::new(Gathering::<Double>::default()));
        let call = |number| {
            let (store, gathering) = (store.clone(), gathering.clone());
            tokio::spawn(async move { gathering.call(&store, 1, Double(number)).await })
        };
        let mut calls = vec![call(first)];
        store.gate.begun.notified().await;
        for (index, number) in others.iter().enumerate() {
            calls.push(call(*number));
            while locked(&gathering.lanes).get(&1).map_or(0, Vec::len) <= index {
                tokio::task::yield_now().await;
            }
        }
        store.gate.leave.add_permits(100);
        let mut answers = Vec::new();
        for call in calls {
            answers.push(call.await.unwrap());
        }
        let groups = store.groups.lock().unwrap().clone();
        (answers, groups)
    }

    fn numbers(answers: Vec<Result<u32>>) -> Vec<Option<u32>> {
        answers.into_iter().map(Result::ok).collect()
    }

    #[tokio::test]
    async fn those_who_come_meanwhile_go_together() {
        let (answers, groups) = tell(2, &[4, 6, 8]).await;
        assert_eq!(numbers(answers), [4, 8, 12, 16].map(Some));
        assert_eq!(groups, [vec![2], vec![4, 6, 8]]);
    }

    #[tokio::test]
    async fn no_more_than_so_many_go_together() {
        let many: Vec<u32> = (1..=100).map(|number| number * 2).collect();
        let (answers, groups) = tell(2, &many).await;
        assert_eq!(answers.len(), 101);
        assert_eq!(groups.iter().map(Vec::len).collect::<Vec<_>>(), [1, MOST, 100 - MOST]);
    }

    #[tokio::test]
    async fn one_that_needs_it_is_run_alone_afterwards() {
        let (answers, groups) = tell(2, &[4, 5, 6]).await;
        assert_eq!(numbers(answers), [4, 8, 10, 12].map(Some));
        assert_eq!(groups, [vec![2], vec![4, 5, 6], vec![5]]);
    }

    #[tokio::test]
    async fn only_the_one_at_fault_fails() {
        let (answers, groups) = tell(2, &[4, 13, 6]).await;
        assert_eq!(numbers(answers), [Some(4), Some(8), None, Some(12)]);
        assert_eq!(groups, [vec![2], vec![4, 13, 6], vec![4], vec![13], vec![6]]);
    }

    #[tokio::test]
    async fn after_a_panic_others_are_told_and_the_next_begins_anew() {
        let (answers, _) = tell(666, &[4]).await;
        assert_eq!(numbers(answers), [None, None]);
        let (answers, _) = tell(2, &[]).await;
        assert_eq!(numbers(answers), [Some(4)]);
    }
}
