//! The safe way to the same schema, as statements: what `--fix` writes.

use super::Dialect;
use super::catalog::Catalog;
use super::cursor::Cursor;
use super::parse::written;
use super::split::Piece;
use super::statement::{Action, Constraint, CreateIndex, Kind, NewColumn, Rule, Statement};
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
) -> Option<Vec<Step>> {
    if dialect.is_mysql() {
        return mysql(catalog, piece, source, parsed, dialect, judge);
    }
    match parsed {
        Statement::CreateIndex(index) if !index.only && catalog.is(&index.table, Kind::Partitioned) => {
            on_partitions(catalog, piece, index)
        }
        Statement::CreateIndex(index)
            if !index.concurrently && !index.only && !catalog.is(&index.table, Kind::Partitioned) =>
        {
            let at = piece.tokens.iter().find(|token| token.is("index"))?.end() - piece.tokens.first()?.at;
            let sql = format!("{} CONCURRENTLY{}", &piece.text[..at], &piece.text[at..]);
            Some(vec![Step { run: Run::Outside, sql }])
        }
        Statement::Reindex { .. } if version >= 12 => {
            let at = piece.tokens.iter().find(|token| token.is("index") || token.is("table"))?.end()
                - piece.tokens.first()?.at;
            Some(vec![Step {
                run: Run::Outside,
                sql: format!("{} CONCURRENTLY{}", &piece.text[..at], &piece.text[at..]),
            }])
        }
        Statement::AlterTable { kind: Kind::Table, name, actions, only, if_exists } => {
            let mut cursor = Cursor::new(&piece.tokens, source, dialect);
            let (prefix, table, texts) = written(&mut cursor)?;
            if texts.len() != actions.len() {
                return None;
            }
            let mut writer = Writer { catalog, name, table, prefix, version, steps: vec![] };
            for (action, text) in actions.iter().zip(&texts) {
                let alone = Statement::AlterTable {
                    kind: Kind::Table,
                    name: name.clone(),
                    only: *only,
                    if_exists: *if_exists,
                    actions: vec![action.clone()],
                };
                if hurts(catalog, &judge(&alone)) {
                    writer.action(action)?;
                } else {
                    writer.alter(Run::Together, text);
                }
            }
            Some(writer.steps)
        }
        _ => None,
    }
}

/// The index of the whole stays invalid until each partition's own, built beside the writes, is attached. They get the
/// names that the server would have given them.
fn on_partitions(catalog: &Catalog, piece: &Piece<'_>, index: &CreateIndex) -> Option<Vec<Step>> {
    let name = index.name.as_ref()?;
    let at = piece.tokens.iter().position(|token| token.is("on"))?;
    let mut last = at + 1;
    while piece.tokens.get(last + 1)?.is(".") {
        last += 2;
    }
    let from = piece.tokens.first()?.at;
    let head = &piece.text[..piece.tokens[at].end() - from];
    let table = piece.text[piece.tokens[at + 1].at - from..piece.tokens[last].end() - from].trim();
    let rest = &piece.text[piece.tokens[last].end() - from..];
    let mut steps = vec![Step { run: Run::Together, sql: format!("{head} ONLY {table}{rest}") }];
    let mut attach = vec![];
    for child in &catalog.get(&index.table)?.children {
        let short = child.rsplit('.').next().unwrap_or(child);
        let own = format!("{short}_{}_idx", index.columns.join("_"));
        let taken = catalog.indexes.contains_key(&own) || own.len() > 63 || child.contains('.');
        if taken || catalog.is(child, Kind::Partitioned) || index.columns.is_empty() || rest.matches('(').count() != 1 {
            return None;
        }
        let unique = if index.unique { "UNIQUE " } else { "" };
        let (own, child) = (quoted(&own), quoted(child));
        let sql = format!("CREATE {unique}INDEX CONCURRENTLY {own} ON {child}{rest}");
        steps.push(Step { run: Run::Outside, sql });
        attach.push(format!("ALTER INDEX {} ATTACH PARTITION {own}", quoted(name)));
    }
    // The partitions that a job makes are not known here.
    let runs = [Run::After].into_iter().chain(std::iter::repeat(Run::Together));
    steps.extend(runs.zip(attach).map(|(run, sql)| Step { run, sql }));
    (steps.len() > 1).then_some(steps)
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

    fn action(&mut self, action: &Action) -> Option<()> {
        // Of what is partitioned, the server passes a CHECK on to the partitions; a key or a filled column it does not.
        let passes_on = match action {
            Action::AddConstraint(constraint) => matches!(constraint.rule, Rule::Check(_)),
            Action::SetNotNull { .. } | Action::Validate { .. } => true,
            _ => false,
        };
        if self.catalog.is(self.name, Kind::Partitioned) && !passes_on {
            return None;
        }
        match action {
            Action::AddConstraint(constraint) => self.constraint(constraint),
            Action::SetNotNull { column } => self.not_null(column),
            Action::AddColumn { column, if_not_exists: false } => self.column(column),
            Action::Validate { name } => {
                self.alter(Run::After, &format!("VALIDATE CONSTRAINT {}", quoted(name)));
                Some(())
            }
            _ => None,
        }
    }

    fn constraint(&mut self, constraint: &Constraint) -> Option<()> {
        let name = self.catalog.constraint_name(self.name, constraint);
        // The server would shorten it in its own way.
        if name.len() > 63 {
            return None;
        }
        let name = quoted(&name);
        match &constraint.rule {
            Rule::Check(_) | Rule::Foreign(_) => {
                self.alter(Run::Together, &format!("ADD CONSTRAINT {name} {} NOT VALID", constraint.text));
                self.alter(Run::After, &format!("VALIDATE CONSTRAINT {name}"));
                Some(())
            }
            Rule::Unique | Rule::Primary if constraint.using_index.is_none() => {
                let (head, rest) = constraint.text.split_once('(')?;
                let (columns, rest) = rest.split_once(')')?;
                let plain = head.trim().eq_ignore_ascii_case(if constraint.rule == Rule::Unique {
                    "unique"
                } else {
                    "primary key"
                });
                let deferrable = rest.trim().is_empty() || rest.trim().to_lowercase().starts_with("deferrable");
                if !plain || !deferrable || columns.contains('(') {
                    return None;
                }
                let is_primary = constraint.rule == Rule::Primary;
                for column in constraint.columns.iter().filter(|_| is_primary) {
                    if !self.catalog.get(self.name)?.column(column)?.not_null {
                        self.not_null(column)?;
                    }
                }
                self.index(&name, columns, is_primary, rest);
                Some(())
            }
            _ => None,
        }
    }

    fn index(&mut self, name: &str, columns: &str, is_primary: bool, rest: &str) {
        self.step(Run::Outside, format!("CREATE UNIQUE INDEX CONCURRENTLY {name} ON {} ({columns})", self.table));
        let kind = if is_primary { "PRIMARY KEY" } else { "UNIQUE" };
        self.alter(Run::After, format!("ADD CONSTRAINT {name} {kind} USING INDEX {name} {rest}").trim_end());
    }

    fn not_null(&mut self, column: &str) -> Option<()> {
        if self.version < 12 {
            return None;
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
        Some(())
    }

    fn column(&mut self, new: &NewColumn) -> Option<()> {
        let column = &new.column;
        if column.generated.is_some() || self.catalog.types.contains_key(&column.ty.base) && column.default.is_none() {
            return None;
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
            return None;
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
                Some(_) if column.identity && new.identity_text.contains('(') => return None,
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
                Rule::NotNull | Rule::Exclude => return None,
            }
        }
        Some(())
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
