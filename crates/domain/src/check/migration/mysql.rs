//! Which algorithm MySQL 8 and MariaDB take for an ALTER, and who waits meanwhile. MariaDB's was measured on 10.11;
//! MySQL's stands in its source (`handler0alter.cc`) and in chapter 17.12 of its manual.

use super::catalog::{Catalog, Relation};
use super::statement::{Action, Column, Dml, Generated, IndexKind, NewColumn, Rule, Statement, Type};
use super::verdict::{Algorithm, Lock, TableLock, Verdict};
use super::{Dialect, Version};

use Algorithm::{Copy, Inplace, Instant, Nocopy};
use TableLock::{Exclusive, None as Open, Shared};

/// What the session adds to a statement.
#[derive(Debug, Clone)]
pub struct Session {
    pub dialect: Dialect,
    pub version: Version,
    pub foreign_key_checks: bool,
}

/// One action: its algorithm, its lock, and whether the table is built anew.
type Step = (Algorithm, TableLock, bool);

pub fn judge(catalog: &Catalog, statement: &Statement, session: &Session) -> Verdict {
    let mut v = Verdict::default();
    let alter = |table: &str, actions: &[Action], v: &mut Verdict| {
        Judge { catalog, name: table, table: catalog.get(table), session }.alter(actions, v);
    };
    match statement {
        Statement::AlterTable { name, actions, .. } => alter(name, actions, &mut v),
        Statement::CreateIndex(index) => {
            let kind = match index.kind {
                Some("fulltext") => IndexKind::Fulltext,
                Some("spatial") => IndexKind::Spatial,
                _ => IndexKind::Plain,
            };
            alter(
                &index.table,
                &[Action::AddIndex { name: index.name.clone(), kind, columns: index.columns.clone() }],
                &mut v,
            );
        }
        Statement::DropIndex { names, table: Some(table), .. } => {
            let actions: Vec<Action> = names.iter().map(|name| Action::DropIndex { name: name.clone() }).collect();
            alter(table, &actions, &mut v);
        }
        Statement::RenameTables(pairs) => {
            for (from, to) in pairs {
                alter(from, &[Action::RenameTable { to: to.clone() }], &mut v);
            }
        }
        Statement::Drop { names, if_exists, .. } => {
            for name in names.iter().filter(|name| !*if_exists || catalog.get(name).is_some()) {
                v.lock(name, Lock::AccessExclusive);
                if catalog.existed(name) {
                    v.loses = Some(format!("the rows of {name} are gone"));
                    v.breaks = Some(format!("code that still reads or writes {name} fails"));
                }
            }
        }
        Statement::DropSchema { names, .. } => v.loses = Some(format!("all that is in {} is gone", names.join(", "))),
        Statement::Truncate { tables, .. } => {
            for table in tables {
                v.lock(table, Lock::AccessExclusive);
                v.loses = Some(format!("every row of {table} is gone"));
            }
        }
        Statement::CreateTable(table) => {
            for column in table.columns.iter().filter(|column| column.ignored_reference) {
                v.traps.push(("M14", format!("MySQL ignores REFERENCES beside the column {}", column.column.name)));
            }
            for read in table.select.iter().flatten().filter(|read| catalog.get(read).is_some()) {
                v.scan(read);
            }
        }
        // OPTIMIZE TABLE.
        Statement::Vacuum { table: Some(table), .. } => alter(table, &[Action::Rebuild("force")], &mut v),
        Statement::LockTable { tables, .. } => tables.iter().for_each(|table| v.lock(table, Lock::AccessExclusive)),
        Statement::Dml(dml) => rows(catalog, dml, &mut v),
        Statement::Unknown(why) => v.unknown = Some(why.clone()),
        _ => {}
    }
    v.settle();
    v
}

fn rows(catalog: &Catalog, dml: &Dml, v: &mut Verdict) {
    let Some(target) = dml.target.as_ref().filter(|_| matches!(dml.verb, "update" | "delete")) else { return };
    let by_index = dml.condition.as_ref().is_some_and(|columns| {
        let indexed = catalog
            .indexes_of(target)
            .any(|(_, index)| index.columns.first().is_some_and(|first| columns.contains(first)));
        let primary = |relation: &Relation| {
            relation
                .constraints
                .iter()
                .any(|c| c.rule == Rule::Primary && c.columns.first().is_some_and(|first| columns.contains(first)))
        };
        indexed || catalog.get(target).is_some_and(primary)
    });
    if !by_index {
        v.scan(target);
        v.backfill = Some(target.clone());
    }
    if dml.verb == "delete" && dml.condition.is_none() {
        v.loses = Some(format!("every row of {target} is gone"));
    }
}

