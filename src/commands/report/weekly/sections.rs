//! The parts of the weekly page.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use liveops_domain::change::timeline::{Change, Kind};
use liveops_domain::metric::level::Level;
use liveops_domain::report::course::Course;
use liveops_domain::report::dora::ServiceDora;
use liveops_domain::slo::budget::BudgetCount;
use liveops_domain::status::source::Verdict;
use liveops_domain::text::count::count;
use liveops_engine::report::Part as Known;
use liveops_engine::report::weekly::{Trigger, WeeklyReport};

use crate::commands::report::incidents::{actions, pages, tiles};
use crate::commands::report::view::{incident_table, share, spread, timeline};
use crate::commands::slo::view::{budget, share as attained};
use crate::output::block::{Span, Table, Tone, plain, span};
use crate::output::page::{Chart, Page, Part, Plot, Section, Tile, moment};
use crate::output::tone;

/// Changes on the page; programs have all.
const CHANGES: usize = 15;

/// Stale flags on the page.
const FLAGS: usize = 10;

/// Days that the picture of changes has a column each for.
const DAYS: usize = 31;

/// What is wrong, by name and number.
pub(super) fn verdict(report: &WeeklyReport) -> Verdict {
    let open = report.incidents.data.as_ref().is_some_and(|one| one.open > 0);
    let worst = levels(report).max();
    match worst {
        Some(Level::Critical) => Verdict::Fail,
        _ if open => Verdict::Fail,
        _ if !report.unknowns.is_empty() => Verdict::Unknown,
        Some(Level::Warn) => Verdict::Warn,
        _ => Verdict::Pass,
    }
}

fn levels(report: &WeeklyReport) -> impl Iterator<Item = Level> {
    let slos = report.slos.data.iter().flatten().map(|one| one.status.budget.level);
    slos.chain(report.capacity.data.iter().flatten().map(|one| one.0.level))
}

pub(super) fn draw(mut page: Page, report: &WeeklyReport) -> Page {
    page.verdict = headline(report);
    page.tiles = numbers(report);
    page.sections = vec![
        slos(report),
        incidents(report),
        deployments(report),
        changes(report),
        flags(report),
        capacity(report),
        section("Action items", &report.action_items, |items| actions(items).parts),
        waivers(report),
        unknowns(report),
    ];
    page
}

/// A part with who said so; what is missing of it stands first.
fn section<T>(title: &str, known: &Known<T>, draw: impl FnOnce(&T) -> Vec<Part>) -> Section {
    let mut parts: Vec<Part> = known.reason.iter().map(|why| Part::Missing(why.clone())).collect();
    parts.extend(known.data.as_ref().map(draw).into_iter().flatten());
    let source =
        (!known.source.is_empty()).then(|| format!("Source: {}, as of {} UTC", known.source, moment(known.as_of)));
    Section { title: title.to_owned(), source, parts }
}

fn headline(report: &WeeklyReport) -> Vec<Span> {
    let mut all: Vec<Span> = Vec::new();
    let mut say = |text: String, tone: Tone| {
        if !all.is_empty() {
            all.push(plain(" · "));
        }
        all.push(span(text, tone));
    };
    if let Some(slos) = &report.slos.data {
        let bad = slos.iter().filter(|one| one.status.budget.level == Level::Critical).count();
        let known = slos.iter().filter(|one| one.status.budget.level != Level::Unknown).count();
        match bad {
            0 if known < slos.len() => say(format!("{known} of {} measured", count(slos.len(), "SLO")), Tone::Warn),
            0 => say(format!("{} measured", count(slos.len(), "SLO")), Tone::Plain),
            n => say(format!("{n} of {} in trouble", count(slos.len(), "SLO")), Tone::Bad),
        }
    }
    if let Some(found) = &report.incidents.data {
        say(count(found.n, "incident"), Tone::Plain);
        if found.open > 0 {
            say(format!("{} still open", found.open), Tone::Bad);
        }
    }
    let (n, failed) = delivered(report);
    say(count(n, "deployment"), Tone::Plain);
    if failed > 0 {
        say(format!("{failed} failed"), Tone::Warn);
    }
    let overdue = report.action_items.data.as_ref().map_or(0, |items| items.overdue);
    if overdue > 0 {
        say(format!("{} overdue", count(overdue, "action item")), Tone::Warn);
    }
    if !report.unknowns.is_empty() {
        say(format!("{} unknown", report.unknowns.len()), Tone::Unknown);
    }
    all
}

