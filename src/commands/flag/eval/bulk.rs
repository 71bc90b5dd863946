//! Users from a file or a pipe: one thread reads, one a core decides, and what they write comes out in order.
//!
//! Everything in between is bounded, so that memory does not grow with the input. The threads work on their own while
//! the command stays open for signals.

use std::sync::Arc;

use serde::Serialize;

use crate::commands::flag::eval::{asked_for, load};
use crate::context::Context;
use crate::output::block::{Block as Shown, Tone, plain, span};
use crate::output::format::Format;
use crate::output::framed;
use crate::output::report::{Meta, Report};
use crate::output::view::View;
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::flag::audience::Counts;
use liveops_domain::flag::bulk::Bulk;
use liveops_domain::flag::name::FlagName;
use liveops_domain::flag::reader::Reader;
use liveops_domain::status::source::{Recommendation, Verdict};
use liveops_domain::text::shell::word;
use liveops_engine::flag::eval::bulk::{Request, Tally, stream};
use liveops_engine::flag::eval::lines::Question;
use liveops_engine::flag::eval::rows::Shape;
use liveops_engine::flag::users::input::{Form, Input};

/// How many are on.
#[derive(Debug, Serialize)]
struct BulkEvaluation {
    flag: String,
    reader: Reader,
    #[serde(flatten)]
    tally: Tally,
}

impl BulkEvaluation {
    fn summary(&self) -> Shown {
        let Tally { users, counts: Counts { on, off, unknown }, empty_lines } = self.tally;
        let share = if users == 0 { 0.0 } else { on as f64 * 100.0 / users as f64 };
        let mut line = vec![
            span(&self.flag, Tone::Strong),
            plain(format!(" is on for {on} of {users} users ({share:.2} %), off for {off}")),
        ];
        if unknown > 0 {
            line.push(span(format!(", unknown for {unknown}"), Tone::Unknown));
        }
        if empty_lines > 0 {
            line.push(span(format!("; {empty_lines} empty lines"), Tone::Dim));
        }
        Shown::Line(line)
    }
}

impl Report for BulkEvaluation {
    fn schema(&self) -> &'static str {
        "liveops.flag.eval-count/1"
    }

    fn blocks(&self, _view: &View) -> Vec<Shown> {
        vec![self.summary()]
    }
}

pub(super) async fn run(name: &FlagName, reader: Reader, request: &Request<'_>, cx: &Context) -> Result<Exit> {
    let shape = match (request.count, cx.output.format()) {
        (true, _) => {
            cx.output.refuse_rows()?;
            Shape::Count
        }
        (false, Format::Csv) => Shape::Csv,
        (false, Format::Json) => Shape::Json,
        (false, Format::Name) => Shape::Names,
        (false, Format::Table) => Shape::Table,
        // The documents are refused before a command runs.
        (false, _) => {
            return Err(Error::usage(
                "a row for each user has no YAML form",
                "use `-o json`, `-o csv` or `-o name`, or only `--count`",
            ));
        }
    };
    let input = Input::open(cx, request.users, request.form).await?;
    let flag = load(name, cx).await?;
    let asked = asked_for(&flag);
    let mut warnings = Vec::new();
    if input.form == Form::Ids && !asked.is_empty() {
        let asked = asked.join(", ");
        warnings.push(format!("rules ask for {asked}, and ids alone were given: they were taken for missing; JSON lines or CSV can hold them"));
    }
    let question =
        Arc::new(Question { bulk: Bulk::new(flag, name.clone(), reader), shape, json: input.form == Form::Jsonl });
    cx.output.write(shape.header())?;
    let tally = stream(input, question, cx.voice.as_ref(), |rows| cx.output.write(rows)).await?;
    let report = BulkEvaluation { flag: name.to_string(), reader, tally };
    let verdict = if report.tally.counts.unknown == 0 { Verdict::Pass } else { Verdict::Unknown };
    let get = cx.command(&format!("flag get {}", word(name.as_str())));
    let next = Meta::steps(vec![Recommendation::new("who it can reach at all", get)]);
    let meta = Meta { verdict, warnings, ..next };
    if shape == Shape::Count {
        cx.show(&report, meta)?;
        return Ok(verdict.into());
    }
    for warning in &meta.warnings {
        cx.output.warn(warning);
    }
    if shape == Shape::Table {
        let view = cx.output.view(cx.clock.now());
        let blocks = [vec![Shown::Blank], framed(&report, &meta, &view)].concat();
        cx.output.write(&cx.output.lines(&blocks, &view).join("\n"))?;
    }
    Ok(verdict.into())
}
