//! The operating characteristics of the guard engine: how often it promotes, takes back or holds a build that is as it is,
//! over thousands of simulated rollouts; beside the rules of Argo Rollouts and Flagger on the same streams of requests.
//! Prints a table in Markdown; `bench/run --guards` puts it into the results. `characteristics [ROLLOUTS [CASE]]`: a case such
//! as `the same 10`, or a part of it.
#![allow(clippy::print_stdout, reason = "it prints its table")]

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use liveops_domain::guard::evidence::{Fault, Measurement};
use liveops_domain::guard::expression::{Bound, Condition};
use liveops_domain::guard::judge::{Evidence, Requirements, judge};
use liveops_domain::guard::no_data::OnNoData;
use liveops_domain::guard::verdict::{Outcome, Role, Verdict};
use liveops_domain::metric::histogram;
use liveops_domain::metric::kpi::{Kpi, KpiKind};
use liveops_domain::metric::selector::Selector;
use liveops_domain::rollout::exposure::{Digests, Originals, Percent, Readiness, Reading};
use liveops_domain::rollout::machine::{Observation, WriteOutcome};
use liveops_domain::rollout::plan::{Plan, Rules};
use liveops_domain::rollout::schedule;
use liveops_domain::rollout::state::{Phase, Rollout, Write};
use statrs::distribution::{ContinuousCDF, Normal};

const STEPS: &str = "5,25,50,100";
const POLL: i64 = 5;
const ERRORS: f64 = 0.002;
/// A log-normal latency: its median in seconds and its spread; p99 is 180 ms.
const MEDIAN: f64 = 0.05;
const SPREAD: f64 = 0.55;
/// The default buckets of Prometheus' clients.
const BUCKETS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, f64::INFINITY];

/// A build, as its users meet it.
#[derive(Clone, Copy)]
struct Build {
    name: &'static str,
    errors: f64,
    slower: f64,
}

const BUILDS: [Build; 5] = [
    Build { name: "the same", errors: ERRORS, slower: 1.0 },
    Build { name: "+0.5 points of errors", errors: ERRORS + 0.005, slower: 1.0 },
    Build { name: "+2 points of errors", errors: ERRORS + 0.02, slower: 1.0 },
    Build { name: "+20 points of errors", errors: ERRORS + 0.2, slower: 1.0 },
    Build { name: "+30 % latency", errors: ERRORS, slower: 1.3 },
];

struct Random(fastrand::Rng);

impl Random {
    fn poisson(&mut self, mean: f64) -> f64 {
        if mean > 50.0 {
            let (a, b) = (1.0 - self.0.f64(), self.0.f64());
            let normal = (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos();
            return (mean + mean.sqrt() * normal).round().max(0.0);
        }
        let floor = (-mean).exp();
        let (mut count, mut product) = (0.0, self.0.f64());
        while product > floor {
            count += 1.0;
            product *= self.0.f64();
        }
        count
    }
}

/// Counted since the start: failed, all, and by bucket (not cumulative).
#[derive(Clone, Copy, Default)]
struct Counts {
    bad: f64,
    all: f64,
    buckets: [f64; 12],
}

impl Counts {
    fn add(&mut self, random: &mut Random, requests: f64, errors: f64, shares: &[f64; 12]) {
        self.bad += random.poisson(requests * errors);
        for (bucket, share) in self.buckets.iter_mut().zip(shares) {
            let more = if *share > 0.0 { random.poisson(requests * share) } else { 0.0 };
            *bucket += more;
            self.all += more;
        }
    }

    fn since(&self, before: &Self) -> Self {
        let mut grown = Self { bad: self.bad - before.bad, all: self.all - before.all, buckets: [0.0; 12] };
        for (index, bucket) in grown.buckets.iter_mut().enumerate() {
            *bucket = self.buckets[index] - before.buckets[index];
        }
        // Two streams of chance: no more can have failed than there were.
        grown.bad = grown.bad.min(grown.all);
        grown
    }

    fn cumulative(&self) -> Vec<(f64, f64)> {
        let mut sum = 0.0;
        let up_to = BUCKETS.iter().zip(self.buckets).map(|(bound, count)| {
            sum += count;
            (*bound, sum)
        });
        up_to.collect()
    }

