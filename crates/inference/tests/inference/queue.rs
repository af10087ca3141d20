//! The queue's promises, for any order of arrivals.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use sensorium_domain::encoder::{Cost, Priority};
use sensorium_inference::queue::{Batch, Bounds, Budgets, Entry, Queue, Taken};

const BUDGET: Cost = Cost(20);
const IN_A_ROW: u32 = 3;

fn queue(bound: u64) -> Queue<usize> {
    Queue::new(Bounds {
        interactive: Cost(bound),
        bulk: Cost(bound),
        interactive_in_a_row: NonZeroU32::new(IN_A_ROW).unwrap(),
    })
}

fn entry(job: usize, tower: usize, cost: u64) -> Entry<usize> {
    Entry { tower, cost: Cost(cost), deadline: None, job }
}

fn next(queue: &mut Queue<usize>) -> Option<Batch<usize>> {
    queue.next_batch(both(BUDGET), Instant::now(), |_| true).batch
}

fn both(budget: Cost) -> Budgets {
    Budgets { interactive: budget, bulk: budget }
}

fn jobs(batch: &Batch<usize>) -> Vec<usize> {
    batch.entries.iter().map(|entry| entry.job).collect()
}

#[derive(Debug, Clone)]
enum Event {
    Push(Priority, usize, u64),
    Take,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let priority = prop_oneof![Just(Priority::Interactive), Just(Priority::Bulk)];
    let event = prop_oneof![
        3 => (priority, 0_usize..3, 1_u64..30).prop_map(|(priority, tower, cost)| Event::Push(priority, tower, cost)),
        1 => Just(Event::Take),
    ];
    proptest::collection::vec(event, 0..120)
}

proptest! {
    #[test]
    fn every_batch_is_of_one_tower_within_the_budget_and_sorted(events in events()) {
        let mut queue = queue(u64::MAX);
        let (mut pushed, mut taken) = (0, Vec::new());
        let check = |batch: &Batch<usize>| {
            let cost: u64 = batch.entries.iter().map(|entry| entry.cost.0).sum();
            prop_assert!(cost <= BUDGET.0 || batch.entries.len() == 1);
            prop_assert!(batch.entries.iter().all(|entry| entry.tower == batch.tower));
            prop_assert!(batch.entries.is_sorted_by_key(|entry| entry.cost));
            Ok(())
        };
        for event in events {
            match event {
                Event::Push(priority, tower, cost) => {
                    queue.push(priority, entry(pushed, tower, cost)).unwrap();
                    pushed += 1;
                }
                Event::Take => if let Some(batch) = next(&mut queue) {
                    check(&batch)?;
                    taken.extend(jobs(&batch));
                },
            }
        }
        while let Some(batch) = next(&mut queue) {
            check(&batch)?;
            taken.extend(jobs(&batch));
        }
        taken.sort_unstable();
        prop_assert_eq!(taken, (0..pushed).collect::<Vec<_>>(), "each goes once, and all go");
        prop_assert!(queue.is_empty());
        prop_assert_eq!(queue.cost(Priority::Interactive).0 + queue.cost(Priority::Bulk).0, 0);
    }

    #[test]
    fn lanes_that_are_taken_from_apart_both_empty_and_do_not_mix(events in events()) {
        let mut queue = queue(u64::MAX);
        let (mut pushed, mut taken) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
        for (job, event) in events.into_iter().enumerate() {
            if let Event::Push(priority, tower, cost) = event {
                queue.push(priority, entry(job, tower, cost)).unwrap();
                pushed[priority as usize].push(job);
            }
        }
        for priority in [Priority::Bulk, Priority::Interactive] {
            while let Some(batch) = queue.next_batch_of(priority, BUDGET, Instant::now(), |_| true).batch {
                let cost: u64 = batch.entries.iter().map(|entry| entry.cost.0).sum();
                prop_assert!(cost <= BUDGET.0 || batch.entries.len() == 1);
                prop_assert_eq!(batch.priority, priority);
                taken[priority as usize].extend(jobs(&batch));
            }
            taken[priority as usize].sort_unstable();
        }
        prop_assert_eq!(taken, pushed);
        prop_assert!(queue.is_empty());
    }

    #[test]
    fn ingest_waits_for_a_bounded_number_of_searches(searches in 1_usize..40, costs in proptest::collection::vec(1_u64..30, 1..20)) {
        let mut queue = queue(u64::MAX);
        for (job, cost) in costs.iter().enumerate() {
            queue.push(Priority::Bulk, entry(job, 0, *cost)).unwrap();
        }
        let mut run = 0;
        for job in 0..searches {
            // A new search arrives before every batch, so that there is always one.
            queue.push(Priority::Interactive, entry(1000 + job, 0, 20)).unwrap();
            queue.push(Priority::Interactive, entry(2000 + job, 1, 20)).unwrap();
            let bulk_waited = queue.len(Priority::Bulk) > 0;
            match next(&mut queue).unwrap().priority {
                Priority::Interactive => run += u32::from(bulk_waited),
                Priority::Bulk => run = 0,
            }
            prop_assert!(run <= IN_A_ROW);
        }
    }

    #[test]
    fn the_oldest_of_a_lane_is_always_in_its_next_batch(arrivals in proptest::collection::vec((0_usize..3, 1_u64..30), 1..60)) {
        for priority in [Priority::Interactive, Priority::Bulk] {
            let mut queue = queue(u64::MAX);
            for (job, (tower, cost)) in arrivals.iter().enumerate() {
                queue.push(priority, entry(job, *tower, *cost)).unwrap();
            }
            let mut gone = vec![false; arrivals.len()];
            while let Some(batch) = next(&mut queue) {
                let oldest = gone.iter().position(|gone| !gone).unwrap();
                prop_assert!(jobs(&batch).contains(&oldest));
                for job in jobs(&batch) {
                    gone[job] = true;
                }
            }
        }
    }

    #[test]
    fn a_lane_holds_no_more_than_its_bound_unless_it_is_one_entry(costs in proptest::collection::vec(1_u64..30, 1..60), bound in 1_u64..100) {
        let mut queue = queue(bound);
        for (job, cost) in costs.into_iter().enumerate() {
            let before = queue.cost(Priority::Bulk).0;
            let refused = queue.push(Priority::Bulk, entry(job, 0, cost)).is_err();
            prop_assert_eq!(refused, before > 0 && before + cost > bound);
            prop_assert!(queue.cost(Priority::Bulk).0 <= bound || queue.len(Priority::Bulk) == 1);
        }
        prop_assert!(queue.push(Priority::Interactive, entry(0, 0, 1)).is_ok(), "the other lane has its own bound");
    }
}

