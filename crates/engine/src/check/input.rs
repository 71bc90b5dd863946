//! The files that a gate is given: named ones, those of a folder, or standard input.

use std::fs::read_dir;
use std::io::{Read as _, stdin};
use std::path::{Path, PathBuf};

use crate::files::open::read_text;
use crate::session::Session;
use liveops_domain::check::finding::Findings;
use liveops_domain::error::{Error, Result};

/// More than this in one folder tree is no set of rules, manifests or migrations.
const MOST: usize = 50_000;

/// A file as findings name it, and its text without a byte order mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// Relative to the working directory where it lies below it; `-` is standard input.
    pub path: String,
    pub text: String,
}

/// Reads what was named, in order: files whatever they are called, and of folders (subfolders too; those that begin with
/// a dot are left out) what `wanted` takes, by name. Counts them as `files`; what is no text is unknown under `id`.
///
/// # Errors
/// `Usage`: a path is not there. `Io`: it cannot be read.
pub fn read(
    cx: &Session,
    paths: &[PathBuf],
    wanted: impl Fn(&Path) -> bool,
    found: &mut Findings,
    id: &'static str,
) -> Result<Vec<Input>> {
    let mut inputs = Vec::new();
    for named in paths {
        if named.as_os_str() == "-" {
            let mut bytes = Vec::new();
            let unreadable = |source| Error::Io { action: "read", path: "standard input".into(), source };
            stdin().lock().read_to_end(&mut bytes).map_err(unreadable)?;
            match String::from_utf8(bytes) {
                Ok(text) => take(&mut inputs, found, "-".into(), text),
                Err(_) => found.unknown(id, "-", "it is not UTF-8 text"),
            }
            continue;
        }
        let full = cx.dirs.work.join(named);
        let mut files = Vec::new();
        if full.is_dir() {
            collect(&full, &wanted, &mut files)?;
        } else if full.exists() {
            files.push(full);
        } else {
            let message = format!("there is no file or folder `{}`", named.display());
            return Err(Error::usage(message, format!("see what is there: `ls {}`", cx.dirs.work.display())));
        }
        for file in files {
            let path = shown(cx, &file);
            match read_text(&file) {
                Ok(text) => take(&mut inputs, found, path, text),
                Err(error) => found.unknown(id, path, error.to_string()),
            }
        }
    }
    Ok(inputs)
}

fn take(inputs: &mut Vec<Input>, found: &mut Findings, path: String, mut text: String) {
    if text.starts_with('\u{FEFF}') {
        text.drain(..'\u{FEFF}'.len_utf8());
    }
    found.checked("files", 1);
    found.sources.insert(path.clone(), text.clone());
    inputs.push(Input { path, text });
}

/// The path as findings name it.
pub fn shown(cx: &Session, path: &Path) -> String {
    path.strip_prefix(&cx.dirs.work).unwrap_or(path).display().to_string()
}

fn collect(folder: &Path, wanted: &impl Fn(&Path) -> bool, files: &mut Vec<PathBuf>) -> Result<()> {
    let unreadable = |source| Error::Io { action: "read", path: folder.to_owned(), source };
    let mut entries: Vec<_> = read_dir(folder).map_err(unreadable)?.collect::<Result<_, _>>().map_err(unreadable)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let kind = entry.file_type().map_err(unreadable)?;
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        if kind.is_dir() {
            collect(&path, wanted, files)?;
        // A link to a folder may lead in a circle.
        } else if wanted(&path) && !(kind.is_symlink() && path.is_dir()) {
            files.push(path);
        }
        if files.len() > MOST {
            return Err(Error::usage(
                format!("more than {MOST} files below {}", folder.display()),
                "name a smaller folder",
            ));
        }
    }
    Ok(())
}
