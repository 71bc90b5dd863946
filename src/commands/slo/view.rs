//! How objectives look, here and on the status screen.

use crate::output::block::{Block, Span, Table, Tone, plain, span};
use crate::output::tone;
use crate::output::view::View;
use liveops_domain::metric::level::Level;
use liveops_domain::metric::quantity::Unit;
use liveops_domain::slo::budget::{self, Figure, Trend, times};
use liveops_domain::slo::burn::WINDOWS;
use liveops_domain::text::duration::{human, to_promql};
use liveops_domain::text::time::relative;
use liveops_engine::slo::status::SloStatus;

/// Below this width the shorter windows are left out.
const WIDE: usize = 100;

/// Below this width only the window of an hour is left.
const NARROWEST: usize = 66;

/// The windows of a narrow screen: those of the alerts that page, and the long ones.
const NARROW: [usize; 4] = [0, 2, 4, 6];

/// Three names at most, and how many more.
pub(super) fn three(names: &[&str], between: &str) -> String {
    let more = names.len().checked_sub(3).filter(|more| *more > 0).map(|more| format!(" and {more} more"));
    names.iter().take(3).copied().collect::<Vec<_>>().join(between) + &more.unwrap_or_default()
}

/// `99.97 %`: as many digits as tell it from the objective.
pub(crate) fn share(figure: &Figure) -> String {
    figure.as_ref().map_or_else(|_| "?".into(), |value| percent(*value))
}

/// A share near one keeps the digits that count.
pub(super) fn percent(value: f64) -> String {
    let percent = value * 100.0;
    let rest = (100.0 - percent).abs();
    let digits = match rest {
        rest if rest >= 1.0 => 1,
        rest if rest >= 0.1 => 2,
        rest if rest >= 0.01 => 3,
        _ => 4,
    };
    let text = format!("{percent:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text} %")
}

/// `62.1 %` of the budget; below zero it is overspent.
pub(crate) fn budget(figure: &Figure) -> String {
    figure.as_ref().map_or_else(|_| "?".into(), |left| format!("{:.1} %", left * 100.0))
}

/// A number of events or slices.
pub(super) fn number(value: f64) -> String {
    Unit::None.show(value)
}

/// A row an objective.
pub(super) fn table(slos: &[SloStatus], view: &View) -> Block {
    let wide = view.width >= WIDE;
    let shown: Vec<usize> = match view.width {
        WIDE.. => (0..WINDOWS.len()).collect(),
        NARROWEST.. => NARROW.to_vec(),
        _ => vec![NARROW[1]],
    };
    let mut columns = vec![String::new(), "SLO".into()];
    if wide {
        columns.push("objective".into());
    }
    columns.extend(["attained".to_owned(), "budget left".into()]);
    columns.extend(shown.iter().map(|index| to_promql(WINDOWS[*index])));
    let right: Vec<usize> = (2..columns.len()).collect();
    let fixed: Vec<usize> = (0..columns.len()).collect();
    let mut table = Table { columns, right, fixed, ..Table::default() };
    for one in slos {
        let tone = tone::level(one.budget.level);
        let mut row = vec![tone::mark(tone, view), plain(&one.slo.name)];
        if wide {
            row.push(span(one.slo.objective.to_string(), Tone::Dim));
        }
        row.extend([
            plain(share(&one.budget.attained)),
            span(budget(&one.budget.remaining), if one.budget.level == Level::Ok { Tone::Strong } else { tone }),
        ]);
        row.extend(shown.iter().map(|index| burn(one, *index, view)));
        table.row(row);
    }
    Block::Table(table)
}

/// A burn rate, in colour where it is above one.
fn burn(one: &SloStatus, index: usize, view: &View) -> Span {
    match one.budget.burn.get(index) {
        Some(Ok(burn)) => {
            let alerts =
                one.budget.alerting.iter().any(|pair| pair.long == WINDOWS[index] || pair.short == WINDOWS[index]);
            let tone = match () {
                () if alerts => tone::level(one.budget.level),
                () if *burn > 1.0 => Tone::Warn,
                () => Tone::Plain,
            };
            let text = times(*burn);
            span(if view.unicode { text } else { text.replace('×', "x") }, tone)
        }
        Some(Err(_)) | None => span("-", Tone::Dim),
    }
}

/// What a tired person needs beside the numbers.
pub(crate) fn detail(one: &SloStatus, view: &View) -> Vec<String> {
    let budget = &one.budget;
    let mut parts: Vec<String> = budget.reason.clone().into_iter().collect();
    if let Some(exhausts) = budget.exhausts {
        let when = relative(exhausts.at, view.now);
        parts.push(format!("the budget is spent {when} at the speed of the last {}", human(exhausts.by)));
    }
    if let Some((_, remaining)) = &budget.unadjusted {
        parts.push(format!("{} left with what is excluded counted", self::budget(remaining)));
    }
    let history = history(one, view).filter(|text| !parts.iter().any(|part| part.starts_with(text)));
    parts.extend(history);
    parts.extend(one.note.clone());
    parts
}

/// How much of the window has data, where that is not all of it.
pub(super) fn history(one: &SloStatus, view: &View) -> Option<String> {
    let covered = one.budget.covered.as_ref().ok().filter(|covered| **covered < 0.95)?;
    Some(budget::history(&one.slo, *covered, view.now))
}

/// Rising and falling in a word; nothing where it is steady.
pub(crate) fn trend(one: &SloStatus) -> Option<&'static str> {
    one.budget.trend.filter(|trend| *trend != Trend::Steady).map(Trend::name)
}

/// The burn that matters most: of the pair that alerts, else over the hour.
pub(crate) fn headline_burn(one: &SloStatus, view: &View) -> String {
    let window = one.budget.alerting.first().map_or(WINDOWS[2], |pair| pair.long);
    let index = WINDOWS.iter().position(|known| *known == window).unwrap_or(0);
    match one.budget.burn.get(index) {
        Some(Ok(burn)) => {
            let text = times(*burn);
            let text = if view.unicode { text } else { text.replace('×', "x") };
            format!("{text} over {}", to_promql(window))
        }
        _ => String::new(),
    }
}
