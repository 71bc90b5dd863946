//! `liveops report dora`: the five metrics of software delivery, each with what it rests on.

use std::path::PathBuf;
use std::time::Duration;

use chrono::TimeDelta;
use clap::Args;
use clap::builder::ValueHint;
use serde::{Serialize, Serializer};
use serde_json::json;

use crate::commands::report::view::{deployments, inferred, page, share, spread};
use crate::commands::report::{OutArgs, period, show};
use crate::context::Context;
use crate::output::block::{Block, Span, Table, Tone, plain, span};
use crate::output::format::Format;
use crate::output::page::{Chart, Page, Part, Plot, Section, Tile, length, moment};
use crate::output::report::{Meta, Report};
use crate::output::view::View;
use liveops_domain::error::{Exit, Result};
use liveops_domain::report::dora::{ServiceDora, ShareItem};
use liveops_domain::status::source::{Outcome, SourceState, Verdict};
use liveops_domain::text::count::count;
use liveops_domain::text::duration::parse_positive;
use liveops_engine::report::dora::{DoraReport, DoraRequest, measure};

/// How each metric is defined (dora.dev/guides/dora-metrics, updated 2026-01-05).
const DEFINITIONS: [(&str, &str, &str); 5] = [
    ("lead_time", "change lead time", "a commit's time until it is in production; median / p90 of commits"),
    ("deployment_frequency", "deployment frequency", "successful deployments to production, over the days"),
    (
        "failed_deployment_recovery_time",
        "failed deployment recovery time",
        "from a failed deployment until users are well again; median / p90",
    ),
    ("change_fail_rate", "change fail rate", "deployments that needed immediate intervention, of all"),
    ("deployment_rework_rate", "deployment rework rate", "deployments that were not planned, of all"),
];

/// Lines of a list on the screen; programs have all.
const LINES: usize = 20;

/// Dots of a picture.
const DOTS: usize = 400;

/// Measure how software is delivered, by DORA's five metrics
///
/// Deployments are those of `rollout`, those that CI wrote down by `changes record`, and ReplicaSets with another image.
/// Their commits come from git: by `--commit`, by a tag of the version's name, or a version that is a commit. A deployment
/// failed where its rollout was rolled back, a rollback followed, or an incident names it as its cause
/// (`incident amend cause VERSION`). Where nobody says, the last deployment within a day before an incident of the service
/// is counted apart, as inferred.
///
/// The numbers are for one team and its own service over time. They are no target, and compare no two systems.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops report dora
  liveops report dora --service game-backend --explain
  liveops report dora --since 30d --out dora.html
  liveops report dora -o json | jq '.data.services[].change_fail_rate'")]
pub(super) struct DoraArgs {
    /// How far back
    #[arg(long, value_name = "DURATION", default_value = "90d", value_parser = parse_positive)]
    since: Duration,

    /// Only this service; may be repeated
    #[arg(long, value_name = "NAME")]
    service: Vec<String>,

    /// Show the list behind each number
    #[arg(long)]
    explain: bool,

    /// How long after a deployment an incident is put down to it, where nobody says what made it
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = parse_positive)]
    within: Duration,

    /// Repository that the services are built from [default: that of the project]
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    repository: Option<PathBuf>,

    #[command(flatten)]
    pub(super) out: OutArgs,
}

/// The report, and the page that shows it.
struct Dora {
    report: DoraReport,
    page: Page,
}

pub(super) async fn run(args: DoraArgs, cx: &Context) -> Result<Exit> {
    let request = DoraRequest {
        period: period(cx, args.since)?,
        services: args.service,
        within: TimeDelta::from_std(args.within).unwrap_or(TimeDelta::MAX),
        explain: args.explain,
        repository: args.repository.map(|path| cx.dirs.work.join(path)),
    };
    let report = measure(cx, &request).await?;
    let defined = args.explain || cx.output.format().is_document();
    let page = draw(page(cx, "Software delivery", "dora", &request.period)?, &report, defined);
    let nothing = report.services.iter().all(|one| one.deployment_frequency.reason.is_some());
    let next = match nothing {
        true => Meta::next(
            "let CI write down each deployment",
            "liveops changes record --kind deploy --service NAME --version VERSION",
        ),
        false if args.explain => Meta::next("the incidents", "liveops report incidents"),
        false => Meta::next("the list behind each number", "liveops report dora --explain"),
    };
    let down = report.sources.iter().any(|one| matches!(one.state, SourceState::Down | SourceState::Degraded));
    let meta = Meta {
        outcome: if down { Outcome::Partial } else { Outcome::Success },
        verdict: if nothing { Verdict::Unknown } else { Verdict::Pass },
        sources: report.sources.clone(),
        warnings: report.warnings.clone(),
        ..next
    };
    let verdict = meta.verdict;
    show(cx, &Dora { report, page }, meta, &args.out)?;
    Ok(verdict.into())
}

