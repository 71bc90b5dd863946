//! Pauses between tries.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// The first pause; it doubles, up to half a second.
const FIRST_PAUSE: Duration = Duration::from_millis(20);

/// Growing pauses with jitter, up to a point in time.
#[derive(Debug)]
pub struct Pauses {
    next: Duration,
    until: Instant,
}

impl Pauses {
    /// Up to then.
    pub fn until(until: Instant) -> Self {
        Self { next: FIRST_PAUSE, until }
    }

    /// Waits; `false` when there is no time left for that.
    pub async fn next(&mut self) -> bool {
        let pause = self.next.mul_f64(0.5 + fastrand::f64() / 2.0);
        self.next = (self.next * 2).min(Duration::from_millis(500));
        if Instant::now() + pause >= self.until {
            return false;
        }
        sleep(pause).await;
        true
    }
}
