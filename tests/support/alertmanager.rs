//! A real Alertmanager with the routes, receivers and inhibit rules of a test.

use std::fs;
use std::time::Duration;

use serde_json::Value;

use super::deadline::until;
use super::http;
use super::process::{Program, Server, named};

const LIMIT: Duration = Duration::from_secs(30);

/// A configuration with two receivers that notify nobody, and one inhibit rule: a critical alert of an instance
/// mutes the lesser ones of the same instance.
pub(crate) const CONFIG: &str = r#"
route:
  receiver: default
  group_by: [alertname]
  group_wait: 0s
  group_interval: 1s
  routes:
    - receiver: pager
      matchers: [ severity="critical" ]
receivers:
  - name: default
  - name: pager
inhibit_rules:
  - source_matchers: [ severity="critical" ]
    target_matchers: [ severity=~"high|medium|warning" ]
    equal: [instance]
"#;

/// A running Alertmanager (Debian package `prometheus-alertmanager`).
pub(crate) struct Alertmanager {
    /// Port, log, kill and restart.
    pub(crate) server: Server,
}

impl Alertmanager {
    /// Starts Alertmanager with this configuration (such as [`CONFIG`]), without a cluster.
    #[track_caller]
    pub(crate) fn start(config_yaml: &str) -> Self {
        let program = Program {
            binary: named("LIVEOPS_TEST_ALERTMANAGER", "prometheus-alertmanager"),
            package: "prometheus-alertmanager",
            args: |port, folder| {
                let folder = folder.display();
                vec![
                    format!("--config.file={folder}/alertmanager.yml"),
                    format!("--storage.path={folder}/data"),
                    format!("--web.listen-address=127.0.0.1:{port}"),
                    "--cluster.listen-address=".to_owned(),
                ]
            },
            ready: |port| http::get(port, "/-/ready").is_ok_and(|answer| answer.status == 200),
        };
        let server = Server::start(program, |folder| {
            fs::write(folder.join("alertmanager.yml"), config_yaml).expect("the server's folder is writable");
        });
        Self { server }
    }

    /// Replaces the configuration of the running server.
    #[track_caller]
    pub(crate) fn set_config(&self, config_yaml: &str) {
        let file = self.server.folder().join("alertmanager.yml");
        fs::write(file, config_yaml).expect("the server's folder is writable");
        let answer =
            http::post_form(self.server.port(), "/-/reload", &[]).expect("alertmanager answers while it is alive");
        assert_eq!(answer.status, 200, "alertmanager refuses it: {}", answer.text());
    }

    /// `http://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    /// Posts alerts (an array as `POST /api/v2/alerts` takes it) and waits until each is listed.
    #[track_caller]
    pub(crate) fn post_alerts(&self, alerts: &Value) {
        let answer = http::post_json(self.server.port(), "/api/v2/alerts", alerts)
            .expect("alertmanager answers while it is alive");
        assert_eq!(answer.status, 200, "alertmanager refuses the alerts: {}", answer.text());
        for alert in alerts.as_array().map_or(&[][..], Vec::as_slice) {
            self.wait_alert(&format!("{}", alert["labels"]), |listed| listed["labels"] == alert["labels"]);
        }
    }

    /// Waits until an alert that `accepts` likes is listed, and returns it; `what` is for the message.
    #[track_caller]
    pub(crate) fn wait_alert(&self, what: &str, accepts: impl Fn(&Value) -> bool) -> Value {
        until(format_args!("alert {what} in alertmanager"), LIMIT, || {
            self.get("alerts").as_array()?.iter().find(|alert| accepts(alert)).cloned()
        })
    }

    /// Every silence, expired ones too, as the API shows them.
    #[track_caller]
    pub(crate) fn silences(&self) -> Vec<Value> {
        self.get("silences").as_array().cloned().unwrap_or_default()
    }

    /// The answer of one call of the v2 API.
    #[track_caller]
    pub(crate) fn get(&self, call: &str) -> Value {
        let answer =
            http::get(self.server.port(), &format!("/api/v2/{call}")).expect("alertmanager answers while it is alive");
        assert_eq!(answer.status, 200, "{call}: {}", answer.text());
        answer.json()
    }
}
