//! `liveops slo budget`: where an error budget went.

use chrono::{DateTime, Utc};
use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::{Value, json};

use crate::commands::slo::view;
use crate::context::Context;
use crate::output::block::{Block, Table, Tone, plain, span};
use crate::output::plot::{Canvas, Ink, Plot, PlotSeries};
use crate::output::report::{Meta, Report};
use crate::output::tone;
use crate::output::view::View;
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::slo::Method;
use liveops_domain::status::source::Verdict;
use liveops_domain::text::time::rfc3339;
use liveops_engine::slo::budget::{Explained, Month, burn_down, by_month, explain};
use liveops_engine::slo::load;
use liveops_engine::slo::status::{SloStatus, ask, verdict};

/// Months that are asked for: what Prometheus still has of them is shown.
const MONTHS: u32 = 12;

/// The most lines of the plot.
const LINES: usize = 14;

/// The most columns of the plot.
const COLUMNS: usize = 120;

/// Show where an error budget went: over the window, by month, and by which arithmetic
///
/// Exit code: as `slo status` of this one.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops slo budget api-availability
  liveops slo budget api-availability --explain   # the queries, and what each gave
  liveops slo budget api-availability --by month")]
pub(crate) struct BudgetArgs {
    /// The SLO; where there is one, it can be left out
    #[arg(value_name = "NAME")]
    name: Option<String>,

    /// Show the queries and the arithmetic
    #[arg(long)]
    explain: bool,

    /// Show what each calendar month spent
    #[arg(long, value_enum, value_name = "month")]
    by: Option<By>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    Month,
}

/// Where it went.
struct BudgetReport {
    status: SloStatus,
    spent: Vec<(DateTime<Utc>, f64)>,
    months: Option<Vec<Month>>,
    explained: Option<Vec<Explained>>,
    now: DateTime<Utc>,
}

pub(super) async fn run(args: BudgetArgs, cx: &Context) -> Result<Exit> {
    let wanted: Vec<String> = args.name.into_iter().collect();
    let mut slos = load::chosen(cx, &wanted)?;
    if slos.len() > 1 {
        let names: Vec<&str> = slos.iter().map(|slo| slo.name.as_str()).collect();
        let example = format!("name one of `{}`: `liveops slo budget {}`", names.join("`, `"), names[0]);
        return Err(Error::usage("there are several SLOs, and none is named", example));
    }
    let slo = slos.remove(0);
    let mut found = ask(cx, vec![slo.clone()]).await?;
    let status = found.slos.remove(0);
    let known = status.budget.remaining.is_ok();
    let mut warnings = Vec::new();
    // Without Prometheus there are the services' own counters: what is counted now, and no past.
    let is_scraped = known && matches!(cx.prometheus(), Err(Error::Unconfigured { .. }));
    let mut keep = |error: Error| {
        warnings.push(error.to_string());
    };
    let spent = match known && args.by.is_none() && !is_scraped {
        true => burn_down(cx, &slo).await.map_err(&mut keep).unwrap_or_default(),
        false => Vec::new(),
    };
    let months = match args.by {
        Some(By::Month) => by_month(cx, &slo, MONTHS).await.map_err(&mut keep).ok(),
        None => None,
    };
    let explained = match args.explain {
        true if is_scraped => Some(Vec::new()),
        true => explain(cx, &status).await.map_err(&mut keep).ok(),
        false => None,
    };
    let verdict = verdict(std::slice::from_ref(&status));
    let report = BudgetReport { status, spent, months, explained, now: cx.clock.now() };
    let next = match (verdict, args.explain) {
        (Verdict::Pass, _) => format!("liveops slo simulate {} --days 30", slo.name),
        (Verdict::Unknown, _) => "liveops doctor".to_owned(),
        (_, false) => format!("liveops slo budget {} --explain", slo.name),
        (_, true) => "liveops changes".to_owned(),
    };
    let meta = Meta { verdict, sources: vec![found.source], warnings, ..Meta::next("what helps next", next) };
    cx.show(&report, meta)?;
    Ok(verdict.into())
}

