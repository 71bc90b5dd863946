//! What the simulated service's auto-recovery did lately: at most one action in each four hours.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::api::timestamp;
use crate::rooms::mix;
use crate::sim::Sim;

const WINDOW_SECONDS: i64 = 4 * 3_600;

/// The windows that make up the last day.
const WINDOWS: i64 = 6;

/// Trigger, action, and how often of a hundred the action succeeds.
const ACTIONS: [(&str, &str, u64); 4] = [
    ("room stalled for 30 s", "restart_room", 95),
    ("redis connection lost", "reconnect_redis", 98),
    ("websocket queue above 1000", "shed_spectators", 90),
    ("worker memory above 90 %", "recycle_worker", 92),
];

/// `GET /api/recovery/status`.
pub fn status(sim: &Sim, at: DateTime<Utc>) -> Value {
    let window = at.timestamp().div_euclid(WINDOW_SECONDS);
    let actions: Vec<Action> = (window - WINDOWS..=window)
        .rev()
        .filter_map(|window| Action::of(sim.seed, window))
        .filter(|action| action.at <= at && at - action.at < chrono::TimeDelta::days(1))
        .collect();
    let failed: Vec<&Action> = actions.iter().filter(|action| !action.succeeded).collect();
    let score = 100 - 2 * actions.len() - 8 * failed.len();
    json!({
        "timestamp": timestamp(at),
        "enabled": true,
        "config": {
            "max_attempts": 3,
            "cooldown_seconds": 60,
            "actions": ACTIONS.map(|(_, action, _)| action),
        },
        "window_seconds": WINDOWS * WINDOW_SECONDS,
        "recent_actions": actions.iter().map(Action::json).collect::<Vec<_>>(),
        "failed_attempts": failed.len(),
        "stability_score": score,
    })
}

struct Action {
    at: DateTime<Utc>,
    trigger: &'static str,
    name: &'static str,
    duration_ms: u64,
    succeeded: bool,
}

impl Action {
    /// The action in this window; two windows of three have none.
    fn of(seed: u64, window: i64) -> Option<Self> {
        let mut rng = fastrand::Rng::with_seed(mix(&[seed, 0x5ec0_7e4e, window as u64]));
        let second = window * WINDOW_SECONDS + rng.i64(0..WINDOW_SECONDS);
        let (trigger, name, success) = ACTIONS[rng.usize(0..ACTIONS.len())];
        let action = Self {
            at: DateTime::from_timestamp(second, 0)?,
            trigger,
            name,
            duration_ms: rng.u64(180..4_200),
            succeeded: rng.u64(0..100) < success,
        };
        (rng.u8(0..3) == 0).then_some(action)
    }

    fn json(&self) -> Value {
        json!({
            "timestamp": timestamp(self.at),
            "trigger": self.trigger,
            "action": self.name,
            "result": if self.succeeded { "success" } else { "failed" },
            "duration_ms": self.duration_ms,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_score_falls_with_actions_and_failures_of_the_last_day() {
        let sim = Sim::new(7);
        let (mut seen, mut failures) = (0, 0);
        for hour in 0..24 * 60 {
            let at = DateTime::from_timestamp(1_795_000_000 + hour * 3_600, 0).unwrap();
            let status = status(&sim, at);
            let actions = status["recent_actions"].as_array().unwrap();
            let failed = actions.iter().filter(|action| action["result"] == "failed").count();
            assert_eq!(status["failed_attempts"], failed);
            assert_eq!(status["stability_score"], 100 - 2 * actions.len() - 8 * failed);
            let times: Vec<DateTime<Utc>> =
                (actions.iter()).map(|action| action["timestamp"].as_str().unwrap().parse().unwrap()).collect();
            assert!(times.iter().rev().is_sorted() && times.iter().all(|time| *time <= at));
            seen += actions.len();
            failures += failed;
        }
        assert!(seen > 0 && failures > 0 && failures < seen);
    }
}
