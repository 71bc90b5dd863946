//! `liveops runbook show`: a runbook, drawn for the terminal.

use clap::Args;
use serde::Serialize;

use crate::context::Context;
use crate::output::block::{Block, Table, Tone, plain, span};
use crate::output::markdown;
use crate::output::report::{Meta, Report};
use crate::output::view::View;
use liveops_domain::error::{Exit, Result};
use liveops_domain::runbook::step::Step;
use liveops_domain::runbook::{Purpose, Section};
use liveops_domain::status::source::Recommendation;
use liveops_domain::text::shell::word;
use liveops_engine::runbook::filled;
use liveops_engine::runbook::library::RunbookFile;

/// Show a runbook
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops runbook show GameServerDown
  liveops runbook show rollback --section mitigation
  liveops runbook show docs/runbooks/rollback.md --raw")]
pub(crate) struct ShowArgs {
    /// Alert, scenario, or path of a Markdown file
    #[arg(value_name = "NAME")]
    name: String,

    /// Only the sections whose heading has this text
    #[arg(long, value_name = "TEXT", conflicts_with = "raw")]
    section: Option<String>,

    /// The Markdown as it is
    #[arg(long)]
    raw: bool,
}

#[derive(Debug, Serialize)]
struct RunbookDetail {
    name: String,
    purpose: Purpose,
    title: String,
    path: String,
    /// `false`: it is the one that is shipped, and there is no such file yet.
    is_written: bool,
    sections: Vec<Section>,
    steps: Vec<Step>,
    markdown: String,
}

pub(super) fn run(args: &ShowArgs, cx: &Context) -> Result<Exit> {
    let RunbookFile { filed, text, is_written, .. } = filled::find(cx, &args.name)?;
    if args.raw {
        cx.output.write(&text)?;
        return Ok(Exit::Good);
    }
    let markdown = match &args.section {
        None => text,
        Some(wanted) => {
            let part = section(&text, &filed.book.sections, wanted);
            part.ok_or_else(|| liveops_domain::error::Error::NotFound {
                what: "section",
                name: wanted.clone(),
                candidates: filed.book.sections.iter().map(|section| section.title.clone()).collect(),
            })?
        }
    };
    let report = RunbookDetail {
        name: filed.name,
        purpose: filed.purpose,
        title: filed.book.title,
        path: filed.path,
        is_written,
        sections: filed.book.sections,
        steps: filed.book.steps,
        markdown,
    };
    cx.show_anywhere(&report, Meta::steps(report.next()))?;
    Ok(Exit::Good)
}

/// The lines of the sections whose heading has the text.
fn section(text: &str, sections: &[Section], wanted: &str) -> Option<String> {
    let wanted = wanted.to_lowercase();
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (index, section) in sections.iter().enumerate() {
        if section.title.to_lowercase().contains(&wanted) {
            let next = sections[index + 1..].iter().find(|next| next.level <= section.level);
            let end = next.map_or(lines.len(), |next| next.line - 1);
            found.extend_from_slice(&lines[section.line - 1..end]);
        }
    }
    (!found.is_empty()).then(|| found.join("\n"))
}

impl RunbookDetail {
    fn next(&self) -> Vec<Recommendation> {
        let name = word(&self.name);
        let run = (!self.steps.is_empty()).then(|| ("run its steps", format!("liveops runbook run {name}")));
        let write = (!self.is_written).then(|| ("write it, to fill it in", format!("liveops runbook new {name}")));
        run.into_iter().chain(write).map(|(why, command)| Recommendation::new(why, command)).collect()
    }
}

impl Report for RunbookDetail {
    fn schema(&self) -> &'static str {
        "liveops.runbook/1"
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        let shipped = "shipped with liveops: it is not written yet, and knows only what is configured";
        let from = if self.is_written { self.path.as_str() } else { shipped };
        let mut blocks = vec![Block::Line(vec![span(from, Tone::Dim)])];
        blocks.extend(markdown::blocks(&self.markdown, view));
        blocks
    }

    fn rows(&self, _view: &View) -> Option<Table> {
        let mut table = Table::new(["step", "section", "command", "check", "rollback"]);
        for step in &self.steps {
            table.row(vec![
                plain(&step.name),
                plain(&step.section),
                plain(&step.command),
                plain(step.check.as_deref().unwrap_or_default()),
                plain(step.rollback.as_deref().unwrap_or_default()),
            ]);
        }
        Some(table)
    }
}
