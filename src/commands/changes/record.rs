//! `liveops changes record`: what CI or a person did elsewhere, written into the project's own journal.

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use crate::commands::tone;
use crate::context::Context;
use crate::domain::changes::Kind;
use crate::error::{Error, Exit, Result};
use crate::output::block::{Block, Tone, plain, span};
use crate::output::report::{Meta, Recommendation, Report};
use crate::output::view::View;
use crate::stores::journal::Journal;

/// The kind of events in the journal of deployments.
pub(super) const RECORDED: &str = "change.recorded";

/// Write down a change that was made elsewhere, such as a deployment by CI
///
/// The journal is a file of the project (`changes/deployments.jsonl`, or `changes.journal` of the configuration):
/// append-only, each line chained to the one before it. Nothing is asked, since nothing is changed.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops changes record --kind deploy --service game-backend --version 1.42
  liveops changes record --kind migration --note 'players.region becomes NOT NULL'
  liveops changes record --kind deploy --service lobby --version $TAG --at '2m ago'")]
pub(crate) struct RecordArgs {
    /// What it was
    #[arg(long, value_enum)]
    kind: Recorded,

    /// Service that it was done to
    #[arg(long, value_name = "NAME")]
    service: Option<String>,

    /// Version that runs since
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,

    /// In words
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,

    /// When, if not now: a time, or `5m ago`
    #[arg(long, value_name = "TIME")]
    at: Option<String>,

    /// Who did it [default: you]
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

/// What can be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Recorded {
    Deploy,
    Rollback,
    Config,
    Migration,
    Scale,
    Other,
}

impl Recorded {
    /// The kind on the timeline.
    pub(super) fn kind(self) -> Kind {
        match self {
            Self::Deploy | Self::Rollback => Kind::Deploy,
            Self::Config => Kind::Config,
            Self::Migration => Kind::Migration,
            Self::Scale => Kind::Scale,
            Self::Other => Kind::Other,
        }
    }

    /// The word for it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Deploy => "deploy",
            Self::Rollback => "rollback",
            Self::Config => "config",
            Self::Migration => "migration",
            Self::Scale => "scale",
            Self::Other => "change",
        }
    }
}

/// An entry of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) kind: Recorded,
    pub(super) environment: String,
    #[serde(default)]
    pub(super) service: Option<String>,
    #[serde(default)]
    pub(super) version: Option<String>,
    #[serde(default)]
    pub(super) note: Option<String>,
    /// When it happened.
    pub(super) occurred_at: chrono::DateTime<chrono::Utc>,
}

impl Entry {
    /// `deploy of game-backend 1.42: note`.
    pub(super) fn words(&self) -> String {
        let mut text = self.kind.word().to_owned();
        if let Some(service) = &self.service {
            text.push_str(&format!(" of {service}"));
        }
        if let Some(version) = &self.version {
            text.push_str(&format!(" {version}"));
        }
        if let Some(note) = &self.note {
            text.push_str(&format!(": {note}"));
        }
        text
    }
}

/// The project's journal of changes.
///
/// # Errors
/// Those of the configuration.
pub(super) fn journal(cx: &Context) -> Result<Journal> {
    let config = cx.config()?;
    let path = &config.settings.documents.deployments;
    Ok(Journal::at(config.folder().join(path)))
}

#[derive(Debug, Serialize)]
struct RecordReport {
    #[serde(flatten)]
    entry: Entry,
    by: String,
    dry_run: bool,
    seq: Option<u64>,
    journal: String,
}

pub(super) fn run(args: RecordArgs, cx: &Context) -> Result<Exit> {
    if cx.is_read_only()? && !cx.global.dry_run {
        return Err(Error::Refused {
            why: "read-only: will not write into the journal".into(),
            hint: "leave out `--read-only`".into(),
        });
    }
    if args.service.is_none() && args.version.is_none() && args.note.is_none() {
        return Err(Error::usage("nothing is said of the change", "add `--service`, `--version` or `--note`"));
    }
    let now = cx.clock.now();
    let occurred_at = match &args.at {
        Some(text) => crate::commands::query::window::time(text, now)?,
        None => now,
    };
    let entry = Entry {
        kind: args.kind,
        environment: cx.environment()?.to_owned(),
        service: args.service,
        version: args.version,
        note: args.note,
        occurred_at,
    };
    let by = args.by.unwrap_or_else(|| cx.actor.clone());
    let journal = journal(cx)?;
    let seq = if cx.global.dry_run {
        None
    } else {
        let data = serde_json::to_value(&entry)?;
        Some(journal.append(now, &by, RECORDED, data)?.seq)
    };
    let report =
        RecordReport { entry, by, dry_run: cx.global.dry_run, seq, journal: journal.path().display().to_string() };
    cx.output.show(&report, now)?;
    Ok(Exit::Good)
}

impl Report for RecordReport {
    const SCHEMA: &'static str = "liveops.changes.record/1";

    fn blocks(&self, view: &View) -> Vec<Block> {
        let head = if self.dry_run { "would be recorded: " } else { "recorded: " };
        vec![
            Block::Whole(vec![
                tone::mark(Tone::Good, view),
                span(format!(" {head}"), Tone::Good),
                plain(self.entry.words()),
            ]),
            Block::next("see it", "liveops changes"),
        ]
    }

    fn meta(&self) -> Meta {
        Meta {
            environment: Some(self.entry.environment.clone()),
            recommendations: vec![Recommendation::new("see it", "liveops changes")],
            ..Meta::default()
        }
    }
}
