//! Threads of their own for jobs, behind those of requests: a search does not wait for a core that an ingest has.

use std::io;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};

/// Threads, as many as there are cores, that the system lets wait while others have work. They end when this is dropped.
#[derive(Debug)]
pub struct JobThreads(Option<Runtime>);

impl JobThreads {
    /// Starts them; `begin` is what each of them does first.
    pub fn start(begin: impl Fn() + Send + Sync + 'static) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread().thread_name("jobs").on_thread_start(begin).enable_all().build()?;
        Ok(Self(Some(runtime)))
    }

    /// Where to spawn what shall run on them, blocking work that it starts included.
    pub fn handle(&self) -> Option<&Handle> {
        self.0.as_ref().map(Runtime::handle)
    }

    /// Ends them, and waits for what they are in the middle of, for so long.
    pub async fn stop(mut self, patience: Duration) {
        if let Some(runtime) = self.0.take() {
            tokio::task::spawn_blocking(move || runtime.shutdown_timeout(patience)).await.ok();
        }
    }
}

impl Drop for JobThreads {
    fn drop(&mut self) {
        // Waiting for them is not for an async thread.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
