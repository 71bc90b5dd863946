//! What is measured: which events are bad, and of how many; as PromQL over any stretch of time.

use std::time::Duration;

use crate::metric::exposition::Sample;
use crate::metric::promql;
use crate::metric::promql::{MatchOp, Matcher, Span};
use crate::metric::quantity::Unit;
use crate::metric::selector::Selector;
use crate::metric::threshold::{Comparison, Threshold};
use crate::text::duration::to_promql;

/// How often a gauge is looked at: each look is an event.
pub const LOOK: Duration = Duration::from_secs(60);

/// Which of two counters is given beside the total.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Good,
    Bad,
}

/// What is measured.
#[derive(Debug, Clone, PartialEq)]
pub enum Indicator {
    /// Counters: an expression for the good or the bad events, and one for all.
    Ratio { side: Side, events: String, total: String, monotonic: bool },
    /// Requests of a histogram that took at most `below`, in the unit of the metric.
    Latency { histogram: Selector, below: f64, native: bool },
    /// Looks at an expression; those where the condition holds are bad.
    Threshold { query: String, bad: Threshold },
    /// Series that are 1 when all is well and 0 when not: `up`, `probe_success`.
    Up { selector: Selector },
    /// An expression that is itself the share of good or of bad events.
    Raw { query: String, side: Side },
}

/// Bad events and all events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts {
    pub bad: String,
    pub total: String,
}

impl Indicator {
    /// A latency indicator: `below` is such as `300ms`, converted to the unit that the metric's name promises.
    ///
    /// # Errors
    /// What is wrong with the bound.
    pub fn latency(histogram: &Selector, below: &str, native: bool) -> Result<Self, String> {
        let unit = match Unit::from_metric_name(histogram.name()) {
            Unit::None => Unit::Seconds,
            unit => unit,
        };
        let bound = Threshold::parse(&format!("<= {below}"), &unit).map_err(|error| error.to_string())?;
        if bound.value <= 0.0 {
            return Err(format!("`{below}` is not above zero"));
        }
        let name = histogram.name();
        let base = ["_bucket", "_count", "_sum"].iter().find_map(|suffix| name.strip_suffix(suffix)).map(str::to_owned);
        let histogram = base.map_or_else(|| histogram.clone(), |base| histogram.renamed(&base));
        Ok(Self::Latency { histogram, below: bound.value, native })
    }

    /// Bad events and all events within a stretch of time.
    ///
    /// # Errors
    /// Why an expression cannot be counted.
    pub fn counts(&self, span: Span) -> Result<Counts, String> {
        let window = to_promql(span.length);
        let at = span.at();
        Ok(match self {
            Self::Ratio { side, events, total, monotonic } => {
                let function = if *monotonic { "increase" } else { "sum_over_time" };
                let total = promql::windowed(total, function, span)?;
                let events = promql::windowed(events, function, span)?;
                // No bad event yet is no series; it is zero where there is a total.
                let events = format!("({events} or 0 * {})", grouped(&total));
                let bad = match side {
                    Side::Bad => events,
                    Side::Good => format!("({} - {events})", grouped(&total)),
                };
                Counts { bad, total: grouped(&total) }
            }
            Self::Latency { histogram, below, native: true } => {
                let grown = promql::windowed(&histogram.show(), "increase", span)?;
                let total = format!("histogram_count({grown})");
                let good = format!("(histogram_fraction(-Inf, {below}, {grown}) * {total} >= 0)");
                Counts { bad: format!("({total} - ({good} or 0 * {total}))"), total }
            }
            Self::Latency { histogram, below, native: false } => {
                let total = promql::windowed(&histogram.with_suffix("_count").show(), "increase", span)?;
                // Without the bucket nothing is known: no `or` here.
                let good = promql::windowed(&bucket(histogram, *below).show(), "increase", span)?;
                Counts { bad: format!("({total} - {good})"), total }
            }
            Self::Threshold { query, bad } => {
                let looked = format!("(({query}) >= -Inf)");
                let step = to_promql(LOOK);
                Counts {
                    bad: format!("sum_over_time(({looked} {} bool {})[{window}:{step}]{at})", sign(bad.op), bad.value),
                    total: format!("count_over_time({looked}[{window}:{step}]{at})"),
                }
            }
            Self::Up { selector } => {
                let over = |function: &str| promql::windowed(&selector.show(), function, span);
                let total = over("count_over_time")?;
                Counts { bad: format!("({total} - {})", over("sum_over_time")?), total }
            }
            Self::Raw { query, side } => {
                let step = to_promql(LOOK);
                let looked = format!("(({query}) >= -Inf)");
                let bad = match side {
                    Side::Bad => looked.clone(),
                    Side::Good => format!("(1 - {looked})"),
                };
                Counts {
                    bad: format!("sum_over_time({bad}[{window}:{step}]{at})"),
                    total: format!("count_over_time({looked}[{window}:{step}]{at})"),
                }
            }
        })
    }

