//! Ranges, intervals and waits that do not fit each other (A09, A10, A16).

use std::collections::BTreeSet;
use std::time::Duration;

use crate::check::alerts::file::WrittenRule;
use crate::check::alerts::set::{Placed, RuleSet};
use crate::check::finding::{Finding, Level, Unknown};
use crate::metric::promql::{Expr, VectorSelector};
use crate::text::duration::{human, to_promql};

/// Prometheus forgets a series that it has no sample of for so long.
const LOOKBACK: Duration = Duration::from_secs(300);

/// Functions that need two samples in their range.
const OF_TWO: [&str; 10] = [
    "rate",
    "irate",
    "increase",
    "delta",
    "idelta",
    "deriv",
    "predict_linear",
    "changes",
    "resets",
    "double_exponential_smoothing",
];

/// A09: too short a range, too long a range, too long an interval.
pub fn ranges(set: &RuleSet<'_>, placed: Placed<'_>) -> Vec<Finding> {
    let rule = placed.rule;
    let mut findings = Vec::new();
    let Some(tree) = &rule.tree else { return findings };
    let scrape = set.setting.scrape_interval;
    let mut seen = BTreeSet::new();
    tree.walk(&mut |expr| {
        if let Expr::Call { function, args } = expr
            && OF_TWO.contains(&function.name)
            && let Some(Expr::Selector(selector)) = args.first()
            && let Some(range) = selector.range
            && range < scrape * 2
            && selector.metric().is_none_or(|name| set.recording(name).is_empty())
            && seen.insert((function.name, range))
        {
            let why = format!(
                "`{}` over {} has less than two samples of a scrape every {}, and often no result",
                function.name,
                human(range),
                human(scrape)
            );
            let least = to_promql(scrape * 4);
            findings
                .push(rule.of_expr("A09", Level::High, why).fix(format!("look at four scrapes: `[{least}]` or more")));
        }
    });
    if let Some(kept) = set.setting.retention {
        let longest = tree.selectors().into_iter().map(|selector| {
            let back = selector
                .shift
                .offset
                .as_ref()
                .filter(|offset| !offset.ahead)
                .map_or(Duration::ZERO, |offset| offset.by);
            selector.range.unwrap_or_default() + back
        });
        if let Some(longest) = longest.max().filter(|longest| *longest > kept) {
            let why = format!("it looks back {}, and Prometheus keeps {}", human(longest), human(kept));
            findings.push(rule.of_expr("A09", Level::High, why).fix("look back less, or keep samples for longer"));
        }
    }
    findings
}

/// A09 of a group.
pub fn interval(placed: Placed<'_>) -> Option<Finding> {
    let interval = placed.group.interval.filter(|interval| *interval > LOOKBACK && placed.index == 0)?;
    let records = placed.group.rules.iter().any(|rule| !rule.is_alert);
    let (level, what) = match records {
        true => (Level::High, "what it records is gone for part of the time"),
        false => (Level::Medium, "its alerts come late"),
    };
    let why = format!(
        "the group is evaluated every {}, and a series is forgotten after {}: {what}",
        human(interval),
        human(LOOKBACK)
    );
    let mut finding = Finding::new("A09", level, placed.group.name.clone(), why);
    if !placed.rule.file.is_empty() {
        finding = finding.at(placed.rule.file.clone(), placed.group.line);
    }
    Some(finding.fix("use an interval of 5m or less"))
}

/// A10: what a single bad scrape would fire.
pub fn hold(set: &RuleSet<'_>, placed: Placed<'_>) -> Option<Finding> {
    let rule = placed.rule;
    let tree = rule.tree.as_ref()?;
    let two = set.setting.scrape_interval * 2;
    if is_absence(tree) && rule.held() < two {
        let why = match rule.hold {
            Some(hold) if !hold.is_zero() => {
                format!("`absent` with `for: {}` fires when one scrape is missed", to_promql(hold))
            }
            _ => "`absent` without `for` fires at each restart of Prometheus, and when one scrape is missed".into(),
        };
        return Some(
            rule.finding("A10", Level::Medium, why).fix(format!("add `for: {}` or more", to_promql(two.max(LOOKBACK)))),
        );
    }
    // `for: 0s` is what somebody wanted.
    if rule.hold.is_some() || !is_momentary(set, tree) {
        return None;
    }
    let why = "it has no `for`, and compares what a gauge is at one moment: one odd scrape fires it";
    Some(rule.finding("A10", Level::Medium, why).fix("add `for: 5m`, or `for: 0s` where the first sample is to page"))
}

