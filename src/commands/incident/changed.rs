//! What every changing verb does after it knows what to say: permission, journal, people, report. In this order.

use chrono::{NaiveTime, Utc};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::change::{Confirmed, unasked};
use crate::commands::incident::deliver::{Tale, Told, calls, flush, tell};
use crate::commands::incident::sync::push;
use crate::commands::incident::view::{Shown, delivery_word};
use crate::commands::incident::{standing, store};
use crate::commands::tone::mark;
use crate::context::Context;
use crate::domain::incident::event::DeliveryState;
use crate::domain::incident::message::Message;
use crate::domain::incident::notice::About;
use crate::domain::incident::state::Incident;
use crate::domain::incident::transition::{Action, Phase};
use crate::domain::journal::Event;
use crate::error::{Error, Exit, Result};
use crate::output::block::{Block, Tone, plain, span};
use crate::output::report::{Meta, Outcome, Recommendation, Report, Verdict};
use crate::output::view::View;

/// What a verb says.
pub(super) struct Say {
    pub(super) id: String,
    pub(super) action: Action,
    pub(super) kind: &'static str,
    pub(super) data: Value,
    /// What it is, in words: `mitigated: rolled back 1.42`.
    pub(super) summary: String,
    /// Who is told of it.
    pub(super) about: Option<About>,
    /// Further lines for the person.
    pub(super) details: Vec<String>,
}

/// The report of a change to an incident.
pub(super) struct IncidentChange {
    pub(super) action: &'static str,
    pub(super) summary: String,
    pub(super) dry_run: bool,
    pub(super) shown: Shown,
    pub(super) event: Option<String>,
    pub(super) tale: Tale,
    /// Lines below the head, for people.
    pub(super) details: Vec<String>,
    /// Steps that come before those of the incident.
    pub(super) next: Vec<Recommendation>,
    pub(super) warnings: Vec<String>,
    /// To do what a dry run only showed.
    pub(super) command: String,
}

/// Is this allowed now? The person is told what is.
///
/// # Errors
/// `Conflict`, with what is allowed.
pub(super) fn must_allow(cx: &Context, one: &Incident, action: Action) -> Result<()> {
    if action.is_allowed(one.phase) {
        return Ok(());
    }
    let by = match (action, &one.acked_by) {
        (Action::Ack, Some(by)) if one.phase == Phase::Acknowledged => format!(" by {by}"),
        _ => String::new(),
    };
    Err(Error::Conflict {
        what: format!("{} is {}{by}: `{}` is not possible", one.id, one.phase.word(), action.verb()),
        hint: format!(
            "allowed now: {}; look: `{}`",
            Action::allowed(one.phase).join(", "),
            cx.command(&format!("incident show {}", one.id))
        ),
    })
}

/// Journals it, tells the people, and shows what came of it.
pub(super) async fn say(cx: &Context, say: Say) -> Result<Exit> {
    let store = store(cx)?;
    let incident = standing(cx, &say.id)?.incident;
    must_allow(cx, &incident, say.action)?;
    let table = &cx.config()?.settings.incidents.severities;
    let now = cx.clock.now();
    let mut report = IncidentChange {
        action: say.action.verb(),
        summary: say.summary.clone(),
        dry_run: true,
        shown: Shown::new(incident, table, now),
        event: None,
        tale: Tale::default(),
        details: say.details,
        next: Vec::new(),
        warnings: Vec::new(),
        command: cx.command_line.replacen(" --dry-run", "", 1),
    };
    let Some(confirmed) = unasked(cx, &say.summary)? else {
        cx.output.show(&report, now)?;
        return Ok(Exit::Good);
    };
    let event = store.append(&say.id, now, &cx.actor, say.kind, &say.data)?;
    // What this very step changes decides who is told of it.
    let incident = standing(cx, &say.id)?.incident;
    report.event = event.id.clone();
    report.dry_run = false;
    if let Some(about) = say.about {
        let calls = calls(cx, &incident, about)?;
        let message = message(&incident, about, say.summary, &event);
        report.tale = tell(cx, &calls, message, &confirmed).await;
    }
    report.tale.told.extend(left_over(cx, &confirmed).await);
    report.warnings.extend(push(cx, &say.id, &confirmed).await);
    report.shown = Shown::new(standing(cx, &say.id)?.incident, table, cx.clock.now());
    cx.output.show(&report, cx.clock.now())?;
    report.exit(cx)
}

/// Delivers what earlier commands left in the outbox.
pub(super) async fn left_over(cx: &Context, confirmed: &Confirmed) -> Vec<Told> {
    match flush(cx, false, confirmed).await {
        Ok(tale) => tale.told,
        Err(error) => {
            cx.output.warn(&error.to_string());
            Vec::new()
        }
    }
}

/// The message about an event.
pub(super) fn message(incident: &Incident, about: About, text: String, event: &Event) -> Message {
    let id = event.id.clone().unwrap_or_default();
    Message::new(
        format!("{}-{id}", incident.id),
        incident,
        about,
        text,
        (&event.by, event.at),
        format!("liveops incident show {}", incident.id),
    )
}

