//! What a statement leaves in the catalogue.

use super::alter::place;
use super::catalog::{Catalog, Function, Index, Relation, UserType};
use super::statement::{
    Action, Constraint, CreateIndex, CreateTable, IndexKind, Kind, Name, NewColumn, Reference, Rule, Statement,
};

impl Catalog {
    pub fn apply(&mut self, statement: &Statement) {
        match statement {
            Statement::CreateTable(table) => self.create_table(table),
            Statement::AlterTable { kind, name, actions, only, if_exists } => {
                if *if_exists && self.get(name).is_none() {
                    return;
                }
                self.alter_table(*kind, name, *only, actions);
            }
            Statement::RenameTables(pairs) => {
                for (from, to) in pairs {
                    self.rename_relation(from, to);
                }
            }
            Statement::Drop { names, cascade, .. } => {
                for name in names {
                    self.drop_relation(name, *cascade);
                }
            }
            Statement::CreateIndex(index) => self.create_index(index),
            Statement::DropIndex { names, table, .. } => {
                for name in names {
                    match table {
                        Some(table) => self.indexes.remove(&mysql_index(table, name)),
                        None => self.indexes.remove(name),
                    };
                }
            }
            Statement::AlterIndex { name, rename: Some(to) } => {
                if let Some(index) = self.indexes.remove(name) {
                    self.indexes.insert(to.clone(), index);
                } else {
                    // ALTER INDEX takes a constraint's index by the constraint's name.
                    self.rename_constraint_anywhere(name, to);
                }
            }
            Statement::Comment { table: Some(table), column: true } => self.tune(table),
            Statement::Grant { tables, columns: true } => tables.iter().for_each(|table| self.tune(table)),
            Statement::CreateView { name, materialized, reads, words, .. } => {
                let mut view =
                    Relation::new(if *materialized { Kind::Materialized } else { Kind::View }, self.migration);
                view.reads = reads.iter().filter(|read| self.get(read).is_some()).cloned().collect();
                view.words.clone_from(words);
                self.relations.insert(name.clone(), view);
            }
            Statement::CreateSequence { name } => {
                self.relations.insert(name.clone(), Relation::new(Kind::Sequence, self.migration));
            }
            Statement::CreateEnum { name, values } => {
                self.types.insert(name.clone(), UserType::Enum(values.clone()));
            }
            Statement::CreateType { name } => {
                self.types.insert(name.clone(), UserType::Other);
            }
            Statement::AddValue { name, value } => {
                if let Some(UserType::Enum(values)) = self.types.get_mut(name) {
                    values.push(value.clone());
                }
            }
            Statement::AlterType { name, rename: Some(to) } => {
                if let Some(ty) = self.types.remove(name) {
                    self.types.insert(to.clone(), ty);
                }
                for column in self.relations.values_mut().flat_map(|relation| &mut relation.columns) {
                    if column.ty.base == *name {
                        column.ty.base.clone_from(to);
                    }
                }
            }
            Statement::CreateDomain { name, base, checked } => {
                self.types.insert(name.clone(), UserType::Domain { base: base.clone(), checked: *checked });
            }
            Statement::AlterDomain { name, what } => {
                use super::statement::Domain;
                if let Some(UserType::Domain { checked, .. }) = self.types.get_mut(name)
                    && !matches!(what, Domain::Other)
                {
                    *checked = true;
                }
            }
            Statement::DropType { names, .. } => {
                for name in names {
                    self.types.remove(name);
                }
            }
            Statement::CreateFunction { name, volatile, body } => {
                self.functions.insert(name.clone(), Function { volatile: *volatile, body: body.clone() });
            }
            Statement::CreateSchema { name } => {
                self.schemas.insert(name.clone());
            }
            Statement::DropSchema { names, .. } => {
                for schema in names {
                    let prefix = format!("{schema}.");
                    let inside = |name: &Name| name.starts_with(&prefix) || (schema == "public" && !name.contains('.'));
                    let gone: Vec<Name> = self.relations.keys().filter(|name| inside(name)).cloned().collect();
                    for name in gone {
                        self.drop_relation(&name, true);
                    }
                    self.types.retain(|name, _| !inside(name));
                    self.schemas.remove(schema);
                }
            }
            Statement::CreateStatistics { name, table } => {
                self.statistics.insert(name.clone(), table.clone());
            }
            Statement::DropStatistics { name } => {
                self.statistics.remove(name);
            }
            _ => {}
        }
    }

