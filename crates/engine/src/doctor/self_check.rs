//! liveops' own house: configuration files, trust, state folder, audit log, terminal.

use std::path::Path;

use crate::config::layers::user_file;
use crate::doctor::finding::{Finding, System};
use crate::files::incident_index;
use crate::session::{Session, cache, store};
use liveops_domain::error::{Error, Result};
use liveops_domain::text::count::count;

/// Looks at everything of liveops' own; `is_empty` says that no system is configured.
pub fn check(cx: &Session, is_empty: bool) -> Result<System> {
    let config = cx.config()?;
    let mut system = System::new("liveops", None);
    system.version = Some(env!("CARGO_PKG_VERSION").into());
    if is_empty {
        system.add(
            Finding::warn("configuration", "no system is configured, so there is nothing to ask")
                .fix("write a liveops.yaml, or name a system: `--prometheus URL`, `--health URL`")
                .command("liveops init"),
        );
    }
    for problem in &config.warnings {
        system.add(
            Finding::warn("configuration", problem.to_string())
                .fix("correct that line")
                .command("liveops config validate"),
        );
    }
    let files = [config.layers.project.as_deref(), config.layers.user.as_deref()];
    let mut sound = true;
    for path in files.into_iter().flatten() {
        if let Some(finding) = permissions(path) {
            sound = false;
            system.add(finding);
        }
    }
    if sound && files.iter().any(Option::is_some) {
        system.add(Finding::ok("configuration", "sound, and only you can change it"));
    }
    if !user_file(&cx.dirs).exists() && files.iter().all(Option::is_none) && !is_empty {
        system.add(Finding::ok("configuration", "none; flags are all there is"));
    }
    system.add(state(&cx.dirs.state));
    system.add(audit(cx));
    system.extend(incidents(cx));
    system.extend(terminal(cx));
    Ok(system)
}

/// A file that others can change is theirs to decide where your requests go.
fn permissions(path: &Path) -> Option<Finding> {
    let mode = mode(path)?;
    (mode & 0o002 != 0).then(|| {
        Finding::fail("permissions", format!("everybody can change {}", path.display()))
            .fix(format!("`chmod o-w {}`", path.display()))
    })
}

#[cfg(unix)]
fn mode(path: &Path) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;
    Some(std::fs::metadata(path).ok()?.permissions().mode() & 0o777)
}

#[cfg(not(unix))]
fn mode(_path: &Path) -> Option<u32> {
    None
}

fn state(folder: &Path) -> Finding {
    // What does not exist yet is made at the first change, below the nearest folder that does.
    let nearest = folder.ancestors().find(|path| path.exists());
    let Some(there) = nearest else {
        return Finding::fail("state", format!("{} cannot be made", folder.display()));
    };
    if let Err(error) = tempfile::Builder::new().prefix(".liveops-doctor").tempfile_in(there) {
        return Finding::fail("state", format!("{} cannot be written: {error}", there.display()))
            .fix("without it nothing can be changed, since every change is journalled; check its owner and the free space, or set XDG_STATE_HOME");
    }
    if there != folder {
        return Finding::ok("state", "will be made at the first change");
    }
    match mode(folder) {
        Some(mode) if mode & 0o077 != 0 => {
            Finding::warn("state", format!("{} is open to others (mode {mode:o})", folder.display()))
                .fix(format!("`chmod 700 {}`", folder.display()))
        }
        _ => Finding::ok("state", "writable, and yours alone"),
    }
}

