//! What a statement says, as far as locks, work and the schema depend on it.

/// `public.` is left out; everything else as the server keeps it.
pub type Name = String;
/// An expression as words with one space between: it is compared, never evaluated.
pub type Expression = String;

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Type {
    /// PostgreSQL's own spelling for its aliases: `integer`, `character varying`.
    pub base: String,
    pub modifiers: Vec<i64>,
    pub array: bool,
    pub unsigned: bool,
    /// Values of MySQL's ENUM and SET.
    pub values: Vec<String>,
    pub charset: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Generated {
    Stored,
    Virtual,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Position {
    First,
    After(Name),
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Column {
    pub name: Name,
    pub ty: Type,
    pub not_null: bool,
    pub default: Option<Expression>,
    pub generated: Option<Generated>,
    pub identity: bool,
    pub auto_increment: bool,
    pub collation: Option<String>,
    pub comment: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    pub table: Name,
    pub columns: Vec<Name>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    Check(Expression),
    NotNull,
    Unique,
    Primary,
    Foreign(Reference),
    Exclude,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Constraint {
    pub name: Option<Name>,
    pub rule: Rule,
    pub columns: Vec<Name>,
    pub using_index: Option<Name>,
    pub valid: bool,
    pub enforced: bool,
    /// How it was written, without its name: what `--fix` writes again.
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewColumn {
    pub column: Column,
    pub constraints: Vec<Constraint>,
    pub position: Option<Position>,
    /// The type, its collation, and the default, as written.
    pub type_text: String,
    pub collate_text: String,
    pub default_text: String,
    /// `GENERATED … AS IDENTITY`, as written.
    pub identity_text: String,
    /// MySQL reads `REFERENCES` of a column and forgets it.
    pub ignored_reference: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexKind {
    Plain,
    Unique,
    Fulltext,
    Spatial,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    AddColumn {
        column: Box<NewColumn>,
        if_not_exists: bool,
    },
    DropColumn {
        name: Name,
        cascade: bool,
        if_exists: bool,
    },
    RenameColumn {
        from: Name,
        to: Name,
    },
    RenameTable {
        to: Name,
    },
    RenameConstraint {
        from: Name,
        to: Name,
    },
    SetSchema {
        schema: Name,
    },
    Type {
        column: Name,
        ty: Type,
        using: Option<Expression>,
        collation: Option<String>,
    },
    SetDefault {
        column: Name,
        default: Expression,
    },
    DropDefault {
        column: Name,
    },
    SetNotNull {
        column: Name,
    },
    DropNotNull {
        column: Name,
    },
    AddIdentity {
        column: Name,
    },
    DropIdentity {
        column: Name,
    },
    DropExpression {
        column: Name,
    },
    SetExpression {
        column: Name,
    },
    AddConstraint(Constraint),
    DropConstraint {
        name: Name,
        if_exists: bool,
    },
    Validate {
        name: Name,
    },
    AlterConstraint {
        name: Name,
    },
    Attach {
        partition: Name,
        default: bool,
        bounds: Expression,
    },
    Detach {
        partition: Name,
        concurrently: bool,
    },
    Inherit {
        parent: Name,
    },
    NoInherit {
        parent: Name,
    },
    SetLogged,
    SetTablespace {
        to: Name,
    },
    AccessMethod {
        to: Name,
    },
    /// Of these only the lock matters.
    Options(&'static str),
    Trigger,
    /// Needs the whole lock, works not.
    Metadata(&'static str),
    // MySQL and MariaDB.
    Modify {
        from: Name,
        column: Box<NewColumn>,
    },
    AddIndex {
        name: Option<Name>,
        kind: IndexKind,
        columns: Vec<Name>,
    },
    DropIndex {
        name: Name,
    },
    RenameIndex {
        from: Name,
        to: Name,
    },
    DropPrimary,
    DropForeign {
        name: Name,
    },
    DropCheck {
        name: Name,
    },
    Convert {
        charset: String,
    },
    Rebuild(&'static str),
    TableOption(&'static str),
    AutoIncrement,
    Partitions(&'static str),
    Algorithm(String),
    Lock(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Table,
    Partitioned,
    Foreign,
    View,
    Materialized,
    Sequence,
    Index,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CreateTable {
    pub name: Name,
    pub if_not_exists: bool,
    pub temporary: bool,
    pub columns: Vec<NewColumn>,
    pub constraints: Vec<Constraint>,
    pub indexes: Vec<(Option<Name>, Option<IndexKind>, Vec<Name>)>,
    pub like: Vec<Name>,
    pub inherits: Vec<Name>,
    pub partition_of: Option<(Name, bool)>,
    pub partitioned: bool,
    /// Columns of the partition key.
    pub partition_key: Vec<Name>,
    pub foreign: bool,
    /// `AS SELECT`, and the relations that are read.
    pub select: Option<Vec<Name>>,
    pub charset: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CreateIndex {
    pub name: Option<Name>,
    pub table: Name,
    pub unique: bool,
    pub kind: Option<&'static str>,
    pub concurrently: bool,
    pub if_not_exists: bool,
    pub only: bool,
    pub columns: Vec<Name>,
    pub partial: bool,
    /// What follows the table's name, as written.
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dml {
    pub verb: &'static str,
    pub target: Option<Name>,
    pub reads: Vec<Name>,
    /// Columns that are compared with `=` in the condition; none where there is no condition.
    pub condition: Option<Vec<Name>>,
    pub for_update: bool,
    pub texts: Vec<String>,
    pub calls: Vec<Name>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Domain {
    AddCheck { valid: bool },
    Validate,
    SetNotNull,
    Other,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Statement {
    Begin,
    Commit,
    Rollback,
    Set {
        name: String,
        value: String,
    },
    CreateTable(Box<CreateTable>),
    AlterTable {
        kind: Kind,
        name: Name,
        only: bool,
        if_exists: bool,
        actions: Vec<Action>,
    },
    RenameTables(Vec<(Name, Name)>),
    Drop {
        kind: Kind,
        names: Vec<Name>,
        cascade: bool,
        if_exists: bool,
    },
    CreateIndex(CreateIndex),
    DropIndex {
        names: Vec<Name>,
        concurrently: bool,
        if_exists: bool,
        table: Option<Name>,
    },
    AttachIndex {
        index: Name,
        partition: Name,
    },
    AlterIndex {
        name: Name,
        rename: Option<Name>,
    },
    Reindex {
        index: bool,
        name: Name,
        concurrently: bool,
    },
    CreateView {
        name: Name,
        replace: bool,
        materialized: bool,
        reads: Vec<Name>,
        words: Vec<Name>,
        no_data: bool,
    },
    Refresh {
        name: Name,
        concurrently: bool,
    },
    CreateSequence {
        name: Name,
    },
    AlterSequence {
        name: Name,
        owner: Option<Name>,
    },
    CreateEnum {
        name: Name,
        values: Vec<String>,
    },
    CreateType {
        name: Name,
    },
    AddValue {
        name: Name,
        value: String,
    },
    AlterType {
        name: Name,
        rename: Option<Name>,
    },
    CreateDomain {
        name: Name,
        base: Type,
        checked: bool,
    },
    AlterDomain {
        name: Name,
        what: Domain,
    },
    DropType {
        names: Vec<Name>,
        cascade: bool,
    },
    CreateFunction {
        name: Name,
        volatile: bool,
        body: String,
    },
    CreateSchema {
        name: Name,
    },
    DropSchema {
        names: Vec<Name>,
        cascade: bool,
    },
    CreateTrigger {
        table: Name,
    },
    DropTrigger {
        table: Name,
    },
    /// A policy, a rule.
    OnTable {
        table: Name,
        label: &'static str,
    },
    Truncate {
        tables: Vec<Name>,
        cascade: bool,
    },
    Cluster {
        table: Name,
    },
    Vacuum {
        table: Option<Name>,
        full: bool,
    },
    Analyze {
        table: Option<Name>,
    },
    Comment {
        table: Option<Name>,
        /// On one of its columns.
        column: bool,
    },
    Grant {
        tables: Vec<Name>,
        /// On single columns.
        columns: bool,
    },
    CreateStatistics {
        name: Name,
        table: Name,
    },
    DropStatistics {
        name: Name,
    },
    Publication {
        tables: Vec<Name>,
        all: bool,
    },
    LockTable {
        tables: Vec<Name>,
        mode: String,
    },
    Dml(Box<Dml>),
    Do {
        body: String,
    },
    /// Known, and it touches no table.
    Other(&'static str),
    Unknown(String),
}
