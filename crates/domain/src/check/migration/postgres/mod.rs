//! What PostgreSQL 10 to 18 does with a statement: measured on the servers, not taken from a manual alone.

mod alter;
mod types;

use super::catalog::{Catalog, UserType};
use super::statement::{CreateIndex, CreateTable, Dml, Domain, Kind, Rule, Statement};
use super::verdict::{Lock, Refusal, Verdict};

/// What the session and the transaction add to a statement.
#[derive(Debug, Clone, Default)]
pub struct Session {
    pub version: u32,
    pub in_transaction: bool,
    /// `SET timezone = 'UTC'` was read.
    pub utc: bool,
    /// Enum values that this transaction added: type and value.
    pub added_values: Vec<(String, String)>,
}

pub fn judge(catalog: &Catalog, statement: &Statement, session: &Session) -> Verdict {
    let mut v = Verdict::default();
    match statement {
        Statement::CreateTable(table) => create_table(catalog, table, &mut v),
        Statement::AlterTable { kind, name, only, if_exists, actions } => {
            if *if_exists && catalog.get(name).is_none() {
                return v;
            }
            alter::judge(catalog, *kind, name, *only, actions, session, &mut v);
        }
        Statement::Drop { kind, names, cascade, if_exists } => {
            for name in names {
                if *if_exists && catalog.get(name).is_none() && !name.contains('.') && catalog.migration > 0 {
                    continue;
                }
                drop(catalog, *kind, name, *cascade, session, &mut v);
            }
        }
        Statement::CreateIndex(index) => create_index(catalog, index, session, &mut v),
        Statement::DropIndex { names, concurrently, if_exists, .. } => {
            for name in names {
                match catalog.indexes.get(name) {
                    Some(index) => {
                        v.lock(
                            &index.table,
                            if *concurrently { Lock::ShareUpdateExclusive } else { Lock::AccessExclusive },
                        );
                        for child in catalog.descendants(&index.table) {
                            v.lock(&child, Lock::AccessExclusive);
                        }
                    }
                    None if !*if_exists => {
                        v.unknown = Some(format!("the index {name} is not known, and so its table is not"));
                    }
                    None => {}
                }
            }
            concurrent(*concurrently, "DROP INDEX CONCURRENTLY", session, &mut v);
        }
        Statement::AttachIndex { partition, .. } => {
            if let Some(index) = catalog.indexes.get(partition) {
                v.lock(&index.table, Lock::AccessShare);
                for parent in catalog.get(&index.table).map(|table| table.parents.clone()).unwrap_or_default() {
                    v.lock(&parent, Lock::AccessShare);
                }
            }
        }
        Statement::Reindex { index, name, concurrently } => {
            let table =
                if *index { catalog.indexes.get(name).map(|index| index.table.clone()) } else { Some(name.clone()) };
            let Some(table) = table else {
                return Verdict::unknown(format!("the index {name} is not known, and so its table is not"));
            };
            if *concurrently {
                v.lock(&table, Lock::ShareUpdateExclusive);
            } else {
                v.lock(&table, Lock::Share);
                v.build(&table, if *index { 1 } else { catalog.indexes_of(&table).count() });
            }
            concurrent(*concurrently, "REINDEX CONCURRENTLY", session, &mut v);
        }
        Statement::CreateView { name, replace, materialized, reads, no_data, .. } => {
            let known: Vec<_> = reads.iter().filter(|read| catalog.get(read).is_some()).collect();
            for read in &known {
                v.lock(read, Lock::AccessShare);
                if *materialized && !no_data {
                    v.scan(read);
                }
            }
            if *replace && catalog.get(name).is_some() {
                v.lock(name, Lock::AccessExclusive);
            }
        }
        Statement::Refresh { name, concurrently } => {
            v.lock(name, if *concurrently { Lock::Exclusive } else { Lock::AccessExclusive });
            if *concurrently {
                v.scan(name);
            } else {
                v.rewrite(name);
            }
            for read in catalog.get(name).map(|view| view.reads.clone()).unwrap_or_default() {
                v.lock(&read, Lock::AccessShare);
                v.scan(&read);
            }
        }
        Statement::AlterSequence { name, owner } => {
            v.lock(name, Lock::ShareRowExclusive);
            if let Some(owner) = owner {
                v.lock(owner, Lock::AccessShare);
            }
        }
        Statement::AddValue { .. } if session.version < 12 && session.in_transaction => {
            v.refuse("25001", "ALTER TYPE … ADD VALUE cannot run inside a transaction before PostgreSQL 12");
        }
        Statement::AlterDomain { name, what } => {
            let scans = match what {
                Domain::AddCheck { valid } => *valid,
                Domain::Validate | Domain::SetNotNull => true,
                Domain::Other => false,
            };
            for table in catalog.using_type(name).into_iter().filter(|_| scans) {
                v.lock(&table, Lock::Share);
                v.scan(&table);
            }
        }
        Statement::DropType { names, cascade: true } => {
            for table in names.iter().flat_map(|name| catalog.using_type(name)) {
                v.lock(&table, Lock::AccessExclusive);
                v.loses = Some(format!("CASCADE drops the columns of {table} that have this type"));
            }
        }
        Statement::DropSchema { names, .. } => {
            for schema in names {
                let prefix = format!("{schema}.");
                for name in catalog.relations.keys().filter(|name| name.starts_with(&prefix)) {
                    drop(catalog, Kind::Table, name, true, session, &mut v);
                }
                v.loses = Some(format!("all that is in the schema {schema} is gone"));
            }
        }
        Statement::CreateTrigger { table } => v.lock(table, Lock::ShareRowExclusive),
        Statement::DropTrigger { table } | Statement::OnTable { table, .. } => v.lock(table, Lock::AccessExclusive),
        Statement::Truncate { tables, cascade } => {
            for table in tables {
                let mut all = vec![table.clone()];
                all.extend(catalog.descendants(table));
                if *cascade {
                    all.extend(catalog.referencing(table));
                }
                for table in all {
                    v.lock(&table, Lock::AccessExclusive);
                    v.loses = Some(format!("every row of {table} is gone"));
                    v.emptied.insert(table);
                }
            }
        }
        Statement::Cluster { table } => {
            v.lock(table, Lock::AccessExclusive);
            v.rewrite(table);
        }
        Statement::Vacuum { table, full } => {
            let lock = if *full { Lock::AccessExclusive } else { Lock::ShareUpdateExclusive };
            let tables =
                table.as_ref().map_or_else(|| catalog.relations.keys().cloned().collect(), |table| vec![table.clone()]);
            for table in tables {
                v.lock(&table, lock);
                if *full {
                    v.rewrite(&table);
                }
            }
            v.outside_transaction = true;
            if session.in_transaction {
                v.refuse("25001", "VACUUM cannot run inside a transaction");
            }
        }
        Statement::Analyze { table: Some(table) } | Statement::Comment { table: Some(table), .. } => {
            v.lock(table, Lock::ShareUpdateExclusive);
        }
        Statement::Grant { tables, .. } if session.version >= 18 => {
            tables.iter().for_each(|table| v.lock(table, Lock::AccessShare));
        }
        Statement::CreateStatistics { table, .. } => v.lock(table, Lock::ShareUpdateExclusive),
        Statement::DropStatistics { name } if session.version >= 12 => {
            if let Some(table) = catalog.statistics.get(name) {
                v.lock(table, Lock::ShareUpdateExclusive);
            }
        }
        Statement::Publication { tables, all } => {
            let all = if *all { catalog.relations.keys().cloned().collect() } else { tables.clone() };
            all.iter().for_each(|table| v.lock(table, Lock::ShareUpdateExclusive));
        }
        Statement::LockTable { tables, mode } => {
            let mode = match mode.as_str() {
                "access share" => Lock::AccessShare,
                "row share" => Lock::RowShare,
                "row exclusive" => Lock::RowExclusive,
                "share update exclusive" => Lock::ShareUpdateExclusive,
                "share" => Lock::Share,
                "share row exclusive" => Lock::ShareRowExclusive,
                "exclusive" => Lock::Exclusive,
                _ => Lock::AccessExclusive,
            };
            tables.iter().for_each(|table| v.lock(table, mode));
        }
        Statement::Dml(dml) => self::dml(catalog, dml, session, &mut v),
        Statement::Unknown(why) => v.unknown = Some(why.clone()),
        _ => {}
    }
    v.settle();
    v
}

