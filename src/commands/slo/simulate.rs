//! `liveops slo simulate`: what the alerts would have done, beside the incidents on record.

use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};

use crate::commands::slo::view;
use crate::context::Context;
use crate::output::block::{Block, Table, Tone, plain, span};
use crate::output::progress::waiting;
use crate::output::report::{Meta, Report};
use crate::output::tone;
use crate::output::view::View;
use liveops_domain::error::{Exit, Result};
use liveops_domain::slo::burn::Tier;
use liveops_domain::slo::objective::Objective;
use liveops_domain::slo::replay::Episode;
use liveops_domain::status::source::{Outcome, SourceState, Verdict};
use liveops_domain::text::count::count;
use liveops_domain::text::duration::human;
use liveops_domain::text::time::rfc3339;
use liveops_engine::slo::load;
use liveops_engine::slo::simulate::{Proposal, Run, Simulated, Simulation, simulate};

/// More pages of one SLO are counted, not listed.
const LISTED: usize = 5;

/// Replay the past through the alerts: what would have paged, and for which incidents
///
/// The counts of each minute go through the same windows, factors and guards as the rules that `slo generate` writes.
/// Pages are matched with the incidents on record: a page within one, or up to 15 minutes before it, belongs to it.
/// With --objective or --min-bad a proposal is replayed beside what is defined.
///
/// Exit code: 0 replayed, 3 where the past is not known.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops slo simulate --days 30
  liveops slo simulate api-availability --objective 99.5%   # would that page less?
  liveops slo simulate --min-bad 10 -o json")]
pub(crate) struct SimulateArgs {
    /// Only these; a name with a dot or a slash is a file of OpenSLO
    #[arg(value_name = "NAME")]
    names: Vec<String>,

    /// How far back
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=90))]
    days: u32,

    /// Replay this objective beside the one that is defined
    #[arg(long, value_name = "PERCENT", value_parser = Objective::parse)]
    objective: Option<Objective>,

    /// Replay this guard beside the one that is defined: so many bad events page
    #[arg(long, value_name = "N")]
    min_bad: Option<u32>,
}

/// The replay of all.
struct SimulateReport {
    simulation: Simulation,
    days: u32,
    proposal: Proposal,
}

pub(super) async fn run(args: SimulateArgs, cx: &Context) -> Result<Exit> {
    let slos = load::chosen(cx, &args.names)?;
    let proposal = Proposal { objective: args.objective, min_bad: args.min_bad };
    let what = || format!("reading {} of {}", count(args.days as usize, "day"), count(slos.len(), "SLO"));
    let simulation = waiting(!cx.choices.quiet, what, simulate(cx, slos.clone(), args.days, proposal)).await?;
    let known = simulation.slos.iter().filter(|one| one.covered.is_ok()).count();
    let verdict = if known == simulation.slos.len() { Verdict::Pass } else { Verdict::Unknown };
    let outcome = match simulation.source.state {
        SourceState::Ok => Outcome::Success,
        _ if known > 0 => Outcome::Partial,
        _ => Outcome::Error,
    };
    let next = match verdict {
        Verdict::Pass => "liveops slo generate --out rules/slo.yml",
        _ => "liveops slo status",
    };
    let meta =
        Meta { verdict, outcome, sources: vec![simulation.source.clone()], ..Meta::next("what helps next", next) };
    cx.show(&SimulateReport { simulation, days: args.days, proposal }, meta)?;
    Ok(verdict.into())
}

fn pages(run: &Run) -> impl Iterator<Item = &Episode> {
    run.episodes.iter().filter(|episode| episode.tier == Tier::Page)
}

fn tickets(run: &Run) -> usize {
    run.episodes.len() - pages(run).count()
}

fn run_json(run: &Run) -> Value {
    let episode = |episode: &Episode| json!({ "severity": episode.tier.name(), "from": rfc3339(episode.start), "to": rfc3339(episode.end) });
    json!({
        "pages": pages(run).count(),
        "tickets": tickets(run),
        "episodes": run.episodes.iter().map(episode).collect::<Vec<_>>(),
        "incidents_paged": run.matched.paged.iter().map(|(incident, page, lead)| json!({
            "incident": incident.id, "page": rfc3339(page.start), "lead_seconds": lead.map(|lead| lead.num_seconds()),
        })).collect::<Vec<_>>(),
        "pages_without_incident": run.matched.without_incident.iter().map(episode).collect::<Vec<_>>(),
        "incidents_without_page": run.matched.without_page.iter().map(|incident| incident.id.clone()).collect::<Vec<_>>(),
    })
}

