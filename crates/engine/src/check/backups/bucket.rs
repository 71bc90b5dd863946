//! A bucket of backups.

use crate::check::backups::matches;
use crate::clients::s3::Bucket;
use crate::config::backups::{BackupItem, BackupSource};
use crate::session::Session;
use liveops_domain::check::backups::formats::is_partial;
use liveops_domain::check::backups::{Backup, Inventory, Kind, Run};
use liveops_domain::error::{Error, Result};

/// What lies below its prefix.
pub(super) async fn look(cx: &Session, item: &BackupItem) -> Result<Inventory> {
    let BackupSource::S3 { endpoint, bucket, region, prefix, pattern } = &item.source else {
        return Err(Error::internal("no bucket"));
    };
    let (url, keys) = cx.config()?.reveal(&item.demand.name, endpoint)?;
    let mut keys = keys.into_iter().map(|(_, value)| value);
    let (Some(access_key), Some(secret_key)) = (keys.next(), keys.next()) else {
        return Err(Error::internal("a bucket without keys"));
    };
    let target = crate::clients::http::target::Target::new(&item.demand.name, url.expose(), &[])?;
    let bucket = Bucket { http: cx.http()?, target, name: bucket, region, access_key, secret_key, now: cx.clock.now() };
    let objects = bucket.list(prefix).await?;
    let mut all = Inventory::default();
    for object in objects {
        let name = object.key.strip_prefix(prefix.as_str()).unwrap_or(&object.key).trim_start_matches('/');
        let last = name.rsplit('/').next().unwrap_or(name);
        if last.is_empty() || !(matches(pattern, name) || matches(pattern, last)) {
            continue;
        }
        let broken = is_partial(last).then(|| "it is still being written, or its run was broken off".to_owned());
        all.backups.push(Backup {
            id: name.to_owned(),
            finished: object.modified,
            bytes: Some(object.bytes),
            kind: Kind::Full,
            broken,
        });
    }
    if item.demand.places.iter().any(|place| place.immutable) {
        all.immutable = bucket.is_locked().await;
    }
    let newest = all.backups.iter().max_by_key(|backup| backup.finished);
    all.last_run = newest.map(|backup| Run { at: backup.finished, failed: backup.broken.clone() });
    Ok(all)
}
