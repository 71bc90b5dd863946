//! An incident as data for a screen: state, clock and deadlines.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::session::Session;
use liveops_domain::error::Result;
use liveops_domain::incident::deadline::{Deadline, DeadlineState, Duty, deadlines, next};
use liveops_domain::incident::event::DeliveryState;
use liveops_domain::incident::severity::Severities;
use liveops_domain::incident::state::Incident;
use liveops_domain::incident::transition::Phase;
use liveops_domain::metric::level::Level;
use liveops_domain::status::source::Recommendation;
use liveops_domain::text::shell::word;
use liveops_domain::text::time::{compact, rfc3339};

/// An incident with its deadlines, at one time.
#[derive(Debug, Clone)]
pub struct IncidentSummary {
    pub incident: Incident,
    pub deadlines: Vec<Deadline>,
}

impl IncidentSummary {
    /// The incident as it stands now.
    pub fn new(incident: Incident, table: &Severities, now: DateTime<Utc>) -> Self {
        Self { deadlines: deadlines(&incident, table, now), incident }
    }

    /// The same, with the deadlines of the configuration.
    pub fn of(cx: &Session, incident: Incident) -> Result<Self> {
        Ok(Self::new(incident, &cx.config()?.settings.incidents.severities, cx.clock.now()))
    }

    /// Its part of a JSON report, and of `incidents` in the envelope.
    pub fn json(&self) -> Value {
        let one = &self.incident;
        let time = |at: Option<DateTime<Utc>>| at.map(rfc3339);
        json!({
            "id": one.id,
            "title": one.title,
            "severity": one.severity,
            "phase": one.phase,
            "environment": one.environment,
            "service": one.service,
            "alert": one.alert,
            "runbook": one.runbook,
            "started_at": time(one.started.at()),
            "detected_at": time(one.detected.at()),
            "acknowledged_at": time(one.acknowledged.at()),
            "mitigated_at": time(one.mitigated.at()),
            "resolved_at": time(one.resolved.at()),
            "opened_by": one.opened_by,
            "acknowledged_by": one.acked_by,
            "lead": one.lead(),
            "roles": one.roles,
            "deadlines": self.deadlines.iter().map(deadline_json).collect::<Vec<_>>(),
            "next_deadline": next(&self.deadlines).map(deadline_json),
            "paged": one.is_paged(),
            "alerts_firing": one.signals.values().filter(|signal| signal.firing).count(),
            "notes": one.notes,
            "events": one.events,
        })
    }

    /// Why nobody was paged, while that is true.
    pub fn unpaged(&self) -> Option<String> {
        let one = &self.incident;
        if one.is_paged() != Some(false) || !one.phase.is_open() || !one.has_unanswered_call() {
            return None;
        }
        let why: Vec<String> = one
            .deliveries
            .values()
            .filter(|page| page.page && page.state != DeliveryState::Accepted)
            .map(|page| {
                let why = page.reason.as_deref().unwrap_or("still in the outbox");
                format!("{}: {why}", page.channel)
            })
            .collect();
        Some(why.join("; "))
    }

    /// The duty that is late, and still to be done.
    pub fn overdue(&self) -> Option<&Deadline> {
        self.deadlines.iter().find(|one| one.is_open() && one.standing == DeadlineState::Breached)
    }

    /// How well somebody sees to it, while it is open: how bad it is for users, alerts and KPIs say.
    pub fn level(&self) -> Level {
        match (self.unpaged(), self.overdue()) {
            _ if !self.incident.phase.is_open() => Level::Ok,
            (Some(_), _) => Level::Critical,
            (None, Some(_)) => Level::Warn,
            (None, None) => Level::Ok,
        }
    }

