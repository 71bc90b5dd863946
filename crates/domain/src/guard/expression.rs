//! Guard expressions as people write them: `error_rate < 1%`, `p99_latency < baseline * 1.2`, `errors < baseline + 2/s`,
//! `alert ServiceDegraded severity=critical`. Read without knowing the metrics; [`Condition::bind`] then fits them.

use std::fmt;

use crate::alert::matcher::Matcher;
use crate::metric::kpi::{Kpi, KpiKind};
use crate::metric::threshold::{Comparison, Threshold};
use crate::text::suggest::nearest;

/// Why a text is no guard expression, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpressionError {
    pub text: String,
    /// In characters, from 1.
    pub column: usize,
    pub message: String,
}

impl fmt::Display for ExpressionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`, column {}: {}", self.text, self.column, self.message)
    }
}

/// A condition as it was written.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    Metric(UnboundCondition),
    Alert(AlertCondition),
}

/// A comparison of a metric, in words.
#[derive(Debug, Clone, PartialEq)]
pub struct UnboundCondition {
    pub text: String,
    pub metric: String,
    pub op: Comparison,
    limit: WrittenLimit,
    /// Byte at which the limit begins.
    at: usize,
}

#[derive(Debug, Clone, PartialEq)]
enum WrittenLimit {
    /// A number with its unit.
    Fixed(String),
    Baseline {
        times: f64,
        /// Sign and number with its unit.
        plus: Option<(f64, String)>,
    },
}

/// An alert that must not fire.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertCondition {
    pub text: String,
    pub name: String,
    /// What its labels must say besides.
    pub matchers: Vec<Matcher>,
}

/// A comparison that fits its metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Bound {
    pub text: String,
    pub metric: Kpi,
    pub op: Comparison,
    pub limit: Limit,
}

/// What is compared with, in the unit of the metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    Fixed(f64),
    /// `times × baseline + plus`; the baseline is the stable version in the same window.
    Baseline {
        times: f64,
        plus: f64,
    },
}

struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn space(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn word(&mut self, allowed: impl Fn(char) -> bool) -> &'a str {
        self.space();
        let rest = self.rest();
        let end = rest.find(|c| !allowed(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn take(&mut self, sign: &str) -> bool {
        self.space();
        let found = self.rest().starts_with(sign);
        self.at += if found { sign.len() } else { 0 };
        found
    }

    fn fail<T>(&self, at: usize, message: impl Into<String>) -> Result<T, ExpressionError> {
        Err(fail(self.text, at, message))
    }
}

fn fail(text: &str, at: usize, message: impl Into<String>) -> ExpressionError {
    ExpressionError { text: text.to_owned(), column: text[..at].chars().count() + 1, message: message.into() }
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | ':' | '-' | '.')
}

const OPERATORS: [(&str, Comparison); 4] =
    [("<=", Comparison::AtMost), (">=", Comparison::AtLeast), ("<", Comparison::Below), (">", Comparison::Above)];

impl Condition {
    /// Reads one.
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        let mut cursor = Cursor { text, at: 0 };
        cursor.space();
        let start = cursor.at;
        let name = cursor.word(is_name);
        if name.is_empty() {
            return cursor.fail(start, "begins with the name of a metric or with `alert`, as in `error_rate < 1%`");
        }
        if name == "alert" && !cursor.rest().trim_start().starts_with(['<', '>']) {
            return alert(cursor);
        }
        cursor.space();
        let at = cursor.at;
        let op = OPERATORS.into_iter().find_map(|(sign, op)| cursor.take(sign).then_some(op));
        let Some(op) = op else {
            return cursor.fail(at, format!("after `{name}` comes <, <=, > or >="));
        };
        cursor.space();
        let at = cursor.at;
        let limit = limit(&mut cursor)?;
        cursor.space();
        if !cursor.rest().is_empty() {
            return cursor.fail(cursor.at, format!("unexpected `{}`", cursor.rest()));
        }
        Ok(Self::Metric(UnboundCondition { text: text.trim().to_owned(), metric: name.to_owned(), op, limit, at }))
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        match self {
            Self::Metric(written) => &written.text,
            Self::Alert(alert) => &alert.text,
        }
    }
}

impl UnboundCondition {
    /// Fits it to the metric that it names.
    pub fn bind(&self, metrics: &[Kpi]) -> Result<Bound, ExpressionError> {
        let text = &self.text;
        let Some(metric) = metrics.iter().find(|metric| metric.name == self.metric) else {
            let names: Vec<&str> = metrics.iter().map(|metric| metric.name.as_str()).collect();
            let help = match nearest(&self.metric, names.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None if names.is_empty() => "the service has no `rollout.metrics` and there are no `kpis`".into(),
                None => format!("there is {}", names.join(", ")),
            };
            return Err(fail(text, 0, format!("there is no metric `{}`; {help}", self.metric)));
        };
        let value = |number: &str| {
            Threshold::parse(&format!("> {number}"), &metric.unit).map(|threshold| threshold.value).map_err(|error| {
                let said = error.to_string().replace(&format!("> {number}"), number);
                fail(text, self.at.min(text.len()), said)
            })
        };
        let limit = match &self.limit {
            WrittenLimit::Fixed(number) => Limit::Fixed(value(number)?),
            WrittenLimit::Baseline { times, plus } => Limit::Baseline {
                times: *times,
                plus: match plus {
                    Some((sign, number)) => sign * value(number)?,
                    None => 0.0,
                },
            },
        };
        if let (KpiKind::Ratio { .. }, Limit::Fixed(limit)) = (&metric.kind, limit) {
            let never =
                (limit <= 0.0 && self.op == Comparison::Below) || (limit >= 1.0 && self.op == Comparison::Above);
            let always =
                (limit <= 0.0 && self.op == Comparison::AtLeast) || (limit >= 1.0 && self.op == Comparison::AtMost);
            if never || always || !(0.0..=1.0).contains(&limit) {
                let word = if never { "never" } else { "always" };
                let message = format!("`{}` is a share, 0% to 100%, so this {word} holds", self.metric);
                return Err(fail(text, self.at.min(text.len()), message));
            }
        }
        Ok(Bound { text: text.clone(), metric: metric.clone(), op: self.op, limit })
    }
}

fn limit(cursor: &mut Cursor<'_>) -> Result<WrittenLimit, ExpressionError> {
    let at = cursor.at;
    if !cursor.rest().starts_with("baseline") {
        let number = number(cursor)?;
        return Ok(WrittenLimit::Fixed(number));
    }
    cursor.at += "baseline".len();
    let mut times = 1.0;
    if cursor.take("*") {
        cursor.space();
        let at = cursor.at;
        let digits = cursor.word(|c| c.is_ascii_digit() || c == '.');
        times = digits
            .parse()
            .ok()
            .filter(|n| *n > 0.0)
            .map_or_else(|| cursor.fail(at, "after `baseline *` comes a number above 0, as in `baseline * 1.2`"), Ok)?;
    }
    for (sign, factor) in [("+", 1.0), ("-", -1.0)] {
        if cursor.take(sign) {
            cursor.space();
            let plus = Some((factor, number(cursor)?));
            return Ok(WrittenLimit::Baseline { times, plus });
        }
    }
    cursor.space();
    if !cursor.rest().is_empty() {
        let message = "after `baseline` comes `* 1.2`, `+ 5ms`, or nothing";
        return cursor.fail(cursor.at.max(at), message);
    }
    Ok(WrittenLimit::Baseline { times, plus: None })
}

/// A number with its unit, to the end.
fn number(cursor: &mut Cursor<'_>) -> Result<String, ExpressionError> {
    let at = cursor.at;
    let rest = cursor.rest().trim_end();
    if !rest.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return cursor.fail(at, "a number is wanted here, such as `1%`, `250ms` or `baseline * 1.2`");
    }
    cursor.at += rest.len();
    Ok(rest.to_owned())
}

fn alert(mut cursor: Cursor<'_>) -> Result<Condition, ExpressionError> {
    cursor.space();
    let at = cursor.at;
    let name = cursor.word(is_name);
    if name.is_empty() {
        return cursor.fail(at, "after `alert` comes its name, as in `alert ServiceDegraded severity=critical`");
    }
    let mut matchers = Vec::new();
    loop {
        cursor.space();
        let at = cursor.at;
        let word = cursor.word(|c| !c.is_whitespace());
        if word.is_empty() {
            break;
        }
        match Matcher::parse(word) {
            // A bare word would mean another alert's name.
            Ok(matcher) if word.contains('=') => matchers.push(matcher),
            _ => {
                return cursor
                    .fail(at, format!("`{word}` is no matcher: write LABEL=VALUE, as in `severity=critical`"));
            }
        }
    }
    Ok(Condition::Alert(AlertCondition { text: cursor.text.trim().to_owned(), name: name.to_owned(), matchers }))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::metric::quantity::Unit;
    use crate::metric::selector::Selector;

    fn metrics() -> Vec<Kpi> {
        let selector = |text| Selector::parse(text).expect("valid");
        let window = Duration::from_secs(60);
        let metric = |name: &str, kind: KpiKind, unit| Kpi {
            name: name.into(),
            title: None,
            kind,
            by: None,
            unit,
            warn: None,
            critical: None,
            service: None,
        };
        let ratio = KpiKind::Ratio { of: selector("e"), to: selector("t"), window };
        let quantile = KpiKind::Quantile { q: 0.99, histogram: selector("h_seconds"), window };
        vec![metric("error_rate", ratio, Unit::Ratio), metric("p99_latency", quantile, Unit::Seconds)]
    }

    fn bind(text: &str) -> Result<Bound, String> {
        match Condition::parse(text).map_err(|error| error.to_string())? {
            Condition::Metric(written) => written.bind(&metrics()).map_err(|error| error.to_string()),
            Condition::Alert(_) => Err("an alert".into()),
        }
    }

    #[test]
    fn comparisons_fit_their_metric() {
        for (text, op, limit) in [
            ("error_rate < 1%", Comparison::Below, Limit::Fixed(0.01)),
            ("error_rate>5%", Comparison::Above, Limit::Fixed(0.05)),
            (" p99_latency <= 250 ms ", Comparison::AtMost, Limit::Fixed(0.25)),
            ("p99_latency < baseline * 1.2", Comparison::Below, Limit::Baseline { times: 1.2, plus: 0.0 }),
            ("p99_latency < baseline + 50ms", Comparison::Below, Limit::Baseline { times: 1.0, plus: 0.05 }),
            ("error_rate < baseline * 2 + 0.5%", Comparison::Below, Limit::Baseline { times: 2.0, plus: 0.005 }),
        ] {
            let bound = bind(text).expect(text);
            assert_eq!((bound.op, bound.limit), (op, limit), "{text}");
        }
    }

    #[test]
    fn mistakes_have_a_column() {
        for (text, want) in [
            ("", "column 1: begins with"),
            ("error_rate", "column 11: after `error_rate` comes <"),
            ("error_rate = 1%", "column 12: after `error_rate`"),
            ("error_rate < ", "column 14: a number is wanted"),
            ("error_rate < many", "column 14: a number is wanted"),
            ("error_rate < baseline x", "column 23: after `baseline`"),
            ("error_rate < baseline * x", "column 25: after `baseline *`"),
            ("error_rate < 5ms", "column 14: `5ms`: `ms` does not fit a ratio"),
            ("error_rat < 5%", "did you mean `error_rate`?"),
            ("error_rate < 0%", "column 14: `error_rate` is a share, 0% to 100%, so this never holds"),
            ("error_rate > 100%", "never holds"),
            ("error_rate <= 100%", "always holds"),
            ("error_rate >= 0%", "always holds"),
            ("alert", "column 6: after `alert` comes its name"),
            ("alert A critical", "column 9: `critical` is no matcher"),
        ] {
            let error = bind(text).expect_err(text);
            assert!(error.contains(want), "{text}: {error}");
        }
    }

    #[test]
    fn alerts_have_matchers() {
        let Ok(Condition::Alert(alert)) = Condition::parse("alert ServiceDegraded severity=critical region=~eu-.*")
        else {
            panic!("an alert");
        };
        assert_eq!((alert.name.as_str(), alert.matchers.len()), ("ServiceDegraded", 2));
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,24}|(alert|error_rate|é) ?[<>=]{0,2} ?(baseline)? ?[*+%0-9ms.]{0,6}") {
            let _ = bind(&text);
        }
    }
}
