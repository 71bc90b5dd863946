//! `liveops config path`: which files are read, which would be, and what liveops keeps where. Works whatever is in them.

use std::path::Path;

use clap::Args;
use serde::Serialize;

use crate::context::Context;
use crate::output::block::{Block, Table, Tone, plain, span};
use crate::output::report::{Meta, Report};
use crate::output::view::View;
use liveops_domain::error::{Exit, Result};
use liveops_engine::config::layers;
use liveops_engine::config::layers::FILE_NAME;

/// Say which files are read, and where liveops keeps its own
///
/// The project's file is looked for in this folder and each folder above it, unless --config or LIVEOPS_CONFIG names
/// one. Your own file, the state and the cache are where the XDG variables say.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops config path
  liveops config path -o json | jq -r '.data.files[] | select(.found) | .path'")]
pub(crate) struct PathArgs {}

/// A file or folder.
#[derive(Debug, Serialize)]
struct Place {
    what: &'static str,
    path: String,
    found: bool,
    note: &'static str,
}

/// Every place.
#[derive(Debug, Serialize)]
struct ConfigPath {
    files: Vec<Place>,
    folders: Vec<Place>,
}

pub(crate) fn run(_args: &PathArgs, cx: &Context) -> Result<Exit> {
    let dirs = &cx.dirs;
    let place = |what, path: &Path, note: [&'static str; 2]| Place {
        what,
        path: path.display().to_string(),
        found: path.exists(),
        note: note[usize::from(!path.exists())],
    };
    let project = match &cx.choices.config {
        Some(named) => place(
            "project file",
            &dirs.work.join(named),
            ["read; named by --config or LIVEOPS_CONFIG", "named, but not there"],
        ),
        None => match layers::discover(&dirs.work) {
            Some(path) => place("project file", &path, ["read", ""]),
            None => place("project file", &dirs.work.join(FILE_NAME), ["", "not here, nor in any folder above"]),
        },
    };
    let state = &dirs.state;
    let later = ["", "made when needed"];
    let report = ConfigPath {
        files: vec![
            project,
            place("your own file", &layers::user_file(dirs), ["read; the project file wins over it", "not there"]),
            place("trust", &state.join("trust.json"), later),
            place("audit log", &state.join("audit.jsonl"), later),
        ],
        folders: vec![
            place("state", state, later),
            place("cache", &dirs.cache, ["may be deleted at any time", later[1]]),
        ],
    };
    let has_config = report.files.iter().take(2).any(|place| place.found);
    let next = if has_config { "liveops config show --origin" } else { "liveops init" };
    cx.show_anywhere(&report, Meta { recommendations: Vec::new(), ..Meta::next("", next) })?;
    Ok(Exit::Good)
}

impl Report for ConfigPath {
    fn schema(&self) -> &'static str {
        "liveops.config.path/1"
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        let mut blocks = Vec::new();
        for place in self.files.iter().chain(&self.folders) {
            let (mark, tone) =
                if place.found { (view.pick("●", "+"), Tone::Good) } else { (view.pick("·", "-"), Tone::Dim) };
            // A path is there to be copied, so it is never cut.
            blocks.push(Block::Whole(vec![
                span(format!("{mark} "), tone),
                plain(format!("{:<14}", place.what)),
                span(place.path.clone(), Tone::Strong),
                span(if place.note.is_empty() { String::new() } else { format!("  {}", place.note) }, Tone::Dim),
            ]));
        }
        blocks
    }

    fn rows(&self, _view: &View) -> Option<Table> {
        let mut table = Table::new(["path", "what", "found"]);
        for place in self.files.iter().chain(&self.folders) {
            table.row(vec![plain(place.path.clone()), plain(place.what), plain(place.found.to_string())]);
        }
        Some(table)
    }
}
