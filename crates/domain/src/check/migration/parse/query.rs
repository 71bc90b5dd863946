//! Queries and changes of rows: which relations they touch, and whether a condition narrows them.

use super::super::cursor::Cursor;
use super::super::lexer::{Kind, Token};
use super::super::statement::{Dml, Name, Statement};

/// The names that stand where a relation stands. What is no relation is not in the catalogue either.
pub(super) fn reads(tokens: &[Token<'_>]) -> Vec<Name> {
    let mut names: Vec<Name> = vec![];
    let mut from_list = vec![false];
    let mut n = 0;
    while n < tokens.len() {
        let token = &tokens[n];
        n += 1;
        if token.is("(") {
            from_list.push(false);
        } else if token.is(")") {
            from_list.pop();
        } else if ["where", "select", "set", "on", "group", "order", "union", "returning", "values"]
            .iter()
            .any(|w| token.is(w))
            && let Some(last) = from_list.last_mut()
        {
            *last = false;
        }
        let starts = ["from", "join", "using", "into", "table"].iter().any(|w| token.is(w));
        if !(starts || (token.is(",") && from_list.last() == Some(&true))) {
            continue;
        }
        while tokens.get(n).is_some_and(|t| t.is("only") || t.is("lateral")) {
            n += 1;
        }
        let Some((name, next)) = name_at(tokens, n) else { continue };
        if starts && let Some(last) = from_list.last_mut() {
            *last = true;
        }
        n = next;
        if !tokens.get(n).is_some_and(|t| t.is("(")) && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Every name of a query; and `table.*`, or `*`, where it takes all columns.
pub(super) fn columns(tokens: &[Token<'_>]) -> Vec<Name> {
    let before = |n: usize, w: &str| n > 0 && tokens[n - 1].is(w);
    let name = |n: usize| {
        let token = &tokens[n];
        if token.is("*") && before(n, ".") && n > 1 {
            return Some(format!("{}.*", table_of(tokens, &tokens[n - 2].name())));
        }
        let star = token.is("*") && [",", "select", "distinct"].iter().any(|w| before(n, w));
        (token.is_name() || star).then(|| token.name())
    };
    let mut names: Vec<Name> = (0..tokens.len()).filter_map(name).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The table that an alias stands for.
fn table_of(tokens: &[Token<'_>], alias: &str) -> Name {
    let places = (0..tokens.len()).filter(|n| ["from", "join", ","].iter().any(|w| tokens[*n].is(w)));
    let stands_for = |n: usize| {
        let (name, next) = name_at(tokens, n + 1)?;
        let next = if tokens.get(next).is_some_and(|t| t.is("as")) { next + 1 } else { next };
        tokens.get(next).is_some_and(|t| t.is_name() && t.name() == alias).then_some(name)
    };
    places.filter_map(stands_for).next().unwrap_or_else(|| alias.to_owned())
}

fn name_at(tokens: &[Token<'_>], at: usize) -> Option<(Name, usize)> {
    let first = tokens.get(at).filter(|t| t.is_name())?;
    if first.is("select") {
        return None;
    }
    if tokens.get(at + 1).is_some_and(|t| t.is(".")) && tokens.get(at + 2).is_some_and(Token::is_name) {
        let (schema, name) = (first.name(), tokens[at + 2].name());
        return Some((if schema == "public" { name } else { format!("{schema}.{name}") }, at + 3));
    }
    Some((first.name(), at + 1))
}

pub(super) fn dml(c: &mut Cursor<'_, '_>) -> Option<Statement> {
    let all = c.rest();
    // With a WITH before it, the last verb outside of parentheses says what it is.
    let mut depth = 0_usize;
    let mut at = 0;
    for (n, token) in all.iter().enumerate() {
        if token.is("(") {
            depth += 1;
        } else if token.is(")") {
            depth = depth.saturating_sub(1);
        } else if depth == 0
            && ["select", "insert", "update", "delete", "merge", "values", "replace", "table", "call"]
                .iter()
                .any(|w| token.is(w))
        {
            at = n;
            break;
        }
    }
    let mut verb = c.clone();
    for _ in 0..at {
        verb.next();
    }
    let word = verb.next()?.name();
    let (verb_name, target) = match word.as_str() {
        "insert" | "replace" => {
            while verb.take_any(&["ignore", "low_priority", "delayed"]).is_some() {}
            verb.take("into");
            ("insert", Some(verb.name()?))
        }
        "update" => {
            while verb.take_any(&["ignore", "low_priority", "only"]).is_some() {}
            ("update", Some(verb.name()?))
        }
        "delete" => {
            while verb.take_any(&["ignore", "low_priority", "quick"]).is_some() {}
            // MySQL: `DELETE a FROM t a JOIN …`
            if !verb.take("from") {
                while !verb.done() && !verb.take("from") {
                    verb.next();
                }
            }
            verb.take("only");
            ("delete", Some(verb.name()?))
        }
        "merge" => {
            verb.expect("into")?;
            verb.take("only");
            ("merge", Some(verb.name()?))
        }
        "select" | "values" | "table" | "call" => ("select", None),
        _ => return None,
    };
    let reads = reads(all).into_iter().filter(|name| Some(name) != target.as_ref()).collect();
    let dml = Dml {
        verb: verb_name,
        target,
        reads,
        condition: condition(all),
        for_update: all
            .windows(2)
            .any(|w| w[0].is("for") && (w[1].is("update") || w[1].is("share") || w[1].is("no") || w[1].is("key"))),
        texts: all.iter().filter(|t| t.kind == Kind::Text).map(Token::content).collect(),
        calls: calls(all),
    };
    c.skip_all();
    Some(Statement::Dml(Box::new(dml)))
}

fn condition(tokens: &[Token<'_>]) -> Option<Vec<Name>> {
    let mut depth = 0_usize;
    let mut equal = None;
    let mut or = false;
    for (n, token) in tokens.iter().enumerate() {
        if token.is("(") {
            depth += 1;
        } else if token.is(")") {
            depth = depth.saturating_sub(1);
        } else if depth == 0 && token.is("where") {
            equal = Some(vec![]);
        } else if let Some(columns) = &mut equal {
            or |= depth == 0 && token.is("or");
            let then = |w: &str| tokens.get(n + 1).is_some_and(|t| t.is(w));
            if token.is_name() && (then("=") || then("in")) {
                columns.push(token.name());
            }
        }
    }
    equal.map(|columns| if or { vec![] } else { columns })
}

pub(super) fn calls(tokens: &[Token<'_>]) -> Vec<Name> {
    let called = |w: &[Token<'_>]| w[0].is_name() && w[1].is("(");
    tokens.windows(2).filter(|w| called(w)).map(|w| w[0].name()).collect()
}
