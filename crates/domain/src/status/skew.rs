//! How far another machine's clock is from ours, as far as one HTTP answer can tell.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// The least difference that explains the answer; positive when the other clock is ahead. A `Date` header (RFC 9110,
/// 6.6.1) is cut to the second and was written at some time between request and answer, so what fits into that is
/// no difference at all.
pub fn skew(date: DateTime<Utc>, received: DateTime<Utc>, elapsed: Duration) -> TimeDelta {
    let elapsed = TimeDelta::from_std(elapsed).unwrap_or(TimeDelta::MAX);
    // Had it been written at the last moment, and at the first.
    let least = date - received;
    let most = date + TimeDelta::seconds(1) - (received - elapsed);
    if least > TimeDelta::zero() {
        least
    } else if most < TimeDelta::zero() {
        most
    } else {
        TimeDelta::zero()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_latency_and_whole_seconds_explain_is_no_skew() {
        let at = |ms: i64| DateTime::from_timestamp_millis(1_700_000_000_000 + ms).expect("in range");
        for (date, received, elapsed, want) in [
            (0, 0, 10, 0),
            // Cut to the second: the server may have been at 0.999.
            (0, 990, 10, 0),
            (0, 4_900, 4_000, 0),
            (0, 4_900, 100, -3_800),
            (7_000, 2_000, 100, 5_000),
            (-600_000, 0, 0, -599_000),
            (600_000, 0, 0, 600_000),
        ] {
            let found = skew(at(date), at(received), Duration::from_millis(elapsed));
            assert_eq!(found.num_milliseconds(), want, "{date} {received} {elapsed}");
        }
    }
}
