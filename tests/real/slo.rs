//! `liveops slo` against what it must agree with: promtool on every rule that it writes, and a real Prometheus on the
//! budget of a month.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use liveops_domain::slo::expression::components;
use liveops_domain::slo::firing::{Counting, Scene};
use liveops_domain::slo::indicator::{Indicator, Side};
use liveops_domain::slo::objective::Objective;
use liveops_domain::slo::rules::{Format, Scrape, document, rules, test_document, tests};
use liveops_domain::slo::window::Window;
use liveops_domain::slo::{Alerting, Method, Part, Slo};

use crate::support::{Prometheus, TestEnv};

/// Random objectives a run; the bench asks for more.
const CASES: usize = 120;

#[allow(clippy::disallowed_methods, reason = "a test starts the programs it needs")]
fn promtool(args: &[&str], folder: &Path) -> (bool, String) {
    let ran = Command::new("promtool").args(args).current_dir(folder).output();
    let ran = ran.expect("promtool is installed (Debian package prometheus)");
    let said = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    (ran.status.success(), said)
}

fn slo(index: usize, objective: Objective, window: &str, min_bad: u32, indicator: Indicator) -> Slo {
    Slo {
        name: format!("slo-{index}"),
        service: Some("api".into()),
        description: None,
        objective,
        window: Window::parse(window).expect("a window"),
        method: Method::Occurrences,
        parts: vec![Part { name: String::new(), indicator, objective, weight: 1.0 }],
        exclusions: Vec::new(),
        alerting: Alerting { min_bad, ..Alerting::default() },
        place: "test:1".into(),
    }
}

