//! From verdicts to findings: what is worth saying, how much it weighs, and what to do instead.

use std::collections::BTreeMap;

use super::advice::advice;
use super::fold::{Judged, Report};
use super::statement::{Name, Statement};
use super::verdict::{Algorithm, Blocks, Lock, Work};
use crate::check::finding::{Finding, Findings, Level, RuleInfo};
use crate::text::count::count;

pub const RULES: &[RuleInfo] = &[
    RuleInfo {
        id: "M01",
        title: "A table is rewritten while others wait",
        why: "Every row is written anew under a lock: the longer the table, the longer nobody can use it.",
    },
    RuleInfo {
        id: "M02",
        title: "Every row is read while others wait",
        why: "The lock is held until the last row was read.",
    },
    RuleInfo {
        id: "M03",
        title: "An index is built while writes wait",
        why: "CONCURRENTLY builds the same index, and lets everybody work meanwhile.",
    },
    RuleInfo {
        id: "M04",
        title: "A foreign key is proven while writes wait",
        why: "Writes to both tables wait until every row has been looked up.",
    },
    RuleInfo {
        id: "M05",
        title: "The server refuses the statement",
        why: "The migration ends halfway, in front of the users.",
    },
    RuleInfo {
        id: "M06",
        title: "Code that still runs breaks",
        why: "During a deployment the old code and the new schema meet. Expand first; contract when nothing uses the old any more.",
    },
    RuleInfo { id: "M07", title: "Data is lost", why: "No down migration brings it back: only a backup does." },
    RuleInfo {
        id: "M08",
        title: "A lock is held over other statements",
        why: "Until the end of the transaction everybody waits, also for what follows the statement that took the lock.",
    },
    RuleInfo {
        id: "M09",
        title: "A lock is waited for without a limit",
        why: "While it waits behind one long query, every other query waits behind it.",
    },
    RuleInfo {
        id: "M10",
        title: "Not understood",
        why: "What is put together at run time, lacks its base, or is not known to liveops is never called safe.",
    },
    RuleInfo {
        id: "M11",
        title: "All rows are changed in one statement",
        why: "Their locks are held to the end, replicas lag, and a failure starts again from nothing.",
    },
    RuleInfo {
        id: "M12",
        title: "MySQL or MariaDB blocks writes for as long as the table is long",
        why: "COPY, and INPLACE with a shared lock, let nobody write until they have ended.",
    },
    RuleInfo {
        id: "M13",
        title: "A NOT NULL column without a default",
        why: "MySQL fills the rows that exist with 0 or '' and says nothing.",
    },
    RuleInfo {
        id: "M14",
        title: "REFERENCES beside a column",
        why: "MySQL reads it and forgets it: there is no foreign key.",
    },
    RuleInfo {
        id: "M15",
        title: "No ALGORITHM is named",
        why: "Where the expected algorithm is not possible, the server takes a slower one instead of failing.",
    },
];

pub fn findings(report: &mut Report) {
    let mut findings = std::mem::take(&mut report.findings);
    for judged in &report.statements {
        statement(judged, &mut findings);
    }
    for file in report.statements.chunk_by(|a, b| a.file == b.file) {
        limits(file, &mut findings);
        for transaction in file.chunk_by(|a, b| a.transaction == b.transaction) {
            timeline(transaction, &mut findings);
        }
    }
    report.findings = findings;
}

fn at(judged: &Judged, id: &'static str, level: Level, subject: &str, why: impl Into<String>) -> Finding {
    Finding::new(id, level, subject, why)
        .at(&judged.file, judged.line)
        .column(judged.column)
        .evidence(short(&judged.text))
}

