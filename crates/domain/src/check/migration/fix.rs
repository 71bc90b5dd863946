//! `--fix`: the same schema by a way on which nobody waits, as files of the same layout.

use std::collections::BTreeMap;

use super::Dialect;
use super::age::version;
use super::fold::{Judged, Report};
use super::layout::{History, Layout, Migration, Source, Transaction, histories, is_before};
use super::safe::{Run, Step};
use super::statement::Statement;

/// A file to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    pub path: String,
    pub text: String,
}

/// What was written, and for which files there is no place to write it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Fixed {
    pub files: Vec<Written>,
    /// Statements that another way was written for.
    pub statements: usize,
    /// Statements that are left as they are; their findings say why.
    pub by_hand: usize,
    pub refused: Vec<String>,
}

/// Statements that run in one go.
struct Group {
    outside: bool,
    statements: Vec<String>,
}

pub fn fix(sources: &[Source], options: &super::fold::Options, report: &Report) -> Fixed {
    let (histories, _) = histories(sources, options.dialect, options.layout);
    let mut of_file: BTreeMap<&str, Vec<&Judged>> = BTreeMap::new();
    for judged in &report.statements {
        of_file.entry(&judged.file).or_default().push(judged);
    }
    let by_hand = report.statements.iter().filter(|judged| judged.by_hand.is_some()).count();
    let mut fixed = Fixed { by_hand, ..Fixed::default() };
    for history in &histories {
        for (n, migration) in history.migrations.iter().enumerate() {
            let Some(statements) = of_file.get(migration.source.path.as_str()) else { continue };
            let safe = statements.iter().filter(|judged| judged.safe.is_some()).count();
            if safe == 0 {
                continue;
            }
            let groups = groups(statements, history);
            match files(history, n, &groups, sources) {
                Ok(files) => {
                    fixed.files.extend(files);
                    fixed.statements += safe;
                }
                Err(why) => fixed.refused.push(why),
            }
        }
    }
    fixed
}

fn groups(statements: &[&Judged], history: &History<'_>) -> Vec<Group> {
    // A plain file is run statement by statement: MySQL's, too.
    let alone = history.layout != Layout::Goose && history.layout != Layout::Flyway;
    let mut groups: Vec<Group> = vec![];
    let mut fresh = true;
    for judged in statements {
        // The transactions are made anew.
        if matches!(judged.parsed, Statement::Begin | Statement::Commit) {
            fresh = true;
            continue;
        }
        let own = || {
            let run = if judged.verdict.outside_transaction { Run::Outside } else { Run::Together };
            vec![Step { run, sql: judged.raw.clone() }]
        };
        for step in judged.safe.clone().unwrap_or_else(own) {
            let outside = step.run == Run::Outside;
            let joins = groups.last().is_some_and(|last| last.outside == outside && !(outside && alone));
            if joins && step.run != Run::After && !fresh {
                if let Some(last) = groups.last_mut() {
                    last.statements.push(step.sql);
                }
            } else {
                groups.push(Group { outside, statements: vec![step.sql] });
            }
            fresh = false;
        }
    }
    groups
}

fn files(history: &History<'_>, n: usize, groups: &[Group], sources: &[Source]) -> Result<Vec<Written>, String> {
    let migration = &history.migrations[n];
    let path = &migration.source.path;
    let single = history.layout == Layout::Plain || history.dialect.is_mysql();
    if single {
        let text = plain(migration, groups, history.dialect);
        return Ok(vec![Written { path: path.clone(), text: with_frame(history.layout, migration, &text, true) }]);
    }
    let next = history.migrations.get(n + 1).map(|next| next.source.path.as_str());
    let mut written = vec![];
    for (at, group) in groups.iter().enumerate() {
        let path = bumped(history.layout, path, at, group.outside && history.layout == Layout::Kratos)
            .ok_or_else(|| format!("{path} has no version in its name, so its parts have no order"))?;
        let taken = |next: &str| version(&path) == version(next) || !is_before(history.layout, &path, next);
        if at > 0 && next.is_some_and(taken) {
            return Err(format!(
                "{} needs {} versions, and the next is {}: renumber it",
                migration.source.path,
                groups.len(),
                next.unwrap_or_default()
            ));
        }
        let mut body = String::new();
        let limits = group.statements.iter().any(|sql| sql.to_lowercase().contains("lock_timeout"));
        if !group.outside && !limits {
            body.push_str("SET LOCAL lock_timeout = '2s';\n\n");
        }
        for sql in &group.statements {
            body.push_str(&statement(history.layout, sql));
        }
        let mut text = with_frame(history.layout, migration, &body, at == 0);
        if group.outside {
            text = mark_outside(history.layout, &text, &path, &mut written);
        }
        written.extend(beside(history.layout, migration, &path, at == 0, sources));
        written.push(Written { path, text });
    }
    Ok(written)
}

