//! How fast work goes.

use std::time::Duration;

use sensorium_domain::encoder::{Cost, Priority};

/// Retry hints stay within these, in milliseconds.
const RETRY_MS: std::ops::RangeInclusive<u64> = 50..=60_000;

/// A measured rate, in millions of floating-point operations a second; 0 before the first batch. What was measured last weighs most.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rate(f64);

impl Rate {
    /// Takes in a batch.
    pub fn measure(&mut self, cost: Cost, busy: Duration) {
        let rate = cost.0 as f64 / busy.as_secs_f64().max(1e-6);
        self.0 = if self.0 == 0.0 { rate } else { 0.8 * self.0 + 0.2 * rate };
    }

    /// The rate.
    pub fn per_second(self) -> f64 {
        self.0
    }

    /// How long a newcomer waits who has `before` before it, in milliseconds; a second while nothing has been measured.
    pub fn retry_after_ms(self, before: Cost) -> u64 {
        if self.0 <= 0.0 {
            return 1_000;
        }
        let ms = (before.0 as f64 / self.0 * 1e3) as u64;
        ms.clamp(*RETRY_MS.start(), *RETRY_MS.end())
    }
}

/// The rates of batches: of all, and of each lane.
#[derive(Debug, Default)]
pub struct Rates {
    all: Rate,
    interactive: Rate,
    bulk: Rate,
}

impl Rates {
    /// Takes in a batch of a lane.
    pub fn measure(&mut self, priority: Priority, cost: Cost, busy: Duration) {
        self.all.measure(cost, busy);
        match priority {
            Priority::Interactive => self.interactive.measure(cost, busy),
            Priority::Bulk => self.bulk.measure(cost, busy),
        }
    }

    /// Of all batches.
    pub fn all(&self) -> Rate {
        self.all
    }

    /// Of those of a lane.
    pub fn of(&self, priority: Priority) -> Rate {
        match priority {
            Priority::Interactive => self.interactive,
            Priority::Bulk => self.bulk,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hint_is_what_is_before_by_the_rate_within_bounds() {
        let mut rate = Rate::default();
        assert_eq!(rate.retry_after_ms(Cost(5)), 1_000, "nothing has been measured");
        rate.measure(Cost(1_000), Duration::from_secs(1));
        assert_eq!(rate.retry_after_ms(Cost(500)), 500);
        assert_eq!(rate.retry_after_ms(Cost(0)), 50);
        assert_eq!(rate.retry_after_ms(Cost(u64::MAX)), 60_000);
        rate.measure(Cost(2_000), Duration::from_secs(1));
        assert!((rate.per_second() - 1_200.0).abs() < 1e-6, "the last batch counts, but not alone");
    }
}
