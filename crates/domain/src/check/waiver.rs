//! Waivers: a finding that somebody accepts, for a reason, until a day. One that has ended, or that meets nothing, is a
//! finding itself: else a list of them rots, and nobody sees what it hides.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::check::finding::{Finding, Findings, Level, RuleInfo};

/// The rules about waivers themselves.
pub const RULES: &[RuleInfo] = &[
    RuleInfo { id: "WAIVER-ENDED", title: "A waiver has ended", why: "What it hid counts again: decide anew." },
    RuleInfo {
        id: "WAIVER-UNUSED",
        title: "A waiver meets no finding",
        why: "It would hide the next finding that nobody has looked at.",
    },
    RuleInfo {
        id: "WAIVER-INVALID",
        title: "A waiver lacks its owner, reason or end",
        why: "A finding is accepted by somebody, for a reason, for a time.",
    },
];

/// The file that holds them.
pub const FILE: &str = "liveops.waivers.yaml";

/// The acceptance that stands beside a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waived {
    pub owner: String,
    pub reason: String,
    /// The last day.
    pub until: NaiveDate,
}

/// One acceptance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiver {
    /// Rule id.
    pub id: String,
    /// The finding's subject; `*` is any.
    pub subject: String,
    pub waived: Waived,
    /// Where it stands: file, and line from 1.
    pub place: (String, usize),
    /// For a comment: the line of the file that it is about.
    pub about: Option<usize>,
}

/// As the file has it. What is missing is told per entry, not by the parser.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Entry {
    id: String,
    subject: String,
    owner: String,
    reason: String,
    until: String,
}

impl Entry {
    fn read(self, place: (String, usize), about: Option<usize>) -> Result<Waiver, String> {
        let missing: Vec<&str> = [
            ("id", &self.id),
            ("subject", &self.subject),
            ("owner", &self.owner),
            ("reason", &self.reason),
            ("until", &self.until),
        ]
        .into_iter()
        .filter(|(_, value)| value.trim().is_empty())
        .map(|(name, _)| name)
        .collect();
        if !missing.is_empty() {
            return Err(format!("lacks `{}`", missing.join("`, `")));
        }
        let until = NaiveDate::parse_from_str(self.until.trim(), "%Y-%m-%d")
            .map_err(|_| format!("`until: {}` is no day such as 2027-01-31", self.until.trim()))?;
        let waived = Waived { owner: self.owner, reason: self.reason, until };
        Ok(Waiver { id: self.id, subject: self.subject, waived, place, about })
    }
}

/// The waivers of `liveops.waivers.yaml`: a list. What cannot be used is said, with its place.
///
/// # Errors
/// The text is no YAML list of maps.
pub fn read(file: &str, text: &str) -> Result<(Vec<Waiver>, Vec<Finding>), String> {
    let values: Option<Vec<serde_yaml::Value>> = serde_yaml::from_str(text).map_err(|error| error.to_string())?;
    // Each entry begins with a dash at the left; the parser gives values without their lines.
    let starts = text.lines().enumerate().filter(|(_, line)| line.trim_start().starts_with("- ") || line.trim() == "-");
    let mut starts: Vec<(usize, usize)> =
        starts.map(|(at, line)| (at + 1, line.len() - line.trim_start().len())).collect();
    let margin = starts.first().map(|(_, margin)| *margin);
    starts.retain(|(_, own)| Some(*own) == margin);
    let (mut waivers, mut wrong) = (Vec::new(), Vec::new());
    for (at, value) in values.unwrap_or_default().into_iter().enumerate() {
        let line = starts.get(at).map_or(0, |(line, _)| *line);
        let entry = serde_yaml::from_value::<Entry>(value).map_err(|error| error.to_string());
        match entry.and_then(|entry| entry.read((file.to_owned(), line), None)) {
            Ok(waiver) => waivers.push(waiver),
            Err(why) => wrong.push(invalid(file, line, &why)),
        }
    }
    Ok((waivers, wrong))
}

fn invalid(file: &str, line: usize, why: &str) -> Finding {
    Finding::new("WAIVER-INVALID", Level::High, format!("waiver at line {line}"), format!("the waiver {why}"))
        .at(file, line)
        .fix("give id, subject, owner, reason and until (the last day, such as 2027-01-31)")
}

/// The waivers that stand as comments in a file: `liveops:waive ID owner=NAME until=DAY REASON`, on the line that they
/// are about or on the one above it.
pub fn comments(file: &str, text: &str) -> (Vec<Waiver>, Vec<Finding>) {
    const MARK: &str = "liveops:waive ";
    let (mut waivers, mut wrong) = (Vec::new(), Vec::new());
    for (at, line) in text.lines().enumerate() {
        let Some((before, rest)) = line.split_once(MARK) else { continue };
        let code = before.trim_end_matches(|c: char| c.is_whitespace() || "#-/*<!".contains(c));
        // Only a comment's own mark may stand between the code and it.
        if code.len() == before.trim_end().len() {
            continue;
        }
        let rest = rest.trim_end().trim_end_matches("*/").trim_end_matches("-->");
        let mut entry = Entry { subject: "*".into(), ..Entry::default() };
        let mut reason = Vec::new();
        for (nth, word) in rest.split_whitespace().enumerate() {
            match word.split_once('=') {
                Some(("owner", value)) => entry.owner = value.into(),
                Some(("until", value)) => entry.until = value.into(),
                Some(("subject", value)) => entry.subject = value.into(),
                _ if nth == 0 => entry.id = word.into(),
                _ => reason.push(word),
            }
        }
        entry.reason = reason.join(" ");
        let about = if code.trim().is_empty() { at + 2 } else { at + 1 };
        match entry.read((file.to_owned(), at + 1), Some(about)) {
            Ok(waiver) => waivers.push(waiver),
            Err(why) => wrong.push(invalid(file, at + 1, &why)),
        }
    }
    (waivers, wrong)
}