fn statement(layout: Layout, sql: &str) -> String {
    // Goose cuts at each semicolon, wherever it stands.
    if layout == Layout::Goose && sql.contains(';') {
        return format!("-- +goose StatementBegin\n{sql};\n-- +goose StatementEnd\n\n");
    }
    format!("{sql};\n\n")
}

fn plain(migration: &Migration<'_>, groups: &[Group], dialect: Dialect) -> String {
    let mut text = String::new();
    if !dialect.is_mysql() && !migration.up.to_lowercase().contains("lock_timeout") {
        text.push_str("SET lock_timeout = '2s';\n\n");
    }
    let transaction = migration.transaction != Transaction::Statement || migration.up.to_lowercase().contains("begin;");
    for group in groups {
        let together = transaction && !group.outside && group.statements.len() > 1 && !dialect.is_mysql();
        if together {
            text.push_str("BEGIN;\n\n");
        }
        for sql in &group.statements {
            text.push_str(sql);
            text.push_str(";\n\n");
        }
        if together {
            text.push_str("COMMIT;\n\n");
        }
    }
    text
}

/// With the marks of the tool around it; the way down goes with the first part.
fn with_frame(layout: Layout, migration: &Migration<'_>, body: &str, first: bool) -> String {
    let (up, down) = match layout {
        Layout::Goose => ("-- +goose Up", "-- +goose Down"),
        Layout::Dbmate => ("-- migrate:up", "-- migrate:down"),
        _ => return format!("{}\n", body.trim_end()),
    };
    let old = migration.source.text.find(down).map(|at| migration.source.text[at..].trim_end()).filter(|_| first);
    format!("{up}\n{}\n\n{}\n", body.trim_end(), old.unwrap_or(down))
}

fn mark_outside(layout: Layout, text: &str, path: &str, written: &mut Vec<Written>) -> String {
    match layout {
        Layout::Goose => format!("-- +goose NO TRANSACTION\n{text}"),
        Layout::Dbmate => text.replacen("-- migrate:up", "-- migrate:up transaction:false", 1),
        Layout::Sqlx => format!("-- no-transaction\n{text}"),
        Layout::Flyway => {
            written.push(Written { path: format!("{path}.conf"), text: "executeInTransaction=false\n".into() });
            text.to_owned()
        }
        Layout::Diesel => {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            written
                .push(Written { path: format!("{folder}/metadata.toml"), text: "run_in_transaction = false\n".into() });
            text.to_owned()
        }
        _ => text.to_owned(),
    }
}

/// The file of the way down, where the tool has one.
fn beside(layout: Layout, migration: &Migration<'_>, path: &str, first: bool, sources: &[Source]) -> Option<Written> {
    let down = |path: &str| match layout {
        Layout::Diesel => Some(format!("{}/down.sql", path.rsplit_once('/')?.0)),
        _ => path.strip_suffix(".up.sql").map(|stem| format!("{stem}.down.sql")),
    };
    let old = down(&migration.source.path)?;
    let old = sources.iter().find(|source| source.path == old)?;
    let text = if first { old.text.clone() } else { format!("-- {} takes it back.\n", old.path) };
    Some(Written { path: down(path)?, text })
}

/// The path of the part with this number: a version that is so much higher.
fn bumped(layout: Layout, path: &str, by: usize, autocommit: bool) -> Option<String> {
    let (folder, file) = path.rsplit_once('/').map_or(("", path), |(folder, file)| (folder, file));
    let join = |folder: &str, file: &str| if folder.is_empty() { file.to_owned() } else { format!("{folder}/{file}") };
    if matches!(file, "up.sql" | "migration.sql") {
        return Some(join(&bumped(Layout::Plain, folder, by, false)?, file));
    }
    let file = if autocommit && !file.contains(".autocommit.") {
        file.replacen('.', ".autocommit.", 1)
    } else {
        file.to_owned()
    };
    if by == 0 {
        return Some(join(folder, &file));
    }
    if layout == Layout::Flyway {
        let (version, rest) = file.split_once("__")?;
        return Some(join(folder, &format!("{version}.{by}__{rest}")));
    }
    let end = file.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(file.len());
    let version = file[..end].trim_end_matches('-');
    let start = version.rfind('-').map_or(0, |at| at + 1);
    let number: u128 = version[start..].parse().ok()?;
    let width = version.len() - start;
    Some(join(
        folder,
        &format!("{}{:0width$}{}", &version[..start], number.checked_add(by as u128)?, &file[version.len()..]),
    ))
}

