//! `liveops incident receive`: Alertmanager's webhook opens incidents and tells those that are open of their alerts.

use std::io::Read;
use std::net::SocketAddr;

use clap::Args;

use crate::commands::incident::changed::result_lines;
use crate::commands::incident::view::head;
use crate::context::Context;
use crate::output::block::{Block, Tone, plain};
use crate::output::report::{Meta, Report};
use crate::output::tone::mark;
use crate::output::view::View;
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::incident::webhook::Webhook;
use liveops_domain::status::source::Recommendation;
use liveops_engine::incident::summary::IncidentSummary;
use liveops_engine::opening::intake::LARGEST;
use liveops_engine::opening::listen;
use liveops_engine::opening::receive::{ReceiveReport, plan, receive};

/// Take Alertmanager's webhook: open an incident, or tell it of its alerts
///
/// Reads one delivery on stdin, or listens for them on loopback. An incident belongs to one group of alerts: what comes
/// twice means nothing new, the end of an alert never resolves an incident, and what a person has resolved is opened
/// again by an alert that begins anew, or that is told to fire five minutes and more after.
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

pub(super) async fn run(args: ReceiveArgs, cx: &Context) -> Result<Exit> {
    if let Some(address) = args.listen {
        return listen::run(cx, address, |received| cx.show_line(received, meta(received))).await;
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
    let Some(confirmed) = cx.unasked("take a delivery of Alertmanager")? else {
        let report = plan(cx, &webhook)?;
        cx.show(&report, meta(&report))?;
        return Ok(Exit::Good);
    };
    let report = receive(cx, &webhook, &confirmed).await?;
    cx.show(&report, meta(&report))?;
    if report.deliveries.paged == Some(false) {
        return Err(Error::HalfDone {
            done: "the incident is open".into(),
            left: "NOBODY WAS PAGED, CALL SOMEBODY".into(),
            command: cx.command("page flush"),
        });
    }
    Ok(Exit::Good)
}

fn meta(received: &ReceiveReport) -> Meta {
    let step = received.shown.as_ref().and_then(|shown| shown.next().into_iter().next());
    let step = step.unwrap_or_else(|| Recommendation::new("next", "liveops incident list"));
    Meta { incidents: received.shown.iter().map(IncidentSummary::json).collect(), ..Meta::steps(vec![step]).dense() }
}

impl Report for ReceiveReport {
    fn schema(&self) -> &'static str {
        "liveops.incident.receive/1"
    }

    fn names(&self) -> Option<Vec<String>> {
        Some(self.shown.iter().map(|shown| shown.incident.id.clone()).collect())
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        let what = match self.what {
            "opened" => " a new incident",
            "updated" => " news of an incident",
            "known" => " nothing new",
            _ => " the end of what no incident tells of",
        };
        let dry = if self.dry_run { ", dry run: nothing is changed" } else { "" };
        let mut blocks = vec![Block::Line(vec![mark(Tone::Plain, view), plain(format!("{what}{dry}"))])];
        blocks.extend(self.shown.iter().flat_map(|shown| head(shown, view)));
        for line in self.alerts.iter().chain(&self.details) {
            blocks.push(Block::Whole(vec![plain(format!("  {line}"))]));
        }
        blocks.extend(result_lines(&self.deliveries.results, view));
        blocks
    }
}
