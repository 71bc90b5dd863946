//! What libyaml takes and the strict parser does not: quoted texts, `{…}` and `[…]` whose lines are indented less than
//! what they belong to, tabs between words, and a comment right behind a quote. The text is written anew as the strict
//! parser wants it; every line stays the line that it is.

/// The same text, indented by the rules.
pub fn indented(text: &str) -> String {
    let mut writer = Writer::default();
    text.split_inclusive('\n').for_each(|line| writer.line(line));
    writer.text
}

#[derive(Default)]
struct Writer {
    text: String,
    /// Open `{` and `[`.
    depth: usize,
    quote: Option<char>,
    /// The column of the first word of the last line that began outside of all of these.
    column: usize,
    /// Lines that are indented more than this belong to a block (`|`, `>`).
    block: Option<usize>,
}

impl Writer {
    fn line(&mut self, line: &str) {
        let bare = line.trim_start_matches([' ', '\t']);
        let is_blank = bare.trim_end().is_empty();
        let spaces = line.len() - line.trim_start_matches(' ').len();
        if self.block.is_some_and(|parent| is_blank || spaces > parent) || (is_blank && self.quote.is_some()) {
            self.text.push_str(line);
            return;
        }
        self.block = None;
        if self.quote.is_none() && self.depth > 0 && line[spaces..].starts_with('\t') {
            // Between brackets even libyaml takes no tab for indentation.
            self.text.push_str(&line[..line.len() - bare.len()]);
        } else if self.quote.is_some() || self.depth > 0 {
            self.text.push_str(&" ".repeat(self.column + 2));
        } else {
            self.text.push_str(&line[..line.len() - bare.len()]);
            // The mark of an item is no key.
            let words = bare.trim_start_matches(['-', '?', ' ']);
            let is_item = bare.starts_with("- ") || bare.starts_with("? ");
            self.column = line.len() - if is_item { words.len() } else { bare.len() };
        }
        self.words(bare);
    }

    /// Follows a line outside of its indentation.
    fn words(&mut self, line: &str) {
        // May a quoted text or a collection begin here?
        let mut is_fresh = self.quote.is_none();
        let mut before = ' ';
        let mut rest = line;
        while let Some(c) = rest.chars().next() {
            let next = &rest[c.len_utf8()..];
            let mut length = c.len_utf8();
            let mut written = c;
            match (self.quote, c) {
                (Some('"'), '\\') => length += next.chars().next().map_or(0, char::len_utf8),
                (Some('\''), '\'') if next.starts_with('\'') => length += 1,
                (Some(quote), c) if c == quote => {
                    self.quote = None;
                    if next.starts_with('#') {
                        self.text.push(c);
                        written = ' ';
                        length = 1;
                    }
                }
                (Some(_), _) => {}
                (None, '#') if before.is_whitespace() => {
                    self.text.push_str(rest);
                    return;
                }
                (None, '"' | '\'') if is_fresh => self.quote = Some(c),
                (None, '{' | '[') if is_fresh => self.depth += 1,
                (None, '}' | ']') => {
                    self.depth = self.depth.saturating_sub(1);
                    is_fresh = false;
                }
                (None, '|' | '>') if is_fresh && self.depth == 0 && is_header(next) => {
                    self.block = Some(self.column);
                    self.text.push_str(rest);
                    return;
                }
                (None, '\t') => written = ' ',
                (None, ',') => is_fresh |= self.depth > 0,
                (None, ':') => is_fresh = next.is_empty() || next.starts_with(char::is_whitespace),
                (None, '-' | '?') => is_fresh &= next.is_empty() || next.starts_with(char::is_whitespace),
                (None, '&' | '!') if is_fresh => {
                    length = rest.find(char::is_whitespace).unwrap_or(rest.len());
                }
                (None, c) => is_fresh &= c.is_whitespace(),
            }
            if self.quote.is_none() && matches!(c, '"' | '\'') {
                is_fresh = false;
            }
            if length == c.len_utf8() {
                self.text.push(written);
            } else {
                self.text.push_str(&rest[..length]);
            }
            before = c;
            rest = &rest[length..];
        }
    }
}

/// Does a block follow: nothing but its marks and a comment?
fn is_header(rest: &str) -> bool {
    let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '-' || c == '+');
    rest.trim().is_empty() || rest.trim_start().starts_with('#')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_continues_moves() {
        for (text, want) in [
            ("a: \"b\nc\"\nd: 1\n", "a: \"b\n  c\"\nd: 1\n"),
            ("- a: 'b it''s\n\nc'\n  d: 1\n", "- a: 'b it''s\n\n    c'\n  d: 1\n"),
            ("a: {\nb: [c,\nd], e: \"}\n\" }\n", "a: {\n  b: [c,\n  d], e: \"}\n  \" }\n"),
            ("a: \"b \\\" \\\\\"# c\nd:\te\n", "a: \"b \\\" \\\\\" # c\nd: e\n"),
            ("a: |\n  \"b\n  {\nc: >-  # {\n  '\nd: 'e\nf'\n", "a: |\n  \"b\n  {\nc: >-  # {\n  '\nd: 'e\n  f'\n"),
            ("- a: |\n    \"\n  b: \"c\nd\"\n", "- a: |\n    \"\n  b: \"c\n    d\"\n"),
            ("a: it's {b\nc: d\" # \"{\ne: f\n", "a: it's {b\nc: d\" # \"{\ne: f\n"),
            ("a: {\n\tb: c\n}\n", "a: {\n\tb: c\n  }\n"),
            ("a: &x \"b\nc\"\nd: x-\"y\n", "a: &x \"b\n  c\"\nd: x-\"y\n"),
        ] {
            assert_eq!(indented(text), want, "{text}");
            assert_eq!(indented(text).lines().count(), text.lines().count());
        }
    }
}
