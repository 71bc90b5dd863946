//! How much of the error budget is spent, how fast it burns, and when it will be gone.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::metric::level::Level;
use crate::slo::Slo;
use crate::slo::burn::{Pair, Tier, WINDOWS, pairs};
use crate::slo::expression::{Component, components};
use crate::text::count::count;
use crate::text::duration::{human, to_promql};

/// `increase` extrapolates: bad events may exceed all events by this part, and by one, without anything being wrong.
const SLACK: f64 = 0.01;

/// Bad and all events of one component.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tally {
    pub bad: f64,
    pub total: f64,
}

/// What is known of a stretch of time: the tally of each component, or why there is none.
pub type Tallies = Result<Vec<Tally>, String>;

impl Tally {
    /// Is it one? Otherwise, why not.
    ///
    /// # Errors
    /// The reason.
    pub fn check(self) -> Result<Self, String> {
        let Self { bad, total } = self;
        if !bad.is_finite() || !total.is_finite() {
            return Err("the counts are not numbers (NaN)".into());
        }
        if total < 0.0 || bad < -(total * SLACK + 1.0) {
            return Err("the counts are below zero: are good and total of the same requests?".into());
        }
        if bad > total * (1.0 + SLACK) + 1.0 {
            return Err(format!("more bad than all events ({bad:.0} of {total:.0}): are both of the same requests?"));
        }
        Ok(Self { bad: bad.clamp(0.0, total.max(0.0)), total: total.max(0.0) })
    }

    /// Without what was excluded.
    pub fn without(self, other: Self) -> Self {
        let total = (self.total - other.total).max(0.0);
        Self { bad: (self.bad - other.bad).clamp(0.0, total), total }
    }
}

/// The share of the budget of a stretch that is spent, as if it were the whole window: 1 is exactly all of it. Over a
/// short window that is the burn rate.
///
/// # Errors
/// Why it is not known.
pub fn spent(components: &[Component], tallies: &Tallies) -> Result<f64, String> {
    let tallies = tallies.as_ref().map_err(Clone::clone)?;
    let busy = components.iter().zip(tallies).filter(|(_, tally)| tally.total > 0.0);
    let weight: f64 = busy.clone().map(|(component, _)| component.weight).sum();
    if weight == 0.0 {
        return Err(NO_TRAFFIC.into());
    }
    let burn = |(component, tally): (&Component, &Tally)| {
        component.weight * (tally.bad / tally.total) / component.objective.budget()
    };
    Ok(busy.map(burn).sum::<f64>() / weight)
}

/// Why a share is not known of a stretch without events.
const NO_TRAFFIC: &str = "no traffic";

/// Why a window is not known whose begin nobody saw: what is counted now has nothing to be compared with.
pub const NO_EARLIER: &str = "no reading that old, and no Prometheus";

/// Everything that was read of one objective.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// By window, as [`WINDOWS`].
    pub windows: Vec<Tallies>,
    /// The period up to now, everything counted.
    pub period: Tallies,
    /// Of it, what was excluded; none where nothing is.
    pub excluded: Option<Tallies>,
    /// How far back the data goes, within the period.
    pub covered: Result<Duration, String>,
    /// Why the answers are not whole, where they are not.
    pub doubt: Option<String>,
}

/// One figure, or why it is not known.
pub type Figure = Result<f64, String>;

/// What a reading means.
#[derive(Debug, Clone, PartialEq)]
pub struct Budget {
    pub attained: Figure,
    pub remaining: Figure,
    /// Counts of the period; of a composite, of all parts together.
    pub counts: Result<Tally, String>,
    /// The same two with everything counted, where something is excluded.
    pub unadjusted: Option<(Figure, Figure)>,
    /// By window, as [`WINDOWS`].
    pub burn: Vec<Figure>,
    pub covered: Figure,
    /// The pairs that alert now.
    pub alerting: Vec<Pair>,
    pub exhausts: Option<Exhausts>,
    pub trend: Option<Trend>,
    pub level: Level,
    /// Why the level is what it is.
    pub reason: Option<String>,
}

/// When the budget will be gone, by the longest window that burns too fast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exhausts {
    pub at: DateTime<Utc>,
    pub by: Duration,
}

/// Where it is going: the last hours against the last days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trend {
    Rising,
    Steady,
    Falling,
}

impl Trend {
    pub fn name(self) -> &'static str {
        match self {
            Self::Rising => "rising",
            Self::Steady => "steady",
            Self::Falling => "falling",
        }
    }
}

/// A burn that differs by more than this part is another one.
const STEADY: f64 = 1.25;

