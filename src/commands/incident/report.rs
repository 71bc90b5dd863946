//! `liveops incident report`: how long incidents take, by severity and service, and which deadlines were missed.

use liveops_domain::text::count as words;
use std::collections::BTreeMap;
use std::time::Duration;

use chrono::TimeDelta;
use clap::Args;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::context::Context;
use crate::output::block::{Block, Table, Tone, plain, span};
use crate::output::report::{Meta, Report};
use crate::output::view::View;
use liveops_domain::error::{Exit, Result};
use liveops_domain::incident::deadline::{DeadlineState, deadlines};
use liveops_domain::incident::measures::{Measure, Span, is_within, measure};
use liveops_domain::incident::severity::Severity;
use liveops_domain::incident::state::Incident;
use liveops_domain::status::source::Outcome;
use liveops_domain::text::duration::{human, parse_positive};
use liveops_domain::text::time::{compact, rfc3339};
use liveops_engine::incident::index;

/// Fewer incidents than this prove nothing.
const FEW: usize = 8;

/// Measure how long incidents take
///
/// MTTD, MTTA, time to mitigate and MTTR as median and 90th percentile, with the number of incidents that each rests on,
/// by severity and by service. Incidents that last are counted, and not measured.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops incident report
  liveops incident report --since 30d -o csv")]
pub(super) struct ReportArgs {
    /// Of the incidents that were opened in this time
    #[arg(long, value_name = "DURATION", default_value = "90d", value_parser = parse_positive)]
    since: Duration,

    /// Only of this severity; may be repeated
    #[arg(long = "severity", visible_alias = "sev", value_name = "SEVERITY")]
    sev: Vec<Severity>,

    /// Only of this service
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
}

/// Incidents that belong together.
struct Group {
    name: String,
    incidents: usize,
    open: usize,
    /// Deadlines that were missed.
    missed: usize,
    measures: [Measure; 4],
}

struct IncidentMeasures {
    since: String,
    window: Duration,
    groups: Vec<Group>,
}

pub(super) fn run(args: &ReportArgs, cx: &Context) -> Result<Exit> {
    args.service.as_deref().map_or(Ok(()), |name| cx.check_service(name))?;
    let now = cx.clock.now();
    let environment = cx.environment()?;
    let table = &cx.config()?.settings.incidents.severities;
    let from = TimeDelta::from_std(args.since)
        .ok()
        .and_then(|back| now.checked_sub_signed(back))
        .unwrap_or(chrono::DateTime::<chrono::Utc>::MIN_UTC);
    let index = index(cx)?;
    let warnings = index.warnings();
    let all: Vec<Incident> = index
        .incidents()
        .filter(|one| one.environment == environment && is_within(one, from, now))
        .filter(|one| args.sev.is_empty() || args.sev.contains(&one.severity))
        .filter(|one| args.service.is_none() || one.service == args.service)
        .collect();
    let group = |name: String, some: Vec<&Incident>| {
        let late = |one: &&Incident| {
            let all = deadlines(one, table, now);
            all.iter().filter(|due| due.standing == DeadlineState::Breached).count()
        };
        Group {
            name,
            incidents: some.len(),
            open: some.iter().filter(|one| one.phase.is_open()).count(),
            missed: some.iter().map(late).sum(),
            measures: measure(&some),
        }
    };
    let mut groups = vec![group("all".into(), all.iter().collect())];
    let mut severities: BTreeMap<Severity, Vec<&Incident>> = BTreeMap::new();
    let mut services: BTreeMap<&str, Vec<&Incident>> = BTreeMap::new();
    for one in &all {
        severities.entry(one.severity).or_default().push(one);
        if let Some(service) = &one.service {
            services.entry(service).or_default().push(one);
        }
    }
    let by_severity = severities.into_iter();
    groups.extend(by_severity.map(|(severity, some)| group(severity.key().into(), some)));
    let by_service = services.into_iter();
    groups.extend(by_service.map(|(service, some)| group(format!("service {service}"), some)));
    let next = Meta::next("next", "liveops incident list --all");
    let meta = Meta {
        outcome: if warnings.is_empty() { Outcome::Success } else { Outcome::Partial },
        warnings,
        ..if all.is_empty() { next.dense() } else { next }
    };
    cx.show(&IncidentMeasures { since: rfc3339(from), window: args.since, groups }, meta)?;
    Ok(Exit::Good)
}

fn length(seconds: Option<i64>) -> String {
    let seconds = seconds.and_then(|seconds| u64::try_from(seconds).ok());
    seconds.map_or_else(|| "-".into(), compact)
}

impl Serialize for IncidentMeasures {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let definitions: serde_json::Map<String, Value> = Span::ALL
            .into_iter()
            .map(|span| (json!(span).as_str().unwrap_or_default().to_owned(), json!(span.definition())))
            .collect();
        let groups = self.groups.iter().map(|group| {
            json!({
                "group": group.name,
                "incidents": group.incidents,
                "open": group.open,
                "deadlines_missed": group.missed,
                "measures": group.measures,
            })
        });
        json!({
            "since": self.since,
            "definitions": definitions,
            "groups": groups.collect::<Vec<_>>(),
        })
        .serialize(serializer)
    }
}

impl Report for IncidentMeasures {
    fn schema(&self) -> &'static str {
        "liveops.incident.report/1"
    }

    fn blocks(&self, _view: &View) -> Vec<Block> {
        let all = self.groups.first();
        let count = all.map_or(0, |group| group.incidents);
        let head = match count {
            0 => format!("no incident in {}", human(self.window)),
            n => format!("{} in {}", words::count(n, "incident"), human(self.window)),
        };
        let mut blocks = vec![Block::heading(head)];
        if count == 0 {
            return blocks;
        }
        let mut table = Table::new(["", "N", "OPEN", "MISSED", "MTTD", "MTTA", "MITIGATE", "MTTR"])
            .right(&[1, 2, 3])
            .fixed(&[0, 1, 2, 3, 4, 5, 6, 7]);
        for group in &self.groups {
            let mut row = vec![
                span(&group.name, Tone::Strong),
                plain(group.incidents.to_string()),
                plain(group.open.to_string()),
                span(group.missed.to_string(), if group.missed > 0 { Tone::Warn } else { Tone::Plain }),
            ];
            row.extend(group.measures.iter().map(|one| {
                if one.n == 0 {
                    return span("-", Tone::Dim);
                }
                plain(format!("{} / {}", length(one.median_s), length(one.p90_s)))
            }));
            table.row(row);
        }
        blocks.push(Block::Table(table));
        let dim = |text: String| Block::Whole(vec![span(text, Tone::Dim)]);
        blocks.push(dim(format!("median / p90; {}", definitions())));
        if count < FEW {
            blocks.push(dim(format!("too few incidents to see a trend in: {count}")));
        }
        blocks
    }

    fn rows(&self, _view: &View) -> Option<Table> {
        let mut table = Table::new(["group", "incidents", "open", "missed", "span", "n", "median_s", "p90_s"]);
        let number = |value: Option<i64>| plain(value.map(|n| n.to_string()).unwrap_or_default());
        for group in &self.groups {
            for one in &group.measures {
                table.row(vec![
                    plain(&group.name),
                    plain(group.incidents.to_string()),
                    plain(group.open.to_string()),
                    plain(group.missed.to_string()),
                    plain(one.span.word()),
                    plain(one.n.to_string()),
                    number(one.median_s),
                    number(one.p90_s),
                ]);
            }
        }
        Some(table)
    }
}

fn definitions() -> String {
    let all = Span::ALL.map(|span| format!("{}: {}", span.word(), span.definition()));
    all.join(", ")
}
