//! CREATE TABLE and ALTER TABLE of all three dialects.

use super::super::cursor::{Cursor, words};
use super::super::statement::{Action, CreateTable, IndexKind, Kind, Name, NewColumn, Rule, Statement};
use super::query;

pub(super) fn create(c: &mut Cursor<'_, '_>, temporary: bool, foreign: bool) -> Option<Statement> {
    let mut table =
        CreateTable { temporary, foreign, if_not_exists: c.if_not_exists(), name: c.name()?, ..CreateTable::default() };
    if c.dialect.is_mysql() && c.take("like") {
        table.like.push(c.name()?);
        return Some(Statement::CreateTable(Box::new(table)));
    }
    if c.take("partition of") {
        let parent = c.name()?;
        let _ = c.group();
        table.partition_of = Some((parent, c.take("default")));
    } else if c.take("of") {
        c.name()?;
    }
    if !c.sees("as")
        && let Some(mut group) = c.group()
    {
        for mut item in group.list() {
            if item.done() {
                continue;
            }
            element(&mut item, &mut table)?;
        }
    }
    while !c.done() {
        if c.take("inherits") {
            table.inherits = c.group()?.names().unwrap_or_default();
        } else if c.take("partition by") {
            table.partitioned = true;
            if c.dialect.is_mysql() {
                c.skip_all();
            } else {
                c.next();
                table.partition_key = c.columns()?;
            }
        } else if c.take("default character set")
            || c.take("character set")
            || c.take("default charset")
            || c.take("charset")
        {
            c.take("=");
            table.charset = c.word();
        } else if c.take("as") || c.sees("select") || c.sees("with recursive") {
            table.select = Some(query::reads(c.rest()));
            c.skip_all();
        } else {
            c.skip_item();
        }
    }
    Some(Statement::CreateTable(Box::new(table)))
}

fn element(item: &mut Cursor<'_, '_>, table: &mut CreateTable) -> Option<()> {
    if item.take("like") {
        table.like.push(item.name()?);
        return Some(());
    }
    if let Some((name, kind, columns)) = mysql_index(item) {
        table.indexes.push((name, Some(kind), columns));
        return Some(());
    }
    if item.sees_constraint() {
        table.constraints.push(item.constraint()?);
    } else if table.select.is_none() && item.ahead(1).is_none() {
        // Names alone: `CREATE TABLE a (x) AS SELECT …`
        item.word()?;
    } else if table.partition_of.is_some() {
        // `column WITH OPTIONS …`
    } else {
        table.columns.push(item.column()?);
    }
    Some(())
}

/// `KEY`, `INDEX`, `UNIQUE KEY`, `FULLTEXT` … of MySQL, with columns.
fn mysql_index(c: &mut Cursor<'_, '_>) -> Option<(Option<Name>, IndexKind, Vec<Name>)> {
    if !c.dialect.is_mysql() {
        return None;
    }
    let mut at = c.clone();
    if at.take("constraint") && !at.sees("unique") {
        at.word()?;
    }
    let kind = match at.take_any(&["unique", "fulltext", "spatial", "key", "index"])? {
        "unique" => IndexKind::Unique,
        "fulltext" => IndexKind::Fulltext,
        "spatial" => IndexKind::Spatial,
        // A column may be called `key` or `index` only in quotes.
        _ => IndexKind::Plain,
    };
    let _ = at.take("key") || at.take("index");
    at.if_not_exists();
    let name = if at.sees("(") || at.sees("using") { None } else { Some(at.word()?) };
    if at.take("using") {
        at.next();
    }
    let columns = at.columns()?;
    *c = at;
    c.skip_all();
    Some((name, kind, columns))
}

