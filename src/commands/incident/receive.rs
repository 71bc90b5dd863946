//! `liveops incident receive`: Alertmanager's webhook opens incidents and tells those that are open of their alerts.

use std::io::Read;
use std::net::SocketAddr;

use clap::Args;
use serde::{Serialize, Serializer};
use serde_json::json;

use crate::change::{Confirmed, unasked};
use crate::commands::incident::changed::{left_over, message, told_json, told_lines};
use crate::commands::incident::deliver::{Told, calls, tell};
use crate::commands::incident::evidence::capture;
use crate::commands::incident::sync::push;
use crate::commands::incident::view::Shown;
use crate::commands::incident::{index, listen, standing, store};
use crate::commands::tone::mark;
use crate::context::Context;
use crate::domain::incident::event::kind;
use crate::domain::incident::notice::About;
use crate::domain::incident::webhook::{Meaning, Webhook};
use crate::error::{Error, Exit, Result};
use crate::output::block::{Block, Tone, plain};
use crate::output::report::{Meta, Recommendation, Report, Verdict};
use crate::output::view::View;

/// The most that is read.
pub(super) const LARGEST: u64 = 4 * 1024 * 1024;

/// Take Alertmanager's webhook: open an incident, or tell it of its alerts
///
/// Reads one delivery on stdin, or listens for them on loopback. An incident belongs to one group of alerts: what comes
/// twice means nothing new, the end of an alert never resolves an incident, and what a person has resolved is opened
/// again only by an alert that begins anew.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops incident receive < webhook.json
  liveops incident receive --listen 127.0.0.1:9095

  In alertmanager.yml: webhook_configs: [ { url: 'http://127.0.0.1:9095/' } ]")]
pub(super) struct ReceiveArgs {
    /// Listen here instead; only loopback, since nobody is asked who they are. Port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
}

/// What a delivery came to.
pub(super) struct Received {
    /// `opened`, `updated`, `known`, `nothing`.
    what: &'static str,
    dry_run: bool,
    shown: Option<Shown>,
    alerts: Vec<String>,
    details: Vec<String>,
    told: Vec<Told>,
    paged: Option<bool>,
    environment: String,
}

pub(super) async fn run(args: ReceiveArgs, cx: &Context) -> Result<Exit> {
    if let Some(address) = args.listen {
        return listen::run(cx, address).await;
    }
    let mut bytes = Vec::new();
    std::io::stdin().lock().take(LARGEST).read_to_end(&mut bytes).map_err(|source| Error::Io {
        action: "read",
        path: "stdin".into(),
        source,
    })?;
    let webhook = Webhook::parse(&bytes).map_err(|what| {
        Error::usage(
            what,
            "give it what Alertmanager posts to a webhook, or let it listen: `liveops incident receive --listen 127.0.0.1:9095`",
        )
    })?;
    let Some(confirmed) = unasked(cx, "take a delivery of Alertmanager")? else {
        let report = planned(cx, &webhook)?;
        cx.output.show(&report, cx.clock.now())?;
        return Ok(Exit::Good);
    };
    let written = write(cx, &webhook)?;
    let report = follow(cx, written, &confirmed).await?;
    cx.output.show(&report, cx.clock.now())?;
    if report.paged == Some(false) {
        return Err(Error::HalfDone {
            done: "the incident is open".into(),
            left: "NOBODY WAS PAGED, CALL SOMEBODY".into(),
            command: cx.command("page flush"),
        });
    }
    Ok(Exit::Good)
}

/// A delivery that is in the journal.
pub(super) struct Written {
    what: &'static str,
    id: Option<String>,
    alerts: Vec<String>,
}

/// Puts it into the journal: after this, it is not lost. One at a time, so that two deliveries never open two.
///
/// # Errors
/// As the journal.
pub(super) fn write(cx: &Context, webhook: &Webhook) -> Result<Written> {
    let store = store(cx)?;
    let _lock = store.lock()?;
    let (now, by) = (cx.clock.now(), "alertmanager");
    let incidents: Vec<_> = index(cx)?.summaries.into_iter().map(|summary| summary.incident).collect();
    let (what, id, signals) = match webhook.meaning(&incidents, cx.environment()?) {
        Meaning::Nothing => ("nothing", None, Vec::new()),
        Meaning::Open(opened, signals) => {
            let id = store.open(now, by, &opened)?;
            ("opened", Some(id), signals)
        }
        Meaning::Update(id, signals) if signals.is_empty() => ("known", Some(id), signals),
        Meaning::Update(id, signals) => ("updated", Some(id), signals),
    };
    if let Some(id) = &id {
        for signal in &signals {
            store.append(id, now, by, kind::SIGNAL, signal)?;
        }
    }
    Ok(Written { what, id, alerts: signals.into_iter().map(|signal| signal.text).collect() })
}