impl Serialize for BudgetReport {
    fn serialize<S: serde::Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        let mut all = self.status.json();
        let points = self.spent.iter().map(|(at, left)| json!({ "at": rfc3339(*at), "budget_remaining": left }));
        all["history"] = Value::Array(points.collect());
        if let Some(months) = &self.months {
            let month = |month: &Month| {
                json!({
                    "month": month.name,
                    "from": rfc3339(month.period.start),
                    "to": rfc3339(month.period.end),
                    "bad": month.tally.as_ref().ok().map(|tally| tally.bad),
                    "total": month.tally.as_ref().ok().map(|tally| tally.total),
                    "attained": month.attained.as_ref().ok(),
                    "budget_spent": month.spent.as_ref().ok(),
                    "reason": month.spent.as_ref().err(),
                })
            };
            all["months"] = Value::Array(months.iter().map(month).collect());
        }
        if let Some(explained) = &self.explained {
            let one = |one: &Explained| json!({ "what": one.what, "promql": one.promql, "value": one.value.as_ref().ok(), "reason": one.value.as_ref().err() });
            all["queries"] = Value::Array(explained.iter().map(one).collect());
        }
        all.serialize(to)
    }
}

impl BudgetReport {
    fn head(&self, view: &View) -> Vec<Block> {
        let SloStatus { slo, budget, .. } = &self.status;
        let tone = tone::level(budget.level);
        let left = match &budget.remaining {
            Ok(_) => format!("{} of the error budget is left", view::budget(&budget.remaining)),
            Err(why) => format!("not known: {why}"),
        };
        let mut blocks = vec![
            Block::Whole(vec![
                tone::mark(tone, view),
                span(format!(" {}  ", slo.name), Tone::Strong),
                span(left, tone),
            ]),
            Block::Whole(vec![span(
                format!(
                    "  {} of {}s in {}, attained {}",
                    slo.objective,
                    slo.method.unit(),
                    slo.window,
                    view::share(&budget.attained)
                ),
                Tone::Dim,
            )]),
        ];
        let parts: Vec<&str> = slo.description.iter().map(String::as_str).collect();
        blocks.extend(parts.into_iter().map(|text| Block::Whole(vec![span(format!("  {text}"), Tone::Dim)])));
        for part in view::detail(&self.status, view) {
            blocks.push(Block::Whole(vec![plain(format!("  {part}"))]));
        }
        for one in &slo.exclusions {
            let text =
                format!("  excluded: {} to {}, {}: {}", rfc3339(one.from), rfc3339(one.to), one.owner, one.reason);
            blocks.push(Block::Whole(vec![span(text, Tone::Dim)]));
        }
        blocks
    }