pub(super) fn alter(c: &mut Cursor<'_, '_>, kind: Kind) -> Option<Statement> {
    let if_exists = c.if_exists();
    let only = c.take("only");
    let name = c.name()?;
    c.take("*");
    let _ = c.take("wait") && c.next().is_some() || c.take("nowait");
    if c.done() {
        return None;
    }
    let mut actions = vec![];
    let whole = [
        "partition by",
        "reorganize partition",
        "drop partition",
        "truncate partition",
        "coalesce partition",
        "add partition",
        "exchange partition",
        "remove partitioning",
    ];
    for mut item in c.list() {
        if item.done() {
            return None;
        }
        if c.dialect.is_mysql()
            && let Some(what) = whole.iter().find(|what| item.sees(what))
        {
            actions.push(Action::Partitions(what));
            break;
        }
        action(&mut item, &mut actions)?;
        // `… ADD x int PARTITION BY HASH (x)`
        if !item.done() {
            let partitions = c.dialect.is_mysql() && item.take("partition by");
            actions.push(partitions.then_some(Action::Partitions("partition by"))?);
        }
    }
    c.skip_all();
    Some(Statement::AlterTable { kind, name, only, if_exists, actions })
}

fn action(c: &mut Cursor<'_, '_>, out: &mut Vec<Action>) -> Option<()> {
    if c.dialect.is_mysql() && super::mysql::action(c, out)? {
        return Some(());
    }
    let action = if c.take("add") {
        add(c, out)?
    } else if c.take("drop") {
        if c.take("constraint") {
            let if_exists = c.if_exists();
            let name = c.word()?;
            cascade(c);
            Action::DropConstraint { name, if_exists }
        } else {
            c.take("column");
            let if_exists = c.if_exists();
            Action::DropColumn { name: c.word()?, cascade: cascade(c), if_exists }
        }
    } else if c.take("alter constraint") {
        let name = c.word()?;
        c.skip_all();
        Action::AlterConstraint { name }
    } else if c.take("alter") {
        c.take("column");
        c.if_exists();
        column(c)?
    } else if c.take("rename constraint") {
        let from = c.word()?;
        c.expect("to")?;
        Action::RenameConstraint { from, to: c.word()? }
    } else if c.take("rename to")
        || (c.dialect.is_mysql()
            && (c.take("rename as") || (c.sees("rename") && c.ahead(2).is_none() && c.take("rename"))))
    {
        Action::RenameTable { to: c.name()? }
    } else if c.take("rename") {
        c.take("column");
        c.if_exists();
        let from = c.word()?;
        c.expect("to")?;
        Action::RenameColumn { from, to: c.word()? }
    } else if c.take("set schema") {
        Action::SetSchema { schema: c.word()? }
    } else if c.take("validate constraint") {
        Action::Validate { name: c.word()? }
    } else if c.take("attach partition") {
        let partition = c.name()?;
        let bounds = words(c.rest());
        c.skip_all();
        Action::Attach { partition, default: bounds == "default", bounds }
    } else if c.take("detach partition") {
        let partition = c.name()?;
        let concurrently = c.take("concurrently");
        c.take("finalize");
        Action::Detach { partition, concurrently }
    } else if c.take("inherit") {
        Action::Inherit { parent: c.name()? }
    } else if c.take("no inherit") {
        Action::NoInherit { parent: c.name()? }
    } else if c.take("set logged") || c.take("set unlogged") {
        Action::SetLogged
    } else if c.take("set tablespace") {
        let to = c.word()?;
        c.take("nowait");
        Action::SetTablespace { to }
    } else if c.take("set access method") {
        Action::AccessMethod { to: c.word()? }
    } else if c.take("cluster on") {
        c.word()?;
        Action::Options("cluster on")
    } else if c.take("set without cluster") {
        Action::Options("set without cluster")
    } else if c.sees("set (") || c.sees("reset (") {
        c.skip_all();
        Action::Options("options")
    } else if c.take_any(&["enable", "disable"]).is_some() {
        let _ = c.take("always") || c.take("replica");
        if c.take("trigger") {
            c.word()?;
            Action::Trigger
        } else if c.take("rule") {
            c.word()?;
            Action::Metadata("rule")
        } else {
            c.expect("row level security")?;
            Action::Metadata("row level security")
        }
    } else if c.take("force row level security") || c.take("no force row level security") {
        Action::Metadata("row level security")
    } else if c.take("owner to") {
        c.next();
        Action::Metadata("owner")
    } else if c.take("replica identity") {
        c.skip_all();
        Action::Metadata("replica identity")
    } else if c.take("of") || c.take("not of") {
        c.skip_all();
        Action::Metadata("of type")
    } else {
        return None;
    };
    out.push(action);
    Some(())
}

