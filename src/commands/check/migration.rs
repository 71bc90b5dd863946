//! `liveops check migration`: what a migration does to the tables that others use meanwhile.

use std::path::{Path, PathBuf};

use clap::builder::ValueHint;
use clap::{Args, ValueEnum};
use serde_json::Value;

use crate::context::Context;
use crate::gate::{Extra, GateArgs, call, finish};
use crate::output::block::{Block, Tone, plain, span};
use liveops_domain::check::finding::Findings;
use liveops_domain::check::migration::fix::{Fixed, fix};
use liveops_domain::check::migration::fold::{Judged, Options, Report, check};
use liveops_domain::check::migration::layout::Layout;
use liveops_domain::check::migration::rules::RULES;
use liveops_domain::check::migration::{Dialect, Version};
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::status::source::Recommendation;
use liveops_domain::text::count::count;
use liveops_engine::check::gate::About;
use liveops_engine::check::migration::{schema, sources, write};

/// Check what migrations lock, read, rewrite, break and lose
///
/// The history is read in the order of its tool, so that each statement is judged against the schema that it meets. Of a
/// file that is named by itself, the folder's earlier files are read for the schema alone. Nothing is connected to.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops check migration db/migrations
  liveops check migration db/migrations/0042_orders.sql --target-version 16
  liveops check migration --schema dump.sql next.sql -o github     # dump.sql is of `pg_dump -s`")]
pub(super) struct MigrationArgs {
    /// Files and folders; without any, all folders that are called after migrations
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
    paths: Vec<PathBuf>,

    /// Whose SQL it is; else by the names of folders and files, and by what stands in them
    #[arg(long, value_enum)]
    dialect: Option<DialectArg>,

    /// The server's version, such as 16 or 8.0.28; else the oldest that is still maintained
    #[arg(long, value_name = "N", value_parser = version)]
    target_version: Option<Version>,

    /// The migration tool; else by the names of the files
    #[arg(long, value_enum)]
    layout: Option<LayoutArg>,

    /// The schema before the first migration, as `pg_dump -s` or `mysqldump -d` writes it
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    schema: Option<PathBuf>,

    /// Write the safe way for what has one, as files of the same layout
    #[arg(long, requires = "out")]
    fix: bool,

