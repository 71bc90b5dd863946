//! Folds a history: each statement is judged against the schema that it meets, and then leaves its mark in it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::age::Ages;
use super::body;
use super::catalog::Catalog;
use super::layout::{History, Layout, Migration, Source, Transaction, histories};
use super::parse::parse;
use super::safe::{self, Step};
use super::split::{Piece, server_text, split};
use super::statement::{Action, Name, Statement};
use super::verdict::{Blocks, Lock, Verdict, Work};
use super::{Dialect, Version, mysql, postgres};
use crate::check::finding::Findings;

/// What a person says about the database.
#[derive(Debug, Clone, Default)]
pub struct Options {
    pub dialect: Option<Dialect>,
    pub version: Option<Version>,
    pub layout: Option<Layout>,
    /// The schema before the first migration: file and text.
    pub schema: Option<(String, String)>,
}

/// One statement, and what it does.
#[derive(Debug, Clone)]
pub struct Judged {
    pub file: String,
    pub line: usize,
    pub column: usize,
    /// On one line.
    pub text: String,
    pub dialect: Dialect,
    pub layout: Layout,
    pub parsed: Statement,
    pub verdict: Verdict,
    /// On tables that were there before the migration.
    pub blocks: Blocks,
    pub work: Work,
    /// These tables, of those that it locks or works on.
    pub existing: Vec<Name>,
    /// What it works on was created by an earlier migration of the same day.
    pub same_day: bool,
    /// Statements with the same number share a transaction.
    pub transaction: usize,
    /// `lock_timeout` is set.
    pub limited: bool,
    /// As written.
    pub raw: String,
    /// Another way to the same schema, on which nobody waits.
    pub safe: Option<Vec<Step>>,
    /// Why there is none that can be written.
    pub by_hand: Option<&'static str>,
}

/// As `data.statements[]` has it.
#[derive(Debug, Serialize)]
pub struct Shown<'a> {
    file: &'a str,
    line: usize,
    statement: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    locks: Option<&'a BTreeMap<Name, Lock>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    algorithm: Option<super::verdict::Algorithm>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lock: Option<super::verdict::TableLock>,
    blocks: Blocks,
    work: Work,
    breaks_running_code: bool,
    loses_data: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    fails: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown: Option<&'a str>,
}

impl Judged {
    pub fn shown(&self) -> Shown<'_> {
        let v = &self.verdict;
        Shown {
            file: &self.file,
            line: self.line,
            statement: &self.text,
            locks: (!self.dialect.is_mysql()).then_some(&v.locks),
            algorithm: v.method.map(|(algorithm, _)| algorithm),
            lock: v.method.map(|(_, lock)| lock),
            blocks: self.blocks,
            work: self.work,
            breaks_running_code: v.breaks.is_some(),
            loses_data: v.loses.is_some(),
            fails: v.refused.as_ref().map(|refused| refused.why.as_str()),
            unknown: v.unknown.as_deref(),
        }
    }

    /// Does it work on every row of a table that others use, and do they wait?
    pub fn hurts(&self) -> bool {
        !matches!(self.blocks, Blocks::None | Blocks::Unknown)
            && !matches!(self.work, Work::None | Work::Unknown)
            && self.verdict.backfill.is_none()
    }
}

#[derive(Debug, Default)]
pub struct Report {
    pub statements: Vec<Judged>,
    pub findings: Findings,
    /// Root, tool, dialect, number of migrations.
    pub histories: Vec<(String, Layout, Dialect, usize)>,
    /// Files of databases that are not read here.
    pub skipped: BTreeMap<&'static str, usize>,
}

pub fn check(sources: &[Source], options: &Options) -> Report {
    let mut report = Report::default();
    let (histories, skipped) = histories(sources, options.dialect, options.layout);
    report.skipped = skipped;
    for history in &histories {
        let judged = history.migrations.iter().filter(|migration| migration.source.judged).count();
        if judged > 0 {
            report.histories.push((history.root.clone(), history.layout, history.dialect, judged));
            Fold::new(history, options).run(history, options, &mut report);
        }
    }
    report.findings.checked("migrations", report.histories.iter().map(|(_, _, _, count)| count).sum());
    report.findings.checked("statements", report.statements.len());
    super::rules::findings(&mut report);
    report
}

struct Fold {
    catalog: Catalog,
    ages: Ages,
    dialect: Dialect,
    layout: Layout,
    version: Version,
    utc: bool,
    foreign_key_checks: bool,
    limited: bool,
    added_values: Vec<(String, String)>,
    transaction: usize,
    in_transaction: bool,
}

impl Fold {
    fn new(history: &History<'_>, options: &Options) -> Self {
        let version = options.version.unwrap_or(match history.dialect {
            Dialect::Postgres => [14, 0, 0],
            Dialect::Mysql => [8, 0, 999],
            Dialect::Mariadb => [10, 6, 999],
        });
        Self {
            catalog: Catalog::default(),
            ages: Ages::new(&history.migrations),
            dialect: history.dialect,
            layout: history.layout,
            version,
            utc: false,
            foreign_key_checks: true,
            limited: false,
            added_values: vec![],
            transaction: 0,
            in_transaction: false,
        }
    }

