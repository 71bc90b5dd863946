//! The report of `liveops query`: its JSON contract, its CSV rows, and the outline of its screen.

use crate::commands::query::result::{QueryResult, exact_time};
use crate::commands::query::value::exact;
use crate::commands::query::{picture, table};
use crate::output::block::{Block, Table, Tone, plain, span};
use crate::output::report::Report;
use crate::output::view::View;
use liveops_domain::metric::labels::Labels;
use liveops_domain::metric::series::Point;
use liveops_engine::query::result::{QueryData, full_name};
use liveops_engine::query::window::Window;

/// Expressions longer than this are not repeated in the next command.
pub(crate) const LONGEST_NEXT: usize = 200;

impl Report for QueryResult {
    fn schema(&self) -> &'static str {
        "liveops.query/1"
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        let mut blocks = self.heading(view);
        if self.result.is_empty() {
            blocks.push(Block::Line(vec![
                span("no data", Tone::Unknown),
                plain(match self.window {
                    Window::Instant(None) => " now".into(),
                    Window::Instant(Some(at)) => format!(" at {}", exact_time(at)),
                    Window::Range { start, end, .. } => {
                        format!(" from {} to {}", exact_time(start), exact_time(end))
                    }
                }),
            ]));
            let hint = |hint: &String| Block::Whole(vec![plain(format!("  {hint}"))]);
            blocks.extend(self.absence.hints.iter().map(hint));
        } else if self.plot {
            blocks.extend(picture::blocks(self, view));
        } else {
            blocks.extend(table::blocks(self, view));
        }
        blocks
    }

    /// A row a sample: `timestamp`, `value`, then a column a label.
    fn rows(&self, _view: &View) -> Option<Table> {
        let mut names: Vec<&String> = self.result.labels().iter().flat_map(|l| l.keys()).collect();
        names.sort();
        names.dedup();
        let mut table = Table::default();
        let fixed = ["timestamp", "value"].into_iter().map(ToOwned::to_owned);
        table.columns.extend(fixed);
        let labels = names.iter().map(|name| (*name).clone());
        table.columns.extend(labels);
        let mut add = |point: &Point, labels: &Labels| {
            let mut row = vec![plain(exact_time(point.at)), plain(exact(&point.value))];
            let label = |name: &&String| plain(labels.get(*name).cloned().unwrap_or_default());
            row.extend(names.iter().map(label));
            table.rows.push(row);
        };
        match &self.result {
            QueryData::Vector(samples) => samples.iter().for_each(|one| add(&one.point, &one.labels)),
            QueryData::Matrix(series) => {
                for one in series {
                    one.points.iter().for_each(|point| add(point, &one.labels));
                }
            }
            QueryData::Scalar(point) => add(point, &Labels::new()),
            QueryData::String { at, text } => {
                table.row(vec![plain(exact_time(*at)), plain(text.clone())]);
            }
        }
        Some(table)
    }

    fn names(&self) -> Option<Vec<String>> {
        Some(self.result.labels().into_iter().map(full_name).collect())
    }
}
