//! ALTER TABLE of PostgreSQL, action by action.

use super::super::catalog::{Catalog, Relation, UserType, conjuncts};
use super::super::statement::{Action, Constraint, Generated, Kind, NewColumn, Rule, Type};
use super::super::verdict::{Lock, Refusal, Verdict};
use super::types::{self, Change};
use super::{Session, concurrent};

struct Judge<'a> {
    catalog: &'a Catalog,
    name: &'a str,
    table: Option<&'a Relation>,
    /// The table, and where the action goes down, its partitions and heirs.
    all: Vec<String>,
    /// Of these, those that hold rows.
    leaves: Vec<String>,
    session: &'a Session,
    v: &'a mut Verdict,
}

pub(super) fn judge(
    catalog: &Catalog,
    kind: Kind,
    name: &str,
    only: bool,
    actions: &[Action],
    session: &Session,
    v: &mut Verdict,
) {
    if matches!(kind, Kind::View | Kind::Materialized | Kind::Foreign) {
        v.lock(name, Lock::AccessExclusive);
        if let Some(Action::RenameTable { .. } | Action::RenameColumn { .. }) = actions.first() {
            v.breaks = Some(format!("code that still reads {name} by its old name fails"));
        }
        return;
    }
    let all = |down: bool| {
        let mut all = if down { catalog.descendants(name) } else { vec![] };
        all.push(name.to_owned());
        all
    };
    for action in actions {
        let goes_down = !only && !stays(action);
        let all = all(goes_down);
        let mut leaves = if goes_down { catalog.leaves(name) } else { all.clone() };
        // By itself a partitioned table has no rows.
        leaves.retain(|leaf| goes_down || !catalog.is(leaf, Kind::Partitioned));
        Judge { catalog, name, table: catalog.get(name), all, leaves, session, v }.action(action);
    }
}

/// Actions that partitions and heirs take no part in.
fn stays(action: &Action) -> bool {
    match action {
        Action::Attach { .. }
        | Action::Detach { .. }
        | Action::Inherit { .. }
        | Action::NoInherit { .. }
        | Action::RenameTable { .. }
        | Action::SetSchema { .. }
        | Action::SetLogged
        | Action::SetTablespace { .. }
        | Action::AccessMethod { .. }
        | Action::Options(_)
        | Action::Metadata(_)
        | Action::Trigger => true,
        Action::AddConstraint(constraint) => constraint.text.to_lowercase().contains("no inherit"),
        _ => false,
    }
}