    /// The folder for --fix; files that are there stay
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, requires = "fix")]
    out: Option<PathBuf>,

    /// Show all findings, not the worst three
    #[arg(long)]
    all: bool,

    #[command(flatten)]
    gate: GateArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum DialectArg {
    Postgres,
    Mysql,
    Mariadb,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LayoutArg {
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

const ABOUT: About = About {
    name: "check migration",
    rules: RULES,
    nothing: "name the folder of your migrations: `liveops check migration db/migrations`",
};

/// Findings that are shown where not all are asked for.
const WORST: usize = 3;

fn version(text: &str) -> std::result::Result<Version, String> {
    let numbers: Option<Vec<u32>> = text.split('.').map(|part| part.parse().ok()).collect();
    match numbers.as_deref() {
        Some([major]) => Ok([*major, 999, 999]),
        Some([major, minor]) => Ok([*major, *minor, 999]),
        Some([major, minor, patch]) => Ok([*major, *minor, *patch]),
        _ => Err("write it like 16, 8.0 or 8.0.28".into()),
    }
}

impl MigrationArgs {
    fn options(&self, cx: &Context) -> Result<Options> {
        let dialect = self.dialect.map(|dialect| match dialect {
            DialectArg::Postgres => Dialect::Postgres,
            DialectArg::Mysql => Dialect::Mysql,
            DialectArg::Mariadb => Dialect::Mariadb,
        });
        let layout = self.layout.map(|layout| match layout {
            LayoutArg::Plain => Layout::Plain,
            LayoutArg::Goose => Layout::Goose,
            LayoutArg::Dbmate => Layout::Dbmate,
            LayoutArg::GolangMigrate => Layout::GolangMigrate,
            LayoutArg::Flyway => Layout::Flyway,
            LayoutArg::Sqlx => Layout::Sqlx,
            LayoutArg::Diesel => Layout::Diesel,
            LayoutArg::Prisma => Layout::Prisma,
            LayoutArg::Kratos => Layout::Kratos,
        });
        let schema = self.schema.as_ref().map(|path| schema(cx, path)).transpose()?;
        Ok(Options { dialect, version: self.target_version, layout, schema })
    }
}

pub(super) async fn run(args: MigrationArgs, cx: &Context) -> Result<Exit> {
    let mut found = Findings::default();
    let sources = sources(cx, &args.paths, args.fix, &mut found)?;
    let options = args.options(cx)?;
    let mut report = check(&sources, &options);
    if let (Some(wanted), Some((_, _, dialect, _))) = (options.version, report.histories.first()) {
        is_known(*dialect, wanted)?;
    }
    for (database, files) in &report.skipped {
        if report.histories.is_empty() {
            found.unknown(
                "M10",
                database.trim_start_matches("of "),
                format!("{} are not read: liveops knows PostgreSQL, MySQL and MariaDB", count(*files, "file")),
            );
        }
    }
    let mut blocks = summary(&report, args.all);
    let mut written = None;
    if let Some(out) = args.out.as_ref() {
        let fixed = fix(&sources, &options, &report);
        write(cx, out, &fixed)?;
        blocks.extend(fixes(out, &fixed));
        written = Some(fixed);
    }
    found.merge(std::mem::take(&mut report.findings));
    let statements = report.statements.iter().map(|statement| serde_json::to_value(statement.shown()));
    let statements: Vec<Value> =
        statements.collect::<std::result::Result<_, _>>().map_err(|error| Error::internal(&error.to_string()))?;
    let extra = Extra {
        data: data(statements, args.out.as_deref(), written.as_ref()),
        blocks,
        next: next(&args, &report, &found),
        limit: (!args.all).then_some(WORST),
        ..Extra::default()
    };
    finish(ABOUT, found, &args.gate, extra, cx).await
}

fn data(statements: Vec<Value>, out: Option<&Path>, written: Option<&Fixed>) -> serde_json::Map<String, Value> {
    let mut data = serde_json::Map::from_iter([("statements".to_owned(), Value::Array(statements))]);
    if let (Some(out), Some(fixed)) = (out, written) {
        let files = fixed.files.iter().map(|file| out.join(&file.path).display().to_string());
        data.insert("written".to_owned(), files.collect());
    }
    data
}

fn fixes(out: &Path, fixed: &Fixed) -> Vec<Block> {
    let text = match fixed.files.len() {
        0 => "no statement has a safe way that liveops can write".to_owned(),
        files => format!(
            "{} written to {}: the safe way for {}",
            count(files, "file"),
            out.display(),
            count(fixed.statements, "statement")
        ),
    };
    let refused = fixed.refused.iter().map(|why| format!("not written: {why}"));
    let by_hand = (fixed.by_hand > 0).then(|| {
        let statements = count(fixed.by_hand, "statement");
        format!("not written: another way for {statements}; --all says why beside each finding")
    });
    [text].into_iter().chain(refused).chain(by_hand).map(|text| Block::Whole(vec![plain(text)])).collect()
}

fn is_known(dialect: Dialect, version: Version) -> Result<()> {
    let (least, hint) = match dialect {
        Dialect::Postgres => ([10, 0, 0], "PostgreSQL from 10 on, such as --target-version 16"),
        Dialect::Mysql => ([8, 0, 0], "MySQL from 8.0 on, such as --target-version 8.0.28"),
        Dialect::Mariadb => ([10, 6, 0], "MariaDB from 10.6 on, such as --target-version 10.11"),
    };
    if version >= least {
        return Ok(());
    }
    let shown = version.iter().filter(|part| **part != 999).map(u32::to_string).collect::<Vec<_>>().join(".");
    Err(Error::usage(format!("{} {shown} is not known", dialect.label()), hint))
}

/// What was read: the history's folder, tool and dialect, a line each; of many, without --all, one line.
fn summary(report: &Report, all: bool) -> Vec<Block> {
    let mut blocks = vec![];
    if report.histories.len() > WORST && !all {
        let migrations = report.histories.iter().map(|(_, _, _, migrations)| migrations).sum();
        let folders = count(report.histories.len(), "folder");
        blocks.push(Block::Whole(vec![span(format!("{} in {folders}", count(migrations, "migration")), Tone::Dim)]));
    } else {
        for (root, layout, dialect, migrations) in &report.histories {
            let root = if root.is_empty() { "." } else { root };
            let text =
                format!("{} in {root}: {}, {}", count(*migrations, "migration"), layout.label(), dialect.label());
            blocks.push(Block::Whole(vec![span(text, Tone::Dim)]));
        }
    }
    let skipped: Vec<String> =
        report.skipped.iter().map(|(database, files)| format!("{} {database}", count(*files, "file"))).collect();
    if !skipped.is_empty() {
        blocks.push(Block::Whole(vec![plain(format!("{} not read", skipped.join(", ")))]));
    }
    blocks
}

fn next(args: &MigrationArgs, report: &Report, found: &Findings) -> Option<Recommendation> {
    let call = call(ABOUT.name, "", &args.paths);
    if found.findings.is_empty() && !found.unknown.is_empty() && !args.gate.strict {
        return Some(Recommendation::new("fail for what is not understood", format!("{call} --strict")));
    }
    if !args.all && found.findings.len() > WORST {
        return Some(Recommendation::new("see all of it", format!("{call} --all")));
    }
    if !args.fix && report.statements.iter().any(|judged| judged.safe.is_some()) {
        return Some(Recommendation::new("write the safe way", format!("{call} --fix --out safe-migrations")));
    }
    report.statements.iter().any(Judged::hurts).then(|| {
        Recommendation::new(
            "accept what is old, and fail for what is new",
            format!("{call} --write-baseline migrations.json"),
        )
    })
}
