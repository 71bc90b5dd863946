//! GitLab's Code Quality report: a JSON array. Without `severity` it fails silently, and equal fingerprints hide findings.

use serde_json::{Value, json};

use crate::check::finding::Level;
use crate::check::gate::Gate;

/// What counts, and what could not be told.
pub fn report(gate: &Gate) -> String {
    let mut entries: Vec<Value> = gate
        .counting()
        .map(|finding| {
            let fix = finding.fix.as_ref().map_or_else(String::new, |fix| format!(" Fix: {fix}"));
            // GitLab drops an entry without a place.
            let file = finding.file.as_deref().unwrap_or("liveops.yaml");
            json!({
                "description": format!("{}: {}{fix}", finding.subject, finding.why),
                "check_name": finding.id,
                "fingerprint": finding.fingerprint,
                "severity": match finding.level {
                    Level::Blocker => "blocker",
                    Level::High => "critical",
                    Level::Medium => "major",
                    Level::Low => "minor",
                },
                "location": {
                    "path": file.trim_start_matches("./").replace('\\', "/"),
                    "lines": { "begin": finding.line.unwrap_or(1) },
                },
            })
        })
        .collect();
    entries.extend(gate.unknown.iter().enumerate().map(|(at, one)| {
        json!({
            "description": format!("unknown: {}: {}", one.subject, one.why),
            "check_name": one.id,
            "fingerprint": format!("unknown-{}-{at}", one.id),
            "severity": "info",
            "location": { "path": "liveops.yaml", "lines": { "begin": 1 } },
        })
    }));
    format!("{:#}", Value::Array(entries))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::finding::{Finding, Findings};
    use crate::check::gate::{Around, Policy};

    #[test]
    fn every_entry_has_severity_place_and_a_fingerprint_of_its_own() {
        let mut found = Findings::default();
        for level in Level::ALL {
            found.add(Finding::new("A01", level, "s", "w").at("./x.yml", 1));
        }
        found.unknown("A18", "s", "w");
        let policy = Policy { fail_on: Level::High, strict: false };
        let gate = Gate::weigh("check alerts", &[], found, Around::default(), policy, chrono::NaiveDate::default());
        let entries: Vec<Value> = serde_json::from_str(&report(&gate)).unwrap();
        let severities: Vec<_> = entries.iter().map(|one| one["severity"].as_str().unwrap()).collect();
        assert_eq!(severities, ["blocker", "critical", "major", "minor", "info"]);
        let mut prints: Vec<_> = entries.iter().map(|one| one["fingerprint"].as_str().unwrap()).collect();
        prints.dedup();
        assert_eq!(prints.len(), 5);
        assert_eq!(entries[0]["location"]["path"], "x.yml");
    }
}
