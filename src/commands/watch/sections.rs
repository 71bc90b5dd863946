//! The sections of a look, from the report of `liveops status`: the same facts in lines that can be chosen.

use std::rc::Rc;

use chrono::{DateTime, Utc};
use liveops_domain::alert::{AlertState, group};
use liveops_domain::change::record::{ChangeRecord, ChangeState};
use liveops_domain::change::timeline::rank::Suspect;
use liveops_domain::metric::level::Level;
use liveops_domain::rollout::row::RolloutRow;
use liveops_domain::status::KpiReading;
use liveops_domain::status::health::ServiceState;
use liveops_domain::status::source::{SourceState, Verdict};
use liveops_domain::text::count::count;
use liveops_domain::text::sparkline::sparkline;
use liveops_domain::text::time::compact;
use liveops_engine::slo::status::SloStatus;
use liveops_engine::status::answers::Part;
use liveops_engine::status::judge::{KEEP_LOOKING, slo_level};
use liveops_engine::status::past::NOT_KEPT;
use liveops_engine::status::report::{StatusReport, reason};

use crate::commands::incident::view::{deadline_line, tone as incident_tone};
use crate::commands::slo::view::{budget, headline_burn};
use crate::commands::status::screen::{slos, word};
use crate::commands::watch::board::{Board, Item, Kind, Section, Subject};
use crate::commands::watch::sources::names;
use crate::output::block::{Span, Tone, plain, span};
use crate::output::tone;
use crate::output::view::View;

/// Cells of a sparkline.
const SPARK: usize = 12;

/// Suspects that are marked as such.
const SUSPECTS: usize = 3;

/// Who has not answered yet, and whose answer is old, with its time.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    pub(crate) missing: Vec<Part>,
    pub(crate) late: Vec<(Part, DateTime<Utc>)>,
}

impl Standing {
    /// The lines of a part, marked where it is late.
    fn mark(&self, part: Part, items: Vec<Item>) -> Vec<Item> {
        match self.late.iter().find(|(late, _)| *late == part) {
            Some((_, at)) => items.into_iter().map(|item| item.aged(*at)).collect(),
            None => items,
        }
    }

    /// A line for each that is silent.
    fn lines(&self) -> Vec<Item> {
        let silent = |part: Part, why: String| {
            let subject = Subject::Source(part.label().into());
            Item::new(subject, Tone::Unknown, part.label(), vec![plain(part.label()), span(why, Tone::Unknown)])
        };
        let missing = self.missing.iter().map(|part| silent(*part, "  asking".into()));
        let late = self
            .late
            .iter()
            .map(|(part, at)| silent(*part, format!("  no answer since {}; asked again", at.format("%H:%M:%SZ"))));
        missing.chain(late).collect()
    }
}

