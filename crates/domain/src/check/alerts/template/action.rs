//! The words of a template's action, as Go's lexer tells them apart.

/// One word between `{{` and `}}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word<'a> {
    /// `.name`
    Field(&'a str),
    /// `$name`, with its mark.
    Variable(&'a str),
    Dot,
    /// A function or keyword.
    Name(&'a str),
    /// A number, a character, `true` or `false`.
    Constant,
    /// A text, without its quotes.
    Text(&'a str),
    Pipe,
    Open,
    Close,
    /// `:=`
    Declare,
    /// `=`
    Assign,
    /// A comma, or what has no meaning.
    Other(char),
    Space,
    End,
}

impl Word<'_> {
    pub fn show(self) -> String {
        match self {
            Self::Field(name) => format!(".{name}"),
            Self::Variable(name) | Self::Name(name) => name.into(),
            Self::Dot => ".".into(),
            Self::Constant => "a constant".into(),
            Self::Text(text) => format!("\"{text}\""),
            Self::Pipe => "|".into(),
            Self::Open => "(".into(),
            Self::Close => ")".into(),
            Self::Declare => ":=".into(),
            Self::Assign => "=".into(),
            Self::Other(c) => c.into(),
            Self::Space => " ".into(),
            Self::End => "}}".into(),
        }
    }
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn is_letter(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// Behind `{{` or `{{- `: the words of the action, and what follows its `}}`.
pub fn words(text: &str) -> Result<(Vec<Word<'_>>, &str), String> {
    let mut words = Vec::new();
    let mut depth = 0_usize;
    let mut rest = text;
    loop {
        let trimmed = || rest.strip_prefix(is_space)?.strip_prefix("-}}");
        if let Some(tail) = rest.strip_prefix("}}").or_else(trimmed) {
            words.push(Word::End);
            return if depth == 0 { Ok((words, tail)) } else { Err("`(` is not closed".into()) };
        }
        let Some(first) = rest.chars().next() else { return Err("`{{` has no `}}`".into()) };
        let after = &rest[first.len_utf8()..];
        let (word, length) = match first {
            c if is_space(c) => (Word::Space, 1),
            '=' => (Word::Assign, 1),
            ':' if after.starts_with('=') => (Word::Declare, 2),
            '|' => (Word::Pipe, 1),
            '"' => {
                let length = quoted(rest)?;
                (Word::Text(&rest[1..length - 1]), length)
            }
            '`' => {
                let length = after.find('`').ok_or("a string is not closed")?;
                (Word::Text(&after[..length]), length + 2)
            }
            '\'' => (Word::Constant, character(rest)?),
            '$' => {
                let length = 1 + name(after)?.len();
                (Word::Variable(&rest[..length]), length)
            }
            '.' if !after.starts_with(|c: char| c.is_ascii_digit()) => match name(after)? {
                "" => (Word::Dot, 1),
                field => (Word::Field(field), 1 + field.len()),
            },
            '+' | '-' | '.' | '0'..='9' => (Word::Constant, number(rest)?),
            '(' => {
                depth += 1;
                (Word::Open, 1)
            }
            ')' => {
                depth = depth.checked_sub(1).ok_or("`)` closes nothing")?;
                (Word::Close, 1)
            }
            c if is_letter(c) => match name(rest)? {
                word @ ("true" | "false") => (Word::Constant, word.len()),
                word => (Word::Name(word), word.len()),
            },
            c if c.is_ascii_graphic() => (Word::Other(c), 1),
            c => return Err(format!("unexpected `{}` in `{{{{ … }}}}`", c.escape_default())),
        };
        if word != Word::Space || words.last() != Some(&Word::Space) {
            words.push(word);
        }
        rest = &rest[length..];
    }
}

/// The letters that a text begins with; what follows them must end a word.
fn name(text: &str) -> Result<&str, String> {
    let length = text.find(|c: char| !is_letter(c)).unwrap_or(text.len());
    let rest = &text[length..];
    let next = rest.chars().next();
    let ends = next.is_none_or(|c| is_space(c) || ".,|:()".contains(c)) || rest.starts_with("}}");
    match next {
        Some(c) if !ends => Err(format!("unexpected `{c}` after `{}`", &text[..length])),
        _ => Ok(&text[..length]),
    }
}

/// The length of a string in double quotes.
fn quoted(text: &str) -> Result<usize, String> {
    let mut at = 1;
    loop {
        match text[at..].chars().next() {
            None | Some('\n') => return Err("a string is not closed".into()),
            Some('"') => return Ok(at + 1),
            Some('\\') => {
                let length = escape(&text[at..], '"').ok_or("a string has an escape that there is not")?;
                at += length;
            }
            Some(c) => at += c.len_utf8(),
        }
    }
}

/// The length of a character in single quotes.
fn character(text: &str) -> Result<usize, String> {
    let wrong = || "single quotes hold one character, and double quotes a text".to_owned();
    let inner = &text[1..];
    let length = match inner.chars().next() {
        None | Some('\n' | '\'') => return Err(wrong()),
        Some('\\') => escape(inner, '\'').ok_or_else(wrong)?,
        Some(c) => c.len_utf8(),
    };
    if inner[length..].starts_with('\'') { Ok(length + 2) } else { Err(wrong()) }
}

/// The length of an escape.
fn escape(text: &str, quote: char) -> Option<usize> {
    let digits = |from: usize, count: usize, radix: u32| {
        let found = text.get(from..from + count)?;
        found.chars().all(|c| c.is_digit(radix)).then_some(from + count)
    };
    match text.chars().nth(1)? {
        'a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' | '\\' => Some(2),
        c if c == quote => Some(2),
        'x' => digits(2, 2, 16),
        'u' => digits(2, 4, 16),
        'U' => digits(2, 8, 16),
        '0'..='7' => digits(1, 3, 8),
        _ => None,
    }
}

/// The length of a number.
fn number(text: &str) -> Result<usize, String> {
    let digits = |text: &str, radix: u32| text.find(|c: char| c != '_' && !c.is_digit(radix)).unwrap_or(text.len());
    let mut at = usize::from(text.starts_with(['+', '-']));
    let lower = text[at..].get(..2).unwrap_or_default().to_ascii_lowercase();
    let (radix, mark) = match lower.as_str() {
        "0x" => (16, 2),
        "0o" => (8, 2),
        "0b" => (2, 2),
        _ => (10, 0),
    };
    at += mark;
    let begin = at;
    at += digits(&text[at..], radix);
    if text[at..].starts_with('.') {
        at += 1 + digits(&text[at + 1..], radix);
    }
    let has_digit = text[begin..at].chars().any(|c| c.is_ascii_hexdigit());
    if radix == 10 && text[at..].starts_with(['e', 'E']) {
        at += 1 + usize::from(text[at + 1..].starts_with(['+', '-']));
        at += digits(&text[at..], 10);
    }
    at += usize::from(text[at..].starts_with('i'));
    let next = text[at..].chars().next();
    if !has_digit || next.is_some_and(is_letter) {
        let shown: String = text.chars().take_while(|c| !is_space(*c) && *c != '}').collect();
        return Err(format!("`{shown}` is no number: templates do not calculate"));
    }
    Ok(at)
}
