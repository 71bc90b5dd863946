//! Which objectives there are: those of the configuration, and those of the files that it or the command line names.

use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::config::decode::{Problems, Section};
use crate::config::layers::show;
use crate::config::node::{Layer, Value};
use crate::config::slo::openslo;
use crate::config::{Config, slo, yaml};
use crate::files::open;
use crate::session::Session;
use crate::session::lookup::named;
use liveops_domain::error::{Error, Problem, Result};
use liveops_domain::slo::Slo;

/// The objectives of the configuration and its files.
///
/// # Errors
/// Everything that is wrong in them.
pub fn all(cx: &Session) -> Result<Vec<Slo>> {
    let settings = &cx.config()?.settings.slos;
    let mut problems = Problems::default();
    let mut slos = settings.defined.clone();
    for path in paths(cx.config()?, &mut problems)? {
        slos.extend(read(cx, &path, &mut problems)?);
    }
    twins(&slos, &mut problems);
    finish(slos, problems)
}

/// The objectives of these names and files; without any, all. What has a dot or a slash is a file.
///
/// # Errors
/// As [`all`]; `NotFound`; `Unconfigured` where there is none at all.
pub fn chosen(cx: &Session, wanted: &[String]) -> Result<Vec<Slo>> {
    let (files, names): (Vec<&String>, Vec<&String>) = wanted.iter().partition(|text| text.contains(['.', '/']));
    let mut slos = Vec::new();
    let mut problems = Problems::default();
    for file in &files {
        slos.extend(read(cx, &cx.dirs.work.join(file), &mut problems)?);
    }
    twins(&slos, &mut problems);
    let mut slos = finish(slos, problems)?;
    if !names.is_empty() || files.is_empty() {
        let known = all(cx)?;
        if names.is_empty() {
            slos.extend(known);
        } else {
            for name in names {
                slos.push(named("SLO", name, known.iter(), |slo| &slo.name)?.clone());
            }
        }
    }
    if slos.is_empty() {
        return Err(Error::Unconfigured {
            what: "SLO",
            environment: cx.environment()?.to_owned(),
            hint: "define one under `slos` in liveops.yaml, or name a file of OpenSLO; docs/slo.md has examples".into(),
        });
    }
    Ok(slos)
}

/// The names, for the shell; nothing where something is wrong.
pub fn names(config: &Config) -> Vec<String> {
    let mut problems = Problems::default();
    let mut names: Vec<String> = config.settings.slos.defined.iter().map(|slo| slo.name.clone()).collect();
    for path in paths(config, &mut problems).unwrap_or_default() {
        if let Ok(text) = open::read_text(&path) {
            names.extend(decode(&text, "", &mut problems).into_iter().map(|slo| slo.name));
        }
    }
    names
}

fn finish(slos: Vec<Slo>, mut problems: Problems) -> Result<Vec<Slo>> {
    problems.sort();
    if problems.errors.is_empty() { Ok(slos) } else { Err(Error::Config { problems: problems.errors }) }
}

/// A name means one objective.
fn twins(slos: &[Slo], problems: &mut Problems) {
    for (index, slo) in slos.iter().enumerate() {
        if let Some(first) = slos[..index].iter().find(|other| other.name == slo.name) {
            let message = format!("SLO `{}` exists already at {}", slo.name, first.place);
            let (source, line) = slo.place.rsplit_once(':').unwrap_or((&slo.place, "0"));
            let (source, line) = (source.to_owned(), line.parse().unwrap_or(0));
            problems.errors.push(Problem { source, line, key: String::new(), message });
        }
    }
}

/// The files that the configuration names, in their order.
fn paths(config: &Config, problems: &mut Problems) -> Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for place in &config.settings.slos.files {
        let pattern = config.place_as_said(place)?;
        let found = matching(&pattern);
        if found.is_empty() {
            problems.error(&place.origin, "slos.files", format!("`{}` names no file", place.path.display()));
        }
        let folder = pattern.parent().unwrap_or(&pattern);
        for path in found {
            all.push(if path == pattern { path } else { config.found_in(place, folder, path)? });
        }
    }
    all.dedup();
    Ok(all)
}

/// The file, or those of its folder that fit its last part, in which `*` is any text.
fn matching(path: &Path) -> Vec<PathBuf> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if !name.contains('*') {
        return path.is_file().then(|| path.to_owned()).into_iter().collect();
    }
    let entries = path.parent().and_then(|folder| fs::read_dir(folder).ok());
    let files = entries.into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let fits_name = |path: &PathBuf| {
        let found = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        !found.starts_with('.') && fits(&name, &found) && path.is_file()
    };
    let mut found: Vec<PathBuf> = files.filter(fits_name).collect();
    found.sort();
    found
}

fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
            (0..=rest.len()).filter(|at| rest.is_char_boundary(*at)).any(|at| fits(after, &rest[at..]))
        }),
    }
}

fn read(cx: &Session, path: &Path, problems: &mut Problems) -> Result<Vec<Slo>> {
    let text = open::read_text(path).map_err(|source| Error::Io { action: "read", path: path.to_owned(), source })?;
    Ok(decode(&text, &show(path, &cx.dirs), problems))
}

/// OpenSLO, or a file with `slos` as liveops.yaml has it.
fn decode(text: &str, name: &str, problems: &mut Problems) -> Vec<Slo> {
    let layer = Rc::new(Layer::Project(name.to_owned()));
    let own = yaml::parse(text, &layer).ok().filter(|document| document.root.get("slos").is_some());
    let Some(document) = own else {
        return openslo::read(text, name, problems);
    };
    let mut top = Section::open(&document.root, "", problems);
    let found = slo::decode(&mut top, problems);
    if matches!(document.root.get("slos").map(|node| &node.value), Some(Value::Map(_))) {
        problems.error(&document.root.origin, "slos", "must be a list in a file of its own");
    }
    found.defined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_text() {
        for (pattern, text, want) in [
            ("*.yaml", "a.yaml", true),
            ("*.yaml", "a.yml", false),
            ("slo-*.y*ml", "slo-a.yaml", true),
            ("a", "a", true),
            ("*", "", true),
        ] {
            assert_eq!(fits(pattern, text), want, "{pattern} {text}");
        }
    }
}
