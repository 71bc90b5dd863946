//! Runbooks: the library, the rules, the log of a run.

pub mod filled;
pub mod library;
pub mod log;
pub mod rules;
pub mod scenario;

use std::ffi::OsString;

use crate::config::environment::variable;
use crate::session::Session;
use liveops_domain::error::Result;

/// What every step finds in its environment beside its own variables: nested `liveops` goes where this one went.
pub fn surroundings(cx: &Session) -> Result<Vec<(String, OsString)>> {
    let mut all: Vec<(String, OsString)> = Vec::new();
    let mut set = |name: &str, value: Option<OsString>| {
        all.extend(value.map(|value| (name.to_owned(), value)));
    };
    let config = cx.config()?;
    let named = &config.layers.named;
    set("LIVEOPS_ENV", Some(cx.environment()?.into()));
    set("LIVEOPS_CONFIG", named.as_ref().map(|path| cx.dirs.work.join(path).into()));
    set("LIVEOPS_PROMETHEUS", cx.choices.prometheus.clone().map(Into::into));
    set("LIVEOPS_ALERTMANAGER", cx.choices.alertmanager.clone().map(Into::into));
    set("LIVEOPS_REDIS", cx.choices.redis.clone().map(Into::into));
    if !cx.choices.health.is_empty() {
        set("LIVEOPS_HEALTH", Some(cx.choices.health.join(",").into()));
    }
    let mut kubectl = String::from("kubectl");
    if let Some(kubernetes) = &config.settings.kubernetes {
        for (flag, value) in [("context", &kubernetes.context), ("namespace", &kubernetes.namespace)] {
            if let Some(value) = value {
                kubectl.push_str(&format!(" --{flag}={value}"));
            }
        }
    }
    set("KUBECTL", Some(kubectl.into()));
    // `liveops` in a step is this very program.
    let own = std::env::current_exe().ok();
    let folder = own.as_deref().and_then(std::path::Path::parent);
    let path = variable("PATH").unwrap_or_default();
    let path = match folder {
        Some(folder) => format!("{}:{path}", folder.display()),
        None => path,
    };
    set("PATH", Some(path.into()));
    Ok(all)
}