/// Judges a reading.
pub fn judge(slo: &Slo, reading: &Reading, now: DateTime<Utc>) -> Budget {
    let parts = components(slo);
    let adjusted = adjusted(reading);
    let figures = |tallies: &Tallies| {
        let spent = spent(&parts, tallies);
        (spent.clone().map(|spent| 1.0 - spent * slo.objective.budget()), spent.map(|spent| 1.0 - spent))
    };
    let (attained, remaining) = figures(&adjusted);
    let burn: Vec<Figure> = reading.windows.iter().map(|tallies| spent(&parts, tallies)).collect();
    let whole = slo.window.period(now).length();
    let covered = reading.covered.clone();
    let share = covered.map(|covered| {
        let elapsed = slo.window.elapsed(now).length();
        (covered.as_secs_f64() / elapsed.as_secs_f64().max(1.0)).min(1.0)
    });
    let alerting = alerting(slo, reading, &burn);
    let exhausts = exhausts(slo, &remaining, &burn, now, whole);
    let young = young(slo, reading, now);
    let (level, reason) = level(reading, &remaining, &burn, &pairs(slo.window.nominal()), &alerting, young.as_deref());
    Budget {
        counts: adjusted.map(|all| {
            all.iter().fold(Tally { bad: 0.0, total: 0.0 }, |sum, one| Tally {
                bad: sum.bad + one.bad,
                total: sum.total + one.total,
            })
        }),
        unadjusted: reading.excluded.as_ref().map(|_| figures(&reading.period)),
        attained,
        remaining,
        covered: share,
        alerting,
        exhausts,
        trend: trend(&burn),
        burn,
        level,
        reason,
    }
}

fn adjusted(reading: &Reading) -> Tallies {
    match (&reading.period, &reading.excluded) {
        (Ok(all), Some(Ok(excluded))) => {
            Ok(all.iter().zip(excluded).map(|(all, excluded)| all.without(*excluded)).collect())
        }
        (Ok(_), Some(Err(why))) => Err(format!("what is excluded is not known: {why}")),
        (period, _) => period.clone(),
    }
}

fn index(window: Duration) -> Option<usize> {
    WINDOWS.iter().position(|known| *known == window)
}

fn of(burn: &[Figure], window: Duration) -> Option<f64> {
    burn.get(index(window)?)?.as_ref().ok().copied()
}

/// The pairs whose rule alerts by these figures.
fn alerting(slo: &Slo, reading: &Reading, burn: &[Figure]) -> Vec<Pair> {
    let bad = |window: Duration| {
        let tallies = reading.windows.get(index(window)?)?.as_ref().ok()?;
        Some(tallies.iter().map(|tally| tally.bad).sum::<f64>())
    };
    let is_alerting = |pair: &Pair| {
        let factor = pair.factor.get();
        let fast = |window| of(burn, window).is_some_and(|burn| burn > factor);
        let enough = bad(pair.long).is_some_and(|bad| bad > f64::from(slo.min_bad()) - 0.5);
        let old = reading.covered.as_ref().is_ok_and(|covered| *covered >= pair.least_history());
        fast(pair.long) && fast(pair.short) && enough && old
    };
    pairs(slo.window.nominal()).into_iter().filter(is_alerting).collect()
}

fn exhausts(slo: &Slo, remaining: &Figure, burn: &[Figure], now: DateTime<Utc>, whole: Duration) -> Option<Exhausts> {
    let left = *remaining.as_ref().ok()?;
    if left <= 0.0 {
        return None;
    }
    let (window, rate) = WINDOWS
        .iter()
        .zip(burn)
        .rev()
        .find_map(|(window, burn)| Some((*window, *burn.as_ref().ok()?)).filter(|(_, rate)| *rate > 1.0))?;
    let seconds = left * whole.as_secs_f64() / rate;
    #[expect(clippy::cast_possible_truncation, reason = "at most a few years of seconds")]
    let at = now.checked_add_signed(TimeDelta::seconds(seconds as i64))?;
    // A new calendar period brings a new budget.
    let renewed = matches!(slo.window, crate::slo::window::Window::Calendar { .. }) && at >= slo.window.period(now).end;
    (!renewed).then_some(Exhausts { at, by: window })
}

fn trend(burn: &[Figure]) -> Option<Trend> {
    let (recent, before) = (of(burn, WINDOWS[4])?, of(burn, WINDOWS[6])?);
    Some(if recent > before * STEADY && recent > 0.0 {
        Trend::Rising
    } else if recent * STEADY < before {
        Trend::Falling
    } else {
        Trend::Steady
    })
}

/// How the budgets stand, each counted once: what is not known is not within, and not beyond.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct BudgetCount {
    pub known: usize,
    pub within: usize,
    /// Within, and alerting on its burn.
    pub fast: usize,
    pub unknown: usize,
}

