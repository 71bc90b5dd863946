//! The one sentence at the end: the first step at which the alert stops, or who is being told.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::alert::matcher::Matcher;
use crate::alert::paging::step::ago;
use crate::alert::paging::steps::{fires_at, is_firing};
use crate::alert::paging::{Facts, Reply, Step};
use crate::alert::probe::figures;
use crate::alert::{Alert, AlertState};
use crate::text::duration::human;
use crate::text::shell::word;

/// The conclusion of the steps.
pub struct Conclusion {
    pub paging: Reply,
    pub broken: bool,
    pub sentence: String,
    pub next: Option<String>,
}

impl Conclusion {
    fn new(paging: Reply, sentence: impl Into<String>) -> Self {
        Self { paging, broken: false, sentence: sentence.into(), next: None }
    }

    fn broken(sentence: impl Into<String>) -> Self {
        Self { broken: true, ..Self::new(Reply::No, sentence) }
    }

    fn next(mut self, command: impl Into<String>) -> Self {
        self.next = Some(command.into());
        self
    }
}

/// Draws it. What Alertmanager has is judged by what Alertmanager says, wherever it came from.
pub fn conclude(facts: &Facts, steps: &[Step]) -> Conclusion {
    let name = &facts.name;
    if let Some(sentence) = facts.misses() {
        return Conclusion::new(Reply::Unknown, sentence).next(format!("alerts show {}", word(name)));
    }
    match &facts.alerts {
        Ok(alerts) if !alerts.is_empty() => held(facts, steps, alerts),
        Ok(_) => before(facts, steps),
        // Where it stops before Alertmanager, that need not be asked.
        Err(_) if facts.rules.is_ok() && (!is_firing(facts) || stops(steps, "delivered")) => before(facts, steps),
        Err(why) => {
            Conclusion::new(Reply::Unknown, format!("whether `{name}` pages is not known: {why}")).next("doctor")
        }
    }
}

/// Did this step say no?
fn stops(steps: &[Step], name: &str) -> bool {
    steps.iter().any(|step| step.step == name && step.answer == Reply::No)
}

/// It is not in Alertmanager: where on the way is it?
fn before(facts: &Facts, steps: &[Step]) -> Conclusion {
    let name = &facts.name;
    let Ok(rules) = &facts.rules else {
        let sentence = format!(
            "Alertmanager does not have `{name}`; whether it should is not known, since Prometheus cannot be asked"
        );
        return Conclusion::new(Reply::Unknown, sentence).next("doctor");
    };
    if stops(steps, "evaluated") {
        return Conclusion::broken(format!("`{name}` cannot page: Prometheus does not evaluate its rule"))
            .next("doctor");
    }
    if is_firing(facts) {
        return if stops(steps, "delivered") {
            Conclusion::broken(format!("`{name}` fires, and nobody is paged: Prometheus delivers to no Alertmanager"))
                .next("doctor")
        } else {
            Conclusion::broken(format!(
                "`{name}` fires, and Alertmanager does not have it (yet): it is on its way, goes to another Alertmanager, or is dropped by relabelling"
            ))
            .next("doctor")
        };
    }
    if let Some((_, fires)) = fires_at(rules) {
        return Conclusion::new(
            Reply::No,
            format!(
                "`{name}` does not page yet: its condition must hold for another {}",
                ago(fires.max(facts.now), facts.now)
            ),
        )
        .next(format!("alerts watch {}", matcher(name)));
    }
    if rules.is_empty() {
        return Conclusion::new(
            Reply::Unknown,
            format!("no rule is called `{name}`, and whether Alertmanager has it is not known"),
        )
        .next("doctor");
    }
    if steps.iter().any(|step| step.step == "condition" && step.answer == Reply::Unknown) {
        let sentence = format!("whether `{name}` fires is not known: its condition cannot be asked");
        return Conclusion::new(Reply::Unknown, sentence).next("doctor");
    }
    let sentence = format!("`{name}` does not page, since its condition does not hold");
    if stops(steps, "delivered") {
        return Conclusion::broken(format!(
            "{sentence}; and if it did, nobody would be paged: Prometheus delivers to no Alertmanager"
        ))
        .next("doctor");
    }
    Conclusion::new(Reply::No, sentence).next(match rules.first() {
        Some(rule) => {
            let figure = figures(&rule.expression).into_iter().next().unwrap_or_default();
            format!("query {} --range 1h --plot", word(&figure))
        }
        None => "alerts".into(),
    })
}