/// A metric as a row: name, value, what it rests on, and what is to be known of it.
struct Row {
    name: &'static str,
    value: Span,
    rests_on: String,
    note: String,
}

fn rows(one: &ServiceDora) -> [Row; 5] {
    let why = |reason: &Option<String>, note: String| reason.clone().unwrap_or(note);
    let lead = &one.lead_time;
    let mut notes = Vec::new();
    for (n, what, rest) in [
        (lead.deployments_without_commits, "deployment", " without commits to compare"),
        (lead.negative, "commit", " younger than the deployment, left out"),
        (lead.reverts.unwrap_or(0), "revert", " among them"),
    ] {
        if n > 0 {
            notes.push(format!("{}{rest}", count(n, what)));
        }
    }
    let frequency = &one.deployment_frequency;
    let often = frequency.per_day.map_or_else(|| span("unknown", Tone::Unknown), |per_day| plain(per(per_day)));
    let mut often_note = Vec::new();
    often_note.extend(frequency.median_gap_s.map(|gap| format!("{} between two", length(Some(gap)))));
    often_note.extend(frequency.first_known.map(|at| format!("the first that is known is of {}", at.format("%F"))));
    let recovery = &one.failed_deployment_recovery_time;
    let guessed = recovery.with_inferred.n - recovery.spread.n;
    let recovery_value = match (recovery.spread.n, recovery.open + guessed) {
        (0, 0) if one.change_fail_rate.share == Some(0.0) => span("none failed", Tone::Plain),
        _ => spread(&recovery.spread),
    };
    let mut recovery_note = Vec::new();
    if guessed > 0 {
        let all = spread(&recovery.with_inferred).text;
        recovery_note.push(format!("{all} with {guessed} inferred"));
    }
    if recovery.open > 0 {
        recovery_note.push(format!("{} not known to be well again", recovery.open));
    }
    let recovery_note = match recovery_note.is_empty() && recovery_value.tone == Tone::Unknown {
        true => why(&recovery.reason, String::new()),
        false => recovery_note.join("; "),
    };
    [
        Row {
            name: "change lead time",
            value: spread(&lead.spread),
            rests_on: count(lead.spread.n, "commit"),
            note: match &lead.reason {
                Some(reason) => reason.clone(),
                None => notes.join("; "),
            },
        },
        Row {
            name: "deployment frequency",
            value: often,
            rests_on: count(frequency.n, "deployment"),
            note: why(&frequency.reason, often_note.join("; ")),
        },
        Row {
            name: "recovery time",
            value: recovery_value,
            rests_on: count(recovery.spread.n, "failure"),
            note: recovery_note,
        },
        Row {
            name: "change fail rate",
            value: share(&one.change_fail_rate),
            rests_on: count(one.change_fail_rate.n, "deployment"),
            note: why(&one.change_fail_rate.reason, inferred(&one.change_fail_rate)),
        },
        Row {
            name: "rework rate",
            value: share(&one.deployment_rework_rate),
            rests_on: count(one.deployment_rework_rate.n, "deployment"),
            note: why(&one.deployment_rework_rate.reason, inferred(&one.deployment_rework_rate)),
        },
    ]
}

/// `2.1 a day`, `3.5 a week`, `1.2 a month`.
fn per(per_day: f64) -> String {
    match per_day {
        often if often >= 1.0 => format!("{often:.1} a day"),
        often if often * 7.0 >= 1.0 => format!("{:.1} a week", often * 7.0),
        often => format!("{:.1} a month", often * 30.0),
    }
}

