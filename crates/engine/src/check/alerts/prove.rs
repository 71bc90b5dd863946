//! Puts the claims of A02 and A03 to promtool. What it contradicts is no finding.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::clients::promtool;
use crate::files::file::write_shared;
use crate::session::Session;
use liveops_domain::check::alerts::Judged;
use liveops_domain::check::alerts::proof::proof;
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
    let mut tests = Vec::new();
    for (number, (index, placed, claim)) in judged.claims.iter().enumerate().take(MOST) {
        let finding = &mut judged.found.findings[*index];
        let safe: String =
            placed.rule.name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(60).collect();
        let stem = format!("{}-{safe}-{}", finding.id, number + 1);
        let rules = format!("{stem}.rules.yml");
        match proof(set, placed.rule, *claim, &rules) {
            Ok(proof) => {
                write_shared(&place.join(&rules), &proof.rules, true)?;
                let test = format!("{stem}.test.yml");
                write_shared(&place.join(&test), &proof.test, true)?;
                tests.push((test, *index));
            }
            Err(why) => finding.evidence.push(format!("not proved: {why}")),
        }
    }
    let names: Vec<String> = tests.iter().map(|(name, _)| name.clone()).collect();
    if names.is_empty() {
        return Ok(());
    }
    let limit = Duration::from_secs(10) + EACH * u32::try_from(names.len()).unwrap_or(u32::MAX);
    let answers = match promtool::test(&place, &names, limit).await {
        Ok(answers) => answers,
        Err(why) => {
            for (_, index) in &tests {
                judged.found.findings[*index].evidence.push(format!("not proved: {why}"));
            }
            return Ok(());
        }
    };
    let mut wrong = Vec::new();
    for (name, index) in tests {
        let finding = &mut judged.found.findings[index];
        match answers.get(&name) {
            Some(None) => {
                let kept = kept.map_or_else(String::new, |kept| format!(": {}", kept.join(&name).display()));
                finding.evidence.push(format!("proved by `promtool test rules` on made-up series{kept}"));
            }
            // One that Prometheus would not load proves nothing.
            Some(Some(said)) if said.contains("parse error") || said.contains("unknown") => {
                finding.evidence.push(format!("not proved: {said}"));
            }
            _ => wrong.push(index),
        }
    }
    let dropped = count(wrong.len(), "claim");
    for index in wrong.into_iter().rev() {
        let finding = judged.found.findings.remove(index);
        let why = format!("{}; promtool does not agree on made-up series, so it is not claimed", finding.why);
        judged.found.unknown.push(Unknown { id: finding.id, subject: finding.subject, why });
    }
    tracing::debug!("{dropped} contradicted by promtool");
    Ok(())
}
