//! Tests of the rules: a known failure begins, and the alert is silent one sample before a computed second and fires
//! at it.

use std::collections::BTreeSet;

use crate::metric::labels;
use crate::metric::selector::Selector;
use crate::slo::burn::{Pair, Tier};
use crate::slo::firing::{Counting, Scene};
use crate::slo::indicator::{Indicator, Side, bucket};
use crate::slo::rules::{BURN, MISSING, MISSING_FOR, RuleSet, first_window};
use crate::slo::{Method, Slo, sample};
use crate::text::duration::to_promql;

/// Events between two scrapes, where nothing else is asked for.
const EVENTS: u64 = 6_000;

/// A series and its values, as promtool writes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    pub name: String,
    pub values: String,
}

/// One test.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleTest {
    /// What it proves, in words.
    pub claim: String,
    /// What kind of failure: `page over 1h`.
    pub kind: String,
    /// Seconds between two samples, and between two evaluations.
    pub scrape: u64,
    pub series: Vec<Series>,
    /// The metrics that its rules read: tests of rules that share none can run at once.
    metrics: BTreeSet<String>,
    /// The alert as a selector of `ALERTS`.
    pub alert: String,
    pub silent_at: u64,
    pub fires_at: u64,
}

/// Tests that promtool runs at once: each run evaluates all rules of the file, so that runs are what costs.
pub fn runs(tests: &[RuleTest]) -> Vec<Vec<&RuleTest>> {
    let mut runs: Vec<Vec<&RuleTest>> = Vec::new();
    for test in tests {
        let fits = |run: &&mut Vec<&RuleTest>| {
            let beside = |other: &&RuleTest| {
                other.kind == test.kind && other.scrape == test.scrape && other.metrics.is_disjoint(&test.metrics)
            };
            run.iter().all(beside)
        };
        match runs.iter_mut().find(fits) {
            Some(run) => run.push(test),
            None => runs.push(vec![test]),
        }
    }
    runs
}

/// How the tests feed the rules.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scrape {
    /// Seconds between two samples.
    pub every: u64,
    /// Events between two samples.
    pub events: u64,
    /// Bad events of these, tried in turn until one has a second that every version of Prometheus agrees on.
    pub bad: [u64; 3],
    /// Whether the long windows of tickets are tested too: days of samples.
    pub tickets: bool,
}

impl Default for Scrape {
    fn default() -> Self {
        Self { every: 120, events: EVENTS, bad: [EVENTS, EVENTS / 2, EVENTS / 5], tickets: true }
    }
}

/// The tests of an objective's rules.
///
/// # Errors
/// When no failure has a second that can be claimed.
pub fn tests(slo: &Slo, set: &RuleSet, scrape: &Scrape) -> Result<Vec<RuleTest>, String> {
    let mut tests = Vec::new();
    for pair in &set.pairs {
        if pair.tier == Tier::Ticket && !scrape.tickets {
            continue;
        }
        let counted = scrape.bad.iter().find_map(|bad| counters(slo, pair, scrape, *bad));
        tests.push(match counted {
            Some(test) => test,
            None => from_records(slo, pair, scrape.every),
        });
    }
    tests.push(nothing(slo, scrape.every));
    Ok(tests)
}

fn kind(pair: &Pair) -> String {
    format!("{} over {} and {}", pair.tier.name(), to_promql(pair.long), to_promql(pair.short))
}

fn metrics(slo: &Slo) -> BTreeSet<String> {
    slo.parts.iter().flat_map(|part| part.indicator.metrics()).collect()
}

fn alert(slo: &Slo, name: &str, pair: Option<&Pair>) -> String {
    let pair = pair.map_or_else(String::new, |pair| format!(",long={}", labels::quote(&to_promql(pair.long))));
    format!("ALERTS{{alertname=\"{name}\",alertstate=\"firing\",slo={}{pair}}}", labels::quote(&slo.name))
}

/// From the counters themselves, where they can be made up.
fn counters(slo: &Slo, pair: &Pair, scrape: &Scrape, bad: u64) -> Option<RuleTest> {
    let [part] = slo.parts.as_slice() else {
        return None;
    };
    if slo.method != Method::Occurrences {
        return None;
    }
    // Tickets look at days: half of their window, which is enough for them to fire, and some minutes more.
    let before = match pair.tier {
        Tier::Page => pair.long.as_secs(),
        Tier::Ticket => pair.least_history().as_secs() + 1_200,
    };
    let history = before.div_ceil(scrape.every);
    let scene = Scene { scrape: scrape.every, events: scrape.events, bad, history };
    let (counting, fed) = series(&part.indicator, &scene)?;
    let after = scene.fires_after(pair, slo.objective, slo.min_bad(), counting)?;
    let failing = after / scrape.every + 2;
    let series = fed.into_iter().map(|(name, before, then)| Series {
        values: format!("0+{before}x{history} {}+{then}x{}", before * history + then, failing.saturating_sub(1)),
        name,
    });
    let begin = history * scrape.every;
    let share = bad * 100 / scrape.events.max(1);
    Some(RuleTest {
        kind: kind(pair),
        metrics: metrics(slo),
        claim: format!(
            "{}: {share} % of {} events each {} s are bad from {begin} s on: the {} over {} fires {after} s later, and not a sample before",
            slo.name,
            scrape.events,
            scrape.every,
            pair.tier.name(),
            to_promql(pair.long)
        ),
        scrape: scrape.every,
        series: series.collect(),
        alert: alert(slo, BURN, Some(pair)),
        silent_at: begin + after - scrape.every,
        fires_at: begin + after,
    })
}

