//! What `doctor` shows: systems with the worst first, in each the problems first with their fix, the rest in a line.

use liveops_domain::text::count::count;
use std::cmp::Reverse;

use serde::Serialize;

use crate::output::block::{Block, Span, Table, Tone, plain, span};
use crate::output::report::{Meta, Report};
use crate::output::view::View;
use liveops_domain::status::source::{Outcome, Recommendation, Source, SourceState, Verdict};
use liveops_engine::doctor::finding::{Finding, Level, System};

/// Everything that was looked at.
#[derive(Debug, Serialize)]
pub(crate) struct Doctor {
    systems: Vec<System>,
    /// Worst first.
    findings: Vec<Finding>,
    #[serde(skip)]
    environment: String,
    #[serde(skip)]
    all: bool,
}

impl Doctor {
    /// From the systems with their findings.
    pub(crate) fn new(environment: String, mut systems: Vec<System>, all: bool) -> Self {
        for system in &mut systems {
            system.findings.sort_by_key(|finding| Reverse(finding.level));
        }
        systems.sort_by_key(|system| Reverse(system.level()));
        let mut findings: Vec<Finding> = systems.iter().flat_map(|system| system.findings.clone()).collect();
        findings.sort_by_key(|finding| Reverse(finding.level));
        Self { systems, findings, environment, all }
    }

    fn count(&self, level: Level) -> usize {
        self.findings.iter().filter(|finding| finding.level == level).count()
    }

    pub(super) fn verdict(&self) -> Verdict {
        match self.findings.first().map(|finding| finding.level) {
            Some(Level::Fail) => Verdict::Fail,
            Some(Level::Unknown) => Verdict::Unknown,
            Some(Level::Warn) => Verdict::Warn,
            Some(Level::Ok) | None => Verdict::Pass,
        }
    }

    /// What was looked at and is fine, by name.
    fn fine(system: &System) -> Vec<&str> {
        let mut names: Vec<&str> =
            system.findings.iter().filter(|finding| finding.level == Level::Ok).map(|finding| finding.check).collect();
        names.dedup();
        names
    }

    fn headline(&self) -> Vec<Span> {
        let mut spans = vec![span("doctor", Tone::Strong), span(format!("  {}  ", self.environment), Tone::Dim)];
        let parts = [
            (Level::Fail, count(self.count(Level::Fail), "problem"), Tone::Bad),
            (Level::Unknown, format!("{} unknown", self.count(Level::Unknown)), Tone::Unknown),
            (Level::Warn, count(self.count(Level::Warn), "warning"), Tone::Warn),
            (Level::Ok, format!("{} ok", self.count(Level::Ok)), Tone::Good),
        ];
        let shown = parts.into_iter().filter(|(level, ..)| self.count(*level) > 0);
        for (index, (_, text, tone)) in shown.enumerate() {
            if index > 0 {
                spans.push(plain(", "));
            }
            spans.push(span(text, tone));
        }
        spans
    }
}

fn tone(level: Level) -> Tone {
    match level {
        Level::Ok => Tone::Good,
        Level::Warn => Tone::Warn,
        Level::Unknown => Tone::Unknown,
        Level::Fail => Tone::Bad,
    }
}

fn mark(level: Level, view: &View) -> Span {
    crate::output::tone::mark(tone(level), view)
}

/// `prometheus  2.42.0  3 ms  http://127.0.0.1:9090`, with a mark when all is well there.
fn heading(system: &System, view: &View) -> Vec<Span> {
    let mut spans = vec![mark(system.level(), view), span(format!(" {}", system.name), Tone::Strong)];
    let latency = system.latency_ms.map(|ms| format!("{ms} ms"));
    for part in [&system.version, &latency, &system.url].into_iter().flatten() {
        spans.push(span(format!("  {part}"), Tone::Dim));
    }
    spans
}

fn problem(finding: &Finding, view: &View) -> Vec<Block> {
    let word = match finding.level {
        Level::Ok => "ok",
        Level::Warn => "warn",
        Level::Unknown => "unknown",
        Level::Fail => "fail",
    };
    let lines = |head: Span, text: &str| {
        let width = view.width.saturating_sub(9).max(30);
        wrap(text, width)
            .into_iter()
            .enumerate()
            .map(move |(index, line)| {
                let first = if index == 0 { head.clone() } else { plain("") };
                let fill = 9usize.saturating_sub(2 + first.text.chars().count()).max(1);
                // Whole: a word longer than the line, such as a URL, must not be cut.
                Block::Whole(vec![plain("  "), first, plain(" ".repeat(fill)), plain(line)])
            })
            .collect::<Vec<_>>()
    };
    let mut blocks = lines(span(word, tone(finding.level)), &finding.message);
    if let Some(fix) = &finding.fix {
        blocks.extend(lines(span("fix:", Tone::Dim), fix));
    }
    if let Some(command) = &finding.command {
        blocks.push(Block::Whole(vec![
            plain("  "),
            span("see:", Tone::Dim),
            plain("   "),
            span(command.clone(), Tone::Command),
        ]));
    }
    blocks
}

