//! `liveops page`: the way to people. Who would be told, whether it works, and what is still on its way.

mod who;

use clap::{Args, Subcommand};
use serde::{Serialize, Serializer};
use serde_json::json;

use crate::commands::incident::changed::result_lines;
use crate::commands::page::who::WhoArgs;
use crate::context::Context;
use crate::output::block::{Block, Table, Tone, plain, span};
use crate::output::report::{Meta, Report};
use crate::output::view::View;
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::incident::event::DeliveryState;
use liveops_domain::incident::message::Message;
use liveops_domain::incident::notice::About;
use liveops_domain::incident::severity::Severity;
use liveops_domain::status::source::{Outcome, Recommendation, Verdict};
use liveops_domain::text::time::rfc3339;
use liveops_engine::incident::deliver::{DeliveryResult, meant};
use liveops_engine::incident::flush::flush;
use liveops_engine::incident::transport::test;
use liveops_engine::session::outbox;

/// See who hears of incidents, try it, and deliver what is on its way
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops page list
  liveops page who
  liveops page test
  liveops page flush")]
pub(crate) struct PageArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    List(ListArgs),
    Who(WhoArgs),
    Test(TestArgs),
    Flush(FlushArgs),
}

/// List channels, who hears of which severity, and what is still in the outbox
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops page list -o json | jq .data.outbox")]
struct ListArgs {}

/// Prove the way to every channel without waking anybody
///
/// Rooms get a message that says TEST. A pager gets the end of something that never began, which it takes and drops; a
/// mail server is greeted; a program is looked for, and not run. `--for-real` sends all of it as if it were meant.
///
/// Exit code 1 when a channel does not work.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops page test
  liveops page test --channel oncall --for-real       # calls somebody")]
struct TestArgs {
    /// Only this channel
    #[arg(long, value_name = "NAME")]
    channel: Option<String>,

    /// Call people, to prove that it arrives
    #[arg(long)]
    for_real: bool,
}

/// Deliver what is still in the outbox, now
///
/// Every command that changes an incident does this for what is due. Exit code 5 when a page still cannot be delivered.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops page flush")]
struct FlushArgs {}

pub(crate) async fn run(args: PageArgs, cx: &Context) -> Result<Exit> {
    match args.verb {
        Verb::List(_) => list(cx),
        Verb::Who(args) => who::run(&args, cx),
        Verb::Test(args) => try_all(args, cx).await,
        Verb::Flush(_) => deliver(cx).await,
    }
}

/// Who would be told.
#[derive(Serialize)]
struct Channels {
    channels: Vec<Channel>,
    /// Whom an incident calls when it is opened.
    opened: Vec<Called>,
    outbox: Vec<Waiting>,
}

#[derive(Serialize)]
struct Channel {
    name: String,
    #[serde(rename = "type")]
    kind: &'static str,
    url: String,
}

#[derive(Serialize)]
struct Called {
    severity: Severity,
    /// Groups: the next is called when nobody of the one before takes it.
    page: Vec<Vec<String>>,
    tell: Vec<String>,
}

/// A message in the outbox.
#[derive(Serialize)]
struct Waiting {
    message: String,
    channel: String,
    incident: String,
    about: About,
    page: bool,
    attempts: u32,
    next_at: String,
    /// Why it was refused for good.
    given_up: Option<String>,
}

fn list(cx: &Context) -> Result<Exit> {
    let notify = &cx.config()?.settings.notify;
    let channels = notify.channels.iter().map(|channel| Channel {
        name: channel.name.clone(),
        kind: channel.word(),
        url: channel.endpoint.as_ref().map_or_else(String::new, |endpoint| endpoint.url.show()),
    });
    let opened = Severity::ALL.into_iter().map(|severity| {
        let recipients = meant(cx, About::Opened, severity, 0)?;
        Ok(Called { severity, page: recipients.page, tell: recipients.tell })
    });
    let opened = opened.collect::<Result<Vec<Called>>>()?;
    let outbox = outbox(cx)?.items()?.into_iter().map(|item| Waiting {
        message: item.id(),
        next_at: rfc3339(item.next_at),
        given_up: item.given_up,
        channel: item.channel,
        incident: item.message.incident,
        about: item.message.about,
        page: item.message.page,
        attempts: item.attempts,
    });
    let report = Channels { channels: channels.collect(), opened, outbox: outbox.collect() };
    let warnings = self::outbox(cx)?.unreadable();
    cx.show(&report, Meta { warnings, ..Meta::steps(vec![report.next()]) })?;
    Ok(Exit::Good)
}

impl Channels {
    fn next(&self) -> Recommendation {
        if self.channels.is_empty() {
            let text = "nobody can be reached; name channels below `notify` in liveops.yaml";
            return Recommendation::new(text, "liveops config path");
        }
        if self.outbox.is_empty() {
            Recommendation::new("prove it", "liveops page test")
        } else {
            Recommendation::new("deliver them now", "liveops page flush")
        }
    }
}

