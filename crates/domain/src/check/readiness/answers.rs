//! What people say of a service, for what no machine sees: each answer with its evidence, its owner, and an end.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::check::finding::{Finding, Level};
use crate::check::manifest::outcome::Outcomes;
use crate::check::readiness::{RULES, Rule};

/// What somebody says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Said {
    Yes,
    No,
    NotApplicable,
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    pub answer: Said,
    /// A link to what proves it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
    pub owner: String,
    /// The last day.
    pub until: NaiveDate,
}

/// The answers for one service: `readiness/SERVICE.yaml`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answers {
    #[serde(default)]
    pub answers: BTreeMap<String, Answer>,
}

impl Answers {
    /// Reads the file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let read: Self = serde_yaml::from_str(text).map_err(|error| error.to_string())?;
        match read.answers.keys().find(|id| !RULES.iter().any(|rule| can_be_said(rule) && rule.info.id == id.as_str()))
        {
            Some(id) => Err(format!("`{id}` is no question; there are O01 to O07 and Q01 to Q07")),
            None => Ok(read),
        }
    }

    /// The file.
    pub fn write(&self, service: &str) -> String {
        let body = serde_yaml::to_string(self).unwrap_or_default();
        format!("# What people say of {service}; `liveops check readiness {service}` asks and reads it.\n{body}")
    }

    /// What is neither answered nor known.
    pub fn open(&self, outcomes: &Outcomes, today: NaiveDate) -> Vec<&'static Rule> {
        let is_open = |rule: &&Rule| {
            let id = rule.info.id;
            let answered = self.answers.get(id).is_some_and(|answer| answer.until >= today);
            let tally = outcomes.rules.get(id).copied().unwrap_or_default();
            let known = tally.failed.is_some() || (tally.passed > 0 && tally.unknown == 0);
            can_be_said(rule) && !answered && !known
        };
        RULES.iter().filter(is_open).collect()
    }

    /// Lets answers stand for what is not known; what is known to be bad stays so.
    pub fn judge(&self, service: &str, file: &str, today: NaiveDate, outcomes: &mut Outcomes) {
        for rule in RULES.iter().filter(|rule| can_be_said(rule)) {
            let id = rule.info.id;
            let tally = outcomes.rules.get(id).copied().unwrap_or_default();
            let asked = id.starts_with('Q') || tally.unknown > 0;
            let Some(answer) = self.answers.get(id).filter(|_| asked) else {
                if id.starts_with('Q') {
                    outcomes.unknown(id, service, format!("nobody has said: {}", rule.info.title.to_lowercase()));
                }
                continue;
            };
            if answer.until < today {
                let why = format!("what {} said of it ended on {}", answer.owner, answer.until);
                let finding = Finding::new(id, Level::Medium.min(rule.weight), service, why);
                let fix = format!("look again, and answer: `liveops check readiness {service}`");
                outcomes.add(finding.at(file, 0).fix(fix));
                continue;
            }
            forget(id, service, outcomes);
            match answer.answer {
                Said::Yes if answer.evidence.is_some() => outcomes.pass(id),
                Said::Yes => outcomes.unknown(id, service, format!("{} says so, and gives no evidence", answer.owner)),
                Said::No => {
                    let why = format!("{} says no: {}", answer.owner, rule.info.why);
                    outcomes.add(Finding::new(id, rule.weight, service, why).at(file, 0).fix(rule.info.title));
                }
                Said::NotApplicable => {}
            }
        }
    }
}

/// Can a person answer it? Manifests speak for themselves.
fn can_be_said(rule: &Rule) -> bool {
    rule.info.id.starts_with(['O', 'Q'])
}

fn forget(id: &'static str, service: &str, outcomes: &mut Outcomes) {
    outcomes.found.unknown.retain(|unknown| unknown.id != id || unknown.subject != service);
    if let Some(tally) = outcomes.rules.get_mut(id) {
        tally.unknown = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "answers:
  Q01: { answer: yes, evidence: 'https://wiki/timeouts', owner: ana, until: 2027-01-01 }
  Q02: { answer: no, owner: ana, until: 2027-01-01 }
  Q03: { answer: not-applicable, owner: ana, until: 2027-01-01 }
  Q04: { answer: yes, evidence: x, owner: ana, until: 2026-01-01 }
  Q05: { answer: yes, owner: ana, until: 2027-01-01 }
  O06: { answer: yes, evidence: x, owner: ana, until: 2027-01-01 }
  O05: { answer: yes, evidence: x, owner: ana, until: 2027-01-01 }
";

    #[test]
    fn answers_stand_for_what_is_not_known_until_they_end() {
        let answers = Answers::read(FILE).expect("valid");
        let today = NaiveDate::from_ymd_opt(2026, 11, 30).expect("a day");
        let mut outcomes = Outcomes::default();
        outcomes.unknown("O06", "game", "no backup is configured");
        // What is known to be bad is not talked away.
        outcomes.add(Finding::new("O05", Level::Medium, "game", "there is no flag"));
        answers.judge("game", "readiness/game.yaml", today, &mut outcomes);
        let tally = |id: &str| outcomes.rules.get(id).copied().unwrap_or_default();
        assert_eq!((tally("Q01").passed, tally("O06").passed, tally("O06").unknown), (1, 1, 0));
        assert_eq!((tally("Q02").failed, tally("Q04").failed), (Some(Level::High), Some(Level::Medium)));
        assert_eq!(tally("Q03"), crate::check::manifest::outcome::Tally::default());
        assert_eq!((tally("Q05").unknown, tally("Q06").unknown, tally("O05").failed), (1, 1, Some(Level::Medium)));
        let open: Vec<&str> = answers.open(&outcomes, today).iter().map(|rule| rule.info.id).collect();
        assert_eq!(open, ["O01", "O02", "O03", "O04", "O07", "Q06", "Q07"]);
        assert_eq!(Answers::read(&answers.write("game")), Ok(answers));
    }

    #[test]
    fn slips_are_named() {
        for (text, want) in [
            ("answers: { K01: { answer: yes, owner: a, until: 2027-01-01 } }", "`K01` is no question"),
            ("answers: { Q01: { answer: maybe, owner: a, until: 2027-01-01 } }", "maybe"),
            ("answers: { Q01: { answer: yes, until: 2027-01-01 } }", "owner"),
        ] {
            let error = Answers::read(text).expect_err(text);
            assert!(error.contains(want), "{text}: {error}");
        }
        assert_eq!(Answers::read(""), Ok(Answers::default()));
    }
}