fn cascade(c: &mut Cursor<'_, '_>) -> bool {
    let cascade = c.take("cascade");
    c.take("restrict");
    cascade
}

fn add(c: &mut Cursor<'_, '_>, out: &mut Vec<Action>) -> Option<Action> {
    if c.sees_constraint() {
        return Some(Action::AddConstraint(c.constraint()?));
    }
    c.take("column");
    let if_not_exists = c.if_not_exists();
    // MySQL takes several at once: `ADD (a int, b int)`.
    if let Some(mut group) = c.group() {
        let mut columns = group.list();
        let mut last = columns.pop()?;
        for mut item in columns {
            out.push(Action::AddColumn { column: Box::new(item.column()?), if_not_exists });
        }
        return Some(Action::AddColumn { column: Box::new(last.column()?), if_not_exists });
    }
    Some(Action::AddColumn { column: Box::new(c.column()?), if_not_exists })
}

fn column(c: &mut Cursor<'_, '_>) -> Option<Action> {
    let column = c.word()?;
    Some(if c.take("set data type") || c.take("type") {
        let ty = c.ty()?;
        let collation = if c.take("collate") { Some(c.name()?) } else { None };
        let using = c.take("using").then(|| c.expression(&[]));
        Action::Type { column, ty, using, collation }
    } else if c.take("set default") {
        Action::SetDefault { column, default: c.expression(&[]) }
    } else if c.take("drop default") {
        Action::DropDefault { column }
    } else if c.take("set not null") {
        Action::SetNotNull { column }
    } else if c.take("drop not null") {
        Action::DropNotNull { column }
    } else if c.sees("add generated") {
        c.skip_all();
        Action::AddIdentity { column }
    } else if c.take("drop identity") {
        c.if_exists();
        Action::DropIdentity { column }
    } else if c.take("drop expression") {
        c.if_exists();
        Action::DropExpression { column }
    } else if c.take("set expression as") {
        let _ = c.group()?;
        Action::SetExpression { column }
    } else if c.take("set statistics") || c.sees("set (") || c.sees("reset (") {
        c.skip_all();
        Action::Options("statistics")
    } else if c.take("set storage") || c.take("set compression") {
        c.next();
        Action::Metadata("storage")
    } else if c.sees("set generated")
        || c.take("restart")
        || c.sees("set increment")
        || c.sees("set start")
        || c.sees("set cache")
    {
        c.skip_all();
        Action::Metadata("identity")
    } else {
        return None;
    })
}

/// A new definition of a column, whose old name is given.
pub(super) fn modify(c: &mut Cursor<'_, '_>, from: Option<Name>) -> Option<Action> {
    let column = c.column()?;
    let from = from.unwrap_or_else(|| column.column.name.clone());
    Some(Action::Modify { from, column: Box::new(column) })
}

pub(super) fn mysql_key(c: &mut Cursor<'_, '_>) -> Option<Action> {
    let (name, kind, columns) = mysql_index(c)?;
    Some(Action::AddIndex { name, kind, columns })
}

/// In MySQL a unique constraint is an index, and nothing else.
pub(super) fn unique_keys(column: &mut NewColumn) -> Vec<Action> {
    let mut keys = vec![];
    column.constraints.retain(|constraint| {
        let unique = constraint.rule == Rule::Unique;
        if unique {
            keys.push(Action::AddIndex { name: None, kind: IndexKind::Unique, columns: constraint.columns.clone() });
        }
        !unique
    });
    keys
}

/// `ALTER TABLE … t`, `t`, and each action, as written.
pub fn written(c: &mut Cursor<'_, '_>) -> Option<(String, String, Vec<String>)> {
    c.expect("alter")?;
    let _ = c.take("table") || c.take("online table") || c.take("ignore table");
    c.if_exists();
    c.take("only");
    let from = c.place();
    c.name()?;
    let (prefix, table) = (c.written(0), c.written(from));
    c.take("*");
    let mut actions = vec![];
    for mut item in c.list() {
        item.skip_all();
        actions.push(item.written(0));
    }
    Some((prefix, table, actions))
}