    fn measured(&self, kind: &KpiKind) -> Result<Measurement, Fault> {
        match kind {
            _ if self.all < 1.0 => Err(Fault::NoSeries),
            KpiKind::Quantile { .. } => Ok(Measurement::Buckets(self.cumulative())),
            _ => Ok(Measurement::Ratio { part: self.bad, whole: self.all }),
        }
    }
}

fn shares(slower: f64) -> [f64; 12] {
    let latency = Normal::standard();
    let mut shares = [0.0; 12];
    let mut before = 0.0;
    for (share, bound) in shares.iter_mut().zip(BUCKETS) {
        let up_to = if bound.is_finite() { latency.cdf((bound / (MEDIAN * slower)).ln() / SPREAD) } else { 1.0 };
        *share = (up_to - before).max(0.0);
        before = up_to;
    }
    shares
}

/// Both sides at each look.
#[derive(Default)]
struct Stream {
    canary: Vec<Counts>,
    stable: Vec<Counts>,
}

impl Stream {
    fn window(&self, looks: usize) -> (Counts, Counts) {
        let of = |side: &[Counts]| {
            let last = side.len() - 1;
            side[last].since(&side[last.saturating_sub(looks)])
        };
        (of(&self.canary), of(&self.stable))
    }
}

#[derive(Clone, Copy, PartialEq)]
enum End {
    Promoted,
    /// With the seconds that it took, and the step.
    Back(i64, usize),
    /// Nothing was proven; the stated rule has ended it.
    Undecided(usize),
}

struct World<'a> {
    random: Random,
    build: Build,
    rate: f64,
    usual: &'a [f64; 12],
    own: &'a [f64; 12],
    stream: Stream,
}

impl World<'_> {
    fn flow(&mut self, share: f64) {
        let requests = self.rate * POLL as f64;
        let (mut canary, mut stable) =
            (*self.stream.canary.last().expect("begun"), *self.stream.stable.last().expect("begun"));
        canary.add(&mut self.random, requests * share, self.build.errors, self.own);
        stable.add(&mut self.random, requests * (1.0 - share), ERRORS, self.usual);
        self.stream.canary.push(canary);
        self.stream.stable.push(stable);
    }
}

fn metrics() -> Vec<Kpi> {
    let selector = |text| Selector::parse(text).expect("valid");
    let window = Duration::from_secs(60);
    let kinds = [
        ("error_rate", KpiKind::Ratio { of: selector("errors"), to: selector("requests"), window }),
        ("p99_latency", KpiKind::Quantile { q: 0.99, histogram: selector("latency_seconds"), window }),
    ];
    let metric = |(name, kind): (&str, KpiKind)| Kpi {
        name: name.into(),
        title: None,
        unit: kind.natural_unit(),
        kind,
        by: None,
        warn: None,
        critical: None,
        service: None,
    };
    kinds.into_iter().map(metric).collect()
}

fn bound(rules: &Rules) -> Vec<(Role, Bound)> {
    let known = metrics();
    let roles = [(Role::Success, &rules.success), (Role::Rollback, &rules.rollback)];
    let all = roles.into_iter().flat_map(|(role, texts)| texts.iter().map(move |text| (role, text)));
    let metric = all.filter_map(|(role, text)| match Condition::parse(text).expect("valid") {
        Condition::Metric(written) => Some((role, written.bind(&known).expect("fits"))),
        Condition::Alert(_) => None,
    });
    metric.collect()
}

fn reading(live: Percent) -> Reading {
    Reading {
        live,
        settled: true,
        stable: Readiness::Ready { available: 3 },
        canary: Readiness::Ready { available: 3 },
        version: None,
        epoch: None,
        writer: None,
        stable_image: None,
        canary_image: None,
        digests: Digests::default(),
        broken: None,
    }
}

