//! What the steps of an explanation share: how one is written.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::alert::Alert;
use crate::alert::paging::steps::MOST;
use crate::alert::paging::{Reply, Step};
use crate::text::duration::human;

/// `12m` between two moments, whichever comes first.
pub fn ago(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    human(Duration::from_secs((now - at).num_seconds().unsigned_abs()))
}

/// A step with its evidence.
pub fn step(
    step: &'static str,
    question: &'static str,
    answer: Reply,
    passes: Option<bool>,
    evidence: Vec<String>,
) -> Step {
    Step { step, question, answer, passes, evidence }
}

/// A step that nothing is known of, and why.
pub fn unknown(name: &'static str, question: &'static str, why: String) -> Step {
    step(name, question, Reply::Unknown, None, vec![why])
}

/// A line for each of the first few, and a count of the others.
pub fn listed<T>(items: &[T], show: impl Fn(&T) -> String) -> Vec<String> {
    let mut lines: Vec<String> = items.iter().take(MOST).map(show).collect();
    if items.len() > MOST {
        lines.push(format!("and {} more", items.len() - MOST));
    }
    lines
}

/// What tells this alert from others of its name.
pub fn tags(alert: &Alert) -> String {
    let pairs: Vec<String> = alert
        .labels
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "alertname" | "severity"))
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    if pairs.is_empty() { "(no further labels)".into() } else { pairs.join(" ") }
}
