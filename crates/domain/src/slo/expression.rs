//! An objective as PromQL: the bad and all events (or slices) of each of its components within a stretch of time.

use crate::metric::promql::Span;
use crate::slo::indicator::Counts;
use crate::slo::objective::Objective;
use crate::slo::{Method, Part, Slo};
use crate::text::duration::to_promql;

/// What is counted for itself; the burn of the whole is the weighted sum of its components' burns.
#[derive(Debug, Clone, PartialEq)]
pub struct Component {
    /// Empty where it is the only one.
    pub name: String,
    /// All weights together are 1.
    pub weight: f64,
    pub objective: Objective,
}

/// The components of an objective. Of timeslices there is one: a slice is bad where any part of it is.
pub fn components(slo: &Slo) -> Vec<Component> {
    if matches!(slo.method, Method::Timeslices { .. }) {
        return vec![Component { name: String::new(), weight: 1.0, objective: slo.objective }];
    }
    let sum: f64 = slo.parts.iter().map(|part| part.weight).sum();
    let of = |part: &Part| Component { name: part.name.clone(), weight: part.weight / sum, objective: part.objective };
    slo.parts.iter().map(of).collect()
}

/// The counts of each component, in their order.
///
/// # Errors
/// Why an expression cannot be counted.
pub fn counts(slo: &Slo, span: Span) -> Result<Vec<Counts>, String> {
    match slo.method.slice() {
        None => slo.parts.iter().map(|part| part.indicator.counts(span)).collect(),
        Some(slice) => Ok(slices(slo)?.iter().map(|one| over(one, slice, span)).collect()),
    }
}

/// How bad the slice that ends now is, 0 to 1, by component; nothing where it had no traffic. None of a method that has
/// no slices.
///
/// # Errors
/// As [`counts`].
pub fn slices(slo: &Slo) -> Result<Vec<String>, String> {
    match slo.method {
        Method::Occurrences => Ok(Vec::new()),
        Method::RatioTimeslices { slice } => slo.parts.iter().map(|part| share(part, slice)).collect(),
        Method::Timeslices { target, slice } => {
            let bad =
                |part: &Part| Ok::<_, String>(format!("({} > bool {})", share(part, slice)?, target.budget_decimal()));
            let bad = slo.parts.iter().map(bad).collect::<Result<Vec<_>, _>>()?;
            Ok(vec![match bad.as_slice() {
                [only] => only.clone(),
                // A part without traffic in the slice is neither good nor bad.
                several => format!("clamp_max({} or {}, 1)", several.join(" + "), several.join(" or ")),
            }])
        }
    }
}

/// The share of bad events of one slice; nothing where there was no traffic.
fn share(part: &Part, slice: std::time::Duration) -> Result<String, String> {
    let counts = part.indicator.counts(Span::last(slice))?;
    Ok(format!("({} / ({} > 0))", counts.bad, counts.total))
}

/// The sum and the number of slices within a stretch of time.
pub fn over(slices: &str, slice: std::time::Duration, span: Span) -> Counts {
    let brackets = format!("[{}:{}]{}", to_promql(span.length), to_promql(slice), span.at());
    Counts { bad: format!("sum_over_time({slices}{brackets})"), total: format!("count_over_time({slices}{brackets})") }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::metric::promql;
    use crate::slo::indicator::{Indicator, Side};
    use crate::slo::sample;

    #[test]
    fn methods_count_events_or_slices() {
        let minute = Duration::from_secs(60);
        let hour = Span::last(Duration::from_secs(3600));
        let mut slo = sample::slo("99.9%", "30d");
        assert_eq!(counts(&slo, hour).unwrap()[0].total, "sum(increase(r[1h]))");
        slo.method = Method::RatioTimeslices { slice: minute };
        assert_eq!(
            counts(&slo, hour).unwrap()[0].bad,
            "sum_over_time(((sum(increase(r{status=~\"5..\"}[1m])) or 0 * sum(increase(r[1m]))) / (sum(increase(r[1m])) > 0))[1h:1m])"
        );
        slo.method = Method::Timeslices { target: Objective::parse("95%").unwrap(), slice: minute };
        let bad = &counts(&slo, hour).unwrap()[0].bad;
        assert!(bad.contains("> bool 0.05)[1h:1m]"), "{bad}");
        let other = Indicator::Ratio { side: Side::Bad, events: "e".into(), total: "t".into(), monotonic: true };
        let part = |indicator, weight| Part { name: "p".into(), indicator, objective: slo.objective, weight };
        slo.parts = vec![part(slo.parts[0].indicator.clone(), 3.0), part(other, 1.0)];
        let all = counts(&slo, hour).unwrap();
        assert_eq!(all.len(), 1);
        assert!(all[0].bad.starts_with("sum_over_time(clamp_max("), "{}", all[0].bad);
        for text in [&all[0].bad, &all[0].total] {
            assert_eq!(promql::check(text), Ok(()), "{text}");
        }
        slo.method = Method::Occurrences;
        assert_eq!(components(&slo).iter().map(|one| one.weight).collect::<Vec<_>>(), [0.75, 0.25]);
        assert_eq!(counts(&slo, hour).unwrap().len(), 2);
    }
}