impl Judge<'_> {
    fn lock(&mut self, lock: Lock) {
        for name in &self.all {
            self.v.lock(name, lock);
        }
    }

    fn scan(&mut self) {
        for name in &self.leaves {
            self.v.scan(name);
        }
    }

    fn rewrite(&mut self) {
        for name in &self.leaves {
            self.v.rewrite(name);
        }
    }

    fn build(&mut self, count: usize) {
        for name in &self.leaves {
            self.v.build(name, count);
        }
    }

    fn sequence(&mut self, column: &str) {
        let sequence = format!("{}_{column}_seq", self.name);
        self.v.lock(&sequence, Lock::AccessExclusive);
        self.v.created.insert(sequence);
    }

    fn breaks(&mut self, why: String) {
        if self.catalog.existed(self.name) {
            self.v.breaks.get_or_insert(why);
        }
    }

    fn action(&mut self, action: &Action) {
        let name = self.name;
        match action {
            Action::AddColumn { column, if_not_exists } => {
                self.lock(Lock::AccessExclusive);
                let exists = self.table.is_some_and(|table| table.column(&column.column.name).is_some());
                if !(*if_not_exists && exists) {
                    self.add_column(column);
                }
            }
            Action::DropColumn { name: column, if_exists, .. } => {
                self.lock(Lock::AccessExclusive);
                let gone = self.table.is_some_and(|table| table.complete && table.column(column).is_none());
                if *if_exists && gone {
                    return;
                }
                self.foreign_keys_of(column);
                if self.catalog.existed(name) {
                    self.v.loses = Some(format!("the values of {name}.{column} are gone"));
                }
                self.breaks(format!("code that still reads or writes {name}.{column} fails"));
            }
            Action::RenameColumn { from, to } => {
                self.lock(Lock::AccessExclusive);
                self.breaks(format!("code that still says {name}.{from} fails, and what says {to} fails until then"));
            }
            Action::RenameTable { to } => {
                self.lock(Lock::AccessExclusive);
                self.breaks(format!("code that still says {name} fails, and what says {to} fails until then"));
            }
            Action::SetSchema { schema } => {
                self.lock(Lock::AccessExclusive);
                self.breaks(format!("code that does not look for {name} in {schema} fails"));
            }
            Action::Type { column, ty, using, collation } => {
                self.change_type(column, ty, using.as_deref(), collation.as_ref());
            }
            Action::SetNotNull { column } => {
                self.lock(Lock::AccessExclusive);
                let known = self.table.and_then(|table| table.column(column)).is_some_and(|column| column.not_null);
                let proven =
                    self.session.version >= 12 && self.table.is_some_and(|table| table.checked_not_null(column));
                if !known && !proven {
                    self.scan();
                }
                if !known {
                    self.breaks(format!("code that still writes NULL to {name}.{column} fails"));
                }
            }
            Action::AddConstraint(constraint) => self.add_constraint(constraint),
            Action::DropConstraint { name: constraint, .. } => {
                self.lock(Lock::AccessExclusive);
                let found = self.table.and_then(|table| table.constraint(constraint));
                match found.map(|constraint| &constraint.rule) {
                    Some(Rule::Foreign(reference)) => self.v.lock(&reference.table, Lock::AccessExclusive),
                    Some(Rule::Primary | Rule::Unique) => {
                        for other in self.catalog.referencing(name) {
                            let columns = found.map(|c| c.columns.clone()).unwrap_or_default();
                            let points = self.catalog.get(&other).is_some_and(|other| {
                                other.constraints.iter().any(
                                    |c| matches!(&c.rule, Rule::Foreign(r) if r.table == name && r.columns == columns),
                                )
                            });
                            if points {
                                self.v.lock(&other, Lock::AccessExclusive);
                            }
                        }
                    }
                    _ => {}
                }
            }
            Action::Validate { name: constraint } => self.validate(constraint),
            Action::AddIdentity { column } => {
                self.lock(Lock::AccessExclusive);
                self.sequence(column);
            }
            Action::SetExpression { .. } => {
                self.lock(Lock::AccessExclusive);
                self.rewrite();
            }
            Action::Attach { partition, bounds, .. } => self.attach(partition, bounds),
            Action::Detach { partition, concurrently } => self.detach(partition, *concurrently),
            Action::Inherit { parent } => {
                self.lock(Lock::AccessExclusive);
                self.v.lock(parent, Lock::ShareUpdateExclusive);
            }
            Action::NoInherit { parent } => {
                self.lock(Lock::AccessExclusive);
                self.v.lock(parent, Lock::AccessShare);
            }
            Action::SetLogged => {
                self.lock(Lock::AccessExclusive);
                self.rewrite();
            }
            Action::SetTablespace { to } => {
                self.lock(Lock::AccessExclusive);
                if to != "pg_default" {
                    self.rewrite();
                }
            }
            Action::AccessMethod { to } => {
                self.lock(Lock::AccessExclusive);
                if to != "heap" {
                    self.rewrite();
                }
            }
            Action::Options(_) => self.lock(Lock::ShareUpdateExclusive),
            Action::Trigger => self.lock(Lock::ShareRowExclusive),
            Action::SetDefault { .. }
            | Action::DropDefault { .. }
            | Action::DropNotNull { .. }
            | Action::RenameConstraint { .. }
            | Action::AlterConstraint { .. }
            | Action::DropIdentity { .. }
            | Action::DropExpression { .. }
            | Action::Metadata(_) => self.lock(Lock::AccessExclusive),
            _ => self.v.unknown = Some("this is not PostgreSQL".into()),
        }
    }

    fn add_column(&mut self, new: &NewColumn) {
        let (name, column) = (self.name, &new.column);
        let serial = column.ty.base.ends_with("serial") || matches!(column.ty.base.as_str(), "serial2");
        let domain = match self.catalog.types.get(&column.ty.base) {
            Some(UserType::Domain { checked, .. }) => *checked,
            _ => false,
        };
        let default = column.default.as_deref().filter(|default| !default.eq_ignore_ascii_case("null"));
        let computed =
            default.is_some_and(|default| self.session.version < 11 || types::is_volatile(self.catalog, default));
        if serial || column.identity {
            self.sequence(&column.name);
        }
        if serial || column.identity || domain || computed || column.generated == Some(Generated::Stored) {
            self.rewrite();
        }
        if column.generated == Some(Generated::Virtual) && column.not_null {
            self.scan();
        }
        let filled = default.is_some() || serial || column.identity || column.generated.is_some() || domain;
        if column.not_null && !filled {
            self.scan();
            if self.catalog.existed(name) {
                let why = format!(
                    "{name}.{} is NOT NULL without a DEFAULT: the rows that exist have no value for it",
                    column.name
                );
                self.v.refused.get_or_insert(Refusal { code: "23502", why, with_rows: true });
                self.breaks(format!("code that inserts into {name} without {} fails", column.name));
            }
        }
        for constraint in &new.constraints {
            match &constraint.rule {
                Rule::Check(_) => self.scan(),
                Rule::Unique | Rule::Primary => self.build(1),
                Rule::Foreign(reference) => {
                    if reference.table != name {
                        self.v.lock(&reference.table, Lock::ShareRowExclusive);
                    }
                    // DEFAULT NULL is a default, too: the server looks up every row.
                    if column.default.is_some() && self.catalog.existed(name) {
                        self.scan();
                        self.v.scan(&reference.table);
                        self.v.proves.insert(name.to_owned());
                    }
                }
                Rule::NotNull | Rule::Exclude => {}
            }
        }
    }

    /// What a column takes with it when it goes, or when its type changes.
    fn foreign_keys_of(&mut self, column: &str) {
        let name = self.name;
        for (constraint, to) in self.table.iter().flat_map(|table| table.foreign_keys()) {
            if constraint.columns.iter().any(|one| one == column) {
                self.v.lock(to, Lock::AccessExclusive);
            }
        }
        for other in self.catalog.referencing(name) {
            let points = self.catalog.get(&other).is_some_and(|other| {
                other.constraints.iter().any(|c| matches!(&c.rule, Rule::Foreign(r) if r.table == name && r.columns.iter().any(|one| one == column)))
            });
            if points {
                self.v.lock(&other, Lock::AccessExclusive);
            }
        }
    }

    fn change_type(&mut self, column: &str, ty: &Type, using: Option<&str>, collation: Option<&String>) {
        let name = self.name;
        self.lock(Lock::AccessExclusive);
        let Some(old) = self.table.and_then(|table| table.column(column)).filter(|old| !old.ty.base.is_empty()) else {
            self.v.unknown = Some(format!("the type of {name}.{column} before this is not known"));
            return;
        };
        let views = self.catalog.views_over(name, column);
        if let Some(view) = views.first() {
            self.v.refuse("0A000", format!("{name}.{column} is read by the view {view}: its type cannot change"));
        }
        let collates = collation.is_some_and(|new| old.collation.as_ref() != Some(new));
        let indexes = self.catalog.indexes_of(name).filter(|(_, index)| mentions(&index.columns, column)).count();
        let expressions = self.catalog.indexes_of(name).filter(|(_, index)| {
            let here = mentions(&index.columns, column);
            here && (index.partial || index.columns.iter().any(|column| column.starts_with('(')))
        });
        let expressions = expressions.count();
        match types::change(self.catalog, &old.ty, ty, using, column, self.session.version, self.session.utc) {
            Change::Rewrite => self.rewrite(),
            Change::Reindex if indexes > 0 => self.build(indexes),
            Change::Free if collates && indexes > 0 => self.build(indexes),
            Change::Free if expressions > 0 && old.ty != *ty => self.build(expressions),
            Change::Reindex | Change::Free => {}
        }
        let checked = self.table.is_some_and(|table| {
            table
                .constraints
                .iter()
                .any(|c| c.valid && matches!(&c.rule, Rule::Check(text) if text.split(' ').any(|word| word == column)))
        });
        if checked && old.ty != *ty {
            self.scan();
        }
        if old.ty != *ty {
            self.foreign_keys_of(column);
        }
        if !self.v.rewrites.is_empty() {
            self.breaks(format!("code that still reads or writes {name}.{column} as {} may fail", old.ty.base));
        }
    }

    fn add_constraint(&mut self, constraint: &Constraint) {
        let name = self.name;
        match &constraint.rule {
            Rule::NotNull | Rule::Check(_) => {
                self.lock(Lock::AccessExclusive);
                let known = constraint.rule == Rule::NotNull
                    && constraint.columns.iter().all(|column| self.is_not_null(column));
                if constraint.valid && !known {
                    self.scan();
                }
            }
            Rule::Foreign(reference) => {
                let partitioned = self.catalog.is(name, Kind::Partitioned);
                if partitioned && !constraint.valid && self.session.version < 18 {
                    self.v.refuse(
                        "42809",
                        format!("{name} is partitioned: its foreign keys cannot be NOT VALID before PostgreSQL 18"),
                    );
                }
                self.lock(Lock::ShareRowExclusive);
                self.v.lock(&reference.table, Lock::ShareRowExclusive);
                // A table of this migration has few rows to look up, if any.
                if constraint.valid
                    && self.catalog.existed(name)
                    && !(partitioned && self.catalog.is_proven(name, constraint))
                {
                    self.scan();
                    for table in self.catalog.leaves(&reference.table) {
                        self.v.scan(&table);
                    }
                    self.v.proves.insert(name.to_owned());
                }
            }
            Rule::Unique | Rule::Primary | Rule::Exclude => {
                self.lock(Lock::AccessExclusive);
                match &constraint.using_index {
                    None => self.build(1),
                    Some(index) if constraint.rule == Rule::Primary => match self.catalog.indexes.get(index) {
                        Some(index) if index.columns.iter().all(|column| self.is_not_null(column)) => {}
                        Some(_) => self.scan(),
                        None => self.v.unknown = Some(format!("the index {index} is not known")),
                    },
                    Some(_) => {}
                }
            }
        }
    }

    fn is_not_null(&self, column: &str) -> bool {
        self.table.and_then(|table| table.column(column)).is_some_and(|column| column.not_null)
    }

    fn validate(&mut self, constraint: &str) {
        let name = self.name;
        self.lock(Lock::ShareUpdateExclusive);
        let found = self.table.and_then(|table| table.constraint(constraint));
        if found.is_some_and(|constraint| constraint.valid) {
            return;
        }
        self.scan();
        if let Some(Rule::Foreign(reference)) = found.map(|constraint| &constraint.rule) {
            if reference.table != name {
                self.v.lock(&reference.table, Lock::RowShare);
            }
            self.v.scan(&reference.table);
            self.v.proves.insert(name.to_owned());
        }
    }

    fn attach(&mut self, partition: &str, bounds: &str) {
        let parent_lock = if self.session.version < 12 { Lock::AccessExclusive } else { Lock::ShareUpdateExclusive };
        self.lock(parent_lock);
        self.v.lock(partition, Lock::AccessExclusive);
        let Some(parent) = self.table else {
            self.v.unknown = Some(format!("{} is not known", self.name));
            return;
        };
        if let Some(default) = parent.default_partition.as_ref().filter(|default| *default != partition) {
            self.v.lock(default, Lock::AccessExclusive);
            self.v.scan(default);
        }
        let proven = self.catalog.get(partition).is_some_and(|child| is_proven(parent, child, bounds));
        if !proven && bounds != "default" {
            self.v.scan(partition);
        }
        let has = |columns: &[String]| self.catalog.indexes_of(partition).any(|(_, index)| index.columns == columns);
        let missing = self.catalog.indexes_of(self.name).filter(|(_, index)| !has(&index.columns)).count();
        if missing > 0 {
            self.v.build(partition, missing);
        }
        for (_, to) in parent.foreign_keys() {
            self.v.lock(to, Lock::ShareRowExclusive);
        }
    }

    fn detach(&mut self, partition: &str, concurrently: bool) {
        let default = self.table.and_then(|parent| parent.default_partition.clone());
        if concurrently {
            self.lock(Lock::ShareUpdateExclusive);
            concurrent(true, "DETACH PARTITION … CONCURRENTLY", self.session, self.v);
            if default.is_some() {
                let why = format!("{} has a default partition: partitions cannot be detached concurrently", self.name);
                self.v.refused = Some(Refusal { code: "55000", why, with_rows: false });
            }
            return;
        }
        self.lock(Lock::AccessExclusive);
        let child = if self.session.version < 14 { Lock::ShareUpdateExclusive } else { Lock::AccessExclusive };
        self.v.lock(partition, child);
        if let Some(default) = default {
            self.v.lock(&default, Lock::AccessExclusive);
        }
    }
}

