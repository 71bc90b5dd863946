//! Reads one statement. What is not understood is `Statement::Unknown`, and never guessed.

mod column;
mod define;
mod mysql;
mod query;
mod table;

pub use table::written;

use super::Dialect;
use super::cursor::{Cursor, words};
use super::lexer::{Token, is_open};
use super::statement::{Kind, Statement};

pub fn parse(tokens: &[Token<'_>], source: &str, dialect: Dialect) -> Statement {
    if is_open(tokens) {
        return Statement::Unknown(format!(
            "a text or a comment never ends after `{}`",
            beginning(&tokens[..tokens.len() - 1])
        ));
    }
    let mut c = Cursor::new(tokens, source, dialect);
    match statement(&mut c) {
        Some(statement) if c.done() => statement,
        _ => Statement::Unknown(format!("{} is not understood", beginning(tokens))),
    }
}

pub(super) fn beginning(tokens: &[Token<'_>]) -> String {
    words(&tokens[..tokens.len().min(6)])
}

fn statement(c: &mut Cursor<'_, '_>) -> Option<Statement> {
    let first = c.peek()?;
    Some(match first.text.to_ascii_lowercase().as_str() {
        "begin" | "start" => {
            c.skip_all();
            Statement::Begin
        }
        "commit" | "end" => {
            c.skip_all();
            Statement::Commit
        }
        "rollback" | "abort" => {
            let whole = !c.sees("rollback to");
            c.skip_all();
            if whole { Statement::Rollback } else { Statement::Other("savepoint") }
        }
        "savepoint" | "release" => other(c, "savepoint"),
        "set" => set(c)?,
        "reset" | "show" | "use" | "discard" | "deallocate" | "listen" | "notify" | "unlisten" | "checkpoint"
        | "load" => other(c, "session"),
        "unlock" | "flush" | "source" | "pragma" => other(c, "session"),
        "create" => {
            c.next();
            define::create(c)?
        }
        "alter" => {
            c.next();
            define::alter(c)?
        }
        "drop" => {
            c.next();
            define::drop(c)?
        }
        "rename" => {
            c.expect("rename table")?;
            let mut pairs = vec![];
            loop {
                c.if_exists();
                let from = c.name()?;
                c.expect("to")?;
                pairs.push((from, c.name()?));
                if !c.take(",") {
                    return Some(Statement::RenameTables(pairs));
                }
            }
        }
        "truncate" => {
            c.next();
            c.take("table");
            let tables = c.names()?;
            let _ = c.take("restart identity") || c.take("continue identity");
            let cascade = c.take("cascade");
            c.take("restrict");
            Statement::Truncate { tables, cascade }
        }
        "reindex" => {
            c.next();
            let options = c.group().map(|g| words(g.rest())).unwrap_or_default();
            let index = c.take("index");
            if !index {
                c.expect("table")?;
            }
            let concurrently = c.take("concurrently") || options.contains("concurrently");
            Statement::Reindex { index, name: c.name()?, concurrently }
        }
        "refresh" => {
            c.expect("refresh materialized view")?;
            let concurrently = c.take("concurrently");
            let name = c.name()?;
            let _ = c.take("with data") || c.take("with no data");
            Statement::Refresh { name, concurrently }
        }
        "cluster" => {
            c.next();
            c.take("verbose");
            let table = c.name()?;
            c.skip_all();
            Statement::Cluster { table }
        }
        "vacuum" => {
            c.next();
            let options = c.group().map(|g| words(g.rest())).unwrap_or_default();
            let mut full = options.contains("full");
            while let Some(word) = c.take_any(&["full", "freeze", "verbose", "analyze"]) {
                full |= word == "full";
            }
            let table = c.name();
            c.skip_all();
            Statement::Vacuum { table, full }
        }
        "analyze" | "analyse" | "optimize" => {
            let full = c.sees("optimize");
            c.next();
            let _ = c.group();
            let _ = c.take("verbose") || c.take("table");
            let table = c.name();
            c.skip_all();
            if full { Statement::Vacuum { table, full } } else { Statement::Analyze { table } }
        }
        "comment" => {
            c.expect("comment on")?;
            let column = c.sees("column");
            let table = if c.take("table") {
                c.name()
            } else if c.take("column") {
                Some(c.table_of_column()?)
            } else {
                None
            };
            c.skip_all();
            Statement::Comment { table, column }
        }
        "grant" | "revoke" => {
            let mut at = c.clone();
            let columns = at.ahead(2).is_some_and(|token| token.is("("));
            while !at.done() && !at.take("on") {
                at.next();
            }
            let kind = at.take_any(&[
                "schema",
                "sequence",
                "function",
                "database",
                "type",
                "all",
                "language",
                "routine",
                "procedure",
            ]);
            at.take("table");
            let tables = if kind.is_none() { at.names().unwrap_or_default() } else { vec![] };
            c.skip_all();
            Statement::Grant { tables, columns }
        }
        "lock" => {
            c.next();
            let _ = c.take("table") || c.take("tables");
            let tables = c.names()?;
            let mode = if c.take("in") {
                words(c.rest()).replace(" mode", "").replace(" nowait", "")
            } else {
                "access exclusive".into()
            };
            c.skip_all();
            Statement::LockTable { tables, mode }
        }
        "do" => {
            let body = c.rest().iter().find(|t| t.kind == super::lexer::Kind::Text).map(Token::content)?;
            c.skip_all();
            Statement::Do { body }
        }
        "select" | "insert" | "update" | "delete" | "merge" | "with" | "values" | "replace" | "call" | "(" => {
            query::dml(c)?
        }
        "copy" => {
            c.next();
            let table = if c.sees("(") { None } else { c.name() };
            let from = c.rest().iter().any(|t| t.is("from"));
            let verb = if from { "insert" } else { "select" };
            c.skip_all();
            let (target, reads) = if from { (table, vec![]) } else { (None, table.into_iter().collect()) };
            Statement::Dml(Box::new(super::statement::Dml {
                verb,
                target,
                reads,
                condition: None,
                for_update: false,
                texts: vec![],
                calls: vec![],
            }))
        }
        "security" | "import" | "reassign" => other(c, "roles"),
        "delimiter" => other(c, "client"),
        "prepare" => other(c, "prepare"),
        "execute" => {
            c.skip_all();
            Statement::Unknown("EXECUTE runs what is put together at run time".into())
        }
        _ => return None,
    })
}

fn other(c: &mut Cursor<'_, '_>, label: &'static str) -> Statement {
    c.skip_all();
    Statement::Other(label)
}

fn set(c: &mut Cursor<'_, '_>) -> Option<Statement> {
    c.next();
    let _ = c.take("local") || c.take("session") || c.take("global");
    if c.sees("time zone") {
        c.next();
        c.next();
        let value = c.next().map(text)?;
        c.skip_all();
        return Some(Statement::Set { name: "timezone".into(), value });
    }
    let name = c.peek()?.name().trim_start_matches('@').to_owned();
    let value = c.rest().last().map(text)?;
    c.skip_all();
    Some(Statement::Set { name, value })
}

fn text(token: &Token<'_>) -> String {
    if token.kind == super::lexer::Kind::Text { token.content() } else { token.name() }
}

/// The kind of relation that a word names.
fn relation(c: &mut Cursor<'_, '_>) -> Option<Kind> {
    Some(match c.take_any(&["table", "foreign table", "materialized view", "view", "sequence", "index"])? {
        "table" => Kind::Table,
        "foreign table" => Kind::Foreign,
        "materialized view" => Kind::Materialized,
        "view" => Kind::View,
        "sequence" => Kind::Sequence,
        _ => Kind::Index,
    })
}