impl Waiver {
    fn meets(&self, finding: &Finding) -> bool {
        let here = self.about.is_none_or(|line| {
            finding.line == Some(line) && finding.file.as_deref().is_some_and(|file| file == self.place.0)
        });
        here && self.id == finding.id && (self.subject == "*" || self.subject == finding.subject)
    }
}

/// How many waivers are in use, and when the next one ends.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct WaiverCount {
    pub used: usize,
    pub next_end: Option<NaiveDate>,
}

/// Puts the waivers beside the findings that they meet; adds what is wrong with the waivers. `ids` are the rules of this
/// gate: a waiver of another gate's rule is none of its business.
pub fn apply(found: &mut Findings, waivers: &[Waiver], ids: &[&str], today: NaiveDate) -> WaiverCount {
    let mut count = WaiverCount::default();
    let mut wrong = Vec::new();
    for waiver in waivers.iter().filter(|waiver| ids.contains(&waiver.id.as_str())) {
        let ended = waiver.waived.until < today;
        let mut used = false;
        for finding in found.findings.iter_mut().filter(|finding| waiver.meets(finding)) {
            used = true;
            if !ended {
                finding.waived = Some(waiver.waived.clone());
            }
        }
        let name = format!("{} {}", waiver.id, waiver.subject);
        let (file, line) = &waiver.place;
        if ended {
            let why = format!("the waiver of {} ended on {}", waiver.waived.owner, waiver.waived.until);
            let fix = "mend what it is about, or set a new end";
            wrong.push(Finding::new("WAIVER-ENDED", Level::High, name, why).at(file, *line).fix(fix));
        } else if used {
            count.used += 1;
            let end = waiver.waived.until;
            count.next_end = Some(count.next_end.map_or(end, |next: NaiveDate| next.min(end)));
        } else if !found.unknown.iter().any(|unknown| unknown.id == waiver.id) {
            // Where the rule could not tell, the waiver may be needed.
            let why = "the waiver meets no finding";
            wrong.push(Finding::new("WAIVER-UNUSED", Level::High, name, why).at(file, *line).fix("remove it"));
        }
    }
    found.findings.extend(wrong);
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE_TEXT: &str = "# why\n- id: A02\n  subject: Down\n  owner: ana\n  reason: by design\n  until: 2026-12-31\n- id: A02\n  subject: Up\n";

    fn day(text: &str) -> NaiveDate {
        NaiveDate::parse_from_str(text, "%Y-%m-%d").unwrap()
    }

    #[test]
    fn an_entry_that_lacks_a_part_is_named_with_its_line() {
        let (waivers, wrong) = read(FILE, FILE_TEXT).unwrap();
        assert_eq!(waivers.len(), 1);
        assert_eq!(waivers[0].place.1, 2);
        assert_eq!(wrong[0].place().as_deref(), Some("liveops.waivers.yaml:7"));
        assert_eq!(wrong[0].why, "the waiver lacks `owner`, `reason`, `until`");
        assert!(read(FILE, "a: b").is_err());
        assert_eq!(read(FILE, "").unwrap().0.len(), 0);
        let (_, wrong) = read(FILE, "- {id: A, subject: b, owner: c, reason: d, until: soon}").unwrap();
        assert!(wrong[0].why.contains("`until: soon` is no day"), "{}", wrong[0].why);
        let (_, wrong) = read(FILE, "- {id: A, subjct: b}").unwrap();
        assert!(wrong[0].why.contains("subjct"), "{}", wrong[0].why);
    }

    #[test]
    fn a_waiver_hides_until_its_end_and_an_idle_one_is_a_finding() {
        let (waivers, _) = read(FILE, FILE_TEXT).unwrap();
        let found = |today: &str, subject: &str| {
            let mut all = Findings::default();
            all.add(Finding::new("A02", Level::High, subject, "w"));
            let count = apply(&mut all, &waivers, &["A02"], day(today));
            (all.findings.iter().map(|one| (one.id, one.counts())).collect::<Vec<_>>(), count.used)
        };
        assert_eq!(found("2026-12-31", "Down"), (vec![("A02", false)], 1));
        assert_eq!(found("2027-01-01", "Down"), (vec![("A02", true), ("WAIVER-ENDED", true)], 0));
        assert_eq!(found("2026-12-31", "Other"), (vec![("A02", true), ("WAIVER-UNUSED", true)], 0));
        let mut other = Findings::default();
        assert_eq!(apply(&mut other, &waivers, &["K01"], day("2026-12-31")).used, 0);
        assert!(other.findings.is_empty());
    }

    #[test]
    fn a_comment_waives_its_own_line_or_the_next() {
        let text = "-- liveops:waive M01 owner=ana until=2027-01-31 table is empty\nDROP TABLE a;\nDROP TABLE b; -- liveops:waive M01 owner=bo until=2027-01-31 gone\n'liveops:waive M01'\n# liveops:waive M02\n";
        let (waivers, wrong) = comments("a.sql", text);
        let about: Vec<_> = waivers.iter().map(|one| (one.about, one.waived.reason.as_str())).collect();
        assert_eq!(about, [(Some(2), "table is empty"), (Some(3), "gone")]);
        assert_eq!(wrong.len(), 1);
        assert_eq!(wrong[0].line, Some(5));
    }
}