fn draw(mut page: Page, report: &DoraReport, defined: bool) -> Page {
    let counted: usize = report.services.iter().map(|one| one.change_fail_rate.n).sum();
    let failed: usize = report.services.iter().map(|one| one.change_fail_rate.known).sum();
    let guessed: usize = report.services.iter().map(|one| one.change_fail_rate.inferred).sum();
    let known = report.services.iter().filter(|one| one.change_fail_rate.n > 0).count();
    page.verdict = match counted {
        0 => vec![span("no deployment is known", Tone::Unknown)],
        n => vec![
            plain(format!("{} of {}", count(n, "deployment"), count(known, "service"))),
            plain(", "),
            span(format!("{failed} failed"), if failed > 0 { Tone::Warn } else { Tone::Plain }),
            plain(if guessed > 0 { format!(", {guessed} more inferred from incidents") } else { String::new() }),
        ],
    };
    if let [only] = report.services.as_slice() {
        page.tiles = rows(only)
            .into_iter()
            .map(|row| {
                // A tile has room for one number: the median, and what it is stands below.
                let (value, note) = match row.value.text.split_once(" / ") {
                    Some((median, p90)) => (median.to_owned(), format!("median; p90 {p90}; {}", row.rests_on)),
                    None => (row.value.text, row.rests_on),
                };
                Tile { label: row.name, value, tone: row.value.tone, note, note_tone: Tone::Dim }
            })
            .collect();
    }
    for one in &report.services {
        let mut table = Table::new(["metric", "value", "rests on", "note"]).fixed(&[0, 1, 2]);
        // A reason that is that of all is said once.
        let same = one.deployment_frequency.reason.clone().filter(|_| one.change_fail_rate.n == 0);
        let mut section = Section { title: one.service.clone(), ..Section::default() };
        match same {
            Some(why) => {
                section.parts.push(Part::Missing(why));
                page.sections.push(section);
                continue;
            }
            None => {
                for row in rows(one) {
                    table.row(vec![plain(row.name), row.value, plain(row.rests_on), span(row.note, Tone::Dim)]);
                }
                section.parts.push(Part::Table(table));
            }
        }
        for (n, what) in [(one.aborted, "aborted before production"), (one.redeployed, "of a version that ran already")]
        {
            if n > 0 {
                let text = format!("not counted: {} {what}", count(n, "deployment"));
                section.parts.push(Part::Line(vec![span(text, Tone::Dim)]));
            }
        }
        section.parts.extend(deployments(one));
        section.parts.extend(lead_times(one, report));
        explain(one, &mut section.parts);
        page.sections.push(section);
    }
    let definitions = DEFINITIONS.map(|(_, name, meaning)| format!("{name}: {meaning}"));
    let mut notes =
        vec!["By DORA's definitions, for one service over time: no target, and no comparison of systems.".into()];
    notes.extend(definitions.into_iter().filter(|_| defined));
    page.notes.splice(0..0, notes);
    page
}

fn lead_times(one: &ServiceDora, report: &DoraReport) -> Option<Part> {
    if one.lead_times.is_empty() {
        return None;
    }
    let points = one.lead_times[one.lead_times.len().saturating_sub(DOTS)..].to_vec();
    let mut data = Table::new(["deployed", "median lead time"]).right(&[1]);
    for (at, seconds) in points.iter().rev().take(LINES) {
        data.row(vec![plain(moment(*at)), plain(length(Some(*seconds)))]);
    }
    let spread = &one.lead_time.spread;
    let level = |seconds: Option<i64>, name: &str| Some((seconds?, format!("{name} {}", length(seconds))));
    Some(Part::Chart(Chart {
        title: format!("Lead time of {}, a dot a deployment", one.service),
        description: format!("{}; median {}", count(points.len(), "deployment"), length(spread.median_s)),
        plot: Plot::Dots {
            points,
            levels: [level(spread.median_s, "median"), level(spread.p90_s, "p90")].into_iter().flatten().collect(),
            span: (report.period.since, report.period.until),
        },
        data,
    }))
}