    fn create_table(&mut self, table: &CreateTable) {
        if table.if_not_exists && self.get(&table.name).is_some() {
            return;
        }
        let kind = match (table.partitioned, table.foreign) {
            (_, true) => Kind::Foreign,
            (true, _) => Kind::Partitioned,
            _ => Kind::Table,
        };
        let mut relation = Relation::new(kind, self.migration);
        relation.complete = table.select.is_none();
        relation.charset.clone_from(&table.charset);
        relation.partition_key.clone_from(&table.partition_key);
        let sources =
            table.like.iter().chain(&table.inherits).chain(table.partition_of.as_ref().map(|(parent, _)| parent));
        for source in sources {
            if let Some(source) = self.get(source) {
                relation.columns.extend(source.columns.iter().cloned());
                relation.constraints.extend(source.constraints.iter().cloned());
            } else {
                relation.complete = false;
            }
        }
        relation.parents =
            table.inherits.iter().chain(table.partition_of.as_ref().map(|(parent, _)| parent)).cloned().collect();
        for parent in &relation.parents {
            if let Some(parent) = self.relations.get_mut(parent) {
                parent.children.push(table.name.clone());
            }
        }
        if let Some((parent, true)) = &table.partition_of
            && let Some(parent) = self.relations.get_mut(parent)
        {
            parent.default_partition = Some(table.name.clone());
        }
        self.relations.insert(table.name.clone(), relation);
        for new in &table.columns {
            self.add_column(&table.name, new);
        }
        for constraint in &table.constraints {
            self.add_constraint(&table.name, constraint);
        }
        for (name, kind, columns) in &table.indexes {
            self.add_mysql_index(&table.name, name.as_ref(), kind.unwrap_or(IndexKind::Plain), columns);
        }
        if let Some((parent, _)) = &table.partition_of {
            let inherited: Vec<Index> = self.indexes_of(parent).map(|(_, index)| index.clone()).collect();
            for (n, index) in inherited.into_iter().enumerate() {
                let name = format!("{}_{}_idx{n}", table.name, index.columns.join("_"));
                self.indexes.insert(name, Index { table: table.name.clone(), ..index });
            }
        }
    }

    fn add_column(&mut self, table: &str, new: &NewColumn) {
        let mut column = new.column.clone();
        let serial = match column.ty.base.as_str() {
            "serial" => Some("integer"),
            "bigserial" => Some("bigint"),
            "smallserial" | "serial2" => Some("smallint"),
            _ => None,
        };
        if let Some(base) = serial {
            column.ty.base = base.to_owned();
            column.not_null = true;
            column.default = Some("nextval".to_owned());
            let name = format!("{table}_{}_seq", column.name);
            self.relations.insert(name, Relation::new(Kind::Sequence, self.migration));
        }
        if let Some(relation) = self.relations.get_mut(table) {
            if relation.column(&column.name).is_some() {
                return;
            }
            place(&mut relation.columns, column, new.position.as_ref());
        }
        for constraint in &new.constraints {
            if constraint.rule != Rule::NotNull {
                self.add_constraint(table, constraint);
            }
        }
    }

    fn add_constraint(&mut self, table: &str, constraint: &Constraint) {
        let mut constraint = constraint.clone();
        let name = self.constraint_name(table, &constraint);
        if let Some(index) = constraint.using_index.take()
            && let Some(mut index) = self.indexes.remove(&index)
        {
            index.unique = true;
            constraint.columns.clone_from(&index.columns);
            self.indexes.insert(name.clone(), index);
        } else if matches!(constraint.rule, Rule::Unique | Rule::Primary | Rule::Exclude) {
            let unique = constraint.rule != Rule::Exclude;
            let index = Index {
                table: table.to_owned(),
                columns: constraint.columns.clone(),
                unique,
                fulltext: false,
                partial: false,
                text: String::new(),
            };
            self.indexes.insert(name.clone(), index);
        }
        // A reference without columns points to the primary key.
        if let Rule::Foreign(reference) = &mut constraint.rule
            && reference.columns.is_empty()
            && let Some(target) = self.get(&reference.table)
        {
            let primary = target.constraints.iter().find(|c| c.rule == Rule::Primary);
            reference.columns = primary.map(|c| c.columns.clone()).unwrap_or_default();
        }
        constraint.name = Some(name);
        if let Some(relation) = self.relations.get_mut(table) {
            for column in &constraint.columns {
                if (constraint.rule == Rule::Primary || (constraint.rule == Rule::NotNull && constraint.valid))
                    && let Some(column) = relation.column_mut(column)
                {
                    column.not_null = true;
                }
            }
            relation.constraints.push(constraint);
        }
    }

