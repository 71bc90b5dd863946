//! The folder of runbooks and the folders in it: alerts' below `alerts`, or named as alerts are; scenarios elsewhere.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::files::open;
use crate::session::Session;
use liveops_domain::error::{Error, Result};
use liveops_domain::runbook::check::NamedRunbook;
use liveops_domain::runbook::{Purpose, Runbook};
use liveops_domain::text::markdown::unmarked;

/// A runbook larger than this is something else.
const LARGEST: u64 = 1 << 20;

/// The runbooks of the project.
#[derive(Debug)]
pub struct RunbookLibrary {
    /// The project's folder.
    pub root: PathBuf,
    folder: PathBuf,
    /// Where the person stands.
    work: PathBuf,
}

/// A runbook as it was found.
#[derive(Debug)]
pub struct RunbookFile {
    pub filed: NamedRunbook,
    pub text: String,
    pub path: PathBuf,
    /// It is a file. What is shipped is none until `runbook new` writes it.
    pub is_written: bool,
}

impl RunbookLibrary {
    /// Where the configuration says.
    pub fn open(cx: &Session) -> Result<Self> {
        let config = cx.config()?;
        let place = &config.settings.documents.runbooks;
        config.place(place)?;
        Ok(Self { root: config.folder(), folder: place.path.clone(), work: cx.dirs.work.clone() })
    }

    /// The folder of one purpose, as it is shown.
    pub fn shown(&self, purpose: Purpose) -> String {
        let folder = match purpose {
            Purpose::Alert => self.folder.join("alerts"),
            Purpose::Scenario => self.folder.clone(),
        };
        folder.display().to_string()
    }

    /// Is what an alert links here? Nothing can be told of a path whose first folder is not one of the project.
    pub fn exists(&self, link: &str) -> Option<bool> {
        let path = link.trim_start_matches('/').trim_start_matches("./").split(['#', '?']).next().unwrap_or_default();
        let first = path.split('/').next().unwrap_or_default();
        let is_here = self.root.join(path).is_file();
        (is_here || (path.contains('/') && first != ".." && self.root.join(first).is_dir())).then_some(is_here)
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

    /// Every runbook, scenarios first, by path.
    pub fn all(&self) -> Result<Vec<RunbookFile>> {
        let mut files = Vec::new();
        markdown(&self.root.join(&self.folder), 0, &mut files)?;
        let mut books: Vec<RunbookFile> = files.iter().map(|path| self.read(path)).collect::<Result<_>>()?;
        books.sort_by(|a, b| {
            let key = |book: &RunbookFile| (book.filed.purpose == Purpose::Alert, book.filed.path.clone());
            key(a).cmp(&key(b))
        });
        Ok(books)
    }

    /// The runbook of an alert, of a scenario, or at a path, which is relative to where the person stands.
    ///
    /// # Errors
    /// `NotFound` with the nearest name, or with the command that writes it.
    pub fn find(&self, name: &str) -> Result<RunbookFile> {
        let is_path = Path::new(name).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("md"));
        if is_path {
            let here = self.work.join(name);
            // Lists show paths from the project's folder.
            let path = if here.is_file() { here } else { self.root.join(name) };
            return self.read(&path);
        }
        for purpose in [Purpose::Alert, Purpose::Scenario] {
            let (_, path) = self.place(name, purpose)?;
            if path.is_file() {
                return self.read(&path);
            }
        }
        let mut all = self.all()?;
        let place = all
            .iter()
            .position(|book| book.filed.name == name)
            .or_else(|| all.iter().position(|book| book.filed.name.eq_ignore_ascii_case(name)));
        match place {
            Some(place) => Ok(all.swap_remove(place)),
            None => Err(Error::NotFound {
                what: "runbook",
                name: name.to_owned(),
                candidates: all.into_iter().map(|book| book.filed.name).collect(),
            }),
        }
    }

    fn read(&self, path: &Path) -> Result<RunbookFile> {
        let shown = path.strip_prefix(&self.root).or_else(|_| path.strip_prefix(&self.work)).unwrap_or(path);
        let shown = shown.strip_prefix(".").unwrap_or(shown);
        read(path, shown, purpose(shown))
    }
}

/// What a runbook is for, by where it lies and what it is called.
fn purpose(path: &Path) -> Purpose {
    let below_alerts = path.parent().is_some_and(|folder| folder.iter().any(|part| part == "alerts"));
    let name = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    // `KubePodCrashLooping`: no sentence and no word of its own.
    let is_camel = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric())
        && name.chars().filter(char::is_ascii_uppercase).count() > 1
        && name.contains(|c: char| c.is_ascii_lowercase());
    if below_alerts || is_camel { Purpose::Alert } else { Purpose::Scenario }
}

/// Pages of a folder that are no runbooks: about the folder, and forms to copy.
const PAGES: [&str; 8] =
    ["readme", "_index", "index", "contributing", "changelog", "template", "_template", "code_of_conduct"];

/// Folders in folders, and no deeper.
const DEEPEST: usize = 8;

/// The runbooks of a folder and of those in it, sorted; none when it does not exist.
fn markdown(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(Error::Io { action: "read", path: folder.to_owned(), source }),
    };
    let mut entries: Vec<fs::DirEntry> = entries.filter_map(std::result::Result::ok).collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().to_lowercase();
        // A link to a folder may lead round in a circle.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            if depth < DEEPEST && !name.starts_with('.') {
                markdown(&path, depth + 1, files)?;
            }
        } else if let Some(stem) = name.strip_suffix(".md")
            && path.is_file()
            && !PAGES.contains(&stem)
        {
            files.push(path);
        }
    }
    Ok(())
}

fn read(path: &Path, shown: &Path, purpose: Purpose) -> Result<RunbookFile> {
    let io = |source| Error::Io { action: "read", path: path.to_owned(), source };
    let size = fs::metadata(path).map_err(io)?.len();
    if size > LARGEST {
        return Err(Error::usage(
            format!("{} is larger than {LARGEST} B: that is no runbook", path.display()),
            "move it out of the folder",
        ));
    }
    let text = text(open::read_through(path).map_err(io)?);
    let name = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    Ok(RunbookFile {
        filed: NamedRunbook { name, path: shown.display().to_string(), purpose, book: Runbook::parse(&text) },
        text,
        path: path.to_owned(),
        is_written: true,
    })
}

/// The text of a file as editors write it: UTF-8, or UTF-16 with its mark.
#[allow(clippy::needless_pass_by_value, reason = "the bytes become the text")]
fn text(bytes: Vec<u8>) -> String {
    let wide = |bytes: &[u8], join: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| join([pair[0], pair[1]])).collect();
        String::from_utf16_lossy(&units)
    };
    let text = match bytes.as_slice() {
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        _ => String::from_utf8_lossy(&bytes).into_owned(),
    };
    unmarked(&text).to_owned()
}