/// What can run outside of a transaction alone, and waits for older ones.
fn concurrent(concurrently: bool, what: &str, session: &Session, v: &mut Verdict) {
    if concurrently {
        v.waits = true;
        v.outside_transaction = true;
        if session.in_transaction {
            v.refuse("25001", format!("{what} cannot run inside a transaction"));
        }
    }
}

fn create_table(catalog: &Catalog, table: &CreateTable, v: &mut Verdict) {
    if table.if_not_exists && catalog.get(&table.name).is_some() {
        return;
    }
    v.lock(&table.name, Lock::AccessExclusive);
    v.created.insert(table.name.clone());
    let constraints = table.constraints.iter().chain(table.columns.iter().flat_map(|column| &column.constraints));
    for constraint in constraints {
        if let Rule::Foreign(reference) = &constraint.rule
            && reference.table != table.name
        {
            v.lock(&reference.table, Lock::ShareRowExclusive);
        }
    }
    for source in &table.like {
        v.lock(source, Lock::AccessShare);
        v.build(&table.name, catalog.indexes_of(source).count());
    }
    for parent in &table.inherits {
        v.lock(parent, Lock::ShareUpdateExclusive);
    }
    for read in table.select.iter().flatten().filter(|read| catalog.get(read).is_some()) {
        v.lock(read, Lock::AccessShare);
        v.scan(read);
    }
    if let Some((parent, _)) = &table.partition_of {
        v.lock(parent, Lock::AccessExclusive);
        if let Some(default) = catalog.get(parent).and_then(|parent| parent.default_partition.as_ref()) {
            v.lock(default, Lock::AccessExclusive);
            v.scan(default);
        }
        // The foreign keys of the parent are the partition's, too.
        for (_, to) in catalog.get(parent).iter().flat_map(|parent| parent.foreign_keys()) {
            v.lock(to, Lock::ShareRowExclusive);
        }
    }
}

