//! One run of `kubectl`: explicit argv, never a shell, objects on stdin, a deadline that kills.

#![expect(clippy::disallowed_methods, reason = "this is the one place that spawns kubectl")]

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::timeout;

use crate::clients::kubectl::failure::{Failure, Fault};

/// Runs it to its end and reads what it printed as JSON; nothing printed is `Null`.
pub async fn json(args: &[String], stdin: Option<&Value>, limit: Duration) -> Result<Value, Failure> {
    let printed = all_json(args, stdin, limit).await?;
    Ok(printed.into_iter().next().unwrap_or_default())
}

/// The same, for what prints one value after the other.
pub async fn all_json(args: &[String], stdin: Option<&Value>, limit: Duration) -> Result<Vec<Value>, Failure> {
    let bytes = output(args, stdin, limit).await?;
    serde_json::Deserializer::from_slice(&bytes)
        .into_iter()
        .collect::<Result<_, _>>()
        .map_err(|error| Failure::new(Fault::Other, format!("it printed no JSON: {error}")))
}

/// Runs it to its end; returns what it printed.
pub async fn output(args: &[String], stdin: Option<&Value>, limit: Duration) -> Result<Vec<u8>, Failure> {
    let mut command = Command::new("kubectl");
    command
        .args(args)
        // Its messages are classified by their words.
        .env("LC_ALL", "C")
        .stdin(if stdin.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    tracing::info!(program = "kubectl", ?args);
    let run = async {
        let mut child = command.spawn()?;
        if let (Some(mut pipe), Some(object)) = (child.stdin.take(), stdin) {
            // One that ends before it has read everything says why on stderr.
            let _ = pipe.write_all(object.to_string().as_bytes()).await;
        }
        child.wait_with_output().await
    };
    let done = timeout(limit, run).await.map_err(|_| {
        let text = format!("no answer within {} s", limit.as_secs_f64());
        Failure::new(Fault::Timeout, text)
    })?;
    let output = done.map_err(|error| {
        if error.kind() == std::io::ErrorKind::NotFound {
            Failure::new(Fault::NotInstalled, "it is not installed, or not in PATH")
        } else {
            Failure::new(Fault::Other, error.to_string())
        }
    })?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(Failure::read(&String::from_utf8_lossy(&output.stderr)))
    }
}
