//! The JSON contract: the envelope of a report, its YAML twin, and the formats that a report may not have.

use serde_json::Value;

use crate::status::{busy, quiet};

#[test]
fn json_is_the_documented_envelope() {
    let (_backends, env) = busy();
    let run = env.run(["status", "-o", "json"]);
    insta::assert_snapshot!(run.snapshot(), @r#"
        code: 3
        --- stdout
        {
          "schema": "liveops.status/1",
          "environment": "staging",
          "time": "2026-01-15T10:30:00Z",
          "status": "success",
          "verdict": "unknown",
          "data": {
            "headline": "TickPerformanceDegraded firing (2 times), tick p99 [MS] (> [MS]), lag unknown",
            "services": [
              {
                "name": "game-backend",
                "state": "healthy",
                "latency_ms": 0,
                "latency": "ok",
                "detail": "healthy"
              }
            ],
            "alerts": [
              {
                "name": "TickPerformanceDegraded",
                "state": "firing",
                "severity": "high",
                "since": "2026-01-15T10:18:00Z",
                "runbook": "docs/runbooks/alerts/TickPerformanceDegraded.md",
                "delivery": "not_firing",
                "labels": {
                  "alertname": "TickPerformanceDegraded",
                  "instance": "10.0.0.1:5050",
                  "severity": "high"
                },
                "annotations": {
                  "runbook_url": "docs/runbooks/alerts/TickPerformanceDegraded.md"
                }
              },
              {
                "name": "TickPerformanceDegraded",
                "state": "firing",
                "severity": "high",
                "since": "2026-01-15T10:27:00Z",
                "runbook": "docs/runbooks/alerts/TickPerformanceDegraded.md",
                "delivery": "not_firing",
                "labels": {
                  "alertname": "TickPerformanceDegraded",
                  "instance": "10.0.0.2:5050",
                  "severity": "high"
                },
                "annotations": {
                  "runbook_url": "docs/runbooks/alerts/TickPerformanceDegraded.md"
                }
              },
              {
                "name": "TickPerformanceDegraded",
                "state": "silenced",
                "severity": "high",
                "since": "2026-01-15T09:50:00Z",
                "runbook": "docs/runbooks/alerts/TickPerformanceDegraded.md",
                "delivery": "not_firing",
                "labels": {
                  "alertname": "TickPerformanceDegraded",
                  "instance": "10.0.0.3:5050",
                  "severity": "high"
                },
                "annotations": {
                  "runbook_url": "docs/runbooks/alerts/TickPerformanceDegraded.md"
                }
              }
            ],
            "alerts_as_of": null,
            "alerts_unknown": [],
            "alerts_faults": [],
            "targets": {
              "up": 1,
              "unknown": 0,
              "down": []
            },
            "flags": null,
            "changes": [],
            "suspects": [],
            "rollouts": [],
            "slos": [],
            "rollouts_unknown": []
          },
          "metrics": {
            "active_players": {
              "title": "active players",
              "value": 1204.0,
              "lower_bound": false,
              "unit": "",
              "level": "ok",
              "source": "prometheus",
              "by": {
                "eu": 702.0,
                "us": 502.0
              },
              "by_lower_bound": [],
              "gone": [],
              "targets": null,
              "newest_sample": null,
              "oldest_sample": null,
              "warn": null,
              "critical": null,
              "reason": null,
              "as_of": null
            },
            "tick_p99": {
              "title": "tick p99",
              "value": 0.0172,
              "lower_bound": false,
              "unit": "s",
              "level": "warn",
              "source": "prometheus",
              "by": {},
              "by_lower_bound": [],
              "gone": [],
              "targets": null,
              "newest_sample": null,
              "oldest_sample": null,
              "warn": "> [MS]",
              "critical": "> [MS]",
              "reason": null,
              "as_of": null
            },
            "error_rate": {
              "title": "error rate",
              "value": 0.0002,
              "lower_bound": false,
              "unit": "ratio",
              "level": "ok",
              "source": "prometheus",
              "by": {},
              "by_lower_bound": [],
              "gone": [],
              "targets": null,
              "newest_sample": null,
              "oldest_sample": null,
              "warn": "> 0.1%",
              "critical": "> 1%",
              "reason": null,
              "as_of": null
            },
            "lag": {
              "title": "lag",
              "value": null,
              "lower_bound": false,
              "unit": "",
              "level": "unknown",
              "source": "prometheus",
              "by": {},
              "by_lower_bound": [],
              "gone": [],
              "targets": null,
              "newest_sample": null,
              "oldest_sample": null,
              "warn": null,
              "critical": null,
              "reason": "no series; is the metric scraped?",
              "as_of": null
            }
          },
          "incidents": [],
          "recommendations": [
            {
              "text": "the first alert to fire",
              "command": "liveops alerts explain TickPerformanceDegraded"
            },
            {
              "text": "tick p99 is above its threshold",
              "command": "liveops query --kpi tick_p99 --plot --changes"
            },
            {
              "text": "some sources do not answer, or lack data",
              "command": "liveops doctor"
            }
          ],
          "sources": [
            {
              "name": "prometheus",
              "state": "ok",
              "latency_ms": 0,
              "error": null
            },
            {
              "name": "alertmanager",
              "state": "ok",
              "latency_ms": 0,
              "error": null
            }
          ],
          "warnings": []
        }
        --- stderr
        "#);
}

#[test]
fn yaml_says_the_same_as_json() {
    let (_backends, env) = quiet();
    let without_latency = |text: &str| {
        let lines = text.lines().filter(|line| !line.contains("latency_ms"));
        lines.collect::<Vec<_>>().join("\n")
    };
    let json = env.run(["status", "-o", "json"]).expect_code(0).json();
    let yaml = env.run(["status", "-o", "yaml"]).expect_code(0);
    let read: Value = serde_yaml::from_str(&yaml.stdout).unwrap();
    assert_eq!(
        without_latency(&serde_json::to_string_pretty(&read).unwrap()),
        without_latency(&serde_json::to_string_pretty(&json).unwrap())
    );
}

#[test]
fn formats_of_rows_are_refused_before_anybody_is_asked() {
    let (backends, env) = quiet();
    for format in ["csv", "name"] {
        let run = env.run(["query", "--kpi", "active_players", "--explain", "-o", format]).expect_code(2);
        assert!(run.stderr.contains("no rows"), "{}", run.stderr);
        assert!(run.stderr.contains("hint: use `-o table`"), "{}", run.stderr);
        assert_eq!(run.stdout, "");
    }
    assert!(backends.prometheus.requests().is_empty());
}
