//! `git`, asked for the tags of the project and for files of the past: the one place that spawns it. Reads only; explicit
//! argv, a deadline.

#![expect(clippy::disallowed_methods, reason = "this is the one place that asks git")]

use std::path::Path;
use std::process::{Output, Stdio};
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

/// `git` in a folder. A repository may be somebody's archive, whose `.git/config` names programs: none of them is run.
/// What is not here is not fetched (CVE-2024-32004), and a bare repository below the project is no repository.
async fn git(folder: &Path, arguments: &[&str], limit: Duration) -> Result<Output, String> {
    let mut command = Command::new("git");
    command
        .args(["--no-pager", "--no-optional-locks", "-c", "core.fsmonitor=false", "-c", "safe.bareRepository=explicit"])
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_ALLOW_PROTOCOL", "")
        .env("GIT_TERMINAL_PROMPT", "0")
        .arg("-C")
        .arg(folder)
        .args(arguments)
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
    let output = timeout(limit, command.output()).await;
    output.map_err(|_| format!("no answer within {} s", limit.as_secs()))?.map_err(|error| error.to_string())
}

fn failed(reason: String, hint: &str) -> Error {
    Error::Tool { program: "git".into(), reason, hint: hint.into() }
}

/// The file as it was at a ref; none where it was not there. The path is relative to the folder.
///
/// # Errors
/// `Usage`: there is no such ref. `Tool`: git is missing, fails, or does not answer.
pub async fn file_at(folder: &Path, reference: &str, path: &Path, limit: Duration) -> Result<Option<String>> {
    let hint = format!("check it with `git rev-parse {reference}`");
    let wanted = format!("{reference}^{{commit}}");
    let parse = ["rev-parse", "--verify", "--quiet", "--end-of-options", &wanted];
    let output = git(folder, &parse, limit).await.map_err(|reason| failed(reason, &hint))?;
    let commit = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if !output.status.success() || commit.is_empty() {
        let text = String::from_utf8_lossy(&output.stderr);
        let why = text.lines().next().map_or_else(String::new, |line| format!(": {line}"));
        return Err(Error::usage(
            format!("git knows no commit `{reference}`{why}"),
            "fetch it first, such as `git fetch origin main`",
        ));
    }
    let object = format!("{commit}:./{}", path.display());
    let output = git(folder, &["cat-file", "blob", &object], limit).await.map_err(|reason| failed(reason, &hint))?;
    // What is not there is the one thing that can be wrong with the path of a commit that exists.
    Ok(output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned()))
}

/// The newest tags of the repository that the folder is in; none where it is in none.
///
/// # Errors
/// `Tool`: git is missing, fails, or does not answer.
pub async fn tags(folder: &Path, limit: Duration) -> Result<Vec<Tag>> {
    let hint = "check it with `git tag --sort=-creatordate`";
    let format = "--format=%(creatordate:unix)%09%(refname:short)%09%(taggername)";
    let list = ["for-each-ref", "--sort=-creatordate", "--count=100", format, "refs/tags"];
    let output = git(folder, &list, limit).await.map_err(|reason| failed(reason, hint))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        if text.contains("not a git repository") {
            return Ok(Vec::new());
        }
        return Err(failed(text.lines().next().unwrap_or("no message").to_owned(), hint));
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
