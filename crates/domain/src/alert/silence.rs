//! Silences: what they are, and when one is unsafe.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::alert::matcher::{Matcher, show};
use crate::metric::labels::Labels;

/// A silence that does not exist yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Draft {
    pub matchers: Vec<Matcher>,
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    pub created_by: String,
    pub comment: String,
    /// What else it has, such as `annotations` since Alertmanager 0.33: kept as it is when the silence is changed.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub other: serde_json::Map<String, serde_json::Value>,
}

/// Where a silence is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SilenceState {
    Active,
    Pending,
    Expired,
}

/// A silence that Alertmanager knows.
#[derive(Debug, Clone, PartialEq)]
pub struct Silence {
    pub id: String,
    pub state: SilenceState,
    pub draft: Draft,
}

impl Draft {
    /// `{alertname="X"} until …`.
    pub fn summary(&self) -> String {
        format!("{} until {}", show(&self.matchers), self.ends_at.format("%FT%TZ"))
    }

    /// Is this the same silence, as far as somebody who lost the answer can tell? The start does not count: a past
    /// one becomes the moment at which Alertmanager got it.
    pub fn is_same(&self, other: &Self) -> bool {
        self.has_same_matchers(other)
            && self.ends_at.timestamp() == other.ends_at.timestamp()
            && self.created_by == other.created_by
            && self.comment == other.comment
    }

    /// Does it hide the same alerts? The order of matchers does not count.
    pub fn has_same_matchers(&self, other: &Self) -> bool {
        let key = |draft: &Self| {
            let mut matchers: Vec<String> = draft.matchers.iter().map(Matcher::show).collect();
            matchers.sort();
            matchers
        };
        key(self) == key(other)
    }

    /// Does it hide an alert with these labels, while it lasts?
    pub fn hides(&self, labels: &Labels) -> bool {
        self.matchers.iter().all(|matcher| matcher.matches(labels))
    }
}

/// Why a silence is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsafe {
    #[error("{0} would silence (nearly) every alert, also those that nobody has thought of yet")]
    Everything(String),
    #[error(
        "{shown} hides nothing, ever: no alert has two values of `{label}`; write `{label}=~{either}` for either of them"
    )]
    Contradiction { shown: String, label: String, either: String },
    #[error("a silence of {asked} is longer than the cap of {cap}")]
    TooLong { asked: String, cap: String },
}

/// Refuses what nobody should type at 3 am. `force` lifts the cap on the length, never the other rules. At least one
/// matcher must narrow: refuse both a missing label and some values that a label may well have.
///
/// # Errors
/// Why it is unsafe.
pub fn check(matchers: &[Matcher], length: Duration, cap: Duration, force: bool) -> Result<(), Unsafe> {
    let narrows = |matcher: &Matcher| !matcher.is_broad() && !matcher.accepts_missing();
    if !matchers.iter().any(narrows) {
        return Err(Unsafe::Everything(show(matchers)));
    }
    if let Some((label, values)) = contradiction(matchers) {
        return Err(Unsafe::Contradiction { shown: show(matchers), label: label.to_owned(), either: values.join("|") });
    }
    if length > cap && !force {
        let human = crate::text::duration::human;
        return Err(Unsafe::TooLong { asked: human(length), cap: human(cap) });
    }
    Ok(())
}

/// A label that is said to have two values at once.
fn contradiction(matchers: &[Matcher]) -> Option<(&str, Vec<&str>)> {
    matchers.iter().find_map(|matcher| {
        let mut values: Vec<&str> =
            matchers.iter().filter(|other| other.name == matcher.name).filter_map(Matcher::exact).collect();
        values.sort_unstable();
        values.dedup();
        (values.len() > 1).then_some((matcher.name.as_str(), values))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matchers(texts: &[&str]) -> Vec<Matcher> {
        texts.iter().map(|text| Matcher::parse(text).expect("valid")).collect()
    }

    #[test]
    fn broad_and_long_silences_are_refused() {
        let hours = |n: u64| Duration::from_secs(n * 3600);
        assert!(matches!(check(&matchers(&["alertname=~.+"]), hours(1), hours(4), true), Err(Unsafe::Everything(_))));
        assert!(matches!(check(&matchers(&["a!=x", "b=~.*"]), hours(1), hours(4), true), Err(Unsafe::Everything(_))));
        assert!(matches!(check(&[], hours(1), hours(4), false), Err(Unsafe::Everything(_))));
        // Every alert lacks this label; Alertmanager itself refuses such a silence.
        for text in ["nosuchlabel=", "region=~eu|", "severity!~critical"] {
            assert!(
                matches!(check(&matchers(&[text]), hours(1), hours(4), true), Err(Unsafe::Everything(_))),
                "{text}"
            );
        }
        let twice = check(&matchers(&["Down", "Slow"]), hours(1), hours(4), false).unwrap_err();
        assert!(twice.to_string().contains("alertname=~Down|Slow"), "{twice}");
        assert!(matches!(check(&matchers(&["a=x"]), hours(5), hours(4), false), Err(Unsafe::TooLong { .. })));
        assert_eq!(check(&matchers(&["a=x", "b=~.*", "c!=y"]), hours(5), hours(4), true), Ok(()));
    }
}
