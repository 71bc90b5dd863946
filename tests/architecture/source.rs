//! A Rust file as the tokens that matter for paths: identifiers, `::`, braces; comments and literals are left out.

/// One token and the line it is on (from 1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) line: usize,
}

/// A source file.
#[derive(Debug)]
pub(crate) struct Source {
    /// Relative to the crate, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) tokens: Vec<Token>,
}

/// A path of ours that a file uses, from the crate's root.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Use {
    /// Such as `["clients", "prometheus"]`: as many as are written without braces, and the first in each brace.
    pub(crate) path: Vec<String>,
    pub(crate) line: usize,
}

impl Source {
    pub(crate) fn new(path: String, text: String) -> Self {
        let tokens = tokens(&text);
        Self { path, text, tokens }
    }

    /// The crate that the file belongs to: `domain`, `engine`, `demo`; empty for the root package.
    pub(crate) fn package(&self) -> &str {
        let inner = self.path.strip_prefix("crates/").and_then(|rest| rest.split('/').next());
        inner.unwrap_or_default()
    }

    /// The file's module path in its crate: `crates/engine/src/clients/redis.rs` is `clients`, `redis`; a root has none.
    pub(crate) fn module(&self) -> Vec<String> {
        let inner = self.path.split_once("src/").map_or(self.path.as_str(), |(_, inner)| inner);
        let mut parts: Vec<_> = inner.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
        let last = parts.last().map(String::as_str);
        if last == Some("mod") || (parts.len() == 1 && matches!(last, Some("lib" | "main"))) {
            parts.pop();
        }
        parts
    }

    /// The first line that names one of these crates.
    pub(crate) fn names(&self, crates: &[&str]) -> Option<(&str, usize)> {
        let found = self.tokens.iter().find(|token| crates.contains(&token.text.as_str()));
        found.map(|token| (token.text.as_str(), token.line))
    }

    /// Every `crate::…` and `super::…` of the file, resolved.
    pub(crate) fn uses(&self) -> Vec<Use> {
        let mut uses = Vec::new();
        // Module path at each point: inline `mod name { … }` lie deeper than the file.
        let mut module = self.module();
        let mut depth = 0_usize;
        let mut inline: Vec<usize> = Vec::new();
        let mut at = 0;
        while at < self.tokens.len() {
            match self.text_at(at) {
                "{" => depth += 1,
                "}" => {
                    if inline.last() == Some(&depth) {
                        inline.pop();
                        module.pop();
                    }
                    depth = depth.saturating_sub(1);
                }
                "mod" if self.text_at(at + 2) == "{" => {
                    module.push(self.text_at(at + 1).to_owned());
                    inline.push(depth + 1);
                    at += 1;
                }
                "crate" if self.text_at(at + 1) == "::" => {
                    self.tree(at + 2, &[], &mut uses);
                    at += 2;
                    continue;
                }
                "super" if self.text_at(at + 1) == "::" => {
                    let mut base = module.clone();
                    while self.text_at(at) == "super" && self.text_at(at + 1) == "::" {
                        base.pop();
                        at += 2;
                    }
                    self.tree(at, &base, &mut uses);
                    continue;
                }
                _ => {}
            }
            at += 1;
        }
        uses
    }

    /// Reads a use tree after `base::`, and adds each of its paths.
    fn tree(&self, mut at: usize, base: &[String], uses: &mut Vec<Use>) {
        let mut path = base.to_vec();
        let line = self.tokens.get(at).map_or(0, |token| token.line);
        loop {
            let text = self.text_at(at);
            if text == "{" {
                return self.branches(at + 1, &path, uses);
            }
            if is_name(text) {
                path.push(text.to_owned());
            }
            if self.text_at(at + 1) != "::" {
                break;
            }
            at += 2;
        }
        uses.push(Use { path, line });
    }

    /// Reads the comma-separated trees from behind `{` to its `}`.
    fn branches(&self, mut at: usize, base: &[String], uses: &mut Vec<Use>) {
        let mut depth = 1_usize;
        let mut begins = true;
        while depth > 0 && at < self.tokens.len() {
            match self.text_at(at) {
                "{" => depth += 1,
                "}" => depth -= 1,
                "," if depth == 1 => begins = true,
                _ if begins && depth == 1 => {
                    begins = false;
                    self.tree(at, base, uses);
                }
                _ => {}
            }
            at += 1;
        }
    }