impl BudgetCount {
    pub fn of<'a>(all: impl Iterator<Item = &'a Budget>) -> Self {
        let mut counts = Self::default();
        for one in all {
            match &one.remaining {
                Ok(left) if one.level != Level::Unknown => {
                    counts.known += 1;
                    counts.within += usize::from(*left > 0.0);
                    counts.fast += usize::from(*left > 0.0 && one.level != Level::Ok);
                }
                _ => counts.unknown += 1,
            }
        }
        counts
    }
}

/// `data for 2d of 30d`, by the share of the window up to now that has data.
pub fn history(slo: &Slo, share: f64, now: DateTime<Utc>) -> String {
    format!("data for {} of {}", human(slo.window.elapsed(now).length().mul_f64(share)), slo.window)
}

/// Is there so little data that no alert could fire, whatever it says? Of a period that has just begun, what there is
/// counts.
fn young(slo: &Slo, reading: &Reading, now: DateTime<Utc>) -> Option<String> {
    let covered = match &reading.covered {
        Ok(covered) => *covered,
        Err(why) => return Some(format!("how far back the data goes is unknown: {why}")),
    };
    let elapsed = slo.window.elapsed(now).length();
    let least = pairs(slo.window.nominal()).iter().map(Pair::least_history).min()?.min(elapsed / 2);
    let share = covered.as_secs_f64() / elapsed.as_secs_f64().max(1.0);
    (covered < least).then(|| format!("{} is too little to tell", history(slo, share.min(1.0), now)))
}

/// Unknown hides anything but what is known to be critical.
fn level(
    reading: &Reading,
    remaining: &Figure,
    burn: &[Figure],
    pairs: &[Pair],
    alerting: &[Pair],
    young: Option<&str>,
) -> (Level, Option<String>) {
    let fast = |pair: &Pair| {
        let burn = of(burn, pair.long).unwrap_or_default();
        format!("burns {} the budget over {} (more than {})", times(burn), to_promql(pair.long), pair.factor)
    };
    let unknown = reading.doubt.clone().map(|why| format!("not everything answered: {why}"));
    if let Some(why) = unknown {
        return (Level::Unknown, Some(why));
    }
    if let (Ok(_), Some(why)) = (remaining, young) {
        return (Level::Unknown, Some(why.to_owned()));
    }
    if remaining.as_ref().is_ok_and(|left| *left <= 0.0) {
        return (Level::Critical, Some("the error budget is spent".into()));
    }
    if let Some(pair) = alerting.iter().find(|pair| pair.tier == Tier::Page) {
        return (Level::Critical, Some(fast(pair)));
    }
    if let Err(why) = remaining {
        return (Level::Unknown, Some(why.clone()));
    }
    // A window without traffic burns nothing; one without series is not known. Where only the look to compare with is
    // missing, no pair alerts whose other window is known to burn slowly.
    let spared = |window: Duration| {
        let mut with = pairs.iter().filter(|pair| pair.long == window || pair.short == window).peekable();
        with.peek().is_some()
            && with.all(|pair| {
                let other = if pair.long == window { pair.short } else { pair.long };
                of(burn, other).is_some_and(|burn| burn <= pair.factor.get())
            })
    };
    let gap = WINDOWS.iter().zip(burn).find_map(|(window, burn)| {
        let why = burn.as_ref().err().filter(|why| *why != NO_TRAFFIC)?;
        let harmless = *why == NO_EARLIER && spared(*window);
        (!harmless).then(|| format!("burn over {} is unknown: {why}", to_promql(*window)))
    });
    if let Some(why) = gap {
        return (Level::Unknown, Some(why));
    }
    match alerting.first() {
        Some(pair) => (Level::Warn, Some(fast(pair))),
        None => (Level::Ok, None),
    }
}

/// `14.4×`.
pub fn times(burn: f64) -> String {
    match burn {
        burn if burn >= 100.0 => format!("{burn:.0}×"),
        burn if burn >= 10.0 => format!("{burn:.1}×"),
        burn => format!("{burn:.2}×"),
    }
}

/// What one bad event is at so little traffic: said where it is more than the page's factor.
pub fn low_traffic(slo: &Slo, reading: &Reading) -> Option<String> {
    let pair = pairs(slo.window.nominal())[0];
    let tallies = reading.windows.get(index(pair.long)?)?.as_ref().ok()?;
    let [only] = tallies.as_slice() else {
        return None;
    };
    if only.total < 1.0 {
        return None;
    }
    let budget = slo.objective.budget();
    let one = 1.0 / only.total / budget;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few events")]
    let events = only.total.round() as usize;
    (one > pair.factor.get()).then(|| {
        format!(
            "{} in {}: one that is bad burns {}; at least {} page",
            count(events, slo.method.unit()),
            to_promql(pair.long),
            times(one),
            slo.min_bad()
        )
    })
}

#[cfg(test)]
#[path = "budget_tests.rs"]
mod tests;
