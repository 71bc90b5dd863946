//! Direct scrapes against Prometheus, differentially: thousands of random histories with births, deaths, restarts and
//! gaps, which liveops scrapes and Prometheus remembers at the same times, have the same rates, ratios and quantiles.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use crate::support::{Exporter, Prometheus, TestEnv};

/// Histories of counters and of histograms; spread over so many endpoints.
const COUNTERS: usize = 1500;
const HISTOGRAMS: usize = 700;
const ENDPOINTS: usize = 3;

const LOOKS: usize = 15;
/// Those at which the window, of two minutes, is full.
const COMPARED: [usize; 4] = [9, 11, 13, 14];

const BOUNDS: [&str; 4] = ["0.1", "0.5", "1", "+Inf"];

/// A generator that gives the same histories for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        // Source: Vigna, "An experimental exploration of Marsaglia's xorshift generators".
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % limit
    }

    fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }
}

/// What one series gives at each look; `None` where it is not there.
type Course = Vec<Option<u64>>;

/// Cumulative counts of a few series that restart together, as those of one histogram do. Each lives from look to look,
/// with gaps, and begins at 0 or with what it has counted before anybody looked.
fn courses(random: &mut Random, series: usize) -> Vec<Course> {
    let looks = LOOKS as u64;
    let birth = if random.percent(70) { 0 } else { random.below(looks) };
    let death = if random.percent(80) { looks } else { random.below(looks) };
    let fastest = [0, 1, 8, 60, 4000][random.below(5) as usize];
    let old = if birth == 0 { random.below(3) * random.below(10_000) } else { 0 };
    let mut counts: Vec<u64> = (0..series).map(|_| if old == 0 { 0 } else { random.below(old + 1) }).collect();
    let mut courses = vec![Course::new(); series];
    let mut restarted = 0;
    for look in 0..looks {
        // Restarts that follow each other at once cannot be told from processes that take turns.
        let restart = look > restarted + 4 && random.percent(8);
        if restart {
            restarted = look;
            counts.fill(0);
        }
        for count in &mut counts {
            *count += random.below(fastest + 1);
        }
        let is_there = (birth..death).contains(&look) && !random.percent(4);
        let mut cumulative = 0;
        for (course, count) in courses.iter_mut().zip(&counts) {
            cumulative += count;
            course.push(is_there.then_some(if series > 2 { cumulative } else { *count }));
        }
    }
    courses
}

/// Every series with its endpoint.
struct World {
    series: Vec<(usize, String, Course)>,
    /// Endpoints that do not answer at a look.
    silent: Vec<[bool; ENDPOINTS]>,
    times: Vec<DateTime<Utc>>,
}

impl World {
    fn new(random: &mut Random) -> Self {
        let mut series = Vec::new();
        for history in 0..COUNTERS {
            for (code, course) in ["200", "500"].iter().zip(courses(random, 2)) {
                series.push((history % ENDPOINTS, format!("c_total{{h=\"{history}\",code=\"{code}\"}}"), course));
            }
        }
        for history in 0..HISTOGRAMS {
            for (bound, course) in BOUNDS.iter().zip(courses(random, BOUNDS.len())) {
                series.push((history % ENDPOINTS, format!("d_bucket{{h=\"{history}\",le=\"{bound}\"}}"), course));
            }
        }
        let mut at: DateTime<Utc> = "2026-01-15T10:00:00.137Z".parse().unwrap();
        let mut times = Vec::new();
        let mut silent = Vec::new();
        for look in 0..LOOKS {
            at += TimeDelta::milliseconds(14_500 + i64::try_from(random.below(1000)).unwrap());
            times.push(at);
            let fails = !COMPARED.contains(&look) && look > 0;
            silent.push(std::array::from_fn(|_| fails && random.percent(15)));
        }
        Self { series, silent, times }
    }

    fn exposition(&self, endpoint: usize, look: usize) -> String {
        let mut text = String::new();
        for (_, name, course) in self.series.iter().filter(|(at, ..)| *at == endpoint) {
            if let Some(count) = course[look] {
                writeln!(text, "{name} {count}").unwrap();
            }
        }
        text
    }

    /// What was there to scrape, with its times.
    fn past(&self) -> String {
        let mut text = String::new();
        for (endpoint, name, course) in &self.series {
            for (look, count) in course.iter().enumerate().filter(|(look, _)| !self.silent[*look][*endpoint]) {
                if let Some(count) = count {
                    let seconds = self.times[look].timestamp_millis();
                    writeln!(text, "{name} {count} {}.{:03}", seconds / 1000, seconds % 1000).unwrap();
                }
            }
        }
        text + "# EOF\n"
    }
}

const RATE: &str = "sum by (h) (rate(c_total[2m]))";
const ERRORS: &str = "sum by (h) (rate(c_total{code=\"500\"}[2m]))";