/// Breaks between words; what is longer than the width stays whole.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.last_mut().expect("it begins with one line");
        if last.is_empty() {
            last.push_str(word);
        } else if last.chars().count() + 1 + word.chars().count() <= width {
            last.push(' ');
            last.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

impl Report for Doctor {
    const SCHEMA: &'static str = "liveops.doctor/1";

    fn blocks(&self, view: &View) -> Vec<Block> {
        let mut blocks = vec![Block::Line(self.headline())];
        let mut previous = Level::Fail;
        for system in &self.systems {
            let bad: Vec<&Finding> = system.findings.iter().filter(|finding| finding.level != Level::Ok).collect();
            // Systems in which all is well stand line by line below the others.
            if previous != Level::Ok || self.all {
                blocks.push(Block::Blank);
            }
            previous = system.level();
            let mut head = heading(system, view);
            if bad.is_empty() && !self.all {
                head.push(span(format!("  {}", Self::fine(system).join(", ")), Tone::Dim));
                blocks.push(Block::Line(head));
                continue;
            }
            blocks.push(Block::Line(head));
            blocks.extend(bad.iter().flat_map(|finding| problem(finding, view)));
            if self.all {
                for finding in system.findings.iter().filter(|finding| finding.level == Level::Ok) {
                    blocks.push(Block::Line(vec![
                        plain("  "),
                        span(format!("{:<7}", "ok"), Tone::Good),
                        plain(format!("{}: {}", finding.check, finding.message)),
                    ]));
                }
            } else {
                let names = Self::fine(system);
                if !names.is_empty() {
                    blocks.push(Block::Line(vec![
                        plain("  "),
                        span("ok     ", Tone::Good),
                        span(names.join(", "), Tone::Dim),
                    ]));
                }
            }
        }
        blocks
    }

    fn rows(&self, _view: &View) -> Option<Table> {
        let mut table = Table::new(["system", "check", "level", "message", "fix", "command"]);
        for finding in &self.findings {
            let level = match finding.level {
                Level::Ok => "ok",
                Level::Warn => "warn",
                Level::Unknown => "unknown",
                Level::Fail => "fail",
            };
            table.row(vec![
                plain(finding.system.clone()),
                plain(finding.check),
                plain(level),
                plain(finding.message.clone()),
                plain(finding.fix.clone().unwrap_or_default()),
                plain(finding.command.clone().unwrap_or_default()),
            ]);
        }
        Some(table)
    }
}

fn source(system: &System, silent: bool) -> Source {
    let worst = system.findings.iter().max_by_key(|finding| finding.level);
    let level = system.level();
    Source {
        name: system.name.clone(),
        state: match level {
            _ if silent => SourceState::Down,
            Level::Fail | Level::Unknown => SourceState::Degraded,
            Level::Warn | Level::Ok => SourceState::Ok,
        },
        latency_ms: system.latency_ms,
        error: worst.filter(|_| matches!(level, Level::Fail | Level::Unknown)).map(|finding| finding.message.clone()),
    }
}

impl Doctor {
    pub(super) fn meta(&self) -> Meta {
        let bad = || self.findings.iter().filter(|finding| finding.level != Level::Ok);
        let is_silent = |system: &System| {
            system.findings.iter().any(|finding| {
                finding.level == Level::Fail && matches!(finding.check, "reachable" | "credentials" | "answer")
            })
        };
        let outside: Vec<&System> =
            self.systems.iter().filter(|system| system.name != "liveops" && system.name != "kpis").collect();
        let silent = outside.iter().filter(|system| is_silent(system)).count();
        Meta {
            outcome: match silent {
                0 => Outcome::Success,
                n if n == outside.len() => Outcome::Error,
                _ => Outcome::Partial,
            },
            verdict: self.verdict(),
            recommendations: bad()
                .filter_map(|finding| {
                    Some(Recommendation { text: finding.fix.clone()?, command: finding.command.clone() })
                })
                .collect(),
            sources: outside.iter().map(|system| source(system, is_silent(system))).collect(),
            ..Meta::next("", self.next())
        }
    }

    /// The command of the worst finding that has one.
    fn next(&self) -> String {
        self.findings
            .iter()
            .filter(|finding| finding.level != Level::Ok)
            .find_map(|finding| finding.command.clone())
            .unwrap_or_else(|| {
                match self.verdict() {
                    Verdict::Pass | Verdict::Warn => "liveops status",
                    Verdict::Fail | Verdict::Unknown => "liveops config show --origin",
                }
                .into()
            })
    }
}
