//! The steps inside Alertmanager: inhibited, silenced, muted, and who is told.

use std::collections::BTreeMap;

use crate::alert::paging::step::{ago, listed, step, tags, unknown};
use crate::alert::paging::{Facts, Reply, Step};
use crate::alert::{Alert, AlertState};

/// A blocking step over several alerts: it only blocks when none is left over.
fn blocked(
    name: &'static str,
    question: &'static str,
    alerts: &[Alert],
    hit: &[&Alert],
    mut evidence: Vec<String>,
) -> Step {
    if hit.is_empty() {
        return step(name, question, Reply::No, Some(true), evidence);
    }
    if hit.len() < alerts.len() {
        evidence.insert(0, format!("{} of {}", hit.len(), alerts.len()));
    }
    let passes = hit.len() < alerts.len();
    step(name, question, Reply::Yes, Some(passes), evidence)
}

/// Does another alert keep it quiet?
pub fn inhibited(alerts: &[Alert], facts: &Facts) -> Step {
    let hit: Vec<&Alert> = alerts.iter().filter(|alert| !alert.inhibited_by.is_empty()).collect();
    let mut by: Vec<&String> = hit.iter().flat_map(|alert| &alert.inhibited_by).collect();
    by.sort();
    by.dedup();
    let evidence = listed(&by, |fingerprint| {
        let source = facts.others.iter().chain(alerts).find(|alert| alert.fingerprint.as_ref() == Some(*fingerprint));
        match source {
            Some(alert) => format!("by {} {}", alert.name, tags(alert)),
            None => format!("by the alert {fingerprint}, which is not listed any more"),
        }
    });
    blocked("inhibited", "is it inhibited by another alert?", alerts, &hit, evidence)
}

/// Does a silence?
pub fn silenced(alerts: &[Alert], facts: &Facts) -> Step {
    let hit: Vec<&Alert> = alerts.iter().filter(|alert| !alert.silenced_by.is_empty()).collect();
    let mut by: BTreeMap<&String, usize> = BTreeMap::new();
    for id in hit.iter().flat_map(|alert| &alert.silenced_by) {
        *by.entry(id).or_default() += 1;
    }
    let ids: Vec<&String> = by.into_keys().collect();
    let evidence = listed(&ids, |id| {
        let known = facts.silences.as_ref().ok();
        let silence = known.into_iter().flatten().find(|silence| &silence.id == *id);
        match silence {
            None => format!("by silence {id}"),
            Some(silence) => format!(
                "by silence {id} of {} for another {}, until {}: {}",
                silence.draft.created_by,
                ago(silence.draft.ends_at, facts.now),
                silence.draft.ends_at.format("%FT%TZ"),
                silence.draft.comment
            ),
        }
    });
    blocked("silenced", "is it silenced?", alerts, &hit, evidence)
}

/// Does a time interval of its route?
pub fn muted(alerts: &[Alert], facts: &Facts) -> Step {
    let question = "is it muted by a time interval?";
    let hit: Vec<&Alert> = alerts.iter().filter(|alert| alert.state == AlertState::Muted).collect();
    if hit.is_empty() {
        match &facts.routing {
            Err(why) => return unknown("muted", question, why.clone()),
            Ok(routing) if routing.reports_muting => {}
            Ok(routing) => match routing.has_intervals {
                Some(false) => {}
                Some(true) => {
                    let why =
                        "routes have time intervals, and this Alertmanager does not show when they apply (0.28 does)";
                    return unknown("muted", question, why.into());
                }
                None => {
                    let why = "this Alertmanager does not show its routes";
                    return unknown("muted", question, why.into());
                }
            },
        }
    }
    let mut by: Vec<&String> = alerts.iter().flat_map(|alert| &alert.muted_by).collect();
    by.sort();
    by.dedup();
    blocked("muted", question, alerts, &hit, listed(&by, |interval| format!("by time interval {interval}")))
}

/// Who is told?
pub fn receivers(alerts: &[Alert], facts: &Facts) -> Step {
    let question = "does it reach a receiver?";
    let mut names: Vec<&String> = alerts.iter().flat_map(|alert| &alert.receivers).collect();
    names.sort();
    names.dedup();
    let is_empty = |name: &String| facts.routing.as_ref().is_ok_and(|routing| routing.is_empty(name));
    let evidence = listed(&names, |name| {
        let failures = facts.failures(name);
        if is_empty(name) {
            format!("{name}, which has no integration: it tells nobody")
        } else if failures.is_empty() {
            (*name).clone()
        } else {
            format!("{name}, whose notifications fail: {}", failures.join("; "))
        }
    });
    let any = names.iter().any(|name| !is_empty(name) && facts.failures(name).is_empty());
    step("receivers", question, Reply::from_bool(any), Some(any), evidence)
}
