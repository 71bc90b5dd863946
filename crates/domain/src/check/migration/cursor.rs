//! A place in the tokens of one statement, and the words that every statement is made of.

use super::Dialect;
use super::lexer::{Kind, Token};
use super::statement::{Expression, Name};

#[derive(Clone)]
pub struct Cursor<'t, 'a> {
    tokens: &'t [Token<'a>],
    at: usize,
    source: &'a str,
    pub dialect: Dialect,
}

impl<'t, 'a> Cursor<'t, 'a> {
    pub fn new(tokens: &'t [Token<'a>], source: &'a str, dialect: Dialect) -> Self {
        Self { tokens, at: 0, source, dialect }
    }

    fn part(&self, tokens: &'t [Token<'a>]) -> Self {
        Self { tokens, at: 0, source: self.source, dialect: self.dialect }
    }

    /// What was read since `place`, as it was written.
    pub fn written(&self, place: usize) -> String {
        match (self.since(place).first(), self.since(place).last()) {
            (Some(first), Some(last)) => self.source.get(first.at..last.end()).unwrap_or_default().to_owned(),
            _ => String::new(),
        }
    }

    pub fn peek(&self) -> Option<&'t Token<'a>> {
        self.tokens.get(self.at)
    }

    pub fn ahead(&self, n: usize) -> Option<&'t Token<'a>> {
        self.tokens.get(self.at + n)
    }

    pub fn next(&mut self) -> Option<&'t Token<'a>> {
        let token = self.tokens.get(self.at);
        self.at += 1;
        token
    }

    pub fn done(&self) -> bool {
        self.at >= self.tokens.len()
    }

    pub fn rest(&self) -> &'t [Token<'a>] {
        self.tokens.get(self.at..).unwrap_or_default()
    }

    pub fn skip_all(&mut self) {
        self.at = self.tokens.len();
    }

    pub fn place(&self) -> usize {
        self.at
    }

    pub fn since(&self, place: usize) -> &'t [Token<'a>] {
        self.tokens.get(place..self.at.min(self.tokens.len())).unwrap_or_default()
    }

    /// Do these words come next?
    pub fn sees(&self, words: &str) -> bool {
        words.split(' ').enumerate().all(|(n, word)| self.ahead(n).is_some_and(|t| t.is(word)))
    }

    /// Takes these words, if they come next.
    pub fn take(&mut self, words: &str) -> bool {
        let sees = self.sees(words);
        if sees {
            self.at += words.split(' ').count();
        }
        sees
    }

    pub fn take_any(&mut self, choices: &[&'static str]) -> Option<&'static str> {
        choices.iter().find(|words| self.take(words)).copied()
    }

    pub fn expect(&mut self, words: &str) -> Option<()> {
        self.take(words).then_some(())
    }

    /// `name`, `schema.name`. MySQL's database is left out: a history is of one database.
    pub fn name(&mut self) -> Option<Name> {
        let mut parts = vec![self.word()?];
        while self.sees(".") && self.ahead(1).is_some_and(Token::is_name) {
            self.next();
            parts.push(self.word()?);
        }
        let last = parts.pop()?;
        match parts.pop() {
            Some(schema) if schema != "public" && !self.dialect.is_mysql() => Some(format!("{schema}.{last}")),
            _ => Some(last),
        }
    }

    /// One name without a schema.
    pub fn word(&mut self) -> Option<Name> {
        let token = self.peek().filter(|t| t.is_name())?;
        self.at += 1;
        let mut name = token.name();
        // PostgreSQL cuts longer names, and says so in a notice that nobody reads.
        if name.len() > 63 && !self.dialect.is_mysql() {
            let end = (0..=63).rev().find(|end| name.is_char_boundary(*end)).unwrap_or(0);
            name.truncate(end);
        }
        Some(name)
    }

    /// `schema.table.column`: the table, without the schema that everybody means.
    pub fn table_of_column(&mut self) -> Option<String> {
        let mut parts = vec![self.word()?];
        while self.take(".") {
            parts.push(self.word()?);
        }
        parts.pop();
        if parts.first().is_some_and(|part| part == "public") {
            parts.remove(0);
        }
        Some(parts.join("."))
    }

    pub fn names(&mut self) -> Option<Vec<Name>> {
        let mut names = vec![];
        loop {
            self.take("only");
            names.push(self.name()?);
            self.take("*");
            if !self.take(",") {
                return Some(names);
            }
        }
    }

    pub fn if_exists(&mut self) -> bool {
        self.take("if exists")
    }

    pub fn if_not_exists(&mut self) -> bool {
        self.take("if not exists")
    }

    /// What stands between parentheses, if one opens here.
    pub fn group(&mut self) -> Option<Cursor<'t, 'a>> {
        if !self.sees("(") {
            return None;
        }
        let from = self.at + 1;
        self.skip_item();
        Some(self.part(self.tokens.get(from..self.at.saturating_sub(1))?))
    }

    /// One token, or a whole pair of parentheses.
    pub fn skip_item(&mut self) {
        let mut depth = 0_usize;
        while let Some(token) = self.next() {
            if token.is("(") || token.is("[") {
                depth += 1;
            } else if token.is(")") || token.is("]") {
                depth = depth.saturating_sub(1);
            }
            if depth == 0 {
                return;
            }
        }
    }

    /// An expression, up to a comma or one of these words outside of parentheses.
    pub fn expression(&mut self, ends: &[&str]) -> Expression {
        let from = self.at;
        while let Some(token) = self.peek() {
            // The first word belongs to it, whatever it is: `DEFAULT NULL`.
            if token.is(",") || token.is(")") || (self.at > from && ends.iter().any(|end| self.sees(end))) {
                break;
            }
            self.skip_item();
        }
        words(self.since(from))
    }

    /// The items of a list, each a place of its own.
    pub fn list(&mut self) -> Vec<Cursor<'t, 'a>> {
        let mut items = vec![];
        let mut from = self.at;
        loop {
            if self.done() || self.sees(",") {
                items.push(self.part(self.since(from)));
                if self.next().is_none() {
                    return items;
                }
                from = self.at;
            } else {
                self.skip_item();
            }
        }
    }

    /// The columns in parentheses: of an index, a key, a reference. An expression is left out.
    pub fn columns(&mut self) -> Option<Vec<Name>> {
        let mut group = self.group()?;
        let mut columns = vec![];
        for mut item in group.list() {
            let plain = item.peek().is_some_and(Token::is_name)
                && !item.ahead(1).is_some_and(|t| t.is("(") && !self.dialect.is_mysql());
            if plain {
                columns.push(item.word()?);
            } else {
                columns.push(format!("({})", words(item.rest())));
            }
        }
        Some(columns)
    }
}

/// Tokens as one text with one space between.
pub fn words(tokens: &[Token<'_>]) -> String {
    let mut out = String::new();
    for token in tokens {
        if !out.is_empty() {
            out.push(' ');
        }
        match token.kind {
            Kind::Word | Kind::Quoted => out.push_str(&token.name()),
            Kind::Text | Kind::Number | Kind::Symbol => out.push_str(token.text),
        }
    }
    out
}
