//! A thread that takes batches and has the towers encode them.

use std::sync::Arc;
use std::time::Instant;

use rayon::ThreadPool;
use sensorium_domain::encoder::Tower;

use crate::execute::execute;
use crate::shared::{Serves, Shared};

/// The towers, the threads that they compute on, and the queue that feeds them.
pub struct Actor {
    towers: Vec<Arc<dyn Tower>>,
    threads: ThreadPool,
    shared: Arc<Shared>,
    serves: Serves,
    is_done: bool,
}

impl Actor {
    pub fn new(towers: Vec<Arc<dyn Tower>>, threads: ThreadPool, shared: Arc<Shared>, serves: Serves) -> Self {
        Self { towers, threads, shared, serves, is_done: false }
    }

    /// Works until it is told to stop. The next batch fills while this one runs; there is no timer.
    pub fn run(mut self) {
        while let Some(work) = self.shared.take(self.serves) {
            let start = Instant::now();
            let tower = &*self.towers[work.tower];
            let executed = self.threads.install(|| execute(tower, &work.inputs));
            self.shared.finish(work, executed, start.elapsed());
        }
        self.is_done = true;
    }
}

impl Drop for Actor {
    /// One that has come to its end leaves what another still does alone.
    fn drop(&mut self) {
        if !self.is_done {
            self.shared.abandon();
        }
    }
}