    pub fn next(&self) -> Vec<Recommendation> {
        let one = &self.incident;
        let at = |verb: &str| format!("liveops incident {verb} -i {}", one.id);
        let mut steps = Vec::new();
        if self.unpaged().is_some() {
            steps.push(Recommendation::new("try to page again", "liveops page flush"));
        }
        match one.phase {
            Phase::Open => {
                steps.push(Recommendation::new("say that you have it", at("ack")));
                steps.push(self.triage());
            }
            Phase::Acknowledged => {
                let late = self
                    .deadlines
                    .iter()
                    .any(|one| one.duty == Duty::Mitigate && one.standing == DeadlineState::Breached);
                if late && one.escalations.is_empty() {
                    steps.push(Recommendation::new("call for help", at("escalate")));
                }
                steps.push(self.triage());
                steps.push(Recommendation::new("when users are well again", at("mitigate")));
            }
            Phase::Mitigated => steps.push(match one.firing().next() {
                Some(signal) if one.has_unanswered_call() => Recommendation::new(
                    format!("{} fires again; if users feel it", signal.alert),
                    format!("liveops incident reopen \"{} fires again\" -i {}", signal.alert.replace('"', "'"), one.id),
                ),
                Some(signal) => Recommendation::new(
                    format!("{} still fires; why", signal.alert),
                    format!("liveops alerts explain {}", word(&signal.alert)),
                ),
                None => Recommendation::new("when it is over", at("resolve")),
            }),
            Phase::Resolved => {
                steps.extend(self.postmortem());
                steps.push(Recommendation::new("read it again", at("timeline")));
            }
        }
        if let (Some(alert), true) = (&one.alert, one.phase < Phase::Mitigated) {
            // A runbook of the project has the name of its alert; one on the web is opened by hand.
            let file = one.runbook.as_deref().and_then(|link| link.rsplit('/').next());
            if file.is_some_and(|file| file.strip_suffix(".md") == Some(alert)) {
                steps.push(Recommendation::new("follow its runbook", format!("liveops runbook run {}", word(alert))));
            }
            steps.push(Recommendation::new("what the alert means", format!("liveops alerts explain {}", word(alert))));
        }
        steps
    }

    fn triage(&self) -> Recommendation {
        let command = format!("liveops triage --incident {}", word(&self.incident.id));
        Recommendation::new("find the cause", command)
    }

    /// Writing it, with the time until when, where one is owed and not done.
    pub fn postmortem(&self) -> Option<Recommendation> {
        let owed = self.deadlines.iter().find(|one| one.duty == Duty::Postmortem && one.done.is_none())?;
        let due = owed.due.format("%Y-%m-%d %H:%MZ");
        let text = match owed.standing {
            DeadlineState::Breached => format!("write the postmortem, OVERDUE since {due}"),
            _ => format!("write the postmortem, due {due}"),
        };
        let command = format!("liveops postmortem new {}", word(&self.incident.id));
        Some(Recommendation::new(text, command))
    }

    /// `since 03:12Z, 14m`; for what is over, how long it took.
    pub fn since(&self, now: DateTime<Utc>) -> String {
        let one = &self.incident;
        let began = one.started.at().unwrap_or(one.last_event);
        let step = match one.phase {
            Phase::Resolved => return format!("after {}", compact(seconds(one.resolved.at().unwrap_or(now) - began))),
            Phase::Open => began,
            Phase::Acknowledged => one.acknowledged.at().unwrap_or(began),
            Phase::Mitigated => one.mitigated.at().unwrap_or(began),
        };
        let since = format!("since {} ({})", clock(step, now), compact(seconds(now - step)));
        match one.phase {
            Phase::Open => since,
            _ => format!("{since}, began {}", clock(began, now)),
        }
    }
}

pub fn seconds(length: chrono::TimeDelta) -> u64 {
    u64::try_from(length.num_seconds()).unwrap_or(0)
}

/// `03:12Z`, with the day when it is not today's.
pub fn clock(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    if at.date_naive() == now.date_naive() {
        at.format("%H:%MZ").to_string()
    } else {
        at.format("%Y-%m-%d %H:%MZ").to_string()
    }
}

fn deadline_json(deadline: &Deadline) -> Value {
    json!({
        "duty": deadline.duty,
        "due": rfc3339(deadline.due),
        "standing": deadline.standing,
        "done": deadline.done.map(rfc3339),
        "disputed": deadline.disputed,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use liveops_domain::change::journal::Event;
    use liveops_domain::incident::event::kind;
    use liveops_domain::incident::state::replay;

    #[test]
    fn the_runbook_of_the_alert_is_the_next_step_where_the_project_has_it() {
        let commands = |runbook: &str| -> Vec<String> {
            let data = json!({ "severity": "p1", "title": "x", "alert": "TickSlow", "runbook": runbook });
            let opened = Event {
                seq: 1,
                id: None,
                at: DateTime::default(),
                by: "ada".into(),
                kind: kind::OPENED.into(),
                data,
                hash: String::new(),
            };
            let incident = replay("i", &[opened]).expect("opened");
            let shown = IncidentSummary::new(incident, &Severities::default(), DateTime::default());
            shown.next().into_iter().filter_map(|step| step.command).collect()
        };
        let own = commands("docs/runbooks/alerts/TickSlow.md");
        assert!(own.contains(&"liveops runbook run TickSlow".to_owned()), "{own:?}");
        let web = commands("https://wiki/other");
        assert!(web.iter().all(|command| !command.contains("runbook run")), "{web:?}");
    }
}
