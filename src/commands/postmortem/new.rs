//! `liveops postmortem new`: gathers, fills in, writes the document and its plots.

use clap::Args;
use minijinja::context;
use serde::Serialize;

use crate::commands::postmortem::figures::{Measure, impact, look};
use crate::context::Context;
use crate::output::block::{Block, Table, Tone, plain, span};
use crate::output::report::{Meta, Report};
use crate::output::tone;
use crate::output::view::View;
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::runbook::Runbook;
use liveops_domain::status::source::{Outcome, Recommendation};
use liveops_domain::text::count::count;
use liveops_domain::text::shell::word;
use liveops_engine::files::file::write_shared;
use liveops_engine::postmortem::facts::{IncidentWindow, between, causes, cell, duties, stamp, timeline};
use liveops_engine::postmortem::source;
use liveops_engine::template::Template;

/// The shipped template.
const TEMPLATE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/templates/postmortem/postmortem.md.j2"));

/// Write the postmortem of an incident
///
/// Computes the impact from the metrics (players lost and purchases missed against the same time last week, errors
/// served), and adds the timeline, plots, changes with suspects, and deadlines. What the data does not know is marked.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops postmortem new
  liveops postmortem new matchmaking-down --force
  liveops postmortem new --dry-run                # only shows it")]
pub(crate) struct NewArgs {
    /// Incident, or a part of its id [default: the last without a postmortem]
    #[arg(value_name = "ID")]
    pub(super) id: Option<String>,

    /// Write it anew over the one that is there
    #[arg(long)]
    force: bool,
}

#[derive(Debug, Serialize)]
struct KpiPlot {
    title: String,
    spark: String,
    words: String,
    file: Option<String>,
}

#[derive(Debug, Serialize)]
struct NewPostmortem {
    incident: String,
    path: String,
    plots: Vec<String>,
    impact: Vec<Measure>,
    suspects: usize,
    to_fill_in: usize,
    dry_run: bool,
    markdown: String,
}

