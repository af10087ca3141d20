//! A bounded pool for decoding and cutting: never on the async threads, never more at once than there are cores. Requests have one and jobs have one.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::error::ApiError;

/// The pool.
#[derive(Clone, Debug)]
pub struct MediaPool(Arc<Semaphore>);

impl MediaPool {
    /// For `threads` tasks at once.
    pub fn new(threads: usize) -> Self {
        Self(Arc::new(Semaphore::new(threads.max(1))))
    }

    /// Runs `work` on the pool, or where the caller is when it is `light`: handing over what takes some hundred microseconds costs as much again.
    pub async fn run_unless_light<T, F>(&self, light: bool, work: F) -> Result<T, ApiError>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        if light { Ok(work()) } else { self.run(work).await }
    }

    /// Runs `work` on the pool. A panic in it is an internal error and harms nothing else.
    pub async fn run<T, F>(&self, work: F) -> Result<T, ApiError>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let permit = self.0.clone().acquire_owned().await.map_err(ApiError::internal)?;
        tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work()
        })
        .await
        .map_err(ApiError::internal)
    }
}