impl Report for Channels {
    fn schema(&self) -> &'static str {
        "liveops.page.list/1"
    }

    fn blocks(&self, _view: &View) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut table = Table::new(["channel", "type", "where"]).fixed(&[0, 1]);
        for one in &self.channels {
            table.row(vec![span(&one.name, Tone::Strong), plain(one.kind), span(&one.url, Tone::Dim)]);
        }
        if self.channels.is_empty() {
            blocks.push(Block::Line(vec![span("no channel is configured", Tone::Warn)]));
        } else {
            blocks.push(Block::Table(table));
            blocks.push(Block::Blank);
            blocks.push(Block::heading("when an incident is opened"));
        }
        for Called { severity, page, tell } in &self.opened {
            let groups: Vec<String> = page.iter().map(|group| group.join(" and ")).collect();
            let mut text = if groups.is_empty() {
                "nobody is paged".to_owned()
            } else {
                format!("page {}", groups.join(", else "))
            };
            if !tell.is_empty() {
                text = format!("{text}; tell {}", tell.join(", "));
            }
            blocks.push(Block::Whole(vec![span(format!("  {severity} "), Tone::Strong), plain(text)]));
        }
        for item in &self.outbox {
            let line = format!(
                "  in the outbox: {} about `{}` of {} to {}, tries: {}, {}",
                if item.page { "PAGE" } else { "message" },
                item.about.word(),
                item.incident,
                item.channel,
                item.attempts,
                item.given_up.as_ref().map_or_else(
                    || format!("next {}", item.next_at),
                    |why| format!("REFUSED ({why}), waits for `liveops page flush`")
                )
            );
            blocks.push(Block::Whole(vec![span(line, Tone::Warn)]));
        }
        blocks
    }

    fn rows(&self, _view: &View) -> Option<Table> {
        let mut table = Table::new(["channel", "type", "url"]);
        for one in &self.channels {
            table.row(vec![plain(&one.name), plain(one.kind), plain(&one.url)]);
        }
        Some(table)
    }
}

/// How messages went.
struct DeliveryReport {
    what: &'static str,
    results: Vec<DeliveryResult>,
    dry_run: bool,
}

async fn try_all(args: TestArgs, cx: &Context) -> Result<Exit> {
    let channels = cx.config()?.settings.notify.channels.len();
    if channels == 0 {
        return Err(Error::Unconfigured {
            what: "channel",
            environment: cx.environment()?.to_owned(),
            hint: "name channels below `notify` in liveops.yaml: slack, discord, pagerduty, webhook, email, exec"
                .into(),
        });
    }
    let now = cx.clock.now();
    let message = Message {
        id: format!("test-{:x}-{:08x}", now.timestamp(), fastrand::u32(..)),
        about: About::Test,
        page: false,
        incident: "test".into(),
        title: "test".into(),
        severity: Severity::P4,
        phase: "open".into(),
        environment: cx.environment()?.to_owned(),
        service: None,
        alert: None,
        runbook: None,
        text: "this is a test".into(),
        by: cx.actor.clone(),
        at: now,
        keys: vec![format!("liveops/test/{:x}", now.timestamp())],
        command: "liveops page test".into(),
        earlier: Vec::new(),
    };
    let mut report = DeliveryReport { what: "test", results: Vec::new(), dry_run: true };
    if let Some(confirmed) = cx.unasked("send test messages")? {
        let only = args.channel.as_deref();
        report.results = test(cx, only, &message, args.for_real, &confirmed).await?;
        report.dry_run = false;
    }
    cx.show(&report, report.meta())?;
    Ok(match report.verdict() {
        Verdict::Fail => Exit::Bad,
        _ => Exit::Good,
    })
}

async fn deliver(cx: &Context) -> Result<Exit> {
    let mut report = DeliveryReport { what: "flush", results: Vec::new(), dry_run: true };
    let mut paged = None;
    if let Some(confirmed) = cx.unasked("deliver what is in the outbox")? {
        let deliveries = flush(cx, true, &confirmed).await?;
        // What cannot be read may be a page.
        paged = if outbox(cx)?.unreadable().is_empty() { deliveries.paged } else { Some(false) };
        report.results = deliveries.results;
        report.dry_run = false;
    }
    cx.show(&report, report.meta())?;
    if paged == Some(false) {
        return Err(Error::HalfDone {
            done: "the outbox was tried".into(),
            left: "A PAGE STILL CANNOT BE DELIVERED, CALL SOMEBODY".into(),
            command: cx.command("page list"),
        });
    }
    Ok(Exit::Good)
}

impl DeliveryReport {
    fn verdict(&self) -> Verdict {
        let failed = |result: &DeliveryResult| result.state != DeliveryState::Accepted;
        if self.results.iter().any(failed) { Verdict::Fail } else { Verdict::Pass }
    }

    fn meta(&self) -> Meta {
        let verdict = self.verdict();
        let outcome = if verdict == Verdict::Pass { Outcome::Success } else { Outcome::Partial };
        Meta { outcome, verdict, ..Meta::next("next", "liveops page list").dense() }
    }
}

impl Serialize for DeliveryReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        json!({ "action": self.what, "dry_run": self.dry_run, "deliveries": self.results }).serialize(serializer)
    }
}

impl Report for DeliveryReport {
    fn schema(&self) -> &'static str {
        "liveops.page.deliveries/1"
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        let mut blocks = result_lines(&self.results, view);
        if self.dry_run {
            blocks.push(Block::text("dry run: nothing is sent"));
        } else if self.results.is_empty() {
            blocks.push(Block::text("nothing is on its way"));
        }
        blocks
    }
}