    fn tune(&mut self, table: &str) {
        if let Some(relation) = self.relations.get_mut(table) {
            relation.tuned = true;
        }
    }

    fn create_index(&mut self, new: &CreateIndex) {
        let short = new.table.rsplit('.').next().unwrap_or(&new.table);
        let mut name = new.name.clone().unwrap_or_else(|| format!("{short}_{}_idx", new.columns.join("_")));
        if let Some((schema, _)) = new.table.split_once('.')
            && !name.contains('.')
        {
            name = format!("{schema}.{name}");
        }
        if new.if_not_exists && self.indexes.contains_key(&name) {
            return;
        }
        let (columns, unique) = (new.columns.clone(), new.unique);
        self.indexes.insert(
            name,
            Index {
                table: new.table.clone(),
                columns,
                unique,
                fulltext: new.kind == Some("fulltext"),
                partial: new.partial,
                text: new.text.clone(),
            },
        );
    }

    fn add_mysql_index(&mut self, table: &str, name: Option<&Name>, kind: IndexKind, columns: &[Name]) {
        let name = name.cloned().or_else(|| columns.first().cloned()).unwrap_or_default();
        let index = Index {
            table: table.to_owned(),
            columns: columns.to_vec(),
            unique: kind == IndexKind::Unique,
            fulltext: matches!(kind, IndexKind::Fulltext | IndexKind::Spatial),
            partial: false,
            text: String::new(),
        };
        self.indexes.insert(mysql_index(table, &name), index);
    }

    fn drop_relation(&mut self, name: &str, cascade: bool) {
        if cascade {
            for view in self.views_of(name) {
                self.relations.remove(&view);
            }
        }
        let Some(gone) = self.relations.remove(name) else { return };
        for parent in &gone.parents {
            if let Some(parent) = self.relations.get_mut(parent) {
                parent.children.retain(|child| child != name);
                if parent.default_partition.as_deref() == Some(name) {
                    parent.default_partition = None;
                }
            }
        }
        for relation in self.relations.values_mut() {
            relation.constraints.retain(|c| !matches!(&c.rule, Rule::Foreign(reference) if reference.table == name));
        }
        self.indexes.retain(|_, index| index.table != name);
        for child in gone.children {
            self.drop_relation(&child, cascade);
        }
    }

    fn rename_relation(&mut self, from: &str, to: &str) {
        let to = match from.split_once('.') {
            Some((schema, _)) if !to.contains('.') => format!("{schema}.{to}"),
            _ => to.to_owned(),
        };
        let Some(relation) = self.relations.remove(from) else { return };
        self.relations.insert(to.clone(), relation);
        let renamed = |name: &mut Name| {
            if name == from {
                name.clone_from(&to);
            }
        };
        for relation in self.relations.values_mut() {
            relation.children.iter_mut().for_each(renamed);
            relation.parents.iter_mut().for_each(renamed);
            relation.reads.iter_mut().for_each(renamed);
            relation.default_partition.iter_mut().for_each(renamed);
            for constraint in &mut relation.constraints {
                if let Rule::Foreign(Reference { table, .. }) = &mut constraint.rule {
                    renamed(table);
                }
            }
        }
        for index in self.indexes.values_mut() {
            renamed(&mut index.table);
        }
    }

    fn rename_constraint_anywhere(&mut self, from: &str, to: &str) {
        for constraint in self.relations.values_mut().flat_map(|relation| &mut relation.constraints) {
            if constraint.name.as_deref() == Some(from) {
                constraint.name = Some(to.to_owned());
            }
        }
    }

