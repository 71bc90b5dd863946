//! `liveops runbook list`: what there is, and what liveops could write.

use clap::Args;
use serde::Serialize;

use crate::context::Context;
use crate::output::block::{Block, Table, Tone, plain, span};
use crate::output::report::{Meta, Report};
use crate::output::view::View;
use liveops_domain::error::{Exit, Result};
use liveops_domain::runbook::Purpose;
use liveops_domain::status::source::Recommendation;
use liveops_domain::text::shell::word;
use liveops_engine::runbook::library::RunbookLibrary;
use liveops_engine::runbook::scenario::SCENARIOS;

/// List the project's runbooks, and those that liveops can write
///
/// With how many steps each can run; of a scenario that is not written yet it says the command that writes it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops runbook list
  liveops runbook list -o name")]
pub(crate) struct ListArgs {}

#[derive(Debug, Serialize)]
struct Entry {
    name: String,
    purpose: Purpose,
    title: String,
    path: String,
    steps: usize,
}

/// A scenario that is not written yet.
#[derive(Debug, Serialize)]
struct Shipped {
    name: &'static str,
    when: &'static str,
}

#[derive(Debug, Serialize)]
struct RunbookList {
    runbooks: Vec<Entry>,
    shipped: Vec<Shipped>,
}

#[expect(clippy::unused_async, reason = "one shape for all verbs")]
pub(super) async fn run(_args: ListArgs, cx: &Context) -> Result<Exit> {
    let books = RunbookLibrary::open(cx)?.all()?;
    let shipped = SCENARIOS
        .iter()
        .filter(|scenario| !books.iter().any(|book| book.filed.name == scenario.name))
        .map(|scenario| Shipped { name: scenario.name, when: scenario.when });
    let report = RunbookList {
        shipped: shipped.collect(),
        runbooks: books
            .into_iter()
            .map(|book| Entry {
                title: book.filed.book.title,
                steps: book.filed.book.steps.len(),
                purpose: book.filed.purpose,
                path: book.filed.path,
                name: book.filed.name,
            })
            .collect(),
    };
    cx.show_anywhere(&report, Meta::steps(report.next()))?;
    Ok(Exit::Good)
}

impl RunbookList {
    fn table(&self) -> Table {
        let mut table = Table::new(["name", "for", "steps", "title"]).right(&[2]).fixed(&[0, 1, 2]);
        for entry in &self.runbooks {
            table.row(vec![
                span(&entry.name, Tone::Strong),
                plain(entry.purpose.word()),
                plain(entry.steps.to_string()),
                plain(&entry.title),
            ]);
        }
        table
    }

    fn next(&self) -> Vec<Recommendation> {
        let first = self.runbooks.first();
        let mut next = Vec::new();
        next.extend(
            first.map(|entry| Recommendation::new("read", format!("liveops runbook show {}", word(&entry.name)))),
        );
        next.push(match self.shipped.first() {
            Some(shipped) if first.is_none() => {
                Recommendation::new("write one", format!("liveops runbook new {}", shipped.name))
            }
            _ => Recommendation::new("check all", "liveops runbook check"),
        });
        next
    }
}

impl Report for RunbookList {
    fn schema(&self) -> &'static str {
        "liveops.runbook.list/1"
    }

    fn blocks(&self, _view: &View) -> Vec<Block> {
        let mut blocks = Vec::new();
        if self.runbooks.is_empty() {
            blocks.push(Block::text("the project has no runbooks yet"));
        } else {
            blocks.push(Block::Table(self.table()));
        }
        if !self.shipped.is_empty() {
            blocks.push(Block::Blank);
            blocks.push(Block::heading("ready to be written:"));
            let mut table = Table::new(["", ""]).fixed(&[0]).indent(2);
            for shipped in &self.shipped {
                table.row(vec![plain(shipped.name), span(shipped.when, Tone::Dim)]);
            }
            blocks.push(Block::Table(table));
        }
        blocks
    }

    fn rows(&self, _view: &View) -> Option<Table> {
        Some(self.table())
    }
}