fn mentions(columns: &[String], column: &str) -> bool {
    columns
        .iter()
        .any(|one| one == column || (one.starts_with('(') && one.split([' ', '(', ')']).any(|word| word == column)))
}

/// Does a validated CHECK of the child say what the bounds of the partition say?
fn is_proven(parent: &Relation, child: &Relation, bounds: &str) -> bool {
    let [key] = parent.partition_key.as_slice() else { return false };
    let not_null = child.column(key).is_some_and(|column| column.not_null) || child.checked_not_null(key);
    let range = bounds.strip_prefix("for values from ( ").and_then(|rest| rest.split_once(" ) to ( "));
    let wanted: Vec<String> = match range {
        Some((low, high)) => {
            let high = high.trim_end_matches(" )");
            let edges = [(">=", low, "minvalue"), ("<", high, "maxvalue")];
            edges
                .iter()
                .filter(|(_, edge, open)| edge != open)
                .map(|(sign, edge, _)| compare(key, sign, edge))
                .collect()
        }
        None => match bounds.strip_prefix("for values in ( ").and_then(|rest| rest.strip_suffix(" )")) {
            Some(one) if !one.contains(',') => vec![format!("{key} = {one}")],
            Some(list) => vec![format!("{key} in ( {list}")],
            None => return false,
        },
    };
    let says = |part: &String| {
        child
            .constraints
            .iter()
            .any(|c| c.valid && matches!(&c.rule, Rule::Check(text) if conjuncts(text).any(|says| says == part)))
    };
    not_null && wanted.iter().all(says)
}

fn compare(key: &str, sign: &str, edge: &str) -> String {
    // The lexer takes `>=` for two symbols.
    let sign = sign.chars().map(String::from).collect::<Vec<_>>().join(" ");
    format!("{key} {sign} {edge}")
}
