//! `liveops alerts [list]`: everything that fires, is pending or kept quiet, grouped.

use clap::Args;
use serde::Serialize;

use crate::commands::alerts::entry::{GroupEntry, entries, verdict};
use crate::commands::alerts::{FilterArgs, lines};
use crate::context::Context;
use crate::output::block::{Block, Table, Tone, height, plain, span};
use crate::output::progress::waiting;
use crate::output::report::{Meta, Report};
use crate::output::view::View;
use crate::output::{prompt, tone};
use liveops_domain::alert::filter::{AlertFilter, service};
use liveops_domain::alert::union::Origin;
use liveops_domain::alert::{Alert, AlertState, group, rank};
use liveops_domain::error::{Exit, Result};
use liveops_domain::status::source::{Outcome, Recommendation, Verdict};
use liveops_domain::text::shell::word;
use liveops_domain::text::time::{compact, rfc3339};
use liveops_engine::clients::http::request::Effort;
use liveops_engine::observe::alerts::{Alerts, backends};

/// List what fires, is pending, silenced or inhibited
///
/// Alerts of one name are one line: how bad, how many, for how long, and where they differ. Those that page come
/// first, and among them the worst and the first to fire, which is nearest to the cause.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops alerts list
  liveops alerts list --state firing --severity critical,high
  liveops alerts list --service game-backend -o csv
  liveops alerts list region=eu -o name")]
pub(crate) struct ListArgs {
    #[command(flatten)]
    pub(super) filter: FilterArgs,
}

/// What fires.
#[derive(Debug, Serialize)]
pub(crate) struct AlertList {
    /// Who said so.
    origin: Origin,
    /// Seconds since these were good; only where the backends do not answer any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    stale_seconds: Option<u64>,
    groups: Vec<GroupEntry>,
    #[serde(serialize_with = "entries")]
    alerts: Vec<Alert>,
    /// How many alerts the filter left out.
    #[serde(skip)]
    left_out: usize,
    #[serde(skip)]
    verdict: Verdict,
    #[serde(skip)]
    complete: bool,
}

impl AlertList {
    /// The list of what the filter accepts, and its frame.
    pub(crate) fn new(cx: &Context, gathered: &Alerts, filter: &AlertFilter) -> (Self, Meta) {
        let (mut found, rest): (Vec<Alert>, Vec<Alert>) =
            gathered.alerts.iter().cloned().partition(|alert| filter.accepts(alert));
        found.sort_by(|a, b| {
            let key = |alert: &Alert| (alert.state, rank(alert.severity.as_deref()), alert.since);
            (key(a), &a.name, &a.labels).cmp(&(key(b), &b.name, &b.labels))
        });
        let complete = gathered.is_complete();
        let groups = group(&found);
        let next = cx.command(&match groups.first() {
            Some(first) => format!("alerts explain {}", word(first.name)),
            None if !filter.is_open() && !rest.is_empty() => "alerts".into(),
            None => "status".into(),
        });
        let why = found.iter().find(|alert| alert.state == AlertState::Firing);
        let why = why.map(|first| Recommendation::new(format!("why does `{}` page?", first.name), &next));
        let verdict = verdict(&found, gathered.level());
        let meta = Meta {
            outcome: if complete { Outcome::Success } else { Outcome::Partial },
            verdict,
            sources: gathered.sources.clone(),
            warnings: gathered.warnings(),
            recommendations: why.into_iter().collect(),
            ..Meta::next("", next)
        };
        let report = Self {
            origin: gathered.origin,
            stale_seconds: None,
            groups: groups.iter().map(GroupEntry::from).collect(),
            left_out: rest.len(),
            verdict,
            complete,
            alerts: found,
        };
        (report, meta)
    }

    /// The same list, as what was good some time ago: whether it still holds is not known.
    pub(crate) fn stale(self, seconds: u64) -> Self {
        let verdict = if self.verdict == Verdict::Fail { Verdict::Fail } else { Verdict::Unknown };
        Self { stale_seconds: Some(seconds), complete: false, verdict, ..self }
    }

    /// What was found.
    pub(crate) fn verdict(&self) -> Verdict {
        self.verdict
    }

    fn heading(&self) -> String {
        let all: Vec<&Alert> = self.alerts.iter().collect();
        let text = lines::count(&all);
        if self.left_out == 0 {
            return text;
        }
        // Something may well fire that was not asked for.
        let text = match text.strip_prefix("nothing fires") {
            Some("") => "no alert matches",
            Some(rest) => rest.trim_start_matches(", "),
            None => &text,
        };
        format!("{text}; {} more do not match", self.left_out)
    }
}

impl Report for AlertList {
    fn schema(&self) -> &'static str {
        "liveops.alerts.list/1"
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        let tone = tone::verdict(self.verdict);
        let mut head = vec![tone::mark(tone, view), span(format!(" {}", self.heading()), Tone::Strong)];
        if !self.complete {
            head.push(span(", as far as is known", Tone::Unknown));
        }
        if let Some(seconds) = self.stale_seconds {
            head.push(span(format!(" ({} ago)", compact(seconds)), Tone::Unknown));
        }
        let mut blocks = vec![Block::Line(head.clone())];
        if !self.alerts.is_empty() {
            blocks.push(Block::Blank);
            blocks.extend(lines::groups(&group(&self.alerts), usize::MAX, view));
        }
        if view.height.is_some_and(|rows| rows < height(&blocks) + 3) {
            // The top has scrolled away, and the verdict with it.
            blocks.extend([Block::Blank, Block::Line(head)]);
        }
        blocks
    }

    fn rows(&self, _view: &View) -> Option<Table> {
        let mut table = Table::new(["name", "state", "severity", "since", "service", "labels", "runbook", "receivers"]);
        for alert in &self.alerts {
            let text = |text: Option<&str>| plain(text.unwrap_or_default());
            table.row(vec![
                plain(&alert.name),
                plain(alert.state.word()),
                text(alert.severity.as_deref()),
                plain(alert.since.map(rfc3339).unwrap_or_default()),
                text(service(&alert.labels)),
                plain(liveops_domain::metric::labels::show(&alert.labels)),
                text(alert.runbook.as_deref()),
                plain(alert.receivers.join(" ")),
            ]);
        }
        Some(table)
    }
}

pub(super) async fn run(args: FilterArgs, cx: &Context) -> Result<Exit> {
    let filter = args.filter()?;
    let backends = backends(cx, Effort::Full)?;
    let visible = prompt::can_prompt() && !cx.choices.quiet;
    let what = || "asking for alerts".to_owned();
    let gathered = waiting(visible, what, backends.ask(cx.clock.now())).await?;
    filter.check(&gathered.severities(), &gathered.services(cx)?)?;
    let (report, meta) = AlertList::new(cx, &gathered, &filter);
    cx.show(&report, meta)?;
    Ok(report.verdict().into())
}
