//! Names that the shell completes: read from the configuration, never from the network, so that Tab is instant.

use clap_complete::CompletionCandidate;

use liveops_domain::flag::document::Document;
use liveops_engine::config::environment::Dirs;
use liveops_engine::config::layers::{Quick, load};
use liveops_engine::config::node::{Node, Value};
use liveops_engine::config::{Config, schema};
use liveops_engine::files::open::read_through;

fn root() -> Option<Node> {
    Some(load(&Dirs::from_environment().ok()?, None, Quick::default()).ok()?.root)
}

fn candidates(names: impl IntoIterator<Item = String>, typed: &std::ffi::OsStr) -> Vec<CompletionCandidate> {
    let typed = typed.to_string_lossy();
    names.into_iter().filter(|name| name.starts_with(&*typed)).map(CompletionCandidate::new).collect()
}

fn named(list: &str) -> Vec<String> {
    let root = root();
    let Some(Value::List(items)) = root.as_ref().and_then(|root| root.get(list)).map(|node| &node.value) else {
        return Vec::new();
    };
    items.iter().filter_map(|item| item.get("name")?.text().map(ToOwned::to_owned)).collect()
}

/// Environments of the configuration.
pub(crate) fn environments(typed: &std::ffi::OsStr) -> Vec<CompletionCandidate> {
    candidates(root().map(|root| schema::environments(&root)).unwrap_or_default(), typed)
}

/// Services of the configuration.
pub(crate) fn services(typed: &std::ffi::OsStr) -> Vec<CompletionCandidate> {
    candidates(named("services"), typed)
}

/// KPIs of the configuration; the presets, where it has none.
pub(crate) fn kpis(typed: &std::ffi::OsStr) -> Vec<CompletionCandidate> {
    let configured = named("kpis");
    let presets = || liveops_engine::config::presets::kpis().into_iter().map(|kpi| kpi.name).collect();
    candidates(if configured.is_empty() { presets() } else { configured }, typed)
}

/// Flags, where they are kept in a file; a store on the network is not asked, so that Tab is instant.
pub(crate) fn flags(typed: &std::ffi::OsStr) -> Vec<CompletionCandidate> {
    candidates(flags_in_file().unwrap_or_default(), typed)
}

fn flags_in_file() -> Option<Vec<String>> {
    let dirs = Dirs::from_environment().ok()?;
    let config = Config::load(&dirs, None, None, None, Quick::default()).ok()?;
    let path = match &config.settings.flags.endpoint {
        None => config.flag_file("flags.json", None).ok()?,
        Some(endpoint) => {
            let url = endpoint.url.show();
            let path = url.strip_prefix("file:")?;
            config.flag_file(path, Some(&endpoint.url.origin)).ok()?
        }
    };
    let document = Document::parse(&read_through(&path).ok()?).ok()?;
    Some(document.members().map(|(name, _)| name.to_owned()).collect())
}

/// Service level objectives of the configuration and of the files that it names.
pub(crate) fn slos(typed: &std::ffi::OsStr) -> Vec<CompletionCandidate> {
    let config = || Config::load(&Dirs::from_environment().ok()?, None, None, None, Quick::default()).ok();
    candidates(config().map(|config| liveops_engine::slo::load::names(&config)).unwrap_or_default(), typed)
}
