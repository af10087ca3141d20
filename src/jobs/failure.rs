//! How an attempt at a job can fail, and what follows.

use sensorium_domain::{CatalogError, IndexError};

use crate::error::{ApiError, Code};

/// Why an attempt ended early.
#[derive(Debug, thiserror::Error)]
pub enum JobFailure {
    /// Somebody asked for it to stop.
    #[error("cancelled")]
    Cancelled,
    /// Another worker has the job now: leave it alone.
    #[error("the lease is lost")]
    LeaseLost,
    /// The process is stopping: give the lease back.
    #[error("the server is stopping")]
    Stopping,
    /// What it works on is gone; there is nothing left to do.
    #[error("{0} is gone")]
    Gone(&'static str),
    /// Anything else.
    #[error(transparent)]
    Request(ApiError),
}

impl JobFailure {
    /// What is counted.
    pub const fn outcome(&self) -> &'static str {
        match self {
            Self::Cancelled => "cancelled",
            Self::LeaseLost => "lease_lost",
            Self::Stopping => "given_back",
            Self::Gone(_) => "gone",
            Self::Request(_) => "failed",
        }
    }

    /// Whether another attempt may succeed. Faults of the input never do; everything else may.
    pub fn is_worth_retrying(&self) -> bool {
        match self {
            Self::Request(error) => {
                matches!(error.code, Code::Internal | Code::Unavailable | Code::Overloaded | Code::Timeout)
            }
            _ => false,
        }
    }
}

impl From<ApiError> for JobFailure {
    fn from(error: ApiError) -> Self {
        Self::Request(error)
    }
}

impl From<CatalogError> for JobFailure {
    fn from(error: CatalogError) -> Self {
        match error {
            CatalogError::LeaseLost => Self::LeaseLost,
            CatalogError::NotFound(what) => Self::Gone(what),
            error => Self::Request(error.into()),
        }
    }
}

impl From<IndexError> for JobFailure {
    fn from(error: IndexError) -> Self {
        Self::Request(error.into())
    }
}