impl IncidentChange {
    /// 5 when somebody was to be paged and nobody was: the incident is there, and nobody knows.
    pub(super) fn exit(&self, cx: &Context) -> Result<Exit> {
        if self.tale.paged != Some(false) {
            return Ok(Exit::Good);
        }
        let why: Vec<String> = self
            .tale
            .told
            .iter()
            .filter(|told| told.page)
            .map(|told| format!("{}: {}", told.channel, told.reason))
            .collect();
        Err(Error::HalfDone {
            done: format!("{} is in the journal of {}", self.summary, self.shown.incident.id),
            left: format!("NOBODY WAS PAGED, CALL SOMEBODY ({})", why.join("; ")),
            command: cx.command("page flush"),
        })
    }

    fn steps(&self) -> Vec<Recommendation> {
        let mut steps = self.next.clone();
        if self.dry_run {
            steps.push(Recommendation::new("to do it", self.command.clone()));
        } else {
            steps.extend(self.shown.next());
        }
        steps
    }
}

/// Lines of how messages went.
pub(crate) fn told_lines(told: &[Told], view: &View) -> Vec<Block> {
    told.iter()
        .map(|told| {
            let tone = match told.state {
                DeliveryState::Accepted => Tone::Good,
                DeliveryState::GivenUp => Tone::Bad,
                _ => Tone::Warn,
            };
            let what = match (told.page, told.state) {
                (true, DeliveryState::Accepted) => "page",
                (true, _) => "PAGE",
                (false, _) => "told",
            };
            Block::Whole(vec![
                plain("  "),
                mark(tone, view),
                plain(format!(" {what} {} ({}): ", told.channel, told.kind)),
                span(delivery_word(told.state), tone),
                span(format!(", {}", told.reason), Tone::Dim),
            ])
        })
        .collect()
}

/// How a message went, in JSON.
pub(crate) fn told_json(told: &Told) -> Value {
    json!({
        "channel": told.channel,
        "kind": told.kind,
        "page": told.page,
        "state": told.state,
        "reason": told.reason,
    })
}

impl Serialize for IncidentChange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        json!({
            "action": self.action,
            "summary": self.summary,
            "dry_run": self.dry_run,
            "event": self.event,
            "incident": self.shown.json(),
            "paged": self.tale.paged,
            "deliveries": self.tale.told.iter().map(told_json).collect::<Vec<_>>(),
            "details": self.details,
        })
        .serialize(serializer)
    }
}

impl Report for IncidentChange {
    const SCHEMA: &'static str = "liveops.incident.change/1";

    fn blocks(&self, view: &View) -> Vec<Block> {
        let (tone, word) = if self.dry_run { (Tone::Dim, "dry run, nothing is changed: ") } else { (Tone::Good, "") };
        let mut blocks =
            vec![Block::Whole(vec![mark(tone, view), span(format!(" {word}"), tone), plain(self.summary.clone())])];
        blocks.extend(self.shown.head(view));
        blocks.extend(told_lines(&self.tale.told, view));
        for detail in &self.details {
            blocks.push(Block::Whole(vec![plain(format!("  {detail}"))]));
        }
        for step in self.steps() {
            if let Some(command) = step.command {
                blocks.push(Block::next(&step.text, command));
            }
        }
        blocks
    }

    fn names(&self) -> Option<Vec<String>> {
        Some(vec![self.shown.incident.id.clone()])
    }

    fn meta(&self) -> Meta {
        Meta {
            environment: Some(self.shown.incident.environment.clone()),
            outcome: if self.tale.paged == Some(false) { Outcome::Partial } else { Outcome::Success },
            verdict: Verdict::Pass,
            incidents: vec![self.shown.json()],
            recommendations: self.steps(),
            warnings: self.warnings.clone(),
            ..Meta::default()
        }
    }
}

/// Keeps the time of a step that happened earlier.
///
/// # Errors
/// `Usage`: not a time, or one in the future.
pub(super) fn occurred(cx: &Context, text: Option<&str>) -> Result<Option<chrono::DateTime<Utc>>> {
    let Some(text) = text else {
        return Ok(None);
    };
    let now = cx.clock.now();
    let clock = NaiveTime::parse_from_str(text.trim_end_matches('Z'), "%H:%M").ok();
    let at = match clock {
        // The last time that the clock showed this.
        Some(clock) => {
            let today = now.date_naive().and_time(clock).and_utc();
            if today > now { today - chrono::TimeDelta::days(1) } else { today }
        }
        None => crate::commands::query::window::time(text, now).map_err(|_| {
            Error::usage(
                format!("`{text}` is not a time"),
                "write `20m ago`, `03:05` (UTC), `2026-01-15 10:30` (UTC) or RFC 3339",
            )
        })?,
    };
    if at > now {
        return Err(Error::usage(
            format!("`{text}` is in the future"),
            "give the time when it happened, such as `20m ago` or `03:05`",
        ));
    }
    Ok(Some(at))
}
