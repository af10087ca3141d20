//! Work that would hold up the async threads.

use sensorium_domain::IndexError;
use tokio::task::spawn_blocking;

/// Runs `work` on a thread for blocking work, to its end even where the caller goes away.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, IndexError> + Send + 'static,
) -> Result<T, IndexError> {
    spawn_blocking(work).await.unwrap_or_else(|error| Err(IndexError::Internal(error.to_string())))
}
