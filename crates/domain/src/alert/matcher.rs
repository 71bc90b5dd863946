//! Alertmanager's label matchers: `name="x"`, `!=`, `=~`, `!~`. Regular expressions are anchored at both ends.

use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::alert::re2;
use crate::metric::labels::{Labels, show_name};
use crate::metric::promql::literal::{Quoted, unquoted};

/// One condition on a label; a missing label is the empty text. The serialised form is that of Alertmanager's API v2.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Matcher {
    pub name: String,
    pub value: String,
    pub is_regex: bool,
    /// Missing in answers of old versions, where it was always true.
    #[serde(default = "yes")]
    pub is_equal: bool,
}

fn yes() -> bool {
    true
}

/// Why a matcher cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MatcherError {
    #[error("`{0}` is no matcher; write NAME=VALUE, NAME!=VALUE, NAME=~REGEX or NAME!~REGEX")]
    Shape(String),
    #[error(
        "`{0}` is no label name; put it in double quotes where it has other characters than letters, digits and `_`"
    )]
    Name(String),
    #[error("`{value}` is no regular expression: {reason}")]
    Regex { value: String, reason: String },
    #[error("`{0}` has a quote that does not close; a quote inside is written `\\\"`")]
    Quote(String),
}

/// Families of values, none of which a rule would name one by one: what accepts every one of a family accepts nearly
/// every value that there is (texts of any kind; names of alerts; names and addresses of machines).
const FAMILIES: [&[&str]; 3] = [
    &["zq-7f3a-unlikely", "9Q", "some other value, with spaces"],
    &["AardvarkLost", "KubePodCrashLooping", "QueueFull99", "ZebraUnlikely"],
    &["a7-unlikely.example", "game-backend-0", "us-east-1b", "zq-node-17:9100"],
];

/// The words of `severity`: whoever lists them all means everything.
const SEVERITIES: &[&str] = &["critical", "high", "warning", "medium", "low", "info"];

