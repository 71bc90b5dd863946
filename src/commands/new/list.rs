//! `liveops new --list`: all kinds, what exists, what is stale, how many questions are open.

use serde::Serialize;

use crate::context::Context;
use crate::output::block::{Block, Span, Table, Tone, plain, span};
use crate::output::report::{Meta, Report};
use crate::output::view::View;
use liveops_domain::document::kind::Kind;
use liveops_domain::error::{Exit, Result};
use liveops_domain::text::count::count;
use liveops_engine::document::store::{Document, Standing, list};

#[derive(Debug, Serialize)]
struct Documents {
    documents: Vec<Document>,
}

pub(super) fn run(cx: &Context) -> Result<Exit> {
    let report = Documents { documents: list(cx)? };
    let next = report.documents.iter().find(|one| !matches!(one.state, Standing::UpToDate | Standing::Foreign));
    let meta = match next {
        Some(one) if one.state == Standing::Missing => Meta::next("write it", one.command.clone()),
        Some(_) => Meta::next("see what differs", "liveops new --check"),
        None => Meta::default(),
    };
    cx.show(&report, meta)?;
    Ok(Exit::Good)
}

/// The word for how a file stands.
pub(super) fn state(state: Standing) -> Span {
    let (word, tone) = match state {
        Standing::Missing => ("not written", Tone::Dim),
        Standing::UpToDate => ("up to date", Tone::Good),
        Standing::Stale => ("STALE", Tone::Warn),
        Standing::Edited => ("EDITED", Tone::Bad),
        Standing::Foreign => ("not liveops'", Tone::Dim),
    };
    span(word, tone)
}

/// The rows of documents.
pub(super) fn rows(documents: &[Document]) -> Table {
    let mut table = Table::new(["path", "kind", "state", "questions", "command"]);
    for one in documents {
        table.row(vec![
            plain(&one.path),
            plain(one.kind.name()),
            state(one.state),
            plain(one.questions.to_string()),
            plain(&one.command),
        ]);
    }
    table
}

impl Report for Documents {
    fn schema(&self) -> &'static str {
        "liveops.new.list/1"
    }

    fn blocks(&self, _view: &View) -> Vec<Block> {
        let many = |state: Standing| self.documents.iter().filter(|one| one.state == state).count();
        let mut parts = vec![format!("{} up to date", many(Standing::UpToDate))];
        for (state, word) in
            [(Standing::Stale, "stale"), (Standing::Edited, "edited"), (Standing::Missing, "not written")]
        {
            if many(state) > 0 {
                parts.push(format!("{} {word}", many(state)));
            }
        }
        let open: usize = self.documents.iter().map(|one| one.questions).sum();
        if open > 0 {
            parts.push(format!("{} open", count(open, "question")));
        }
        let mut blocks = vec![Block::Line(vec![plain(parts.join(" · "))]), Block::Blank];
        let mut table =
            Table::new(["kind", "state", "open", "file, or what would be in it"]).right(&[2]).fixed(&[0, 1, 2]);
        for one in &self.documents {
            let is_there = ![Standing::Missing, Standing::Foreign].contains(&one.state);
            // Dashboards differ in their names alone.
            let shows_path = one.state != Standing::Missing || one.kind == Kind::Grafana;
            table.row(vec![
                plain(one.kind.name()),
                state(one.state),
                plain(if is_there { one.questions.to_string() } else { String::new() }),
                if shows_path { plain(&one.path) } else { span(one.kind.about(), Tone::Dim) },
            ]);
        }
        blocks.push(Block::Table(table));
        blocks
    }

    fn rows(&self, _view: &View) -> Option<Table> {
        Some(rows(&self.documents))
    }
}