fn audit(cx: &Session) -> Finding {
    let log = cx.audit_log();
    let mut events = 0;
    let (faults, torn) = match log.verify(|_| events += 1) {
        Ok(verified) => verified,
        Err(Error::Io { source, .. }) => {
            return Finding::fail("audit", format!("{} cannot be read: {source}", log.path().display()))
                .fix("check its owner and permissions");
        }
        Err(error) => return Finding::unknown("audit", &error),
    };
    match (faults.first(), torn) {
        (Some(fault), _) => {
            Finding::fail("audit", format!("the audit log was changed: line {} {}", fault.line, fault.what))
                .fix("find out who did; the entries around it cannot be relied on")
                .command("liveops audit verify")
        }
        (None, Some(_)) => Finding::warn("audit", "the last line of the audit log is torn, as by a crash")
            .fix("nothing: the next change sets it aside and says so")
            .command("liveops audit verify"),
        (None, None) if events == 0 => Finding::ok("audit", "empty"),
        (None, None) => Finding::ok("audit", format!("{} verified", count(events, "event"))),
    }
}

/// The journals of the incidents, where there are any.
fn incidents(cx: &Session) -> Vec<Finding> {
    let index = match store(cx).and_then(|store| incident_index::read(&store, &cache(cx)?)) {
        Ok(index) => index,
        Err(error) => return vec![Finding::unknown("incidents", &error)],
    };
    let mut findings: Vec<Finding> = index
        .broken
        .iter()
        .map(|(id, error)| {
            Finding::fail("incidents", format!("{id} cannot be read, and may be open: {error}"))
                .fix("look at its journal.jsonl; `git log -p` has its earlier states, where it is in git")
        })
        .collect();
    for stored in index.stored.iter().filter(|stored| !stored.faults.is_empty()) {
        let text = format!("the journal of {}: {}", stored.incident.id, stored.faults.join("; "));
        findings.push(
            Finding::warn("incidents", text)
                .fix("look at the lines that it names")
                .command(format!("liveops incident show {}", stored.incident.id)),
        );
    }
    let unnamed = store(cx).map_or(0, |store| store.unnamed_count());
    if unnamed > 0 {
        let what = format!("{} before the incident had a name, and paged nobody", count_killed(unnamed));
        findings.push(
            Finding::warn("incidents", what)
                .fix("open it again if it goes on; the next opening removes what is left of it")
                .command("liveops incident list"),
        );
    }
    if findings.is_empty() && !index.stored.is_empty() {
        findings.push(Finding::ok("incidents", format!("{} verified", count(index.stored.len(), "journal"))));
    }
    findings
}

fn count_killed(openings: usize) -> String {
    format!("{} {} killed", count(openings, "opening"), if openings == 1 { "was" } else { "were" })
}

fn terminal(cx: &Session) -> Option<Finding> {
    let view = cx.voice.terminal();
    if !view.is_terminal {
        return None;
    }
    let size = format!("{}x{}", view.width, view.height.unwrap_or(24));
    Some(if !view.unicode {
        Finding::warn("terminal", format!("{size}, ASCII only: plots and marks are coarser"))
            .fix("if it can show UTF-8: `export LC_ALL=C.UTF-8`")
    } else if view.width < 80 {
        Finding::warn("terminal", format!("{size}: lines will be cut")).fix("make it at least 80 columns wide")
    } else {
        Finding::ok("terminal", size)
    })
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::doctor::finding::Level;

    fn chmod(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("ours");
    }

    #[test]
    fn the_state_folder_is_writable_and_private() {
        let dir = tempfile::tempdir().expect("temp dir");
        chmod(dir.path(), 0o700);
        assert_eq!(state(dir.path()).level, Level::Ok);
        assert!(state(&dir.path().join("a/b")).message.contains("will be made"));
        chmod(dir.path(), 0o755);
        assert_eq!(state(dir.path()).level, Level::Warn);
    }

    #[test]
    fn a_configuration_that_everybody_can_write_is_a_failure() {
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().join("liveops.yaml");
        std::fs::write(&path, "").expect("write");
        for (mode, found) in [(0o644, false), (0o664, false), (0o666, true)] {
            chmod(&path, mode);
            assert_eq!(permissions(&path).is_some(), found, "{mode:o}");
        }
    }
}