/// What Prometheus says of each KPI, by history.
fn by_prometheus(prometheus: &Prometheus, at: DateTime<Utc>) -> BTreeMap<&'static str, BTreeMap<String, f64>> {
    let queries = [
        ("rate", RATE.to_owned()),
        ("ratio", format!("({ERRORS} or {RATE} * 0) / {RATE}")),
        ("quantile", "histogram_quantile(0.9, sum by (h, le) (rate(d_bucket[2m])))".to_owned()),
    ];
    let values = |promql: &str| {
        let found = prometheus.query_at(promql, at).into_iter();
        found.map(|(labels, value)| (labels["h"].clone(), value)).filter(|(_, value)| !value.is_nan()).collect()
    };
    queries.iter().map(|(name, promql)| (*name, values(promql))).collect()
}

fn by_liveops(report: &Value, kpi: &str) -> BTreeMap<String, f64> {
    let parts = report["metrics"][kpi]["by"].as_object().unwrap_or_else(|| panic!("{kpi}: {}", report["metrics"]));
    parts.iter().filter_map(|(history, value)| Some((history.clone(), value.as_f64()?))).collect()
}

/// The histories on which the two differ by more than one per cent, or which only one of them knows.
fn differences(a: &BTreeMap<String, f64>, b: &BTreeMap<String, f64>) -> BTreeMap<String, [Option<f64>; 2]> {
    let names = a.keys().chain(b.keys());
    let pairs = names.map(|name| (name.clone(), [a.get(name).copied(), b.get(name).copied()]));
    let differ = |pair: &[Option<f64>; 2]| match pair {
        [Some(a), Some(b)] => (a - b).abs() > 0.01 * a.abs() + 1e-9,
        [a, b] => a.is_some() != b.is_some(),
    };
    pairs.filter(|(_, pair)| differ(pair)).collect()
}

#[test]
#[allow(clippy::disallowed_methods, reason = "the environment says the seed")]
fn random_histories_have_the_rates_ratios_and_quantiles_that_prometheus_gives() {
    let seed = std::env::var("LIVEOPS_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_130);
    let world = World::new(&mut Random(seed));
    let newest = Path::new("target/tools/bin/prometheus-newest");
    assert!(newest.exists(), "run `scripts/tools`, which installs {}", newest.display());
    let past = world.past();
    let newest = newest.canonicalize().unwrap().display().to_string().leak();
    let [old, new] = ["prometheus", newest].map(|binary| Prometheus::remembering_in(binary, &past, ""));
    let exporters: [Exporter; ENDPOINTS] = std::array::from_fn(|_| Exporter::new(""));
    let env = TestEnv::new();
    let metrics = exporters.each_ref().map(|exporter| format!("\"{}\"", exporter.url())).join(", ");
    env.write(
        "liveops.yaml",
        format!(
            "version: 1\nservices:\n  - {{ name: game, metrics: [ {metrics} ] }}\nkpis:\n\
             \x20 - {{ name: rate, rate: {{ of: c_total, window: 2m }}, by: h }}\n\
             \x20 - {{ name: ratio, ratio: {{ of: 'c_total{{code=\"500\"}}', to: c_total, window: 2m }}, by: h }}\n\
             \x20 - {{ name: quantile, quantile: {{ q: 0.9, histogram: d, window: 2m }}, by: h }}\n"
        ),
    );
    let (mut compared, mut old_differ) = (0, 0);
    for look in 0..LOOKS {
        for (endpoint, exporter) in exporters.iter().enumerate() {
            match world.silent[look][endpoint] {
                true => exporter.fail(500),
                false => exporter.set(&world.exposition(endpoint, look)),
            }
        }
        let now = world.times[look];
        let report = env.command(["status", "-o", "json"]).env("LIVEOPS_NOW", &now.to_rfc3339()).run().json();
        if !COMPARED.contains(&look) {
            continue;
        }
        let (by_old, by_new) = (by_prometheus(&old, now), by_prometheus(&new, now));
        for (kpi, wanted) in &by_new {
            let found = by_liveops(&report, kpi);
            let differ = differences(wanted, &found);
            assert!(
                differ.is_empty(),
                "seed {seed}, look {look}, {kpi}: {} differ from Prometheus (first) in liveops: {:?}",
                differ.len(),
                differ.iter().take(5).collect::<Vec<_>>()
            );
            // The older one extrapolates newborn counters otherwise; it must agree wherever both Prometheus do.
            let versions = differences(&by_old[kpi], wanted);
            let odd = differences(&by_old[kpi], &found);
            assert!(odd.keys().all(|history| versions.contains_key(history)), "seed {seed}, {kpi}: {odd:?}");
            old_differ += versions.len();
            compared += wanted.len();
        }
    }
    assert!(compared > COUNTERS + HISTOGRAMS, "{compared} values are too few to tell anything");
    assert!(old_differ * 10 < compared, "the two Prometheus differ in {old_differ} of {compared}");
}
