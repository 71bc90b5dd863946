//! PromQL cut into tokens with their places. Cuts only; what is allowed where, `parser` knows.

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A name or a keyword.
    Word,
    /// A number or a duration.
    Number,
    /// A quoted string, ended or not.
    Text,
    /// `(`, `{`, `[`.
    Open,
    /// `)`, `}`, `]`.
    Close,
    /// An operator, a comma, or a character that PromQL has no use for.
    Sign,
}

/// A piece of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token<'a> {
    pub kind: Kind,
    pub text: &'a str,
    /// Where it begins, in bytes.
    pub start: usize,
}

impl Token<'_> {
    /// Where it ends, in bytes.
    pub fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// Is it this word? Keywords are written in any case.
    pub fn is_word(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(word)
    }
}

/// Operators of two characters.
const DOUBLE: [&str; 6] = ["==", "!=", ">=", "<=", "=~", "!~"];

/// Cuts an expression; blanks and comments are left out.
pub fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut start = 0;
    // A colon belongs to a name, but not within braces and brackets.
    let mut colon = true;
    while let Some(first) = text[start..].chars().next() {
        let rest = &text[start..];
        let (kind, length) = match first {
            c if c.is_ascii_whitespace() => {
                start += 1;
                continue;
            }
            '#' => {
                start += rest.find(['\n', '\r']).unwrap_or(rest.len());
                continue;
            }
            '(' | '{' | '[' => (Kind::Open, 1),
            ')' | '}' | ']' => (Kind::Close, 1),
            '"' | '\'' | '`' => (Kind::Text, quoted(rest, first)),
            c if c.is_ascii_digit() => (Kind::Number, number(rest)),
            '.' if rest[1..].starts_with(|c: char| c.is_ascii_digit()) => (Kind::Number, number(rest)),
            c if is_name(c) || (c == ':' && colon) => {
                let ends = |c: char| !(is_name(c) || c.is_ascii_digit() || (c == ':' && colon));
                (Kind::Word, rest.find(ends).unwrap_or(rest.len()))
            }
            _ if DOUBLE.iter().any(|sign| rest.starts_with(sign)) => (Kind::Sign, 2),
            c => (Kind::Sign, c.len_utf8()),
        };
        if matches!(first, '{' | '[') {
            colon = false;
        } else if matches!(first, '}' | ']') {
            colon = true;
        }
        found.push(Token { kind, text: &rest[..length], start });
        start += length;
    }
    found
}

fn is_name(c: char) -> bool {
    c == '_' || c.is_ascii_alphabetic()
}

/// Length of a string with its quotes; to the end of the text when it is not ended.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (place, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' if quote != '`' => escaped = true,
            c if c == quote => return place + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

/// Length of a number or duration, with the sign of an exponent and with letters that do not belong there.
fn number(text: &str) -> usize {
    let mut before = ' ';
    let hexadecimal = text.starts_with("0x") || text.starts_with("0X");
    for (place, c) in text.char_indices() {
        let sign = matches!(c, '+' | '-') && matches!(before, 'e' | 'E') && !hexadecimal;
        if !(is_name(c) || c.is_ascii_digit() || c == '.' || sign) {
            return place;
        }
        before = c;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_into_pieces_with_places() {
        for (text, want) in [
            ("sum(a:b)", vec!["sum", "(", "a:b", ")"]),
            ("x{a=~\"y\\\"z\"}[5m:1m]", vec!["x", "{", "a", "=~", "\"y\\\"z\"", "}", "[", "5m", ":", "1m", "]"]),
            ("1e-5-.5 != 0x1e+2", vec!["1e-5", "-", ".5", "!=", "0x1e", "+", "2"]),
            ("a # b (\n+ c", vec!["a", "+", "c"]),
            ("é;'not ended", vec!["é", ";", "'not ended"]),
            ("`\\`a", vec!["`\\`", "a"]),
            ("", vec![]),
        ] {
            let found = tokens(text);
            let texts: Vec<&str> = found.iter().map(|token| token.text).collect();
            assert_eq!(texts, want, "{text}");
            for token in found {
                assert_eq!(&text[token.start..token.end()], token.text);
            }
        }
    }
}
