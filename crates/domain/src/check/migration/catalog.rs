//! The schema at one point of a history: what each statement is judged against.

use std::collections::{BTreeMap, BTreeSet};

use super::statement::{Column, Constraint, Kind, Name, Rule};

#[derive(Debug, Clone, PartialEq)]
pub struct Relation {
    pub kind: Kind,
    pub columns: Vec<Column>,
    pub constraints: Vec<Constraint>,
    /// Partitions, and tables that inherit.
    pub children: Vec<Name>,
    pub parents: Vec<Name>,
    pub default_partition: Option<Name>,
    pub partition_key: Vec<Name>,
    /// What a view reads, and every name in its query.
    pub reads: Vec<Name>,
    pub words: Vec<Name>,
    /// The migration that created it: nobody else uses it yet.
    pub created_in: usize,
    /// Are all its columns known?
    pub complete: bool,
    /// MySQL: columns that were added or dropped INSTANT.
    pub row_versions: u32,
    pub charset: Option<String>,
    /// A column has a comment, options or privileges of its own.
    pub tuned: bool,
}

impl Relation {
    pub fn new(kind: Kind, created_in: usize) -> Self {
        Self {
            kind,
            columns: vec![],
            constraints: vec![],
            children: vec![],
            parents: vec![],
            default_partition: None,
            partition_key: vec![],
            reads: vec![],
            words: vec![],
            created_in,
            complete: true,
            row_versions: 0,
            charset: None,
            tuned: false,
        }
    }

    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    pub fn column_mut(&mut self, name: &str) -> Option<&mut Column> {
        self.columns.iter_mut().find(|column| column.name == name)
    }

    pub fn constraint(&self, name: &str) -> Option<&Constraint> {
        self.constraints.iter().find(|constraint| constraint.name.as_deref() == Some(name))
    }

    pub fn foreign_keys(&self) -> impl Iterator<Item = (&Constraint, &Name)> {
        self.constraints.iter().filter_map(|constraint| match &constraint.rule {
            Rule::Foreign(reference) => Some((constraint, &reference.table)),
            _ => None,
        })
    }

    /// Does a validated CHECK say that this column is never NULL?
    pub fn checked_not_null(&self, column: &str) -> bool {
        let says = format!("{column} is not null");
        self.constraints.iter().any(|constraint| {
            constraint.valid
                && matches!(&constraint.rule, Rule::Check(text) if conjuncts(text).any(|part| part == says))
        })
    }
}

/// `a and ( b ) and c`, where no OR stands beside.
pub fn conjuncts(text: &str) -> impl Iterator<Item = &str> {
    let split = if text.contains(" or ") { vec![text] } else { text.split(" and ").collect() };
    split.into_iter().map(|part| part.trim_start_matches(['(', ' ']).trim_end_matches([')', ' ']))
}

#[derive(Debug, Clone, PartialEq)]
pub struct Index {
    pub table: Name,
    pub columns: Vec<Name>,
    pub unique: bool,
    pub fulltext: bool,
    pub partial: bool,
    /// What follows the table's name, as it was written; empty where it was not, or names a column by an old name.
    pub text: String,
}