/// An objective and how it is fed, such that the page over an hour fires at all.
fn random(index: usize, random: &mut fastrand::Rng) -> (Slo, Scrape) {
    let pick = |random: &mut fastrand::Rng, from: &[&'static str]| from[random.usize(..from.len())];
    loop {
        let objective = Objective::parse(pick(random, &["95%", "99%", "99.5%", "99.9%", "99.95%", "99.99%"]));
        let window = pick(random, &["7d", "28d", "30d", "90d", "month", "quarter"]);
        let name = format!("m{index}");
        let indicator = match random.u8(..4) {
            0 => Indicator::Ratio {
                side: Side::Bad,
                events: format!("{name}_total{{code=~\"5..\"}}"),
                total: format!("{name}_total"),
                monotonic: true,
            },
            1 => Indicator::Ratio {
                side: Side::Good,
                events: format!("{name}_total{{code!~\"5..|429\"}}"),
                total: format!("{name}_total"),
                monotonic: true,
            },
            2 => Indicator::Ratio {
                side: Side::Bad,
                events: format!("{name}_errors_total"),
                total: format!("sum({name}_requests_total)"),
                monotonic: true,
            },
            _ => {
                let histogram = liveops_domain::metric::selector::Selector::parse(&format!("{name}_seconds"));
                Indicator::latency(&histogram.expect("a selector"), "300ms", false).expect("a bound")
            }
        };
        let every = [15, 20, 30, 60][random.usize(..4)];
        let events = random.u64(1..2_000);
        let bad = (events * random.u64(1..=100)).div_ceil(100).min(events);
        let slo = slo(index, objective.expect("an objective"), window, random.u32(0..8), indicator);
        let Ok(set) = rules(&slo) else { continue };
        let first = &set.pairs[0];
        let scene = Scene { scrape: every, events, bad, history: first.long.as_secs().div_ceil(every) };
        // Where the total is no plain selector, no counters can be made up.
        let made_up = !matches!(&slo.parts[0].indicator, Indicator::Ratio { total, .. } if total.starts_with("sum("));
        let counting = if matches!(&slo.parts[0].indicator, Indicator::Ratio { side: Side::Bad, .. }) {
            Counting::Bad
        } else {
            Counting::Rest
        };
        if !made_up || scene.fires_after(first, slo.objective, min_bad(&slo), counting).is_some() {
            return (slo, Scrape { every, events, bad: [bad; 3], tickets: false });
        }
    }
}

fn min_bad(slo: &Slo) -> u32 {
    assert_eq!(components(slo).len(), 1);
    slo.alerting.min_bad
}

/// For each random objective, promtool finds the page silent one sample before the computed second, and firing at it.
#[test]
#[allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "the environment says the seed, a failing test shows it"
)]
fn every_alert_fires_at_the_second_that_its_test_claims() {
    let cases = std::env::var("LIVEOPS_SLO_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(CASES);
    let seed = std::env::var("LIVEOPS_SEED").ok().and_then(|n| n.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    println!("LIVEOPS_SEED={seed}");
    let mut chance = fastrand::Rng::with_seed(seed);
    let folder = tempfile::tempdir().expect("a folder");
    let mut files = Vec::new();
    let mut counted = 0;
    for index in 0..cases {
        let (slo, scrape) = random(index, &mut chance);
        let mut set = rules(&slo).expect("rules");
        // The page over one hour alone: what the others need is not evaluated thousands of times.
        set.pairs.truncate(1);
        let long = liveops_domain::text::duration::to_promql(set.pairs[0].long);
        set.fast.retain(|rule| {
            let of_window = |window: &str| {
                rule.name.ends_with(&format!("increase{window}")) || rule.name.ends_with(&format!("rate{window}"))
            };
            let mine = rule.labels.iter().any(|(name, value)| *name == "long" && *value == long);
            if rule.is_alert { mine } else { of_window("5m") || of_window(&long) || of_window("30m") }
        });
        set.slow.clear();
        let mut found = tests(&slo, &set, &scrape).expect("tests");
        found.truncate(1);
        counted += usize::from(found[0].claim.contains("events each"));
        let (name, test) = (format!("r{index}.yml"), format!("t{index}.yml"));
        std::fs::write(folder.path().join(&name), document(&[set], Format::Prometheus, "slo", "")).unwrap();
        std::fs::write(folder.path().join(&test), test_document(&name, &found, "")).unwrap();
        files.push(test);
    }
    let args: Vec<&str> = ["test", "rules"].into_iter().chain(files.iter().map(String::as_str)).collect();
    let (passed, said) = promtool(&args, folder.path());
    assert!(passed, "LIVEOPS_SEED={seed}\n{said}");
    assert!(counted * 2 > cases, "only {counted} of {cases} were fed by counters");
    assert_eq!(said.matches("SUCCESS").count(), cases);
}

const KINDS: &str = r#"
version: 1
slos:
  - { name: ratio, service: api, objective: 99.9%, ratio: { bad: 'http_requests_total{status=~"5.."}', total: http_requests_total }, runbook: "https://wiki.example/api", dashboard: "https://grafana.example/d/api" }
  - { name: latency, objective: 99%, window: 28d, latency: { histogram: http_request_duration_seconds, below: 300ms } }
  - { name: native, objective: 99%, latency: { histogram: rpc_seconds, below: 1s, native: true } }
  - { name: queue, objective: 99%, window: { calendar: month, zone: Europe/Berlin }, threshold: { query: 'max(queue_seconds)', bad: "> 2m" } }
  - { name: up, objective: 99.5%, up: 'up{job="game"}' }
  - { name: slices, objective: 99.9%, timeslices: { slice: 1m, target: 95% }, ratio: { good: 'r{code!~"5.."}', total: r } }
  - { name: mean, objective: 99.9%, ratio_timeslices: { slice: 5m }, ratio: { bad: 'r{code=~"5.."}', total: r } }
  - { name: whole, objective: 99%, composite: [ { name: a, weight: 3, up: up }, { name: b, objective: 95%, ratio: { bad: e, total: t } } ] }
"#;

/// The files as they are written, every kind of indicator and method, tickets over days included.
#[test]
fn promtool_takes_every_rule_and_passes_every_test() {
    let env = TestEnv::new();
    env.write("liveops.yaml", KINDS);
    let run = env.run(["slo", "generate", "--out", "slo.yml", "-o", "json"]).expect_code(0);
    assert_eq!(run.json()["data"]["alerts"], 40, "{}", run.stdout);
    let (passed, said) = promtool(&["check", "rules", "slo.yml"], &env.path());
    assert!(passed, "{said}");
    let some = env.run(["slo", "generate", "ratio", "whole", "slices", "--out", "some.yml"]).expect_code(0);
    assert!(some.stdout.contains("15 tests"), "{}", some.stdout);
    let (passed, said) = promtool(&["test", "rules", "some_test.yml"], &env.path());
    assert!(passed, "{said}");
}

/// A month of requests, a hundred times as many by day as by night (the last eight hours are day), counters that are reset every three days.
struct Month {
    text: String,
    bad: f64,
    total: f64,
    /// The mean over the scrapes of their error ratios.
    mean: f64,
}

const EVERY: i64 = 300;

fn month(now: i64) -> Month {
    let last = now / EVERY * EVERY;
    let first = last - 31 * 86_400;
    let (mut good_sum, mut bad_sum) = (0_i64, 0_i64);
    let (mut good, mut fails) = (String::new(), String::new());
    let mut month = Month { text: String::new(), bad: 0.0, total: 0.0, mean: 0.0 };
    let mut n = 0.0;
    for (step, at) in (first..=last).step_by(usize::try_from(EVERY).unwrap()).enumerate() {
        let is_day = !(8..20).contains(&((last - at) / 3_600 % 24));
        let (all, bad) = if is_day { (10_000, i64::from(step % 4 == 0)) } else { (100, 5) };
        if step % 864 == 0 {
            (good_sum, bad_sum) = (0, 0);
        }
        good_sum += all - bad;
        bad_sum += bad;
        if at > now - 30 * 86_400 {
            month.bad += bad as f64;
            month.total += all as f64;
            month.mean += bad as f64 / all as f64;
            n += 1.0;
        }
        let _ = writeln!(good, "http_requests_total{{status=\"200\"}} {good_sum} {at}");
        let _ = writeln!(fails, "http_requests_total{{status=\"500\"}} {bad_sum} {at}");
    }
    month.mean /= n;
    month.text = format!("# TYPE http_requests counter\n{good}{fails}# EOF\n");
    month
}

#[test]
fn the_budget_of_a_month_is_that_of_an_exact_count() {
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap();
    let month = month(now);
    let prometheus = Prometheus::remembering(&month.text, "groups: []");
    let env = TestEnv::new();
    let config = "version: 1\nslos: [{ name: api, objective: 99.9%, ratio: { bad: 'http_requests_total{status=~\"5..\"}', total: http_requests_total } }]\n";
    env.write("liveops.yaml", config);
    let url = prometheus.url();
    let run = env.run(["slo", "status", "--prometheus", &url, "-o", "json"]);
    let found = run.json()["data"]["slos"][0].clone();
    let exact = 1.0 - month.bad / month.total / 0.001;
    let remaining = found["budget_remaining"].as_f64().unwrap_or_else(|| panic!("{found}"));
    assert!((remaining - exact).abs() <= 0.001, "{remaining} is not {exact}: {found}");
    let averaged = month.mean / 0.001;
    assert!(averaged > 10.0 * (1.0 - exact), "the mean of ratios would say {averaged}");
    assert!(found["covered"].as_f64().unwrap() > 0.99, "{found}");
    // Scraped every five minutes, the last five hold no growth: not known is never green.
    assert_eq!((run.code, found["level"].as_str()), (3, Some("unknown")), "{found}");
    let budget = env.run(["slo", "budget", "api", "--prometheus", &url, "--by", "month", "--explain", "-o", "json"]);
    let data = budget.json()["data"].clone();
    let months: f64 = data["months"].as_array().unwrap().iter().filter_map(|month| month["total"].as_f64()).sum();
    assert!(months > month.total * 0.99, "{data}");
    // One request in twenty fails by night, fifty times what the objective allows: each night is one page, and no day is.
    let simulated = env.run(["slo", "simulate", "api", "--days", "3", "--prometheus", &url, "-o", "json"]);
    let today = simulated.expect_code(0).json()["data"]["slos"][0]["today"].clone();
    let pages: Vec<&Value> =
        today["episodes"].as_array().unwrap().iter().filter(|one| one["severity"] == "page").collect();
    let is_by_night = |page: &Value, end: &str| {
        let at = chrono::DateTime::parse_from_rfc3339(page[end].as_str().unwrap()).unwrap().timestamp();
        // Its windows see the end of a night for an hour.
        (7..=20).contains(&((now - at) / 3_600 % 24))
    };
    assert!(pages.iter().all(|page| is_by_night(page, "from") && is_by_night(page, "to")), "{today}");
    assert_eq!(pages.len(), 3, "{today}");
}

/// Of native histograms there is no exact count to compare with; but what no request exceeds is all good, what each
/// exceeds is all bad, and the rules that are written record the same.
#[test]
fn native_histograms_are_counted_as_prometheus_counts_them() {
    let newest = Path::new("target/tools/bin/prometheus-newest");
    assert!(newest.exists(), "run `scripts/tools`, which installs {}", newest.display());
    let newest = newest.canonicalize().unwrap().display().to_string().leak();
    let prometheus = Prometheus::of_itself_with_native_histograms(newest);
    let env = TestEnv::new();
    let one = |name: &str, below: &str| {
        format!(
            "  - {{ name: {name}, objective: 99%, latency: {{ histogram: prometheus_http_request_duration_seconds, below: {below}, native: true }} }}\n"
        )
    };
    env.write("liveops.yaml", format!("version: 1\nslos:\n{}{}", one("all-good", "1h"), one("all-bad", "1us")));
    env.run(["slo", "generate", "--out", "slo.yml"]).expect_code(0);
    prometheus.set_rules(&env.read("slo.yml"));
    prometheus.wait_until("histogram_count(sum(increase(prometheus_http_request_duration_seconds[1m])))", |n| n > 3.0);
    let run = env.run(["slo", "status", "--prometheus", &prometheus.url(), "-o", "json"]);
    let slos = run.json()["data"]["slos"].clone();
    for (index, share) in [(0, 0.0), (1, 1.0)] {
        let number = |key: &str| slos[index][key].as_f64().unwrap_or_else(|| panic!("{slos}"));
        let (bad, total) = (number("bad"), number("total"));
        assert!(total > 3.0 && (bad - share * total).abs() < 1e-6, "{slos}");
    }
    for (slo, share) in [("all-good", 0.0), ("all-bad", 1.0)] {
        let of = |part: &str| format!("slo:{part}:increase5m{{slo=\"{slo}\"}}");
        prometheus.wait_until(&of("total"), |total| total > 3.0);
        let recorded = format!("{} / on (slo) {}", of("bad"), of("total"));
        prometheus.wait_until(&recorded, |recorded| (recorded - share).abs() < 1e-6);
    }
}