fn drop(catalog: &Catalog, kind: Kind, name: &str, cascade: bool, session: &Session, v: &mut Verdict) {
    // Two tables may inherit from each other, in a file that no server takes.
    if !v.dropped.insert(name.to_owned()) {
        return;
    }
    v.lock(name, Lock::AccessExclusive);
    let views = catalog.views_of(name);
    if cascade {
        for view in views {
            v.dropped.insert(view.clone());
            v.lock(&view, Lock::AccessExclusive);
        }
    }
    let Some(relation) = catalog.get(name) else {
        if kind == Kind::Table {
            v.loses = Some(format!("the rows of {name} are gone"));
            v.breaks = Some(format!("code that still reads or writes {name} fails"));
        }
        return;
    };
    for (_, to) in relation.foreign_keys().filter(|(_, to)| *to != name) {
        v.lock(to, Lock::AccessExclusive);
    }
    for other in catalog.referencing(name) {
        v.lock(&other, Lock::AccessExclusive);
    }
    for parent in &relation.parents {
        v.lock(parent, Lock::AccessExclusive);
        let default = catalog.get(parent).and_then(|parent| parent.default_partition.as_ref());
        if let Some(default) = default.filter(|default| *default != name && session.version >= 12) {
            v.lock(default, Lock::AccessExclusive);
        }
    }
    for child in &relation.children {
        drop(catalog, kind, child, cascade, session, v);
    }
    if matches!(relation.kind, Kind::Table | Kind::Partitioned) && catalog.existed(name) {
        v.loses = Some(format!("the rows of {name} are gone"));
    }
    if catalog.existed(name) && relation.kind != Kind::Sequence {
        v.breaks = Some(format!("code that still reads or writes {name} fails"));
    }
}

fn create_index(catalog: &Catalog, index: &CreateIndex, session: &Session, v: &mut Verdict) {
    let exists = index.name.as_ref().is_some_and(|name| catalog.indexes.contains_key(name));
    if index.if_not_exists && exists {
        return;
    }
    let partitioned = catalog.is(&index.table, Kind::Partitioned);
    if index.concurrently {
        v.lock(&index.table, Lock::ShareUpdateExclusive);
        concurrent(true, "CREATE INDEX CONCURRENTLY", session, v);
        if partitioned {
            v.refused = Some(Refusal {
                code: "0A000",
                why: format!(
                    "{} is partitioned, and CREATE INDEX CONCURRENTLY works on its partitions alone",
                    index.table
                ),
                with_rows: false,
            });
        }
        return;
    }
    v.lock(&index.table, Lock::Share);
    if index.only {
        return;
    }
    if partitioned {
        for child in catalog.descendants(&index.table) {
            v.lock(&child, Lock::Share);
        }
    }
    let tables = if partitioned { catalog.leaves(&index.table) } else { vec![index.table.clone()] };
    for table in tables {
        v.build(&table, 1);
    }
}

fn dml(catalog: &Catalog, dml: &Dml, session: &Session, v: &mut Verdict) {
    let known = |name: &&String| catalog.get(name).is_some();
    for read in dml.reads.iter().filter(known) {
        v.lock(read, if dml.for_update { Lock::RowShare } else { Lock::AccessShare });
        v.scan(read);
    }
    if let Some(target) = &dml.target {
        v.lock(target, Lock::RowExclusive);
        match dml.verb {
            "insert" => {
                for (_, to) in catalog.get(target).iter().flat_map(|table| table.foreign_keys()) {
                    v.lock(to, Lock::RowShare);
                }
            }
            "merge" => v.scan(target),
            _ => {
                let by_index = dml.condition.as_ref().is_some_and(|columns| {
                    catalog
                        .indexes_of(target)
                        .any(|(_, index)| index.columns.first().is_some_and(|first| columns.contains(first)))
                });
                if !by_index {
                    v.scan(target);
                    v.backfill = Some(target.clone());
                }
                if dml.verb == "delete" && dml.condition.is_none() {
                    v.loses = Some(format!("every row of {target} is gone"));
                }
            }
        }
    }
    for (ty, value) in &session.added_values {
        if dml.texts.contains(value) && catalog.types.get(ty).is_some_and(|ty| matches!(ty, UserType::Enum(_))) {
            v.refuse(
                "55P04",
                format!("the value '{value}' of {ty} was added in this transaction, and cannot be used in it"),
            );
        }
    }
}