impl Serialize for SimulateReport {
    fn serialize<S: serde::Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        let one = |one: &Simulated| {
            json!({
                "name": one.slo.name,
                "step_seconds": one.step.as_secs(),
                "covered": one.covered.as_ref().ok(),
                "reason": one.covered.as_ref().err(),
                "today": one.covered.is_ok().then(|| run_json(&one.today)),
                "proposed": one.proposed.as_ref().filter(|_| one.covered.is_ok()).map(run_json),
            })
        };
        json!({
            "from": rfc3339(self.simulation.start),
            "to": rfc3339(self.simulation.end),
            "incidents": self.simulation.incidents,
            "slos": self.simulation.slos.iter().map(one).collect::<Vec<_>>(),
        })
        .serialize(to)
    }
}

impl SimulateReport {
    fn proposed(&self) -> String {
        let objective = self.proposal.objective.map(|objective| format!("objective {objective}"));
        let guard = self.proposal.min_bad.map(|n| format!("at least {n} bad"));
        objective.into_iter().chain(guard).collect::<Vec<_>>().join(", ")
    }
}

impl Report for SimulateReport {
    fn schema(&self) -> &'static str {
        "liveops.slo.simulate/1"
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        let simulation = &self.simulation;
        let unknown = simulation.slos.iter().filter(|one| one.covered.is_err()).map(|one| one.slo.name.as_str());
        let unknown = view::three(&unknown.collect::<Vec<_>>(), ", ");
        let verdict = vec![
            tone::mark(Tone::Unknown, view),
            span(" UNKNOWN  ", Tone::Unknown),
            plain(format!("{unknown} cannot be replayed")),
        ];
        let mut blocks: Vec<Block> = (!unknown.is_empty()).then_some(Block::Whole(verdict)).into_iter().collect();
        blocks.extend([
            Block::Line(vec![
                span(format!("the last {}", count(self.days as usize, "day")), Tone::Strong),
                span(format!(", {} on record", count(simulation.incidents, "incident")), Tone::Dim),
            ]),
            Block::Blank,
            Block::Table(self.table()),
        ]);
        let mut lines = Vec::new();
        for one in simulation.slos.iter().filter(|one| one.covered.is_ok()) {
            let name = &one.slo.name;
            for (incident, page, lead) in &one.today.matched.paged {
                let lead = match lead {
                    Some(lead) if lead.num_seconds() >= 0 => {
                        format!(", {} before people knew", human(lead.to_std().unwrap_or_default()))
                    }
                    Some(lead) => format!(", {} after people knew", human((-*lead).to_std().unwrap_or_default())),
                    None => String::new(),
                };
                lines.push(format!("{name} paged for {} at {}{lead}", incident.id, view.time(page.start)));
            }
            let alone = &one.today.matched.without_incident;
            for page in alone.iter().take(LISTED) {
                let length = human((page.end - page.start).to_std().unwrap_or_default());
                lines.push(format!(
                    "{name} paged at {} for {length}, and no incident is on record",
                    view.time(page.start)
                ));
            }
            if alone.len() > LISTED {
                lines.push(format!("{name}: … and {} more (-o json)", count(alone.len() - LISTED, "page")));
            }
            for incident in &one.today.matched.without_page {
                lines.push(format!("{name} did not page for {}", incident.id));
            }
        }
        if !lines.is_empty() {
            blocks.push(Block::Blank);
            blocks.extend(lines.into_iter().map(|line| Block::Whole(vec![plain(format!("  {line}"))])));
        }
        blocks
    }

    fn rows(&self, _view: &View) -> Option<Table> {
        Some(self.table())
    }
}

impl SimulateReport {
    fn table(&self) -> Table {
        let mut table = Table::new(["SLO", "rules", "data", "pages", "tickets", "matched", "unmatched", "missed"])
            .right(&[2, 3, 4, 5, 6, 7])
            .fixed(&[0, 2, 3, 4, 5, 6, 7]);
        for one in &self.simulation.slos {
            let data = match &one.covered {
                Ok(share) => format!("{:.0} %", share * 100.0),
                Err(_) => "none".into(),
            };
            let runs = std::iter::once(("as defined".to_owned(), &one.today))
                .chain(one.proposed.iter().map(|run| (self.proposed(), run)));
            for (rules, run) in runs {
                let mut row = vec![plain(&one.slo.name), plain(rules), plain(&data)];
                match &one.covered {
                    Ok(_) => {
                        let alone = run.matched.without_incident.len();
                        let unpaged = run.matched.without_page.len();
                        row.extend([
                            plain(pages(run).count().to_string()),
                            plain(tickets(run).to_string()),
                            plain(run.matched.paged.len().to_string()),
                            span(alone.to_string(), if alone > 0 { Tone::Warn } else { Tone::Plain }),
                            span(unpaged.to_string(), if unpaged > 0 { Tone::Warn } else { Tone::Plain }),
                        ]);
                    }
                    Err(why) => {
                        row.extend([span(why.clone(), Tone::Unknown), plain(""), plain(""), plain(""), plain("")]);
                    }
                }
                table.row(row);
            }
        }
        table
    }
}