/// Deployments, and those that are known to have failed.
fn delivered(report: &WeeklyReport) -> (usize, usize) {
    let services = || report.deployments.data.iter().flatten();
    let n = services().map(|one| one.change_fail_rate.n).sum();
    (n, services().map(|one| one.change_fail_rate.known).sum())
}

fn numbers(report: &WeeklyReport) -> Vec<Tile> {
    let mut all = Vec::new();
    if let Some(slos) = &report.slos.data {
        let worst = slos.iter().map(|one| one.status.budget.level).max().unwrap_or(Level::Unknown);
        let BudgetCount { known, within, fast, unknown } = BudgetCount::of(slos.iter().map(|one| &one.status.budget));
        let notes = [(fast, "burning fast"), (unknown, "unknown")].into_iter().filter(|(n, _)| *n > 0);
        all.push(Tile {
            label: "SLOs within budget",
            value: if known == 0 { "?".into() } else { format!("{within} of {known}") },
            tone: match worst {
                Level::Critical => Tone::Bad,
                _ if known == 0 => Tone::Unknown,
                _ => Tone::Plain,
            },
            note: notes.map(|(n, word)| format!("{n} {word}")).collect::<Vec<_>>().join(", "),
            note_tone: if unknown > 0 { Tone::Unknown } else { Tone::Dim },
        });
    }
    all.extend(report.incidents.data.iter().flat_map(tiles).filter(|tile| tile.label != "Action items open"));
    let (n, failed) = delivered(report);
    all.push(Tile {
        label: "Deployments",
        value: n.to_string(),
        tone: Tone::Plain,
        note: format!("{failed} failed"),
        note_tone: if failed > 0 { Tone::Warn } else { Tone::Dim },
    });
    if let Some(items) = &report.action_items.data {
        all.push(Tile {
            label: "Action items open",
            value: items.open.to_string(),
            tone: Tone::Plain,
            note: format!("{} overdue", items.overdue),
            note_tone: if items.overdue > 0 { Tone::Bad } else { Tone::Dim },
        });
    }
    all.push(Tile {
        label: "Unknowns",
        value: report.unknowns.len().to_string(),
        tone: if report.unknowns.is_empty() { Tone::Plain } else { Tone::Unknown },
        note: String::new(),
        note_tone: Tone::Dim,
    });
    all
}

fn slos(report: &WeeklyReport) -> Section {
    section("SLOs", &report.slos, |slos| {
        let mut table = Table::new(["SLO", "objective", "window", "attained", "budget left", "state"]).right(&[3, 4]);
        for one in slos {
            let found = &one.status.budget;
            let trend = found.trend.map_or_else(String::new, |trend| format!(", the burn is {}", trend.name()));
            let note = found.reason.as_ref().map_or_else(String::new, |why| format!(": {why}"));
            table.row(vec![
                plain(&one.status.slo.name),
                plain(one.status.slo.objective.to_string()),
                plain(one.status.slo.window.to_string()),
                plain(attained(&found.attained)),
                plain(budget(&found.remaining)),
                span(format!("{}{trend}{note}", tone::level_word(found.level)), tone::level(found.level)),
            ]);
        }
        let mut parts = vec![Part::Table(table)];
        let lines: Vec<_> = slos.iter().filter(|one| one.burn_down.len() > 1).collect();
        if !lines.is_empty() {
            let mut data = Table::new(["SLO", "first", "last"]).right(&[1, 2]);
            for one in &lines {
                let percent = |at: Option<&(_, f64)>| {
                    plain(at.map_or_else(String::new, |(_, left)| format!("{:.1} %", left * 100.0)))
                };
                data.row(vec![
                    plain(&one.status.slo.name),
                    percent(one.burn_down.first()),
                    percent(one.burn_down.last()),
                ]);
            }
            let curves = lines.iter().map(|one| (one.status.slo.name.clone(), one.burn_down.clone())).collect();
            parts.push(Part::Chart(Chart {
                title: "What is left of the error budget".into(),
                description: format!("a line for each of {}", count(lines.len(), "SLO")),
                plot: Plot::Lines(curves),
                data,
            }));
        }
        parts
    })
}

