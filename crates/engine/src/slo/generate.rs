//! Rules, their tests, the inhibition of tickets, and OpenSLO: files that are written as a whole.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::files::file::write_shared;
use crate::files::open;
use crate::session::Session;
use liveops_domain::error::{Error, Problem, Result};
use liveops_domain::slo::rules::{Format, RuleSet, Scrape, document, inhibition, rules, test_document, tests};
use liveops_domain::slo::{Slo, openslo};
use liveops_domain::text::count::count;

/// What is to be written.
#[derive(Debug, Clone)]
pub struct Request {
    pub out: PathBuf,
    /// Where the tests go; beside the rules where it is not said.
    pub tests: Option<PathBuf>,
    pub format: Format,
    pub inhibit: Option<PathBuf>,
    pub openslo: Option<PathBuf>,
    /// The folder of the alerts' runbooks: what has no runbook of its own links the one that lies there.
    pub runbooks: String,
    /// Who owns each service.
    pub owners: BTreeMap<String, String>,
}

/// A file, its text, and what is in it.
#[derive(Debug, Clone)]
pub struct Output {
    pub path: PathBuf,
    pub text: String,
    pub what: String,
}

/// Everything that would be written.
#[derive(Debug, Clone)]
pub struct Generated {
    pub files: Vec<Output>,
    pub slos: usize,
    pub alerts: usize,
    pub recorded: usize,
    pub tests: usize,
    /// With the objective that each is about.
    pub warnings: Vec<String>,
}

/// Makes the files; nothing is written yet.
///
/// # Errors
/// Objectives of which no rules can be made, all at once.
pub fn generate(slos: &[Slo], request: &Request) -> Result<Generated> {
    let mut sets: Vec<RuleSet> = Vec::new();
    let mut claims = Vec::new();
    let mut problems = Vec::new();
    let mut warnings = Vec::new();
    for slo in slos {
        let owner = slo.service.as_ref().and_then(|service| request.owners.get(service));
        let linked = |set| linked(set, &request.runbooks, owner);
        match rules(slo).map(linked).and_then(|set| Ok((tests(slo, &set, &Scrape::default())?, set))) {
            Ok((found, set)) => {
                warnings.extend(set.warnings.iter().map(|warning| format!("{}: {warning}", slo.name)));
                claims.extend(found);
                sets.push(set);
            }
            Err(why) => problems.push(problem(slo, why)),
        }
    }
    if !problems.is_empty() {
        return Err(Error::Config { problems });
    }
    let all = || sets.iter().flat_map(|set| set.fast.iter().chain(&set.slow));
    let alerts = all().filter(|rule| rule.is_alert).count();
    let recorded = all().count() - alerts;
    let header = "Written by `liveops slo generate`; write it anew instead of editing it.";
    let name = request.out.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let stem = name.split('.').next().unwrap_or("slo").to_lowercase().replace('_', "-");
    let beside = request.tests.clone().unwrap_or_else(|| beside(&request.out));
    let mut files = vec![Output {
        path: request.out.clone(),
        text: document(&sets, request.format, &stem, header),
        what: format!("{}, {}", count(alerts, "alert"), count(recorded, "recorded series")),
    }];
    if request.format == Format::Prometheus {
        let run = format!("{header}\nRun it: promtool test rules {}", beside.display());
        files.push(Output {
            text: test_document(&from(&beside, &request.out), &claims, &run),
            what: count(claims.len(), "test"),
            path: beside,
        });
    } else {
        // promtool reads no PrometheusRule.
        warnings.push("no tests: promtool reads plain rule files alone; `--format prometheus` has them".into());
        claims.clear();
    }
    if let Some(path) = &request.inhibit {
        let text = format!("# {header}\n{}", inhibition());
        files.push(Output { path: path.clone(), text, what: "a page of an SLO quiets its tickets".into() });
    }
    if let Some(path) = &request.openslo {
        files.push(Output {
            path: path.clone(),
            text: format!("# {header}\n{}", documents(slos)?),
            what: count(slos.len(), "SLO"),
        });
    }
    Ok(Generated { files, slos: slos.len(), alerts, recorded, tests: claims.len(), warnings })
}

/// With a runbook at each alert: whoever is paged needs the page that says what to do, and whose it is.
fn linked(mut set: RuleSet, folder: &str, owner: Option<&String>) -> RuleSet {
    for rule in set.fast.iter_mut().chain(&mut set.slow).filter(|rule| rule.is_alert) {
        if !rule.annotations.iter().any(|(key, _)| *key == "runbook_url") {
            rule.annotations.push(("runbook_url", format!("{folder}/{}.md", rule.name)));
        }
        rule.labels.extend(owner.map(|owner| ("team", owner.clone())));
    }
    set
}

fn problem(slo: &Slo, message: String) -> Problem {
    let (source, line) = slo.place.rsplit_once(':').unwrap_or((&slo.place, "0"));
    Problem { source: source.to_owned(), line: line.parse().unwrap_or(0), key: slo.name.clone(), message }
}

/// `rules.yml` → `rules_test.yml`.
fn beside(rules: &Path) -> PathBuf {
    let stem = rules.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let ending = rules.extension().map(|ending| format!(".{}", ending.to_string_lossy())).unwrap_or_default();
    rules.with_file_name(format!("{stem}_test{ending}"))
}

/// The rules as the test file names them: relative to its own folder where they are in one.
fn from(tests: &Path, rules: &Path) -> String {
    match tests.parent() == rules.parent() {
        true => rules.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        false => std::path::absolute(rules).unwrap_or_else(|_| rules.to_owned()).display().to_string(),
    }
}

fn documents(slos: &[Slo]) -> Result<String> {
    let mut text = String::new();
    for slo in slos {
        let document = openslo::document(slo).map_err(|why| Error::Config { problems: vec![problem(slo, why)] })?;
        let yaml = serde_yaml::to_string(&document).map_err(|error| Error::internal(&error.to_string()))?;
        let _ = write!(text, "---\n{yaml}");
    }
    Ok(text)
}

/// Writes the files. One that was not written by this command is not overwritten without `force`.
///
/// # Errors
/// `Refused`, `Io`.
pub fn write(cx: &Session, generated: &Generated, force: bool) -> Result<()> {
    if cx.is_read_only()? {
        return Err(Error::Refused {
            why: "read-only: will not write the rules".into(),
            hint: "leave out `--read-only`, or look with `--dry-run`".into(),
        });
    }
    for file in &generated.files {
        let path = cx.dirs.work.join(&file.path);
        let foreign =
            open::read_text(&path).is_ok_and(|text| text != file.text && !text.contains("`liveops slo generate`"));
        if foreign && !force {
            return Err(Error::Refused {
                why: format!(
                    "{} exists and was not written by `slo generate`; nothing was written to it",
                    file.path.display()
                ),
                hint: "choose another `--out`, or pass `--force`".into(),
            });
        }
    }
    for file in &generated.files {
        write_shared(&cx.dirs.work.join(&file.path), &file.text, true)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_stand_beside_the_rules() {
        for (rules, want) in
            [("a/slo.yml", "a/slo_test.yml"), ("slo.rules.yaml", "slo.rules_test.yaml"), ("slo", "slo_test")]
        {
            assert_eq!(beside(Path::new(rules)), Path::new(want));
        }
        assert_eq!(from(Path::new("a/t.yml"), Path::new("a/r.yml")), "r.yml");
    }
}
