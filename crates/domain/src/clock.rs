//! Time and randomness come in as a parameter, so that tests decide both.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::time::Timestamp;

/// Where the present comes from. The system's clock in production; a clock that tests move by hand.
pub trait Clock: Send + Sync {
    /// The present.
    fn now(&self) -> Timestamp;
}

/// The operating system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis());
        Timestamp::from_millis(i64::try_from(ms).unwrap_or(i64::MAX))
    }
}