fn incidents(report: &WeeklyReport) -> Section {
    section("Incidents", &report.incidents, |found| {
        if found.n == 0 && found.pages.n == 0 {
            return vec![Part::Line(vec![plain("no incident was opened, and nobody was paged")])];
        }
        let mut parts = Vec::new();
        if found.n == 0 {
            parts.push(Part::Line(vec![plain("no incident was opened")]));
        } else {
            parts.push(Part::Table(incident_table(&found.incidents)));
        }
        parts.extend(timeline(&found.incidents, &report.period));
        parts.extend(pages(&found.pages).parts);
        for again in &found.repeats {
            let text = format!(
                "{} had the same {}, {}: {}",
                count(again.incidents.len(), "incident"),
                again.by,
                again.name,
                again.incidents.join(", ")
            );
            parts.push(Part::Line(vec![span(text, Tone::Warn)]));
        }
        parts
    })
}

fn deployments(report: &WeeklyReport) -> Section {
    section("Deployments", &report.deployments, |services| {
        let (known, unknown): (Vec<&ServiceDora>, Vec<&ServiceDora>) =
            services.iter().partition(|one| one.change_fail_rate.n > 0);
        let mut table = Table::new(["service", "deployments", "failed", "lead time", "recovery", "not planned"])
            .right(&[1])
            .fixed(&[2, 3, 4, 5]);
        for one in &known {
            let recovery = &one.failed_deployment_recovery_time.spread;
            let lead = &one.lead_time.spread;
            table.row(vec![
                plain(&one.service),
                plain(one.change_fail_rate.n.to_string()),
                share(&one.change_fail_rate),
                if lead.n == 0 { span("unknown", Tone::Unknown) } else { spread(lead) },
                if recovery.n == 0 { span("-", Tone::Dim) } else { spread(recovery) },
                share(&one.deployment_rework_rate),
            ]);
        }
        let mut parts = Vec::new();
        if !known.is_empty() {
            parts.push(Part::Table(table));
        }
        // Why, each service says in `report dora`; what is the same for all is said once.
        let reasons: std::collections::BTreeSet<&str> =
            known.iter().filter_map(|one| one.lead_time.reason.as_deref()).collect();
        if let (1, Some(why)) = (reasons.len(), reasons.first()) {
            parts.push(Part::Line(vec![span(format!("lead time: {why}"), Tone::Dim)]));
        }
        if !unknown.is_empty() {
            let names: Vec<&str> = unknown.iter().map(|one| one.service.as_str()).collect();
            parts.push(Part::Line(vec![span(format!("no deployment is known of {}", names.join(", ")), Tone::Dim)]));
        }
        parts
    })
}