    /// What each number is made of.
    fn arithmetic(&self) -> Vec<Block> {
        let SloStatus { slo, budget, .. } = &self.status;
        let mut blocks = vec![Block::heading("Arithmetic")];
        let line = |text: String| Block::Whole(vec![plain(format!("  {text}"))]);
        let unit = slo.method.unit();
        match &budget.counts {
            Ok(tally) if !slo.is_composite() || matches!(slo.method, Method::Timeslices { .. }) => {
                let allowed = tally.total * slo.objective.budget();
                blocks.push(line(format!("{} bad of {} {unit}s", view::number(tally.bad), view::number(tally.total))));
                blocks.push(line(format!(
                    "allowed: {} × (1 − {}) = {}",
                    view::number(tally.total),
                    slo.objective.decimal(),
                    view::number(allowed)
                )));
                let spent = tally.bad / allowed;
                blocks.push(line(format!(
                    "spent: {} ÷ {} = {:.1} %; left: {:.1} %",
                    view::number(tally.bad),
                    view::number(allowed),
                    spent * 100.0,
                    (1.0 - spent) * 100.0
                )));
            }
            Ok(_) => {
                let term = |part: &liveops_domain::slo::expression::Component| {
                    format!("{:.2} × bad share of {} ÷ {}", part.weight, part.name, part.objective.budget_decimal())
                };
                let terms: Vec<String> = liveops_domain::slo::expression::components(slo).iter().map(term).collect();
                blocks.push(line(format!("spent: {}", terms.join(" + "))));
            }
            Err(why) => blocks.push(line(format!("not known: {why}"))),
        }
        blocks.push(line(format!("counted by {}", slo.method.name())));
        for part in &slo.parts {
            let name = if part.name.is_empty() { String::new() } else { format!("{}: ", part.name) };
            blocks.push(line(format!("{name}{}", part.indicator.show())));
        }
        if self.explained.as_ref().is_some_and(Vec::is_empty) {
            blocks.push(line("by the services' own counters, since their processes started".into()));
            return blocks;
        }
        blocks.push(Block::Blank);
        blocks.push(Block::heading("Queries"));
        for one in self.explained.iter().flatten() {
            let value = match &one.value {
                Ok(value) => view::number(*value),
                Err(why) => why.clone(),
            };
            blocks.push(line(format!("{}: {value}", one.what)));
            blocks.push(Block::Whole(vec![span(format!("    {}", one.promql), Tone::Dim)]));
        }
        blocks
    }

    fn plot(&self, view: &View) -> Vec<Block> {
        let plot = Plot {
            series: vec![PlotSeries { name: "budget left".into(), points: self.spent.clone() }],
            start: self.status.slo.window.elapsed(self.now).start,
            end: self.now,
            title: Some("error budget left".into()),
            format: Box::new(|value| format!("{:.0} %", value * 100.0)),
            thresholds: vec![(0.0, "spent".into())],
            moments: Vec::new(),
        };
        let canvas = Canvas { width: view.width.min(COLUMNS), height: LINES, ascii: !view.unicode };
        let tone = |ink: Ink| match ink {
            Ink::Axis => Tone::Dim,
            Ink::Series(place) => Tone::Series(place),
            Ink::Threshold => Tone::Warn,
            Ink::Plain => Tone::Plain,
        };
        plot.draw(&canvas)
            .into_iter()
            .map(|line| Block::Line(line.into_iter().map(|(text, ink)| span(text, tone(ink))).collect()))
            .collect()
    }

    fn months(&self) -> Option<Table> {
        let mut table = Table::new(["month", "bad", "total", "attained", "spent", ""]).right(&[1, 2, 3, 4]);
        for month in self.months.as_ref()? {
            let number = |pick: fn(&liveops_domain::slo::budget::Tally) -> f64| {
                month.tally.as_ref().map_or_else(|_| "?".into(), |tally| view::number(pick(tally)))
            };
            let over = month.spent.as_ref().is_ok_and(|spent| *spent > 1.0);
            table.row(vec![
                plain(&month.name),
                plain(number(|tally| tally.bad)),
                plain(number(|tally| tally.total)),
                plain(view::share(&month.attained)),
                span(view::budget(&month.spent), if over { Tone::Bad } else { Tone::Plain }),
                span(month.spent.as_ref().err().cloned().unwrap_or_default(), Tone::Dim),
            ]);
        }
        Some(table)
    }
}

impl Report for BudgetReport {
    fn schema(&self) -> &'static str {
        "liveops.slo.budget/1"
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        let mut blocks = self.head(view);
        if let Some(table) = self.months() {
            blocks.push(Block::Blank);
            blocks.push(Block::Table(table));
        }
        if !self.spent.is_empty() {
            blocks.push(Block::Blank);
            blocks.extend(self.plot(view));
        }
        if self.explained.is_some() {
            blocks.push(Block::Blank);
            blocks.extend(self.arithmetic());
        }
        blocks
    }

    fn rows(&self, _view: &View) -> Option<Table> {
        self.months()
    }
}
