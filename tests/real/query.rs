//! `liveops query` against a real Prometheus, and our idea of PromQL against its own.

use std::sync::LazyLock;

use crate::support::{Exporter, Prometheus, Run, TestEnv, http};

static VALID: &str = include_str!("../../crates/domain/src/metric/promql/valid.promql");
static INVALID: &str = include_str!("../../crates/domain/src/metric/promql/invalid.promql");

fn exposition() -> String {
    let mut text = String::new();
    for (region, players) in [("eu", 17), ("us", 23)] {
        text.push_str(&format!("game_active_players{{region=\"{region}\"}} {players}\n"));
    }
    text
}

struct World {
    prometheus: Prometheus,
    _exporter: Exporter,
    env: TestEnv,
}

impl World {
    fn new() -> Self {
        let exporter = Exporter::new(&exposition());
        let prometheus = Prometheus::start(&[exporter.target("game")], "", None, "1s");
        // Two samples of each series, so that a range has something to show.
        prometheus.wait_until("min(count_over_time(game_active_players[1m]))", |count| count >= 2.0);
        Self { prometheus, _exporter: exporter, env: TestEnv::new() }
    }

    fn ask(&self, args: &[&str]) -> Run {
        let url = self.prometheus.url();
        self.env.run([&["query", "--prometheus", &url], args].concat())
    }
}

#[test]
fn instant_range_csv_json_and_plot() {
    let world = World::new();
    let run = world.ask(&["sum by (region) (game_active_players)"]).expect_code(0);
    let rows: Vec<Vec<&str>> = run.stdout.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[..3], [["REGION", "VALUE"], ["us", "23"], ["eu", "17"]]);

    let data = world.ask(&["sum(game_active_players)", "-o", "json"]).expect_code(0).json();
    assert_eq!(data["data"]["result"][0]["value"], 40.0);

    let csv = world.ask(&["game_active_players", "-o", "csv"]).expect_code(0).stdout;
    assert!(csv.starts_with("timestamp,value,__name__,instance,job,region\n"), "{csv}");
    assert_eq!(csv.lines().count(), 3);

    let run = world.ask(&["game_active_players", "--range", "10s", "--step", "1s", "-o", "json"]).expect_code(0);
    let points = run.json()["data"]["result"][0]["points"].as_array().map(Vec::len);
    assert!(points.is_some_and(|points| (2..=11).contains(&points)), "{points:?}");

    let raw = world.ask(&["game_active_players[1m]"]).expect_code(0);
    assert!(raw.stdout.contains("raw samples"), "{}", raw.stdout);

    let plot = world.ask(&["sum by (region) (game_active_players)", "--plot", "--range", "1m"]).expect_code(0).stdout;
    assert!(plot.lines().count() <= 24, "{plot}");
    for part in ["┤", "└", "UTC", "last", "a eu", "b us", "--range 1m -o csv"] {
        assert!(plot.contains(part), "{part}:\n{plot}");
    }
    for line in plot.lines().take_while(|line| !line.is_empty()) {
        assert!(line.chars().count() <= 100, "{line}");
    }

    let missing = world.ask(&["game_active_player"]).expect_code(3);
    assert!(missing.stdout.contains("did you mean `game_active_players`?"), "{}", missing.stdout);
}

#[test]
fn limits_and_long_expressions() {
    let world = World::new();
    // 11,000 steps are what it allows: one more would be refused.
    let run = world.ask(&["vector(1)", "--range", "11000s", "--step", "1s", "-o", "json"]).expect_code(0);
    assert_eq!(run.json()["data"]["result"][0]["points"].as_array().map(Vec::len), Some(11_001));
    let run = world.ask(&["vector(1)", "--range", "11001s", "--step", "1s"]).expect_code(0);
    assert!(run.stderr.contains("Prometheus gives at most 11,000"), "{}", run.stderr);

    let names: Vec<String> = (0..12_500).map(|n| format!("r{n:06}")).collect();
    let long = format!("sum(game_active_players{{region!~\"{}\"}})", names.join("|"));
    assert!(long.len() > 100_000);
    let data = world.ask(&[&long, "-o", "json"]).expect_code(0).json();
    assert_eq!(data["data"]["result"][0]["value"], 40.0);

    let run = world.ask(&["game_active_players / on() up"]).expect_code(2);
    assert!(run.stderr.contains("Prometheus refuses the query"), "{}", run.stderr);
    let run = world.ask(&["up{job=~\"(\"}"]).expect_code(2);
    assert!(run.stderr.contains("    up{job=~\"(\"}\n       ^^^\n"), "{}", run.stderr);
}

/// What Prometheus itself says of an expression: nothing, or its error.
fn verdict(prometheus: &Prometheus, promql: &str) -> Option<String> {
    let answer = http::post_form(prometheus.server.port(), "/api/v1/format_query", &[("query", promql)])
        .expect("prometheus answers while it is alive");
    let body: serde_json::Value = answer.json();
    (body["status"] != "success").then(|| body["error"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn prometheus_agrees_about_what_is_promql() {
    static COLUMN: LazyLock<regex::Regex> =
        LazyLock::new(|| regex::Regex::new(r"1:(\d+): parse error").expect("a constant pattern"));
    let prometheus = Prometheus::start(&[], "", None, "1m");
    for promql in VALID.lines() {
        assert_eq!(verdict(&prometheus, promql), None, "{promql}");
    }
    for line in INVALID.lines().skip(1) {
        let [_, theirs, promql] = line.splitn(3, ' ').collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        let said = verdict(&prometheus, promql).unwrap_or_else(|| panic!("{promql} is good"));
        let column = COLUMN.captures(&said).map(|found| found[1].to_owned());
        assert_eq!(column.as_deref(), Some(theirs), "{promql}: {said}");
    }
}

/// An expression that is good but for some pieces that were left out, doubled or taken from another one.
fn mutated(random: &mut fastrand::Rng) -> String {
    let piece = regex::Regex::new(r"\w+|\s+|.").expect("a constant pattern");
    let lines: Vec<&'static str> = VALID.lines().collect();
    let pieces = |random: &mut fastrand::Rng| -> Vec<&'static str> {
        piece.find_iter(lines[random.usize(..lines.len())]).map(|found| found.as_str()).collect()
    };
    let mut text = pieces(random);
    for _ in 0..random.usize(1..4) {
        let other = pieces(random);
        let (at, from) = (random.usize(..=text.len()), random.usize(..other.len()));
        match random.u8(..3) {
            0 if at < text.len() => drop(text.remove(at)),
            1 if at < text.len() => text[at] = other[from],
            _ => text.insert(at, other[from]),
        }
    }
    text.concat()
}

#[test]
fn what_is_refused_unasked_is_refused_by_prometheus_too() {
    let prometheus = Prometheus::start(&[], "", None, "1m");
    let env = TestEnv::new();
    let mut random = fastrand::Rng::with_seed(20_261_130);
    let mut refused = 0;
    for _ in 0..150 {
        let promql = mutated(&mut random);
        // Nothing listens there: what is not refused before it is asked is "unreachable".
        let run = env.run(["query", "--prometheus", "http://127.0.0.1:9", "--", &promql]);
        if run.code == 2 {
            refused += 1;
            assert!(verdict(&prometheus, &promql).is_some(), "{promql}: {}", run.stderr);
        }
    }
    assert!((75..150).contains(&refused), "{refused}");
}
