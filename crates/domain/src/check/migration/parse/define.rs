//! CREATE, ALTER and DROP of everything; tables have their own file.

use super::super::cursor::{Cursor, words};
use super::super::lexer::{Kind as TokenKind, Token};
use super::super::statement::{CreateIndex, Domain, Kind, Statement};
use super::{query, relation, table};

pub(super) fn create(c: &mut Cursor<'_, '_>) -> Option<Statement> {
    let replace = c.take("or replace");
    if c.dialect.is_mysql() {
        definer(c);
    }
    let _ = c.take("global") || c.take("local");
    let temporary = c.take("temporary") || c.take("temp");
    c.take("unlogged");
    if c.take("table") {
        return table::create(c, temporary, false);
    }
    if c.take("foreign table") {
        return table::create(c, false, true);
    }
    if c.sees("index")
        || c.sees("unique index")
        || (c.dialect.is_mysql() && (c.sees("fulltext index") || c.sees("spatial index")))
    {
        return index(c);
    }
    let materialized = c.take("materialized view");
    if materialized || c.take("view") || c.take("recursive view") {
        c.if_not_exists();
        let name = c.name()?;
        let no_data = c.rest().windows(3).any(|w| w[0].is("with") && w[1].is("no") && w[2].is("data"));
        let reads = query::reads(c.rest());
        let words = query::columns(c.rest());
        c.skip_all();
        return Some(Statement::CreateView { name, replace, materialized, reads, words, no_data });
    }
    if c.take("sequence") {
        c.if_not_exists();
        let name = c.name()?;
        c.skip_all();
        return Some(Statement::CreateSequence { name });
    }
    if c.take("type") {
        let name = c.name()?;
        if c.take("as enum") {
            let values = c.group()?.rest().iter().filter(|t| t.kind == TokenKind::Text).map(Token::content).collect();
            return Some(Statement::CreateEnum { name, values });
        }
        c.skip_all();
        return Some(Statement::CreateType { name });
    }
    if c.take("domain") {
        let name = c.name()?;
        c.take("as");
        let base = c.ty()?;
        let checked =
            c.rest().iter().any(|t| t.is("check")) || c.rest().windows(2).any(|w| w[0].is("not") && w[1].is("null"));
        c.skip_all();
        return Some(Statement::CreateDomain { name, base, checked });
    }
    if c.take("function") || c.take("procedure") || c.take("aggregate") {
        c.if_not_exists();
        let name = c.name()?;
        let volatile = !c.rest().iter().any(|t| t.is("immutable") || t.is("stable"));
        let from = c.place();
        let text =
            c.rest().iter().filter(|t| t.kind == TokenKind::Text).max_by_key(|t| t.text.len()).map(Token::content);
        c.skip_all();
        // MySQL's body is no text, nor is that of BEGIN ATOMIC.
        let body = if c.dialect.is_mysql() { c.written(from) } else { text.unwrap_or_default() };
        return Some(Statement::CreateFunction { name, volatile, body });
    }
    if c.take("schema") {
        c.if_not_exists();
        c.take("authorization");
        let name = c.word()?;
        c.skip_all();
        return Some(Statement::CreateSchema { name });
    }
    let constraint = c.take("constraint");
    if c.take("trigger") || constraint {
        c.if_not_exists();
        c.word()?;
        return on_table(c).map(|table| Statement::CreateTrigger { table });
    }
    if c.take("policy") {
        c.word()?;
        return on_table(c).map(|table| Statement::OnTable { table, label: "policy" });
    }
    if c.take("rule") {
        let mut at = c.clone();
        while !at.take("to") {
            at.next()?;
        }
        let table = at.name()?;
        c.skip_all();
        return Some(Statement::OnTable { table, label: "rule" });
    }
    if c.take("statistics") {
        c.if_not_exists();
        let name = if c.sees("(") || c.sees("on") { String::new() } else { c.name()? };
        let table = query::reads(c.rest()).pop()?;
        c.skip_all();
        return Some(Statement::CreateStatistics { name, table });
    }
    if c.take("publication") {
        c.word()?;
        let all = c.sees("for all tables") || c.sees("for tables in schema");
        let tables = if c.take("for table") { c.names()? } else { vec![] };
        c.skip_all();
        return Some(Statement::Publication { tables, all });
    }
    let others = [
        "extension",
        "role",
        "user",
        "database",
        "cast",
        "operator",
        "collation",
        "text search",
        "subscription",
        "event",
        "server",
        "language",
        "access method",
        "conversion",
        "transform",
        "tablespace",
        "group",
        "foreign data wrapper",
        "trusted language",
    ];
    let what = c.take_any(&others)?;
    c.skip_all();
    Some(Statement::Other(what))
}

