//! The safe way to the same schema, as statements: what `--fix` writes.

mod partitions;
mod retype;

use std::borrow::Cow;

use super::Dialect;
use super::catalog::Catalog;
use super::cursor::Cursor;
use super::parse::written;
use super::split::Piece;
use super::statement::{Action, Constraint, Kind, NewColumn, Rule, Statement};
use super::verdict::{Algorithm, Blocks, TableLock, Verdict, Work};

/// In which transaction a statement runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Run {
    /// With the one before it.
    Together,
    /// In the next one.
    After,
    /// In none.
    Outside,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub run: Run,
    pub sql: String,
}

/// Or why there is none.
pub type Way<T> = Result<T, &'static str>;

const NOT_READ: &str = "the statement is not understood to its end";
const NO_WAY: &str = "the server has no other way: at a quiet hour";

/// Judges a statement as if it stood here.
pub type Judge<'a> = &'a dyn Fn(&Statement) -> Verdict;

pub fn steps(
    catalog: &Catalog,
    piece: &Piece<'_>,
    source: &str,
    parsed: &Statement,
    dialect: Dialect,
    version: u32,
    judge: Judge<'_>,
) -> Way<Vec<Step>> {
    if dialect.is_mysql() {
        return mysql(catalog, piece, source, parsed, dialect, judge).ok_or(
            "the server copies the table by any clause: gh-ost and pt-online-schema-change do it beside the writes",
        );
    }
    match parsed {
        Statement::CreateIndex(index) if !index.only && catalog.is(&index.table, Kind::Partitioned) => {
            partitions::index(catalog, piece, index)
        }
        Statement::CreateIndex(index) if !index.concurrently && !index.only => concurrently(piece, &["index"]),
        Statement::Reindex { .. } if version >= 12 => concurrently(piece, &["index", "table"]),
        Statement::AlterTable { kind: Kind::Table, name, actions, only, if_exists } => {
            let mut cursor = Cursor::new(&piece.tokens, source, dialect);
            let (prefix, table, texts) = written(&mut cursor).ok_or(NOT_READ)?;
            if texts.len() != actions.len() {
                return Err(NOT_READ);
            }
            let retypes = actions.iter().any(|action| matches!(action, Action::Type { .. }));
            // What an action leaves is what the next one meets.
            let mut now = Cow::Borrowed(catalog);
            let mut steps = vec![];
            for (action, text) in actions.iter().zip(&texts) {
                let alone = Statement::AlterTable {
                    kind: Kind::Table,
                    name: name.clone(),
                    only: *only,
                    if_exists: *if_exists,
                    actions: vec![action.clone()],
                };
                let (table, prefix) = (table.clone(), prefix.clone());
                let mut writer = Writer { catalog: &now, name, table, prefix, version, steps };
                if hurts(catalog, &judge(&alone)) {
                    writer.action(action, text)?;
                } else {
                    writer.alter(Run::Together, text);
                }
                steps = writer.steps;
                if retypes && actions.len() > 1 {
                    now.to_mut().apply(&alone);
                }
            }
            Ok(steps)
        }
        _ => Err(NO_WAY),
    }
}

fn concurrently(piece: &Piece<'_>, after: &[&str]) -> Way<Vec<Step>> {
    let token = piece.tokens.iter().find(|token| after.iter().any(|word| token.is(word)));
    let (token, first) = token.zip(piece.tokens.first()).ok_or(NOT_READ)?;
    let at = token.end() - first.at;
    Ok(vec![Step { run: Run::Outside, sql: format!("{} CONCURRENTLY{}", &piece.text[..at], &piece.text[at..]) }])
}

fn hurts(catalog: &Catalog, verdict: &Verdict) -> bool {
    let existed = |name: &str| catalog.existed(name);
    !matches!(verdict.work(existed), Work::None) && !matches!(verdict.blocks(existed), Blocks::None)
}

struct Writer<'a> {
    catalog: &'a Catalog,
    name: &'a str,
    /// As written.
    table: String,
    prefix: String,
    version: u32,
    steps: Vec<Step>,
}

