//! Silences: what they are, and when one is unsafe.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::domain::matcher::{Matcher, show};

/// A silence that does not exist yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Draft {
    pub(crate) matchers: Vec<Matcher>,
    pub(crate) starts_at: DateTime<Utc>,
    pub(crate) ends_at: DateTime<Utc>,
    pub(crate) created_by: String,
    pub(crate) comment: String,
}

/// Where a silence is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SilenceState {
    Active,
    Pending,
    Expired,
}

/// A silence that Alertmanager knows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Silence {
    pub(crate) id: String,
    pub(crate) state: SilenceState,
    pub(crate) draft: Draft,
}

impl Draft {
    /// `{alertname="X"} until …`.
    pub(crate) fn summary(&self) -> String {
        format!(
            "{} until {}",
            show(&self.matchers),
            self.ends_at.format("%FT%TZ")
        )
    }

    /// Is this the same silence, as far as somebody who lost the answer can tell?
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let key = |draft: &Self| {
            let mut matchers: Vec<String> = draft.matchers.iter().map(Matcher::show).collect();
            matchers.sort();
            (
                matchers,
                draft.ends_at.timestamp(),
                draft.created_by.clone(),
                draft.comment.clone(),
            )
        };
        key(self) == key(other)
    }
}

/// Why a silence is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unsafe {
    #[error("{0} would silence (nearly) every alert, also those that nobody has thought of yet")]
    Everything(String),
    #[error("a silence of {asked} is longer than the cap of {cap}")]
    TooLong { asked: String, cap: String },
}

/// Refuses what nobody should type at 3 am. `force` lifts the cap on the length, never the first rule.
///
/// # Errors
/// Why it is unsafe.
pub(crate) fn check(
    matchers: &[Matcher],
    length: Duration,
    cap: Duration,
    force: bool,
) -> Result<(), Unsafe> {
    if matchers.iter().all(Matcher::is_broad) {
        return Err(Unsafe::Everything(show(matchers)));
    }
    if length > cap && !force {
        let human = crate::domain::duration::human;
        return Err(Unsafe::TooLong {
            asked: human(length),
            cap: human(cap),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matchers(texts: &[&str]) -> Vec<Matcher> {
        texts
            .iter()
            .map(|text| Matcher::parse(text).expect("valid"))
            .collect()
    }

    #[test]
    fn broad_and_long_silences_are_refused() {
        let hours = |n: u64| Duration::from_secs(n * 3600);
        assert!(matches!(
            check(&matchers(&["alertname=~.+"]), hours(1), hours(4), true),
            Err(Unsafe::Everything(_))
        ));
        assert!(matches!(
            check(&matchers(&["a!=x", "b=~.*"]), hours(1), hours(4), true),
            Err(Unsafe::Everything(_))
        ));
        assert!(matches!(
            check(&[], hours(1), hours(4), false),
            Err(Unsafe::Everything(_))
        ));
        assert!(matches!(
            check(&matchers(&["a=x"]), hours(5), hours(4), false),
            Err(Unsafe::TooLong { .. })
        ));
        assert_eq!(
            check(&matchers(&["a=x", "b=~.*"]), hours(5), hours(4), true),
            Ok(())
        );
    }
}