fn changes(report: &WeeklyReport) -> Section {
    section("Changes", &report.changes, |found| {
        // What the incidents are is said above.
        let told: Vec<&Change> = found.changes.iter().filter(|one| one.kind != Kind::Incident).collect();
        if told.is_empty() {
            return vec![Part::Line(vec![plain("nothing is known to have changed")])];
        }
        let mut kinds: BTreeMap<Kind, usize> = BTreeMap::new();
        told.iter().for_each(|one| *kinds.entry(one.kind).or_default() += 1);
        let words: Vec<String> = kinds.iter().map(|(kind, n)| format!("{} {n}", kind.word())).collect();
        let mut parts = vec![Part::Line(vec![plain(format!("{}: {}", count(told.len(), "change"), words.join(", ")))])];
        parts.extend(by_time(report, &told));
        let mut table = Table::new(["when", "kind", "what", "by"]).fixed(&[0, 1]);
        for one in told.iter().rev().take(CHANGES) {
            table.row(vec![
                plain(moment(one.at)),
                plain(one.kind.word()),
                plain(&one.what),
                one.by.as_ref().map_or_else(|| span("", Tone::Dim), plain),
            ]);
        }
        parts.push(Part::Table(table));
        if told.len() > CHANGES {
            let since = (report.period.until - report.period.since).num_days().max(1);
            let text = format!("… and {} older: liveops changes --since {since}d", told.len() - CHANGES);
            parts.push(Part::Line(vec![span(text, Tone::Dim)]));
        }
        parts
    })
}

/// Of a long period by the week, else by the day.
fn by_time(report: &WeeklyReport, told: &[&Change]) -> Option<Part> {
    let first = report.period.since.date_naive();
    let days = usize::try_from((report.period.until.date_naive() - first).num_days()).ok()? + 1;
    let (each, word, form) = if days > DAYS { (7, "week", "%d %b") } else { (1, "day", "%a %d") };
    let columns = days.div_ceil(each);
    if columns > DAYS * 2 {
        return None;
    }
    let begin = |column: usize| first + TimeDelta::days(i64::try_from(column * each).unwrap_or(0));
    let of = |column: usize, is: &dyn Fn(Kind) -> bool| {
        let span = begin(column)..begin(column + 1);
        told.iter().filter(|one| is(one.kind) && span.contains(&one.at.date_naive())).count()
    };
    let all = |is: &dyn Fn(Kind) -> bool| (0..columns).map(|column| of(column, is)).collect::<Vec<usize>>();
    let name = |column: usize| begin(column).format(form).to_string();
    let (deploys, flags) = (all(&|kind| kind == Kind::Deploy), all(&|kind| kind == Kind::Flag));
    let others = all(&|kind| !matches!(kind, Kind::Deploy | Kind::Flag));
    let mut data = Table::new([word, "deployments", "flags", "other"]).right(&[1, 2, 3]);
    for column in 0..columns {
        let cells = [&deploys, &flags, &others].map(|all| plain(all[column].to_string()));
        data.row([plain(name(column))].into_iter().chain(cells).collect());
    }
    Some(Part::Chart(Chart {
        title: format!("Changes by {word}"),
        description: format!("{} in {}", count(told.len(), "change"), count(columns, word)),
        plot: Plot::Columns {
            labels: (0..columns).map(name).collect(),
            series: vec![
                ("deployments", Tone::Plain, deploys),
                ("flags", Tone::Unknown, flags),
                ("other", Tone::Dim, others),
            ],
        },
        data,
    }))
}

fn flags(report: &WeeklyReport) -> Section {
    section("Flags", &report.flags, |found| {
        if found.total == 0 {
            return vec![Part::Line(vec![plain("there is no flag")])];
        }
        let mut parts = vec![Part::Line(vec![plain(format!(
            "{}, {} stale: the same for everybody for {} or more",
            count(found.total, "flag"),
            found.stale.len(),
            count(usize::try_from(found.stale_after_days).unwrap_or(usize::MAX), "day")
        ))])];
        let mut table = Table::new(["stale flag", "answer", "days", "changed by"]).right(&[2]);
        for one in found.stale.iter().take(FLAGS) {
            table.row(vec![
                plain(&one.name),
                plain(one.stale.answer.word()),
                plain(one.stale.days.to_string()),
                plain(&one.by),
            ]);
        }
        if !table.rows.is_empty() {
            parts.push(Part::Table(table));
        }
        if found.not_judged > 0 {
            let text =
                format!("{} changed without liveops: how long ago is not known", count(found.not_judged, "flag"));
            parts.push(Part::Line(vec![span(text, Tone::Dim)]));
        }
        parts
    })
}

