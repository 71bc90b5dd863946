//! Where manifests come from: files, folders, standard input, or the cluster.

use std::path::{Path, PathBuf};

use crate::check::input;
use crate::clients::kubectl::{Fault, Kubectl};
use crate::session::Session;
use liveops_domain::check::finding::Findings;
use liveops_domain::check::manifest::object::Manifests;
use liveops_domain::error::Result;
use liveops_domain::status::source::{Source, SourceState};

/// What the cluster is asked for, in one run. Secrets and ConfigMaps stay where they are.
const KINDS: &str = "deployments.apps,statefulsets.apps,daemonsets.apps,jobs.batch,cronjobs.batch,services,\
                     poddisruptionbudgets.policy,horizontalpodautoscalers.autoscaling,\
                     ingresses.networking.k8s.io,networkpolicies.networking.k8s.io,serviceaccounts,\
                     roles.rbac.authorization.k8s.io,rolebindings.rbac.authorization.k8s.io";

/// The manifests, and who was asked.
#[derive(Debug)]
pub struct Gathered {
    pub all: Manifests,
    /// 1.x of the cluster, where that was asked.
    pub minor: Option<u32>,
    pub source: Option<Source>,
}

/// Reads what was named; without a name, asks the cluster where one is configured. What cannot be had is unknown.
///
/// # Errors
/// Those of reading what was named.
pub async fn gather(cx: &Session, paths: &[PathBuf], found: &mut Findings) -> Result<Gathered> {
    let mut all = Manifests::default();
    if !paths.is_empty() {
        for input in input::read(cx, paths, is_manifest, found, "K01")? {
            all.read(&input.path, &input.text);
        }
        return Ok(Gathered { all, minor: None, source: None });
    }
    let Some(kubernetes) = cx.config()?.settings.kubernetes.as_ref() else {
        return Ok(Gathered { all, minor: None, source: None });
    };
    let began = std::time::Instant::now();
    let limit = cx.http()?.call_timeout();
    let kubectl = Kubectl::new(kubernetes.context.as_deref(), kubernetes.namespace.as_deref(), limit);
    let (objects, version) = tokio::join!(kubectl.list(KINDS, None), kubectl.server_version());
    let minor = version.ok().as_deref().and_then(minor);
    let objects = match objects {
        Ok(objects) => objects,
        Err(failure) => {
            let why = match failure.fault {
                Fault::NotInstalled => "kubectl is not installed, or not in PATH".to_owned(),
                _ => failure.text.clone(),
            };
            found.unknown("K01", "kubernetes", format!("the cluster's objects are not known: {why}"));
            let error = failure.about("the objects of the namespace");
            let source = Source::asked("kubernetes", began.elapsed(), Err::<(), _>(&error));
            let source = Source { state: SourceState::Down, ..source };
            return Ok(Gathered { all, minor, source: Some(source) });
        }
    };
    // What another object made is judged there.
    let own = |object: &&serde_json::Value| object.pointer("/metadata/ownerReferences/0").is_none();
    objects.iter().filter(own).for_each(|object| all.add(object));
    all.is_whole = true;
    let source = Source::asked("kubernetes", began.elapsed(), Ok(()));
    Ok(Gathered { all, minor, source: Some(source) })
}

/// Is this the name of a file that may hold manifests?
fn is_manifest(path: &Path) -> bool {
    let ending = path.extension().and_then(|end| end.to_str());
    let vendored =
        path.components().any(|part| matches!(part.as_os_str().to_str(), Some("node_modules" | "vendor" | "target")));
    ending.is_some_and(|end| matches!(end, "yaml" | "yml" | "json")) && !vendored
}

/// `v1.31.2-eks-7` is 31.
fn minor(version: &str) -> Option<u32> {
    let text = version.trim_start_matches('v').split('.').nth(1)?;
    text.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_minor_version_is_read() {
        for (text, want) in [("v1.31.2", Some(31)), ("v1.29+-gke.1", Some(29)), ("unknown", None)] {
            assert_eq!(minor(text), want, "{text}");
        }
    }
}
