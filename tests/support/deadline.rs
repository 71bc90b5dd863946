//! Waiting: ask again until the answer is there or the deadline has passed. The only sleep of the tests.

use std::fmt::Display;
use std::thread;
use std::time::{Duration, Instant};

/// Pause between two questions: short enough that a test never waits for it in earnest.
const PAUSE: Duration = Duration::from_millis(10);

/// Asks `question` until it gives a value, and returns that value.
///
/// # Panics
/// When `limit` has passed; the message names `what` was awaited.
#[track_caller]
pub(crate) fn until<T>(what: impl Display, limit: Duration, mut question: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = question() {
            return answer;
        }
        assert!(started.elapsed() < limit, "waited {limit:?} in vain for {what}");
        thread::sleep(PAUSE);
    }
}

/// Whether `question` says yes within `limit`; for waits whose end is not a failure of its own.
pub(crate) fn happens(limit: Duration, mut question: impl FnMut() -> bool) -> bool {
    let started = Instant::now();
    loop {
        if question() {
            return true;
        }
        if started.elapsed() >= limit {
            return false;
        }
        thread::sleep(PAUSE);
    }
}
