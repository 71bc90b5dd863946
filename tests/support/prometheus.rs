//! A real Prometheus with the scrape targets and rules of a test.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::deadline::until;
use super::http;
use super::process::{Program, Server, named};

/// Names another Prometheus than that on `PATH`.
const VARIABLE: &str = "LIVEOPS_TEST_PROMETHEUS";

/// How long a scrape, an evaluation or an alert may take to show.
const LIMIT: Duration = Duration::from_secs(30);

/// One endpoint that Prometheus scrapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// Its `job` label.
    pub(crate) job: String,
    /// `HOST:PORT`, which becomes the `instance` label.
    pub(crate) address: String,
    /// Such as `/metrics`.
    pub(crate) path: String,
    /// Labels added to every series.
    pub(crate) labels: Vec<(String, String)>,
}

impl Target {
    /// A target on loopback whose metrics are at `/metrics`.
    pub(crate) fn new(job: &str, port: u16) -> Self {
        Self {
            job: job.to_owned(),
            address: format!("127.0.0.1:{port}"),
            path: "/metrics".to_owned(),
            labels: Vec::new(),
        }
    }

    /// Another path.
    pub(crate) fn path(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    /// One more label.
    pub(crate) fn label(mut self, name: &str, value: &str) -> Self {
        self.labels.push((name.to_owned(), value.to_owned()));
        self
    }
}

fn arguments(port: u16, folder: &Path) -> Vec<String> {
    let folder = folder.display();
    vec![
        format!("--config.file={folder}/prometheus.yml"),
        format!("--storage.tsdb.path={folder}/data"),
        format!("--web.listen-address=127.0.0.1:{port}"),
        // What a test remembers may be months old.
        "--storage.tsdb.retention.time=1y".to_owned(),
        "--web.enable-lifecycle".to_owned(),
        "--log.level=warn".to_owned(),
    ]
}

fn ready(port: u16) -> bool {
    http::get(port, "/-/ready").is_ok_and(|answer| answer.status == 200)
}

/// One sample of an instant query: its labels without `__name__`, and its value.
pub(crate) type Sample = (BTreeMap<String, String>, f64);

/// A running Prometheus (Debian package `prometheus`).
pub(crate) struct Prometheus {
    /// Port, log, kill and restart.
    pub(crate) server: Server,
}

impl Prometheus {
    /// Starts Prometheus and waits until it serves queries; nothing is scraped yet at that moment.
    ///
    /// `rules_yaml` is a rule file (may be empty), `alertmanager` the port it notifies, `scrape_interval` (such as
    /// `1s`) also the evaluation interval.
    #[track_caller]
    pub(crate) fn start(
        targets: &[Target],
        rules_yaml: &str,
        alertmanager: Option<u16>,
        scrape_interval: &str,
    ) -> Self {
        let config = config(targets, alertmanager, scrape_interval);
        Self::launch(named(VARIABLE, "prometheus"), &config, rules_yaml, None)
    }

    /// Starts this program, which keeps native histograms, as it has of its own requests, and scrapes itself.
    #[track_caller]
    pub(crate) fn of_itself_with_native_histograms(binary: &'static str) -> Self {
        let args = |port: u16, folder: &Path| {
            let own = format!(
                "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\nrule_files: [ rules.yml ]\nscrape_configs: [ {{ job_name: self, scrape_protocols: [ PrometheusProto ], static_configs: [ {{ targets: [ '127.0.0.1:{port}' ] }} ] }} ]\n"
            );
            fs::write(folder.join("prometheus.yml"), own).expect("the server's folder is writable");
            let mut all = arguments(port, folder);
            all.push("--enable-feature=native-histograms".to_owned());
            all
        };
        let server = Server::start(Program { binary, package: "prometheus", args, ready }, |folder| {
            fs::write(folder.join("rules.yml"), "").expect("the server's folder is writable");
        });
        Self { server }
    }

    /// Starts one with this configuration.
    #[track_caller]
    pub(crate) fn of_config(config: &str) -> Self {
        Self::launch(named(VARIABLE, "prometheus"), config, "", None)
    }

    /// Starts one that remembers the past: `openmetrics` holds series with their times, and ends with `# EOF`.
    #[track_caller]
    pub(crate) fn remembering(openmetrics: &str, rules_yaml: &str) -> Self {
        Self::remembering_in(named(VARIABLE, "prometheus"), openmetrics, rules_yaml)
    }

    /// The same in this program.
    #[track_caller]
    pub(crate) fn remembering_in(binary: &'static str, openmetrics: &str, rules_yaml: &str) -> Self {
        Self::launch(binary, &config(&[], None, "15s"), rules_yaml, Some(openmetrics))
    }

    #[track_caller]
    fn launch(binary: &'static str, config: &str, rules_yaml: &str, past: Option<&str>) -> Self {
        let program = Program { binary, package: "prometheus", args: arguments, ready };
        let server = Server::start(program, |folder| {
            for (name, text) in [("prometheus.yml", config), ("rules.yml", rules_yaml)] {
                fs::write(folder.join(name), text).expect("the server's folder is writable");
            }
            if let Some(past) = past {
                backfill(folder, past);
            }
        });
        Self { server }
    }

    /// `http://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    /// Replaces the rules of the running server.
    #[track_caller]
    pub(crate) fn set_rules(&self, rules_yaml: &str) {
        self.load("rules.yml", rules_yaml);
    }

    /// Replaces the configuration of the running server, and the rules that it names as `rules/liveops.yml`.
    #[track_caller]
    pub(crate) fn set_config(&self, config: &str, rules_yaml: &str) {
        let rules = self.server.folder().join("rules");
        fs::create_dir_all(&rules).expect("the server's folder is writable");
        fs::write(rules.join("liveops.yml"), rules_yaml).expect("the server's folder is writable");
        self.load("prometheus.yml", config);
    }