/// It is in Alertmanager: is it kept quiet there?
fn held(facts: &Facts, steps: &[Step], alerts: &[Alert]) -> Conclusion {
    let name = &facts.name;
    let count = |state: AlertState| alerts.iter().filter(|alert| alert.state == state).count();
    let loud = count(AlertState::Firing);
    let quiet: Vec<String> = [AlertState::Silenced, AlertState::Inhibited, AlertState::Muted]
        .into_iter()
        .filter(|state| count(*state) > 0)
        .map(|state| match (count(state), alerts.len()) {
            (n, all) if n == all => state.word().to_owned(),
            (n, _) => format!("{n} {}", state.word()),
        })
        .collect();
    let silence = alerts.iter().flat_map(|alert| &alert.silenced_by).next();
    let undo = silence.map(|id| format!("silence expire {}", word(id)));
    if loud == 0 {
        let by = alerts.iter().find_map(|alert| {
            let fingerprint = alert.inhibited_by.first()?;
            let source = facts.others.iter().find(|other| other.fingerprint.as_ref() == Some(fingerprint))?;
            Some(source.name.clone())
        });
        let mut sentence = format!("`{name}` fires and does not page: it is {}", quiet.join(" and "));
        if let (Some(by), None) = (&by, &silence) {
            sentence.push_str(&format!(" by `{by}`, which is nearer to the cause"));
        }
        let next = undo
            .or_else(|| by.map(|by| format!("alerts explain {}", word(&by))))
            .unwrap_or_else(|| format!("alerts show {}", word(name)));
        return Conclusion::new(Reply::No, sentence).next(next);
    }
    let mut receivers: Vec<&str> = alerts
        .iter()
        .filter(|alert| alert.state == AlertState::Firing)
        .flat_map(|alert| alert.receivers.iter().map(String::as_str))
        .collect();
    receivers.sort_unstable();
    receivers.dedup();
    let told = receivers.join(", ");
    let failing: Vec<String> = receivers.iter().flat_map(|name| facts.failures(name)).collect();
    if stops(steps, "receivers") && failing.is_empty() {
        return Conclusion::broken(format!("`{name}` fires, and nobody is paged: its receiver has no integration"))
            .next(format!("alerts show {}", word(name)));
    }
    if let Some(first) = failing.first() {
        return Conclusion::broken(format!("`{name}` is handed to {told}, whose notifications fail ({first})"))
            .next("doctor");
    }
    if let Some((wait, end)) = waits(facts, alerts, &receivers) {
        let sentence = format!(
            "`{name}` does not page {told} yet: its group waits {} (group_wait), for another {}",
            human(wait),
            ago(end, facts.now)
        );
        return Conclusion::new(Reply::No, sentence).next(format!("alerts watch {}", matcher(name)));
    }
    let mut sentence = match (loud, alerts.len()) {
        (1, 1) => format!("`{name}` pages {told}"),
        (loud, all) if loud == all => format!("`{name}` pages {told} with {}", crate::text::count::count(all, "alert")),
        (loud, all) => format!("`{name}` pages {told} with {loud} of {all} alerts; the rest: {}", quiet.join(", ")),
    };
    let muted = steps.iter().any(|step| step.step == "muted" && step.answer == Reply::Unknown);
    if muted {
        sentence.push_str(", unless a time interval of its route mutes it");
    }
    let add = format!("silence add {} --for 1h --dry-run", matcher(name));
    Conclusion::new(if muted { Reply::Unknown } else { Reply::Yes }, sentence).next(add)
}

/// The group_wait that may still run, where every alert that fires is so young; and until when.
fn waits(facts: &Facts, alerts: &[Alert], receivers: &[&str]) -> Option<(Duration, DateTime<Utc>)> {
    let routing = facts.routing.as_ref().ok()?;
    let wait = receivers.iter().filter_map(|name| routing.group_wait.get(*name)).min()?;
    let firing = alerts.iter().filter(|alert| alert.state == AlertState::Firing);
    let first = firing.map(|alert| alert.since).min()??;
    let end = first + TimeDelta::from_std(*wait).ok()?;
    (end > facts.now).then_some((*wait, end))
}

/// The name of an alert where a matcher is read: bare where it can be nothing else.
fn matcher(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-:.".contains(c);
    if !name.is_empty() && name.chars().all(plain) && !name.starts_with('-') {
        return word(name);
    }
    word(&Matcher::name(name).show())
}
