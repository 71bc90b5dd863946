//! `promtool test rules`: Prometheus' own judgement of a rule on made-up series. The one place that starts it.

#![expect(clippy::disallowed_methods, reason = "this is the one place that asks promtool")]

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

/// Runs test files of a folder; of each, what promtool says against it, or nothing.
///
/// # Errors
/// In words: it is not installed, or did not answer.
pub async fn test(
    folder: &Path,
    tests: &[String],
    limit: Duration,
) -> Result<BTreeMap<String, Option<String>>, String> {
    let mut command = Command::new("promtool");
    command.args(["test", "rules"]).args(tests).current_dir(folder);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let output = timeout(limit, command.output()).await;
    let output = output.map_err(|_| format!("promtool did not answer in {} s", limit.as_secs()))?;
    let output = output.map_err(|error| match error.kind() {
        ErrorKind::NotFound => "promtool is not installed".to_owned(),
        _ => format!("promtool cannot be run: {error}"),
    })?;
    let text = [output.stdout, output.stderr].concat();
    Ok(read(&String::from_utf8_lossy(&text), tests))
}

/// Of each test, the lines below its name; it holds where they say so.
fn read(text: &str, tests: &[String]) -> BTreeMap<String, Option<String>> {
    let mut parts: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let mut current = None;
    for line in text.lines() {
        match line.strip_prefix("Unit Testing:").map(str::trim) {
            Some(name) => current = Some(name.to_owned()),
            None => {
                if let Some(name) = &current {
                    parts.entry(name.clone()).or_default().push(line.trim());
                }
            }
        }
    }
    let said = |name: &String| match parts.get(name) {
        Some(lines) if lines.contains(&"SUCCESS") => None,
        Some(lines) => {
            Some(lines.iter().filter(|line| !line.is_empty()).take(3).copied().collect::<Vec<_>>().join(" "))
        }
        None => Some("promtool says nothing of it".to_owned()),
    };
    tests.iter().map(|name| (name.clone(), said(name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_test_has_its_answer() {
        let text = "Unit Testing:  a.yml\n  SUCCESS\n\nUnit Testing:  b.yml\n  FAILED:\n    expr: x\n\n";
        let found = read(text, &["a.yml".into(), "b.yml".into(), "c.yml".into()]);
        assert_eq!(found["a.yml"], None);
        assert_eq!(found["b.yml"].as_deref(), Some("FAILED: expr: x"));
        assert!(found["c.yml"].is_some());
    }
}