fn short(text: &str) -> String {
    let mut short: String = text.chars().take(160).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

fn statement(judged: &Judged, findings: &mut Findings) {
    let v = &judged.verdict;
    let existing = |name: &&Name| judged.existing.contains(name);
    let subject = || judged.existing.first().cloned().unwrap_or_else(|| "statement".into());
    if let Some(why) = &v.unknown {
        findings.unknown("M10", format!("{}:{}", judged.file, judged.line), why);
    }
    if let Some(refused) = &v.refused {
        let (level, when) = match refused.with_rows {
            true if judged.same_day => (Level::Medium, " where the table, which was created on the same day, has rows"),
            true => (Level::High, " where the table has rows"),
            false => (Level::Blocker, ""),
        };
        let why = format!("{}: the server refuses it{when} ({})", refused.why, refused.code);
        findings.add(at(judged, "M05", level, &subject(), why).fix(advice(judged)));
    }
    if judged.hurts() && v.refused.as_ref().is_none_or(|refused| refused.with_rows) {
        hurts(judged, findings);
    }
    if let Some(why) = &v.breaks {
        findings.add(at(judged, "M06", Level::Medium, &subject(), why).fix(advice_for_code(judged)));
    }
    if let Some(why) = &v.loses {
        findings.add(
            at(judged, "M07", Level::Medium, &subject(), why)
                .fix("release code that does not use it first, and take a backup"),
        );
    }
    if let Some(table) = v.backfill.as_ref().filter(existing) {
        let why = format!("all rows of {table} are changed in one statement");
        findings.add(
            at(judged, "M11", Level::Medium, table, why)
                .fix("change some thousand rows at a time, each in its own transaction"),
        );
    }
    for (id, why) in &v.traps {
        let level = if *id == "M15" { Level::Low } else { Level::Medium };
        let fix = match *id {
            "M13" => "give it a DEFAULT, or add it NULL and fill it first",
            "M14" => "write FOREIGN KEY (…) REFERENCES … as a constraint of the table",
            _ => "name it, so that the statement fails instead: ALGORITHM=…, and LOCK=NONE beside INPLACE and NOCOPY",
        };
        findings.add(at(judged, id, level, &subject(), why).fix(fix));
    }
}

fn hurts(judged: &Judged, findings: &mut Findings) {
    let v = &judged.verdict;
    let worked = |name: &&Name| judged.existing.contains(name);
    let names: Vec<&Name> = match judged.work {
        Work::Rewrite => v.rewrites.iter().filter(worked).collect(),
        Work::Build => v.builds.keys().filter(worked).collect(),
        _ => v.scans.iter().filter(worked).collect(),
    };
    let subject = names.first().map_or("statement", |name| name.as_str());
    let blocked: Vec<&Name> = v
        .locks
        .iter()
        .filter(|(name, lock)| lock.blocks() != Blocks::None && judged.existing.contains(name))
        .map(|(name, _)| name)
        .collect();
    // The subject says which table, where there is one.
    let of = |list: &[&Name]| {
        if list.len() == 1 && list[0].as_str() == subject { String::new() } else { format!(" of {}", self::list(list)) }
    };
    let (worked_on, waiting) = (of(&names), of(&blocked));
    let strongest = v
        .locks
        .iter()
        .filter(|(name, _)| judged.existing.contains(name))
        .map(|(_, lock)| *lock)
        .max()
        .unwrap_or(Lock::Share);
    let (id, does) = match judged.work {
        Work::Rewrite => ("M01", format!("writes every row{worked_on} anew")),
        Work::Build => ("M03", format!("builds an index over every row{worked_on}")),
        _ if !v.proves.is_empty() => ("M04", format!("looks up every row{worked_on}")),
        _ => ("M02", format!("reads every row{worked_on}")),
    };
    let level = if judged.work == Work::Rewrite { Level::Blocker } else { Level::High };
    let (id, how) = match v.method {
        Some((algorithm, lock)) => {
            ("M12", format!("with {} and a {} lock", algorithm.label(), format!("{lock:?}").to_lowercase()))
        }
        None => (id, format!("under {}", strongest.label())),
    };
    let copy = v.method.is_some_and(|(algorithm, _)| algorithm == Algorithm::Copy);
    let level = if v.method.is_some() && !copy { Level::High } else { level };
    let mut why = format!("it {does} {how}: {}{waiting} wait", judged.blocks.label());
    let level = if judged.same_day {
        why.push_str("; the table was created on the same day, so few rows are expected");
        Level::Medium
    } else {
        level
    };
    let mut finding = at(judged, id, level, subject, why).fix(advice(judged));
    if let Some(why) = judged.by_hand {
        finding = finding.evidence(format!("--fix does not write it: {why}"));
    }
    findings.add(finding);
}

/// Three names at most, and how many more.
fn list(names: &[&Name]) -> String {
    let shown: Vec<&str> = names.iter().take(3).map(|name| name.as_str()).collect();
    match names.len().saturating_sub(3) {
        0 => shown.join(" and "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn advice_for_code(judged: &Judged) -> &'static str {
    match &judged.parsed {
        Statement::Drop { .. } | Statement::DropType { .. } => {
            "release code that does not use it first, and drop it with the release after that"
        }
        _ => {
            "expand, then contract: add the new beside the old, write both, fill, read the new, and drop the old with a later release"
        }
    }
}

/// Once a file: the first lock that others can feel, and no limit to the wait for it.
fn limits(file: &[Judged], findings: &mut Findings) {
    let feels =
        |judged: &&Judged| !matches!(judged.blocks, Blocks::None | Blocks::Unknown) && !judged.existing.is_empty();
    let Some(first) = file.iter().find(feels).filter(|first| !first.limited) else { return };
    let mysql = first.dialect.is_mysql();
    let setting = if mysql { "SET SESSION lock_wait_timeout = 2" } else { "SET lock_timeout = '2s'" };
    let table = first.existing.first().cloned().unwrap_or_default();
    let why =
        format!("it waits for its lock on {table} without a limit, and everybody who comes later waits behind it");
    findings.add(
        at(first, "M09", Level::Low, &table, why).fix(format!("begin with {setting}, and try again when it fails")),
    );
}

/// What runs while a lock is held that others feel.
fn timeline(transaction: &[Judged], findings: &mut Findings) {
    if transaction.len() < 2 || transaction[0].dialect.is_mysql() {
        return;
    }
    let mut held: BTreeMap<&Name, (Lock, usize)> = BTreeMap::new();
    for (n, judged) in transaction.iter().enumerate() {
        for (name, lock) in judged
            .verdict
            .locks
            .iter()
            .filter(|(name, lock)| lock.blocks() != Blocks::None && judged.existing.contains(name))
        {
            let one = held.entry(name).or_insert((*lock, n));
            if lock.blocks() > one.0.blocks() {
                *one = (*lock, n);
            }
        }
    }
    // The longest of them says it for all.
    let works = |judged: &&Judged| !matches!(judged.work, Work::None | Work::Unknown);
    let longest =
        held.into_iter().map(|(name, (lock, n))| (transaction[n + 1..].iter().filter(works).count(), name, lock, n));
    let Some((working, name, lock, n)) =
        longest.max_by_key(|(working, _, lock, n)| (*working, *lock, std::cmp::Reverse(*n)))
    else {
        return;
    };
    if working == 0 {
        return;
    }
    let later = transaction.len() - n - 1;
    let why = format!(
        "{} on {name} is held over {} more of its transaction, {working} of them in proportion to rows",
        lock.label(),
        count(later, "statement")
    );
    let worst = transaction[n + 1..].iter().find(works).map(|judged| short(&judged.text)).unwrap_or_default();
    let finding = at(&transaction[n], "M08", Level::Medium, name, why).evidence(format!("meanwhile: {worst}"));
    findings.add(finding.fix("put what works on rows into a migration of its own"));
}

#[cfg(test)]
mod tests {
    use super::super::fold::{Options, check};
    use super::super::layout::Source;
    use super::*;

    fn levels(files: &[(&str, &str)]) -> Vec<(&'static str, Level)> {
        let source = |(path, text): &(&str, &str)| Source { path: (*path).into(), text: (*text).into(), judged: true };
        let sources: Vec<Source> = files.iter().map(source).collect();
        let mut found: Vec<(&'static str, Level)> =
            check(&sources, &Options::default()).findings.findings.iter().map(|one| (one.id, one.level)).collect();
        found.retain(|(id, _)| *id < "M06");
        found
    }

    #[test]
    fn what_was_created_on_the_same_day_weighs_less() {
        let first = ("m/20240101000000_a.sql", "CREATE TABLE old (id int PRIMARY KEY, b int);");
        let table = ("m/20240301100000_b.sql", "CREATE TABLE young (id int, b int);");
        let works = "CREATE INDEX i ON young (b); ALTER TABLE young ADD FOREIGN KEY (b) REFERENCES old (id);
            ALTER TABLE young ALTER id TYPE bigint; ALTER TABLE young ADD c int NOT NULL;";
        let same = levels(&[first, table, ("m/20240301110000_c.sql", works)]);
        let expected = [("M03", Level::Medium), ("M04", Level::Medium), ("M01", Level::Medium), ("M05", Level::Medium)];
        assert_eq!(same[..4], expected);
        let later = levels(&[first, table, ("m/20240303110000_c.sql", works)]);
        assert_eq!(later[..3], [("M03", Level::High), ("M04", Level::High), ("M01", Level::Blocker)]);
        assert_eq!(later[3], ("M05", Level::High));
        // One of the two is in use: its rows are looked up, and its index is built.
        let mixed = "ALTER TABLE old ADD FOREIGN KEY (b) REFERENCES young (id); CREATE INDEX j ON old (b);";
        let found = levels(&[first, table, ("m/20240301110000_c.sql", mixed)]);
        assert_eq!(found, [("M04", Level::High), ("M03", Level::High)]);
    }

    #[test]
    fn a_first_migration_and_versions_that_are_no_times_make_nothing_young() {
        let works = "CREATE INDEX i ON a (id);";
        let base = "CREATE TABLE a (id int);";
        let high = [("M03", Level::High)];
        let none = ("m/20250101000000_z.sql", "SELECT 1;");
        assert_eq!(levels(&[("m/20240101000000_a.sql", base), ("m/20240101000001_b.sql", works), none]), high);
        let zero = ("m/20240101000000_0.sql", "SELECT 1;");
        assert_eq!(levels(&[zero, ("m/20240101000001_a.sql", base), ("m/20240101000002_b.sql", works)]), high);
        assert_eq!(levels(&[("1.sql", "SELECT 1;"), ("2.sql", base), ("3.sql", works)]), high);
    }
}