    fn run(mut self, history: &History<'_>, options: &Options, report: &mut Report) {
        self.transaction = report.statements.last().map_or(0, |last| last.transaction + 1);
        if let Some((_, text)) = &options.schema {
            let (text, _) = server_text(text, self.dialect);
            for piece in split(&text, self.dialect) {
                let parsed = parse(&piece.tokens, &text, self.dialect);
                self.catalog.apply(&parsed);
            }
        }
        for (n, migration) in history.migrations.iter().enumerate() {
            self.catalog.migration = n + 1;
            self.migration(migration, report);
        }
    }

    fn migration(&mut self, migration: &Migration<'_>, report: &mut Report) {
        let source = migration.source;
        let (text, elsewhere) = server_text(&migration.up, self.dialect);
        if source.judged {
            report.findings.sources.insert(source.path.clone(), source.text.clone());
            for why in elsewhere {
                report.findings.unknown("M10", &source.path, why);
            }
        }
        let pieces = split(&text, self.dialect);
        (self.utc, self.foreign_key_checks, self.limited) = (false, true, false);
        self.begin(match migration.transaction {
            Transaction::File => true,
            Transaction::Piece => pieces.len() > 1,
            Transaction::Statement => false,
        });
        for piece in &pieces {
            let parsed = parse(&piece.tokens, &text, self.dialect);
            if !self.in_transaction {
                self.transaction += 1;
            }
            let verdict = self.judge(&parsed);
            if source.judged {
                let mut judged = self.judged(source, piece, parsed.clone(), verdict);
                if judged.hurts() || (self.dialect.is_mysql() && judged.verdict.unknown.is_none()) {
                    let judge = |statement: &Statement| self.judge_one(statement);
                    match safe::steps(&self.catalog, piece, &text, &parsed, self.dialect, self.version[0], &judge) {
                        Ok(steps) => judged.safe = Some(steps),
                        Err(why) => judged.by_hand = judged.hurts().then_some(why),
                    }
                }
                report.statements.push(judged);
            }
            self.apply(&parsed);
        }
    }

    fn begin(&mut self, in_transaction: bool) {
        self.transaction += 1;
        self.in_transaction = in_transaction;
        self.added_values.clear();
    }

    fn judged(&self, source: &Source, piece: &Piece<'_>, parsed: Statement, verdict: Verdict) -> Judged {
        let catalog = &self.catalog;
        let counts = |name: &str| catalog.existed(name) && !verdict.created.contains(name);
        let touched = verdict.locks.keys().chain(&verdict.rewrites).chain(&verdict.scans).chain(verdict.builds.keys());
        let mut existing: Vec<Name> = touched.filter(|name| counts(name)).cloned().collect();
        existing.sort();
        existing.dedup();
        let young = |name: &Name| !counts(name) || self.ages.same_day(catalog, name);
        // A key is proven by the rows that point, however many they point to.
        let rows: Vec<&Name> = if verdict.proves.is_empty() || !verdict.rewrites.is_empty() {
            verdict.rewrites.iter().chain(&verdict.scans).chain(verdict.builds.keys()).collect()
        } else {
            verdict.proves.iter().chain(verdict.builds.keys()).collect()
        };
        let refused_for_rows = verdict.refused.as_ref().is_some_and(|refused| refused.with_rows);
        let same_day = (!rows.is_empty() || refused_for_rows)
            && rows.into_iter().all(young)
            && (!refused_for_rows || existing.iter().all(young));
        Judged {
            file: source.path.clone(),
            line: piece.line,
            column: piece.column,
            text: one_line(piece),
            raw: piece.text.to_owned(),
            safe: None,
            by_hand: None,
            dialect: self.dialect,
            layout: self.layout,
            blocks: verdict.blocks(counts),
            work: verdict.work(counts),
            existing,
            parsed,
            verdict,
            same_day,
            transaction: self.transaction,
            limited: self.limited,
        }
    }

    fn judge(&self, statement: &Statement) -> Verdict {
        let inner = self.inner(statement);
        if let Some(inner) = inner {
            let mut all = Verdict::default();
            let mut fold = Self {
                catalog: self.catalog.clone(),
                ages: Ages::default(),
                added_values: self.added_values.clone(),
                ..*self
            };
            for one in &inner {
                all.add(fold.judge_one(one));
                fold.apply(one);
            }
            return all;
        }
        self.judge_one(statement)
    }

    /// The statements that this one runs: of a DO block, or of a function that it calls.
    fn inner(&self, statement: &Statement) -> Option<Vec<Statement>> {
        match statement {
            Statement::Do { body } => Some(body::statements(body, self.dialect)),
            Statement::Dml(dml) => {
                let called = dml.calls.iter().filter_map(|name| self.catalog.functions.get(name));
                let function = called.into_iter().find(|function| body::changes_schema(&function.body))?;
                Some(body::statements(&function.body, self.dialect))
            }
            _ => None,
        }
    }

