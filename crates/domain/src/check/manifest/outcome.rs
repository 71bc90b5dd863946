//! What rules say of objects: passed, failed, not known; what does not apply says nothing.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use crate::check::finding::{Finding, Findings, Level};
use crate::check::manifest::object::Object;

/// The answers of one rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    pub passed: usize,
    /// The worst of what is not waived.
    pub failed: Option<Level>,
    pub unknown: usize,
}

/// The answers of all rules.
#[derive(Debug, Default)]
pub struct Outcomes {
    pub found: Findings,
    pub rules: BTreeMap<&'static str, Tally>,
    /// By which day waivers in annotations are judged; without one, none counts.
    pub today: Option<NaiveDate>,
}

impl Outcomes {
    /// A rule holds for something.
    pub fn pass(&mut self, id: &'static str) {
        self.rules.entry(id).or_default().passed += 1;
    }

    /// A rule holds, or does not.
    pub fn judge(&mut self, on: &Object, id: &'static str, finding: Option<Finding>) {
        match finding {
            Some(finding) => self.fail(on, finding),
            None => self.pass(id),
        }
    }

    /// A rule does not hold for an object; its annotation may accept that.
    pub fn fail(&mut self, on: &Object, mut finding: Finding) {
        let waiver = on.waivers().into_iter().find(|(id, _)| *id == finding.id);
        match (waiver, self.today) {
            (Some((_, Ok(waived))), Some(today)) if waived.until >= today => {
                finding.waived = Some(waived);
                self.found.add(finding);
                return;
            }
            (Some((id, said)), Some(_)) => {
                let (rule, why) = match said {
                    Ok(waived) => ("WAIVER-ENDED", format!("the waiver of {} ended on {}", waived.owner, waived.until)),
                    Err(why) => ("WAIVER-INVALID", format!("the waiver of {id} {why}")),
                };
                let line = on.root["metadata"]["annotations"].line_of("liveops.dev/waive");
                let fix = "mend what it is about, or set `K07 owner=NAME until=2027-01-31 REASON`";
                self.found.add(on.finding(rule, Level::High, on.label(), line, why).fix(fix));
            }
            _ => {}
        }
        self.add(finding);
    }

    /// A rule does not hold, for no object of a manifest.
    pub fn add(&mut self, finding: Finding) {
        self.count(&finding);
        self.found.add(finding);
    }

    fn count(&mut self, finding: &Finding) {
        let tally = self.rules.entry(finding.id).or_default();
        tally.failed = tally.failed.max(Some(finding.level));
    }

    /// Nobody can say whether a rule holds.
    pub fn unknown(&mut self, id: &'static str, subject: impl Into<String>, why: impl Into<String>) {
        self.rules.entry(id).or_default().unknown += 1;
        self.found.unknown(id, subject, why);
    }
}

impl Object {
    /// Something about this object, at a line of its file.
    pub fn finding(
        &self,
        id: &'static str,
        level: Level,
        subject: impl Into<String>,
        line: usize,
        why: impl Into<String>,
    ) -> Finding {
        let finding = Finding::new(id, level, subject, why);
        match &self.file {
            Some(file) => finding.at(&**file, if line == 0 { self.root.line } else { line }),
            None => finding,
        }
    }
}
