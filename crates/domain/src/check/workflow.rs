//! GitHub Actions' workflow commands: annotations beside the lines of a pull request. GitHub shows ten errors and ten
//! warnings a step; all stand in the log.

use crate::check::finding::Level;
use crate::check::gate::Gate;

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// A line each, the worst first, and one line that counts them.
pub fn annotations(gate: &Gate) -> String {
    let mut lines = Vec::new();
    for finding in gate.counting() {
        let command = match finding.level {
            Level::Blocker | Level::High => "error",
            Level::Medium => "warning",
            Level::Low => "notice",
        };
        let mut properties = Vec::new();
        if let Some(file) = &finding.file {
            properties.push(format!("file={}", property(file.trim_start_matches("./"))));
        }
        if let Some(line) = finding.line {
            properties.push(format!("line={line}"));
        }
        if let Some(column) = finding.column {
            properties.push(format!("col={column}"));
        }
        properties.push(format!("title={}", property(&format!("{} {}", finding.id, finding.subject))));
        let fix = finding.fix.as_ref().map_or_else(String::new, |fix| format!("\nfix: {fix}"));
        lines.push(format!("::{command} {}::{}", properties.join(","), data(&format!("{}{fix}", finding.why))));
    }
    for one in &gate.unknown {
        let title = property(&format!("{} {} unknown", one.id, one.subject));
        lines.push(format!("::warning title={title}::{}", data(&one.why)));
    }
    lines.push(format!("::notice title={}::{}", property(&format!("liveops {}", gate.name)), data(&gate.summary())));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::finding::{Finding, Findings};
    use crate::check::gate::{Around, Policy};

    #[test]
    fn nothing_in_a_text_ends_a_command_or_begins_another() {
        let mut found = Findings::default();
        found.checked("rules", 1);
        let hostile = Finding::new("A01", Level::High, "a,b:c", "100%\n::error::x").at("./a,b.yml", 2);
        found.add(hostile);
        let policy = Policy { fail_on: Level::High, strict: false };
        let gate = Gate::weigh("check alerts", &[], found, Around::default(), policy, chrono::NaiveDate::default());
        assert_eq!(
            annotations(&gate),
            "::error file=a%2Cb.yml,line=2,title=A01 a%2Cb%3Ac::100%25%0A::error::x\n\
             ::notice title=liveops check alerts::1 rule: 1 HIGH"
        );
    }
}
