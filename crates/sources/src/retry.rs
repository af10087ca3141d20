//! Trying again, with longer and longer waits, as often as [`Patience`] says.

use std::time::Duration;

use crate::error::SourceError;
use crate::http::Failure;
use crate::settings::Patience;

/// Tries in a row.
pub struct Tries {
    patience: Patience,
    failed: u32,
}

impl Tries {
    pub fn new(patience: Patience) -> Self {
        Self { patience, failed: 0 }
    }

    /// Something has arrived since the last failure: the count begins anew.
    pub fn progress(&mut self) {
        self.failed = 0;
    }

    /// Waits before the next try; an error when there is none.
    pub fn wait(&mut self, failure: Failure) -> Result<(), SourceError> {
        let (error, after) = match failure {
            Failure::Final(error) => return Err(error),
            Failure::Passing { error, after } => (error, after),
        };
        self.failed += 1;
        let too_long = after.is_some_and(|after| after > self.patience.longest_wait);
        if too_long || self.failed >= self.patience.tries {
            return Err(counted(error, self.failed));
        }
        std::thread::sleep(after.unwrap_or_else(|| self.next_wait()));
        Ok(())
    }

    /// Doubles, and differs between processes that failed together.
    fn next_wait(&self) -> Duration {
        let doubled = self.patience.first_wait * 2_u32.saturating_pow(self.failed - 1);
        let spread = 0.75 + f64::from(std::process::id() % 64) / 128.0;
        doubled.min(self.patience.longest_wait).mul_f64(spread)
    }
}

/// Does `work` until it succeeds or fails for good.
pub fn retrying<T>(patience: Patience, mut work: impl FnMut() -> Result<T, Failure>) -> Result<T, SourceError> {
    let mut tries = Tries::new(patience);
    loop {
        match work() {
            Ok(value) => return Ok(value),
            Err(failure) => tries.wait(failure)?,
        }
    }
}

fn counted(error: SourceError, times: u32) -> SourceError {
    match error {
        SourceError::ServerFailed { host, status, .. } => SourceError::ServerFailed { host, status, tries: times },
        SourceError::Unreachable { host, reason, .. } => SourceError::Unreachable { host, reason, tries: times },
        other => other,
    }
}