impl Matcher {
    /// Reads one matcher; its value may be in double quotes, and its name, which since Alertmanager 0.27 may be any text.
    /// What has no operator is the name of an alert, as in amtool.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, MatcherError> {
        let Some((at, (operator, is_regex, is_equal))) = operator(text) else {
            let broken = text.trim().is_empty() || text.trim().starts_with('"');
            return if broken { Err(MatcherError::Shape(text.into())) } else { Ok(Self::name(text)) };
        };
        let (name, value) = (text[..at].trim(), text[at + operator.len()..].trim());
        let plain = |c: char| !c.is_whitespace() && !"{}!=~,\\\"'`".contains(c);
        // A name in quotes is of the newer of Alertmanager's two parsers, which reads quotes as Go does.
        let is_new = name.starts_with('"');
        let read = |text: &str| {
            if !is_new || !text.starts_with('"') {
                return unescaped(text);
            }
            match unquoted(text) {
                Quoted::Text(text) => Some(text),
                Quoted::Unsure | Quoted::Wrong => None,
            }
        };
        let name = match read(name) {
            Some(name) if is_new && !name.is_empty() => name,
            _ if name.chars().all(plain) && name.starts_with(|c: char| !c.is_ascii_digit()) => name.to_owned(),
            _ => return Err(MatcherError::Name(name.into())),
        };
        let value = read(value).ok_or_else(|| MatcherError::Quote(text.into()))?;
        let matcher = Self { name, value, is_regex, is_equal };
        if is_regex && let Err(reason) = matcher.regex() {
            return Err(MatcherError::Regex { value: matcher.value, reason });
        }
        Ok(matcher)
    }

    /// One line of `matchers:` in Alertmanager's configuration: one or several with commas between them, in braces or not.
    ///
    /// # Errors
    /// What is wrong with the first bad one.
    pub fn parse_line(line: &str) -> Result<Vec<Self>, MatcherError> {
        let inner = line.trim();
        let inner = inner.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or(inner);
        let one = |part: &str| match operator(part) {
            Some(_) => Self::parse(part.trim()),
            None => Err(MatcherError::Shape(part.trim().into())),
        };
        split(inner).into_iter().map(one).collect()
    }

    /// The alerts of a name.
    pub fn name(name: &str) -> Self {
        Self { name: "alertname".into(), value: name.into(), is_regex: false, is_equal: true }
    }

    /// Reads several arguments; one may also be a whole list as [`show`] writes it: `{a="x", b=~"y"}`.
    ///
    /// # Errors
    /// What is wrong with the first bad one.
    pub fn parse_all(texts: &[String]) -> Result<Vec<Self>, MatcherError> {
        let mut all = Vec::new();
        for text in texts {
            let list = text.trim().strip_prefix('{').and_then(|text| text.strip_suffix('}'));
            let list = list.filter(|list| operator(list).is_some() || list.trim().is_empty());
            match list {
                None => all.push(Self::parse(text)?),
                Some(list) => {
                    for part in split(list) {
                        all.push(Self::parse(part)?);
                    }
                }
            }
        }
        Ok(all)
    }

    /// As Alertmanager compiles it.
    fn regex(&self) -> Result<Regex, String> {
        re2::anchored(&self.value)
    }

    /// Does a label set satisfy it?
    pub fn matches(&self, labels: &Labels) -> bool {
        self.accepts(labels.get(&self.name).map_or("", String::as_str))
    }

    /// Does it accept this value of its label; the empty text where there is none?
    pub fn accepts(&self, value: &str) -> bool {
        let equal =
            if self.is_regex { self.regex().is_ok_and(|regex| regex.is_match(value)) } else { self.value == value };
        equal == self.is_equal
    }

    /// Does it accept (nearly) any value, so that it narrows nothing?
    pub fn is_broad(&self) -> bool {
        let all = |family: &[&str]| family.iter().all(|value| self.accepts(value));
        FAMILIES.into_iter().any(all) || (self.name == "severity" && all(SEVERITIES))
    }

    /// Does it accept an alert that has no such label? Alone, it then accepts every alert of every other team.
    pub fn accepts_missing(&self) -> bool {
        self.accepts("")
    }

    /// The one value that it accepts, if it is `name="value"`.
    pub fn exact(&self) -> Option<&str> {
        (self.is_equal && !self.is_regex).then_some(&self.value)
    }

    /// As one writes it: `name=~"value"`.
    pub fn show(&self) -> String {
        let op = match (self.is_regex, self.is_equal) {
            (true, true) => "=~",
            (true, false) => "!~",
            (false, true) => "=",
            (false, false) => "!=",
        };
        let name = show_name(&self.name);
        format!("{name}{op}\"{}\"", self.value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
    }
}

/// All matchers as one text.
pub fn show(matchers: &[Matcher]) -> String {
    format!("{{{}}}", matchers.iter().map(Matcher::show).collect::<Vec<_>>().join(", "))
}

/// The parts between the commas that stand outside quotes; empty ones are left out.
fn split(list: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut quoted, mut escaped) = (0, false, false);
    for (at, c) in list.char_indices() {
        match c {
            ',' if !quoted => {
                parts.push(&list[start..at]);
                start = at + 1;
            }
            '"' if !escaped => quoted = !quoted,
            _ => {}
        }
        escaped = c == '\\' && !escaped;
    }
    parts.push(&list[start..]);
    parts.retain(|part| !part.trim().is_empty());
    parts
}

/// The first operator outside of quotes: where it is, and what it means.
fn operator(text: &str) -> Option<(usize, (&'static str, bool, bool))> {
    const OPERATORS: [(&str, bool, bool); 4] =
        [("=~", true, true), ("!~", true, false), ("!=", false, false), ("=", false, true)];
    let (mut inside, mut escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            '"' if !escaped => inside = !inside,
            '=' | '!' if !inside => {
                if let Some(found) = OPERATORS.into_iter().find(|(operator, ..)| text[at..].starts_with(operator)) {
                    return Some((at, found));
                }
            }
            _ => {}
        }
        escaped = c == '\\' && !escaped;
    }
    None
}

