//! How migration tools lay out their files: which belong together, in which order, what goes up, and what is run in one
//! transaction.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::Dialect;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layout {
    Plain,
    Goose,
    Dbmate,
    GolangMigrate,
    Flyway,
    Sqlx,
    Diesel,
    Prisma,
    Kratos,
}

impl Layout {
    pub const ALL: [(Self, &'static str); 9] = [
        (Self::Plain, "plain"),
        (Self::Goose, "goose"),
        (Self::Dbmate, "dbmate"),
        (Self::GolangMigrate, "golang-migrate"),
        (Self::Flyway, "flyway"),
        (Self::Sqlx, "sqlx"),
        (Self::Diesel, "diesel"),
        (Self::Prisma, "prisma"),
        (Self::Kratos, "kratos"),
    ];

    pub fn label(self) -> &'static str {
        Self::ALL.iter().find(|(layout, _)| *layout == self).map_or("plain", |(_, label)| label)
    }
}

/// What a transaction is, where the file has no BEGIN of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transaction {
    /// Each statement is its own.
    Statement,
    /// The whole file is one.
    File,
    /// The file is sent in one piece: one, if it has more than one statement.
    Piece,
}

/// A file that was handed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    pub path: String,
    pub text: String,
    /// Was it asked for, or is it there for the schema alone?
    pub judged: bool,
}

/// One step of a history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration<'a> {
    pub source: &'a Source,
    /// What goes up, with all line breaks; the rest is blank.
    pub up: String,
    pub transaction: Transaction,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History<'a> {
    pub root: String,
    pub dialect: Dialect,
    pub layout: Layout,
    pub migrations: Vec<Migration<'a>>,
}

type ByPath<'a> = BTreeMap<&'a str, &'a Source>;

/// Prisma's, beside its migrations.
const LOCK: &str = "migration_lock.toml";

/// Groups files into histories. The second part: what is not read here (`of SQLite`), and how many files.
pub fn histories<'a>(
    sources: &'a [Source],
    dialect: Option<Dialect>,
    layout: Option<Layout>,
) -> (Vec<History<'a>>, BTreeMap<&'static str, usize>) {
    let by_path: ByPath<'a> = sources.iter().map(|source| (source.path.as_str(), source)).collect();
    let mut groups: BTreeMap<String, Vec<&Source>> = BTreeMap::new();
    for source in sources.iter().filter(|source| source.path.ends_with(".sql")) {
        groups.entry(root(&source.path)).or_default().push(source);
    }
    let mut skipped = BTreeMap::new();
    let mut histories = vec![];
    for (root, files) in groups {
        let lock = if root.is_empty() { LOCK.to_owned() } else { format!("{root}/{LOCK}") };
        let lock = by_path.get(lock.as_str());
        let provider = lock.and_then(|lock| lock.text.lines().find_map(|line| line.strip_prefix("provider")));
        let folder = provider.map_or_else(|| root.clone(), str::to_owned);
        let (files, found) = by_dialect(&folder, files, dialect, &mut skipped);
        let Some(found) = found else { continue };
        let layout = layout.unwrap_or_else(|| detect(lock.is_some(), &files));
        let mut migrations: Vec<Migration<'_>> =
            files.iter().filter_map(|file| migration(file, layout, &by_path)).collect();
        if layout == Layout::GolangMigrate {
            // It passes over what has no direction in its name.
            let passed = files.iter().filter(|file| direction(&file.path).is_none()).count();
            if passed > 0 {
                *skipped.entry("named otherwise than .up.sql").or_default() += passed;
            }
        }
        migrations.sort_by(|a, b| order(layout, &a.source.path, &b.source.path));
        if !migrations.is_empty() {
            histories.push(History { root, dialect: found, layout, migrations });
        }
    }
    (histories, skipped)
}

fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The folder of a history: of `up.sql` and `migration.sql`, the one above.
fn root(path: &str) -> String {
    let inner = matches!(name(path), "up.sql" | "down.sql" | "migration.sql");
    (if inner { folder(folder(path)) } else { folder(path) }).to_owned()
}

enum Named {
    Ours(Dialect),
    Other(&'static str),
}

fn database(word: &str) -> Option<Named> {
    Some(match word.to_ascii_lowercase().as_str() {
        "postgres" | "postgresql" | "pg" | "psql" => Named::Ours(Dialect::Postgres),
        "mysql" => Named::Ours(Dialect::Mysql),
        "mariadb" => Named::Ours(Dialect::Mariadb),
        "sqlite" | "sqlite3" => Named::Other("of SQLite"),
        "cockroach" | "cockroachdb" | "crdb" => Named::Other("of CockroachDB"),
        "clickhouse" => Named::Other("of ClickHouse"),
        "mssql" | "sqlserver" | "oracle" | "snowflake" | "bigquery" | "cassandra" => {
            Named::Other("of another database")
        }
        _ => return None,
    })
}

fn words(text: &str) -> impl DoubleEndedIterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty())
}

/// Keeps what belongs to one dialect: by what was asked for, the folder's name, the file's name (`.postgres.up.sql`), or
/// what stands in it.
fn by_dialect<'a>(
    folder: &str,
    files: Vec<&'a Source>,
    wanted: Option<Dialect>,
    skipped: &mut BTreeMap<&'static str, usize>,
) -> (Vec<&'a Source>, Option<Dialect>) {
    let of_file = |file: &Source| name(&file.path).split('.').skip(1).find_map(database);
    match words(folder).rev().find_map(database) {
        Some(Named::Other(other)) => {
            *skipped.entry(other).or_default() += files.len();
            return (vec![], None);
        }
        Some(Named::Ours(dialect)) if wanted.is_none_or(|wanted| wanted.is_mysql() == dialect.is_mysql()) => {
            return (files, Some(wanted.unwrap_or(dialect)));
        }
        Some(Named::Ours(_)) => return (vec![], None),
        None => {}
    }
    let named: Vec<Dialect> = files
        .iter()
        .filter_map(|file| match of_file(file) {
            Some(Named::Ours(dialect)) => Some(dialect),
            _ => None,
        })
        .collect();
    let dialect = wanted.unwrap_or_else(|| {
        if named.contains(&Dialect::Postgres) {
            Dialect::Postgres
        } else {
            named.first().copied().unwrap_or_else(|| guess(&files))
        }
    });
    let version = |file: &Source| name(&file.path).split(['_', '.']).next().unwrap_or_default().to_owned();
    let own: Vec<String> = files
        .iter()
        .filter(|file| matches!(of_file(file), Some(Named::Ours(one)) if one.is_mysql() == dialect.is_mysql()))
        .map(|file| version(file))
        .collect();
    let mut kept = vec![];
    for file in files {
        match of_file(file) {
            Some(Named::Other(other)) => *skipped.entry(other).or_default() += 1,
            Some(Named::Ours(one)) if one.is_mysql() != dialect.is_mysql() => {
                *skipped.entry(if one.is_mysql() { "of MySQL" } else { "of PostgreSQL" }).or_default() += 1;
            }
            Some(Named::Ours(_)) => kept.push(file),
            // One for all databases; a file for this one takes its place.
            None if !own.is_empty() && own.contains(&version(file)) => {}
            None => kept.push(file),
        }
    }
    if guess_sqlite(&kept) && wanted.is_none() {
        *skipped.entry("of SQLite").or_default() += kept.len();
        return (vec![], None);
    }
    (kept, Some(dialect))
}

fn guess(files: &[&Source]) -> Dialect {
    let has = |file: &&Source, word: &str| file.text.contains(word) || file.text.contains(&word.to_lowercase());
    let mysql = files
        .iter()
        .filter(|file| has(file, "ENGINE=") || has(file, "AUTO_INCREMENT") || file.text.contains("TABLE `"))
        .count();
    if mysql * 4 > files.len() { Dialect::Mysql } else { Dialect::Postgres }
}

