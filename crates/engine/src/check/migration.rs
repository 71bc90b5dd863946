//! The files of a history of migrations: those that are asked about, and those that came before them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::check::input::{self, shown};
use crate::files::file::write_shared;
use crate::files::open::read_text;
use crate::session::Session;
use liveops_domain::check::finding::Findings;
use liveops_domain::check::migration::fix::Fixed;
use liveops_domain::check::migration::layout::Source;
use liveops_domain::error::{Error, Result};

/// Reads what was named. Of a file that was named by itself the folder's others are read, too: for the schema alone.
/// Without a name, all folders that are called after migrations. What goes down is read `with_down` alone: it is not judged.
///
/// # Errors
/// `Usage`: a path is not there. `Io`: it cannot be read.
pub fn sources(cx: &Session, paths: &[PathBuf], with_down: bool, found: &mut Findings) -> Result<Vec<Source>> {
    let here = [PathBuf::from(".")];
    let (named, all) = if paths.is_empty() { (&here[..], false) } else { (paths, true) };
    let is_migration = |path: &Path| is_migration(path, with_down);
    let wanted = |path: &Path| is_migration(path) && (all || shown(cx, path).to_lowercase().contains("migrat"));
    let source =
        |judged: bool| move |input: input::Input| Source { path: clean(&input.path), text: input.text, judged };
    let mut sources: Vec<Source> =
        input::read(cx, named, wanted, found, "M10")?.into_iter().map(source(true)).collect();
    let mut known: BTreeSet<String> = sources.iter().map(|source| source.path.clone()).collect();
    for path in paths.iter().filter(|path| cx.dirs.work.join(path).is_file()) {
        let inner = path.file_name().is_some_and(|name| name == "up.sql" || name == "migration.sql");
        let folder = path.parent().and_then(|folder| if inner { folder.parent() } else { Some(folder) });
        let folder = folder.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let before = input::read(cx, &[folder.to_owned()], is_migration, &mut Findings::default(), "M10")?;
        let before: Vec<Source> =
            before.into_iter().map(source(false)).filter(|source| known.insert(source.path.clone())).collect();
        sources.extend(before);
    }
    Ok(sources)
}

/// `./a` is `a`.
fn clean(path: &str) -> String {
    path.strip_prefix("./").unwrap_or(path).to_owned()
}

fn is_migration(path: &Path, with_down: bool) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let is_down = name == "down.sql" || name.ends_with(".down.sql");
    (name.ends_with(".sql") && (with_down || !is_down))
        || name.ends_with(".sql.conf")
        || name == "metadata.toml"
        || name == "migration_lock.toml"
}

/// A dump of the schema that stood before the first migration.
///
/// # Errors
/// `Io`: it cannot be read.
pub fn schema(cx: &Session, path: &Path) -> Result<(String, String)> {
    let full = cx.dirs.work.join(path);
    let text = read_text(&full).map_err(|source| Error::Io { action: "read", path: path.to_owned(), source })?;
    Ok((path.display().to_string(), text))
}

/// Writes what `--fix` made below a folder. What is there stays: nothing is written then.
///
/// # Errors
/// `Usage`: one of the files is there. `Io`: it cannot be written.
pub fn write(cx: &Session, out: &Path, fixed: &Fixed) -> Result<()> {
    let folder = cx.dirs.work.join(out);
    let path = |file: &str| folder.join(file.trim_start_matches('/').replace("../", ""));
    if let Some(there) = fixed.files.iter().find(|file| path(&file.path).exists()) {
        let message = format!("{} is there already", out.join(&there.path).display());
        return Err(Error::usage(message, "name a new folder: `--fix --out NEW`"));
    }
    fixed.files.iter().try_for_each(|file| write_shared(&path(&file.path), &file.text, false))
}
