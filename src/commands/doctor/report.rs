//! What `doctor` shows beside its findings: a line for each system, with what is fine there, and what to type next.

use std::cmp::Reverse;

use serde_json::{Map, Value, json};

use crate::gate::Extra;
use crate::output::block::{Block, Tone, plain, span};
use crate::output::tone::mark;
use crate::output::view::View;
use liveops_domain::error::Result;
use liveops_domain::status::source::{Recommendation, Source, SourceState};
use liveops_engine::doctor::finding::{Finding, Level, System};

/// The systems, worst first, and their sources.
pub(super) fn extra(mut systems: Vec<System>, all: bool, view: &View) -> Result<Extra> {
    for system in &mut systems {
        system.findings.sort_by_key(|finding| Reverse(finding.level));
    }
    systems.sort_by_key(|system| Reverse(system.level()));
    let shown: Vec<Value> = systems.iter().map(data).collect::<Result<_>>()?;
    let outside = systems.iter().filter(|system| system.name != "liveops" && system.name != "kpis");
    Ok(Extra {
        data: Map::from_iter([("systems".to_owned(), Value::Array(shown))]),
        blocks: systems.iter().flat_map(|system| lines(system, all, view)).collect(),
        sources: outside.map(source).collect(),
        next: Some(next(&systems)),
        ..Extra::default()
    })
}

/// A system, and what was looked at there and is fine.
fn data(system: &System) -> Result<Value> {
    let mut value = serde_json::to_value(system)?;
    let passed: Vec<Value> = fine(system).map(|one| json!({ "id": one.check, "why": one.message })).collect();
    if let Some(members) = value.as_object_mut() {
        members.insert("passed".into(), Value::Array(passed));
    }
    Ok(value)
}

fn fine(system: &System) -> impl Iterator<Item = &Finding> {
    system.findings.iter().filter(|finding| finding.level == Level::Ok)
}

fn tone(level: Level) -> Tone {
    match level {
        Level::Ok => Tone::Good,
        Level::Warn => Tone::Warn,
        Level::Unknown => Tone::Unknown,
        Level::Fail => Tone::Bad,
    }
}

/// `● prometheus  2.42.0  3 ms  http://127.0.0.1:9090  clock, targets`
fn lines(system: &System, all: bool, view: &View) -> Vec<Block> {
    let mut head = vec![mark(tone(system.level()), view), span(format!(" {}", system.name), Tone::Strong)];
    let latency = system.latency_ms.map(|ms| format!("{ms} ms"));
    for part in [&system.version, &latency, &system.url].into_iter().flatten() {
        head.push(span(format!("  {part}"), Tone::Dim));
    }
    if !all {
        let mut names: Vec<&str> = fine(system).map(|one| one.check).collect();
        names.dedup();
        if !names.is_empty() {
            head.push(span(format!("  {}", names.join(", ")), Tone::Dim));
        }
        return vec![Block::Line(head)];
    }
    let passed = fine(system).map(|one| {
        let text = plain(format!(" {}: {}", one.check, one.message));
        Block::Line(vec![plain("  "), span("ok", Tone::Good), text])
    });
    std::iter::once(Block::Line(head)).chain(passed).collect()
}

fn source(system: &System) -> Source {
    let is_silent = system
        .findings
        .iter()
        .any(|finding| finding.level == Level::Fail && matches!(finding.check, "reachable" | "credentials" | "answer"));
    let worst = system.findings.iter().max_by_key(|finding| finding.level);
    let state = match system.level() {
        _ if is_silent => SourceState::Down,
        Level::Unknown => SourceState::Degraded,
        _ => SourceState::Ok,
    };
    let error = worst.filter(|_| state != SourceState::Ok).map(|finding| finding.message.clone());
    Source { name: system.name.clone(), state, latency_ms: system.latency_ms, error }
}

/// The command of the worst finding that has one.
fn next(systems: &[System]) -> Recommendation {
    let mut all: Vec<&Finding> = systems.iter().flat_map(|system| &system.findings).collect();
    all.sort_by_key(|finding| Reverse(finding.level));
    let bad = all.iter().filter(|finding| finding.level != Level::Ok);
    let worst = bad.clone().find_map(|finding| Some((finding.fix.clone(), finding.command.clone()?)));
    match worst {
        Some((fix, command)) => Recommendation::new(fix.unwrap_or_default(), command),
        None if bad.clone().any(|finding| finding.level >= Level::Unknown) => {
            Recommendation::new("where each value comes from", "liveops config show --origin")
        }
        None => Recommendation::new("", "liveops status"),
    }
}