    /// The text of a token, empty behind the end.
    pub(crate) fn text_at(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| &token.text)
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let (mut tokens, mut at, mut line) = (Vec::new(), 0, 1);
    while at < chars.len() {
        let start = at;
        let next = chars.get(at + 1).copied();
        match chars[at] {
            '/' if next == Some('/') => at = find(&chars, at, '\n'),
            '/' if next == Some('*') => at = block_comment(&chars, at),
            '"' => at = string(&chars, at),
            'r' | 'b' | 'c' if literal(&chars, at).is_some() => {
                at = literal(&chars, at).unwrap_or(at + 1);
            }
            '\'' => at = quote(&chars, at),
            first if first.is_alphanumeric() || first == '_' => {
                while at < chars.len() && (chars[at].is_alphanumeric() || chars[at] == '_') {
                    at += 1;
                }
                tokens.push(Token { text: chars[start..at].iter().collect(), line });
            }
            ':' if next == Some(':') => {
                at += 2;
                tokens.push(Token { text: "::".to_owned(), line });
            }
            space if space.is_whitespace() => at += 1,
            other => {
                at += 1;
                tokens.push(Token { text: other.to_string(), line });
            }
        }
        line += chars[start..at].iter().filter(|character| **character == '\n').count();
    }
    tokens
}

fn find(chars: &[char], from: usize, what: char) -> usize {
    (from..chars.len()).find(|at| chars[*at] == what).unwrap_or(chars.len())
}

/// Block comments nest.
fn block_comment(chars: &[char], mut at: usize) -> usize {
    let mut depth = 0_usize;
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => depth += 1,
            ('*', Some('/')) => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            break;
        }
    }
    at
}

fn string(chars: &[char], quote: usize) -> usize {
    let mut at = quote + 1;
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(chars.len())
}

/// The end of a prefixed literal (`r"…"`, `r#"…"#`, `b"…"`, `b'…'`, `br"…"`) that begins here, if one does.
fn literal(chars: &[char], start: usize) -> Option<usize> {
    let mut at = start;
    while matches!(chars.get(at), Some('r' | 'b' | 'c')) && at < start + 2 {
        at += 1;
    }
    let raw = chars[start..at].contains(&'r');
    let hashes = chars[at..].iter().take_while(|character| **character == '#').count();
    match chars.get(at + hashes) {
        Some('"') if raw => {
            let body = at + hashes + 1;
            let ends = |end: &usize| {
                chars[*end] == '"'
                    && chars[end + 1..].iter().take(hashes).filter(|hash| **hash == '#').count() == hashes
            };
            Some((body..chars.len()).find(ends).map_or(chars.len(), |end| end + 1 + hashes))
        }
        Some('"') if hashes == 0 => Some(string(chars, at)),
        Some('\'') if hashes == 0 && chars[start] == 'b' => Some(quote(chars, at)),
        _ => None,
    }
}

/// A character literal whole, or the tick of a lifetime alone.
fn quote(chars: &[char], at: usize) -> usize {
    match (chars.get(at + 1), chars.get(at + 2)) {
        (Some('\\'), _) => (find(chars, at + 3, '\'') + 1).min(chars.len()),
        (Some(_), Some('\'')) => at + 3,
        _ => at + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(file: &str, text: &str) -> Vec<String> {
        let source = Source::new(file.to_owned(), text.to_owned());
        source.uses().iter().map(|used| format!("{}@{}", used.path.join("::"), used.line)).collect()
    }

    #[test]
    fn paths_are_found_and_resolved() {
        let cases: &[(&str, &str, &[&str])] = &[
            ("src/domain/kpi.rs", "use crate::clients::Prometheus;", &["clients::Prometheus@1"]),
            (
                "src/domain/kpi.rs",
                "use crate::{\n  error::Error, output::{Report, table},\n};",
                &["error::Error@2", "output::Report@2", "output::table@2"],
            ),
            ("src/domain/kpi.rs", "use super::super::clients;", &["clients@1"]),
            ("src/domain/kpi.rs", "use super::slo::Slo;", &["domain::slo::Slo@1"]),
            ("src/domain/mod.rs", "use super::error;", &["error@1"]),
            ("src/domain/kpi.rs", "mod tests { use super::super::x; } use super::y;", &["domain::x@1", "domain::y@1"]),
            ("src/domain/kpi.rs", "fn f() { crate::stores::open() }", &["stores::open@1"]),
            ("src/domain/kpi.rs", "pub(crate) fn f() {} // crate::clients\n/* crate::a /* */ crate::b */", &[]),
            (
                "src/domain/kpi.rs",
                "let a = \"crate::clients\"; let b = r#\"\" crate::x\"#; let c = '\"'; crate::z()",
                &["z@1"],
            ),
            ("src/domain/kpi.rs", "fn f<'a>(x: &'a str) -> crate::Error {} b'\\'' b\"crate::q\"", &["Error@1"]),
            ("src/domain/kpi.rs", "use super::*;", &["domain@1"]),
        ];
        for (file, text, expected) in cases {
            assert_eq!(&paths(file, text), expected, "{text}");
        }
    }
}