/// `ALGORITHM = … DEFINER = … SQL SECURITY …`, before VIEW, TRIGGER, FUNCTION …
fn definer(c: &mut Cursor<'_, '_>) {
    let frame = ["algorithm", "definer", "sql"];
    if frame.iter().any(|w| c.sees(w)) {
        let ends = ["view", "trigger", "function", "procedure", "event"];
        while !c.done() && !ends.iter().any(|w| c.sees(w)) {
            c.next();
        }
    }
}

/// `… ON table …`, and all that follows.
fn on_table(c: &mut Cursor<'_, '_>) -> Option<String> {
    while !c.take("on") {
        c.next()?;
    }
    let table = c.name()?;
    c.skip_all();
    Some(table)
}

fn index(c: &mut Cursor<'_, '_>) -> Option<Statement> {
    let mut index =
        CreateIndex { unique: c.take("unique"), kind: c.take_any(&["fulltext", "spatial"]), ..CreateIndex::default() };
    c.expect("index")?;
    index.concurrently = c.take("concurrently");
    index.if_not_exists = c.if_not_exists();
    if !c.sees("on") {
        index.name = Some(c.name()?);
    }
    if c.dialect.is_mysql() && c.take("using") {
        c.next();
    }
    c.expect("on")?;
    index.only = c.take("only");
    index.table = c.name()?;
    let from = c.place();
    if c.take("using") {
        c.word()?;
    }
    index.columns = c.columns()?;
    index.partial = c.rest().iter().any(|t| t.is("where"));
    c.skip_all();
    index.text = c.written(from);
    Some(Statement::CreateIndex(index))
}

pub(super) fn alter(c: &mut Cursor<'_, '_>) -> Option<Statement> {
    if c.dialect.is_mysql() {
        let _ = c.take("online") || c.take("ignore");
    }
    if let Some(kind) = relation(c) {
        return match kind {
            Kind::Index => alter_index(c),
            Kind::Sequence => {
                c.if_exists();
                let name = c.name()?;
                let owner = if c.take("owned by") && !c.sees("none") { Some(c.table_of_column()?) } else { None };
                c.skip_all();
                Some(Statement::AlterSequence { name, owner })
            }
            Kind::View if c.dialect.is_mysql() => {
                c.skip_all();
                Some(Statement::Other("view"))
            }
            Kind::Table | Kind::Partitioned | Kind::Foreign | Kind::View | Kind::Materialized => table::alter(c, kind),
        };
    }
    if c.take("type") {
        let name = c.name()?;
        if c.take("add value") {
            c.if_not_exists();
            let value = c.next().filter(|t| t.kind == TokenKind::Text)?.content();
            if c.take("before") || c.take("after") {
                c.next();
            }
            return Some(Statement::AddValue { name, value });
        }
        let rename = if c.take("rename to") { Some(c.word()?) } else { None };
        // Attributes of a composite type change the rows of the tables that hold it.
        if rename.is_none() && !(c.sees("rename value") || c.sees("owner to") || c.sees("set schema")) {
            return None;
        }
        c.skip_all();
        return Some(Statement::AlterType { name, rename });
    }
    if c.take("domain") {
        let name = c.name()?;
        let what = if c.take("add") {
            let constraint = c.constraint()?;
            Domain::AddCheck { valid: constraint.valid }
        } else if c.sees("validate constraint") {
            Domain::Validate
        } else if c.sees("set not null") {
            Domain::SetNotNull
        } else {
            Domain::Other
        };
        c.skip_all();
        return Some(Statement::AlterDomain { name, what });
    }
    if c.take("trigger") {
        return on_table(c).map(|table| Statement::DropTrigger { table });
    }
    if c.take("policy") {
        return on_table(c).map(|table| Statement::OnTable { table, label: "policy" });
    }
    if c.take("publication") {
        c.word()?;
        let tables =
            if c.take("add table") || c.take("set table") || c.take("drop table") { c.names()? } else { vec![] };
        c.skip_all();
        return Some(Statement::Publication { tables, all: false });
    }
    let others = [
        "function",
        "procedure",
        "routine",
        "aggregate",
        "schema",
        "role",
        "user",
        "database",
        "default privileges",
        "extension",
        "system",
        "statistics",
        "collation",
        "operator",
        "event",
        "subscription",
        "server",
        "group",
        "language",
    ];
    let what = c.take_any(&others)?;
    c.skip_all();
    Some(Statement::Other(what))
}