/// The look as it is drawn.
pub(crate) fn board(report: &StatusReport, view: &View, standing: &Standing) -> Board {
    let suspected = first_suspect(report);
    let mut wrong = Vec::new();
    let mut normal = Vec::new();
    let checked = [
        standing.mark(Part::Services, services(report)),
        standing.mark(Part::Kpis, kpis(report, view)),
        standing.mark(Part::Alerts, alerts(report, view)),
        standing.mark(Part::Kpis, targets(report)),
        standing.mark(Part::Objectives, objectives(report, view)),
    ];
    for mut item in checked.into_iter().flatten() {
        if matches!(item.tone, Tone::Bad | Tone::Warn | Tone::Unknown) {
            item.undo.clone_from(&suspected);
            wrong.push(item);
        } else {
            normal.push(item);
        }
    }
    wrong.sort_by_key(Item::rank);
    let mut sources = standing.lines();
    for item in self::sources(report) {
        if item.tone == Tone::Good { &mut normal } else { &mut sources }.push(item);
    }
    // What cannot be known of another time is said, and not left out.
    sources.extend(report.at.map(|_| {
        let lines = vec![span(NOT_KEPT, Tone::Dim)];
        Item::new(Subject::Source("past".into()), Tone::Unknown, "past", lines)
    }));
    // What is undone on the line of an incident is what is suspected, not what happened to come last.
    let mut open = incidents(report, view);
    open.iter_mut().for_each(|item| item.undo.clone_from(&suspected));
    let parts = [
        (Kind::Incidents, open),
        (Kind::Wrong, wrong),
        (Kind::Changes, changes(report)),
        (Kind::Rollouts, standing.mark(Part::Rollouts, rollouts(report))),
        (Kind::Flags, standing.mark(Part::Flags, flags(report))),
        (Kind::Sources, sources),
        (Kind::Normal, normal),
    ];
    let sections = parts.into_iter().filter(|(_, items)| !items.is_empty());
    let place = match &report.project {
        Some(project) => format!("{project} {} {}", view.pick("·", "-"), report.environment),
        None => report.environment.clone(),
    };
    let (verdict, headline) = match (report.verdict(), standing.missing.as_slice()) {
        (Verdict::Fail, _) | (_, []) => {
            (span(word(report.verdict()), tone::verdict(report.verdict())), report.judgement.headline.clone())
        }
        // What is not known yet is not green.
        (_, missing) => (span("ASKING", Tone::Unknown), format!("waiting for {}", names(missing))),
    };
    Board {
        at: view.now,
        verdict,
        headline,
        place,
        // Who watches needs no watch.
        next: report.next.iter().find_map(|step| step.command.clone()).filter(|next| next != KEEP_LOOKING),
        sections: sections.map(|(kind, items)| Rc::new(Section { kind, stale: None, items })).collect(),
    }
}

fn item(subject: Subject, tone: Tone, name: &str, spans: Vec<Span>) -> Item {
    let named = [span(name, if tone == Tone::Bad { Tone::Strong } else { Tone::Plain }), plain("  ")];
    Item::new(subject, tone, name, named.into_iter().chain(spans).collect())
}

/// Severity and title, the deadline that comes next or was missed, and who has it.
fn incidents(report: &StatusReport, view: &View) -> Vec<Item> {
    let line = |shown: &liveops_engine::incident::summary::IncidentSummary| {
        let one = &shown.incident;
        let tone = incident_tone(shown);
        let mut spans = Vec::new();
        if shown.unpaged().is_some() {
            spans.push(span("NOBODY WAS PAGED  ", Tone::Bad));
        }
        // The clock first: it is what this line is for, and its end may be cut.
        if let Some(deadline) = shown.deadlines.iter().find(|deadline| deadline.is_open()) {
            // Behind the mark and its indent.
            let clock = deadline_line(deadline, view).into_iter().skip(2);
            spans.extend(clock.map(|one| span(format!("{}  ", one.text.trim_start()), one.tone)));
        }
        match one.lead() {
            Some(lead) => spans.push(plain(format!("led by {lead}  "))),
            None => spans.push(span("NOT ACKNOWLEDGED  ", Tone::Bad)),
        }
        spans.push(span(format!("{} {}", one.phase.word(), shown.since(view.now)), tone));
        item(Subject::Incident(one.id.clone()), tone, &format!("{} {}", one.severity, one.title), spans)
    };
    report.gathered.incidents.iter().map(line).collect()
}

fn services(report: &StatusReport) -> Vec<Item> {
    let line = |service: &liveops_domain::status::ServiceReading| {
        let tone = tone::service(service.state);
        let mut spans = vec![span(service.state.word(), tone)];
        if let Some(latency) = service.latency_ms {
            spans.push(span(format!("  {latency} ms"), Tone::Dim));
        }
        if service.state != ServiceState::Healthy && service.detail != service.state.word() {
            spans.push(span(format!("  {}", service.detail), Tone::Dim));
        }
        item(Subject::Service(service.name.clone()), tone, &service.name, spans)
    };
    report.gathered.readings.services.iter().map(line).collect()
}

/// As many KPIs that are unknown for one reason are one line.
const ALIKE: usize = 3;

