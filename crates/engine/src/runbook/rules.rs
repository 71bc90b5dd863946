//! Alerting rules for runbooks: from files and folders that are named, from those of the configuration, or from
//! Prometheus.

use std::fs;
use std::path::{Path, PathBuf};

use crate::clients::http::request::Effort;
use crate::clients::prometheus::Prometheus;
use crate::config::trust::Place;
use crate::files::open;
use crate::observe::alerts::timed;
use crate::session::Session;
use liveops_domain::check::alerts::file::RuleFile;
use liveops_domain::document::kind::{Kind, Options};
use liveops_domain::error::{Error, Problem, Result};
use liveops_domain::runbook::rule::AlertRule;
use liveops_domain::status::source::{Source, SourceState};

/// What is known of the rules.
#[derive(Debug)]
pub struct Rules {
    /// `None`: nobody could say.
    pub rules: Option<Vec<AlertRule>>,
    /// Prometheus, where it was asked.
    pub source: Option<Source>,
    /// They are all that there are: what no rule names is an orphan.
    pub is_complete: bool,
}

/// Reads the files, else those of the configuration, else asks Prometheus, else reads what `liveops new` wrote.
pub async fn gather(cx: &Session, named: &[PathBuf]) -> Result<Rules> {
    let config = cx.config()?;
    let configured = config.settings.documents.rules.iter();
    let configured: Vec<PathBuf> = configured.map(|place| place.path.clone()).collect();
    let (base, files) = if named.is_empty() {
        config.settings.documents.rules.iter().try_for_each(|place| config.place(place).map(|_| ()))?;
        (config.folder(), &configured[..])
    } else {
        (cx.dirs.work.clone(), named)
    };
    if !files.is_empty() {
        let mut rules = Vec::new();
        for file in files {
            read(&base, file, &mut rules)?;
        }
        return Ok(Rules { rules: Some(rules), source: None, is_complete: true });
    }
    let client = match cx.prometheus() {
        Ok(target) => Prometheus::new(cx.http()?, target, Effort::Quick),
        Err(Error::Unconfigured { .. }) => {
            let mut rules = Vec::new();
            let file = written(cx, Kind::AlertRules)?;
            file.iter().try_for_each(|file| read(&config.folder(), file, &mut rules))?;
            return Ok(Rules { rules: file.map(|_| rules), source: None, is_complete: false });
        }
        Err(error) => return Err(error),
    };
    let (answer, source) = timed("prometheus", Some(client.rules(&cx.clock))).await;
    let listed = answer.and_then(Result::ok);
    let is_complete = listed.as_ref().is_some_and(|listed| listed.partial.is_none());
    let rules = listed.map(|listed| listed.all.iter().filter_map(AlertRule::of).collect());
    Ok(Rules { rules, source: Some(source), is_complete })
}

/// The file that `liveops new` writes for a kind, from the project's folder, where it is there.
///
/// # Errors
/// `Secret`: a link leads out of the project.
pub fn written(cx: &Session, kind: Kind) -> Result<Option<PathBuf>> {
    let name = kind.path(&Options::default());
    let path = cx.config()?.place(&Place::usual("documents", &name))?;
    Ok(path.is_file().then(|| PathBuf::from(name)))
}

impl Rules {
    /// Why they are not known, in words.
    pub fn gap(&self) -> Option<String> {
        if self.rules.as_ref().is_some_and(|rules| !rules.is_empty()) {
            return None;
        }
        Some(match &self.source {
            _ if self.rules.is_some() => "no alerting rule was found: neither in files nor by Prometheus".into(),
            Some(Source { error: Some(error), state: SourceState::Down, .. }) => error.clone(),
            _ => "no Prometheus is configured, and no rule files are named".into(),
        })
    }
}

/// A file, or every `.yml`, `.yaml` and `.rules` of a folder and the folders in it.
fn read(base: &Path, file: &Path, rules: &mut Vec<AlertRule>) -> Result<()> {
    let path = base.join(file);
    let io = |source| Error::Io { action: "read", path: path.clone(), source };
    let shown = file.display().to_string();
    if path.is_dir() {
        let entries = fs::read_dir(&path).map_err(io)?;
        let mut names: Vec<PathBuf> = entries
            .filter_map(std::result::Result::ok)
            .filter(|entry| {
                let name = PathBuf::from(entry.file_name());
                // A link to a folder may lead round in a circle.
                let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
                let is_rules =
                    name.extension().is_some_and(|end| ["yml", "yaml", "rules"].iter().any(|one| end == *one));
                if is_folder { !entry.file_name().to_string_lossy().starts_with('.') } else { is_rules }
            })
            .map(|entry| file.join(entry.file_name()))
            .collect();
        names.sort();
        return names.iter().try_for_each(|name| read(base, name, rules));
    }
    let text = open::read_text(&path).map_err(io)?;
    let file = RuleFile::read(&text, &shown);
    // What is wrong in a rule is for `check alerts`; a file without any is not one of rules.
    if file.groups.is_empty() && !(file.findings.is_empty() && file.unknown.is_empty()) {
        let problem = |line: Option<usize>, message: &str| Problem {
            source: shown.clone(),
            line: line.unwrap_or_default(),
            key: String::new(),
            message: message.to_owned(),
        };
        let wrong = file.findings.iter().map(|one| problem(one.line, &one.why));
        let problems = wrong.chain(file.unknown.iter().map(|one| problem(None, &one.why))).collect();
        return Err(Error::Config { problems });
    }
    rules.extend(file.alerts().map(AlertRule::written));
    Ok(())
}
