//! The verdicts, cell by cell, against what the servers did.

use std::collections::BTreeSet;

use super::Dialect;
use super::catalog::Catalog;
use super::parse::parse;
use super::postgres::{Session, judge};
use super::split::split;
use super::statement::Statement;
use super::verdict::{Lock, Verdict};

const STATEMENTS: &str = include_str!("fixtures/postgres.txt");
const MARIADB: &str = include_str!("fixtures/mariadb.txt");
const SCHEMA: &str = include_str!("fixtures/postgres.sql");

fn schema(version: u32) -> Catalog {
    let text = if version < 12 { SCHEMA.split("-- From PostgreSQL 12 on:").next().unwrap() } else { SCHEMA };
    let mut catalog = Catalog::default();
    for statement in read(text) {
        assert!(!matches!(statement, Statement::Unknown(_)), "{statement:?}");
        catalog.apply(&statement);
    }
    catalog.migration = 1;
    catalog
}

fn read(text: &str) -> Vec<Statement> {
    split(text, Dialect::Postgres).iter().map(|piece| parse(&piece.tokens, text, Dialect::Postgres)).collect()
}

#[test]
fn algorithm_and_lock_are_those_of_mariadb() {
    let mut setup = String::new();
    let (mut rows, mut wrong) = (0, vec![]);
    for line in MARIADB.lines().filter(|line| !line.starts_with('#')) {
        let Some((statement, expected)) = line.split_once(" | ") else {
            setup.push_str(line);
            continue;
        };
        let mut catalog = Catalog::default();
        let dialect = Dialect::Mariadb;
        for piece in split(&setup, dialect) {
            let parsed = parse(&piece.tokens, &setup, dialect);
            assert!(!matches!(parsed, Statement::Unknown(_)), "{}", piece.text);
            catalog.apply(&parsed);
        }
        catalog.migration = 1;
        let (off, statement) = statement.strip_prefix("{off}").map_or((false, statement), |rest| (true, rest));
        let parsed = parse(&split(statement, dialect)[0].tokens, statement, dialect);
        let session = super::mysql::Session { dialect, version: [10, 11, 0], foreign_key_checks: !off };
        let v = super::mysql::judge(&catalog, &parsed, &session);
        let found = v.method.map(|(algorithm, lock)| format!("{} {lock:?}", algorithm.label()).to_uppercase());
        rows += 1;
        if found.as_deref() != Some(expected) {
            wrong.push(format!("{statement}: {found:?} {:?}, the server: {expected}", v.unknown));
        }
    }
    assert!(rows == 54 && wrong.is_empty(), "{} of {rows} differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// `t=AE scan:t build:1`, sorted.
fn words(text: &str) -> BTreeSet<String> {
    let code = text.strip_prefix("ERR ").map(|rest| format!("ERR {}", &rest[..5]));
    if let Some(code) = code {
        return BTreeSet::from([code]);
    }
    let relation = |word: &str| !word.contains("(I)=") && word != "-";
    text.split_whitespace()
        .filter(|word| relation(word))
        .map(|word| word.replace("(S)", "").replace("(v)", "").replace("(m)", "").replace("t2=", "t="))
        .collect()
}

fn short(lock: Lock) -> &'static str {
    match lock {
        Lock::AccessShare => "AS",
        Lock::RowShare => "RS",
        Lock::RowExclusive => "RE",
        Lock::ShareUpdateExclusive => "SUE",
        Lock::Share => "S",
        Lock::ShareRowExclusive => "SRE",
        Lock::Exclusive => "E",
        Lock::AccessExclusive => "AE",
    }
}

fn shown(v: &Verdict, statement: &Statement) -> BTreeSet<String> {
    if let Some(why) = &v.unknown {
        return BTreeSet::from([format!("UNKNOWN {why}")]);
    }
    if let Some(refused) = &v.refused {
        return BTreeSet::from([format!("ERR {}", refused.code)]);
    }
    let mut words: BTreeSet<String> = v
        .locks
        .iter()
        .filter(|(name, _)| !v.dropped.contains(*name))
        .map(|(name, lock)| format!("{name}={}", short(*lock)))
        .collect();
    // The harness saw what it created, too.
    if let Statement::CreateView { name, .. } = statement {
        words.insert(format!("{name}=AE"));
    }
    let list = |names: Vec<&String>| names.into_iter().cloned().collect::<Vec<_>>().join(",");
    let rewritten: BTreeSet<&String> = v.rewrites.union(&v.emptied).collect();
    if !rewritten.is_empty() {
        words.insert(format!("REWRITE:{}", list(rewritten.into_iter().collect())));
    }
    if !v.scans.is_empty() {
        words.insert(format!("scan:{}", list(v.scans.iter().collect())));
    }
    let builds: usize = v.builds.values().sum();
    if builds > 0 {
        words.insert(format!("build:{builds}"));
    }
    if v.waits {
        words.insert("WAITS".into());
    }
    words
}

fn run(version: u32, text: &str) -> BTreeSet<String> {
    let (alone, text) = text.strip_prefix('!').map_or((false, text), |text| (true, text));
    let (setup, text) = text.strip_prefix('{').and_then(|rest| rest.split_once('}')).unwrap_or(("", text));
    let mut catalog = schema(version);
    let mut session = Session { version, in_transaction: !alone, ..Session::default() };
    for statement in read(setup) {
        match &statement {
            Statement::Set { name, value } if name == "timezone" => session.utc = value == "UTC",
            Statement::AddValue { name, value } => session.added_values.push((name.clone(), value.clone())),
            _ => {}
        }
        catalog.apply(&statement);
    }
    // What the setup created stands as if it had been there.
    let mut all = Verdict::default();
    let statements = read(text);
    for statement in &statements {
        all.add(judge(&catalog, statement, &session));
        catalog.apply(statement);
    }
    shown(&all, statements.last().unwrap())
}

#[test]
fn locks_and_work_are_those_of_ten_to_eighteen() {
    let (mut cells, mut wrong) = (0, vec![]);
    for row in STATEMENTS.lines().filter(|line| !line.starts_with('#')) {
        let mut parts = row.splitn(3, " | ");
        let (name, rest) = (parts.next().unwrap(), parts.next().unwrap());
        let results = parts.next().unwrap();
        for part in results.split(" ;; ") {
            let (versions, expected) = part.split_once(": ").unwrap();
            if expected == "n/a" {
                continue;
            }
            let (from, to) = versions.split_once('-').unwrap_or((versions, versions));
            for version in from.parse().unwrap()..=to.parse::<u32>().unwrap() {
                cells += 1;
                let (found, expected) = (run(version, rest), words(expected));
                if found != expected {
                    wrong.push(format!("{name} {version}: {found:?}, the server: {expected:?}"));
                }
            }
        }
    }
    assert!(cells > 1_900 && wrong.is_empty(), "{} of {cells} differ:\n{}", wrong.len(), wrong.join("\n"));
}