fn capacity(report: &WeeklyReport) -> Section {
    section("Capacity and KPIs", &report.capacity, |all| {
        let is_news = |one: &&Trigger| one.0.level != Level::Ok || one.1.as_ref().is_some_and(Course::is_news);
        let mut news: Vec<&Trigger> = all.iter().filter(is_news).collect();
        news.sort_by_key(|one| std::cmp::Reverse((one.0.level, one.1.as_ref().map_or(0, |course| course.warn))));
        let normal = all.iter().filter(|one| one.0.level == Level::Ok).count();
        let has_past = all.iter().any(|one| one.1.is_some());
        let crossed = all.iter().filter(|one| one.1.as_ref().is_some_and(|course| course.warn > 0)).count();
        let before = match has_past {
            true => format!("{crossed} beyond at some time of the period"),
            false => "how they were before is not known without Prometheus".to_owned(),
        };
        let mut parts = vec![Part::Line(vec![plain(format!(
            "{normal} of {} within their thresholds now; {before}",
            count(all.len(), "figure")
        ))])];
        let mut table = match has_past {
            true => Table::new(["figure", "state", "now", "limit", "beyond", "worst", "goes"]).right(&[2, 4, 5]),
            false => Table::new(["figure", "state", "now", "limit"]).right(&[2]),
        };
        for Trigger(one, course) in &news {
            let (warn, critical) = (one.kpi.warn.as_ref(), one.kpi.critical.as_ref());
            let limit = if one.level == Level::Warn { warn } else { critical.or(warn) };
            let unit = &one.kpi.unit;
            let mut row = vec![
                plain(one.kpi.title()),
                span(tone::level_word(one.level), tone::level(one.level)),
                plain(one.value.map_or_else(|| "?".to_owned(), |value| unit.show(value.value))),
                plain(limit.map_or_else(String::new, ToString::to_string)),
            ];
            if has_past {
                let known =
                    |text: &dyn Fn(&Course) -> String| plain(course.as_ref().map_or_else(|| "?".to_owned(), text));
                row.push(known(&|course| format!("{:.0} %", 100.0 * course.warn as f64 / course.n.max(1) as f64)));
                row.push(known(&|course| course.worst.map_or_else(String::new, |worst| unit.show(worst))));
                row.push(known(&goes));
            }
            table.row(row);
        }
        if !news.is_empty() {
            parts.push(Part::Table(table));
        }
        parts
    })
}

/// `limit in 9 days`, `rising`; of too few days, nothing.
fn goes(course: &Course) -> String {
    match (course.critical_in_days, course.trend) {
        (Some(days), _) => format!("limit in {}", count(days.ceil() as usize, "day")),
        (None, Some(trend)) => trend.word().to_owned(),
        (None, None) => "too short".to_owned(),
    }
}

fn waivers(report: &WeeklyReport) -> Section {
    section("Waivers that end", &report.waivers, |all| {
        if all.is_empty() {
            return vec![Part::Line(vec![plain("none ends within 14 days")])];
        }
        let mut table = Table::new(["waiver", "of", "owner", "ends", "reason"]).fixed(&[3]);
        for one in all {
            let ends = match one.days_left {
                left if left < 0 => span(format!("ended {}", one.until), Tone::Bad),
                left => {
                    span(format!("{} (in {})", one.until, count(usize::try_from(left).unwrap_or(0), "day")), Tone::Warn)
                }
            };
            table.row(vec![plain(&one.id), plain(&one.subject), plain(&one.owner), ends, plain(&one.reason)]);
        }
        vec![Part::Table(table)]
    })
}

fn unknowns(report: &WeeklyReport) -> Section {
    let parts = match report.unknowns.as_slice() {
        [] => vec![Part::Line(vec![plain("nothing: every source answered")])],
        all => all.iter().map(|why| Part::Line(vec![span(why, Tone::Unknown)])).collect(),
    };
    Section { title: "What is not known".into(), source: None, parts }
}
