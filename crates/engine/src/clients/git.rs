//! `git`, asked for the tags and commits of the project and for files of the past: the one place that spawns it. Reads
//! only; explicit argv, a deadline.

#![expect(clippy::disallowed_methods, reason = "this is the one place that asks git")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::time::timeout;

use liveops_domain::error::{Error, Result};
use liveops_domain::report::commits::CommitLog;

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
    told(folder, arguments, "", limit).await
}

/// The same, with something to read.
async fn told(folder: &Path, arguments: &[&str], input: &str, limit: Duration) -> Result<Output, String> {
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
        .stdin(if input.is_empty() { Stdio::null() } else { Stdio::piped() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let answer = async {
        let mut child = command.spawn()?;
        let stdin = child.stdin.take();
        let say = async {
            if let Some(mut pipe) = stdin {
                // Who stops reading says why.
                let _ = pipe.write_all(input.as_bytes()).await;
            }
        };
        tokio::join!(say, child.wait_with_output()).1
    };
    let output = timeout(limit, answer).await;
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

/// What a list of the repository says; `None` where the folder is in no repository.
async fn listed(folder: &Path, arguments: &[&str], input: &str, limit: Duration) -> Result<Option<String>> {
    let hint = "check it with `git tag --sort=-creatordate`";
    let output = told(folder, arguments, input, limit).await.map_err(|reason| failed(reason, hint))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        if text.contains("not a git repository") {
            return Ok(None);
        }
        return Err(failed(text.lines().next().unwrap_or("no message").to_owned(), hint));
    }
    Ok(Some(String::from_utf8_lossy(&output.stdout).into_owned()))
}

/// The newest tags of the repository that the folder is in; none where it is in none.
///
/// # Errors
/// `Tool`: git is missing, fails, or does not answer.
pub async fn tags(folder: &Path, limit: Duration) -> Result<Vec<Tag>> {
    let format = "--format=%(creatordate:unix)%09%(refname:short)%09%(taggername)";
    let list = ["for-each-ref", "--sort=-creatordate", "--count=100", format, "refs/tags"];
    let text = listed(folder, &list, "", limit).await?.unwrap_or_default();
    let tag = |line: &str| {
        let mut fields = line.split('\t');
        let at = DateTime::from_timestamp(fields.next()?.parse().ok()?, 0)?;
        let name = fields.next()?.to_owned();
        let by = fields.next().filter(|by| !by.is_empty());
        Some(Tag { name, at, by: by.map(ToOwned::to_owned) })
    };
    Ok(text.lines().filter_map(tag).collect())
}

/// The commit that each tag names; `None` where the folder is in no repository.
///
/// # Errors
/// As [`tags`].
pub async fn tagged(folder: &Path, limit: Duration) -> Result<Option<BTreeMap<String, String>>> {
    let list = ["for-each-ref", "--format=%(refname:strip=2)%09%(objectname)%09%(*objectname)", "refs/tags"];
    let Some(text) = listed(folder, &list, "", limit).await? else {
        return Ok(None);
    };
    let tag = |line: &str| {
        let mut fields = line.split('\t');
        let (name, object, commit) = (fields.next()?, fields.next()?, fields.next()?);
        Some((name.to_owned(), if commit.is_empty() { object } else { commit }.to_owned()))
    };
    Ok(Some(text.lines().filter_map(tag).collect()))
}

/// The whole names of commits, by what they were called; what the repository does not have is left out.
///
/// # Errors
/// As [`tags`].
pub async fn commits_named(folder: &Path, names: &[&str], limit: Duration) -> Result<BTreeMap<String, String>> {
    let is_hash = |name: &&&str| (7..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    let names: Vec<&str> = names.iter().filter(is_hash).copied().collect();
    if names.is_empty() {
        return Ok(BTreeMap::new());
    }
    let asked: String = names.iter().map(|name| format!("{name}^{{commit}}\n")).collect();
    let text = listed(folder, &["cat-file", "--batch-check=%(objectname)"], &asked, limit).await?.unwrap_or_default();
    let found = names.iter().zip(text.lines()).filter(|(_, line)| !line.contains(' '));
    Ok(found.map(|(name, hash)| ((*name).to_owned(), hash.to_owned())).collect())
}

/// What can be reached from these commits, and not from that one. Without subjects git need not open the commits.
///
/// # Errors
/// As [`tags`].
pub async fn log(
    folder: &Path,
    (tips, without): (&[&str], &str),
    subjects: bool,
    limit: Duration,
) -> Result<CommitLog> {
    let asked: String = tips.iter().map(|tip| format!("{tip}\n")).chain([format!("^{without}\n")]).collect();
    let format = format!("--format={}", CommitLog::FORMAT);
    let list: &[&str] = match subjects {
        true => &["log", "--no-color", "--no-show-signature", "--no-decorate", &format, "--stdin"],
        false => &["rev-list", "--timestamp", "--parents", "--stdin"],
    };
    Ok(CommitLog::read(&listed(folder, list, &asked, limit).await?.unwrap_or_default()))
}
