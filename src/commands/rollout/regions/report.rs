//! A rollout over several regions as it is shown: a row a region, also for those that have not begun and those that do not
//! say where they stand. What is not known is never left out.

use crate::commands::rollout::report;
use crate::output::block::{Block, Table, Tone, plain, span};
use crate::output::view::View;
use liveops_domain::rollout::fleet::OnRegionFailure;
use liveops_domain::rollout::regional::{RegionEntry, RegionStatus, RegionalOverview};
use liveops_domain::text::count::count;
use liveops_domain::text::duration::human;

/// What is asked for by all of its regions, and where each stands.
pub(crate) fn table(overview: &RegionalOverview<'_>, view: &View) -> Vec<Block> {
    let back = match overview.fleet.on_failure {
        OnRegionFailure::Region => "a bad region rolls back alone",
        OnRegionFailure::Wave => "a bad region takes its wave back",
        OnRegionFailure::All => "a bad region takes all back",
    };
    let mut table =
        Table::new(["WAVE", "REGION", "STATE", "SHARE", "STEP", "NEXT", "WHY"]).right(&[0, 3]).fixed(&[0, 1, 3, 4, 5]);
    for line in &overview.entries {
        let (state, tone) = (line.state(), tone(line));
        let (share, step, next) = match line.at {
            RegionStatus::Known(row) => (
                format!("{}%", row.weight),
                format!("{}/{}", row.step + 1, row.steps.len()),
                row.until_next(view.now).map_or_else(String::new, human),
            ),
            RegionStatus::Unreachable(_) => ("?".into(), "?".into(), String::new()),
            RegionStatus::Pending | RegionStatus::Cancelled => ("-".into(), "-".into(), String::new()),
        };
        table.row(vec![
            plain(line.wave.to_string()),
            plain(line.region),
            span(state, tone),
            plain(share),
            plain(step),
            plain(next),
            span(line.summary(), Tone::Dim),
        ]);
    }
    vec![
        Block::Line(vec![
            span(format!("{} in {} ", overview.first.service, count(overview.entries.len(), "region")), Tone::Strong),
            plain(format!("{}  ", overview.first.image)),
            span(format!("policy {}, {back}", overview.first.policy), Tone::Dim),
        ]),
        Block::Table(table),
    ]
}

/// The table, and what there is to say of the region that matters most.
pub(crate) fn blocks(overview: &RegionalOverview<'_>, view: &View) -> Vec<Block> {
    let mut blocks = table(overview, view);
    let worst = overview.worst_first().into_iter().find_map(|line| match line.at {
        RegionStatus::Known(row) => Some(row),
        _ => None,
    });
    if let Some(row) = worst {
        blocks.push(Block::Blank);
        blocks.extend(report::blocks(row, view));
    }
    blocks
}

/// How the state of a region looks.
pub(crate) fn tone(line: &RegionEntry<'_>) -> Tone {
    match line.at {
        RegionStatus::Known(row) => report::tone(row),
        RegionStatus::Unreachable(_) => Tone::Unknown,
        RegionStatus::Pending | RegionStatus::Cancelled => Tone::Dim,
    }
}
