//! A circuit breaker as a pure state machine: after some failures in a row, leave a dead backend alone for a while.

use std::time::Duration;

/// Failures in a row that open the circuit.
const FAILURES: u32 = 3;

/// First pause; it doubles with each failed try up to [`MAX_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(5);

/// Longest pause: a backend that comes back is noticed within this time.
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// State of one endpoint. Time is whatever monotonic time the caller counts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Breaker {
    failures: u32,
    /// When the last failure was known.
    failed_at: Option<Duration>,
    open_until: Option<Duration>,
}

impl Breaker {
    /// May we ask at `now`? `Err` holds the time that is left to wait.
    pub fn admits(&self, now: Duration) -> Result<(), Duration> {
        match self.open_until {
            Some(until) if now < until => Err(until - now),
            _ => Ok(()),
        }
    }

    /// An answer came: close.
    pub fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// No answer came to what was asked at `began`: count, and open after [`FAILURES`] in a row. What was asked before the
    /// last failure was known has failed with it: the questions of one look are one.
    pub fn failed(&mut self, began: Duration, now: Duration) {
        if self.failed_at.is_some_and(|failed| began <= failed) {
            return;
        }
        self.failed_at = Some(now);
        self.failures += 1;
        if let Some(extra) = self.failures.checked_sub(FAILURES) {
            let pause = FIRST_PAUSE.saturating_mul(1 << extra.min(8)).min(MAX_PAUSE);
            self.open_until = Some(now + pause);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_after_three_failures_and_closes_on_an_answer() {
        let at = Duration::from_secs;
        let mut breaker = Breaker::default();
        breaker.failed(at(0), at(1));
        breaker.failed(at(2), at(3));
        assert!(breaker.admits(at(3)).is_ok());
        breaker.failed(at(4), at(5));
        assert_eq!(breaker.admits(at(6)), Err(at(4)));
        assert!(breaker.admits(at(10)).is_ok(), "one try is let through");
        breaker.failed(at(10), at(11));
        assert_eq!(breaker.admits(at(12)), Err(at(9)), "the pause doubles");
        for second in 0..20 {
            breaker.failed(at(100 + 2 * second), at(101 + 2 * second));
        }
        assert_eq!(breaker.admits(at(139)), Err(MAX_PAUSE));
        breaker.succeeded();
        assert!(breaker.admits(at(139)).is_ok());
    }

    #[test]
    fn the_failures_of_one_look_are_one() {
        let at = Duration::from_secs;
        let mut breaker = Breaker::default();
        for answered in [1, 1, 2, 2, 3, 3] {
            breaker.failed(at(0), at(answered));
        }
        assert!(breaker.admits(at(3)).is_ok());
        breaker.failed(at(4), at(5));
        assert!(breaker.admits(at(5)).is_ok());
        breaker.failed(at(6), at(7));
        assert!(breaker.admits(at(7)).is_err());
    }
}
