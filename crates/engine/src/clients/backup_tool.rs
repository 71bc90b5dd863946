//! Programs that list backups: explicit argv, never a shell, a deadline that kills. They run where `config::program` has
//! let them: the configuration is the user's own, or trusted.

#![expect(clippy::disallowed_methods, reason = "the program stands in the configuration, by the user or by trust")]

use std::io::ErrorKind;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use liveops_domain::text::secret::{Revealed, mask};

/// A list of backups is smaller.
const MOST: usize = 16 << 20;

/// How a program is started.
#[derive(Debug)]
pub struct Start<'a> {
    pub command: &'a [String],
    pub env: &'a [(String, Revealed)],
    pub folder: &'a Path,
    pub limit: Duration,
}

/// What it printed. Some tools print their list and end badly: `lenient` takes that.
///
/// # Errors
/// Why there is no list, in words.
pub async fn run(start: &Start<'_>, more: &[String], lenient: bool) -> Result<String, String> {
    let (program, args) = start.command.split_first().ok_or("no program is named")?;
    let mut command = Command::new(program);
    command
        .args(args)
        .args(more)
        .envs(start.env.iter().map(|(name, value)| (name, value.expose())))
        // Times without a zone are read as UTC.
        .env("TZ", "UTC")
        .env("LC_ALL", "C")
        .current_dir(start.folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    tracing::info!(program, ?more);
    let output = match timeout(start.limit, command.output()).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) if error.kind() == ErrorKind::NotFound => {
            return Err(format!("`{program}` is not installed, or not in PATH"));
        }
        Ok(Err(error)) => return Err(format!("`{program}` cannot be run: {error}")),
        Err(_) => return Err(format!("`{program}` did not end within {} s", start.limit.as_secs())),
    };
    if output.stdout.len() > MOST {
        return Err(format!("`{program}` printed more than {} MiB", MOST >> 20));
    }
    if output.status.success() || (lenient && !output.stdout.trim_ascii().is_empty()) {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let line = said.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let why = if line.is_empty() { output.status.to_string() } else { mask(line.trim()).chars().take(200).collect() };
    Err(format!("`{program}` failed: {why}"))
}
