//! What every gate does with its findings: waivers of the file and of comments, the baseline, the answer.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::check::input::shown;
use crate::clients::git;
use crate::config::trust::Place;
use crate::files::file::write_shared;
use crate::files::open::read_text;
use crate::session::Session;
use liveops_domain::check::baseline::Baseline;
use liveops_domain::check::finding::{Findings, RuleInfo};
use liveops_domain::check::gate::{Around, Gate, Policy};
use liveops_domain::check::waiver::{FILE, Waiver, comments, read};
use liveops_domain::error::{Error, Result};

/// How the person wants a gate to answer.
#[derive(Debug, Clone)]
pub struct Options {
    pub policy: Policy,
    pub baseline: Option<PathBuf>,
    pub write_baseline: Option<PathBuf>,
    /// Only the waivers of this git ref count.
    pub waivers_from: Option<String>,
}

/// A gate, as its command knows it.
#[derive(Debug, Clone, Copy)]
pub struct About {
    /// `check alerts`.
    pub name: &'static str,
    pub rules: &'static [RuleInfo],
    /// What to do where there was nothing to look at.
    pub nothing: &'static str,
}

/// Weighs what was found.
///
/// # Errors
/// `Usage`: there was nothing to look at; the waivers, the baseline or the ref cannot be read.
pub async fn weigh(cx: &Session, about: About, found: Findings, options: &Options) -> Result<Gate> {
    if !found.looked() && found.unknown.is_empty() {
        return Err(Error::usage(format!("`liveops {}` found nothing to check", about.name), about.nothing));
    }
    let mut around = waivers(cx, &found, options.waivers_from.as_deref()).await?;
    if let Some(path) = &options.baseline {
        let full = cx.dirs.work.join(path);
        let text = read_text(&full).map_err(|source| Error::Io { action: "read", path: path.clone(), source })?;
        let baseline = Baseline::read(&text).map_err(|why| {
            let hint = format!("write it by `liveops {} --write-baseline {}`", about.name, path.display());
            Error::usage(format!("{} is no baseline: {why}", path.display()), hint)
        })?;
        around.baseline = Some(baseline);
    }
    let today = cx.clock.now().date_naive();
    let gate = Gate::weigh(about.name, about.rules, found, around, options.policy, today);
    if let Some(path) = &options.write_baseline {
        let unwaived = gate.findings.iter().filter(|one| one.waived.is_none() && !one.id.starts_with("WAIVER-"));
        let baseline = Baseline::of(unwaived.map(|one| one.fingerprint.as_str()));
        let text = serde_json::to_string_pretty(&baseline).map_err(|error| Error::internal(&error.to_string()))?;
        write_shared(&cx.dirs.work.join(path), &format!("{text}\n"), true)?;
    }
    Ok(gate)
}

/// The waivers of the project's file and of the comments in the files that were read. With a ref, those that stand there,
/// too: what is under review cannot excuse itself.
async fn waivers(cx: &Session, found: &Findings, reference: Option<&str>) -> Result<Around> {
    let folder = cx.config()?.folder();
    let file = cx.config()?.file_in(&Place::usual("waivers", ""), FILE)?;
    let name = shown(cx, &file);
    let text = match reference {
        Some(reference) => past(cx, reference, &folder, Path::new(FILE)).await?,
        None => match read_text(&file) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(source) => return Err(Error::Io { action: "read", path: file, source }),
        },
    };
    let mut around = Around::default();
    if let Some(text) = text {
        let (waivers, wrong) = read(&name, &text).map_err(|why| {
            Error::usage(format!("{name} is no list of waivers: {why}"), "see `docs/gates.md`, Waivers")
        })?;
        around.waivers.extend(waivers);
        around.wrong.extend(wrong);
    }
    for (path, text) in &found.sources {
        let (mut waivers, wrong) = comments(path, text);
        if let Some(reference) = reference
            && !waivers.is_empty()
        {
            let before = past(cx, reference, &cx.dirs.work, Path::new(path)).await?.unwrap_or_default();
            let before: BTreeSet<&str> = before.lines().map(str::trim).collect();
            let line = |waiver: &Waiver| text.lines().nth(waiver.place.1 - 1).unwrap_or_default().trim();
            waivers.retain(|waiver| before.contains(line(waiver)));
        }
        around.waivers.extend(waivers);
        around.wrong.extend(wrong);
    }
    Ok(around)
}

async fn past(cx: &Session, reference: &str, folder: &Path, path: &Path) -> Result<Option<String>> {
    let (call, _) = cx.timeouts()?;
    git::file_at(folder, reference, path, call).await
}
