//! A file as statements, each with its place. Line breaks stay where they are, so that a place is the file's.

use super::Dialect;
use super::lexer::{Token, tokens};

#[derive(Debug, Clone, PartialEq)]
pub struct Piece<'a> {
    pub tokens: Vec<Token<'a>>,
    pub text: &'a str,
    /// From 1.
    pub line: usize,
    pub column: usize,
}

/// The text as the server reads it: what the client alone understands is blank. The second part names what it would have
/// run that is not in the file.
pub fn server_text(text: &str, dialect: Dialect) -> (String, Vec<String>) {
    let mut out = String::with_capacity(text.len());
    let mut elsewhere = vec![];
    let mut delimiter: Option<String> = None;
    // COPY, up to its semicolon; then its rows.
    let (mut copy, mut copying) = (String::new(), false);
    for line in text.split_inclusive('\n') {
        let word = line.trim_start();
        let is_delimiter = dialect.is_mysql() && word.get(..10).is_some_and(|w| w.eq_ignore_ascii_case("delimiter "));
        if copying {
            copying = line.trim_end() != "\\.";
            blank(&mut out, line);
        } else if is_delimiter {
            let wanted = word[10..].trim();
            delimiter = (wanted != ";").then(|| wanted.to_owned());
            blank(&mut out, line);
        } else if !dialect.is_mysql() && line.starts_with('\\') {
            let command = word.split_whitespace().next().unwrap_or_default();
            if ["\\i", "\\ir", "\\include", "\\include_relative", "\\gexec", "\\copy"].contains(&command) {
                elsewhere.push(format!("{} runs what is not in this file", word.trim_end()));
            }
            blank(&mut out, line);
        } else if let Some(delimiter) = delimiter.as_deref().filter(|one| !one.is_empty()) {
            let end = format!(";{}", " ".repeat(delimiter.len() - 1));
            out.push_str(&line.replace(delimiter, &end));
        } else {
            let begins = !copy.is_empty() || word.get(..5).is_some_and(|w| w.eq_ignore_ascii_case("copy "));
            if begins && !dialect.is_mysql() {
                copy.push_str(&line.to_ascii_lowercase());
            }
            if copy.contains(';') {
                let words: Vec<&str> = copy.split([';', ' ', '\t', '\r', '\n']).filter(|w| !w.is_empty()).collect();
                copying = copy.trim_end().ends_with(';') && words.windows(2).any(|pair| pair == ["from", "stdin"]);
                copy.clear();
            }
            out.push_str(line);
        }
    }
    (out, elsewhere)
}

fn blank(out: &mut String, line: &str) {
    out.extend(line.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
}

pub fn split(text: &str, dialect: Dialect) -> Vec<Piece<'_>> {
    let mut pieces = vec![];
    let mut open: Vec<Token<'_>> = vec![];
    let mut compound = 0_usize;
    let (mut line, mut counted) = (1, 0);
    let all = tokens(text, dialect);
    let mut finish = |open: &mut Vec<Token<'_>>| {
        let tokens = std::mem::take(open);
        if let (Some(first), Some(last)) = (tokens.first(), tokens.last()) {
            line += text[counted..first.at].bytes().filter(|b| *b == b'\n').count();
            counted = first.at;
            let column = text[..first.at].rfind('\n').map_or(first.at, |at| first.at - at - 1) + 1;
            return Some((first.at, last.end(), line, column));
        }
        None
    };
    for (n, token) in all.iter().enumerate() {
        if token.is(";") && compound == 0 {
            let tokens = open.clone();
            if let Some((from, to, line, column)) = finish(&mut open) {
                pieces.push(Piece { tokens, text: &text[from..to], line, column });
            }
            continue;
        }
        open.push(*token);
        if !has_body(&open, dialect) {
            continue;
        }
        let before = |w: &str| n > 0 && all[n - 1].is(w);
        let after = |w: &str| all.get(n + 1).is_some_and(|t| t.is(w));
        if (token.is("begin") && (dialect.is_mysql() || after("atomic")))
            || (token.is("case") && compound > 0 && !before("end"))
        {
            compound += 1;
        } else if token.is("end") && compound > 0 && !["if", "loop", "while", "repeat"].iter().any(|w| after(w)) {
            compound -= 1;
        }
    }
    let tokens = open.clone();
    if let Some((from, to, line, column)) = finish(&mut open) {
        pieces.push(Piece { tokens, text: &text[from..to], line, column });
    }
    pieces
}

/// Is it the definition of something whose body has statements of its own?
fn has_body(open: &[Token<'_>], dialect: Dialect) -> bool {
    if !open.first().is_some_and(|t| t.is("create")) {
        return false;
    }
    let kinds: &[&str] =
        if dialect.is_mysql() { &["trigger", "procedure", "function", "event"] } else { &["function", "procedure"] };
    open.iter().take(12).any(|t| kinds.iter().any(|kind| t.is(kind)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_and_their_lines() {
        let text = "-- one\nSELECT ';';\n\n  DO $$ BEGIN; END $$;\nCREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; END; SELECT 2";
        let pieces = split(text, Dialect::Postgres);
        let lines: Vec<_> = pieces.iter().map(|p| (p.line, p.column)).collect();
        assert_eq!(lines, [(2, 1), (4, 3), (5, 1), (5, 85)]);
        assert_eq!(pieces[0].text, "SELECT ';'");
    }

    #[test]
    fn what_the_client_reads_is_blank() {
        let (text, elsewhere) =
            server_text("\\set x 1\n\\i other.sql\nCOPY t FROM stdin;\n1;\n\\.\nSELECT 1;\n", Dialect::Postgres);
        assert_eq!(split(&text, Dialect::Postgres).iter().map(|p| p.line).collect::<Vec<_>>(), [3, 6]);
        assert_eq!(elsewhere.len(), 1);
        let text =
            "COPY t (a)\n  FROM STDIN WITH (FORMAT csv);\n1'\n\\.\ncopy t from stdin csv;\r\n1;'\r\n\\.\r\nSELECT 1;";
        let (text, _) = server_text(text, Dialect::Postgres);
        assert_eq!(split(&text, Dialect::Postgres).iter().map(|p| p.line).collect::<Vec<_>>(), [1, 5, 8]);
    }

    #[test]
    fn mysql_bodies_and_delimiters() {
        let text = "DELIMITER //\nCREATE TRIGGER a BEFORE INSERT ON t FOR EACH ROW BEGIN IF x THEN SET y = 1; END IF; END//\nDELIMITER ;\nALTER TABLE t ADD x int;";
        let (text, _) = server_text(text, Dialect::Mysql);
        assert_eq!(split(&text, Dialect::Mysql).iter().map(|p| p.line).collect::<Vec<_>>(), [2, 4]);
    }
}
