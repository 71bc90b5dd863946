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

    /// No answer came: count, and open after [`FAILURES`] in a row.
    pub fn failed(&mut self, now: Duration) {
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
        breaker.failed(at(0));
        breaker.failed(at(1));
        assert!(breaker.admits(at(1)).is_ok());
        breaker.failed(at(2));
        assert_eq!(breaker.admits(at(3)), Err(at(4)));
        assert!(breaker.admits(at(7)).is_ok(), "one try is let through");
        breaker.failed(at(7));
        assert_eq!(breaker.admits(at(8)), Err(at(9)), "the pause doubles");
        for _ in 0..20 {
            breaker.failed(at(100));
        }
        assert_eq!(breaker.admits(at(100)), Err(MAX_PAUSE));
        breaker.succeeded();
        assert!(breaker.admits(at(100)).is_ok());
    }
}
