//! The one thread that owns the towers.

use std::sync::Arc;
use std::time::Instant;

use rayon::ThreadPool;
use sensorium_domain::encoder::Tower;

use crate::execute::execute;
use crate::shared::Shared;

/// The towers, the threads that they compute on, and the queue that feeds them.
pub struct Actor {
    pub towers: Vec<Arc<dyn Tower>>,
    pub threads: ThreadPool,
    pub shared: Arc<Shared>,
}

impl Actor {
    /// Works until it is told to stop. The next batch fills while this one runs; there is no timer.
    pub fn run(self) {
        while let Some(work) = self.shared.take() {
            let start = Instant::now();
            let tower = &*self.towers[work.tower];
            let executed = self.threads.install(|| execute(tower, &work.inputs));
            self.shared.finish(work, executed, start.elapsed());
        }
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        self.shared.abandon();
    }
}