impl Writer<'_> {
    fn step(&mut self, run: Run, sql: String) {
        self.steps.push(Step { run, sql });
    }

    fn alter(&mut self, run: Run, action: &str) {
        self.step(run, format!("{} {action}", self.prefix));
    }

    fn action(&mut self, action: &Action, text: &str) -> Way<()> {
        match action {
            Action::AddConstraint(constraint) => self.constraint(constraint),
            Action::SetNotNull { column } => self.not_null(column),
            Action::AddColumn { column, if_not_exists: false } => self.column(column),
            Action::Type { column, .. } => self.retype(column, text),
            Action::Validate { name } => {
                self.alter(Run::After, &format!("VALIDATE CONSTRAINT {}", quoted(name)));
                Ok(())
            }
            Action::AddColumn { .. } => Err("with IF NOT EXISTS nobody knows what is there"),
            _ => Err(NO_WAY),
        }
    }

    fn is_partitioned(&self) -> bool {
        self.catalog.is(self.name, Kind::Partitioned)
    }

    fn constraint(&mut self, constraint: &Constraint) -> Way<()> {
        let name = self.catalog.constraint_name(self.name, constraint);
        if name.len() > 63 {
            return Err("the server shortens the name of the constraint in its own way");
        }
        let name = quoted(&name);
        match &constraint.rule {
            Rule::Foreign(_) if self.is_partitioned() => self.foreign_key_of_partitions(constraint, &name),
            Rule::Check(_) | Rule::Foreign(_) => {
                self.alter(Run::Together, &format!("ADD CONSTRAINT {name} {} NOT VALID", constraint.text));
                self.alter(Run::After, &format!("VALIDATE CONSTRAINT {name}"));
                Ok(())
            }
            Rule::Unique | Rule::Primary if constraint.using_index.is_none() => {
                let (head, rest) = constraint.text.split_once('(').ok_or(NOT_READ)?;
                let (columns, rest) = rest.split_once(')').ok_or(NOT_READ)?;
                let plain = head.trim().eq_ignore_ascii_case(if constraint.rule == Rule::Unique {
                    "unique"
                } else {
                    "primary key"
                });
                let deferrable = rest.trim().is_empty() || rest.trim().to_lowercase().starts_with("deferrable");
                if !plain || !deferrable || columns.contains('(') || (self.is_partitioned() && !rest.trim().is_empty())
                {
                    return Err("a key with options of its own is not written as an index");
                }
                let is_primary = constraint.rule == Rule::Primary;
                for column in constraint.columns.iter().filter(|_| is_primary) {
                    let table = self.catalog.get(self.name).ok_or("its table is not known")?;
                    if !table.column(column).ok_or("the column is not known")?.not_null {
                        self.not_null(column)?;
                    }
                }
                if self.is_partitioned() {
                    return self.key_of_partitions(constraint, &name, columns);
                }
                self.index(&name, columns, is_primary, rest);
                Ok(())
            }
            Rule::Exclude => Err("EXCLUDE has no way without the lock"),
            _ => Err(NO_WAY),
        }
    }

    fn index(&mut self, name: &str, columns: &str, is_primary: bool, rest: &str) {
        self.step(Run::Outside, format!("CREATE UNIQUE INDEX CONCURRENTLY {name} ON {} ({columns})", self.table));
        let kind = if is_primary { "PRIMARY KEY" } else { "UNIQUE" };
        self.alter(Run::After, format!("ADD CONSTRAINT {name} {kind} USING INDEX {name} {rest}").trim_end());
    }

    fn not_null(&mut self, column: &str) -> Way<()> {
        if self.version < 12 {
            return Err("before PostgreSQL 12, SET NOT NULL reads every row all the same");
        }
        let short = self.name.rsplit('.').next().unwrap_or(self.name);
        let mut name = format!("{short}_{column}_is_not_null");
        if name.len() > 63 {
            name = "is_not_null".into();
        }
        let (name, column) = (quoted(&name), quoted(column));
        self.alter(Run::Together, &format!("ADD CONSTRAINT {name} CHECK ({column} IS NOT NULL) NOT VALID"));
        self.alter(Run::After, &format!("VALIDATE CONSTRAINT {name}"));
        // It reads no row: the CHECK has proven it.
        self.alter(Run::After, &format!("ALTER COLUMN {column} SET NOT NULL"));
        self.alter(Run::Together, &format!("DROP CONSTRAINT {name}"));
        Ok(())
    }

    fn column(&mut self, new: &NewColumn) -> Way<()> {
        let column = &new.column;
        if self.is_partitioned() {
            return Err("a filled column of a partitioned table is filled partition by partition, by hand");
        }
        if column.generated.is_some() {
            return Err("a stored generated column cannot be added without a rewrite");
        }
        if self.catalog.types.contains_key(&column.ty.base) && column.default.is_none() {
            return Err("a domain with a CHECK is proven for every row when the column comes");
        }
        let name = quoted(&column.name);
        let serial = match column.ty.base.as_str() {
            "serial" => Some(("integer", " AS integer")),
            "bigserial" => Some(("bigint", "")),
            "smallserial" | "serial2" => Some(("smallint", " AS smallint")),
            _ => None,
        };
        let constant = Statement::AlterTable {
            kind: Kind::Table,
            name: self.name.to_owned(),
            only: false,
            if_exists: false,
            actions: vec![Action::AddColumn {
                column: Box::new(NewColumn { constraints: vec![], ..new.clone() }),
                if_not_exists: false,
            }],
        };
        let session = super::postgres::Session { version: self.version, ..super::postgres::Session::default() };
        let fills = super::postgres::judge(self.catalog, &constant, &session).rewrites.contains(self.name);
        let ty = serial.map_or(new.type_text.as_str(), |(ty, _)| ty);
        let mut text = format!("ADD COLUMN {name} {ty}");
        if !new.collate_text.is_empty() {
            text.push_str(&format!(" {}", new.collate_text));
        }
        if !fills && !new.default_text.is_empty() {
            text.push_str(&format!(" DEFAULT {}", new.default_text));
        }
        let nullable = column.default.is_none() && serial.is_none() && !column.identity;
        if column.not_null && nullable {
            return Err("NOT NULL without a DEFAULT: no row that exists has a value");
        }
        if column.not_null && !fills {
            text.push_str(" NOT NULL");
        }
        if fills {
            let short = self.name.rsplit('.').next().unwrap_or(self.name);
            // An identity brings a sequence of its own: this one only fills.
            let ending = if column.identity { "fill" } else { "seq" };
            let sequence = quoted(&format!("{short}_{}_{ending}", column.name));
            let options = serial.map(|(_, options)| options).or(column.identity.then_some(""));
            let default = match options {
                // With options of its own it counts in its own way.
                Some(_) if column.identity && new.identity_text.contains('(') => {
                    return Err("an identity with options counts in its own way");
                }
                Some(options) => {
                    self.step(Run::Together, format!("CREATE SEQUENCE {sequence}{options}"));
                    format!("nextval('{sequence}')")
                }
                None => new.default_text.clone(),
            };
            self.alter(Run::Together, &text);
            if serial.is_some() {
                self.step(Run::Together, format!("ALTER SEQUENCE {sequence} OWNED BY {}.{name}", self.table));
            }
            self.alter(Run::Together, &format!("ALTER COLUMN {name} SET DEFAULT {default}"));
            self.step(Run::Outside, backfill(&self.table, &name, &default));
            if column.not_null || serial.is_some() {
                self.not_null(&column.name)?;
            }
            if column.identity {
                self.alter(
                    Run::After,
                    &format!("ALTER COLUMN {name} DROP DEFAULT, ALTER COLUMN {name} ADD {}", new.identity_text),
                );
                let own = format!("pg_get_serial_sequence('{}', '{}')", self.table.replace('\'', "''"), column.name);
                self.step(Run::Together, format!("SELECT setval({own}, nextval('{sequence}'), false)"));
                self.step(Run::Together, format!("DROP SEQUENCE {sequence}"));
            }
        } else {
            self.alter(Run::Together, &text);
        }
        for constraint in new.constraints.iter().filter(|constraint| constraint.rule != Rule::NotNull) {
            let named = self.catalog.constraint_name(self.name, constraint);
            let named = quoted(&named);
            match &constraint.rule {
                Rule::Unique | Rule::Primary => self.index(&named, &name, constraint.rule == Rule::Primary, ""),
                Rule::Check(_) => {
                    self.alter(Run::Together, &format!("ADD CONSTRAINT {named} {} NOT VALID", constraint.text));
                    self.alter(Run::After, &format!("VALIDATE CONSTRAINT {named}"));
                }
                Rule::Foreign(_) => {
                    let text = format!("FOREIGN KEY ({name}) {}", constraint.text);
                    self.alter(Run::Together, &format!("ADD CONSTRAINT {named} {text} NOT VALID"));
                    self.alter(Run::After, &format!("VALIDATE CONSTRAINT {named}"));
                }
                Rule::NotNull | Rule::Exclude => return Err(NO_WAY),
            }
        }
        Ok(())
    }
}

