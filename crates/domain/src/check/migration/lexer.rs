//! SQL as words: names, texts, numbers, symbols, with their place. Comments and white space are gone.

use super::Dialect;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A keyword or a plain name.
    Word,
    /// `"name"`, or `` `name` `` of MySQL.
    Quoted,
    /// `'text'`, `$$text$$`.
    Text,
    Number,
    Symbol,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token<'a> {
    pub kind: Kind,
    pub text: &'a str,
    pub at: usize,
}

impl Token<'_> {
    pub fn end(&self) -> usize {
        self.at + self.text.len()
    }

    /// Is it this keyword or symbol?
    pub fn is(&self, word: &str) -> bool {
        matches!(self.kind, Kind::Word | Kind::Symbol) && self.text.eq_ignore_ascii_case(word)
    }

    /// The name as the server keeps it: plain words in lower case, quoted ones as they stand.
    pub fn name(&self) -> String {
        match self.kind {
            Kind::Quoted => {
                let quote = &self.text[..1];
                let inner = self.text.get(1..self.text.len().saturating_sub(1)).unwrap_or_default();
                inner.replace(&quote.repeat(2), quote)
            }
            _ => self.text.to_lowercase(),
        }
    }

    /// What a text holds, without its quotes.
    pub fn content(&self) -> String {
        let text = self.text;
        if let Some(rest) = text.strip_prefix('$') {
            let tag = rest.find('$').map_or(0, |n| n + 2);
            return text.get(tag..text.len().saturating_sub(tag)).unwrap_or_default().to_owned();
        }
        let text = text.trim_start_matches(|c: char| c.is_ascii_alphabetic() || c == '&');
        let inner = text.get(1..text.len().saturating_sub(1)).unwrap_or_default();
        inner.replace("''", "'")
    }

    pub fn is_name(&self) -> bool {
        matches!(self.kind, Kind::Word | Kind::Quoted)
    }
}

/// Does something in it open, a text or a comment, and never close? The last token has it.
pub fn is_open(tokens: &[Token<'_>]) -> bool {
    tokens.last().is_some_and(|last| last.kind == Kind::Symbol && last.text.len() > 2)
}

pub fn tokens(text: &str, dialect: Dialect) -> Vec<Token<'_>> {
    let mut lexer = Lexer { text, bytes: text.as_bytes(), at: 0, dialect, out: Vec::with_capacity(text.len() / 5) };
    while lexer.at < lexer.bytes.len() {
        lexer.step();
    }
    lexer.out
}

struct Lexer<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    dialect: Dialect,
    out: Vec<Token<'a>>,
}

