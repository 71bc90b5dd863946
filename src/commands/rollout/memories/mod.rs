//! Where rollouts are remembered: beside the traffic that they move.

mod file;

use crate::commands::rollout::memory::Memory;
use crate::commands::rollout::targets;
use crate::config::schema::Service;
use crate::context::Context;
use crate::error::Result;

/// The memory of this service's rollouts.
///
/// # Errors
/// The configuration.
pub(crate) fn open<'a>(cx: &'a Context, service: &'a Service) -> Result<Box<dyn Memory + 'a>> {
    // Kubernetes targets are remembered in their cluster.
    if let Some(memory) = targets::memory(cx, service)? {
        return Ok(Box::new(memory));
    }
    let environment = cx.environment()?;
    let scope = match &cx.region {
        Some(region) => format!("{environment}@{region}"),
        None => environment.to_owned(),
    };
    let folder = cx.dirs.state.join("rollouts").join(scope);
    let folder = folder.join(&service.name);
    Ok(Box::new(file::FileMemory::new(cx, folder)))
}