/// Evidence and people, for an incident that was opened.
///
/// # Errors
/// When the journal cannot be read.
pub(super) async fn follow(cx: &Context, written: Written, confirmed: &Confirmed) -> Result<Received> {
    let table = &cx.config()?.settings.incidents.severities;
    let store = store(cx)?;
    let mut report = Received {
        what: written.what,
        dry_run: false,
        shown: None,
        alerts: written.alerts,
        details: Vec::new(),
        told: Vec::new(),
        paged: None,
        environment: cx.environment()?.to_owned(),
    };
    let Some(id) = written.id else {
        return Ok(report);
    };
    if written.what == "opened" {
        let story = store.story(&id)?;
        let event = story.events.first().ok_or_else(|| Error::internal("an incident without an opening"))?;
        let calls = calls(cx, &story.incident, About::Opened)?;
        let text = report.alerts.join("\n");
        let message = message(&story.incident, About::Opened, text, event);
        let ((lines, _), tale) = tokio::join!(capture(cx, &id), tell(cx, &calls, message, confirmed));
        report.details = lines;
        report.told = tale.told;
        report.paged = tale.paged;
    }
    report.told.extend(left_over(cx, confirmed).await);
    if let Some(warning) = push(cx, &id, confirmed).await {
        cx.output.warn(&warning);
    }
    let incident = standing(cx, &id)?.incident;
    if written.what == "updated" && incident.signals.values().all(|signal| !signal.firing) {
        report.details.push("all its alerts have ended; it is over when you say so".into());
    }
    report.shown = Some(Shown::new(incident, table, cx.clock.now()));
    Ok(report)
}

fn planned(cx: &Context, webhook: &Webhook) -> Result<Received> {
    let summaries = index(cx)?.summaries.into_iter();
    let incidents: Vec<_> = summaries.map(|summary| summary.incident).collect();
    let (what, signals) = match webhook.meaning(&incidents, cx.environment()?) {
        Meaning::Open(_, signals) => ("opened", signals),
        Meaning::Update(_, signals) if signals.is_empty() => ("known", signals),
        Meaning::Update(_, signals) => ("updated", signals),
        Meaning::Nothing => ("nothing", Vec::new()),
    };
    Ok(Received {
        what,
        dry_run: true,
        shown: None,
        alerts: signals.into_iter().map(|signal| signal.text).collect(),
        details: Vec::new(),
        told: Vec::new(),
        paged: None,
        environment: cx.environment()?.to_owned(),
    })
}

impl Received {
    fn next(&self) -> Recommendation {
        match self.shown.as_ref().and_then(|shown| shown.next().into_iter().next()) {
            Some(step) => step,
            None => Recommendation::new("next", "liveops incident list"),
        }
    }
}

impl Serialize for Received {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        json!({
            "action": self.what,
            "dry_run": self.dry_run,
            "incident": self.shown.as_ref().map(Shown::json),
            "alerts": self.alerts,
            "deliveries": self.told.iter().map(told_json).collect::<Vec<_>>(),
            "paged": self.paged,
            "details": self.details,
        })
        .serialize(serializer)
    }
}

impl Report for Received {
    const SCHEMA: &'static str = "liveops.incident.receive/1";

    fn blocks(&self, view: &View) -> Vec<Block> {
        let what = match self.what {
            "opened" => " a new incident",
            "updated" => " news of an incident",
            "known" => " nothing new",
            _ => " the end of what no incident tells of",
        };
        let dry = if self.dry_run { ", dry run: nothing is changed" } else { "" };
        let mut blocks = vec![Block::Line(vec![mark(Tone::Plain, view), plain(format!("{what}{dry}"))])];
        blocks.extend(self.shown.iter().flat_map(|shown| shown.head(view)));
        for line in self.alerts.iter().chain(&self.details) {
            blocks.push(Block::Whole(vec![plain(format!("  {line}"))]));
        }
        blocks.extend(told_lines(&self.told, view));
        let next = self.next();
        blocks.extend(next.command.map(|command| Block::next(&next.text, command)));
        blocks
    }

    fn meta(&self) -> Meta {
        Meta {
            environment: Some(self.environment.clone()),
            verdict: Verdict::Pass,
            incidents: self.shown.iter().map(Shown::json).collect(),
            recommendations: vec![self.next()],
            ..Meta::default()
        }
    }
}