fn guess_sqlite(files: &[&Source]) -> bool {
    files.iter().any(|file| file.text.contains("AUTOINCREMENT") || file.text.contains("PRAGMA "))
}

/// `.up.sql` or `.down.sql`: does it go up?
fn direction(path: &str) -> Option<bool> {
    let up = path.ends_with(".up.sql");
    (up || path.ends_with(".down.sql")).then_some(up)
}

fn detect(has_lock: bool, files: &[&Source]) -> Layout {
    let any = |test: &dyn Fn(&str, &str) -> bool| files.iter().any(|file| test(name(&file.path), &file.text));
    let directed = files.iter().filter(|file| direction(&file.path).is_some()).count();
    if any(&|_, text| text.contains("-- +goose ")) {
        Layout::Goose
    } else if any(&|_, text| text.contains("-- migrate:up")) {
        Layout::Dbmate
    } else if has_lock || any(&|name, _| name == "migration.sql") {
        Layout::Prisma
    } else if any(&|name, _| name == "up.sql") {
        Layout::Diesel
    } else if any(&|name, _| {
        name.contains(".autocommit.") || name.split('.').skip(1).any(|part| database(part).is_some())
    }) {
        Layout::Kratos
    } else if any(&|name, _| name.starts_with(['V', 'R']) && name.contains("__")) {
        Layout::Flyway
    } else if any(&|_, text| text.starts_with("-- no-transaction")) {
        Layout::Sqlx
    } else if directed * 2 > files.len() {
        Layout::GolangMigrate
    } else {
        Layout::Plain
    }
}

fn migration<'a>(source: &'a Source, layout: Layout, by_path: &ByPath<'_>) -> Option<Migration<'a>> {
    let file = name(&source.path);
    let passed = layout == Layout::GolangMigrate && direction(file).is_none();
    if passed
        || direction(file) == Some(false)
        || file == "down.sql"
        || (layout == Layout::Flyway && file.starts_with('U'))
    {
        return None;
    }
    let beside = |path: String| by_path.get(path.as_str()).map(|source| source.text.replace(' ', ""));
    let (mut up, mut transaction) = (source.text.clone(), Transaction::Statement);
    match layout {
        Layout::Goose => {
            up = section(&source.text, "-- +goose Up", "-- +goose Down");
            let outside = source.text.contains("-- +goose NO TRANSACTION");
            transaction = if outside { Transaction::Statement } else { Transaction::File };
        }
        Layout::Dbmate => {
            up = section(&source.text, "-- migrate:up", "-- migrate:down");
            let outside =
                source.text.lines().any(|line| line.starts_with("-- migrate:up") && line.contains("transaction:false"));
            transaction = if outside { Transaction::Piece } else { Transaction::File };
        }
        Layout::Flyway => {
            let off =
                beside(format!("{}.conf", source.path)).is_some_and(|text| text.contains("executeInTransaction=false"));
            let concurrent = source.text.to_ascii_lowercase().contains(" concurrently ");
            transaction = if off || concurrent { Transaction::Statement } else { Transaction::File };
        }
        Layout::Sqlx => {
            let off = source.text.starts_with("-- no-transaction");
            transaction = if off { Transaction::Piece } else { Transaction::File };
        }
        Layout::Diesel => {
            let off = beside(format!("{}/metadata.toml", folder(&source.path)))
                .is_some_and(|text| text.contains("run_in_transaction=false"));
            transaction = if off { Transaction::Piece } else { Transaction::File };
        }
        Layout::Kratos => {
            transaction = if file.contains(".autocommit.") { Transaction::Piece } else { Transaction::File };
        }
        Layout::GolangMigrate | Layout::Prisma => transaction = Transaction::Piece,
        Layout::Plain => {}
    }
    Some(Migration { source, up, transaction })
}

