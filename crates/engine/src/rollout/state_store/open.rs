//! Where rollouts are remembered: beside the traffic that they move, or beside the flags.

use std::{fs, io};

use crate::config::service::Service;
use crate::flagstore::Flags;
use crate::rollout::state_store::{Memory, Stored, file, flag};
use crate::rollout::target::open as targets;
use crate::session::Session;
use liveops_domain::error::{Error, Result};
use liveops_domain::flag::name::FlagName;
use liveops_domain::rollout::holder::Holder;
use liveops_domain::text::shell::word;

/// The memory of this service's rollouts.
///
/// # Errors
/// The configuration.
pub fn open<'a>(cx: &'a Session, service: &'a Service) -> Result<Box<dyn Memory + 'a>> {
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
    let look = format!("rollout status {}", word(&service.name));
    Ok(Box::new(file::FileMemory::new(cx, folder, look)))
}

/// The memory of this flag's ramps.
///
/// # Errors
/// The configuration.
pub fn of_flag<'a>(cx: &'a Session, name: &FlagName) -> Result<Box<dyn Memory + 'a>> {
    Ok(match cx.flags()? {
        Flags::Redis(store) => Box::new(flag::FlagMemory::new(cx, store, name.clone())),
        Flags::File(store) => {
            let look = format!("flag ramp status {}", word(name.as_str()));
            Box::new(file::FileMemory::new(cx, store.ramp(name), look))
        }
    })
}

/// The latest ramp of each flag, and who holds it.
///
/// # Errors
/// The flags cannot be reached, or a state is not as we wrote it.
pub async fn of_flags(cx: &Session) -> Result<Vec<(Stored, Option<Holder>)>> {
    let mut found = Vec::new();
    match cx.flags()? {
        Flags::Redis(store) => {
            for record in store.ramps().await? {
                let stored = flag::stored(&record, &store)?;
                found.extend(stored.map(|stored| (stored, flag::holder(&record))));
            }
        }
        Flags::File(store) => {
            let path = store.ramps();
            let failed = |source| Error::Io { action: "read", path: path.clone(), source };
            let folders = match fs::read_dir(&path) {
                Ok(folders) => folders,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
                Err(error) => return Err(failed(error)),
            };
            for folder in folders {
                let folder = folder.map_err(failed)?.path();
                let memory = file::FileMemory::new(cx, folder, "flag ramp status".into());
                if let Some(stored) = memory.load().await? {
                    found.push((stored, memory.holder().await?));
                }
            }
        }
    }
    found.sort_by(|(a, _), (b, _)| a.rollout.service.cmp(&b.rollout.service));
    Ok(found)
}