    /// Bad events and all events since the counters began, from what services expose; none where only PromQL can say.
    pub fn counted(&self, samples: &[Sample]) -> Option<(f64, f64)> {
        let sum = |selector: &Selector| {
            let mine = samples.iter().filter(|sample| selector.matches(&sample.name, &sample.labels));
            let values: Vec<f64> = mine.map(|sample| sample.value).collect();
            (!values.is_empty()).then(|| values.iter().sum::<f64>())
        };
        match self {
            Self::Ratio { side, events, total, monotonic: true } => {
                let total = sum(&Selector::parse(total).ok()?)?;
                let events = sum(&Selector::parse(events).ok()?).unwrap_or(0.0);
                Some((if *side == Side::Bad { events } else { total - events }, total))
            }
            Self::Latency { histogram, below, native: false } => {
                let total = sum(&histogram.with_suffix("_count"))?;
                // `0.3` and `0.30` are one bound, and only their numbers say so.
                let buckets = histogram.with_suffix("_bucket");
                let is_bound = |sample: &&Sample| {
                    sample.labels.get("le").and_then(|le| le.parse::<f64>().ok()) == Some(*below)
                        && buckets.matches(&sample.name, &sample.labels)
                };
                let bound: Vec<f64> = samples.iter().filter(is_bound).map(|sample| sample.value).collect();
                (!bound.is_empty()).then(|| (total - bound.iter().sum::<f64>(), total))
            }
            _ => None,
        }
    }

    /// An expression that has a value whenever there is anything to measure, and costs little.
    pub fn presence(&self) -> String {
        match self {
            Self::Ratio { total, .. } => {
                let selector = promql::first_selector(total);
                format!("count({})", selector.map_or_else(|| total.clone(), |selector| selector.to_string()))
            }
            Self::Latency { histogram, native: true, .. } => format!("count({histogram})"),
            Self::Latency { histogram, .. } => format!("count({})", histogram.with_suffix("_count")),
            Self::Up { selector } => format!("count({selector})"),
            Self::Threshold { query, .. } | Self::Raw { query, .. } => {
                let selector = promql::first_selector(query);
                format!("count({})", selector.map_or_else(|| query.clone(), |selector| selector.to_string()))
            }
        }
    }

    /// In words: `http_requests_total{status=~"5.."} of http_requests_total`.
    pub fn show(&self) -> String {
        match self {
            Self::Ratio { side: Side::Bad, events, total, .. } => format!("bad {events} of {total}"),
            Self::Ratio { side: Side::Good, events, total, .. } => format!("good {events} of {total}"),
            Self::Latency { histogram, below, .. } => {
                format!("{histogram} at most {}", latency_unit(histogram).show(*below))
            }
            Self::Threshold { query, bad } => format!("bad while {query} {bad}"),
            Self::Up { selector } => format!("bad while {selector} is 0"),
            Self::Raw { query, side: Side::Bad } => format!("share of bad events {query}"),
            Self::Raw { query, side: Side::Good } => format!("share of good events {query}"),
        }
    }

    /// The metrics that it needs, as far as they are known by name.
    pub fn metrics(&self) -> Vec<String> {
        let of = |text: &str| promql::inspect(text).map(|expression| expression.metrics).unwrap_or_default();
        let mut names = match self {
            Self::Ratio { events, total, .. } => [of(total), of(events)].concat(),
            Self::Latency { histogram, native: true, .. } => vec![histogram.name().to_owned()],
            Self::Latency { histogram, .. } => {
                vec![
                    histogram.with_suffix("_count").name().to_owned(),
                    histogram.with_suffix("_bucket").name().to_owned(),
                ]
            }
            Self::Up { selector } => vec![selector.name().to_owned()],
            Self::Threshold { query, .. } | Self::Raw { query, .. } => of(query),
        };
        names.dedup();
        names
    }
}

/// The unit of a latency.
pub fn latency_unit(histogram: &Selector) -> Unit {
    match Unit::from_metric_name(histogram.name()) {
        Unit::None => Unit::Seconds,
        unit => unit,
    }
}

