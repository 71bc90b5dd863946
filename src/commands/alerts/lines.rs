//! Groups of alerts as lines of a screen: mark, name, severity, how many, for how long, and where they differ.

use chrono::{DateTime, Utc};

use crate::output::block::{Block, Span, Tone, plain, span};
use crate::output::tone;
use crate::output::view::View;
use liveops_domain::alert::{Alert, AlertState, Delivery, Group, common_labels};
use liveops_domain::text::time::compact;

/// Names are given no more room than this, so that the rest of the line is seen, too.
const NAME_ROOM: usize = 34;

/// Values of a label beyond these are counted, not listed.
const VALUES: usize = 3;

/// In a flood so many groups, the worst, have their sentence and runbook: the others are to be seen at a glance.
const DETAILED: usize = 10;

/// The groups, one a line; below those that call for attention the sentence for people, and the runbook. At most `most`
/// groups.
pub(crate) fn groups(groups: &[Group<'_>], most: usize, view: &View) -> Vec<Block> {
    let shown = &groups[..groups.len().min(most)];
    let width = |text: fn(&Group<'_>) -> usize, room: usize| shown.iter().map(text).max().unwrap_or(0).min(room);
    let name = width(|group| group.name.chars().count(), NAME_ROOM);
    let severity = width(|group| severity(group).chars().count(), 12);
    let mut blocks = Vec::new();
    let common = common_labels(&shown.iter().collect::<Vec<_>>());
    for (place, group) in shown.iter().enumerate() {
        blocks.push(line(group, name, severity, &common, view));
        let urgent = place < DETAILED && matches!(group.state, AlertState::Firing | AlertState::Pending);
        let summary = group.alerts.iter().find_map(|alert| alert.annotations.get("summary"));
        if let (true, Some(summary)) = (urgent, summary) {
            blocks.push(Block::Whole(vec![plain(format!("    {summary}"))]));
        }
        if let (true, Some(runbook)) = (urgent, group.runbook) {
            blocks.push(Block::Whole(vec![span("    runbook: ", Tone::Dim), plain(runbook)]));
        }
    }
    if groups.len() > shown.len() {
        blocks.push(Block::Line(vec![span(
            format!("  and {}", liveops_domain::text::count::count(groups.len() - shown.len(), "more group")),
            Tone::Dim,
        )]));
    }
    blocks
}

fn severity<'a>(group: &Group<'a>) -> &'a str {
    group.severity.unwrap_or("-")
}

fn line(group: &Group<'_>, name: usize, room: usize, common: &[Label], view: &View) -> Block {
    let tone = tone::alert(group.state, group.severity);
    let count = match group.alerts.len() {
        1 => String::new(),
        n => format!("{}{n}", view.pick("×", "x")),
    };
    let mut spans: Vec<Span> = vec![
        tone::mark(tone, view),
        span(format!(" {:<name$}", group.name), Tone::Strong),
        span(format!("  {:<room$}", severity(group)), tone),
        plain(format!(" {count:>4} {:>7}  ", age(group.since, view.now))),
    ];
    if group.state != AlertState::Firing {
        spans.push(span(format!("{}  ", group.state.word()), tone));
    }
    if group.alerts.iter().any(|alert| alert.is_undelivered()) {
        spans.push(span("not in Alertmanager  ", Tone::Bad));
    }
    spans.push(span(place(group, common), Tone::Dim));
    Block::Line(spans)
}

/// What both sources say of an alert, where they differ.
pub(crate) fn delivery(delivery: Delivery) -> Option<&'static str> {
    match delivery {
        Delivery::Delivered => None,
        Delivery::Underway => Some("Prometheus fires it; Alertmanager does not have it (yet)"),
        Delivery::Undelivered => Some("Prometheus fires it, and Alertmanager does not have it: nobody may be paged"),
        Delivery::NotFiring => Some("Alertmanager has it; no rule of this Prometheus fires it now"),
    }
}