#[test]
fn searches_go_in_the_order_of_arrival_and_ingest_by_like_length() {
    let costs = [8, 1, 9, 2, 8];
    let taken = |priority| {
        let mut queue = queue(u64::MAX);
        for (job, cost) in costs.into_iter().enumerate() {
            queue.push(priority, entry(job, 0, cost)).unwrap();
        }
        jobs(&next(&mut queue).unwrap())
    };
    assert_eq!(taken(Priority::Interactive), [1, 3, 0, 2]);
    assert_eq!(taken(Priority::Bulk), [0, 4]);
}

#[test]
fn what_is_late_or_abandoned_comes_out_apart() {
    let mut queue = queue(u64::MAX);
    let now = Instant::now();
    let later = now + Duration::from_secs(1);
    for (job, deadline) in [(0, Some(now)), (1, Some(later)), (2, None), (3, None)] {
        queue.push(Priority::Interactive, Entry { deadline, ..entry(job, 0, 1) }).unwrap();
    }
    queue.push(Priority::Bulk, entry(4, 0, 1)).unwrap();
    let taken = queue.next_batch(both(BUDGET), now, |job| *job < 3);
    assert_eq!(taken.late.iter().map(|entry| entry.job).collect::<Vec<_>>(), [0]);
    assert_eq!(taken.abandoned.iter().map(|entry| entry.job).collect::<Vec<_>>(), [3, 4]);
    assert_eq!(jobs(&taken.batch.unwrap()), [1, 2]);
    assert!(queue.is_empty());
}

#[test]
fn a_lane_that_is_drained_is_empty() {
    let mut queue = queue(10);
    queue.push(Priority::Bulk, entry(0, 0, 10)).unwrap();
    assert!(queue.push(Priority::Bulk, entry(1, 0, 1)).is_err());
    assert_eq!(queue.drain(Priority::Bulk).len(), 1);
    assert!(queue.push(Priority::Bulk, entry(1, 0, 1)).is_ok());
}

#[test]
fn each_lane_has_a_budget_of_its_own() {
    let mut queue = queue(u64::MAX);
    for job in 0..4 {
        queue.push(Priority::Interactive, entry(job, 0, 1)).unwrap();
        queue.push(Priority::Bulk, entry(10 + job, 0, 1)).unwrap();
    }
    let budgets = Budgets { interactive: Cost(4), bulk: Cost(2) };
    let mut sizes = Vec::new();
    while let Some(batch) = queue.next_batch(budgets, Instant::now(), |_| true).batch {
        sizes.push((batch.priority, batch.entries.len()));
    }
    assert_eq!(sizes, [(Priority::Interactive, 4), (Priority::Bulk, 2), (Priority::Bulk, 2)]);
}

#[test]
fn taking_from_one_lane_leaves_the_other_alone() {
    let mut queue = queue(u64::MAX);
    let now = Instant::now();
    queue.push(Priority::Interactive, Entry { deadline: Some(now), ..entry(0, 0, 1) }).unwrap();
    queue.push(Priority::Bulk, Entry { deadline: Some(now), ..entry(1, 0, 1) }).unwrap();
    queue.push(Priority::Bulk, entry(2, 0, 1)).unwrap();
    queue.push(Priority::Bulk, entry(3, 0, 1)).unwrap();
    let taken = queue.next_batch_of(Priority::Bulk, BUDGET, now, |job| *job != 2);
    assert_eq!(jobs(&taken.batch.unwrap()), [3]);
    assert_eq!(taken.late.iter().map(|entry| entry.job).collect::<Vec<_>>(), [1]);
    assert_eq!(taken.abandoned.iter().map(|entry| entry.job).collect::<Vec<_>>(), [2]);
    assert_eq!((queue.len(Priority::Interactive), queue.len(Priority::Bulk)), (1, 0));
    assert_eq!(queue.next_batch_of(Priority::Bulk, BUDGET, now, |_| true), Taken::default());
}