/// Does it fire where `absent` does, whatever else there is?
fn is_absence(expr: &Expr) -> bool {
    match expr.bare() {
        Expr::Call { function, .. } => function.name == "absent",
        Expr::Binary(both) if both.op == "or" => is_absence(&both.lhs) || is_absence(&both.rhs),
        Expr::Binary(both) if both.op == "and" => is_absence(&both.lhs) && is_absence(&both.rhs),
        Expr::Binary(both) if both.op == "unless" => is_absence(&both.lhs),
        Expr::Binary(both) => is_absence(&both.lhs) && matches!(both.rhs.bare(), Expr::Number(_)),
        Expr::Aggregate { args, .. } => args.last().is_some_and(is_absence),
        _ => false,
    }
}

/// Words in the names of what moves with the clock, or is kept from an event long ago: it does not jump at one scrape.
const CLOCKS: [&str; 24] = [
    "since",
    "age",
    "ages",
    "timestamp",
    "timestamps",
    "time",
    "date",
    "expiry",
    "expiration",
    "expires",
    "expire",
    "ttl",
    "uptime",
    "created",
    "started",
    "last",
    "remaining",
    "left",
    "until",
    "notafter",
    "valid",
    "validity",
    "elapsed",
    "days",
];

/// Is it an age, or a moment?
fn is_clock(name: &str) -> bool {
    let lower = name.to_lowercase();
    let mut words = lower.split(['_', ':']).peekable();
    let mut is_clock = false;
    while let Some(word) = words.next() {
        // How long one answer took is no moment: `response_time`, `idle_time`.
        is_clock |= match word {
            "time" => ["start", "end", "boot", "created", "completion", "success", "last", "run", "expiry", "update"]
                .iter()
                .any(|kind| lower.contains(kind)),
            "last" => words.peek().is_some(),
            word => CLOCKS.contains(&word),
        };
    }
    is_clock || lower.contains("not_after") || lower.contains("last_success")
}

/// Is what is compared the value of one moment?
fn is_momentary(set: &RuleSet<'_>, expr: &Expr) -> bool {
    match expr.bare() {
        Expr::Binary(both) if both.is_comparison() => {
            !both.matching.return_bool && is_gauge(set, &both.lhs) && !looks_back(&both.rhs)
        }
        Expr::Binary(both) if both.op == "and" => is_momentary(set, &both.lhs) && !looks_back(&both.rhs),
        Expr::Binary(both) if both.op == "or" => is_momentary(set, &both.lhs) && is_momentary(set, &both.rhs),
        Expr::Binary(both) if both.op == "unless" => is_momentary(set, &both.lhs) && !looks_back(&both.rhs),
        _ => false,
    }
}

/// Do its series have ranges, offsets, or a past of their own?
fn looks_back(expr: &Expr) -> bool {
    let mut found = false;
    expr.walk(&mut |expr| match expr {
        Expr::Subquery { .. } => found = true,
        Expr::Selector(selector) => found |= selector.range.is_some() || selector.shift.offset.is_some(),
        Expr::Call { function, .. } => found |= ["time", "timestamp"].contains(&function.name),
        _ => {}
    });
    found
}

/// Words in the names of what stays until somebody repairs it.
const LASTING: [&str; 5] = ["failed", "failure", "health_detail", "degraded", "restart"];