    fn alter_table(&mut self, kind: Kind, name: &str, only: bool, actions: &[Action]) {
        // Of a table that no migration has created, what is learnt from here on is kept.
        if self.get(name).is_none() && kind == Kind::Table {
            let mut base = Relation::new(kind, usize::MAX);
            base.complete = false;
            self.relations.insert(name.to_owned(), base);
        }
        let mut tables = if only { vec![] } else { self.descendants(name) };
        tables.push(name.to_owned());
        for action in actions {
            match action {
                Action::RenameTable { to } => return self.rename_relation(name, to),
                Action::SetSchema { schema } => {
                    let short = name.rsplit('.').next().unwrap_or(name);
                    let to = if schema == "public" { short.to_owned() } else { format!("{schema}.{short}") };
                    if let Some(relation) = self.relations.remove(name) {
                        self.relations.insert(to.clone(), relation);
                    }
                    for index in self.indexes.values_mut().filter(|index| index.table == name) {
                        index.table.clone_from(&to);
                    }
                    return;
                }
                _ => {
                    for table in &tables {
                        self.alter(table, action);
                    }
                }
            }
        }
    }

    fn alter(&mut self, table: &str, action: &Action) {
        match action {
            Action::AddColumn { column, .. } => return self.add_column(table, column),
            Action::AddConstraint(constraint) => return self.add_constraint(table, constraint),
            Action::AddIndex { name, kind, columns } => {
                return self.add_mysql_index(table, name.as_ref(), *kind, columns);
            }
            Action::DropIndex { name } => {
                self.indexes.remove(&mysql_index(table, name));
            }
            Action::RenameIndex { from, to } => {
                if let Some(index) = self.indexes.remove(&mysql_index(table, from)) {
                    self.indexes.insert(mysql_index(table, to), index);
                }
            }
            Action::DropColumn { name, .. } => {
                self.indexes.retain(|_, index| index.table != table || !index.columns.contains(name));
            }
            Action::DropConstraint { name, .. } if self.indexes.get(name).is_some_and(|index| index.table == table) => {
                self.indexes.remove(name);
            }
            Action::RenameConstraint { from, to } => {
                if let Some(index) = self.indexes.remove(from) {
                    self.indexes.insert(to.clone(), index);
                }
            }
            Action::RenameColumn { from, to } => self.rename_column(table, from, to),
            Action::Modify { from, column } if *from != column.column.name => {
                self.rename_column(table, from, &column.column.name);
            }
            Action::Attach { partition, default, .. } => {
                if let Some(child) = self.relations.get_mut(partition) {
                    child.parents.push(table.to_owned());
                }
                if *default && let Some(parent) = self.relations.get_mut(table) {
                    parent.default_partition = Some(partition.clone());
                }
            }
            Action::Detach { partition, .. } => {
                if let Some(child) = self.relations.get_mut(partition) {
                    child.parents.retain(|parent| parent != table);
                }
            }
            Action::Inherit { parent } => {
                if let Some(parent) = self.relations.get_mut(parent) {
                    parent.children.push(table.to_owned());
                }
            }
            Action::NoInherit { parent } => {
                if let Some(parent) = self.relations.get_mut(parent) {
                    parent.children.retain(|child| child != table);
                }
            }
            _ => {}
        }
        if let Some(relation) = self.relations.get_mut(table) {
            relation.alter(action);
        }
    }

    fn rename_column(&mut self, table: &str, from: &str, to: &str) {
        let renamed = |name: &mut Name| {
            if name == from {
                to.clone_into(name);
            }
        };
        for index in self.indexes.values_mut().filter(|index| index.table == table) {
            index.columns.iter_mut().for_each(renamed);
            index.text.clear();
        }
        for (name, relation) in &mut self.relations {
            for constraint in &mut relation.constraints {
                if name == table {
                    constraint.columns.iter_mut().for_each(renamed);
                    constraint.text.clear();
                    if let Rule::Check(text) = &mut constraint.rule {
                        let words: Vec<&str> =
                            text.split(' ').map(|word| if word == from { to } else { word }).collect();
                        *text = words.join(" ");
                    }
                }
                if let Rule::Foreign(reference) = &mut constraint.rule
                    && reference.table == table
                {
                    reference.columns.iter_mut().for_each(renamed);
                    constraint.text.clear();
                }
            }
            if relation.reads.iter().any(|read| read == table) && relation.words.iter().any(|word| word == from) {
                relation.words.push(to.to_owned());
            }
            if name == table {
                relation
                    .columns
                    .iter_mut()
                    .filter(|column| column.name == from)
                    .for_each(|column| to.clone_into(&mut column.name));
            }
        }
    }
}

/// An index of MySQL has its name from its table.
pub fn mysql_index(table: &str, index: &str) -> Name {
    format!("{table}/{index}")
}