fn ours(world: &mut World<'_>, rules: &Rules, conditions: &[(Role, Bound)]) -> End {
    let plan = Plan {
        image: "game:2".into(),
        policy: "standard".into(),
        target: "gateway-api".into(),
        switch: false,
        rules: rules.clone(),
        waived: Vec::new(),
    };
    let originals = Originals {
        weight: Percent::ZERO,
        stable_available: 3,
        stable_image: None,
        release: None,
        canary_image: None,
        stable_digest: None,
        stable_revision: None,
        detail: serde_json::Value::Null,
    };
    let start = DateTime::<Utc>::UNIX_EPOCH + TimeDelta::days(1);
    let mut it = Rollout::new("r".into(), ("game".into(), "prod".into()), "ada".into(), plan, originals, start);
    let (mut live, mut now) = (Percent::ZERO, start);
    let short = (rules.scrape_interval.as_secs() * 4 / POLL as u64) as usize;
    loop {
        world.flow(live.get() / 100.0);
        now += TimeDelta::seconds(POLL);
        let mut verdicts = Vec::new();
        let long = (it.phase == Phase::Observe).then(|| ((now - it.since).num_seconds() / POLL) as usize);
        for (role, condition) in conditions {
            let judged = |looks: usize| {
                let (canary, stable) = world.stream.window(looks);
                let (canary, stable) =
                    (canary.measured(&condition.metric.kind), stable.measured(&condition.metric.kind));
                let evidence =
                    Evidence { canary: &canary, stable: &stable, before: it.baselines.get(&condition.text).copied() };
                let demand = Requirements {
                    min_samples: rules.min_samples,
                    significance: rules.significance(),
                    on_no_data: OnNoData::Hold,
                    due: true,
                };
                judge(condition, evidence, demand, Verdict::bare(&condition.text, *role, Outcome::NoEvidence, now, ""))
            };
            let verdict = match (role, long) {
                (Role::Success, Some(long)) => judged(long),
                (Role::Success, None) => continue,
                (Role::Rollback, long) => match (judged(short), long) {
                    (quick, Some(long)) if quick.outcome == Outcome::NoEvidence && long > short => judged(long),
                    (quick, _) => quick,
                },
            };
            verdicts.push(verdict);
        }
        let look = Observation { reading: Ok(reading(live)), verdicts, locked: Ok(()), delegated: false };
        match it.step(&look, now) {
            Some(Write::Restore) => {
                let undecided = it.reason.as_deref().is_some_and(|reason| reason.starts_with("held for too long"));
                return match undecided {
                    true => End::Undecided(it.step),
                    false => End::Back((now - start).num_seconds(), it.step),
                };
            }
            Some(Write::Promote) => return End::Promoted,
            Some(write) => {
                if let Write::Weight { percent } = write {
                    live = percent;
                }
                it.record_write(write, WriteOutcome::Done(reading(live)), now);
            }
            None => {}
        }
    }
}

/// A minute's point values against the same success conditions, as a PromQL expression compares them.
fn point_passes(world: &World<'_>) -> bool {
    let (canary, stable) = world.stream.window((60 / POLL) as usize);
    let rate = canary.bad / canary.all;
    let p99 = |counts: &Counts| histogram::quantile(0.99, &counts.cumulative());
    // NaN, of no requests, passes nothing.
    let latency = p99(&canary) < p99(&stable) * 1.2 || stable.all < 1.0;
    rate < 0.01 && latency
}

/// A check a minute, five minutes a step; `limit` failed checks in all are borne (Argo Rollouts), or one fewer (Flagger,
/// which goes back at the tick after).
fn theirs(world: &mut World<'_>, limit: u32, late: bool) -> End {
    let steps = schedule::given(STEPS).expect("sound");
    let (mut failed, mut seconds) = (0, 0);
    for (index, step) in steps.iter().enumerate() {
        for _ in 0..5 {
            for _ in 0..60 / POLL {
                world.flow(step.get() / 100.0);
                seconds += POLL;
            }
            if late && failed >= limit {
                return End::Back(seconds, index);
            }
            failed += u32::from(!point_passes(world));
            if !late && failed > limit {
                return End::Back(seconds, index);
            }
        }
    }
    End::Promoted
}

#[derive(Default)]
struct Tally {
    promoted: u32,
    undecided: u32,
    times: Vec<i64>,
    first_step: u32,
}

