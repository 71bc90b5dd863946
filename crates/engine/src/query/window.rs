//! When to evaluate: `--at`, `--range`, `--step` and what they become, within what Prometheus allows.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};

use liveops_domain::error::{Error, Result};
use liveops_domain::metric::promql::Gives;
use liveops_domain::text::duration;

/// Points a series that a default step gives: more than a terminal shows, few enough to be fast.
const POINTS: u64 = 250;

/// Steps between two points that Prometheus evaluates at most (`exceeded maximum resolution of 11,000 points`).
const MOST_STEPS: u64 = 11_000;

/// The range of `--plot` without `--range`.
const PLOT_RANGE: Duration = Duration::from_secs(3_600);

/// Steps that a person finds round, in seconds. Longer ones are whole days.
const ROUND: [u64; 18] =
    [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400];

/// What was said of the time.
#[derive(Debug, Clone, Copy, Default)]
pub struct Span<'a> {
    /// Time to evaluate at, or end of the range.
    pub at: Option<&'a str>,
    /// Evaluate over this long.
    pub range: Option<Duration>,
    /// Time between two points of the range.
    pub step: Option<Duration>,
    /// It will be drawn over time.
    pub plot: bool,
}

/// When an expression is evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// Once; without a time, now by Prometheus' own clock.
    Instant(Option<DateTime<Utc>>),
    /// At `start`, every `step` from there, and not after `end`.
    Range { start: DateTime<Utc>, end: DateTime<Utc>, step: Duration },
}

impl Window {
    /// The window that the arguments ask for, and what has to be said about it.
    ///
    /// # Errors
    /// Times that cannot be read, a step without a range.
    pub fn choose(args: Span<'_>, gives: Option<Gives>, now: DateTime<Utc>) -> Result<(Self, Option<String>)> {
        let at = args.at.map(|text| time(text, now)).transpose()?;
        // The samples of a window are plotted as they are.
        let implied = args.plot && (gives != Some(Gives::RangeVector) || args.step.is_some());
        let Some(range) = args.range.or(implied.then_some(PLOT_RANGE)) else {
            if let Some(step) = args.step {
                let step = duration::to_promql(step);
                return Err(Error::usage(
                    "`--step` needs a range",
                    format!("add one, such as `--range 1h --step {step}`"),
                ));
            }
            return Ok((Self::Instant(at), None));
        };
        let (step, note) = step(range, args.step);
        let end = at.unwrap_or(now);
        let start = TimeDelta::from_std(range)
            .ok()
            .and_then(|range| end.checked_sub_signed(range))
            .ok_or_else(|| Error::usage("the range begins before time does", "take a shorter `--range`"))?;
        Ok((Self::Range { start, end, step }, note))
    }
}

/// The step to use, and a note when it is not the one that was asked for.
fn step(range: Duration, wanted: Option<Duration>) -> (Duration, Option<String>) {
    let steps = |step: Duration| range.as_millis() / step.as_millis().max(1);
    match wanted {
        Some(step) if steps(step) <= u128::from(MOST_STEPS) => (step, None),
        Some(step) => {
            let chosen = round(range, MOST_STEPS);
            let note = format!(
                "`--step {}` over {} would be {} points a series, and Prometheus gives at most 11,000; the step is {} instead",
                duration::to_promql(step),
                duration::human(range),
                steps(step) + 1,
                duration::to_promql(chosen)
            );
            (chosen, Some(note))
        }
        None => (round(range, POINTS), None),
    }
}

/// The smallest round step with at most `most` steps in the range.
fn round(range: Duration, most: u64) -> Duration {
    let least = range.as_millis().div_ceil(u128::from(most)).div_ceil(1_000);
    let least = u64::try_from(least).unwrap_or(u64::MAX);
    let found = ROUND.into_iter().find(|step| *step >= least);
    Duration::from_secs(found.unwrap_or_else(|| least.div_ceil(86_400).saturating_mul(86_400)))
}

