//! The only place that spawns `kubectl`: explicit argv, never a shell, `--context` and `--namespace` always given for a
//! change, JSON out, a deadline that kills. What it says on failure is classified in `failure.rs`.

pub mod failure;
pub mod object;
mod process;

use std::time::Duration;

use serde_json::{Value, json};

use crate::change::confirmed::Confirmed;
use liveops_domain::error::{Error, Result};

pub use crate::clients::kubectl::failure::{Failure, Fault};
pub use crate::clients::kubectl::object::{Deed, Object};

/// Who we are among the managers of fields.
pub const MANAGER: &str = "liveops";

/// `kubectl` for one context and namespace.
#[derive(Debug, Clone, Copy)]
pub struct Kubectl<'a> {
    context: Option<&'a str>,
    namespace: Option<&'a str>,
    limit: Duration,
}

/// How a patch is merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patch {
    /// RFC 6902: a list of operations, among them `test`s. Custom resources take no strategic merge, so that is not used.
    Json,
    /// RFC 7386; with `metadata.resourceVersion` in it, it is refused when the object has another.
    Merge,
}

impl<'a> Kubectl<'a> {
    /// Where to go; names are validated by the configuration, so that none can be taken for an option.
    pub fn new(context: Option<&'a str>, namespace: Option<&'a str>, limit: Duration) -> Self {
        Self { context, namespace, limit }
    }

