//! `check alerts`: the files of rules, their proofs, their runbooks, and the way to people.

pub mod live;
mod prove;
mod runbooks;

use std::path::{Path, PathBuf};

use crate::check::input;
use crate::runbook::rules::written;
use crate::session::{Session, alertmanager};
use liveops_domain::check::alerts::file::RuleFile;
use liveops_domain::check::alerts::live::loaded;
use liveops_domain::check::alerts::reach::{self, Routes};
use liveops_domain::check::alerts::routes::RoutingTree;
use liveops_domain::check::alerts::set::{RuleSet, Setting};
use liveops_domain::check::alerts::{Judged, judge};
use liveops_domain::check::finding::{Finding, Findings, Level};
use liveops_domain::document::kind::Kind;
use liveops_domain::error::{Error, Result};

/// What is looked at, and how.
#[derive(Debug, Clone, Default)]
pub struct AlertCheck {
    /// Files and folders; those of the configuration where none is named.
    pub paths: Vec<PathBuf>,
    pub alertmanager_config: Option<PathBuf>,
    /// Ask the running Prometheus and Alertmanager, too.
    pub live: bool,
    /// How often targets are scraped was said, and is not asked for.
    pub scrape_is_given: bool,
    /// Receivers that page, whatever their integrations are.
    pub paging: Vec<String>,
    /// Where the tests that prove findings are kept; nowhere without it.
    pub evidence: Option<PathBuf>,
    pub setting: Setting,
}

/// Looks at everything that was named.
///
/// # Errors
/// `Usage`: a path is not there, or nothing is named. `Io`: it cannot be read.
pub async fn check(cx: &Session, mut asked: AlertCheck) -> Result<Findings> {
    let mut found = Findings::default();
    let server = if asked.live { live::open(cx, &mut found).await? } else { None };
    let mut files = files(cx, &mut asked, &mut found)?;
    let has_files = !files.is_empty();
    if let Some(server) = &server {
        server.settle(&mut asked.setting, asked.scrape_is_given).await;
        if !has_files {
            files.push(loaded(&server.rules));
        }
    }
    let setting = &asked.setting;
    let set = RuleSet::new(&files, setting);
    let mut judged = judge(&files, &set);
    prove::prove(cx, &set, &mut judged, asked.evidence.as_deref()).await?;
    let Judged { found: of_files, .. } = judged;
    found.merge(of_files);
    runbooks::check(cx, &set, &mut found)?;
    if let Some(server) = &server {
        server.check(cx, &set, has_files, &mut found).await;
    }
    let folder = cx.config()?.folder();
    let usual = if asked.live { None } else { written(cx, Kind::Alertmanager)?.map(|name| folder.join(name)) };
    match asked.alertmanager_config.as_ref().or(usual.as_ref()) {
        Some(path) => routes(cx, path, &asked.paging, &set, &mut found)?,
        None if set.alerts().next().is_none() => {}
        None if asked.live => live_routes(cx, &asked.paging, &set, &mut found).await,
        None => found.unknown("A17", "routes", "whom the alerts reach: pass `--alertmanager-config FILE`, or `--live`"),
    }
    Ok(found)
}

/// Is it a file that may hold rules?
fn is_rule_file(path: &Path) -> bool {
    path.extension().is_some_and(|end| ["yml", "yaml", "rules"].iter().any(|one| end == *one))
}

/// The files of rules that are named, or configured.
fn files(cx: &Session, asked: &mut AlertCheck, found: &mut Findings) -> Result<Vec<RuleFile>> {
    if asked.paths.is_empty() {
        let config = cx.config()?;
        for place in &config.settings.documents.rules {
            asked.paths.push(config.place(place)?);
        }
        // These are all that there are.
        asked.setting.is_complete = !asked.paths.is_empty();
        if asked.paths.is_empty() && asked.live {
            return Ok(Vec::new());
        }
        asked.paths.extend(written(cx, Kind::AlertRules)?.map(|name| config.folder().join(name)));
        if asked.paths.is_empty() {
            return Err(Error::usage(
                "no rule files are named, and none are configured",
                "name them, such as `liveops check alerts rules/`, or write some: `liveops new alert-rules`",
            ));
        }
    }
    let inputs = input::read(cx, &asked.paths, is_rule_file, found, "A01")?;
    let named = |path: &str| asked.paths.iter().any(|one| cx.dirs.work.join(one) == cx.dirs.work.join(path));
    let mut files = Vec::new();
    for input in inputs {
        let file = RuleFile::read(&input.text, &input.path);
        if file.is_empty() && named(&input.path) {
            let why = "it was named as a file of rules, and has none: no `groups`";
            let fix = "write `groups:` with a list of groups, each with `name` and `rules`";
            found.add(Finding::new("A01", Level::High, input.path.clone(), why).at(input.path, 0).fix(fix));
        }
        files.push(file);
    }
    Ok(files)
}

/// The routes that Alertmanager has loaded.
async fn live_routes(cx: &Session, paging: &[String], set: &RuleSet<'_>, found: &mut Findings) {
    let asked = async { alertmanager(cx)?.configuration().await };
    let why = match asked.await {
        Ok(text) if text.is_empty() => "Alertmanager does not show its configuration".to_owned(),
        Ok(text) => match RoutingTree::read(&text) {
            Ok(tree) => return found.merge(reach::check(set, &Routes { tree: &tree, file: "", paging })),
            Err(fault) => fault.message,
        },
        Err(error) => return found.failed("A17", "routes", &error),
    };
    found.unknown("A17", "routes", why);
}

fn routes(cx: &Session, path: &Path, paging: &[String], set: &RuleSet<'_>, found: &mut Findings) -> Result<()> {
    let inputs = input::read(cx, &[path.to_owned()], is_rule_file, found, "A17")?;
    for input in inputs {
        match RoutingTree::read(&input.text) {
            Ok(tree) => found.merge(reach::check(set, &Routes { tree: &tree, file: &input.path, paging })),
            Err(fault) => {
                let why = format!("Alertmanager would not load it: {}", fault.message);
                found.add(Finding::new("A17", Level::Blocker, "alertmanager", why).at(input.path, fault.place.line));
            }
        }
    }
    Ok(())
}
