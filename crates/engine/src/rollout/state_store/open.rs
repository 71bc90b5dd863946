//! Where rollouts are remembered: beside the traffic that they move, or beside the flags.

use std::{fs, io};

use crate::config::service::Service;
use crate::files::file::encoded;
use crate::flagstore::Flags;
use crate::rollout::state_store::{StateStore, StoredRollout, file, flag};
use crate::rollout::target::open as targets;
use crate::session::Session;
use liveops_domain::error::{Error, Result};
use liveops_domain::flag::name::FlagName;
use liveops_domain::rollout::lock::Holder;
use liveops_domain::text::shell::word;

pub fn open<'a>(cx: &'a Session, service: &'a Service) -> Result<Box<dyn StateStore + 'a>> {
    // Kubernetes targets are remembered in their cluster.
    if let Some(store) = targets::cluster_store(cx, service)? {
        return Ok(Box::new(store));
    }
    let environment = cx.environment()?;
    let scope = match &cx.region {
        Some(region) => format!("{}@{}", encoded(environment), encoded(region)),
        None => encoded(environment),
    };
    let folder = cx.project_state("rollouts")?.join(scope).join(encoded(&service.name));
    let look = format!("rollout status {}", word(&service.name));
    Ok(Box::new(file::FileStateStore::new(cx, folder, look)))
}

pub fn of_flag<'a>(cx: &'a Session, name: &FlagName) -> Result<Box<dyn StateStore + 'a>> {
    Ok(match cx.flags()? {
        Flags::Redis(store) => Box::new(flag::FlagStateStore::new(cx, store, name.clone())),
        Flags::File(store) => {
            let look = format!("flag ramp status {}", word(name.as_str()));
            Box::new(file::FileStateStore::new(cx, store.ramp(name), look))
        }
    })
}

/// The latest ramp of each flag, and who holds it.
pub async fn of_flags(cx: &Session) -> Result<Vec<(StoredRollout, Option<Holder>)>> {
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
                let store = file::FileStateStore::new(cx, folder, "flag ramp status".into());
                if let Some(stored) = store.load().await? {
                    found.push((stored, store.holder().await?));
                }
            }
        }
    }
    found.sort_by(|(a, _), (b, _)| a.rollout.service.cmp(&b.rollout.service));
    Ok(found)
}
