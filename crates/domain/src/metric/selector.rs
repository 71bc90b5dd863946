//! Vector selectors (`http_requests_total{status=~"5.."}`): read, matched against scraped series by Prometheus' rules,
//! and written back as PromQL.

use std::fmt;

use thiserror::Error;

use crate::metric::labels;
use crate::metric::labels::Labels;
use crate::metric::promql;
use crate::metric::promql::{Expr, MatchOp, Matcher, VectorSelector};

const NAME_LABEL: &str = "__name__";

/// Which series are meant: a metric name and label matchers, all of which must hold. Regular
/// expressions match the whole value; a label that is absent has the empty value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    name: String,
    matchers: Vec<Matcher>,
}

/// Why a text is not a selector.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SelectorError {
    /// Not PromQL.
    #[error("`{text}` is not a metric selector: {reason}")]
    Syntax {
        /// What was given.
        text: String,
        /// What the parser says.
        reason: String,
    },
    /// PromQL, but more or other than a selector.
    #[error(
        "`{text}` is {what}; a metric and its labels are wanted, such as \
         `http_requests_total{{status=~\"5..\"}}` (for anything else use `promql`)"
    )]
    NotPlain {
        /// What was given.
        text: String,
        /// What it is instead.
        what: &'static str,
    },
    /// No metric name, or one given by a pattern.
    #[error("`{text}` names no metric; begin with its name, as in `http_requests_total{{…}}`")]
    NoName {
        /// What was given.
        text: String,
    },
}

impl Selector {
    /// Reads a selector.
    ///
    /// # Errors
    /// [`SelectorError`] when it is not PromQL or is not a plain selector of one metric.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        let text = text.trim();
        let not_plain = |what| SelectorError::NotPlain { text: text.to_owned(), what };
        let syntax = |reason| SelectorError::Syntax { text: text.to_owned(), reason };
        let plain = match promql::tree(text).map_err(syntax)? {
            Expr::Selector(plain) if plain.range.is_none() => plain,
            Expr::Selector(_) => return Err(not_plain("a range (the window is set by itself)")),
            _ => return Err(not_plain("an expression")),
        };
        if plain.shift.offset.is_some() || plain.shift.at.is_some() {
            return Err(not_plain("moved in time by `offset` or `@`"));
        }
        if plain.matchers.len() > 1 {
            return Err(not_plain("a choice by `or`"));
        }
        if let Some(unread) = plain.matchers.iter().flatten().find(|matcher| matcher.accepts("").is_none()) {
            return Err(syntax(format!("illegal regex for {}", unread.value)));
        }
        Self::from_plain(plain).ok_or_else(|| SelectorError::NoName { text: text.to_owned() })
    }

    fn from_plain(plain: VectorSelector) -> Option<Self> {
        let mut name = plain.name;
        let mut matchers = Vec::new();
        for matcher in plain.matchers.into_iter().flatten() {
            let names_it = matcher.name == NAME_LABEL && matcher.op == MatchOp::Equal;
            if names_it && name.as_ref().is_none_or(|n| *n == matcher.value) {
                name = Some(matcher.value);
            } else {
                matchers.push(matcher);
            }
        }
        // What else is said of the name by a pattern cannot be kept when a suffix is added.
        if matchers.iter().any(|m| m.name == NAME_LABEL) {
            return None;
        }
        let name = name.filter(|n| !n.is_empty())?;
        Some(Selector { name, matchers })
    }

    /// The metric name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether a series is selected.
    pub fn matches(&self, name: &str, labels: &Labels) -> bool {
        self.name == name
            && self.matchers.iter().all(|matcher| {
                let value = labels.get(&matcher.name).map_or("", String::as_str);
                matcher.accepts(value) == Some(true)
            })
    }

    /// The same labels on the metric whose name has this suffix too; as it is when it already has.
    pub fn with_suffix(&self, suffix: &str) -> Self {
        let mut other = self.clone();
        if !other.name.ends_with(suffix) {
            other.name.push_str(suffix);
        }
        other
    }

    /// The same labels on another metric.
    pub fn renamed(&self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self.clone() }
    }

    /// One more condition.
    pub fn with(&self, matcher: Matcher) -> Self {
        let mut narrow = self.clone();
        narrow.matchers.push(matcher);
        narrow
    }

    /// The conditions on labels.
    pub fn matchers(&self) -> &[Matcher] {
        &self.matchers
    }

    /// Only the series that also have these labels.
    pub fn narrowed(&self, labels: &Labels) -> Self {
        let mut narrow = self.clone();
        for (name, value) in labels {
            let matcher = Matcher::new(name, MatchOp::Equal, value);
            if !narrow.matchers.contains(&matcher) {
                narrow.matchers.push(matcher);
            }
        }
        narrow
    }

    /// The selector as PromQL, with everything quoted that needs it. A name with other characters
    /// than the classic ones is given as `__name__`, which every version of Prometheus takes.
    pub fn show(&self) -> String {
        let mut parts: Vec<String> = Vec::new();
        let bare = labels::is_bare_metric(&self.name) && !is_keyword(&self.name);
        if !bare {
            parts.push(format!("{NAME_LABEL}={}", labels::quote(&self.name)));
        }
        parts.extend(self.matchers.iter().map(|matcher| {
            let name = labels::show_name(&matcher.name);
            format!("{name}{}{}", matcher.op, labels::quote(&matcher.value))
        }));
        let name = if bare { self.name.as_str() } else { "" };
        if parts.is_empty() { name.to_owned() } else { format!("{name}{{{}}}", parts.join(",")) }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.show())
    }
}