/// For how long.
pub(crate) fn age(since: Option<DateTime<Utc>>, now: DateTime<Utc>) -> String {
    since.map_or_else(|| "?".into(), |since| compact((now - since).num_seconds().unsigned_abs()))
}

/// A label, and the values that it has.
type Label = (String, Vec<String>);

/// What tells these alerts from others: where they differ first, then what they have in common, without what `everybody`
/// has.
pub(crate) fn place(group: &Group<'_>, everybody: &[Label]) -> String {
    let own = group.labels().into_iter().filter(|label| !everybody.contains(label));
    let (differ, common): (Vec<_>, Vec<_>) = own.partition(|(_, values)| values.len() > 1);
    let list = |(name, values): (String, Vec<String>)| match values.len() {
        1 => format!("{name}={}", values[0]),
        n if n > VALUES => format!("{} of {name}", liveops_domain::text::count::count(n, "value")),
        _ => format!("{name}={}", values.join("|")),
    };
    differ.into_iter().chain(common).map(list).collect::<Vec<_>>().join(" ")
}

/// `3 firing (2 critical), 1 pending, 2 silenced`.
pub(crate) fn count(alerts: &[&Alert]) -> String {
    let of = |state: AlertState| alerts.iter().filter(|alert| alert.state == state).count();
    let critical = alerts
        .iter()
        .filter(|alert| alert.state.is_loud() && tone::alert(alert.state, alert.severity.as_deref()) == Tone::Bad)
        .count();
    let mut parts = vec![match of(AlertState::Firing) {
        0 => "nothing fires".to_owned(),
        n if critical == 0 => format!("{n} firing"),
        n if critical == n => format!("{n} firing, critical"),
        n => format!("{n} firing ({critical} critical)"),
    }];
    for state in
        [AlertState::Unknown, AlertState::Pending, AlertState::Silenced, AlertState::Inhibited, AlertState::Muted]
    {
        if of(state) > 0 {
            parts.push(format!("{} {}", of(state), state.word()));
        }
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use liveops_domain::alert::group;
    use liveops_domain::metric::labels::Labels;

    fn alert(instance: &str) -> Alert {
        Alert {
            name: "Down".into(),
            state: AlertState::Firing,
            severity: Some("critical".into()),
            labels: Labels::from([
                ("alertname".into(), "Down".into()),
                ("instance".into(), instance.into()),
                ("job".into(), "game".into()),
            ]),
            since: DateTime::from_timestamp(1_700_000_000, 0),
            runbook: Some("runbooks/Down.md".into()),
            ..Alert::default()
        }
    }

    #[test]
    fn where_they_differ_comes_first() {
        let text = |count: u8| {
            let alerts: Vec<Alert> = (0..count).map(|n| alert(&n.to_string())).collect();
            place(&group(&alerts)[0], &[])
        };
        assert_eq!(text(1), "instance=0 job=game");
        assert_eq!(text(3), "instance=0|1|2 job=game");
        assert_eq!(text(5), "5 values of instance job=game");
    }

    #[test]
    fn in_a_flood_the_worst_are_told_in_full() {
        let alerts: Vec<Alert> =
            (0..30).map(|n| Alert { name: format!("Down{n:02}"), ..alert(&n.to_string()) }).collect();
        let view = View { width: 80, height: None, unicode: true, terminal: true, now: DateTime::default() };
        let blocks = groups(&group(&alerts), usize::MAX, &view);
        assert_eq!(blocks.iter().filter(|block| matches!(block, Block::Whole(_))).count(), DETAILED);
        assert_eq!(blocks.len(), 30 + DETAILED, "none is left out");
    }

    #[test]
    fn states_are_counted() {
        let mut quiet = alert("q");
        quiet.state = AlertState::Silenced;
        let mut minor = alert("m");
        minor.severity = Some("low".into());
        assert_eq!(count(&[]), "nothing fires");
        assert_eq!(count(&[&alert("a"), &minor, &quiet]), "2 firing (1 critical), 1 silenced");
    }
}