impl Tally {
    fn add(&mut self, end: End) {
        match end {
            End::Promoted => self.promoted += 1,
            End::Undecided(step) => {
                self.undecided += 1;
                self.first_step += u32::from(step == 0);
            }
            End::Back(seconds, step) => {
                self.times.push(seconds);
                self.first_step += u32::from(step == 0);
            }
        }
    }

    fn merge(&mut self, other: Self) {
        self.promoted += other.promoted;
        self.undecided += other.undecided;
        self.first_step += other.first_step;
        self.times.extend(other.times);
    }

    fn row(&mut self, runs: u32) -> String {
        let part = |count: u32| format!("{:.2} %", f64::from(count) * 100.0 / f64::from(runs));
        self.times.sort_unstable();
        let time = self.times.get(self.times.len() / 2).map_or_else(|| "–".to_owned(), |time| format!("{time} s"));
        format!("{} / {} / {} | {time}", part(self.promoted), part(self.undecided), part(self.times.len() as u32))
    }
}

fn cell(build: Build, rate: f64, runs: std::ops::Range<u32>, rules: &Rules) -> [Tally; 3] {
    let (usual, own) = (shares(1.0), shares(build.slower));
    let conditions = bound(rules);
    let mut tallies: [Tally; 3] = Default::default();
    for run in runs {
        for (index, tally) in tallies.iter_mut().enumerate() {
            let seed = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(u64::from(run) + 1) ^ rate.to_bits();
            let stream = Stream { canary: vec![Counts::default()], stable: vec![Counts::default()] };
            let mut world =
                World { random: Random(fastrand::Rng::with_seed(seed)), build, rate, usual: &usual, own: &own, stream };
            tally.add(match index {
                0 => ours(&mut world, rules, &conditions),
                1 => theirs(&mut world, 3, false),
                _ => theirs(&mut world, 5, true),
            });
        }
    }
    tallies
}

fn main() {
    let runs: u32 = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(20_000);
    let only = std::env::args().nth(2).unwrap_or_default();
    let rules = Rules {
        steps: schedule::given(STEPS).expect("sound"),
        rollback: vec!["error_rate > 5%".into(), "p99_latency > baseline * 2.0".into()],
        ..Rules::default()
    };
    println!(
        "| build | requests/s in all | liveops: promoted / undecided / back | back after (median) | Argo Rollouts | back after | Flagger | back after |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let (mut false_backs, mut caught) = (0.0_f64, BTreeMap::new());
    for build in BUILDS {
        for rate in [1.0, 10.0, 100.0, 1_000.0, 2_000.0] {
            if !format!("{} {rate}", build.name).contains(&only) {
                continue;
            }
            let half = runs / 2;
            let rules = &rules;
            let mut tallies = std::thread::scope(|scope| {
                let other = scope.spawn(move || cell(build, rate, half..runs, rules));
                let mut mine = cell(build, rate, 0..half, rules);
                let theirs = other.join().expect("no panic");
                for (tally, more) in mine.iter_mut().zip(theirs) {
                    tally.merge(more);
                }
                mine
            });
            if build.name == "the same" {
                false_backs = false_backs.max(tallies[0].times.len() as f64 / f64::from(runs));
            }
            caught.insert((build.name, rate as u64), f64::from(tallies[0].first_step) / f64::from(runs));
            let rows: Vec<String> = tallies.iter_mut().map(|tally| tally.row(runs)).collect();
            println!("| {} | {rate} | {} |", build.name, rows.join(" | "));
        }
    }
    if !only.is_empty() {
        return;
    }
    let held = caught.get(&("+2 points of errors", 2_000)).copied().unwrap_or(0.0);
    let word = |met: bool| if met { "met" } else { "missed" };
    println!();
    println!(
        "- {runs} rollouts a cell; steps {STEPS} %, 5 minutes each, a look every {POLL} s; {:.1} % errors and p99 180 ms as it was",
        ERRORS * 100.0
    );
    println!(
        "- a build that is the same is taken back in at most {:.2} % of all rollouts (target ≤ 1 %: {})",
        false_backs * 100.0,
        word(false_backs <= 0.01)
    );
    println!(
        "- +2 points at 100 requests/s on the canary: held or taken back before its next step in {:.2} % (target ≥ 99 %: {})",
        held * 100.0,
        word(held >= 0.99)
    );
}