/// What is written, in double quotes or not: `\"`, `\\` and `\n` are read, and any other backslash stays, as in
/// Alertmanager's `labels.ParseMatcher`. None where a quote stands inside, or does not close.
fn unescaped(text: &str) -> Option<String> {
    let (text, is_quoted) = text.strip_prefix('"').map_or((text, false), |rest| (rest, true));
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let next = chars.as_str().chars().next();
        match (c, next) {
            ('\\', Some('"' | '\\' | 'n')) => {
                out.extend(next.map(|next| if next == 'n' { '\n' } else { next }));
                chars.next();
            }
            ('"', None) if is_quoted => return Some(out),
            ('"', _) => return None,
            (c, _) => out.push(c),
        }
    }
    (!is_quoted).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_form() {
        for (text, want) in [
            ("GameServerDown", "alertname=\"GameServerDown\""),
            ("region=eu", "region=\"eu\""),
            ("region != \"e\\\"u\"", "region!=\"e\\\"u\""),
            ("instance=~game-.*", "instance=~\"game-.*\""),
            ("job!~\"a|b\"", "job!~\"a|b\""),
            ("a=", "a=\"\""),
            ("Disk usage >90% (prod), a!", "alertname=\"Disk usage >90% (prod), a!\""),
            ("trailing ", "alertname=\"trailing \""),
            ("service.name=rails", "\"service.name\"=\"rails\""),
            ("\"a=b c\"=~\"x|y\"", "\"a=b c\"=~\"x|y\""),
            ("alertname=\"a=b\"", "alertname=\"a=b\""),
            // As Alertmanager reads them: with quotes or without.
            (r"a=~x\.y\d", r#"a=~"x\\.y\\d""#),
            (r#"a=~"x\.y\\d""#, r#"a=~"x\\.y\\d""#),
            (r"a=x\ny", r#"a="x\ny""#),
            (r#"a=x\"y"#, r#"a="x\"y""#),
            (r"a=x\", r#"a="x\\""#),
            ("ÇÇ!~é", "\"ÇÇ\"!~\"é\""),
            (r#""a\tb\u00e9"="x\ty""#, "\"a\\tbé\"=\"x\ty\""),
        ] {
            assert_eq!(Matcher::parse(text).map(|matcher| matcher.show()).as_deref(), Ok(want), "{text}");
        }
        let torn = ["a=\"x", "a=x\"", "a=\"", "a=x\"y", "a=\"x\"y\"", "a=\"x\\\"", "\"a\"\t\"b\"=c", r#""a\d"=b"#];
        for text in ["", "=x", "1a=x", "a=~(", "a b=c"].into_iter().chain(torn) {
            assert!(Matcher::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn reads_back_what_it_shows() {
        let texts = ["X".to_owned(), "{a=\"x,\\\"y\", b=~\"c|d\", }".to_owned()];
        let all = Matcher::parse_all(&texts).expect("valid");
        assert_eq!(show(&all), r#"{alertname="X", a="x,\"y", b=~"c|d"}"#);
        assert_eq!(Matcher::parse_all(&[show(&all)]), Ok(all));
    }

    #[test]
    fn matches_as_alertmanager_does() {
        let labels = Labels::from([("region".into(), "eu-west".into())]);
        for (text, want) in [
            ("region=eu-west", true),
            ("region=~eu", false),
            ("region=~eu.*", true),
            ("region!~eu.*", false),
            ("zone=\"\"", true),
            ("zone!=x", true),
            ("region=~a|eu-west", true),
        ] {
            assert_eq!(Matcher::parse(text).expect("valid").matches(&labels), want, "{text}");
        }
    }

    #[test]
    fn broad_matchers_are_known() {
        for (text, want) in [
            ("a=~.*", true),
            ("a=~.+", true),
            ("a!=x", true),
            ("a=x", false),
            ("a=~x.*", false),
            ("a=~[a-z]+", false),
            ("alertname=~[A-Z].*", true),
            ("alertname=~Game.*", false),
            ("instance=~[a-z].*", true),
            ("region=~eu.*|us.*", false),
            ("severity=~critical|high|warning|medium|low|info", true),
            ("severity=~high|low", false),
        ] {
            assert_eq!(Matcher::parse(text).expect("valid").is_broad(), want, "{text}");
        }
    }
}