fn explain(one: &ServiceDora, parts: &mut Vec<Part>) {
    let mut list = |title: &str, table: Table, n: usize| {
        let more = if n > table.rows.len() {
            format!(", the latest {} (-o json has all)", table.rows.len())
        } else {
            String::new()
        };
        parts.push(Part::Line(vec![span(format!("{title}: {n}{more}"), Tone::Strong)]));
        parts.push(Part::Table(table));
    };
    if let Some(items) = &one.lead_time.items {
        let mut table = Table::new(["commit", "lead time", "deployment", "subject"]).fixed(&[0, 1]);
        for item in items.iter().rev().take(LINES) {
            let short: String = item.commit.chars().take(8).collect();
            let subject = if item.reverted { format!("{} (reverted)", item.subject) } else { item.subject.clone() };
            table.row(vec![plain(short), plain(length(Some(item.seconds))), plain(&item.deployment), plain(subject)]);
        }
        list("commits", table, items.len());
    }
    if let Some(items) = &one.deployment_frequency.items {
        let mut table = Table::new(["deployment", "finished", "source"]).fixed(&[1]);
        for item in items.iter().rev().take(LINES) {
            let source = json!(item.source).as_str().unwrap_or_default().to_owned();
            table.row(vec![plain(&item.id), plain(moment(item.finished)), plain(source)]);
        }
        list("successful deployments", table, items.len());
    }
    if let Some(items) = &one.failed_deployment_recovery_time.items {
        let mut table = Table::new(["deployment", "failed", "well again after", ""]).fixed(&[1]);
        for item in items.iter().rev().take(LINES) {
            let after = item.seconds.map_or_else(|| span("unknown", Tone::Unknown), |s| plain(length(Some(s))));
            table.row(vec![plain(&item.deployment), plain(moment(item.failed)), after, guess(item.inferred)]);
        }
        list("recoveries", table, items.len());
    }
    for (title, share) in [("failed", &one.change_fail_rate), ("not planned", &one.deployment_rework_rate)] {
        if let Some(items) = &share.items {
            let mut table = Table::new(["deployment", "finished", "because", ""]).fixed(&[1]);
            for ShareItem { deployment, finished, because, inferred, .. } in items.iter().rev().take(LINES) {
                table.row(vec![
                    plain(deployment),
                    plain(moment(*finished)),
                    plain(because.join("; ")),
                    guess(*inferred),
                ]);
            }
            list(title, table, items.len());
        }
    }
}

fn guess(inferred: bool) -> Span {
    if inferred { span("inferred", Tone::Dim) } else { plain("known") }
}

impl Serialize for Dora {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut data = serde_json::to_value(&self.report).map_err(serde::ser::Error::custom)?;
        let definitions = DEFINITIONS.map(|(key, _, meaning)| (key.to_owned(), json!(meaning)));
        data["definitions"] = serde_json::Value::Object(definitions.into_iter().collect());
        data.serialize(serializer)
    }
}

impl Report for Dora {
    fn schema(&self) -> &'static str {
        "liveops.report.dora/1"
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        self.page.blocks(view)
    }

    fn rows(&self, _view: &View) -> Option<Table> {
        let mut table = Table::new(["service", "metric", "n", "value", "p90", "with_inferred", "reason"]);
        let number = |value: Option<f64>| plain(value.map(|value| value.to_string()).unwrap_or_default());
        let seconds = |value: Option<i64>| plain(value.map(|value| value.to_string()).unwrap_or_default());
        let reason = |reason: &Option<String>| plain(reason.clone().unwrap_or_default());
        for one in &self.report.services {
            let (lead, recovery) = (&one.lead_time, &one.failed_deployment_recovery_time);
            let mut row = |metric: &str, n: usize, cells: [Span; 4]| {
                let mut all = vec![plain(&one.service), plain(metric), plain(n.to_string())];
                all.extend(cells);
                table.row(all);
            };
            let spread = &lead.spread;
            let cells = [seconds(spread.median_s), seconds(spread.p90_s), plain(""), reason(&lead.reason)];
            row("lead_time_s", spread.n, cells);
            let frequency = &one.deployment_frequency;
            let cells = [number(frequency.per_day), plain(""), plain(""), reason(&frequency.reason)];
            row("deployments_per_day", frequency.n, cells);
            let (known, all) = (&recovery.spread, &recovery.with_inferred);
            let cells =
                [seconds(known.median_s), seconds(known.p90_s), seconds(all.median_s), reason(&recovery.reason)];
            row("recovery_time_s", known.n, cells);
            for (name, share) in
                [("change_fail_rate", &one.change_fail_rate), ("rework_rate", &one.deployment_rework_rate)]
            {
                let cells = [number(share.share), plain(""), number(share.share_with_inferred), reason(&share.reason)];
                row(name, share.n, cells);
            }
        }
        Some(table)
    }

    fn document(&self, format: Format) -> Option<String> {
        self.page.document(format)
    }
}