fn kpis(report: &StatusReport, view: &View) -> Vec<Item> {
    let why = |reading: &KpiReading| {
        let is_unknown = reading.level == Level::Unknown && reading.value.is_none();
        is_unknown.then(|| reading.note.as_deref().and_then(|note| report.beside_source(note)).map(str::to_owned))
    };
    let mut alike: Vec<(Option<String>, Vec<String>)> = Vec::new();
    for (why, title) in
        report.gathered.readings.kpis.iter().filter_map(|one| Some((why(one)?, one.kpi.title().into_owned())))
    {
        match alike.iter_mut().find(|(known, _)| *known == why) {
            Some((_, titles)) => titles.push(title),
            None => alike.push((why, vec![title])),
        }
    }
    alike.retain(|(_, titles)| titles.len() >= ALIKE);
    let folded = alike.iter().map(|(why, titles)| {
        let mut spans = vec![span("unknown", Tone::Unknown)];
        spans.extend(why.iter().map(|why| span(format!("  {why}"), Tone::Dim)));
        spans.push(plain(format!("  {}", titles.join(", "))));
        item(Subject::Kpis, Tone::Unknown, &count(titles.len(), "KPI"), spans)
    });
    let line = |reading: &KpiReading| {
        let tone = tone::level(reading.level);
        let value = reading.value.map_or_else(|| "unknown".to_owned(), |value| value.show(&reading.kpi.unit));
        let mut spans = vec![span(value, tone)];
        let limit = match reading.level {
            Level::Critical => reading.kpi.critical.as_ref(),
            Level::Warn => reading.kpi.warn.as_ref(),
            Level::Ok | Level::Unknown => None,
        };
        if let Some(limit) = limit {
            spans.push(span(format!("  ({})", limit.text), tone));
        }
        if reading.trend.iter().flatten().count() > 1 {
            let drawn = sparkline(&reading.trend, SPARK, !view.unicode);
            spans.push(span(format!("  {drawn}"), Tone::Dim));
        }
        if let Some(at) = reading.as_of {
            spans.push(span(format!("  last known {}", at.format("%H:%M:%SZ")), Tone::Unknown));
        }
        let note = reading.note.as_deref().and_then(|note| report.beside_source(note)).map(str::to_owned);
        let odd = note.into_iter().chain(reading.missing(view.now));
        spans.extend(odd.map(|text| span(format!("  {text}"), Tone::Dim)));
        item(Subject::Kpi(reading.kpi.name.clone()), tone, &reading.kpi.title(), spans)
    };
    let alone = report.gathered.readings.kpis.iter();
    let alone = alone.filter(|one| why(one).is_none_or(|why| alike.iter().all(|(known, _)| *known != why)));
    alone.map(line).chain(folded).collect()
}

fn alerts(report: &StatusReport, view: &View) -> Vec<Item> {
    let readings = &report.gathered.readings;
    let unsure = readings.alert_faults.iter().map(|text| (Tone::Bad, text));
    let unsure = unsure.chain(readings.alert_gaps.iter().map(|text| (Tone::Unknown, text)));
    let unsure = unsure.map(|(tone, text)| item(Subject::Source("alerts".into()), tone, "alerts", vec![plain(text)]));
    let Some(alerts) = &readings.alerts else {
        let silent = vec![span("unknown: no source of alerts answers", Tone::Unknown)];
        let missing = report.gathered.alerts_expected;
        let missing = missing.then(|| item(Subject::Source("alerts".into()), Tone::Unknown, "alerts", silent));
        return missing.into_iter().chain(unsure).collect();
    };
    let line = |group: &liveops_domain::alert::Group<'_>| {
        let tone = tone::alert(group.state, group.severity);
        let several = group.alerts.len() > 1;
        let count = if several { format!("{}{} ", view.pick("×", "x"), group.alerts.len()) } else { String::new() };
        let since = group.since.map_or_else(String::new, |at| {
            format!(" {}", compact((view.now - at).num_seconds().max(0).unsigned_abs()))
        });
        let mut spans = vec![
            plain(count),
            span(group.severity.unwrap_or("no severity"), tone),
            plain(format!("  {}{since}", group.state.word())),
        ];
        let told = group.alerts.first().and_then(|alert| alert.annotations.get("summary"));
        spans.extend(told.map(|text| plain(format!("  {text}"))));
        let link = group.alerts.iter().find_map(|alert| alert.runbook.clone());
        Item { link, ..item(Subject::Alert(group.name.to_owned()), tone, group.name, spans) }
    };
    let as_of = readings.alerts_as_of.map(|at| {
        let text = format!("last known {}", at.format("%H:%M:%SZ"));
        item(Subject::Source("alerts".into()), Tone::Unknown, "alerts", vec![span(text, Tone::Unknown)])
    });
    let groups = group(alerts.iter());
    let loud =
        groups.iter().filter(|one| matches!(one.state, AlertState::Firing | AlertState::Unknown | AlertState::Pending));
    loud.map(line).chain(unsure).chain(as_of).collect()
}