/// Fills a column, some thousand pages at a time, each in its own transaction. What is written meanwhile has the default.
fn backfill(table: &str, column: &str, default: &str) -> String {
    format!(
        "DO $$
DECLARE
    page bigint := 0;
    pages bigint := pg_relation_size('{table}') / current_setting('block_size')::bigint;
BEGIN
    WHILE page <= pages LOOP
        UPDATE {table} SET {column} = {default}
        WHERE ctid >= format('(%s,0)', page)::tid AND ctid < format('(%s,0)', page + 1000)::tid AND {column} IS NULL;
        COMMIT;
        page := page + 1000;
    END LOOP;
END $$"
    )
}

/// In quotes where the server would read something else.
fn quoted(name: &str) -> String {
    const RESERVED: [&str; 30] = [
        "all",
        "and",
        "any",
        "array",
        "as",
        "asc",
        "case",
        "cast",
        "check",
        "column",
        "constraint",
        "default",
        "desc",
        "end",
        "for",
        "foreign",
        "from",
        "grant",
        "group",
        "in",
        "limit",
        "not",
        "null",
        "offset",
        "on",
        "order",
        "primary",
        "references",
        "user",
        "table",
    ];
    let plain = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && !name.starts_with(|c: char| c.is_ascii_digit());
    if plain && !RESERVED.contains(&name) { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// Names the algorithm, so that the server fails instead of copying; and splits what is only together slow.
fn mysql(
    catalog: &Catalog,
    piece: &Piece<'_>,
    source: &str,
    parsed: &Statement,
    dialect: Dialect,
    judge: Judge<'_>,
) -> Option<Vec<Step>> {
    let clause = |verdict: &Verdict, between: &str| {
        let (algorithm, lock) = verdict.method?;
        let quick = algorithm < Algorithm::Copy && lock == TableLock::None;
        let lock = if algorithm == Algorithm::Instant { String::new() } else { format!("{between}LOCK=NONE") };
        Some(if quick { format!("{between}ALGORITHM={}{lock}", algorithm.label()) } else { String::new() })
    };
    let together = |sql: String| Step { run: Run::Together, sql };
    match parsed {
        Statement::AlterTable { name, actions, only, if_exists, kind } if catalog.existed(name) => {
            if actions
                .iter()
                .any(|action| matches!(action, Action::Algorithm(_) | Action::Lock(_) | Action::Partitions(_)))
            {
                return None;
            }
            let whole = judge(parsed);
            let each: Vec<Verdict> = actions
                .iter()
                .map(|action| {
                    judge(&Statement::AlterTable {
                        kind: *kind,
                        name: name.clone(),
                        only: *only,
                        if_exists: *if_exists,
                        actions: vec![action.clone()],
                    })
                })
                .collect();
            let split = actions.len() > 1 && each.iter().any(|one| one.method < whole.method);
            let mut cursor = Cursor::new(&piece.tokens, source, dialect);
            let (prefix, _, texts) = written(&mut cursor)?;
            if !split {
                let clause = clause(&whole, ", ")?;
                return (!clause.is_empty()).then(|| vec![together(format!("{}{clause}", piece.text))]);
            }
            if texts.len() != actions.len() {
                return None;
            }
            texts
                .iter()
                .zip(&each)
                .map(|(text, one)| Some(together(format!("{prefix} {text}{}", clause(one, ", ")?))))
                .collect()
        }
        Statement::CreateIndex(index) if catalog.existed(&index.table) => {
            let clause = clause(&judge(parsed), " ")?;
            (!clause.is_empty() && !piece.text.to_lowercase().contains("algorithm"))
                .then(|| vec![together(format!("{}{clause}", piece.text))])
        }
        _ => None,
    }
}
