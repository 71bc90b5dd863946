//! The files: which are there, how each stands, and how one is written.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::config::trust;
use crate::document::render::render;
use crate::files::file::{update_shared, write_shared};
use crate::files::open;
use crate::session::Session;
use liveops_domain::document::block::{Refreshed, State, header, is_marked, open_questions, refresh};
use liveops_domain::document::diff::unified;
use liveops_domain::document::kind::{Dashboard, Kind, Options};
use liveops_domain::error::{Error, Result};
use liveops_domain::text::shell::word;

/// Files that are looked at for marks, at most.
const MOST: usize = 20_000;

/// Folders in folders, and no deeper.
const DEEPEST: usize = 8;

/// No document is larger.
const LARGEST: u64 = 4 << 20;

/// Folders that others fill.
const FOREIGN: [&str; 6] = ["node_modules", "target", "vendor", "dist", "build", "venv"];

/// How a file stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    Missing,
    UpToDate,
    Stale,
    /// A managed block was edited by hand, or its marks are damaged.
    Edited,
    /// Somebody else wrote it.
    Foreign,
}

/// A file as it stands.
#[derive(Debug, Serialize)]
pub struct Document {
    pub kind: Kind,
    /// As it is shown, from the project's folder or from where the person stands.
    pub path: String,
    pub state: Standing,
    /// Blocks that were edited.
    pub edited: Vec<String>,
    /// Questions that are open in it.
    pub questions: usize,
    /// What would change, as a unified diff.
    pub diff: Option<String>,
    /// What writes it, or writes it anew.
    pub command: String,
    /// Why it could not be made anew.
    pub error: Option<String>,
}

/// Where a document goes.
#[derive(Debug)]
pub struct Place {
    pub shown: String,
    pub path: PathBuf,
}

/// The path that was asked for, or the usual one below the project's folder.
///
/// # Errors
/// Those of the configuration; `Secret`, where a link leads out of the project.
pub fn place(cx: &Session, kind: Kind, options: &Options, out: Option<&Path>) -> Result<Place> {
    Ok(match out {
        Some(out) => Place { shown: out.display().to_string(), path: cx.dirs.work.join(out) },
        None => {
            let shown = kind.path(options);
            let usual = trust::Place::usual("documents", &shown);
            Place { path: cx.config()?.place(&usual)?, shown }
        }
    })
}

/// The command that writes a document.
pub fn command(kind: Kind, options: &Options, path: &str, force: bool) -> String {
    let mut words = vec!["liveops new".to_owned(), kind.name().to_owned()];
    words.extend(options.words(kind).iter().map(|one| word(one)));
    if path != kind.path(options) {
        words.extend(["--out".to_owned(), word(path)]);
    }
    if force {
        words.push("--force".into());
    }
    words.join(" ")
}

fn read(path: &Path) -> Result<Option<String>> {
    match open::read_text(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::Io { action: "read", path: path.to_owned(), source }),
    }
}

/// What came of writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Written {
    Created,
    Refreshed,
    /// It was up to date.
    Unchanged,
}

/// What would be written.
#[derive(Debug)]
pub struct Draft {
    pub place: Place,
    pub text: String,
    pub written: Written,
    old: Option<String>,
    /// The old text is lost in the new one.
    replaces: bool,
}

/// The file as it would be: everything that people wrote stays.
///
/// # Errors
/// `Refused` where a managed block was edited, or somebody else wrote the file, unless `force`.
pub fn draft(place: Place, fresh: &str, kind: Kind, force: bool) -> Result<Draft> {
    let Some(old) = read(&place.path)? else {
        return Ok(Draft { place, text: fresh.to_owned(), written: Written::Created, old: None, replaces: false });
    };
    let Refreshed { state, text } = refresh(&old, fresh, kind.syntax());
    let replaces = match &state {
        State::UpToDate | State::Stale => false,
        State::Edited(_) | State::Foreign if force => true,
        State::Edited(blocks) => {
            return Err(Error::Refused {
                why: format!(
                    "{}: what liveops manages was edited by hand ({}); nothing was written",
                    place.shown,
                    blocks.join(", ")
                ),
                hint: format!(
                    "look with `liveops new --check {}`; move your words out of the marks, or pass `--force`, which keeps a copy",
                    word(&place.shown)
                ),
            });
        }
        State::Foreign => {
            return Err(Error::Refused {
                why: format!("{} exists and was not written by `liveops new`; nothing was written", place.shown),
                hint: "choose another `--out`, or pass `--force`, which keeps a copy".into(),
            });
        }
    };
    let written = if state == State::UpToDate { Written::Unchanged } else { Written::Refreshed };
    Ok(Draft { place, text, written, old: Some(old), replaces })
}

/// Writes it; the copy of the old text, where `force` replaced it.
///
/// # Errors
/// `Io`; `Refused` when somebody else wrote the file in the meantime.
pub fn write(draft: &Draft) -> Result<Option<String>> {
    let path = &draft.place.path;
    let Some(old) = &draft.old else {
        return write_shared(path, &draft.text, false).map(|()| None);
    };
    if draft.written == Written::Unchanged {
        return Ok(None);
    }
    let copy = draft.replaces.then(|| spare(path));
    if let Some(copy) = &copy {
        write_shared(copy, old, false)?;
    }
    update_shared(path, old, &draft.text)?;
    let shown = |copy: PathBuf| {
        let name = copy.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Path::new(&draft.place.shown).with_file_name(name).display().to_string()
    };
    Ok(copy.map(shown))
}

/// A name for the copy that nobody has yet.
fn spare(path: &Path) -> PathBuf {
    let name = |n: usize| {
        let mut name = path.as_os_str().to_owned();
        name.push(if n == 1 { ".bak".to_owned() } else { format!(".bak{n}") });
        PathBuf::from(name)
    };
    (1..).map(name).find(|copy| !copy.exists()).unwrap_or_else(|| name(1))
}