struct Judge<'a> {
    catalog: &'a Catalog,
    name: &'a str,
    table: Option<&'a Relation>,
    session: &'a Session,
}

impl Judge<'_> {
    fn mariadb(&self) -> bool {
        self.session.dialect.is_mariadb()
    }

    fn has_fulltext(&self) -> bool {
        self.catalog.indexes_of(self.name).any(|(_, index)| index.fulltext)
    }

    fn alter(&self, actions: &[Action], v: &mut Verdict) {
        let (mut algorithm, mut lock, mut rebuild) = (Instant, Open, false);
        let (mut named, mut named_lock) = (None, None);
        let mut kinds = std::collections::BTreeSet::new();
        let keyed = actions.iter().any(|a| matches!(a, Action::AddConstraint(c) if c.rule == Rule::Primary));
        for action in actions {
            match action {
                Action::Algorithm(text) => named = Some(text.as_str()),
                Action::Lock(text) => named_lock = Some(text.as_str()),
                Action::DropPrimary if keyed => {}
                _ => match self.step(action, v) {
                    Ok((one, held, builds)) => {
                        kinds.insert(one);
                        algorithm = algorithm.max(one);
                        lock = lock.max(held);
                        rebuild |= builds;
                    }
                    Err(why) => {
                        v.unknown = Some(why);
                        return;
                    }
                },
            }
        }
        // INSTANT is for the whole statement, or not at all: a column beside an index is a new table.
        let instant_columns = actions.iter().any(|a| matches!(a, Action::AddColumn { .. } | Action::DropColumn { .. }));
        if kinds.len() > 1 && kinds.contains(&Instant) && algorithm < Copy && instant_columns {
            algorithm = Inplace;
            rebuild = true;
        }
        let default = matches!(named_lock, None | Some("DEFAULT"));
        if named == Some("INSTANT") && !default && !self.mariadb() {
            v.refuse("1221", "MySQL takes INSTANT with LOCK=DEFAULT alone");
        }
        let weakest = match named {
            Some("INSTANT") => Instant,
            Some("NOCOPY") => Nocopy,
            Some("INPLACE") => Inplace,
            _ => Copy,
        };
        if algorithm > weakest {
            v.refuse(
                "1846",
                format!("ALGORITHM={} is not possible for this: it takes {}", weakest.label(), algorithm.label()),
            );
        }
        if named == Some("COPY") {
            (algorithm, rebuild, lock) = (Copy, true, lock.max(Shared));
        }
        if named_lock == Some("NONE") && lock > Open {
            v.refuse("1846", "LOCK=NONE is not possible for this: writes wait until it has ended");
        }
        if named_lock == Some("SHARED") {
            lock = lock.max(Shared);
        }
        if named_lock == Some("EXCLUSIVE") {
            lock = Exclusive;
        }
        if named.is_none() && self.catalog.existed(self.name) {
            v.traps.push((
                "M15",
                format!(
                    "without ALGORITHM the server falls back to a slower one silently; this is {}",
                    algorithm.label()
                ),
            ));
        }
        v.method = Some((algorithm, lock));
        match lock {
            Open => {}
            Shared => v.lock(self.name, Lock::Share),
            Exclusive => v.lock(self.name, Lock::AccessExclusive),
        }
        if algorithm == Copy || rebuild {
            v.rewrite(self.name);
        }
    }

    fn step(&self, action: &Action, v: &mut Verdict) -> Result<Step, String> {
        let (name, mariadb) = (self.name, self.mariadb());
        let existed = self.catalog.existed(name);
        let breaks = |v: &mut Verdict, why: String| {
            if existed {
                v.breaks.get_or_insert(why);
            }
        };
        Ok(match action {
            Action::AddColumn { column, .. } => {
                self.traps(column, v);
                self.add_column(column)
            }
            Action::DropColumn { name: column, .. } => {
                if existed {
                    v.loses = Some(format!("the values of {name}.{column} are gone"));
                }
                breaks(v, format!("code that still reads or writes {name}.{column} fails"));
                let indexed = self.catalog.indexes_of(name).any(|(_, index)| index.columns.contains(column));
                if self.has_fulltext() {
                    (Inplace, Shared, true)
                } else if mariadb {
                    (if indexed { Nocopy } else { Instant }, Open, false)
                } else if indexed || self.session.version < [8, 0, 29] || self.versions() >= 64 {
                    (Inplace, Open, true)
                } else {
                    (Instant, Open, false)
                }
            }
            Action::RenameColumn { from, to } => {
                breaks(v, format!("code that still says {name}.{from} fails, and what says {to} fails until then"));
                (if mariadb || self.session.version >= [8, 0, 28] { Instant } else { Inplace }, Open, false)
            }
            Action::Modify { from, column } => {
                if *from != column.column.name {
                    breaks(
                        v,
                        format!(
                            "code that still says {name}.{from} fails, and what says {} fails until then",
                            column.column.name
                        ),
                    );
                }
                self.modify(from, column, v)?
            }
            Action::SetDefault { .. }
            | Action::DropDefault { .. }
            | Action::DropCheck { .. }
            | Action::TableOption(_) => (Instant, Open, false),
            Action::AddIndex { kind, .. } => {
                v.build(name, 1);
                match (kind, mariadb) {
                    (IndexKind::Plain | IndexKind::Unique, true) => (Nocopy, Open, false),
                    (IndexKind::Plain | IndexKind::Unique, false) => (Inplace, Open, false),
                    (IndexKind::Fulltext, _) if !self.has_fulltext() => (Inplace, Shared, true),
                    (IndexKind::Fulltext | IndexKind::Spatial, true) => (Nocopy, Shared, false),
                    (IndexKind::Fulltext | IndexKind::Spatial, false) => (Inplace, Shared, false),
                }
            }
            Action::DropIndex { .. } => (if mariadb { Nocopy } else { Inplace }, Open, false),
            Action::RenameIndex { .. } | Action::DropForeign { .. } | Action::AutoIncrement => {
                (if mariadb { Instant } else { Inplace }, Open, false)
            }
            Action::DropPrimary => (Copy, Shared, true),
            Action::DropConstraint { name: constraint, .. } => {
                match self.table.and_then(|table| table.constraint(constraint)) {
                    Some(c) if c.rule == Rule::Unique => (if mariadb { Nocopy } else { Inplace }, Open, false),
                    _ => (Instant, Open, false),
                }
            }
            Action::AddConstraint(constraint) => match &constraint.rule {
                Rule::Primary => (Inplace, Open, true),
                Rule::Unique => {
                    v.build(name, 1);
                    (if mariadb { Nocopy } else { Inplace }, Open, false)
                }
                Rule::Check(_) if constraint.enforced => (Copy, Shared, true),
                Rule::Foreign(_) if self.session.foreign_key_checks => {
                    v.proves.insert(name.to_owned());
                    (Copy, Shared, true)
                }
                Rule::Foreign(_) => (if mariadb { Nocopy } else { Inplace }, Open, false),
                _ => (Instant, Open, false),
            },
            Action::Convert { .. } => (Copy, Shared, true),
            Action::Rebuild(_) => (Inplace, if self.has_fulltext() { Shared } else { Open }, true),
            Action::RenameTable { to } => {
                breaks(v, format!("code that still says {name} fails, and what says {to} fails until then"));
                (Instant, Exclusive, false)
            }
            Action::Partitions(what) => match *what {
                "add partition" | "tablespace" => (Inplace, Open, false),
                "drop partition" | "truncate partition" => {
                    v.loses = Some(format!("the rows of the partitions of {name} are gone"));
                    (Inplace, Exclusive, false)
                }
                "exchange partition" => (Inplace, Exclusive, false),
                _ => (Copy, Shared, true),
            },
            Action::Algorithm(_) | Action::Lock(_) => (Instant, Open, false),
            other => return Err(format!("this is not {}: {other:?}", self.session.dialect.label())),
        })
    }

    fn versions(&self) -> u32 {
        self.table.map_or(0, |table| table.row_versions)
    }

    fn traps(&self, new: &NewColumn, v: &mut Verdict) {
        let column = &new.column;
        let filled = column.default.is_some() || column.auto_increment || column.generated.is_some();
        if column.not_null && !filled && self.catalog.existed(self.name) {
            let why = format!(
                "{}.{} is NOT NULL without a DEFAULT: the rows that exist get 0 or '' silently",
                self.name, column.name
            );
            v.traps.push(("M13", why));
        }
        if new.ignored_reference {
            v.traps.push(("M14", format!("MySQL ignores REFERENCES beside the column {}", column.name)));
        }
    }

    fn add_column(&self, new: &NewColumn) -> Step {
        let (column, mariadb, version) = (&new.column, self.mariadb(), self.session.version);
        let checks = new.constraints.iter().any(|c| matches!(c.rule, Rule::Check(_) | Rule::Foreign(_)) && c.enforced);
        let keyed = new.constraints.iter().any(|c| c.rule == Rule::Primary);
        if column.generated == Some(Generated::Stored) || column.default.as_deref().is_some_and(is_computed) || checks {
            (Copy, Shared, true)
        } else if column.generated == Some(Generated::Virtual) {
            (Instant, Open, false)
        } else if column.auto_increment || self.has_fulltext() {
            (Inplace, Shared, true)
        } else if keyed {
            (Inplace, Open, true)
        } else if mariadb
            || (version >= [8, 0, 29] && self.versions() < 64)
            || (version >= [8, 0, 12] && new.position.is_none() && self.versions() < 64)
        {
            (Instant, Open, false)
        } else {
            (Inplace, Open, true)
        }
    }

    fn modify(&self, from: &str, new: &NewColumn, v: &mut Verdict) -> Result<Step, String> {
        let mariadb = self.mariadb();
        let Some(old) = self.table.and_then(|table| table.column(from)).filter(|old| !old.ty.base.is_empty()) else {
            return Err(format!("the type of {}.{from} before this is not known", self.name));
        };
        let column = &new.column;
        let copy = (Copy, Shared, true);
        if column.generated != old.generated || column.auto_increment && !old.auto_increment {
            return Ok(copy);
        }
        if new.constraints.iter().any(|c| matches!(c.rule, Rule::Check(_))) {
            return Ok(copy);
        }
        let Some(mut step) = self.change(old, column) else {
            if self.catalog.existed(self.name) {
                let why = format!("code that still reads or writes {}.{from} as {} may fail", self.name, old.ty.base);
                v.breaks.get_or_insert(why);
            }
            return Ok(copy);
        };
        if old.not_null != column.not_null {
            step = (Inplace, Open, true);
            if column.not_null && self.catalog.existed(self.name) {
                v.breaks.get_or_insert(format!("code that still writes NULL to {}.{from} fails", self.name));
            }
        }
        if new.position.is_some() && !mariadb {
            step = (step.0.max(Inplace), step.1, true);
        }
        Ok(step)
    }

    /// The step of a change of type that touches no row; none where the table is copied.
    fn change(&self, old: &Column, new: &Column) -> Option<Step> {
        let (mariadb, charset) = (self.mariadb(), self.table.and_then(|table| table.charset.as_deref()));
        let (from, to) = (&old.ty, &new.ty);
        let own = |ty: &Type| ty.charset.clone().or_else(|| charset.map(str::to_owned));
        let text = ["char", "varchar", "text", "tinytext", "mediumtext", "longtext", "enum", "set"]
            .contains(&to.base.as_str());
        if text && (own(from) != own(to) || (new.collation.is_some() && new.collation != old.collation)) {
            return None;
        }
        if from.base != to.base || from.unsigned != to.unsigned {
            return None;
        }
        let integer = ["tinyint", "smallint", "mediumint", "int", "bigint", "year"].contains(&to.base.as_str());
        let metadata = Some((Instant, Open, false));
        match to.base.as_str() {
            // The width of an integer is for the screen alone.
            _ if integer => metadata,
            "varchar" | "varbinary" => {
                let width = if to.base == "varbinary" { 1 } else { bytes(own(to).as_deref()) };
                let size = |ty: &Type| ty.modifiers.first().copied().unwrap_or(1) * width;
                let (before, after) = (size(from), size(to));
                let same = (before <= 255) == (after <= 255);
                if before == after {
                    metadata
                } else {
                    (after > before && same).then_some((if mariadb { Instant } else { Inplace }, Open, false))
                }
            }
            "enum" | "set" => {
                let step = if to.base == "set" { 8 } else { 255 };
                let class = |ty: &Type| ty.values.len().div_ceil(step).min(2);
                (to.values.starts_with(&from.values) && class(from) == class(to)).then_some((Instant, Open, false))
            }
            _ => (from.modifiers == to.modifiers).then_some((Instant, Open, false)),
        }
    }
}

/// A default that the server has to compute for each row: `(uuid())`, but not `CURRENT_TIMESTAMP`.
fn is_computed(default: &str) -> bool {
    let inner = default.trim_start_matches(['(', ' ']);
    let constant = ["current_timestamp", "now (", "localtimestamp", "null", "true", "false", "cast ("];
    inner.contains('(') && !constant.iter().any(|word| inner.starts_with(word))
}

/// Bytes that a character may take.
fn bytes(charset: Option<&str>) -> i64 {
    match charset {
        Some("latin1" | "ascii" | "binary" | "latin2" | "cp1251") => 1,
        Some("ucs2") => 2,
        Some("utf8" | "utf8mb3") => 3,
        _ => 4,
    }
}
