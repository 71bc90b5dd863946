//! One rollout as it is shown: where it stands, each condition with its numbers, what happened.

use crate::output::block::{Block, Span, Table, Tone, plain, span};
use crate::output::view::View;
use liveops_domain::guard::verdict::{Outcome, Verdict};
use liveops_domain::metric::quantity::Unit;
use liveops_domain::rollout::row::{RolloutRow, outcome_word, role_prefix, share};
use liveops_domain::rollout::state::Phase;
use liveops_domain::text::duration::human;
use liveops_domain::text::sparkline::sparkline;

/// Columns from which a table of conditions has room for everything.
pub(crate) const WIDE: usize = 100;

/// Transitions that a screen shows.
pub(crate) const SHOWN: usize = 6;

/// How it looks.
pub(crate) fn tone(row: &RolloutRow) -> Tone {
    match row.phase {
        phase if phase.is_back() => Tone::Bad,
        _ if row.needs_somebody() => Tone::Warn,
        Phase::Succeeded | Phase::Window => Tone::Good,
        _ => Tone::Strong,
    }
}

/// One rollout: where it stands, its conditions, what happened last.
pub(crate) fn blocks(row: &RolloutRow, view: &View) -> Vec<Block> {
    let what = match row.is_ramp() {
        true => "ramp".to_owned(),
        false => row.image.clone(),
    };
    let mut blocks = vec![Block::Line(vec![
        span(format!("{} ", row.title()), Tone::Strong),
        plain(format!("{what}  ")),
        span(row.state(), tone(row)),
        plain(format!("  {}", share(row.weight))),
        span(format!("  step {}/{}  policy {}", row.step + 1, row.steps.len(), row.policy), Tone::Dim),
    ])];
    blocks.push(Block::Line(track(row, view)));
    if let Some(held) = &row.held {
        blocks.push(Block::Whole(vec![
            span("held: ", Tone::Warn),
            plain(format!("{} ({})", held.text, view.time(held.since))),
        ]));
    }
    if let Some(stuck) = &row.stuck {
        blocks.push(Block::Whole(vec![
            span("not back: ", Tone::Bad),
            plain(format!("{} ({})", stuck.text, view.time(stuck.since))),
        ]));
        if let Some(command) = &stuck.by_hand {
            blocks.push(Block::next("by hand", command.clone()));
        }
    }
    if let Some(reason) = &row.reason {
        blocks.push(Block::Whole(vec![span("because: ", Tone::Bad), plain(reason.clone())]));
    }
    if let Some(left) = row.until_next(view.now) {
        let what = match row.phase {
            Phase::Window => "the old version is kept for another",
            _ => "next decision in",
        };
        blocks.push(Block::Line(vec![span(format!("{what} {}", human(left)), Tone::Dim)]));
    }
    if !row.verdicts.is_empty() {
        blocks.push(Block::Blank);
        blocks.push(Block::Table(conditions(row, view)));
        if view.width < WIDE {
            blocks.extend(comparisons(row, view));
        }
    }
    blocks.push(Block::Blank);
    let from = row.transitions.len().saturating_sub(SHOWN);
    for transition in &row.transitions[from..] {
        blocks.push(Block::Line(vec![
            span(format!("{}  ", transition.at.format("%H:%M:%S")), Tone::Dim),
            span(format!("{:>4}  ", transition.weight.to_string()), Tone::Dim),
            plain(transition.text.clone()),
        ]));
    }
    blocks
}

/// `[5] 15 25 … 100`, the present step marked.
fn track(row: &RolloutRow, view: &View) -> Vec<Span> {
    let mut spans = vec![span("steps ", Tone::Dim)];
    for (index, step) in row.steps.iter().enumerate() {
        let over = index < row.step || matches!(row.phase, Phase::Window | Phase::Finishing | Phase::Succeeded);
        let (text, tone) = if over {
            (format!("{step}{} ", view.pick("✓", "+")), Tone::Good)
        } else if index == row.step {
            (format!("[{step}] "), tone(row))
        } else {
            (format!("{step} "), Tone::Dim)
        };
        spans.push(span(text, tone));
    }
    spans
}

fn conditions(row: &RolloutRow, view: &View) -> Table {
    let wide = view.width >= WIDE;
    let mut table = if wide {
        Table::new(["CONDITION", "VALUE", "STABLE", "N", "BOUND", "LIMIT", "VERDICT", "WHY", "TREND"])
            .right(&[1, 2, 3, 4, 5])
            .fixed(&[0, 1, 2, 3, 4, 5, 6, 8])
    } else {
        Table::new(["CONDITION", "VALUE", "N", "LIMIT", "VERDICT"]).right(&[1, 2, 3]).fixed(&[0, 1, 2, 3, 4])
    };
    for verdict in &row.verdicts {
        let unit = Unit::from_name(&verdict.unit);
        let show = |value: Option<f64>| plain(value.map_or_else(|| "-".to_owned(), |value| unit.show(value)));
        let tone = match (verdict.outcome, verdict.role) {
            (Outcome::Pass, _) => Tone::Good,
            (Outcome::Fail, _) => Tone::Bad,
            (Outcome::NoEvidence, _) => Tone::Unknown,
            (Outcome::Error, _) => Tone::Warn,
        };
        let lead = role_prefix(verdict);
        let n = plain(verdict.n.map_or_else(|| "-".into(), |n| format!("{n:.0}")));
        let name = Span { text: format!("{lead}{}", verdict.condition), tone: Tone::Plain };
        table.row(if wide {
            vec![
                name,
                show(verdict.value),
                show(verdict.stable),
                n,
                show(verdict.bound),
                show(verdict.threshold),
                span(outcome_word(verdict), tone),
                span(verdict.reason.clone(), Tone::Dim),
                span(trend(row, verdict, view), Tone::Series(0)),
            ]
        } else {
            vec![name, show(verdict.value), n, show(verdict.threshold), span(outcome_word(verdict), tone)]
        });
    }
    table
}

/// Where the table has no room for it: each metric of the canary beside the stable one's, and how that went.
fn comparisons(row: &RolloutRow, view: &View) -> Vec<Block> {
    let mut seen = Vec::new();
    let mut blocks = Vec::new();
    for verdict in &row.verdicts {
        let metric = verdict.condition.split(' ').next().unwrap_or_default();
        let trend = trend(row, verdict, view);
        let (Some(canary), false) = (verdict.value, trend.is_empty()) else {
            continue;
        };
        if seen.contains(&metric) {
            continue;
        }
        seen.push(metric);
        let unit = Unit::from_name(&verdict.unit);
        let mut text = format!("  {metric}: canary {}", unit.show(canary));
        if let Some(stable) = verdict.stable {
            text.push_str(&format!(", stable {}", unit.show(stable)));
        }
        blocks.push(Block::Line(vec![span(trend, Tone::Series(0)), span(text, Tone::Dim)]));
    }
    blocks
}

/// Canary above stable, at each look: half is as good as stable.
fn trend(row: &RolloutRow, verdict: &Verdict, view: &View) -> String {
    let values: Vec<Option<f64>> = row
        .history
        .iter()
        .filter(|old| old.condition == verdict.condition && old.role == verdict.role)
        .map(|old| Some(old.value? - old.stable.unwrap_or(0.0)))
        .collect();
    if values.len() < 3 {
        return String::new();
    }
    sparkline(&values, 10, !view.unicode)
}