/// The bucket that ends at the bound. Prometheus 3 writes `1` as `1.0`, so both are taken.
pub fn bucket(histogram: &Selector, below: f64) -> Selector {
    let written = format!("{below}");
    let matcher = match written.contains('.') {
        true => Matcher::new("le", MatchOp::Equal, &written),
        false => Matcher::new("le", MatchOp::Regex, &format!("{written}|{written}\\.0")),
    };
    histogram.with_suffix("_bucket").with(matcher)
}

/// In brackets, where another operator could bind more tightly.
fn grouped(expr: &str) -> String {
    let is_call = expr.ends_with(')') && closes_at_the_end(expr);
    if is_call { expr.to_owned() } else { format!("({expr})") }
}

/// Does the first bracket close with the last character? Then it is one call, or in brackets already.
fn closes_at_the_end(expr: &str) -> bool {
    let mut depth = 0_usize;
    let mut text = false;
    let mut escaped = false;
    for (index, byte) in expr.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if text => escaped = true,
            b'"' => text = !text,
            b'(' if !text => depth += 1,
            b')' if !text => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return index + 1 == expr.len();
                }
            }
            _ => {}
        }
    }
    false
}

fn sign(op: Comparison) -> &'static str {
    match op {
        Comparison::Above => ">",
        Comparison::AtLeast => ">=",
        Comparison::Below => "<",
        Comparison::AtMost => "<=",
        Comparison::Equal => "==",
        Comparison::NotEqual => "!=",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selector(text: &str) -> Selector {
        Selector::parse(text).expect(text)
    }

    #[test]
    fn each_kind_becomes_counts_that_are_promql() {
        let five = Span::last(Duration::from_secs(300));
        let ratio =
            |side| Indicator::Ratio { side, events: "r{status=~\"5..\"}".into(), total: "r".into(), monotonic: true };
        for (indicator, bad, total) in [
            (
                ratio(Side::Bad),
                "(sum(increase(r{status=~\"5..\"}[5m])) or 0 * sum(increase(r[5m])))",
                "sum(increase(r[5m]))",
            ),
            (
                ratio(Side::Good),
                "(sum(increase(r[5m])) - (sum(increase(r{status=~\"5..\"}[5m])) or 0 * sum(increase(r[5m]))))",
                "sum(increase(r[5m]))",
            ),
            (
                Indicator::latency(&selector("d_seconds"), "300ms", false).expect("sound"),
                "(sum(increase(d_seconds_count[5m])) - sum(increase(d_seconds_bucket{le=\"0.3\"}[5m])))",
                "sum(increase(d_seconds_count[5m]))",
            ),
            (
                Indicator::latency(&selector("d_seconds_bucket{a=\"b\"}"), "1s", false).expect("sound"),
                "(sum(increase(d_seconds_count{a=\"b\"}[5m])) - sum(increase(d_seconds_bucket{a=\"b\",le=~\"1|1\\\\.0\"}[5m])))",
                "sum(increase(d_seconds_count{a=\"b\"}[5m]))",
            ),
            (
                Indicator::latency(&selector("d_ms"), "1s", false).expect("sound"),
                "(sum(increase(d_ms_count[5m])) - sum(increase(d_ms_bucket{le=~\"1000|1000\\\\.0\"}[5m])))",
                "sum(increase(d_ms_count[5m]))",
            ),
            (
                Indicator::Up { selector: selector("up{job=\"a\"}") },
                "(sum(count_over_time(up{job=\"a\"}[5m])) - sum(sum_over_time(up{job=\"a\"}[5m])))",
                "sum(count_over_time(up{job=\"a\"}[5m]))",
            ),
            (
                Indicator::Threshold {
                    query: "max(q)".into(),
                    bad: Threshold::parse("> 5", &Unit::None).expect("sound"),
                },
                "sum_over_time((((max(q)) >= -Inf) > bool 5)[5m:1m])",
                "count_over_time(((max(q)) >= -Inf)[5m:1m])",
            ),
        ] {
            let counts = indicator.counts(five).expect("sound");
            assert_eq!((counts.bad.as_str(), counts.total.as_str()), (bad, total), "{indicator:?}");
            for text in [&counts.bad, &counts.total, &indicator.presence()] {
                assert_eq!(promql::check(text), Ok(()), "{text}");
            }
        }
        let native = Indicator::latency(&selector("d_seconds"), "300ms", true).expect("sound");
        let counts = native.counts(Span { end: Some(7), ..five }).expect("sound");
        assert_eq!(promql::check(&counts.bad), Ok(()), "{}", counts.bad);
    }
}
