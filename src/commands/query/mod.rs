//! `liveops query`: PromQL at one time or over a range, as table, plot, CSV or JSON; or the value of a KPI.

mod again;
mod explain;
mod figure;
mod histogram;
mod picture;
mod report;
pub(crate) mod result;
mod shape;
mod table;
mod value;

use std::io::{Read, stdin};
use std::time::Duration;

use chrono::SubsecRound;
use clap::Args;

use crate::commands::query::again::RepeatQuery;
use crate::commands::query::figure::Figure;
use crate::commands::query::result::QueryResult;
use crate::context::Context;
use crate::output::progress::waiting;
use crate::output::report::Meta;
use liveops_domain::change::timeline::{Change, Kind};
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::metric::kpi::Kpi;
use liveops_domain::metric::promql;
use liveops_domain::metric::promql::{Expression, Gives};
use liveops_domain::metric::quantity::Unit;
use liveops_domain::status::source::{Recommendation, Source};
use liveops_domain::text::duration;
use liveops_engine::changes;
use liveops_engine::clients::http::request::Effort;
use liveops_engine::clients::prometheus::Prometheus;
use liveops_engine::query::ask::QueryAnswer;
use liveops_engine::query::no_data::NoDataHints;
use liveops_engine::query::result::QueryData;
use liveops_engine::query::window::{Span, Window};
use liveops_engine::query::{caret, no_data};

/// Ask Prometheus: a table, a plot, CSV or JSON
///
/// Evaluates PromQL now, at another time (`--at`) or over a range (`--range`). An expression that does not parse is
/// caught before it is sent, with a caret under the fault. With `--kpi` the expression is that of a configured KPI,
/// and the value is judged by its thresholds: exit code 1 when it is critical. No data, and an answer of which Prometheus
/// warns that it is not whole, is exit code 3.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops query 'sum by (region) (game_active_players)'
  liveops query 'rate(http_requests_total[5m])' --plot --range 6h
  liveops query 'game_active_players' --at 2026-01-15T10:30:00Z
  liveops query 'game_active_players' --range 1d --step 5m -o csv > players.csv
  liveops query --kpi tick_p99 --plot --changes
  liveops query --kpi tick_p99 --explain
  liveops query - < long-expression.promql")]
pub(crate) struct QueryArgs {
    /// Expression to evaluate; `-` reads it from stdin
    #[arg(value_name = "PROMQL", conflicts_with = "kpi")]
    promql: Option<String>,

    /// Ask for a KPI of the configuration instead
    #[arg(long, value_name = "NAME")]
    kpi: Option<String>,

    /// Time to evaluate at, or end of the range: RFC 3339, unix seconds, `now`, `-10m` [default: now]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) at: Option<String>,

    /// Evaluate over this long, up to now or `--at`
    #[arg(long, value_name = "DURATION", value_parser = duration::parse_positive)]
    pub(crate) range: Option<Duration>,

    /// Time between two points of the range [default: about 250 points]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse_positive)]
    pub(crate) step: Option<Duration>,

    /// Draw the series over time [default range: 1h]
    #[arg(long)]
    pub(crate) plot: bool,

    /// Mark on the plot what changed meanwhile
    #[arg(long, requires = "plot")]
    changes: bool,

    /// Say what would be asked, and ask nothing
    #[arg(long)]
    explain: bool,

    /// Send the expression as it is: for MetricsQL and functions that liveops does not know
    #[arg(long)]
    no_check: bool,
}

impl QueryArgs {
    fn span(&self) -> Span<'_> {
        Span { at: self.at.as_deref(), range: self.range, step: self.step, plot: self.plot }
    }
}

/// What is asked, before anybody was asked.
struct Question {
    promql: String,
    kpi: Option<Kpi>,
}