    fn judge_one(&self, statement: &Statement) -> Verdict {
        if self.dialect.is_mysql() {
            let session = mysql::Session {
                dialect: self.dialect,
                version: self.version,
                foreign_key_checks: self.foreign_key_checks,
            };
            return mysql::judge(&self.catalog, statement, &session);
        }
        let session = postgres::Session {
            version: self.version[0],
            in_transaction: self.in_transaction,
            utc: self.utc,
            added_values: self.added_values.clone(),
        };
        postgres::judge(&self.catalog, statement, &session)
    }

    fn apply(&mut self, statement: &Statement) {
        match statement {
            Statement::Begin => return self.begin(true),
            Statement::Commit | Statement::Rollback => return self.begin(false),
            Statement::Set { name, value } => match name.as_str() {
                "timezone" => self.utc = matches!(value.to_uppercase().as_str(), "UTC" | "ETC/UTC" | "GMT"),
                "foreign_key_checks" => self.foreign_key_checks = !matches!(value.as_str(), "0" | "off"),
                "lock_timeout" | "lock_wait_timeout" | "innodb_lock_wait_timeout" => self.limited = value != "0",
                _ => {}
            },
            Statement::AddValue { name, value } if self.in_transaction => {
                self.added_values.push((name.clone(), value.clone()));
            }
            Statement::AlterTable { name, actions, .. } if self.dialect.is_mysql() => {
                self.count_versions(name, actions, statement);
            }
            _ => {}
        }
        if let Some(inner) = self.inner(statement) {
            for one in &inner {
                self.catalog.apply(one);
            }
            return;
        }
        self.catalog.apply(statement);
    }

    fn count_versions(&mut self, name: &str, actions: &[Action], statement: &Statement) {
        let verdict = self.judge_one(statement);
        let columns =
            actions.iter().any(|action| matches!(action, Action::AddColumn { .. } | Action::DropColumn { .. }));
        if let Some(relation) = self.catalog.relations.get_mut(name) {
            if !verdict.rewrites.is_empty() {
                relation.row_versions = 0;
            } else if columns {
                relation.row_versions += 1;
            }
        }
    }
}

/// A statement without its comments and line breaks; texts stay as they are.
fn one_line(piece: &Piece<'_>) -> String {
    let mut out = String::with_capacity(piece.text.len());
    let mut end = piece.tokens.first().map_or(0, |token| token.at);
    for token in &piece.tokens {
        if token.at > end {
            out.push(' ');
        }
        out.push_str(token.text);
        end = token.end();
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::fix::fix;
    use super::*;

    const WORDS: &[&str] = &[
        "ALTER",
        "TABLE",
        "a",
        "\"B\"",
        "ADD",
        "COLUMN",
        "int",
        "(",
        ")",
        ",",
        ";",
        "DROP",
        "SET",
        "NOT",
        "NULL",
        "DEFAULT",
        "'x'",
        "CREATE",
        "INDEX",
        "ON",
        "$$",
        "DO",
        "BEGIN",
        "END",
        "CHECK",
        "PRIMARY",
        "KEY",
        "REFERENCES",
        "é",
        "`",
        "--",
        "/*",
        "\n",
        "TYPE",
        "USING",
        "::",
        "MODIFY",
        "enum",
        "ALGORITHM",
        "=",
        "INSTANT",
        "PARTITION",
        "OF",
        "VIEW",
        "AS",
        "SELECT",
        "*",
        "FROM",
        "UNIQUE",
        "-- +goose Up\n",
        "RENAME",
        "TO",
        "CONSTRAINT",
        "FOREIGN",
        "ATTACH",
        "FUNCTION",
        "f",
        "EXECUTE",
        "UPDATE",
        "WHERE",
        "1",
        ".",
        "CONCURRENTLY",
        "DELIMITER //\n",
    ];

    proptest! {
        #[test]
        fn nothing_that_is_read_panics(
            words in prop::collection::vec(0..WORDS.len(), 0..60),
            any in ".{0,60}",
            dialect in 0..3_usize,
        ) {
            let text: String = words.iter().map(|n| WORDS[*n]).collect::<Vec<_>>().join(" ") + &any;
            let source = |path: &str, text: &str| Source { path: path.into(), text: text.into(), judged: true };
            let base = "CREATE TABLE a (id int PRIMARY KEY, b varchar(9) NOT NULL); CREATE VIEW f AS SELECT * FROM a;";
            let sources = [source("m/1_a.sql", base), source("m/2_b.sql", &text)];
            let dialect = [Dialect::Postgres, Dialect::Mysql, Dialect::Mariadb][dialect];
            let options = Options { dialect: Some(dialect), ..Options::default() };
            let report = check(&sources, &options);
            fix(&sources, &options, &report);
        }
    }
}