#[derive(Debug, Clone, PartialEq)]
pub enum UserType {
    Enum(Vec<String>),
    Domain { base: super::statement::Type, checked: bool },
    Other,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Function {
    pub volatile: bool,
    pub body: String,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Catalog {
    pub relations: BTreeMap<Name, Relation>,
    pub indexes: BTreeMap<Name, Index>,
    pub types: BTreeMap<Name, UserType>,
    pub functions: BTreeMap<Name, Function>,
    /// Extended statistics, by name, and their table.
    pub statistics: BTreeMap<Name, Name>,
    pub schemas: BTreeSet<Name>,
    /// The migration that is read now; 0 is the base.
    pub migration: usize,
}

impl Catalog {
    pub fn get(&self, name: &str) -> Option<&Relation> {
        self.relations.get(name)
    }

    /// Was it there before the migration that is read now? What is not known was.
    pub fn existed(&self, name: &str) -> bool {
        self.get(name).is_none_or(|relation| relation.created_in != self.migration)
    }

    pub fn is(&self, name: &str, kind: Kind) -> bool {
        self.get(name).is_some_and(|relation| relation.kind == kind)
    }

    /// Partitions and inheriting tables, all the way down.
    pub fn descendants(&self, name: &str) -> Vec<Name> {
        let mut found: Vec<Name> = vec![];
        let mut open = vec![name.to_owned()];
        while let Some(next) = open.pop() {
            for child in self.get(&next).map(|relation| relation.children.as_slice()).unwrap_or_default() {
                if !found.contains(child) {
                    found.push(child.clone());
                    open.push(child.clone());
                }
            }
        }
        found
    }

    /// The tables that hold rows: the table itself, or the leaves of a partitioned one.
    pub fn leaves(&self, name: &str) -> Vec<Name> {
        let mut all = self.descendants(name);
        all.push(name.to_owned());
        all.retain(|one| !self.is(one, Kind::Partitioned));
        // Partitions that no migration creates are made by a job, or by hand.
        if all.is_empty() {
            all.push(name.to_owned());
        }
        all
    }

    pub fn indexes_of<'a>(&'a self, table: &'a str) -> impl Iterator<Item = (&'a Name, &'a Index)> {
        self.indexes.iter().filter(move |(_, index)| index.table == table)
    }

    /// Tables whose foreign keys point to this one.
    pub fn referencing(&self, table: &str) -> Vec<Name> {
        let points = |relation: &Relation| relation.foreign_keys().any(|(_, to)| to == table);
        self.relations
            .iter()
            .filter(|(name, relation)| *name != table && points(relation))
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// Has each partition proven the same key?
    pub fn is_proven(&self, table: &str, key: &Constraint) -> bool {
        let words = |text: &str| {
            let text = text.to_lowercase();
            text.trim_end().trim_end_matches("not valid").split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        };
        let same = |one: &Constraint| one.valid && one.columns == key.columns && words(&one.text) == words(&key.text);
        let leaves = self.leaves(table);
        leaves.iter().all(|leaf| leaf != table && self.get(leaf).is_some_and(|leaf| leaf.constraints.iter().any(same)))
    }

    /// Views, directly and over other views, that read this column of this table.
    pub fn views_over(&self, table: &str, column: &str) -> Vec<Name> {
        let uses = |relation: &Relation| {
            // `*` by itself is of this table where there is no other.
            let all =
                |word: &String| word.strip_suffix(".*") == Some(table) || (word == "*" && relation.reads.len() == 1);
            relation.reads.iter().any(|read| read == table)
                && relation.words.iter().any(|word| word == column || all(word))
        };
        self.relations.iter().filter(|(_, relation)| uses(relation)).map(|(name, _)| name.clone()).collect()
    }

    pub fn views_of(&self, table: &str) -> Vec<Name> {
        let mut found: Vec<Name> = vec![];
        let mut open = vec![table.to_owned()];
        while let Some(next) = open.pop() {
            for (name, relation) in &self.relations {
                if relation.reads.contains(&next) && !found.contains(name) {
                    found.push(name.clone());
                    open.push(name.clone());
                }
            }
        }
        found
    }

    /// The name that a constraint has, or that the server gives it.
    pub fn constraint_name(&self, table: &str, constraint: &Constraint) -> Name {
        let short = table.rsplit('.').next().unwrap_or(table);
        let columns = constraint.columns.join("_");
        let wanted = match (&constraint.name, &constraint.rule) {
            (Some(name), _) => return name.clone(),
            (None, Rule::Primary) => format!("{short}_pkey"),
            (None, Rule::Unique) => format!("{short}_{columns}_key"),
            (None, Rule::Foreign(_)) => format!("{short}_{columns}_fkey"),
            (None, Rule::NotNull) => format!("{short}_{columns}_not_null"),
            (None, Rule::Exclude) => format!("{short}_{columns}_excl"),
            (None, Rule::Check(text)) => {
                // A check of one column is called after it.
                let relation = self.get(table);
                let mut words: Vec<&str> = text.split(' ').collect();
                words.extend(constraint.columns.iter().map(String::as_str));
                words.retain(|word| {
                    constraint.columns.iter().any(|c| c == word) || relation.is_some_and(|r| r.column(word).is_some())
                });
                words.sort_unstable();
                words.dedup();
                match words.as_slice() {
                    [one] => format!("{short}_{one}_check"),
                    _ => format!("{short}_check"),
                }
            }
        };
        let taken = |name: &str| {
            self.get(table).is_some_and(|relation| relation.constraint(name).is_some())
                || self.indexes.contains_key(name)
        };
        (0..)
            .map(|n| if n == 0 { wanted.clone() } else { format!("{wanted}{n}") })
            .find(|name| !taken(name))
            .unwrap_or(wanted)
    }

    pub fn using_type(&self, name: &str) -> Vec<Name> {
        let uses = |relation: &Relation| relation.columns.iter().any(|column| column.ty.base == name);
        self.relations.iter().filter(|(_, relation)| uses(relation)).map(|(name, _)| name.clone()).collect()
    }
}