/// What stands between two marks; the rest is blank.
fn section(text: &str, from: &str, to: &str) -> String {
    let mut inside = !text.contains(from);
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let word = line.trim_start();
        if word.starts_with(from) {
            inside = true;
        } else if word.starts_with(to) {
            inside = false;
        }
        if inside {
            out.push_str(line);
        } else {
            out.extend(line.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        }
    }
    out
}

/// Does the tool run `a` before `b`?
pub fn is_before(layout: Layout, a: &str, b: &str) -> bool {
    order(layout, a, b) == Ordering::Less
}

fn order(layout: Layout, a: &str, b: &str) -> Ordering {
    let key = |path: &str| {
        let file = name(path);
        if layout == Layout::Flyway {
            let version = file.split("__").next().unwrap_or_default();
            let numbers: Vec<u64> =
                words(version.trim_start_matches(['V', 'B'])).filter_map(|word| word.parse().ok()).collect();
            // Repeatable ones come last.
            return (file.starts_with('R'), numbers, path.to_owned());
        }
        let inner = matches!(file, "up.sql" | "migration.sql");
        let own = if inner { name(folder(path)) } else { file };
        match layout {
            // These compare texts; diesel without the hyphens of its dates.
            Layout::Diesel => {
                let (version, rest) = own.split_once('_').unwrap_or((own, ""));
                return (false, vec![], format!("{}_{rest}", version.replace('-', "")));
            }
            Layout::Prisma | Layout::Dbmate | Layout::Kratos => return (false, vec![], own.to_owned()),
            _ => {}
        }
        let version: String = own.chars().take_while(char::is_ascii_digit).collect();
        (version.is_empty(), version.parse().into_iter().collect(), own.to_owned())
    };
    key(a).cmp(&key(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(files: &[(&str, &str)]) -> Vec<Source> {
        files.iter().map(|(path, text)| Source { path: (*path).into(), text: (*text).into(), judged: true }).collect()
    }

    fn seen(files: &[(&str, &str)]) -> Vec<String> {
        let sources = sources(files);
        let (histories, _) = histories(&sources, None, None);
        let row = |history: &History<'_>| {
            let files: Vec<String> =
                history.migrations.iter().map(|m| format!("{}:{:?}", m.source.path, m.transaction)).collect();
            format!("{} {:?} {}", history.layout.label(), history.dialect, files.join(" "))
        };
        histories.iter().map(row).collect()
    }

    #[test]
    fn each_tool_is_known_by_its_files() {
        let rows: &[(&[(&str, &str)], &str)] = &[
            (
                &[
                    ("m/10_b.sql", "-- +goose Up\n-- +goose Down\n"),
                    ("m/9_a.sql", "-- +goose NO TRANSACTION\n-- +goose Up\n"),
                ],
                "goose Postgres m/9_a.sql:Statement m/10_b.sql:File",
            ),
            (
                &[("m/1_a.sql", "-- migrate:up transaction:false\n"), ("m/2_b.sql", "-- migrate:up\n")],
                "dbmate Postgres m/1_a.sql:Piece m/2_b.sql:File",
            ),
            (&[("m/1_a.up.sql", ""), ("m/1_a.down.sql", "")], "golang-migrate Postgres m/1_a.up.sql:Piece"),
            (
                &[
                    ("V1_10__b.sql", ""),
                    ("V1_9__a.sql", ""),
                    ("R__v.sql", ""),
                    ("V1_9__a.sql.conf", "executeInTransaction = false"),
                ],
                "flyway Postgres V1_9__a.sql:Statement V1_10__b.sql:File R__v.sql:File",
            ),
            (
                &[("m/1_a.sql", "-- no-transaction\n"), ("m/2_b.sql", "")],
                "sqlx Postgres m/1_a.sql:Piece m/2_b.sql:File",
            ),
            (
                &[
                    ("m/2_b/up.sql", ""),
                    ("m/1_a/up.sql", ""),
                    ("m/1_a/down.sql", ""),
                    ("m/1_a/metadata.toml", "run_in_transaction = false"),
                ],
                "diesel Postgres m/1_a/up.sql:Piece m/2_b/up.sql:File",
            ),
            (
                &[("m/1_a/migration.sql", ""), ("m/migration_lock.toml", "provider = \"mysql\"")],
                "prisma Mysql m/1_a/migration.sql:Piece",
            ),
            (
                &[
                    ("m/1_a.up.sql", ""),
                    ("m/2_b.postgres.up.sql", ""),
                    ("m/2_b.mysql.up.sql", ""),
                    ("m/2_b.up.sql", ""),
                    ("m/3_c.autocommit.up.sql", ""),
                ],
                "kratos Postgres m/1_a.up.sql:File m/2_b.postgres.up.sql:File m/3_c.autocommit.up.sql:Piece",
            ),
            (&[("m/2.sql", ""), ("m/1.sql", "")], "plain Postgres m/1.sql:Statement m/2.sql:Statement"),
        ];
        for (files, expected) in rows {
            assert_eq!(seen(files), [*expected]);
        }
    }

    #[test]
    fn each_tool_has_its_own_order() {
        let rows: &[(Layout, &[&str])] = &[
            // 2017 is no year 2017 beside 20140924113530: the hyphens do not count.
            (
                Layout::Diesel,
                &["m/00000000000000_setup/up.sql", "m/20140924113530_a/up.sql", "m/2017-08-31-230457_b/up.sql"],
            ),
            (Layout::Prisma, &["m/202310122339_a/migration.sql", "m/20241231_b/migration.sql"]),
            (Layout::Dbmate, &["m/20230101000000_a.sql", "m/9_b.sql"]),
            (Layout::Kratos, &["m/20150101000001000000_a.up.sql", "m/20220217152313000000_b.up.sql"]),
            (Layout::Goose, &["m/9_a.sql", "m/10_b.sql"]),
            (Layout::GolangMigrate, &["m/0009_a.up.sql", "m/10_b.up.sql"]),
            (Layout::Sqlx, &["m/9_a.sql", "m/20230101000000_b.sql"]),
        ];
        for (layout, paths) in rows {
            for pair in paths.windows(2) {
                assert!(is_before(*layout, pair[0], pair[1]) && !is_before(*layout, pair[1], pair[0]), "{pair:?}");
            }
        }
    }

    #[test]
    fn what_golang_migrate_passes_over_is_said() {
        let files = [("m/1_a.up.sql", ""), ("m/1_a.down.sql", ""), ("m/2_b_down.sql", "")];
        let sources = sources(&files);
        let (histories, skipped) = histories(&sources, None, None);
        assert_eq!(histories[0].migrations.len(), 1);
        assert_eq!(skipped, BTreeMap::from([("named otherwise than .up.sql", 1)]));
    }

    #[test]
    fn folders_of_several_databases_are_several_histories() {
        let files = [("m/mysql/1.sql", ""), ("m/postgresql/1.sql", ""), ("m/sqlite/1.sql", "")];
        assert_eq!(
            seen(&files),
            ["plain Mysql m/mysql/1.sql:Statement", "plain Postgres m/postgresql/1.sql:Statement"]
        );
    }

    #[test]
    fn only_what_goes_up_is_read() {
        let sources = sources(&[("1.sql", "-- +goose Up\nA;\n-- +goose Down\nB;\n")]);
        let (histories, _) = histories(&sources, None, None);
        assert_eq!(histories[0].migrations[0].up.split_whitespace().last(), Some("A;"));
        assert_eq!(histories[0].migrations[0].up.lines().count(), 4);
    }
}
