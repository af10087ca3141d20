//! Calls to the server, each with a deadline.

use std::future::Future;
use std::time::Duration;

use futures::future::BoxFuture;
use qdrant_client::{Qdrant, QdrantError};
use sensorium_domain::IndexError;

use super::error::from_client;
use super::options::QdrantOptions;

/// The server tells itself that it was too slow; a connection that says nothing for this much longer is dead and replaced.
const GRACE: Duration = Duration::from_secs(1);

/// Connections to the server for calls of one kind. They are made when first needed and made again when they break: a call that
/// meets a broken one is repeated once, which does no harm since all calls can be repeated.
pub(super) struct Client {
    qdrant: Qdrant,
    timeout: Duration,
    deadline: Duration,
}

impl Client {
    /// For calls that the server may take `timeout` for. Does not connect yet.
    pub(super) fn new(options: &QdrantOptions, timeout: Duration) -> Result<Self, IndexError> {
        let qdrant = Qdrant::from_url(&options.url)
            .api_key(options.api_key.clone())
            .timeout(timeout + GRACE)
            .connect_timeout(options.connect_timeout)
            // The check talks to the server on a thread of its own and writes to the standard output.
            .skip_compatibility_check()
            .build()
            .map_err(from_client)?;
        Ok(Self { qdrant, timeout, deadline: timeout + GRACE + options.connect_timeout })
    }

    /// The client, whose answers are to be awaited by [`answer`](Self::answer).
    pub(super) fn ask(&self) -> &Qdrant {
        &self.qdrant
    }

    /// The time that the server may take, in whole seconds, as it counts.
    pub(super) fn timeout_s(&self) -> u64 {
        self.timeout.as_secs_f64().ceil() as u64
    }

    /// Waits for the answer until the deadline.
    pub(super) fn answer<'a, T: Send + 'a>(
        &'a self,
        call: impl Future<Output = Result<T, QdrantError>> + Send + 'a,
    ) -> BoxFuture<'a, Result<T, IndexError>> {
        let outcome = self.outcome(call);
        Box::pin(async move { outcome.await?.map_err(from_client) })
    }

    /// As [`answer`](Self::answer), for those who look into the server's refusals. Boxed, since the client's calls are large.
    pub(super) fn outcome<'a, T: Send + 'a>(
        &'a self,
        call: impl Future<Output = Result<T, QdrantError>> + Send + 'a,
    ) -> BoxFuture<'a, Result<Result<T, QdrantError>, IndexError>> {
        Box::pin(async move {
            tokio::time::timeout(self.deadline, call)
                .await
                .map_err(|_| IndexError::Unavailable(format!("no answer within {:?}", self.deadline)))
        })
    }
}
