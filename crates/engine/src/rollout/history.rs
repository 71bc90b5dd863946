//! Rollouts that are over, as they were stored at their end: the state beside the traffic is replaced by the next rollout's.
//! One file each, on the machine that saw the end or began the next one; what it shows is never needed to go on or back.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use crate::files::file::write_private;
use crate::session::Session;
use liveops_domain::error::{Error, Result};
use liveops_domain::rollout::state::Rollout;

const ENDING: &str = ".json";

/// The past rollouts of one service, or the past ramps of one flag.
pub struct Archive {
    folder: PathBuf,
}

impl Archive {
    /// Of this service or flag.
    pub fn of(cx: &Session, environment: &str, name: &str, is_flag: bool) -> Self {
        let kind = if is_flag { "past-ramps" } else { "past-rollouts" };
        Self { folder: cx.dirs.state.join(kind).join(environment).join(name) }
    }

    /// The ids of those that are kept.
    ///
    /// # Errors
    /// `Io`.
    pub fn ids(&self) -> Result<Vec<String>> {
        let failed = |source| Error::Io { action: "read", path: self.folder.clone(), source };
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let id = |entry: fs::DirEntry| {
            let name = entry.file_name();
            name.to_str()?.strip_suffix(ENDING).map(ToOwned::to_owned)
        };
        Ok(entries.flatten().filter_map(id).collect())
    }

    /// One of them, by an id that [`Archive::ids`] gave.
    ///
    /// # Errors
    /// `Io`; `Damaged`.
    pub fn load(&self, id: &str) -> Result<Rollout> {
        let path = self.folder.join(format!("{id}{ENDING}"));
        let bytes = fs::read(&path).map_err(|source| Error::Io { action: "read", path: path.clone(), source })?;
        serde_json::from_slice(&bytes).map_err(|error| Error::Damaged {
            what: error.to_string(),
            hint: "was it written by a newer liveops? nothing but the history needs it".into(),
            path,
        })
    }
}

/// Keeps a rollout that is over; one that is taken back after its end is kept again. Nobody waits for it: that it cannot be
/// kept is no reason to fail.
pub fn keep(cx: &Session, rollout: &Rollout) {
    if !rollout.phase.is_terminal() {
        return;
    }
    let (environment, name) = (&rollout.environment, &rollout.service);
    let archive = Archive::of(cx, environment, name, rollout.plan.is_exact());
    let path = archive.folder.join(format!("{}{ENDING}", rollout.id));
    let kept = serde_json::to_vec(rollout).map_err(std::io::Error::from).and_then(|bytes| write_private(&path, &bytes));
    if let Err(error) = kept {
        tracing::info!(%error, "a rollout that is over is not kept for the history");
    }
}
