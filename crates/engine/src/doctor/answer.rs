//! What the first answer of a system tells besides its content: version, latency, clock.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::clients::http::answer::Answer;
use crate::doctor::finding::{Finding, System};
use liveops_domain::status::skew::skew;
use liveops_domain::text::time::compact;

/// From here on a clock is wrong enough to shift what a screen says, and to break it.
const SKEW_WARN: TimeDelta = TimeDelta::seconds(5);

const SKEW_FAIL: TimeDelta = TimeDelta::seconds(60);

/// A first answer that takes longer makes every screen slow.
const SLOW: Duration = Duration::from_secs(1);

/// Notes version and latency, and judges latency and clock.
pub fn judge(system: &mut System, version: Option<String>, answer: &Answer, now: DateTime<Utc>) {
    system.version = version;
    system.latency_ms = u64::try_from(answer.elapsed.as_millis()).ok();
    system.add(Finding::ok("reachable", "answers, and accepts the credentials"));
    system.add(latency(answer.elapsed));
    if let Some(date) = answer.date {
        system.add(clock(skew(date, now, answer.elapsed)));
    }
}

fn latency(elapsed: Duration) -> Finding {
    let text = format!("{} ms", elapsed.as_millis());
    if elapsed > SLOW {
        Finding::warn("latency", format!("its first answer took {text}"))
            .fix("is it overloaded, or far away? a screen can be no faster than this")
    } else {
        Finding::ok("latency", text)
    }
}

fn clock(skew: TimeDelta) -> Finding {
    let size = skew.abs();
    let seconds = u64::try_from(size.num_seconds()).unwrap_or(0);
    let side = if skew > TimeDelta::zero() { "ahead of" } else { "behind" };
    let message = format!("its clock is {} {side} ours", compact(seconds));
    let fix = "check time synchronisation on both machines: `timedatectl status`";
    if size > SKEW_FAIL {
        Finding::fail("clock", message).fix(fix)
    } else if size > SKEW_WARN {
        Finding::warn("clock", message).fix(fix)
    } else {
        Finding::ok("clock", "agrees with ours")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Level;

    #[test]
    fn clocks_are_judged_by_how_far_they_are_off() {
        for (seconds, level, words) in [
            (0, Level::Ok, "agrees"),
            (-5, Level::Ok, "agrees"),
            (6, Level::Warn, "6s ahead of ours"),
            (-61, Level::Fail, "1m 1s behind ours"),
        ] {
            let found = clock(TimeDelta::seconds(seconds));
            assert_eq!(found.level, level, "{seconds}");
            assert!(found.message.contains(words), "{}", found.message);
        }
        assert_eq!(latency(Duration::from_millis(1_200)).level, Level::Warn);
    }
}