pub(super) async fn run(args: NewArgs, cx: &Context) -> Result<Exit> {
    if cx.is_read_only()? && !cx.choices.dry_run {
        return Err(Error::Refused {
            why: "read-only: will not write a postmortem".into(),
            hint: "leave out `--read-only`, or look with `--dry-run`".into(),
        });
    }
    let log = source::which(cx, args.id.as_deref())?;
    let one = &log.incident;
    let path = source::document(cx, &one.id)?;
    if path.exists() && !args.force && !cx.choices.dry_run {
        return Err(Error::Refused {
            why: format!("{} exists already; nothing was written", path.display()),
            hint: format!(
                "`{}` looks what is left to do in it; `--force` writes it anew",
                cx.command(&format!("postmortem check {}", word(&one.id)))
            ),
        });
    }
    let now = cx.clock.now();
    let started = one.started.at().or(one.detected.at()).unwrap_or(now);
    let ended = one.resolved.at().or(one.mitigated.at());
    let span =
        IncidentWindow { from: started, to: ended.unwrap_or(now), harm: one.mitigated.at().or(ended).unwrap_or(now) };
    let figures = look(cx, &cx.kpis()?, span).await;
    let (measures, causes) =
        tokio::join!(impact(cx, &figures, span), causes(cx, &figures, one.service.as_deref(), span));
    let causes = causes?;
    let mut impact = vec![Measure {
        name: "duration",
        value: between(Some(started), Some(span.to)),
        evidence: if ended.is_some() { "the journal".into() } else { "the journal; it is not over".into() },
        known: true,
        amount: Some((span.to - started).as_seconds_f64()),
        unit: "seconds",
    }];
    impact.extend(measures);
    for measure in &mut impact {
        measure.value = cell(&measure.value);
        measure.evidence = cell(&measure.evidence);
    }
    let named = [("began", Some(started)), ("opened", one.detected.at()), ("mitigated", one.mitigated.at())];
    let marks: Vec<_> = named.into_iter().filter_map(|(name, at)| Some((at?, name))).collect();
    let mut plots = Vec::new();
    let kpis: Vec<KpiPlot> = figures
        .iter()
        .map(|figure| {
            let (spark, words) = figure.words(span);
            let plot = figure.plot(&marks);
            let file = plot.as_ref().map(|(file, _)| file.clone());
            plots.extend(plot);
            KpiPlot { title: figure.kpi.title().into_owned(), spark, words: cell(&words), file }
        })
        .collect();
    let remembered: Vec<_> = figures.iter().filter(|one| one.remembered).map(|one| one.kpi.title()).collect();
    let template = Template::find(cx, "postmortem/postmortem.md.j2", Some(TEMPLATE))?
        .ok_or_else(|| Error::internal("the shipped template is missing"))?;
    let people: Vec<String> = one.people.iter().map(|name| cell(name)).collect();
    let detected = one.detected.at();
    let moment = |at: Option<chrono::DateTime<chrono::Utc>>| at.map(stamp);
    let markdown = template.render(context! {
        id => one.id,
        title => cell(&one.title),
        severity => one.severity.word(),
        service => one.service.as_deref().map(cell),
        environment => one.environment,
        started => stamp(started),
        detected => moment(detected),
        acknowledged => moment(one.acknowledged.at()),
        mitigated => moment(one.mitigated.at()),
        resolved => moment(one.resolved.at()),
        people => people.join(", "),
        duration => between(Some(started), Some(span.to)),
        time_to_detect => between(Some(started), detected),
        time_to_acknowledge => between(detected, one.acknowledged.at()),
        time_to_mitigate => between(detected, one.mitigated.at()),
        impact => impact,
        kpis => kpis,
        remembered => remembered,
        timeline => timeline(&log.events),
        broken => causes.broken,
        suspects => causes.suspects,
        gaps => causes.gaps,
        deadlines => duties(&source::duties(cx, one, now)?),
    })?;
    let report = NewPostmortem {
        incident: one.id.clone(),
        path: path.display().to_string(),
        plots: plots.iter().map(|(file, _)| file.clone()).collect(),
        suspects: causes.suspects.len(),
        to_fill_in: Runbook::parse(&markdown).unfilled.len(),
        dry_run: cx.choices.dry_run,
        impact,
        markdown,
    };
    if !cx.choices.dry_run {
        for (file, svg) in &plots {
            write_shared(&path.with_file_name(file), svg, true)?;
        }
        write_shared(&path, &report.markdown, args.force)?;
    }
    let unknown = report.impact.iter().any(|measure| !measure.known);
    let next = Recommendation::new("see what is left to do", format!("liveops postmortem check {}", word(&one.id)));
    let mut meta = Meta {
        environment: Some(cx.environment()?.to_owned()),
        outcome: if unknown || !causes.gaps.is_empty() { Outcome::Partial } else { Outcome::Success },
        warnings: causes.gaps,
        ..Meta::steps(vec![next]).dense()
    };
    if report.dry_run {
        // The document, and nothing else.
        meta.tail.clear();
    }
    cx.show_anywhere(&report, meta)?;
    Ok(Exit::Good)
}

impl Report for NewPostmortem {
    fn schema(&self) -> &'static str {
        "liveops.postmortem.new/1"
    }

    fn names(&self) -> Option<Vec<String>> {
        Some(vec![self.path.clone()])
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        if self.dry_run {
            let lines = self.markdown.lines();
            return lines.map(|line| Block::Whole(vec![plain(line)])).collect();
        }
        let mut blocks =
            vec![Block::Whole(vec![tone::mark(Tone::Good, view), plain(format!(" {} is written", self.path))])];
        let mut table = Table::new(["", ""]).fixed(&[0]).indent(2);
        for measure in &self.impact {
            let tone = if measure.known { Tone::Strong } else { Tone::Unknown };
            table.row(vec![plain(measure.name), span(&measure.value, tone)]);
        }
        blocks.push(Block::Table(table));
        blocks.push(Block::text(format!(
            "  {}, {}, {} for you to fill in",
            count(self.plots.len(), "plot"),
            count(self.suspects, "suspect"),
            count(self.to_fill_in, "line")
        )));
        blocks
    }
}