/// `liveops query`.
pub(crate) async fn run(args: QueryArgs, cx: &Context) -> Result<Exit> {
    let question = question(&args, cx)?;
    if question.kpi.is_none() && !args.no_check {
        promql::check(&question.promql).map_err(|syntax| caret::error(&question.promql, &syntax, cx))?;
    }
    let known = liveops_domain::metric::promql::inspect(&question.promql);
    if args.explain {
        let report = explain::Explanation::new(&question.promql, question.kpi.as_ref(), known);
        cx.show(&report, Meta::default())?;
        return Ok(Exit::Good);
    }
    let gives = known.as_ref().map(|known| known.gives);
    let (window, note) = Window::choose(args.span(), gives, cx.clock.now().trunc_subsecs(3))?;
    fits(&window, gives, &args)?;

    let mut absence = NoDataHints::default();
    let asked = match (cx.prometheus(), &question.kpi) {
        // Of the last hour the services' own metrics tell, too.
        (Err(Error::Unconfigured { .. }), Some(kpi)) if args.plot && args.at.is_none() && args.range.is_none() => {
            QueryAnswer::scraped(cx, kpi).await?
        }
        (target, _) => {
            let target = target.map_err(|error| unconfigured(error, &args))?;
            let client = Prometheus::new(cx.http()?, target, Effort::Full);
            let work = QueryAnswer::ask(cx, &client, &question.promql, question.kpi.as_ref(), &window);
            let visible = cx.output.is_terminal() && !cx.choices.quiet;
            let asked = waiting(visible, || format!("asking {}", client.url()), work).await?;
            if asked.is_empty() {
                absence = no_data::explain(&client, &question.promql, known.as_ref()).await;
            }
            asked
        }
    };
    let warnings = asked.warnings.clone();
    let is_partial = asked.queried.partial().is_some();
    let unit = unit(question.kpi.as_ref(), known.as_ref());
    let figure = question.kpi.map(|kpi| Figure::new(kpi, &asked, &window, cx.clock.now()));
    let ordered = known.is_some_and(|known| known.ordered);
    let mut result: QueryData = asked.queried.answer.into();
    if !ordered {
        result.sort();
    }
    let report = QueryResult {
        query: question.promql,
        kpi: figure,
        result,
        lower_bounds: asked.beyond,
        changes: if args.changes { changes_in(&window, cx).await } else { Vec::new() },
        window,
        plot: args.plot,
        ordered,
        unit,
        again: RepeatQuery::new(args.at.as_deref()),
        is_partial,
        absence,
    };
    let next = report.next().map(|(what, command)| Meta::steps(vec![Recommendation::new(what, command)]));
    let meta = Meta {
        verdict: report.verdict(),
        metrics: report.kpi.iter().map(Figure::metric).collect(),
        sources: vec![Source::asked(asked.source, asked.latency, Ok(()))],
        warnings,
        notes: note.into_iter().chain(asked.queried.infos).collect(),
        ..next.unwrap_or_default()
    };
    cx.show(&report, meta)?;
    Ok(report.verdict().into())
}

/// Nobody waits longer for what changed: the values are what was asked for.
const PATIENCE: Duration = Duration::from_secs(2);

/// What may have moved the values in this range, the oldest first.
async fn changes_in(window: &Window, cx: &Context) -> Vec<Change> {
    let Window::Range { start, end, .. } = window else {
        return Vec::new();
    };
    let found = tokio::time::timeout(PATIENCE, changes::gather(cx, *start, false)).await;
    let mut changes = found.ok().and_then(Result::ok).map(|found| found.changes).unwrap_or_default();
    changes.retain(|change| change.at <= *end && !matches!(change.kind, Kind::Silence | Kind::Incident));
    changes
}

fn question(args: &QueryArgs, cx: &Context) -> Result<Question> {
    if let Some(name) = &args.kpi {
        let kpi = cx.kpi(name)?;
        return Ok(Question { promql: kpi.promql(), kpi: Some(kpi) });
    }
    let mut promql = args.promql.clone().ok_or_else(|| {
        Error::usage(
            "nothing to ask",
            "give an expression, such as `liveops query up`, or a KPI: `liveops query --kpi NAME`",
        )
    })?;
    if promql == "-" {
        promql.clear();
        stdin().read_to_string(&mut promql).map_err(|source| Error::Io {
            action: "read",
            path: "stdin".into(),
            source,
        })?;
        promql.truncate(promql.trim_end().len());
    }
    Ok(Question { promql, kpi: None })
}

/// The unit of the values: the KPI's, or what the name of a metric promises when nothing is done to it.
fn unit(kpi: Option<&Kpi>, known: Option<&Expression>) -> Unit {
    let name = known.and_then(|known| known.selects.as_deref());
    match (kpi, name) {
        (Some(kpi), _) => kpi.unit.clone(),
        (None, Some(name)) => Unit::from_metric_name(name),
        (None, None) => Unit::None,
    }
}

/// Prometheus draws ranges of numbers and instant vectors only.
fn fits(window: &Window, gives: Option<Gives>, args: &QueryArgs) -> Result<()> {
    let Some(gives) = gives else { return Ok(()) };
    if matches!(window, Window::Range { .. }) && matches!(gives, Gives::RangeVector | Gives::Text) {
        let hint = if gives == Gives::RangeVector {
            "put it into `rate(…)` or `…_over_time(…)`; without `--range` and `--step` it shows the raw samples"
        } else {
            "ask for it without `--range`"
        };
        let what = gives.name();
        return Err(Error::usage(format!("a {what} cannot be evaluated over a range"), hint));
    }
    if args.plot && gives == Gives::Text {
        return Err(Error::usage("a string cannot be plotted", "leave out `--plot`"));
    }
    Ok(())
}

/// A KPI does not need Prometheus, only `query` does.
fn unconfigured(error: Error, args: &QueryArgs) -> Error {
    match error {
        Error::Unconfigured { what, environment, .. } if args.kpi.is_some() => {
            Error::Unconfigured {
                what,
                environment,
                hint: "`liveops status` computes KPIs from direct scrapes; for `query`, pass `--prometheus URL` or set `prometheus.url` in liveops.yaml".into(),
            }
        }
        other => other,
    }
}