/// Names that PromQL would read as a number or an operator, whatever their case.
fn is_keyword(name: &str) -> bool {
    const NUMBERS: [&str; 2] = ["inf", "nan"];
    const OPERATORS: [&str; 5] = ["and", "or", "unless", "atan2", "bool"];
    let lower = name.to_ascii_lowercase();
    NUMBERS.contains(&lower.as_str()) || OPERATORS.contains(&lower.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn matches_as_prometheus() {
        for (selector, pairs, want) in [
            ("up", &[] as &[(&str, &str)], true),
            ("down", &[], false),
            (r#"up{job="a"}"#, &[("job", "a")], true),
            (r#"up{job="a"}"#, &[("job", "ab")], false),
            (r#"up{code=~"5.."}"#, &[("code", "503")], true),
            (r#"up{code=~"5.."}"#, &[("code", "1503")], false),
            (r#"up{code=~"5..|404"}"#, &[("code", "4040")], false),
            (r#"up{code!~"5.."}"#, &[], true),
            (r#"up{job=""}"#, &[], true),
            (r#"up{job!=""}"#, &[], false),
            (r#"up{job=~".*"}"#, &[], true),
            (r#"up{job=~".+"}"#, &[], false),
            (r#"up{a="1",b!="2"}"#, &[("a", "1"), ("b", "2")], false),
            (r#"{__name__="up",a="1"}"#, &[("a", "1")], true),
            (r#"up{path="C:\\x"}"#, &[("path", "C:\\x")], true),
        ] {
            let parsed = Selector::parse(selector).unwrap();
            assert_eq!(parsed.matches("up", &labels(pairs)), want, "{selector} {pairs:?}");
        }
    }

    #[test]
    fn shows_promql_that_reads_back() {
        for (text, want) in [
            ("up", "up"),
            ("up{}", "up"),
            ("job:errors:rate5m", "job:errors:rate5m"),
            (r#"a{ b = 'x"y\\' , c!~"\\d+"}"#, r#"a{b="x\"y\\",c!~"\\d+"}"#),
            (r#"{__name__="http.requests",a="1"}"#, r#"{__name__="http.requests",a="1"}"#),
            (r#"{"http.requests",a="1"}"#, r#"{__name__="http.requests",a="1"}"#),
            (r#"{__name__="nan"}"#, r#"{__name__="nan"}"#),
            ("sum_x{a=\"é\\n\"}", "sum_x{a=\"é\\n\"}"),
        ] {
            let selector = Selector::parse(text).unwrap();
            assert_eq!(selector.show(), want);
            assert_eq!(Selector::parse(want).unwrap(), selector);
        }
    }

    #[test]
    fn suffix_once() {
        let base = Selector::parse(r#"lat{a="1"}"#).unwrap();
        let bucket = base.with_suffix("_bucket");
        assert_eq!(bucket.show(), r#"lat_bucket{a="1"}"#);
        assert_eq!(bucket.with_suffix("_bucket"), bucket);
        assert_eq!((base.name(), bucket.name()), ("lat", "lat_bucket"));
    }

    #[test]
    fn refuses_with_the_reason() {
        for (text, part) in [
            ("", "is not a metric selector"),
            ("up{", "is not a metric selector"),
            ("up{a=~\"(\"}", "is not a metric selector"),
            ("up[5m]", "a range"),
            ("up offset 5m", "moved in time"),
            ("up @ 5", "moved in time"),
            ("sum(up)", "an expression"),
            ("1", "an expression"),
            ("up{a=\"1\" or b=\"2\"}", "a choice"),
            ("{a=\"1\"}", "names no metric"),
            ("{__name__=~\"a.*\"}", "names no metric"),
        ] {
            let error = Selector::parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn any_value_survives(value in "\\PC{0,10}|[\"\\\\\\n\\t'`{}]{0,6}") {
            let text = format!("m{{a={}}}", labels::quote(&value));
            let selector = Selector::parse(&text).unwrap();
            prop_assert!(selector.matches("m", &super::tests::labels(&[("a", &value)])));
            prop_assert_eq!(Selector::parse(&selector.show()).unwrap(), selector);
        }

        #[test]
        fn never_panics(text in "\\PC{0,16}|[a-z_]{1,4}\\{[a-z]{0,2}[=!~]{1,2}[\"'][.a-z(*\\\\]{0,4}[\"']?\\}?") {
            let _ = Selector::parse(&text);
        }
    }
}
