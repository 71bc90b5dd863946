//! The firing alerts on the screen, grouped, with their runbooks.

use crate::output::block::{Block, Tone, plain, span};
use crate::output::tone;
use crate::output::view::View;
use liveops_domain::alert::{AlertState, Group, common_labels, group};
use liveops_domain::text::time::relative;
use liveops_engine::status::report::StatusReport;

/// More groups than this are counted by severity, not listed.
const LISTED: usize = 10;

/// Labels that say which one it is.
const FIRST: [&str; 4] = ["instance", "pod", "service", "region"];

pub(super) fn alerts(report: &StatusReport, view: &View) -> Vec<Block> {
    let readings = &report.gathered.readings;
    let Some(alerts) = &readings.alerts else {
        if !report.gathered.alerts_expected {
            return Vec::new();
        }
        let line = vec![plain("  "), tone::mark(Tone::Unknown, view), plain(" unknown: no source of alerts answers")];
        return vec![Block::heading("Alerts"), Block::Line(line)];
    };
    let groups = group(alerts.iter());
    let shown = |group: &&Group<'_>| matches!(group.state, AlertState::Firing | AlertState::Unknown);
    let loud: Vec<&Group<'_>> = groups.iter().filter(shown).collect();
    let pending = alerts.iter().filter(|alert| alert.state == AlertState::Pending).count();
    let quiet: usize =
        groups.iter().filter(|group| !shown(group)).map(|group| group.alerts.len()).sum::<usize>() - pending;
    let known = readings.alerts_as_of.is_none() && readings.alert_gaps.is_empty();
    let mut heading = vec![span("Alerts", Tone::Strong)];
    if let Some(at) = readings.alerts_as_of {
        heading.push(span(format!("  last known, {}", relative(at, view.now)), Tone::Unknown));
    }
    let mut blocks = vec![Block::Line(heading)];
    if loud.is_empty() {
        blocks.push(Block::Line(vec![
            plain("  "),
            tone::mark(if known { Tone::Good } else { Tone::Unknown }, view),
            plain(if known { " none firing" } else { " none known to fire" }),
        ]));
    }
    let common = common_labels(&loud);
    for group in loud.iter().take(LISTED) {
        blocks.extend(alert_lines(group, &common, view));
    }
    blocks.extend(rest(&loud, view));
    let said =
        |tone: Tone, text: &String| Block::Whole(vec![plain("  "), tone::mark(tone, view), plain(format!(" {text}"))]);
    blocks.extend(readings.alert_faults.iter().map(|text| said(Tone::Bad, text)));
    blocks.extend(readings.alert_gaps.iter().map(|text| said(Tone::Unknown, text)));
    let mut also = Vec::new();
    if pending > 0 {
        also.push(format!("{pending} pending"));
    }
    if quiet > 0 {
        also.push(format!("{quiet} kept quiet by silences, inhibition or time"));
    }
    if readings.alerts_elsewhere > 0 {
        also.push(format!("{} of other services", readings.alerts_elsewhere));
    }
    if !also.is_empty() {
        blocks.push(Block::Line(vec![span(format!("    and {}: liveops alerts", also.join(", ")), Tone::Dim)]));
    }
    blocks
}

/// How many more fire, by severity.
fn rest(groups: &[&Group<'_>], view: &View) -> Option<Block> {
    let more: usize = groups.iter().skip(LISTED).map(|group| group.alerts.len()).sum();
    if more == 0 {
        return None;
    }
    let mut by: Vec<(&str, usize)> = Vec::new();
    for group in groups.iter().skip(LISTED) {
        let severity = group.severity.unwrap_or("no severity");
        match by.iter_mut().find(|(known, _)| *known == severity) {
            Some((_, n)) => *n += group.alerts.len(),
            None => by.push((severity, group.alerts.len())),
        }
    }
    let by: Vec<String> = by.iter().map(|(severity, n)| format!("{n} {severity}")).collect();
    let text = format!("  {} and {more} more: {}: liveops alerts", view.pick("…", "..."), by.join(", "));
    Some(Block::Line(vec![span(text, Tone::Dim)]))
}

fn alert_lines(group: &Group<'_>, common: &[(String, Vec<String>)], view: &View) -> Vec<Block> {
    let tone = tone::alert(group.state, group.severity);
    let count =
        if group.alerts.len() > 1 { format!(" {}{}", view.pick("×", "x"), group.alerts.len()) } else { String::new() };
    let since = group.since.map_or_else(String::new, |at| {
        let seconds = (view.now - at).num_seconds().max(0).unsigned_abs();
        format!("for {}", liveops_domain::text::time::compact(seconds))
    });
    let mut labels = group.labels();
    labels.retain(|label| !common.contains(label));
    // Which one it is comes before what it belongs to.
    labels.sort_by_key(|(name, _)| FIRST.iter().position(|first| first == name).unwrap_or(FIRST.len()));
    let labels = labels.into_iter().map(|(name, values)| match values.as_slice() {
        [only] => format!("{name}={only}"),
        several => format!("{} {name}s", several.len()),
    });
    let head = Block::Line(vec![
        plain("  "),
        tone::mark(tone, view),
        span(format!(" {}{count}", group.name), Tone::Strong),
        span(format!("  {}", group.severity.unwrap_or("no severity")), tone),
        plain(if group.state == AlertState::Firing {
            format!("  {since}")
        } else {
            format!("  state {}", group.state.word())
        }),
        span(format!("  {}", labels.collect::<Vec<_>>().join(" ")), Tone::Dim),
    ]);
    let summary = group.alerts.iter().find_map(|alert| alert.annotations.get("summary"));
    let summary = summary.map(|text| Block::Whole(vec![plain(format!("      {text}"))]));
    let runbook = group.runbook.map(|link| Block::Line(vec![span(format!("      runbook {link}"), Tone::Dim)]));
    std::iter::once(head).chain(summary).chain(runbook).collect()
}