fn targets(report: &StatusReport) -> Vec<Item> {
    let Some(targets) = &report.gathered.readings.targets else {
        return Vec::new();
    };
    let down = targets.down.iter().map(|(name, error)| {
        item(
            Subject::Target(name.clone()),
            Tone::Warn,
            name,
            vec![span("target down  ", Tone::Warn), span(error, Tone::Dim)],
        )
    });
    down.collect()
}

/// What a change is as a line's subject.
fn subject_of(change: &ChangeRecord) -> Subject {
    let flag = change.result.as_ref().and_then(|result| result.get("flag")?.as_str());
    match (&change.undo, flag) {
        (None, Some(flag)) if change.action == "flag" => Subject::FlagChange(flag.to_owned()),
        (undo, _) => Subject::Change(undo.as_ref().map(|_| change.id.clone())),
    }
}

/// The change that is this suspect, where it was made through a liveops.
fn made_here<'a>(report: &'a StatusReport, suspect: &Suspect) -> Option<&'a ChangeRecord> {
    let id = suspect.change.reference.as_ref()?;
    report.gathered.changes.iter().find(|change| change.id == *id && change.state == ChangeState::Done)
}

/// The command that takes back what is suspected first.
fn first_suspect(report: &StatusReport) -> Option<String> {
    report.gathered.suspects.iter().find_map(|suspect| way_back(report, suspect))
}

fn way_back(report: &StatusReport, suspect: &Suspect) -> Option<String> {
    let here = made_here(report, suspect).and_then(|change| subject_of(change).undo());
    here.or_else(|| Some(suspect.change.revert.as_ref()?.strip_prefix("liveops ")?.to_owned()))
}

/// Who is suspected first, then the others, the newest first.
fn changes(report: &StatusReport) -> Vec<Item> {
    let line = |change: &ChangeRecord| {
        let tone = match change.state {
            ChangeState::Done | ChangeState::Undone => Tone::Dim,
            ChangeState::Failed => Tone::Warn,
            ChangeState::Unclear | ChangeState::Unfinished => Tone::Unknown,
        };
        let mut spans = vec![span(format!("{} ", change.by), Tone::Dim)];
        if change.state != ChangeState::Done {
            spans.push(span(format!("{}: ", change.state.word()), tone));
        }
        spans.push(plain(&change.summary));
        spans.extend(reason(change).map(|reason| span(format!("  {reason}"), Tone::Dim)));
        let subject = subject_of(change);
        let undo = subject.undo();
        let line = item(subject, tone, &change.at.format("%H:%M:%SZ").to_string(), spans);
        Item { undo, name: change.summary.clone(), ..line }
    };
    let suspect = |one: &Suspect| {
        let here = made_here(report, one);
        let why = one.reasons.first().map_or_else(String::new, |why| format!("  {why}"));
        let spans = vec![
            span("suspect  ", Tone::Warn),
            plain(here.map_or(one.change.what.as_str(), |change| change.summary.as_str())),
            span(why, Tone::Dim),
        ];
        let subject = here.map_or(Subject::Change(None), subject_of);
        let line = item(subject, Tone::Warn, &one.change.at.format("%H:%M:%SZ").to_string(), spans);
        Item { undo: way_back(report, one), name: one.change.what.clone(), ..line }
    };
    let suspects = report.gathered.suspects.iter().take(SUSPECTS);
    let named: Vec<&str> = suspects.clone().filter_map(|one| one.change.reference.as_deref()).collect();
    let others = report.gathered.changes.iter().filter(|change| !named.contains(&change.id.as_str()));
    suspects.map(suspect).chain(others.map(line)).collect()
}