impl<'a> Lexer<'a> {
    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn push(&mut self, kind: Kind, end: usize) {
        let mut end = end.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end += 1;
        }
        self.out.push(Token { kind, text: &self.text[self.at..end], at: self.at });
        self.at = end;
    }

    fn step(&mut self) {
        let mysql = self.dialect.is_mysql();
        match self.peek(0) {
            byte if byte.is_ascii_whitespace() => self.at += 1,
            b'-' if self.peek(1) == b'-' && (!mysql || self.peek(2) <= b' ') => self.line_comment(),
            b'#' if mysql => self.line_comment(),
            // `/*!50100 … */` is read by the server: only its frame is a comment.
            b'/' if self.peek(1) == b'*'
                && mysql
                && (self.peek(2) == b'!' || self.text[self.at..].starts_with("/*M!")) =>
            {
                self.at += 3;
                while self.peek(0) == b'!' || self.peek(0).is_ascii_digit() {
                    self.at += 1;
                }
            }
            b'*' if mysql && self.peek(1) == b'/' => self.at += 2,
            b'/' if self.peek(1) == b'*' => self.block_comment(),
            b'\'' => self.closed(Kind::Text, self.quoted(self.at + 1, b'\'', mysql)),
            b'"' if mysql => self.closed(Kind::Text, self.quoted(self.at + 1, b'"', true)),
            quote @ (b'"' | b'`') => self.closed(Kind::Quoted, self.quoted(self.at + 1, quote, false)),
            b'$' if !mysql && self.dollar().is_some() => {
                let end = self.dollar().unwrap_or_default();
                self.closed(Kind::Text, end);
            }
            b'[' | b']' | b'(' | b')' | b',' | b';' => self.push(Kind::Symbol, self.at + 1),
            b':' if self.peek(1) == b':' => self.push(Kind::Symbol, self.at + 2),
            byte if byte.is_ascii_digit() || (byte == b'.' && self.peek(1).is_ascii_digit()) => {
                let mut end = self.at + 1;
                while self.bytes.get(end).is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'.' || *b == b'_') {
                    end += 1;
                }
                self.push(Kind::Number, end);
            }
            byte if byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80 || byte == b'@' => self.word(),
            _ => self.push(Kind::Symbol, self.at + 1),
        }
    }

    fn word(&mut self) {
        // E'\n', B'01', X'ff', N'x', U&'x', U&"x"
        let escapes = matches!(self.peek(0), b'e' | b'E');
        if self.peek(1) == b'\'' && matches!(self.peek(0), b'e' | b'E' | b'b' | b'B' | b'x' | b'X' | b'n' | b'N') {
            return self.closed(Kind::Text, self.quoted(self.at + 2, b'\'', escapes || self.dialect.is_mysql()));
        }
        let mut end = self.at + 1;
        while self.bytes.get(end).is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'$') || *b >= 0x80) {
            end += 1;
        }
        self.push(Kind::Word, end);
    }

    fn line_comment(&mut self) {
        let rest = &self.bytes[self.at..];
        self.at += rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
    }

    fn block_comment(&mut self) {
        let from = self.at;
        let mut depth = 0_usize;
        while self.at < self.bytes.len() {
            match (self.peek(0), self.peek(1)) {
                (b'/', b'*') if depth == 0 || !self.dialect.is_mysql() => {
                    depth += 1;
                    self.at += 2;
                }
                (b'*', b'/') => {
                    depth -= 1;
                    self.at += 2;
                    if depth == 0 {
                        return;
                    }
                }
                _ => self.at += 1,
            }
        }
        self.at = from;
        self.closed(Kind::Text, None);
    }

    /// What is never closed is one symbol to the end of the text: no statement has such a one.
    fn closed(&mut self, kind: Kind, end: Option<usize>) {
        match end {
            Some(end) => self.push(kind, end),
            None => self.push(Kind::Symbol, self.text.len()),
        }
    }

    /// Where the quotation ends that is open at `from`.
    fn quoted(&self, from: usize, quote: u8, escapes: bool) -> Option<usize> {
        let mut at = from;
        while let Some(byte) = self.bytes.get(at) {
            if *byte == b'\\' && escapes {
                at += 2;
            } else if *byte == quote {
                if self.bytes.get(at + 1) == Some(&quote) {
                    at += 2;
                } else {
                    return Some(at + 1);
                }
            } else {
                at += 1;
            }
        }
        None
    }

    /// Where `$tag$ … $tag$` ends, if one begins here and if it ends.
    fn dollar(&self) -> Option<Option<usize>> {
        let rest = &self.text[self.at..];
        let close = rest[1..].find('$')? + 2;
        let tag = &rest[..close];
        let inner = &tag[1..tag.len() - 1];
        if inner.starts_with(|c: char| c.is_ascii_digit()) || inner.contains(|c: char| !c.is_alphanumeric() && c != '_')
        {
            return None;
        }
        Some(rest[close..].find(tag).map(|n| self.at + close + n + close))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(sql: &str, dialect: Dialect) -> Vec<&str> {
        tokens(sql, dialect).iter().map(|t| t.text).collect()
    }

    #[test]
    fn postgres_quotes_and_comments() {
        let sql = "SELECT 'it''s', E'a\\'b', \"x\"\"y\", $f$ ; -- $f$, $1::int /* a /* b */ ; */ -- ;\n;";
        assert_eq!(
            texts(sql, Dialect::Postgres),
            [
                "SELECT",
                "'it''s'",
                ",",
                "E'a\\'b'",
                ",",
                "\"x\"\"y\"",
                ",",
                "$f$ ; -- $f$",
                ",",
                "$",
                "1",
                "::",
                "int",
                ";"
            ]
        );
        let tokens = tokens("\"x\"\"y\" $f$ a $f$ 'b''c'", Dialect::Postgres);
        assert_eq!(
            (tokens[0].name(), tokens[1].content(), tokens[2].content()),
            ("x\"y".into(), " a ".into(), "b'c".into())
        );
    }

    #[test]
    fn mysql_quotes_and_comments() {
        let sql = "ALTER /*!50100 TABLE */ `a``b` # ;\n\"x;\\\"\" 1--1 -- ;\n/* /* */;";
        assert_eq!(texts(sql, Dialect::Mysql), ["ALTER", "TABLE", "`a``b`", "\"x;\\\"\"", "1", "-", "-", "1", ";"]);
    }

    #[test]
    fn what_never_ends_ends_with_the_text() {
        for sql in ["'é", "\"é", "$é$ x", "/* é", "-- é", "$", "E'é", "é", "\\", "/*!5 x"] {
            for dialect in [Dialect::Postgres, Dialect::Mysql] {
                let _ = tokens(sql, dialect);
            }
        }
    }
}
