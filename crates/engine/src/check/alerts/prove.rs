//! Puts the claims of A02 and A03 to promtool. What it contradicts is no finding.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::clients::promtool;
use crate::files::file::write_shared;
use crate::session::Session;
use liveops_domain::check::alerts::Judged;
use liveops_domain::check::alerts::proof::{Proof, files, proof, together};
use liveops_domain::check::alerts::set::RuleSet;
use liveops_domain::check::finding::Unknown;
use liveops_domain::error::{Error, Result};
use liveops_domain::text::count::count;

/// One test takes a fraction of a second.
const EACH: Duration = Duration::from_secs(2);

/// More claims than these are not put to the test.
const MOST: usize = 200;

pub async fn prove(cx: &Session, set: &RuleSet<'_>, judged: &mut Judged<'_>, kept: Option<&Path>) -> Result<()> {
    if judged.claims.is_empty() {
        return Ok(());
    }
    let folder = |source| Error::Io {
        action: "write",
        path: kept.unwrap_or(Path::new("a temporary folder")).to_owned(),
        source,
    };
    let temporary = tempfile::tempdir().map_err(folder)?;
    let place = match kept {
        Some(path) => {
            let path = cx.dirs.work.join(path);
            fs::create_dir_all(&path).map_err(folder)?;
            path
        }
        None => temporary.path().to_owned(),
    };
    let (mut proofs, mut stems) = (Vec::new(), Vec::new());
    for (number, (index, placed, claim)) in judged.claims.iter().enumerate().take(MOST) {
        let finding = &mut judged.found.findings[*index];
        let safe: String =
            placed.rule.name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(60).collect();
        match proof(set, placed.rule, *claim) {
            Ok(proof) => {
                stems.push((*index, format!("{}-{safe}-{}", finding.id, number + 1)));
                proofs.push(proof);
            }
            Err(why) => finding.evidence.push(format!("not proved: {why}")),
        }
    }
    // Each test costs promtool a database: what is not kept is put together, and looked at one by one where it fails.
    let mut tests: Vec<Vec<usize>> =
        if kept.is_some() { (0..proofs.len()).map(|one| vec![one]).collect() } else { together(&proofs) };
    let mut wrong = Vec::new();
    while !tests.is_empty() {
        let mut names = Vec::new();
        for (number, test) in tests.iter().enumerate() {
            let stem = match test.as_slice() {
                [only] => stems[*only].1.clone(),
                _ => format!("test-{}", number + 1),
            };
            let (rules, name) = (format!("{stem}.rules.yml"), format!("{stem}.test.yml"));
            let all: Vec<&Proof> = test.iter().map(|one| &proofs[*one]).collect();
            let (rules_text, test_text) = files(&all, &rules);
            write_shared(&place.join(&rules), &rules_text, true)?;
            write_shared(&place.join(&name), &test_text, true)?;
            names.push(name);
        }
        let limit = Duration::from_secs(10) + EACH * u32::try_from(names.len()).unwrap_or(u32::MAX);
        let answers = match promtool::test(&place, &names, limit).await {
            Ok(answers) => answers,
            Err(why) => {
                for one in tests.iter().flatten() {
                    judged.found.findings[stems[*one].0].evidence.push(format!("not proved: {why}"));
                }
                break;
            }
        };
        let mut again = Vec::new();
        for (test, name) in tests.into_iter().zip(names) {
            let answer = answers.get(&name).cloned().unwrap_or_else(|| Some("promtool says nothing of it".into()));
            let Some(said) = answer else {
                let kept = kept.map_or_else(String::new, |kept| format!(": {}", kept.join(&name).display()));
                for one in test {
                    let finding = &mut judged.found.findings[stems[one].0];
                    finding.evidence.push(format!("proved by `promtool test rules` on made-up series{kept}"));
                }
                continue;
            };
            match test.as_slice() {
                // One that Prometheus would not load proves nothing.
                [only] if said.contains("parse error") || said.contains("unknown") => {
                    judged.found.findings[stems[*only].0].evidence.push(format!("not proved: {said}"));
                }
                [only] => wrong.push(stems[*only].0),
                several => again.extend(several.iter().map(|one| vec![*one])),
            }
        }
        tests = again;
    }
    wrong.sort_unstable();
    let dropped = count(wrong.len(), "claim");
    for index in wrong.into_iter().rev() {
        let finding = judged.found.findings.remove(index);
        let why = format!("{}; promtool does not agree on made-up series, so it is not claimed", finding.why);
        judged.found.unknown.push(Unknown { id: finding.id, subject: finding.subject, why });
    }
    tracing::debug!("{dropped} contradicted by promtool");
    Ok(())
}