/// The error budgets.
fn objectives(report: &StatusReport, view: &View) -> Vec<Item> {
    let line = |one: &SloStatus| {
        let tone = tone::level(slo_level(one));
        let left = format!("{} left", budget(&one.budget.remaining));
        let burn = Some(headline_burn(one, view)).filter(|burn| !burn.is_empty());
        let mut spans = vec![span(left, tone)];
        spans.extend(burn.map(|burn| plain(format!("  {burn}"))));
        let why = slos::why(one, report, view);
        spans.extend((!why.is_empty()).then(|| span(format!("  {why}"), Tone::Dim)));
        item(Subject::Objective(one.slo.name.clone()), tone, &one.slo.name, spans)
    };
    report.gathered.slos.iter().map(line).collect()
}

fn rollouts(report: &StatusReport) -> Vec<Item> {
    let seen = &report.gathered.rollouts;
    let line = |row: &RolloutRow| {
        let tone = if row.needs_somebody() { Tone::Warn } else { Tone::Dim };
        let mut spans = vec![span(row.state(), tone), plain(format!("  {}%", row.weight))];
        let why = match (&row.stuck, &row.held) {
            (Some(stuck), _) => Some(format!("  not rolled back: {}", stuck.text)),
            (None, Some(held)) => Some(format!("  held: {}", held.text)),
            (None, None) => None,
        };
        spans.extend(why.map(|text| span(text, Tone::Warn)));
        match row.is_ramp() {
            true => item(Subject::Ramp(row.service.clone()), tone, &format!("flag {}", row.service), spans),
            false => {
                item(Subject::Rollout(row.service.clone()), tone, &format!("{} {}", row.title(), row.image), spans)
            }
        }
    };
    let unseen = seen.unseen.iter().map(|row| {
        let why = vec![span(format!("unknown: {}", row.why), Tone::Unknown)];
        item(Subject::Rollout(row.service.clone()), Tone::Unknown, &row.title(), why)
    });
    seen.rollouts.iter().map(line).chain(unseen).collect()
}

fn flags(report: &StatusReport) -> Vec<Item> {
    let Some(flags) = &report.gathered.readings.flags else {
        let silent = report.gathered.sources.iter().any(|one| one.name == "flags" && one.state != SourceState::Ok);
        let unknown = || item(Subject::Flags, Tone::Unknown, "all flags", vec![span("unknown", Tone::Unknown)]);
        return silent.then(unknown).into_iter().collect();
    };
    let gone = flags.gone.iter().map(|one| {
        let spans =
            vec![span("gone", Tone::Bad), plain(format!("  it was there until {}", one.seen.format("%H:%M:%SZ")))];
        item(Subject::Flag(one.flag.clone()), Tone::Bad, &one.flag, spans)
    });
    let counts = [(flags.killed, "killed"), (flags.changed, "changed in the last hour")];
    let counts = counts.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!(", {n} {what}"));
    let text = format!("{}{}", count(flags.count, "flag"), counts.collect::<String>());
    let whole = item(Subject::Flags, Tone::Dim, "all flags", vec![plain(text)]);
    let broken = flags.errors.iter().map(|error| {
        let tone = if error.breaks() { Tone::Warn } else { Tone::Dim };
        item(Subject::Flag(error.flag.clone()), tone, &error.flag, vec![plain(error.message.clone())])
    });
    gone.chain(broken).chain(std::iter::once(whole)).collect()
}

fn sources(report: &StatusReport) -> Vec<Item> {
    let line = |source: &liveops_domain::status::source::Source| {
        let tone = tone::source(source.state);
        let spans = match (source.state, &source.error) {
            (SourceState::Ok, _) => Vec::new(),
            (_, Some(error)) => vec![span(error, tone)],
            (_, None) => vec![span("no answer", tone)],
        };
        item(Subject::Source(source.name.clone()), tone, &source.name, spans)
    };
    report.gathered.sources.iter().map(line).collect()
}