fn alter_index(c: &mut Cursor<'_, '_>) -> Option<Statement> {
    c.if_exists();
    let name = c.name()?;
    if c.take("attach partition") {
        return Some(Statement::AttachIndex { index: name, partition: c.name()? });
    }
    if c.take("rename to") {
        return Some(Statement::AlterIndex { name, rename: Some(c.name()?) });
    }
    c.skip_all();
    Some(Statement::AlterIndex { name, rename: None })
}

pub(super) fn drop(c: &mut Cursor<'_, '_>) -> Option<Statement> {
    c.take("temporary");
    if c.dialect.is_mysql() && (c.take("index") || c.take("key")) {
        let if_exists = c.if_exists();
        let names = vec![c.word()?];
        c.expect("on")?;
        let table = Some(c.name()?);
        c.skip_all();
        return Some(Statement::DropIndex { names, concurrently: false, if_exists, table });
    }
    if let Some(kind) = relation(c) {
        let concurrently = kind == Kind::Index && c.take("concurrently");
        let if_exists = c.if_exists();
        let names = c.names()?;
        let cascade = c.take("cascade");
        c.take("restrict");
        return Some(match kind {
            Kind::Index => Statement::DropIndex { names, concurrently, if_exists, table: None },
            _ => Statement::Drop { kind, names, cascade, if_exists },
        });
    }
    if c.take("type") || c.take("domain") {
        c.if_exists();
        let names = c.names()?;
        let cascade = c.take("cascade");
        c.take("restrict");
        return Some(Statement::DropType { names, cascade });
    }
    if c.take("schema") || (c.dialect.is_mysql() && c.take("database")) {
        c.if_exists();
        let names = c.names()?;
        let cascade = c.take("cascade");
        c.take("restrict");
        return Some(Statement::DropSchema { names, cascade });
    }
    if c.take("trigger") {
        c.if_exists();
        if c.dialect.is_mysql() {
            c.skip_all();
            return Some(Statement::Other("trigger"));
        }
        return on_table(c).map(|table| Statement::DropTrigger { table });
    }
    if c.take("policy") || c.take("rule") {
        return on_table(c).map(|table| Statement::OnTable { table, label: "policy" });
    }
    if c.take("statistics") {
        c.if_exists();
        let name = c.name()?;
        c.skip_all();
        return Some(Statement::DropStatistics { name });
    }
    // A function with CASCADE takes its triggers with it.
    let functions = ["function", "procedure", "aggregate", "routine"];
    if c.take_any(&functions).is_some() {
        let cascade = c.rest().last().is_some_and(|t| t.is("cascade"));
        let what = words(c.rest());
        c.skip_all();
        if cascade {
            return Some(Statement::Unknown(format!(
                "dropping {what} drops what uses it, triggers of tables among them"
            )));
        }
        return Some(Statement::Other("function"));
    }
    let others = [
        "extension",
        "role",
        "user",
        "database",
        "cast",
        "operator",
        "collation",
        "text search",
        "subscription",
        "publication",
        "event",
        "server",
        "language",
        "owned",
        "view",
        "access method",
        "group",
    ];
    let what = c.take_any(&others)?;
    c.skip_all();
    Some(Statement::Other(what))
}