#[cfg(test)]
mod tests {
    use super::super::fold::{Options, check};
    use super::*;

    fn written(files: &[(&str, &str)]) -> Fixed {
        let sources: Vec<Source> = files
            .iter()
            .map(|(path, text)| Source { path: (*path).into(), text: (*text).into(), judged: true })
            .collect();
        let report = check(&sources, &Options::default());
        fix(&sources, &Options::default(), &report)
    }

    fn paths(fixed: &Fixed) -> Vec<&str> {
        fixed.files.iter().map(|file| file.path.as_str()).collect()
    }

    #[test]
    fn each_layout_keeps_its_names_and_marks() {
        let base = "CREATE TABLE a (id int, b int);\n";
        let index = "CREATE INDEX i ON a (b);\nALTER TABLE a ADD COLUMN c int;\n";
        let fixed = written(&[
            ("m/1_a.sql", &format!("-- +goose Up\n{base}")),
            ("m/5_b.sql", &format!("-- +goose Up\n{index}-- +goose Down\nDROP INDEX i;\n")),
        ]);
        assert_eq!(paths(&fixed), ["m/5_b.sql", "m/6_b.sql"]);
        assert_eq!(
            fixed.files[0].text,
            "-- +goose NO TRANSACTION\n-- +goose Up\nCREATE INDEX CONCURRENTLY i ON a (b);\n\n-- +goose Down\nDROP INDEX i;\n"
        );
        assert_eq!(
            fixed.files[1].text,
            "-- +goose Up\nSET LOCAL lock_timeout = '2s';\n\nALTER TABLE a ADD COLUMN c int;\n\n-- +goose Down\n"
        );
        let fixed = written(&[("V1__a.sql", base), ("V2__b.sql", index)]);
        assert_eq!(paths(&fixed), ["V2__b.sql.conf", "V2__b.sql", "V2.1__b.sql"]);
        let fixed = written(&[
            ("m/2024-01-01-000000_a/up.sql", base),
            ("m/2024-01-02-000000_b/up.sql", index),
            ("m/2024-01-02-000000_b/down.sql", "DROP INDEX i;"),
        ]);
        assert_eq!(
            paths(&fixed),
            [
                "m/2024-01-02-000000_b/metadata.toml",
                "m/2024-01-02-000000_b/down.sql",
                "m/2024-01-02-000000_b/up.sql",
                "m/2024-01-02-000001_b/down.sql",
                "m/2024-01-02-000001_b/up.sql"
            ]
        );
        let fixed = written(&[("m/20240101000000_a/migration.sql", base), ("m/20240102000000_b/migration.sql", index)]);
        assert_eq!(paths(&fixed), ["m/20240102000000_b/migration.sql", "m/20240102000001_b/migration.sql"]);
        let fixed = written(&[("1.sql", base), ("2.sql", index)]);
        assert_eq!(
            fixed.files[0].text,
            "SET lock_timeout = '2s';\n\nCREATE INDEX CONCURRENTLY i ON a (b);\n\nALTER TABLE a ADD COLUMN c int;\n"
        );
    }

    #[test]
    fn where_the_next_version_is_taken_it_says_so() {
        let fixed = written(&[
            ("1_a.up.sql", "CREATE TABLE a (id int);"),
            ("2_b.up.sql", "CREATE INDEX i ON a (id); ALTER TABLE a ADD c int;"),
            ("3_c.up.sql", "SELECT 1;"),
        ]);
        assert!(fixed.files.is_empty());
        assert!(fixed.refused[0].contains("renumber"), "{:?}", fixed.refused);
    }

    #[test]
    fn mysql_names_the_algorithm_and_splits_what_is_only_together_slow() {
        let fixed = written(&[
            ("mysql/1.sql", "CREATE TABLE a (id int PRIMARY KEY) ENGINE=InnoDB;"),
            (
                "mysql/2.sql",
                "ALTER TABLE a ADD COLUMN b int, ADD INDEX i (b);\nCREATE INDEX j ON a (id);\nALTER TABLE a MODIFY id bigint;\n",
            ),
        ]);
        let expected = "ALTER TABLE a ADD COLUMN b int, ALGORITHM=INSTANT;\n\nALTER TABLE a ADD INDEX i (b), ALGORITHM=INPLACE, LOCK=NONE;\n\nCREATE INDEX j ON a (id) ALGORITHM=INPLACE LOCK=NONE;\n\nALTER TABLE a MODIFY id bigint;\n";
        assert_eq!(fixed.files[0].text, expected);
    }
}
