//! `git`, asked for the tags of the project: the one place that spawns it. Reads only; explicit argv, a deadline.

#![expect(clippy::disallowed_methods, reason = "this is the one place that asks git")]

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::process::Command;
use tokio::time::timeout;

use liveops_domain::error::{Error, Result};

/// A tag with its time: of its making where it is annotated, else of its commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    pub name: String,
    pub at: DateTime<Utc>,
    pub by: Option<String>,
}

/// The newest tags of the repository that the folder is in; none where it is in none.
///
/// # Errors
/// `Tool`: git is missing, fails, or does not answer.
pub async fn tags(folder: &Path, limit: Duration) -> Result<Vec<Tag>> {
    let failed = |reason: String| Error::Tool {
        program: "git".into(),
        reason,
        hint: "check it with `git tag --sort=-creatordate`".into(),
    };
    let mut command = Command::new("git");
    command
        // A repository may be somebody's archive, whose `.git/config` names programs: none of them is run. What is not
        // here is not fetched (CVE-2024-32004), and a bare repository below the project is no repository.
        .args(["--no-pager", "--no-optional-locks", "-c", "core.fsmonitor=false", "-c", "safe.bareRepository=explicit"])
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_ALLOW_PROTOCOL", "")
        .env("GIT_TERMINAL_PROMPT", "0")
        .arg("-C")
        .arg(folder)
        .args([
            "for-each-ref",
            "--sort=-creatordate",
            "--count=100",
            "--format=%(creatordate:unix)%09%(refname:short)%09%(taggername)",
            "refs/tags",
        ])
        // A hook of another repository says which one it is for, and the message below is read.
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .env_remove("GIT_INDEX_FILE")
        .env_remove("GIT_COMMON_DIR")
        .env_remove("GIT_NAMESPACE")
        .env("LC_ALL", "C")
        .env_remove("LANGUAGE")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let output = timeout(limit, command.output())
        .await
        .map_err(|_| failed(format!("no answer within {} s", limit.as_secs())))?
        .map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        if text.contains("not a git repository") {
            return Ok(Vec::new());
        }
        let line = text.lines().next().unwrap_or("no message");
        return Err(failed(line.to_owned()));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let tag = |line: &str| {
        let mut fields = line.split('\t');
        let at = DateTime::from_timestamp(fields.next()?.parse().ok()?, 0)?;
        let name = fields.next()?.to_owned();
        let by = fields.next().filter(|by| !by.is_empty());
        Some(Tag { name, at, by: by.map(ToOwned::to_owned) })
    };
    Ok(text.lines().filter_map(tag).collect())
}