    /// The same with another bound on a run.
    pub fn within(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// The namespace, for objects that name it.
    pub fn namespace(&self) -> &str {
        self.namespace.unwrap_or("default")
    }

    /// Where an object is, for messages: `deployment.apps/game in staging/game`.
    pub fn place(&self, object: &Object) -> String {
        format!("{object} in {}/{}", self.context.unwrap_or("current context"), self.namespace())
    }

    /// A command to paste that does what liveops would, with the same context and namespace.
    pub fn by_hand(&self, words: &str) -> String {
        let mut line = String::from("kubectl");
        for (option, value) in [("--context", self.context), ("--namespace", self.namespace)] {
            if let Some(value) = value {
                line.push_str(&format!(" {option}={value}"));
            }
        }
        format!("{line} {words}")
    }

    /// The version of the program itself; asks no cluster.
    ///
    /// # Errors
    /// `Tool`: not installed, or it failed.
    pub async fn client_version(&self) -> Result<String> {
        let args = ["version", "--client", "--output=json"].map(str::to_owned);
        let value = process::json(&args, None, self.limit).await.map_err(tool)?;
        let version = value.pointer("/clientVersion/gitVersion").and_then(Value::as_str);
        Ok(version.unwrap_or("unknown").to_owned())
    }

    /// The contexts of the kubeconfig, and the current one.
    ///
    /// # Errors
    /// `Tool`.
    pub async fn contexts(&self) -> Result<(Vec<String>, Option<String>)> {
        let args = ["config", "view", "--output=json"].map(str::to_owned);
        let value = process::json(&args, None, self.limit).await.map_err(tool)?;
        let names = value["contexts"].as_array().into_iter().flatten().filter_map(|context| context["name"].as_str());
        let current = value["current-context"].as_str().filter(|name| !name.is_empty());
        Ok((names.map(ToOwned::to_owned).collect(), current.map(ToOwned::to_owned)))
    }

    /// The API server's version: proves that it is reachable and accepts us.
    ///
    /// # Errors
    /// `Tool`, in kubectl's own words.
    pub async fn server_version(&self) -> Result<String> {
        let args = self.args(&["version", "--output=json"]);
        let value = process::json(&args, None, self.limit).await.map_err(tool)?;
        let version = value.pointer("/serverVersion/gitVersion").and_then(Value::as_str);
        version
            .map(ToOwned::to_owned)
            .ok_or_else(|| tool(Failure { fault: Fault::Other, text: "the API server did not say its version".into() }))
    }

    /// Reads these objects in one run; those that do not exist are left out. With their managed fields.
    ///
    /// # Errors
    /// Those of the cluster; also when it does not know a kind.
    pub async fn get(&self, objects: &[Object]) -> Result<Vec<Value>, Failure> {
        let mut args = self.args(&["get"]);
        args.extend(objects.iter().map(ToString::to_string));
        args.extend(["--ignore-not-found", "--show-managed-fields", "-o", "json"].map(str::to_owned));
        let value = process::json(&args, None, self.limit).await?;
        Ok(items(value))
    }

    /// Reads all objects of a kind, or those with these labels.
    ///
    /// # Errors
    /// Those of the cluster.
    pub async fn list(&self, resource: &str, labels: Option<&str>) -> Result<Vec<Value>, Failure> {
        let mut args = self.args(&["get", resource, "-o", "json"]);
        args.extend(labels.map(|labels| format!("--selector={labels}")));
        let value = process::json(&args, None, self.limit).await?;
        Ok(items(value))
    }

    /// The last lines of all pods with these labels, each with its pod in front.
    ///
    /// # Errors
    /// Those of the cluster.
    pub async fn logs(&self, labels: &str, container: Option<&str>, since: Duration) -> Result<String, Failure> {
        let mut args = self.args(&["logs", "--tail=200", "--prefix", "--ignore-errors"]);
        args.push(format!("--selector={labels}"));
        args.push(format!("--since={}s", since.as_secs()));
        // kubectl refuses more than five pods unless it is told.
        args.push("--max-log-requests=50".into());
        args.push(match container {
            Some(name) => format!("--container={name}"),
            None => "--all-containers".into(),
        });
        let bytes = process::output(&args, None, self.limit).await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Patches an object; returns it as it is then. Preconditions stand in the patch.
    ///
    /// # Errors
    /// `Conflict` or `Invalid` when a precondition does not hold; those of the cluster.
    pub async fn patch(
        &self,
        object: &Object,
        kind: Patch,
        patch: &Value,
        subresource: Option<&str>,
        _confirmed: &Confirmed,
    ) -> Result<Value, Failure> {
        let kind = match kind {
            Patch::Json => "--type=json",
            Patch::Merge => "--type=merge",
        };
        let mut args = self.args(&["patch", &object.to_string(), kind, "-o", "json"]);
        args.push(format!("--field-manager={MANAGER}"));
        args.extend(subresource.map(|name| format!("--subresource={name}")));
        args.push(format!("--patch={patch}"));
        process::json(&args, None, self.limit).await
    }

    /// POSTs JSON to a path of the API server, such as the proxy of a Service.
    ///
    /// # Errors
    /// Those of the cluster.
    pub async fn post_raw(&self, path: &str, body: &Value, _confirmed: &Confirmed) -> Result<(), Failure> {
        let raw = format!("--raw={path}");
        let args = self.args(&["create", &raw, "-f", "-"]);
        process::output(&args, Some(body), self.limit).await.map(drop)
    }

    /// Creates an object; returns it as it is then.
    ///
    /// # Errors
    /// `AlreadyExists`; those of the cluster.
    pub async fn create(&self, object: &Value, _confirmed: &Confirmed) -> Result<Value, Failure> {
        self.feed(&["create"], object).await
    }

    /// Replaces an object by this one, whose `resourceVersion` is the precondition: kubectl would overwrite without.
    ///
    /// # Errors
    /// `Conflict`; those of the cluster.
    pub async fn replace(&self, object: &Value, _confirmed: &Confirmed) -> Result<Value, Failure> {
        let version = object["metadata"]["resourceVersion"].as_str();
        if version.is_none_or(str::is_empty) {
            return Err(Failure {
                fault: Fault::Invalid,
                text: "an object without a resourceVersion would overwrite whatever is there".into(),
            });
        }
        self.feed(&["replace"], object).await
    }

    /// Applies several objects in one run (server-side, as [`MANAGER`], whatever other managers hold). The
    /// `uid` and the `resourceVersion` of each are its precondition: an object that has gone is made anew, whatever version
    /// is named, and one without either is made or overwritten. Each is refused alone: after a
    /// failure the others may have been applied.
    ///
    /// # Errors
    /// `Conflict`; those of the cluster. Which object was refused is not said: read them.
    pub async fn apply(&self, objects: &[Value], _confirmed: &Confirmed) -> Result<Vec<Value>, Failure> {
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": objects });
        let words = ["apply", "--server-side", "--force-conflicts"];
        self.feed(&words, &list).await.map(items)
    }

    /// Deletes an object, if there is one.
    ///
    /// # Errors
    /// Those of the cluster.
    pub async fn delete(&self, object: &Object, _confirmed: &Confirmed) -> Result<(), Failure> {
        let object = object.to_string();
        let args = self.args(&["delete", &object, "--ignore-not-found", "--wait=false"]);
        process::output(&args, None, self.limit).await.map(drop)
    }

    /// May we do these things in the namespace? One run for all, by reviews that are made and never stored: what
    /// `kubectl auth can-i` does one at a time.
    ///
    /// # Errors
    /// The cluster cannot be asked.
    pub async fn may(&self, deeds: &[Deed]) -> Result<Vec<bool>, Failure> {
        let reviews: Vec<Value> = deeds
            .iter()
            .map(|deed| {
                json!({
                    "apiVersion": "authorization.k8s.io/v1",
                    "kind": "SelfSubjectAccessReview",
                    "spec": { "resourceAttributes": {
                        "namespace": self.namespace(),
                        "verb": deed.verb,
                        "group": deed.resource.group(),
                        "resource": deed.resource.plural(),
                        "subresource": deed.part.unwrap_or_default(),
                    } },
                })
            })
            .collect();
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": reviews });
        let args = self.args(&["create", "-f", "-", "-o", "json", "--validate=false"]);
        let answers = process::all_json(&args, Some(&list), self.limit).await?;
        if answers.len() != deeds.len() {
            let text = format!("{} answers to {} reviews of access", answers.len(), deeds.len());
            return Err(Failure::new(Fault::Other, text));
        }
        let allowed = |answer: &Value| answer["status"]["allowed"] == true;
        Ok(answers.iter().map(allowed).collect())
    }

    async fn feed(&self, verb: &[&str], object: &Value) -> Result<Value, Failure> {
        let mut args = self.args(&[verb, &["-f", "-", "-o", "json"]].concat());
        // What we write has been read or built by us; validation would first fetch the whole OpenAPI document.
        args.push("--validate=false".into());
        args.push(format!("--field-manager={MANAGER}"));
        process::json(&args, Some(object), self.limit).await
    }

    fn args(&self, words: &[&str]) -> Vec<String> {
        let mut args: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        args.extend(self.context.map(|name| format!("--context={name}")));
        args.extend(self.namespace.map(|name| format!("--namespace={name}")));
        args.push(format!("--request-timeout={}s", self.limit.as_secs().max(1)));
        args
    }
}

/// One object, or a list of them.
fn items(value: Value) -> Vec<Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Object(mut members) if members.contains_key("items") => match members.remove("items") {
            Some(Value::Array(items)) => items,
            _ => Vec::new(),
        },
        object => vec![object],
    }
}

fn tool(failure: Failure) -> Error {
    match failure.fault {
        Fault::NotInstalled => failure.about(""),
        _ => Error::Tool {
            program: "kubectl".into(),
            reason: failure.text,
            hint: "check the context: `kubectl config get-contexts`, then `kubectl version`".into(),
        },
    }
}
