//! The statements in the body of DO and of functions: what stands there as it is. What a body puts together at run time is
//! unknown.

use super::Dialect;
use super::lexer::{Kind, Token, tokens};
use super::parse::parse;
use super::statement::Statement;

pub fn statements(body: &str, dialect: Dialect) -> Vec<Statement> {
    let all = tokens(body, dialect);
    let mut out = vec![];
    let mut declares = all.iter().any(|t| t.is("begin"));
    for piece in all.split(|t| t.is(";")) {
        let mut piece = piece;
        if declares {
            let Some(at) = piece.iter().position(|t| t.is("begin")) else { continue };
            piece = &piece[at..];
            declares = false;
        }
        statement(strip(piece), body, dialect, &mut out);
    }
    out
}

/// Could a call of it change the schema?
pub fn changes_schema(body: &str) -> bool {
    tokens(body, Dialect::Postgres)
        .iter()
        .any(|t| ["alter", "create", "drop", "execute", "truncate"].iter().any(|w| t.is(w)))
}

/// Without the control flow before a statement.
fn strip<'t, 'a>(mut piece: &'t [Token<'a>]) -> &'t [Token<'a>] {
    loop {
        let Some(first) = piece.first() else { return piece };
        let after = |word: &str| piece.iter().position(|t| t.is(word)).map_or(piece.len(), |at| at + 1);
        let skip = if ["begin", "else", "loop", "exception"].iter().any(|w| first.is(w)) {
            1
        } else if ["if", "elsif", "elseif", "when", "case"].iter().any(|w| first.is(w)) {
            after("then")
        } else if ["for", "while", "foreach"].iter().any(|w| first.is(w)) {
            after("loop")
        } else if first.is("<") {
            piece.iter().rposition(|t| t.is(">")).map_or(1, |at| at + 1)
        } else if ["end", "declare"].iter().any(|w| first.is(w)) {
            piece.len()
        } else {
            return piece;
        };
        piece = &piece[skip..];
    }
}

fn statement(piece: &[Token<'_>], body: &str, dialect: Dialect, out: &mut Vec<Statement>) {
    let Some(first) = piece.first() else { return };
    let quiet = [
        "raise", "return", "null", "get", "exit", "continue", "open", "close", "fetch", "move", "assert", "commit",
        "rollback",
    ];
    let assigns =
        piece.windows(2).take(4).any(|w| w[0].is(":") && w[1].is("=")) || piece.get(1).is_some_and(|t| t.is("="));
    if quiet.iter().any(|w| first.is(w)) || assigns {
        return;
    }
    if first.is("execute") {
        match piece {
            [_, text] if text.kind == Kind::Text => {
                let inner = text.content();
                let tokens = tokens(&inner, Dialect::Postgres);
                out.push(parse(&tokens, &inner, Dialect::Postgres));
            }
            _ => out.push(Statement::Unknown("EXECUTE runs what is put together at run time".into())),
        }
        return;
    }
    if first.is("perform") {
        // `PERFORM f()` is `SELECT f()`.
        let mut select = vec![Token { kind: Kind::Word, text: "select", at: first.at }];
        select.extend_from_slice(&piece[1..]);
        out.push(parse(&select, body, Dialect::Postgres));
        return;
    }
    out.push(parse(piece, body, dialect));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_there_is_read_and_what_is_put_together_is_not() {
        let body = "DECLARE x int := 1; BEGIN IF EXISTS (SELECT 1 FROM a) THEN ALTER TABLE a DROP COLUMN b; ELSE EXECUTE 'DROP TABLE c'; END IF;
            FOR r IN SELECT 1 LOOP EXECUTE format('DROP TABLE %I', r); END LOOP; x := 2; EXCEPTION WHEN duplicate_object THEN null; END";
        let found = statements(body, Dialect::Postgres);
        assert!(matches!(found[0], Statement::AlterTable { .. }), "{found:?}");
        assert!(matches!(found[1], Statement::Drop { .. }));
        assert!(matches!(found[2], Statement::Unknown(_)));
        assert_eq!(found.len(), 3);
        assert!(changes_schema("begin execute x; end") && !changes_schema("begin return new; end"));
    }
}
