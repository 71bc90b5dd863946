//! The only place that spawns `kubectl`: explicit argv, never a shell, JSON out, a deadline, stdin closed.
#![expect(
    clippy::disallowed_methods,
    reason = "this is the one place that spawns kubectl"
)]

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;
use tokio::time::timeout;

use crate::error::{Error, Result};

/// `kubectl` for one context and namespace.
#[derive(Debug)]
pub(crate) struct Kubectl<'a> {
    context: Option<&'a str>,
    namespace: Option<&'a str>,
    limit: Duration,
}

impl<'a> Kubectl<'a> {
    /// Where to go; names are validated by the configuration, so that none can be taken for an option.
    pub(crate) fn new(
        context: Option<&'a str>,
        namespace: Option<&'a str>,
        limit: Duration,
    ) -> Self {
        Self {
            context,
            namespace,
            limit,
        }
    }

    /// The version of the program itself; asks no cluster.
    ///
    /// # Errors
    /// `Tool`: not installed, or it failed.
    pub(crate) async fn client_version(&self) -> Result<String> {
        let value = self
            .json(&["version", "--client", "--output=json"], false)
            .await?;
        let version = value
            .pointer("/clientVersion/gitVersion")
            .and_then(Value::as_str);
        Ok(version.unwrap_or("unknown").to_owned())
    }

    /// The contexts of the kubeconfig, and the current one.
    ///
    /// # Errors
    /// `Tool`.
    pub(crate) async fn contexts(&self) -> Result<(Vec<String>, Option<String>)> {
        let value = self
            .json(&["config", "view", "--output=json"], false)
            .await?;
        let names = value["contexts"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|context| context["name"].as_str());
        let current = value["current-context"]
            .as_str()
            .filter(|name| !name.is_empty());
        Ok((
            names.map(ToOwned::to_owned).collect(),
            current.map(ToOwned::to_owned),
        ))
    }

    /// The API server's version: proves that it is reachable and accepts us.
    ///
    /// # Errors
    /// `Tool`, in kubectl's own words.
    pub(crate) async fn server_version(&self) -> Result<String> {
        let value = self.json(&["version", "--output=json"], true).await?;
        let version = value
            .pointer("/serverVersion/gitVersion")
            .and_then(Value::as_str);
        version
            .map(ToOwned::to_owned)
            .ok_or_else(|| failed("the API server did not say its version"))
    }

    async fn json(&self, args: &[&str], remote: bool) -> Result<Value> {
        let mut command = Command::new("kubectl");
        command
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        if remote {
            command.args(self.context.map(|name| format!("--context={name}")));
            command.args(self.namespace.map(|name| format!("--namespace={name}")));
            command.arg(format!(
                "--request-timeout={}s",
                self.limit.as_secs().max(1)
            ));
        }
        tracing::info!(program = "kubectl", ?args);
        let run = timeout(self.limit, command.output()).await;
        let output = run
            .map_err(|_| failed(&format!("no answer within {} s", self.limit.as_secs())))?
            .map_err(|error| {
                if error.kind() == std::io::ErrorKind::NotFound {
                    Error::Tool {
                        program: "kubectl".into(),
                        reason: "it is not installed, or not in PATH".into(),
                        hint:
                            "install kubectl 1.24 or later: https://kubernetes.io/docs/tasks/tools/"
                                .into(),
                    }
                } else {
                    failed(&error.to_string())
                }
            })?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr);
            let last = text
                .lines()
                .rev()
                .find(|line| !line.trim().is_empty())
                .unwrap_or("no message");
            return Err(failed(last));
        }
        serde_json::from_slice(&output.stdout)
            .map_err(|error| failed(&format!("it printed no JSON: {error}")))
    }
}

fn failed(reason: &str) -> Error {
    Error::Tool {
        program: "kubectl".into(),
        reason: reason.to_owned(),
        hint: "check the context: `kubectl config get-contexts`, then `kubectl version`".into(),
    }
}
