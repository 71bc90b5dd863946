//! Regular expressions as Alertmanager reads them: Go's dialect of RE2, translated for our own engine, which takes more
//! and means other things by some of it (`\w` of Unicode, set operations within classes, `{` as a mistake).
//! Source of the dialect: https://pkg.go.dev/regexp/syntax.

use std::iter::Peekable;
use std::str::Chars;

use regex::Regex;

/// Go refuses more repetitions.
const MOST: u32 = 1000;

/// Compiles an expression that must match the whole text (`labels.NewMatcher`).
///
/// # Errors
/// Why Alertmanager would refuse it.
pub fn anchored(expression: &str) -> Result<Regex, String> {
    let mut reader = Reader { rest: expression.chars().peekable(), out: String::new() };
    reader.translate()?;
    let translated = Regex::new(&format!("^(?:{})$", reader.out));
    translated
        .map_err(|error| error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned())
}

struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    out: String,
}

/// The characters of `\d`, `\s`, `\w`: ASCII only.
fn perl(letter: char) -> Option<&'static str> {
    match letter.to_ascii_lowercase() {
        'd' => Some("0-9"),
        's' => Some(r"\t\n\f\r "),
        'w' => Some("0-9A-Za-z_"),
        _ => None,
    }
}

impl Reader<'_> {
    fn translate(&mut self) -> Result<(), String> {
        let mut repeated = false;
        while let Some(letter) = self.rest.next() {
            let bounds = if letter == '{' { self.bounds()? } else { None };
            if matches!(letter, '*' | '+' | '?') || bounds.is_some() {
                if repeated {
                    return Err("invalid nested repetition operator".into());
                }
                self.out.push_str(bounds.as_deref().unwrap_or(&letter.to_string()));
                if self.rest.next_if_eq(&'?').is_some() {
                    self.out.push('?');
                }
                repeated = true;
                continue;
            }
            repeated = false;
            match letter {
                '\\' => self.escape()?,
                '[' => self.class()?,
                '(' => self.group()?,
                '{' | '}' => self.literal(letter),
                other => self.out.push(other),
            }
        }
        Ok(())
    }

    fn literal(&mut self, letter: char) {
        if r"\.+*?()|[]{}^$#&-~".contains(letter) {
            self.out.push('\\');
        }
        self.out.push(letter);
    }

    /// The bounds of a repetition after its `{`; none where it is just a brace.
    fn bounds(&mut self) -> Result<Option<String>, String> {
        let inner: String = self.rest.clone().take_while(|letter| letter.is_ascii_digit() || *letter == ',').collect();
        let closes = self.rest.clone().nth(inner.len()) == Some('}');
        let (least, most) = inner.split_once(',').unwrap_or((&inner, &inner));
        if !closes || least.is_empty() || most.contains(',') {
            return Ok(None);
        }
        let number = |text: &str| text.parse::<u32>().ok().filter(|number| *number <= MOST);
        let is_sound =
            number(least).is_some_and(|least| most.is_empty() || number(most).is_some_and(|most| least <= most));
        if !is_sound {
            return Err(format!("invalid repeat count: `{{{inner}}}`"));
        }
        self.rest.nth(inner.len());
        Ok(Some(format!("{{{inner}}}")))
    }

    fn escape(&mut self) -> Result<(), String> {
        match self.rest.peek().copied() {
            Some('b') => {
                self.rest.next();
                self.out.push_str(r"(?-u:\b)");
            }
            Some(letter @ ('A' | 'z')) => {
                self.rest.next();
                self.out.extend(['\\', letter]);
            }
            Some('Q') => {
                self.rest.next();
                self.quoted();
            }
            Some(letter) if perl(letter).is_some() => {
                self.rest.next();
                let negated = if letter.is_ascii_uppercase() { "^" } else { "" };
                self.out.push_str(&format!("[{negated}{}]", perl(letter).unwrap_or_default()));
            }
            Some('p' | 'P') => self.unicode()?,
            _ => {
                let letter = self.character()?;
                self.literal(letter);
            }
        }
        Ok(())
    }

    /// Literal up to `\E`.
    fn quoted(&mut self) {
        while let Some(letter) = self.rest.next() {
            if letter == '\\' && self.rest.next_if_eq(&'E').is_some() {
                return;
            }
            self.literal(letter);
        }
    }

    /// `\pN`, `\p{Greek}`, `\p{^Greek}`.
    fn unicode(&mut self) -> Result<(), String> {
        let (letter, next) = (self.rest.next(), self.rest.next());
        let (Some(letter), Some(next)) = (letter, next) else {
            return Err("invalid character class range".into());
        };
        let name: String =
            if next == '{' { self.rest.by_ref().take_while(|letter| *letter != '}').collect() } else { next.into() };
        let (negated, name) = name.strip_prefix('^').map_or((false, name.as_str()), |name| (true, name));
        let letter = if negated == (letter == 'p') { 'P' } else { 'p' };
        self.out.push_str(&format!("\\{letter}{{{name}}}"));
        Ok(())
    }

    /// The one character of an escape, after its backslash.
    fn character(&mut self) -> Result<char, String> {
        let of_code = |digits: &str, radix: u32| {
            let code = u32::from_str_radix(digits, radix).ok().and_then(char::from_u32);
            code.ok_or_else(|| "invalid escape sequence".to_owned())
        };
        let Some(letter) = self.rest.next() else {
            return Err("trailing backslash at end of expression".into());
        };
        match letter {
            'a' => Ok('\u{7}'),
            'f' => Ok('\u{c}'),
            't' => Ok('\t'),
            'n' => Ok('\n'),
            'r' => Ok('\r'),
            'v' => Ok('\u{b}'),
            'x' if self.rest.next_if_eq(&'{').is_some() => {
                let digits: String = self.rest.by_ref().take_while(|letter| *letter != '}').collect();
                of_code(&digits, 16)
            }
            'x' => {
                let digits: String = self.rest.by_ref().take(2).collect();
                if digits.len() == 2 { of_code(&digits, 16) } else { Err("invalid escape sequence".into()) }
            }
            '0'..='7' => {
                let mut digits = letter.to_string();
                while digits.len() < 3
                    && let Some(digit) = self.rest.next_if(|letter| ('0'..='7').contains(letter))
                {
                    digits.push(digit);
                }
                // A single one would be a reference to a group, which Go has not.
                if letter != '0' && digits.len() == 1 {
                    return Err(format!("invalid escape sequence: `\\{letter}`"));
                }
                of_code(&digits, 8)
            }
            other if other.is_ascii() && !other.is_ascii_alphanumeric() => Ok(other),
            other => Err(format!("invalid escape sequence: `\\{other}`")),
        }
    }

    /// A class after its `[`: what follows is a plain list of characters, ranges and named classes.
    fn class(&mut self) -> Result<(), String> {
        self.out.push('[');
        if self.rest.next_if_eq(&'^').is_some() {
            self.out.push('^');
        }
        let mut first = true;
        loop {
            let unclosed = || "missing closing ]".to_owned();
            let letter = self.rest.peek().copied().ok_or_else(unclosed)?;
            if letter == ']' && !first {
                self.rest.next();
                self.out.push(']');
                return Ok(());
            }
            first = false;
            let mut ahead = self.rest.clone();
            ahead.next();
            let next = ahead.peek().copied();
            match (letter, next) {
                ('[', Some(':')) if ahead.clone().collect::<String>().contains(":]") => {
                    let name: String = self.rest.by_ref().take_while(|letter| *letter != ']').collect();
                    self.out.push_str(&name);
                    self.out.push(']');
                }
                ('\\', Some(kind)) if perl(kind).is_some() => {
                    self.rest.nth(1);
                    let set = perl(kind).unwrap_or_default();
                    self.out.push_str(&if kind.is_ascii_uppercase() { format!("[^{set}]") } else { set.to_owned() });
                }
                ('\\', Some('p' | 'P')) => {
                    self.rest.next();
                    self.unicode()?;
                }
                _ => self.range()?,
            }
        }
    }

    fn range(&mut self) -> Result<(), String> {
        let low = self.of_class()?;
        self.literal(low);
        let mut ahead = self.rest.clone();
        let is_range = ahead.next() == Some('-') && ahead.next().is_some_and(|letter| letter != ']');
        if is_range {
            self.rest.next();
            let high = self.of_class()?;
            if high < low {
                return Err(format!("invalid character class range: `{low}-{high}`"));
            }
            self.out.push('-');
            self.literal(high);
        }
        Ok(())
    }

    fn of_class(&mut self) -> Result<char, String> {
        match self.rest.next() {
            Some('\\') => self.character(),
            Some(letter) => Ok(letter),
            None => Err("missing closing ]".into()),
        }
    }

    /// A group after its `(`: a name, or flags that Go knows.
    fn group(&mut self) -> Result<(), String> {
        self.out.push('(');
        if self.rest.next_if_eq(&'?').is_none() {
            return Ok(());
        }
        self.out.push('?');
        let mut head = String::new();
        for letter in self.rest.by_ref() {
            head.push(letter);
            if matches!(letter, ':' | ')' | '>') {
                break;
            }
        }
        let is_named = head.starts_with("P<") || head.starts_with('<');
        let is_flags = head.ends_with([':', ')']) && head.chars().all(|letter| "imsU-:)".contains(letter));
        self.out.push_str(&head);
        if is_named || is_flags { Ok(()) } else { Err(format!("invalid or unsupported Perl syntax: `(?{head}`")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each as Alertmanager 0.25 judges it.
    #[test]
    fn expressions_mean_what_they_mean_to_alertmanager() {
        for (expression, text, want) in [
            ("/api/users/{id}", "/api/users/{id}", true),
            ("a{2}", "aa", true),
            ("a{,2}", "a{,2}", true),
            (r"\w+", "café", false),
            (r"\w+", "cafe_1", true),
            (r"\d+", "٣", false),
            (r"[\d-]+", "1-2", true),
            (r"[^\D]+", "12", true),
            (r"\s", "\u{a0}", false),
            (r"caf\b.+", "café", true),
            ("[a-z--b]+", "a-b", true),
            ("[a&&b]+", "a&b", true),
            ("[[]", "[", true),
            ("[]a]+", "]a", true),
            ("[[:alpha:]]+", "abc", true),
            (r"\<a\>", "<a>", true),
            (r"\Qa.b\E.", "a.bc", true),
            (r"\Qa.b\E.", "axbc", false),
            (r"\101", "A", true),
            (r"\x41\x{42}", "AB", true),
            (r"\p{Greek}\PN", "αb", true),
            (r"\p{^Greek}", "α", false),
            ("(?i)abc", "ABC", true),
            ("(?P<x>a)(?:b)", "ab", true),
            ("a|b", "b", true),
            ("a|b", "ab", false),
            (".", "\n", false),
            ("a??b+?", "abb", true),
        ] {
            let regex = anchored(expression).unwrap_or_else(|error| panic!("{expression}: {error}"));
            assert_eq!(regex.is_match(text), want, "{expression} on {text}");
        }
        for expression in [
            "(?x)a", r"\u0041", "a{1001}", "a{3,2}", "a**", "(", "[a", "[b-a]", r"\1", r"\Z", r"\y", "(?=a)", "*a",
            r"a\",
        ] {
            assert!(anchored(expression).is_err(), "{expression}");
        }
    }
}
