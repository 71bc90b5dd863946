//! Which alerts somebody wants to see: by matcher, severity, service and state. Every given condition must hold.

use std::collections::BTreeSet;

use crate::alert::matcher::Matcher;
use crate::alert::{Alert, AlertState};
use crate::error::{Error, Result};
use crate::metric::labels::Labels;
use crate::text::suggest::nearest;

/// Labels that name the service an alert is about, in the order of trust.
const SERVICE_LABELS: [&str; 2] = ["service", "job"];

/// Severities that every list is understood to have.
const USUAL: [&str; 6] = ["critical", "high", "medium", "low", "warning", "info"];

/// The words that a filter can mean.
#[derive(Debug, Default)]
pub struct KnownWords {
    pub words: BTreeSet<String>,
    /// Are there no others?
    pub all: bool,
}

fn own(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// A state to filter by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wanted {
    /// Paging, as far as its source knows
    Firing,
    /// Its condition holds, but not yet for long enough
    Pending,
    /// Kept quiet by a silence
    Silenced,
    /// Kept quiet by another alert
    Inhibited,
    /// Kept quiet by a time interval of its route
    Muted,
    /// Every state
    #[default]
    All,
}

impl Wanted {
    /// Every state with its word, and what the word means.
    pub const ALL: &[(&str, &str, Self)] = &[
        ("firing", "Paging, as far as its source knows", Self::Firing),
        ("pending", "Its condition holds, but not yet for long enough", Self::Pending),
        ("silenced", "Kept quiet by a silence", Self::Silenced),
        ("inhibited", "Kept quiet by another alert", Self::Inhibited),
        ("muted", "Kept quiet by a time interval of its route", Self::Muted),
        ("all", "Every state", Self::All),
    ];
}

/// The conditions. The default lets everything through.
#[derive(Debug, Clone, Default)]
pub struct AlertFilter {
    pub matchers: Vec<Matcher>,
    pub severities: Vec<String>,
    pub services: Vec<String>,
    pub state: Wanted,
}

impl AlertFilter {
    /// Does the alert satisfy every condition?
    pub fn accepts(&self, alert: &Alert) -> bool {
        let severity = alert.severity.as_deref().unwrap_or_default();
        self.has_state(alert)
            && self.matchers.iter().all(|matcher| matcher.matches(&alert.labels))
            && (self.severities.is_empty() || self.severities.iter().any(|word| is_same(word, severity)))
            && (self.services.is_empty()
                || service(&alert.labels).is_some_and(|name| self.services.iter().any(|wanted| wanted == name)))
    }

    /// Does it let everything through?
    pub fn is_open(&self) -> bool {
        self.state == Wanted::All && self.matchers.is_empty() && self.severities.is_empty() && self.services.is_empty()
    }

    /// Refuses a severity or service that nothing can have: a slip of the fingers must not read as good news. Where all
    /// rules and services are known, that is any other word; where they are not, one that is near a known word.
    ///
    /// # Errors
    /// `NotFound`, with the known words.
    pub fn check(&self, severities: &KnownWords, services: &KnownWords) -> Result<()> {
        let wrong = |what, asked: &[String], known: &KnownWords, usual: &[&str]| {
            let is_known = |word: &str| known.words.iter().chain(&own(usual)).any(|known| is_same(word, known));
            let near = |word: &str| nearest(word, known.words.iter().map(String::as_str).chain(usual.iter().copied()));
            let wrong = asked.iter().find(|word| !is_known(word) && (known.all || near(word).is_some()));
            let candidates = usual.iter().map(|word| (*word).to_owned()).chain(known.words.iter().cloned());
            let candidates: BTreeSet<String> = candidates.collect();
            wrong.map_or(Ok(()), |word| {
                let candidates = candidates.into_iter().collect();
                Err(Error::NotFound { what, name: word.clone(), candidates })
            })
        };
        wrong("severity", &self.severities, severities, &USUAL)?;
        wrong("service", &self.services, services, &[])
    }

    /// An alert that is silenced and inhibited is both, though it shows as silenced.
    fn has_state(&self, alert: &Alert) -> bool {
        match self.state {
            Wanted::All => true,
            Wanted::Firing => alert.state == AlertState::Firing,
            Wanted::Pending => alert.state == AlertState::Pending,
            Wanted::Silenced => alert.state == AlertState::Silenced || !alert.silenced_by.is_empty(),
            Wanted::Inhibited => alert.state == AlertState::Inhibited || !alert.inhibited_by.is_empty(),
            Wanted::Muted => alert.state == AlertState::Muted,
        }
    }
}

/// The service that an alert is about.
pub fn service(labels: &Labels) -> Option<&str> {
    SERVICE_LABELS.iter().find_map(|label| labels.get(*label)).map(String::as_str)
}

/// The same severity: without case, and `p1` … `p4` also mean the words of the severity table.
fn is_same(asked: &str, has: &str) -> bool {
    let canonical = |word: &str| {
        let word = word.to_lowercase();
        match word.as_str() {
            "p1" => "critical".to_owned(),
            "p2" => "high".to_owned(),
            "p3" => "medium".to_owned(),
            "p4" => "low".to_owned(),
            _ => word,
        }
    };
    canonical(asked) == canonical(has)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert() -> Alert {
        let labels = [("alertname", "Down"), ("job", "game"), ("region", "eu"), ("severity", "critical")];
        Alert {
            name: "Down".into(),
            state: AlertState::Silenced,
            severity: Some("critical".into()),
            labels: labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            silenced_by: vec!["s".into()],
            inhibited_by: vec!["f".into()],
            ..Alert::default()
        }
    }

    #[test]
    fn every_condition_must_hold() {
        let open = AlertFilter::default();
        assert!(open.is_open() && open.accepts(&alert()));
        let matcher = |text: &str| vec![Matcher::parse(text).expect("valid")];
        let words = |text: &str| vec![text.to_owned()];
        let cases = [
            (
                AlertFilter {
                    matchers: matcher("region=eu"),
                    severities: words("P1"),
                    services: words("game"),
                    state: Wanted::Silenced,
                },
                true,
            ),
            (AlertFilter { matchers: matcher("region=us"), ..AlertFilter::default() }, false),
            (AlertFilter { severities: words("high"), ..AlertFilter::default() }, false),
            (AlertFilter { services: words("lobby"), ..AlertFilter::default() }, false),
            (AlertFilter { state: Wanted::Inhibited, ..AlertFilter::default() }, true),
            (AlertFilter { state: Wanted::Firing, ..AlertFilter::default() }, false),
        ];
        for (filter, want) in cases {
            assert_eq!(filter.accepts(&alert()), want, "{filter:?}");
        }
    }

    #[test]
    fn the_label_service_names_it_before_job_does() {
        let mut labels = alert().labels;
        assert_eq!(service(&labels), Some("game"));
        labels.insert("service".into(), "backend".into());
        assert_eq!(service(&labels), Some("backend"));
    }
}
