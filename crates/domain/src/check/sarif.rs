//! SARIF 2.1.0 (OASIS), with what GitHub's code scanning wants beside it and within its limits
//! (docs.github.com, "SARIF support for code scanning", "SARIF results exceed one or more limits").

use serde_json::{Value, json};

use crate::check::finding::{Finding, Level};
use crate::check::gate::Gate;
use crate::check::waiver;
use crate::text::count::count;

/// Results that GitHub takes in one run; the worst come first.
const RESULTS: usize = 25_000;

fn level(level: Level) -> &'static str {
    match level {
        Level::Blocker | Level::High => "error",
        Level::Medium => "warning",
        Level::Low => "note",
    }
}

/// The path as a relative URI reference: RFC 3986's unreserved characters and `/` stay.
fn uri(path: &str) -> String {
    let path = path.trim_start_matches("./").replace('\\', "/");
    path.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
        out
    })
}

fn result(finding: &Finding, index: Option<usize>) -> Value {
    let mut text = format!("{}: {}", finding.subject, finding.why);
    if let Some(fix) = &finding.fix {
        text.push_str(&format!(" Fix: {fix}"));
    }
    let mut result = json!({
        "ruleId": finding.id,
        "level": level(finding.level),
        "message": { "text": text },
        "partialFingerprints": { "primaryLocationLineHash": finding.fingerprint },
        "properties": { "level": finding.level.name(), "subject": finding.subject, "evidence": finding.evidence },
    });
    if let Some(index) = index {
        result["ruleIndex"] = json!(index);
    }
    if let Some(file) = &finding.file {
        let mut physical = json!({ "artifactLocation": { "uri": uri(file), "uriBaseId": "%SRCROOT%" } });
        // GitHub shows nothing that has no line.
        physical["region"] = json!({ "startLine": finding.line.unwrap_or(1) });
        if let Some(column) = finding.column {
            physical["region"]["startColumn"] = json!(column);
        }
        result["locations"] = json!([{ "physicalLocation": physical }]);
    }
    if let Some(waived) = &finding.waived {
        let justification = format!("{} (accepted by {} until {})", waived.reason, waived.owner, waived.until);
        result["suppressions"] = json!([{ "kind": "external", "status": "accepted", "justification": justification }]);
    }
    if finding.known {
        result["baselineState"] = json!("unchanged");
    }
    result
}

/// The log file of one run.
pub fn sarif(gate: &Gate, version: &str) -> String {
    let rules: Vec<_> = gate.rules.iter().chain(waiver::RULES).collect();
    let described: Vec<Value> = rules
        .iter()
        .map(|rule| {
            let worst = gate.findings.iter().filter(|one| one.id == rule.id).map(|one| one.level).max();
            let worst = worst.unwrap_or(Level::Medium);
            json!({
                "id": rule.id,
                "name": rule.id,
                "shortDescription": { "text": rule.title },
                "fullDescription": { "text": rule.why },
                "help": { "text": rule.why, "markdown": format!("**{}**\n\n{}", rule.title, rule.why) },
                "defaultConfiguration": { "level": level(worst) },
                "properties": { "tags": [gate.name], "precision": "high",
                    "problem.severity": match level(worst) { "note" => "recommendation", other => other } },
            })
        })
        .collect();
    let left = gate.findings.len().saturating_sub(RESULTS);
    let mut notes: Vec<Value> = gate
        .unknown
        .iter()
        .map(|one| {
            json!({
                "level": "warning",
                "message": { "text": format!("unknown: {} {}: {}", one.id, one.subject, one.why) },
                "associatedRule": { "id": one.id },
            })
        })
        .collect();
    if left > 0 {
        let text = format!("left out: {}; a run holds {RESULTS}", count(left, "more finding"));
        notes.push(json!({ "level": "warning", "message": { "text": text } }));
    }
    let results: Vec<Value> = gate
        .findings
        .iter()
        .take(RESULTS)
        .map(|finding| result(finding, rules.iter().position(|rule| rule.id == finding.id)))
        .collect();
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "liveops",
                "semanticVersion": version,
                "rules": described,
            } },
            "automationDetails": { "id": format!("liveops/{}/", gate.name.replace(' ', "-")) },
            "invocations": [{ "executionSuccessful": true, "toolExecutionNotifications": notes }],
            "originalUriBaseIds": { "%SRCROOT%": { "description": { "text": "the folder that liveops ran in" } } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    format!("{log:#}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::finding::{Findings, RuleInfo};
    use crate::check::gate::{Around, Policy};

    const RULES: &[RuleInfo] = &[RuleInfo { id: "A01", title: "t", why: "w" }];

    fn gate(count: usize) -> Gate {
        let mut found = Findings::default();
        for at in 0..count {
            found.add(Finding::new("A01", Level::High, format!("s{at}"), "w").at("./a b/ü.yml", 3));
        }
        found.unknown("A01", "s", "Prometheus is down");
        let policy = Policy { fail_on: Level::High, strict: false };
        Gate::weigh("check alerts", RULES, found, Around::default(), policy, chrono::NaiveDate::default())
    }

    #[test]
    fn a_result_has_rule_place_and_fingerprint_and_unknown_is_a_notification() {
        let log: Value = serde_json::from_str(&sarif(&gate(1), "1.0.0")).unwrap();
        let run = &log["runs"][0];
        let result = &run["results"][0];
        assert_eq!(run["tool"]["driver"]["rules"][result["ruleIndex"].as_u64().unwrap() as usize]["id"], "A01");
        let physical = &result["locations"][0]["physicalLocation"];
        assert_eq!(physical["artifactLocation"]["uri"], "a%20b/%C3%BC.yml");
        assert_eq!(physical["region"]["startLine"], 3);
        assert_eq!(result["partialFingerprints"]["primaryLocationLineHash"].as_str().unwrap().len(), 64);
        let note = &run["invocations"][0]["toolExecutionNotifications"][0];
        assert_eq!(note["message"]["text"], "unknown: A01 s: Prometheus is down");
    }

    #[test]
    fn what_is_over_the_limit_is_left_out_and_said() {
        let log: Value = serde_json::from_str(&sarif(&gate(RESULTS + 2), "1.0.0")).unwrap();
        assert_eq!(log["runs"][0]["results"].as_array().unwrap().len(), RESULTS);
        assert!(log.to_string().contains("left out: 2 more findings"));
    }
}
