//! The folder of runbooks: scenarios at its top, alerts' below `alerts`.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::session::Session;
use liveops_domain::error::{Error, Result};
use liveops_domain::runbook::check::NamedRunbook;
use liveops_domain::runbook::{Purpose, Runbook};

/// A runbook larger than this is something else.
const LARGEST: u64 = 1 << 20;

/// The runbooks of the project.
#[derive(Debug)]
pub struct RunbookLibrary {
    /// The project's folder.
    pub root: PathBuf,
    folder: PathBuf,
}

/// A runbook as it was found.
#[derive(Debug)]
pub struct RunbookFile {
    pub filed: NamedRunbook,
    pub text: String,
    pub path: PathBuf,
}

impl RunbookLibrary {
    /// Where the configuration says.
    pub fn open(cx: &Session) -> Result<Self> {
        let config = cx.config()?;
        Ok(Self { root: config.folder(), folder: config.settings.documents.runbooks.clone() })
    }

    /// The folder of one purpose, as it is shown.
    pub fn shown(&self, purpose: Purpose) -> String {
        let folder = match purpose {
            Purpose::Alert => self.folder.join("alerts"),
            Purpose::Scenario => self.folder.clone(),
        };
        folder.display().to_string()
    }

    /// Where the runbook of this name belongs: the path that is shown, and the one that is opened.
    pub fn place(&self, name: &str, purpose: Purpose) -> Result<(String, PathBuf)> {
        let unsafe_name = name.is_empty()
            || name.starts_with(['.', '-'])
            || name.contains(['/', '\\'])
            || name.chars().any(char::is_control);
        if unsafe_name {
            return Err(Error::usage(
                format!("`{name}` cannot be the name of a runbook"),
                "give the name of an alert or of a scenario; `liveops runbook list` shows them",
            ));
        }
        let shown = format!("{}/{name}.md", self.shown(purpose));
        let path = self.root.join(&shown);
        Ok((shown, path))
    }

    /// Every runbook, scenarios first, by name.
    pub fn all(&self) -> Result<Vec<RunbookFile>> {
        let mut books = Vec::new();
        for purpose in [Purpose::Scenario, Purpose::Alert] {
            let shown = self.shown(purpose);
            for path in markdown(&self.root.join(&shown))? {
                books.push(read(&path, &shown, purpose)?);
            }
        }
        Ok(books)
    }

    /// The runbook of an alert, of a scenario, or at a path.
    ///
    /// # Errors
    /// `NotFound` with the nearest name, or with the command that writes it.
    pub fn find(&self, name: &str) -> Result<RunbookFile> {
        let is_path = Path::new(name).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("md"));
        if is_path {
            let path = self.root.join(name);
            let purpose = if path.parent().is_some_and(|folder| folder.ends_with("alerts")) {
                Purpose::Alert
            } else {
                Purpose::Scenario
            };
            let shown = Path::new(name).parent().map_or_else(String::new, |folder| folder.display().to_string());
            return read(&path, &shown, purpose);
        }
        for purpose in [Purpose::Alert, Purpose::Scenario] {
            let (_, path) = self.place(name, purpose)?;
            if path.is_file() {
                return read(&path, &self.shown(purpose), purpose);
            }
        }
        let candidates = self.all()?;
        Err(Error::NotFound {
            what: "runbook",
            name: name.to_owned(),
            candidates: candidates.into_iter().map(|book| book.filed.name).collect(),
        })
    }
}

/// The Markdown files of a folder, sorted; none when it is not there.
fn markdown(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => {
            return Err(Error::Io { action: "read", path: folder.to_owned(), source });
        }
    };
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .filter(|path| {
            // A folder's own page is no runbook.
            path.is_file() && path.file_stem().is_none_or(|stem| stem != "README")
        })
        .collect();
    files.sort();
    Ok(files)
}

fn read(path: &Path, folder: &str, purpose: Purpose) -> Result<RunbookFile> {
    let io = |source| Error::Io { action: "read", path: path.to_owned(), source };
    let size = fs::metadata(path).map_err(io)?.len();
    if size > LARGEST {
        return Err(Error::usage(
            format!("{} has {size} bytes: that is no runbook", path.display()),
            "move it out of the folder",
        ));
    }
    let text = String::from_utf8_lossy(&fs::read(path).map_err(io)?).into_owned();
    let name = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    let file = path.file_name().map_or_else(String::new, |file| file.to_string_lossy().into_owned());
    let shown = if folder.is_empty() { file } else { format!("{folder}/{file}") };
    Ok(RunbookFile {
        filed: NamedRunbook { name, path: shown, purpose, book: Runbook::parse(&text) },
        text,
        path: path.to_owned(),
    })
}