    #[track_caller]
    fn load(&self, file: &str, text: &str) {
        fs::write(self.server.folder().join(file), text).expect("the server's folder is writable");
        let answer =
            http::post_form(self.server.port(), "/-/reload", &[]).expect("prometheus answers while it is alive");
        assert_eq!(answer.status, 200, "prometheus refuses {file}: {}", answer.text());
    }

    /// The instant vector (or scalar) that `promql` has now.
    #[track_caller]
    pub(crate) fn query(&self, promql: &str) -> Vec<Sample> {
        let data = self.api("query", &[("query", promql)]);
        match data["resultType"].as_str() {
            Some("vector") => array(&data["result"]).iter().map(sample).collect(),
            Some("scalar") => vec![(BTreeMap::new(), value(&data["result"]))],
            kind => panic!("`{promql}` gives {kind:?}, not a vector"),
        }
    }

    /// The instant vector that `promql` had at that time.
    #[track_caller]
    pub(crate) fn query_at(&self, promql: &str, at: DateTime<Utc>) -> Vec<Sample> {
        let data = self.api("query", &[("query", promql), ("time", &at.to_rfc3339())]);
        array(&data["result"]).iter().map(sample).collect()
    }

    /// Waits until `promql` returns exactly one sample that `accepts` likes, and returns its value.
    #[track_caller]
    pub(crate) fn wait_until(&self, promql: &str, accepts: impl Fn(f64) -> bool) -> f64 {
        until(format_args!("`{promql}` in prometheus"), LIMIT, || match self.query(promql).as_slice() {
            [(_, value)] if accepts(*value) => Some(*value),
            _ => None,
        })
    }

    /// Waits until the alert of this name is `state` (`pending`, `firing`), and returns it as the API shows it.
    #[track_caller]
    pub(crate) fn wait_alert(&self, name: &str, state: &str) -> Value {
        until(format_args!("alert `{name}` to be {state} in prometheus"), LIMIT, || {
            array(&self.api("alerts", &[])["alerts"])
                .iter()
                .find(|alert| alert["labels"]["alertname"] == name && alert["state"] == state)
                .cloned()
        })
    }

    /// Waits until every target has been scraped at least once and is in `health` (`up`, `down`).
    #[track_caller]
    pub(crate) fn wait_targets(&self, health: &str) {
        until(format_args!("all targets to be {health}"), LIMIT, || {
            let data = self.api("targets", &[("state", "active")]);
            let targets = array(&data["activeTargets"]);
            let all = targets.iter().all(|target| target["health"] == health);
            (all && !targets.is_empty()).then_some(())
        });
    }

    /// `data` of one call of the query API.
    #[track_caller]
    pub(crate) fn api(&self, call: &str, params: &[(&str, &str)]) -> Value {
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(params).finish();
        let answer = http::get(self.server.port(), &format!("/api/v1/{call}?{query}"))
            .expect("prometheus answers while it is alive");
        assert_eq!(answer.status, 200, "{call} {params:?}: {}", answer.text());
        answer.json()["data"].take()
    }
}

/// Writes blocks of past series into the server's data folder (promtool is in Debian's `prometheus`).
#[allow(clippy::disallowed_methods, reason = "a test starts the programs it needs")]
#[track_caller]
fn backfill(folder: &Path, past: &str) {
    let file = folder.join("past.om");
    fs::write(&file, past).expect("the server's folder is writable");
    let made = Command::new("promtool")
        .args(["tsdb", "create-blocks-from", "openmetrics", "--quiet"])
        .arg(&file)
        .arg(folder.join("data"))
        .output()
        .expect("promtool is installed (Debian package prometheus)");
    assert!(made.status.success(), "promtool: {}", String::from_utf8_lossy(&made.stderr));
}

fn config(targets: &[Target], alertmanager: Option<u16>, interval: &str) -> String {
    let mut text = format!(
        "global: {{scrape_interval: {interval}, evaluation_interval: {interval}, external_labels: {{cluster: lab}}}}\nrule_files: [rules.yml]\n"
    );
    if let Some(port) = alertmanager {
        text.push_str("alerting:\n  alertmanagers:\n");
        text.push_str(&format!("    - static_configs: [{{targets: ['127.0.0.1:{port}']}}]\n"));
    }
    text.push_str("scrape_configs:\n");
    let mut jobs: BTreeMap<(&str, &str), Vec<&Target>> = BTreeMap::new();
    for target in targets {
        jobs.entry((&target.job, &target.path)).or_default().push(target);
    }
    for (index, ((job, path), targets)) in jobs.into_iter().enumerate() {
        // Two paths of one job need two scrape configurations, whose names must differ; the label stays the job's.
        text.push_str(&format!("  - job_name: scrape-{index}\n    metrics_path: '{path}'\n    static_configs:\n"));
        for target in targets {
            let mut labels = format!("job: '{job}'");
            for (name, value) in &target.labels {
                labels.push_str(&format!(", {name}: '{value}'"));
            }
            text.push_str(&format!("      - {{targets: ['{}'], labels: {{{labels}}}}}\n", target.address));
        }
    }
    text
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn sample(entry: &Value) -> Sample {
    let labels = entry["metric"].as_object().map(|labels| {
        labels
            .iter()
            .filter(|(name, _)| *name != "__name__")
            .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
            .collect()
    });
    (labels.unwrap_or_default(), value(&entry["value"]))
}

fn value(pair: &Value) -> f64 {
    pair[1].as_str().and_then(|text| text.parse().ok()).expect("prometheus writes a sample's value as a string")
}
