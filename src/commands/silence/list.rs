//! `liveops silence list`: what is kept quiet, by whom, why, and until when.

use clap::Args;
use liveops_domain::text::count::count;
use serde::Serialize;

use crate::commands::silence::extend::short;
use crate::context::Context;
use crate::output::block::{Block, Table, Tone, plain, span};
use crate::output::report::{Meta, Report};
use crate::output::tone;
use crate::output::view::View;
use liveops_domain::alert::Alert;
use liveops_domain::alert::matcher::{Matcher, show};
use liveops_domain::alert::silence::{Silence, SilenceState};
use liveops_domain::error::{Exit, Result};
use liveops_domain::status::source::{Outcome, Source};
use liveops_domain::text::time::rfc3339;
use liveops_engine::observe::names::remember_silences;
use liveops_engine::session::alertmanager;

/// List silences: who, why, until when, and what they hold
///
/// Those that are active or will be; with `--all` also the expired ones that Alertmanager remembers.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops silence list
  liveops silence list --all -o csv
  liveops silence list -o name | xargs -n 1 liveops silence expire --yes")]
pub(crate) struct ListArgs {
    /// Also those that have expired
    #[arg(long)]
    all: bool,
}

/// One silence.
#[derive(Debug, Serialize)]
struct SilenceEntry {
    id: String,
    state: SilenceState,
    starts_at: String,
    ends_at: String,
    by: String,
    comment: String,
    matchers: Vec<Matcher>,
    /// How many alerts it keeps quiet now; `null` when Alertmanager did not say.
    holds: Option<usize>,
    #[serde(skip)]
    silence: Silence,
}

/// The silences.
#[derive(Debug, Serialize)]
struct SilenceList {
    silences: Vec<SilenceEntry>,
    /// Expired ones that are left out.
    expired: usize,
}

fn holds(silence: &Silence, alerts: &[Alert]) -> usize {
    let is_held = |alert: &&Alert| alert.silenced_by.contains(&silence.id);
    alerts.iter().filter(is_held).count()
}

impl SilenceEntry {
    fn new(silence: Silence, alerts: Option<&[Alert]>) -> Self {
        let draft = &silence.draft;
        Self {
            id: silence.id.clone(),
            state: silence.state,
            starts_at: rfc3339(draft.starts_at),
            ends_at: rfc3339(draft.ends_at),
            by: draft.created_by.clone(),
            comment: draft.comment.clone(),
            matchers: draft.matchers.clone(),
            holds: alerts.map(|alerts| holds(&silence, alerts)),
            silence,
        }
    }

    fn word(&self) -> &'static str {
        match self.state {
            SilenceState::Active => "active",
            SilenceState::Pending => "pending",
            SilenceState::Expired => "expired",
        }
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        let draft = &self.silence.draft;
        let (tone, when) = match self.state {
            SilenceState::Active => (Tone::Good, format!("ends {}", view.time(draft.ends_at))),
            SilenceState::Pending => (Tone::Warn, format!("starts {}", view.time(draft.starts_at))),
            SilenceState::Expired => (Tone::Dim, format!("ended {}", view.time(draft.ends_at))),
        };
        let holds = match self.holds {
            _ if self.state != SilenceState::Active => String::new(),
            None => ", holds an unknown number of alerts".into(),
            Some(0) => ", holds nothing now".into(),
            Some(1) => ", holds 1 alert".into(),
            Some(n) => format!(", holds {}", count(n, "alert")),
        };
        vec![
            Block::Line(vec![
                tone::mark(tone, view),
                span(format!(" {}", short(&self.id)), Tone::Strong),
                span(format!("  {}", self.word()), tone),
                plain(format!(", {when}{holds}, by {}", self.by)),
            ]),
            Block::Whole(vec![plain(format!("    {}", show(&self.matchers)))]),
            Block::Whole(vec![span(format!("    {}", self.comment), Tone::Dim)]),
        ]
    }
}

impl Report for SilenceList {
    fn schema(&self) -> &'static str {
        "liveops.silence.list/1"
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        let mut blocks: Vec<Block> = self.silences.iter().flat_map(|entry| entry.blocks(view)).collect();
        if self.silences.is_empty() {
            blocks.push(Block::text("nothing is silenced"));
        }
        if self.expired > 0 {
            blocks.push(Block::Line(vec![span(format!("{} expired; `--all` shows them", self.expired), Tone::Dim)]));
        }
        blocks
    }

    fn rows(&self, _view: &View) -> Option<Table> {
        let mut table = Table::new(["id", "state", "starts", "ends", "by", "holds", "matchers", "comment"]);
        for entry in &self.silences {
            table.row(vec![
                plain(&entry.id),
                plain(entry.word()),
                plain(&entry.starts_at),
                plain(&entry.ends_at),
                plain(&entry.by),
                plain(entry.holds.map(|n| n.to_string()).unwrap_or_default()),
                plain(show(&entry.matchers)),
                plain(&entry.comment),
            ]);
        }
        Some(table)
    }
}

pub(super) async fn run(args: ListArgs, cx: &Context) -> Result<Exit> {
    let client = alertmanager(cx)?;
    let began = tokio::time::Instant::now();
    let (silences, alerts) = tokio::join!(client.silences(), client.alerts(&[]));
    let mut silences = silences?;
    remember_silences(cx, &silences);
    silences.sort_by(|a, b| {
        let key = |silence: &Silence| (silence.state, silence.draft.ends_at, silence.id.clone());
        // What has ended is read from the last to the first.
        match (a.state, b.state) {
            (SilenceState::Expired, SilenceState::Expired) => b.draft.ends_at.cmp(&a.draft.ends_at),
            _ => key(a).cmp(&key(b)),
        }
    });
    let total = silences.len();
    if !args.all {
        silences.retain(|silence| silence.state != SilenceState::Expired);
    }
    let warnings: Vec<String> = alerts.as_ref().err().map(ToString::to_string).into_iter().collect();
    let alerts = alerts.ok();
    let next = match silences.iter().find(|silence| silence.state != SilenceState::Expired) {
        Some(first) => format!("silence expire {}", short(&first.id)),
        None => "alerts".into(),
    };
    let report = SilenceList {
        expired: total - silences.len(),
        silences: silences.into_iter().map(|silence| SilenceEntry::new(silence, alerts.as_deref())).collect(),
    };
    let meta = Meta {
        outcome: if warnings.is_empty() { Outcome::Success } else { Outcome::Partial },
        sources: vec![Source::asked("alertmanager", began.elapsed(), Ok(())).partly(warnings.first().cloned())],
        warnings,
        ..Meta::next("next", cx.command(&next))
    };
    cx.show(&report, meta)?;
    Ok(Exit::Good)
}