fn is_gauge(set: &RuleSet<'_>, expr: &Expr) -> bool {
    let selectors = expr.selectors();
    // What somebody has recorded may be of a whole hour, and what counts whole events stays as it is.
    let lasts = |name: &str| {
        name.contains(':')
            || !set.recording(name).is_empty()
            || name.ends_with("_info")
            || name.ends_with("_total")
            || name.starts_with("ALERTS")
            || is_clock(name)
    };
    // A quantile is of all that happened in a while; and a state by its name or label is no reading.
    let is_state = |selector: &&VectorSelector| {
        let has = |text: &str| LASTING.iter().any(|word| text.contains(word));
        let matchers = || selector.matchers.iter().flatten();
        selector.metric().is_some_and(has) || matchers().any(|one| one.name == "quantile" || has(&one.value))
    };
    !selectors.is_empty()
        && !looks_back(expr)
        && !selectors.iter().any(|selector| selector.metric().is_none_or(lasts) || is_state(selector))
}

/// A16: recorded too late, or nowhere.
pub fn recorded(set: &RuleSet<'_>, placed: Placed<'_>) -> (Vec<Finding>, Vec<Unknown>) {
    let rule = placed.rule;
    let (mut findings, mut unknown) = (Vec::new(), Vec::new());
    let Some(tree) = &rule.tree else { return (findings, unknown) };
    let names: BTreeSet<&str> = tree.selectors().into_iter().filter_map(|selector| selector.metric()).collect();
    for name in names {
        let all = set.recording(name);
        let same = |other: &&Placed<'_>| std::ptr::eq(other.group, placed.group);
        let mut mine = all.iter().filter(same).peekable();
        if mine.peek().is_some() {
            if mine.all(|other| other.index > placed.index) {
                let why =
                    format!("`{name}` is recorded below it in the same group: it sees the value of one interval ago");
                findings.push(rule.of_expr("A16", Level::Medium, why).fix("record it first"));
            }
        } else if !all.is_empty() {
            let every = |placed: &Placed<'_>| placed.group.interval.unwrap_or(set.setting.evaluation_interval);
            let own = every(&placed);
            // Another group may record the same name as often; and what never changes is never late.
            let moves = |rule: &WrittenRule| rule.tree.as_ref().is_none_or(|tree| !tree.selectors().is_empty());
            let is_late = |other: &Placed<'_>| every(other) > own * 2;
            let slow = all.iter().find(|other| moves(other.rule) && is_late(other));
            if let Some(slow) = slow.filter(|_| all.iter().all(is_late)) {
                let why = format!(
                    "`{name}` is recorded every {} by group `{}`, and looked at every {}: it lags behind",
                    human(every(slow)),
                    slow.group.name,
                    human(own)
                );
                findings.push(rule.of_expr("A16", Level::Medium, why).fix("record it in the same group, or as often"));
            }
        } else if name.contains(':') {
            let elsewhere = set.setting.recorded_elsewhere.as_ref();
            if elsewhere.is_some_and(|names| names.contains(name)) {
                continue;
            }
            if set.setting.is_complete || elsewhere.is_some() {
                let why = format!("`{name}` is recorded by no rule");
                findings.push(rule.of_expr("A16", Level::Medium, why).fix("record it, or correct its name"));
            } else {
                let why = format!("`{name}` is recorded by no rule that was checked");
                unknown.push(Unknown { id: "A16", subject: rule.name.clone(), why });
            }
        }
    }
    (findings, unknown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::alerts::file::RuleFile;
    use crate::check::alerts::set::Setting;

    fn ids(rules: &str, setting: &Setting) -> String {
        let files = [RuleFile::read(&format!("groups:\n{rules}"), "r.yml")];
        assert!(files[0].findings.is_empty(), "{rules}: {:?}", files[0].findings);
        let set = RuleSet::new(&files, setting);
        let mut found = Vec::new();
        for placed in set.rules.iter().copied() {
            found.extend(ranges(&set, placed));
            found.extend(interval(placed));
            found.extend(hold(&set, placed).filter(|_| placed.rule.is_alert));
            found.extend(recorded(&set, placed).0);
        }
        found.iter().map(|found| found.id).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn each_is_caught_and_its_twin_is_not() {
        let setting =
            Setting { retention: Some(Duration::from_secs(15 * 86_400)), is_complete: true, ..Setting::default() };
        for (rule, want) in [
            ("expr: 'rate(x_total[15s]) > 1'", "A09"),
            ("expr: 'rate(x_total[1m]) > 1'", ""),
            ("expr: 'max_over_time(x[15s]) > 1'", ""),
            ("expr: 'x_total offset 20d > 1', for: 1m", "A09"),
            ("expr: 'avg_over_time(x[30d]) > 1', for: 1m", "A09"),
            ("expr: 'avg_over_time(x[14d]) > 1', for: 1m", ""),
            ("expr: absent(up)", "A10"),
            ("expr: absent(up), for: 10s", "A10"),
            ("expr: absent(up), for: 1m", ""),
            ("expr: 'absent(up) or up == 0'", "A10"),
            ("expr: 'absent(up) == 1'", "A10"),
            ("expr: 'x_total > 0 and absent(up)'", ""),
            ("expr: 'x_total > 0 unless absent(up)'", ""),
            ("expr: 'backup_seconds_since_success > 5'", ""),
            ("expr: 'image_age_days > 5'", ""),
            ("expr: 'oldest_replication_age > 5'", ""),
            ("expr: 'cert_ttl_seconds < 5'", ""),
            ("expr: 'last_backup_timestamp < 5'", ""),
            ("expr: 'job_start_time_seconds > 5'", ""),
            ("expr: 'http_response_time_seconds > 5'", "A10"),
            ("expr: 'disk_usage > 5'", "A10"),
            ("expr: 'job_failed == 1'", ""),
            ("expr: 'server_restart_count > 2'", ""),
            ("expr: 'md_disks{state=\"failed\"} > 0'", ""),
            ("expr: 'gc_duration_seconds{quantile=\"1\"} > 1'", ""),
            ("expr: 'ALERTS{alertname=\"B\"} == 1'", ""),
            ("expr: 'absent_over_time(up[10m])'", ""),
            ("expr: x > 5", "A10"),
            ("expr: x > 5, for: 1m", ""),
            ("expr: x > 5, for: 0s", ""),
            ("expr: 'rate(x_total[5m]) > 5'", ""),
            ("expr: 'increase(x_total[5m]) > 0'", ""),
            ("expr: 'time() - x > 5'", ""),
            ("expr: 'a:b > 5', for: 1m", "A16"),
        ] {
            let rules = format!("- {{name: g, rules: [{{alert: A, {rule}}}]}}\n");
            assert_eq!(ids(&rules, &setting), want, "{rule}");
        }
        let record = "{record: 'a:b', expr: x}";
        let alert = "{alert: A, expr: 'a:b > 1', for: 1m}";
        for (rules, want) in [
            (format!("- {{name: g, rules: [{record}, {alert}]}}\n"), ""),
            (format!("- {{name: g, rules: [{alert}, {record}]}}\n"), "A16"),
            (format!("- {{name: g, rules: [{record}]}}\n- {{name: h, rules: [{alert}]}}\n"), ""),
            (format!("- {{name: g, interval: 5m, rules: [{record}]}}\n- {{name: h, rules: [{alert}]}}\n"), "A16"),
            (
                format!(
                    "- {{name: g, interval: 5m, rules: [{record}]}}\n- {{name: i, rules: [{record}]}}\n- {{name: h, rules: [{alert}]}}\n"
                ),
                "",
            ),
            (
                format!(
                    "- {{name: g, interval: 5m, rules: [{{record: 'a:b', expr: 1}}]}}\n- {{name: h, rules: [{alert}]}}\n"
                ),
                "",
            ),
            (format!("- {{name: g, interval: 10m, rules: [{record}]}}\n"), "A09"),
        ] {
            assert_eq!(ids(&rules, &setting), want, "{rules}");
        }
    }
}
