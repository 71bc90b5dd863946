//! JUnit's XML, as Jenkins and GitLab read it: a test case a finding, and one for each rule that found nothing.

use crate::check::gate::Gate;

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            // XML 1.0 has no other control characters, and no non-characters, not even as references.
            c if (c as u32) < 0x20 || matches!(c as u32, 0xFFFE | 0xFFFF) => out.push('\u{FFFD}'),
            c => out.push(c),
        }
    }
    out
}

/// One suite.
pub fn report(gate: &Gate) -> String {
    let suite = escaped(&format!("liveops {}", gate.name));
    let mut cases = Vec::new();
    let mut case = |id: &str, name: &str, inner: &str| {
        cases.push(format!(
            "    <testcase classname=\"{suite}.{}\" name=\"{}\">{inner}</testcase>",
            escaped(id),
            escaped(name)
        ));
    };
    let (mut failures, mut skipped) = (0, 0);
    for finding in &gate.findings {
        let place = finding.place().map_or_else(String::new, |place| format!(" ({place})"));
        let name = format!("{} {}{place}", finding.id, finding.subject);
        let text = finding.fix.as_deref().map_or_else(String::new, |fix| format!("fix: {fix}"));
        if finding.counts() && finding.level >= gate.policy.fail_on {
            failures += 1;
            let level = finding.level.name();
            case(
                finding.id,
                &name,
                &format!(
                    "<failure type=\"{level}\" message=\"{}\">{}</failure>",
                    escaped(&finding.why),
                    escaped(&text)
                ),
            );
        } else {
            skipped += 1;
            let why = match (&finding.waived, finding.known) {
                (Some(waived), _) => format!("waived by {} until {}: {}", waived.owner, waived.until, waived.reason),
                (None, true) => "in the baseline".to_owned(),
                (None, false) => format!("{}: {}", finding.level.name(), finding.why),
            };
            case(finding.id, &name, &format!("<skipped message=\"{}\"/>", escaped(&why)));
        }
    }
    let mut errors = 0;
    for one in &gate.unknown {
        let name = format!("{} {}", one.id, one.subject);
        let message = escaped(&format!("unknown: {}", one.why));
        if gate.policy.strict {
            errors += 1;
            case(one.id, &name, &format!("<error message=\"{message}\"/>"));
        } else {
            skipped += 1;
            case(one.id, &name, &format!("<skipped message=\"{message}\"/>"));
        }
    }
    for rule in gate.rules {
        let silent =
            !gate.findings.iter().any(|one| one.id == rule.id) && !gate.unknown.iter().any(|one| one.id == rule.id);
        if silent {
            case(rule.id, &format!("{} {}", rule.id, rule.title), "");
        }
    }
    let counts = format!("tests=\"{}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\"", cases.len());
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {counts}>\n  <testsuite name=\"{suite}\" {counts}>\n{}\n  </testsuite>\n</testsuites>",
        cases.join("\n")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::finding::{Finding, Findings, Level, RuleInfo};
    use crate::check::gate::{Around, Policy};

    #[test]
    fn failures_skipped_and_passes_are_told_apart_and_nothing_breaks_the_xml() {
        const RULES: &[RuleInfo] =
            &[RuleInfo { id: "A01", title: "t", why: "w" }, RuleInfo { id: "A02", title: "clean", why: "w" }];
        let mut found = Findings::default();
        found.add(Finding::new("A01", Level::High, "<\u{1}&\">", "a\nb").at("x.yml", 1));
        found.add(Finding::new("A01", Level::Low, "low", "w"));
        let policy = Policy { fail_on: Level::High, strict: true };
        let gate = Gate::weigh("check alerts", RULES, found, Around::default(), policy, chrono::NaiveDate::default());
        let text = report(&gate);
        assert!(text.contains("tests=\"3\" failures=\"1\" errors=\"0\" skipped=\"1\""), "{text}");
        assert!(text.contains("A01 &lt;\u{FFFD}&amp;&quot;&gt; (x.yml:1)"), "{text}");
        assert!(text.contains("message=\"a&#10;b\""), "{text}");
        assert!(text.contains("A02 clean"), "{text}");
    }
}
