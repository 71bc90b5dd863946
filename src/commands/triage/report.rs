//! The report of `liveops triage`: what each item found and was answered, and what can be done.

use serde::Serialize;

use crate::context::Context;
use crate::output::block::{Block, Table, Tone, plain, span};
use crate::output::report::{Meta, Report};
use crate::output::tone;
use crate::output::view::View;
use liveops_domain::status::source::{Outcome as Job, Recommendation, Source, SourceState, Verdict};
use liveops_domain::triage::mitigation::Mitigation;
use liveops_domain::triage::{Answer, CheckResult, Item, Outcome, Said};
use liveops_engine::triage::log::TriageLog;

/// Mitigations that a screen shows.
const SHOWN: usize = 4;

#[derive(Debug, Serialize)]
struct Entry {
    id: String,
    ask: String,
    outcome: Outcome,
    evidence: Vec<String>,
    answer: Option<Answer>,
    note: Option<String>,
}

/// A checklist that was gone through.
#[derive(Debug, Serialize)]
pub(super) struct TriageReport {
    incident: Option<String>,
    items: Vec<Entry>,
    mitigations: Vec<Mitigation>,
    finished: bool,
}

impl TriageReport {
    pub(super) fn new(
        cx: &Context,
        log: &TriageLog,
        items: Vec<(Item, CheckResult, Option<Said>)>,
        mitigations: Vec<Mitigation>,
        quit: bool,
    ) -> Self {
        let repeat = cx.output.repeat();
        let mitigations = mitigations.into_iter().map(|way| Mitigation { command: repeat.apply(&way.command), ..way });
        let entry = |(item, found, answer): (Item, CheckResult, Option<Said>)| {
            let (answer, note) = answer.map_or((None, None), |(answer, note)| (Some(answer), note));
            Entry { id: item.id, ask: item.ask, outcome: found.outcome, evidence: found.lines, answer, note }
        };
        Self {
            incident: log.incident().map(|one| one.id.clone()),
            items: items.into_iter().map(entry).collect(),
            mitigations: mitigations.collect(),
            finished: !quit,
        }
    }

    pub(super) fn mitigations(&self) -> &[Mitigation] {
        &self.mitigations
    }

    /// A person's word goes before that of a check.
    pub(super) fn verdict(&self) -> Verdict {
        let open = |entry: &&Entry| entry.answer.is_none();
        let is = |outcome| self.items.iter().filter(open).any(|one| one.outcome == outcome);
        let problem = self.items.iter().any(|one| one.answer == Some(Answer::Problem));
        if problem || is(Outcome::Suspicious) {
            Verdict::Fail
        } else if is(Outcome::Unknown) || (is(Outcome::NotLookedAt) && !self.was_looked()) {
            Verdict::Unknown
        } else {
            Verdict::Pass
        }
    }

    /// Did any check or person look at anything?
    fn was_looked(&self) -> bool {
        self.items.iter().any(|one| one.outcome == Outcome::Clear || one.answer == Some(Answer::Fine))
    }

    pub(super) fn meta(&self, sources: Vec<Source>, log: &TriageLog) -> Meta {
        let down = sources.iter().any(|one| one.state == SourceState::Down);
        Meta {
            outcome: if down { Job::Partial } else { Job::Success },
            verdict: self.verdict(),
            sources,
            ..Meta::steps(self.next(log))
        }
    }

    fn next(&self, log: &TriageLog) -> Vec<Recommendation> {
        let mut next = Vec::new();
        if !self.finished {
            next.push(Recommendation::new("go on", format!("liveops {}", log.resume())));
        }
        if self.incident.is_none() && self.verdict() == Verdict::Fail {
            next.push(Recommendation::new("open an incident", "liveops incident open --sev p2"));
        } else if self.incident.is_some() && self.finished {
            next.push(Recommendation::new("once it is better", "liveops incident mitigate"));
        }
        if next.is_empty() {
            next.push(Recommendation::new("look at everything", "liveops status"));
        }
        next
    }
}

impl Report for TriageReport {
    fn schema(&self) -> &'static str {
        "liveops.triage/1"
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        let mut blocks = vec![Block::heading(match &self.incident {
            Some(id) => format!("triage of {id}"),
            None => "triage, without an incident".to_owned(),
        })];
        for entry in &self.items {
            let tone = match (entry.answer, entry.outcome) {
                (Some(Answer::Fine), _) | (None, Outcome::Clear) => Tone::Good,
                (Some(Answer::Problem), _) | (None, Outcome::Suspicious) => Tone::Bad,
                (None, Outcome::Unknown | Outcome::NotLookedAt) => Tone::Unknown,
                (Some(Answer::Skipped), _) | (None, Outcome::Manual) => Tone::Dim,
            };
            let said = entry.answer.map_or(entry.outcome.word(), |answer| answer.word());
            let note = entry.note.as_ref().map_or_else(String::new, |note| format!(" ({note})"));
            blocks.push(Block::Line(vec![
                tone::mark(tone, view),
                plain(format!(" {}  ", entry.ask)),
                span(format!("{said}{note}"), tone),
            ]));
            // On a terminal all of it must fit; whoever answered has seen the rest.
            let matters = matches!(tone, Tone::Bad | Tone::Unknown);
            let shown = if matters || !view.terminal { 3 } else { 0 };
            for line in entry.evidence.iter().take(shown) {
                blocks.push(Block::Line(vec![span(format!("    {line}"), Tone::Dim)]));
            }
        }
        blocks.push(Block::Blank);
        blocks.push(Block::heading("what may help, the best first:"));
        for (index, way) in self.mitigations.iter().take(SHOWN).enumerate() {
            blocks.push(Block::Whole(vec![
                plain(format!("  {}. {}: ", index + 1, way.title)),
                span(&way.command, Tone::Command),
            ]));
            blocks.push(Block::Line(vec![span(format!("     {}", way.why), Tone::Dim)]));
        }
        blocks
    }

    fn rows(&self, _view: &View) -> Option<Table> {
        let mut table = Table::new(["item", "outcome", "answer", "evidence"]);
        for entry in &self.items {
            table.row(vec![
                plain(&entry.id),
                plain(entry.outcome.word()),
                plain(entry.answer.map_or("", Answer::word)),
                plain(entry.evidence.join("; ")),
            ]);
        }
        Some(table)
    }
}