/// A series, and by how much it grows between two scrapes: before the failure, and during it.
type Growth = (String, u64, u64);

/// Series, by how much each grows between two scrapes before and during the failure.
fn series(indicator: &Indicator, scene: &Scene) -> Option<(Counting, Vec<Growth>)> {
    let Scene { events, bad, .. } = *scene;
    let show = |selector: &Selector, labels: Option<labels::Labels>| {
        let labels = labels?;
        (labels::is_bare_metric(selector.name())).then(|| format!("{}{}", selector.name(), labels::show(&labels)))
    };
    match indicator {
        Indicator::Ratio { side, events: some, total, monotonic: true } => {
            let (some, total) = (Selector::parse(some).ok()?, Selector::parse(total).ok()?);
            let counted = show(&some, sample::labels(&some, None))?;
            let (counting, before, then) = match side {
                Side::Bad => (Counting::Bad, 0, bad),
                Side::Good => (Counting::Rest, events, events - bad),
            };
            if some.name() != total.name() {
                let all = show(&total, sample::labels(&total, None))?;
                return Some((counting, vec![(counted, before, then), (all, events, events)]));
            }
            // Both are series of one metric: what the total takes, and the events do not.
            let labels = sample::labels(&some, None)?;
            if !total.matches(total.name(), &labels) {
                return None;
            }
            let rest = show(&total, sample::labels(&total, Some(&some)))?;
            Some((counting, vec![(counted, before, then), (rest, events - before, events - then)]))
        }
        Indicator::Latency { histogram, below, native: false } => {
            let count = histogram.with_suffix("_count");
            let bucket = bucket(histogram, *below);
            let mut labels = sample::labels(&histogram.with_suffix("_bucket"), None)?;
            let count = show(&count, Some(labels.clone()))?;
            labels.insert("le".into(), format!("{below}"));
            let bucket = show(&bucket, Some(labels))?;
            Some((Counting::Rest, vec![(bucket, events, events - bad), (count, events, events)]))
        }
        _ => None,
    }
}

/// From what the rules record, where the counters cannot be made up: everything fails at once.
fn from_records(slo: &Slo, pair: &Pair, every: u64) -> RuleTest {
    let history = pair.least_history().as_secs() / every + 600 / every;
    let (long, short) = (to_promql(pair.long), to_promql(pair.short));
    let mut all: Vec<(String, String)> = Vec::new();
    let step = |before: u64, then: u64| format!("{before}x{history} {then}x3");
    all.push((format!("slo:error:ratio_rate{long}"), step(0, 1)));
    all.push((format!("slo:error:ratio_rate{short}"), step(0, 1)));
    all.push((format!("slo:bad:increase{long}"), step(0, 1_000)));
    all.push((format!("slo:total:increase{}", to_promql(first_window(slo))), step(1_000, 1_000)));
    let service = slo.service.iter().map(|service| format!(",service={}", labels::quote(service)));
    let identity = format!("slo={}{}", labels::quote(&slo.name), service.collect::<String>());
    let fires = (history + 1) * every;
    RuleTest {
        kind: kind(pair),
        metrics: metrics(slo),
        claim: format!(
            "{}: from the recorded ratios: everything fails at {fires} s, and the {} over {long} fires at once",
            slo.name,
            pair.tier.name()
        ),
        scrape: every,
        series: all
            .into_iter()
            .map(|(name, values)| Series { name: format!("{name}{{{identity}}}"), values })
            .collect(),
        alert: alert(slo, BURN, Some(pair)),
        silent_at: fires - every,
        fires_at: fires,
    }
}

/// There is no series at all.
fn nothing(slo: &Slo, every: u64) -> RuleTest {
    let hold = MISSING_FOR.as_secs().div_ceil(every) * every;
    RuleTest {
        kind: "nothing is measured".into(),
        metrics: BTreeSet::new(),
        claim: format!("{}: without any series, {MISSING} fires after {hold} s", slo.name),
        scrape: every,
        series: Vec::new(),
        alert: alert(slo, MISSING, None),
        silent_at: hold - every,
        fires_at: hold,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slo::rules::rules;

    #[test]
    fn a_test_says_its_second() {
        let slo = sample::slo("99.9%", "30d");
        let set = rules(&slo).expect("rules");
        let found = tests(&slo, &set, &Scrape::default()).expect("tests");
        assert_eq!(found.len(), 5);
        let page = &found[0];
        assert_eq!((page.silent_at, page.fires_at), (3_600, 3_720));
        assert_eq!(page.series[0].name, "r{status=\"500\"}");
        assert_eq!(page.series[0].values, "0+0x30 6000+6000x2");
        assert_eq!(page.series[1].values, "0+6000x30 180000+0x2");
        assert_eq!(found[4].fires_at, 360);
    }

    #[test]
    fn rules_that_share_no_metric_are_tested_at_once() {
        let one = sample::slo("99.9%", "30d");
        let mut other = crate::slo::Slo { name: "other".into(), ..one.clone() };
        let all = |slos: [&crate::slo::Slo; 2]| -> Vec<RuleTest> {
            let of =
                |slo: &crate::slo::Slo| tests(slo, &rules(slo).expect("rules"), &Scrape::default()).expect("tests");
            slos.into_iter().flat_map(of).collect()
        };
        // Of one metric: four failures each for itself, and one run without any series.
        assert_eq!(runs(&all([&one, &other])).len(), 9);
        other.parts[0].indicator =
            Indicator::Ratio { side: Side::Bad, events: "e".into(), total: "t".into(), monotonic: true };
        assert_eq!(runs(&all([&one, &other])).len(), 5);
    }
}