/// Every kind: the files of it that are there, or where it would be.
///
/// # Errors
/// Those of the configuration.
pub fn list(cx: &Session) -> Result<Vec<Document>> {
    let folder = cx.config()?.folder();
    let found = marked(&folder);
    let mut all: Vec<Document> = found.iter().filter_map(|path| look(cx, path, &folder)).collect();
    for kind in Kind::ALL {
        let dashboards: &[Dashboard] = if kind == Kind::Grafana { &Dashboard::ALL } else { &[Dashboard::Game] };
        for dashboard in dashboards {
            let options = Options { dashboard: *dashboard, ..Options::default() };
            let path = kind.path(&options);
            if all.iter().any(|one| one.kind == kind && (kind != Kind::Grafana || one.path == path)) {
                continue;
            }
            let state = if folder.join(&path).exists() { Standing::Foreign } else { Standing::Missing };
            let command = command(kind, &options, &path, false);
            let (edited, error) = (Vec::new(), None);
            all.push(Document { kind, path, state, edited, questions: 0, diff: None, command, error });
        }
    }
    all.sort_by(|a, b| (a.kind, &a.path).cmp(&(b.kind, &b.path)));
    Ok(all)
}

/// The files that are named, or all that liveops wrote in the project.
///
/// # Errors
/// A file that cannot be read; nothing to check.
pub fn check(cx: &Session, named: &[PathBuf]) -> Result<Vec<Document>> {
    let folder = cx.config()?.folder();
    if named.is_empty() {
        return Ok(marked(&folder).iter().filter_map(|path| look(cx, path, &folder)).collect());
    }
    let mut all = Vec::new();
    for name in named {
        // Reports name a file from the project's folder.
        let here = cx.dirs.work.join(name);
        let path = if here.exists() { here } else { folder.join(name) };
        if path.is_dir() {
            all.extend(marked(&path).iter().filter_map(|path| look(cx, path, &folder)));
            continue;
        }
        if read(&path)?.is_none() {
            return Err(Error::NotFound { what: "file", name: name.display().to_string(), candidates: Vec::new() });
        }
        match look(cx, &path, &folder) {
            Some(document) => all.push(document),
            None => {
                return Err(Error::usage(
                    format!("{} was not written by `liveops new`", name.display()),
                    "see what was with `liveops new --list`",
                ));
            }
        }
    }
    Ok(all)
}

/// The kind whose usual place this is.
fn usual(shown: &str) -> Option<(Kind, Options)> {
    let dashboards = Dashboard::ALL.map(|dashboard| Options { dashboard, ..Options::default() });
    let all = Kind::ALL.into_iter().flat_map(|kind| dashboards.iter().map(move |options| (kind, options.clone())));
    all.into_iter().find(|(kind, options)| kind.path(options) == shown)
}

/// How a file stands; `None` when liveops did not write it.
fn look(cx: &Session, path: &Path, folder: &Path) -> Option<Document> {
    let text = read(path).ok()??;
    if !is_marked(&text) {
        return None;
    }
    let shown = path.strip_prefix(folder).or_else(|_| path.strip_prefix(&cx.dirs.work)).unwrap_or(path);
    let shown = shown.display().to_string();
    let questions = open_questions(&text);
    // What a damaged first line said can be told from where the file lies.
    let said = header(&text);
    let Some((kind, options)) = said.or_else(|| usual(&shown)) else {
        return Some(Document {
            kind: Kind::MonitoringPlan,
            command: "liveops new --list".into(),
            path: shown,
            state: Standing::Edited,
            edited: vec!["the line `liveops:document`".into()],
            questions,
            diff: None,
            error: Some("which document it is cannot be read".into()),
        });
    };
    let document = |state: Standing, edited: Vec<String>, diff, error| Document {
        kind,
        command: command(kind, &options, &shown, state == Standing::Edited),
        path: shown.clone(),
        state,
        edited,
        questions,
        diff,
        error,
    };
    let fresh = match render(cx, kind, &options) {
        Ok(fresh) => fresh.text,
        Err(error) => return Some(document(Standing::Stale, Vec::new(), None, Some(error.to_string()))),
    };
    let Refreshed { state, text: new } = refresh(&text, &fresh, kind.syntax());
    let diff = unified(&text, &new, &shown);
    let diff = (!diff.is_empty()).then_some(diff);
    Some(match state {
        State::UpToDate => document(Standing::UpToDate, Vec::new(), None, None),
        State::Stale => document(Standing::Stale, Vec::new(), diff, None),
        State::Edited(blocks) => document(Standing::Edited, blocks, diff, None),
        State::Foreign => return None,
    })
}

/// The files below a folder that have marks of liveops.
fn marked(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    walk(folder, 0, &mut files);
    files.retain(|path| {
        let small = fs::metadata(path).is_ok_and(|data| data.len() <= LARGEST);
        small && open::read_text(path).is_ok_and(|text| is_marked(&text))
    });
    files
}

fn walk(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) {
    let mut entries: Vec<fs::DirEntry> = fs::read_dir(folder).into_iter().flatten().flatten().collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = entry.path();
        if files.len() >= MOST {
            return;
        }
        let hidden = name.starts_with('.') && ![".github", ".gitlab", ".gitlab-ci.yml"].contains(&name.as_str());
        // A link to a folder may lead round in a circle.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            if depth < DEEPEST && !hidden && !FOREIGN.contains(&name.as_str()) {
                walk(&path, depth + 1, files);
            }
        } else if !hidden && [".md", ".yml", ".yaml", ".json"].iter().any(|end| name.ends_with(end)) {
            files.push(path);
        }
    }
}