/// Reads a time: `now`, `-10m` or `10m ago`, RFC 3339, unix seconds; a date or time without a zone is UTC.
pub fn time(text: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>> {
    let text = text.trim();
    let ago = text
        .strip_prefix('-')
        .or_else(|| text.strip_suffix(" ago"))
        .and_then(|text| duration::parse(text).ok())
        .and_then(|back| now.checked_sub_signed(TimeDelta::from_std(back).ok()?));
    let unix = || {
        let seconds: f64 = text.parse().ok().filter(|number: &f64| number.is_finite())?;
        // Thirteen digits are milliseconds, as JavaScript and Grafana's links have them.
        let millis = if seconds.abs() < 1e11 { seconds * 1_000.0 } else { seconds };
        #[expect(clippy::cast_possible_truncation, reason = "far times are refused by chrono")]
        DateTime::from_timestamp_millis(millis.round() as i64)
    };
    let local = || {
        let text = text.replace('T', " ");
        ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M"]
            .iter()
            .find_map(|form| NaiveDateTime::parse_from_str(&text, form).ok())
            .or_else(|| {
                let day = NaiveDate::parse_from_str(&text, "%Y-%m-%d").ok()?;
                Some(day.and_time(NaiveTime::MIN))
            })
            .map(|at| at.and_utc())
    };
    // The last time that the clock showed this.
    let clock = || {
        let text = text.trim_end_matches('Z');
        let at = ["%H:%M:%S", "%H:%M"].iter().find_map(|form| NaiveTime::parse_from_str(text, form).ok())?;
        let today = now.date_naive().and_time(at).and_utc();
        Some(if today > now { today - TimeDelta::days(1) } else { today })
    };
    let rfc3339 = || DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc());
    (text == "now").then_some(now).or(ago).or_else(rfc3339).or_else(unix).or_else(local).or_else(clock).ok_or_else(|| {
        Error::usage(
            format!("`--at {text}` is not a time"),
            "write `2026-01-15T10:30:00Z`, `2026-01-15 10:30` (UTC), `10:30`, unix seconds, `now`, `-10m` or `10m ago`",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-01-15T10:30:00Z".parse().unwrap()
    }

    #[test]
    fn reads_times() {
        for (text, want) in [
            ("now", "2026-01-15T10:30:00Z"),
            ("-10m", "2026-01-15T10:20:00Z"),
            ("1h30m ago", "2026-01-15T09:00:00Z"),
            ("2026-01-14T10:00:00+01:00", "2026-01-14T09:00:00Z"),
            ("2026-01-14 10:00", "2026-01-14T10:00:00Z"),
            ("2026-01-14T10:00:30", "2026-01-14T10:00:30Z"),
            ("2026-01-14", "2026-01-14T00:00:00Z"),
            ("1700000000", "2023-11-14T22:13:20Z"),
            ("1700000000.5", "2023-11-14T22:13:20.500Z"),
            ("1700000000000", "2023-11-14T22:13:20Z"),
        ] {
            let want: DateTime<Utc> = want.parse().unwrap();
            assert_eq!(time(text, now()).unwrap(), want, "{text}");
        }
        for text in ["", "10m", "yesterday", "-", "-1", "2026-13-01", "NaN", "1e300"] {
            let read = time(text, now());
            assert!(read.is_err() || text == "-1", "{text}: {read:?}");
        }
    }

    #[test]
    fn default_steps_are_round() {
        for (range, want) in
            [("1m", "1s"), ("1h", "15s"), ("6h", "2m"), ("1d", "10m"), ("7d", "1h"), ("30d", "3h"), ("1y", "2d")]
        {
            let range = duration::parse(range).unwrap();
            assert_eq!(duration::to_promql(step(range, None).0), want, "{range:?}");
        }
    }

    #[test]
    fn steps_stay_within_what_prometheus_allows() {
        let parse = |text| duration::parse(text).unwrap();
        // 11,000 steps are 11,001 points, and still allowed.
        assert_eq!(step(parse("11000s"), Some(parse("1s"))), (parse("1s"), None));
        let (chosen, note) = step(parse("7d"), Some(parse("1s")));
        assert_eq!(chosen, parse("1m"));
        assert_eq!(
            note.unwrap(),
            "`--step 1s` over 7d would be 604801 points a series, and Prometheus gives at most 11,000; the step is 1m instead"
        );
        for range in ["1s", "11001s", "3d", "2y", "290y"] {
            let range = parse(range);
            let (chosen, _) = step(range, Some(Duration::from_millis(1)));
            assert!(range.as_millis() / chosen.as_millis() <= 11_000, "{range:?}");
        }
    }
}
