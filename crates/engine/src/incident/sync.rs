//! The journals of incidents in a second store.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde::Serialize;

use crate::change::confirmed::Confirmed;
use crate::files::incidents::Incidents;
use crate::incident::streams::Streams;
use crate::session::{Session, store};
use liveops_domain::change::journal::Event;
use liveops_domain::error::{Error, Result};
use liveops_domain::text::redis_url::RedisUrl;

/// How long a step waits for the shared store.
const PATIENCE: Duration = Duration::from_millis(1_500);

/// What moved for one incident.
#[derive(Debug, Clone, Serialize)]
pub struct SyncedIncident {
    pub id: String,
    /// Events that came from Redis.
    pub received: usize,
    /// Events that went there.
    pub sent: usize,
}

/// The streams in Redis; `None` where none is configured.
pub fn streams(cx: &Session) -> Result<Option<Streams>> {
    let settings = &cx.config()?.settings;
    let Some(endpoint) = &settings.incidents.redis else {
        return Ok(None);
    };
    let (url, _) = cx.config()?.reveal("incidents", endpoint)?;
    let url = RedisUrl::parse(url.expose()).map_err(|what| {
        Error::usage(
            format!("`incidents.redis` is not valid: {what}"),
            "`liveops config show --origin` says where it was set",
        )
    })?;
    let key = settings.incidents.key.clone();
    let key = key.unwrap_or_else(|| "liveops:incidents".into());
    let limits = (settings.call_timeout, settings.timeout);
    Ok(Some(Streams::new(url, key, limits)))
}

/// Brings one incident together: what is missing here is appended here, what is missing there is added there.
pub async fn sync_one(store: &Incidents, streams: &Streams, id: &str, confirmed: &Confirmed) -> Result<SyncedIncident> {
    let there = streams.events(id).await?;
    let here = match store.log(id) {
        Ok(log) => log.events,
        Err(Error::NotFound { .. }) => Vec::new(),
        Err(error) => return Err(error),
    };
    let known: HashSet<&str> = there.iter().filter_map(|event| event.id.as_deref()).collect();
    let missing: Vec<&Event> = here
        .iter()
        .filter(|event| is_shared(event))
        .filter(|event| event.id.as_deref().is_some_and(|id| !known.contains(id)))
        .collect();
    // What is refused here, because it is another incident of that name, must not get ours either.
    let received = store.merge(id, there.clone())?;
    let sent = streams.add(id, &missing, confirmed).await?;
    Ok(SyncedIncident { id: id.to_owned(), received, sent })
}

/// What a file says of itself stays with it.
fn is_shared(event: &Event) -> bool {
    !event.kind.starts_with("journal.")
}

/// Before a look: takes over what others wrote of the incidents that are open, or not known here. Bounded, since it
/// stands before every step; a Redis that is dead makes a note.
pub async fn refresh(cx: &Session) -> Result<()> {
    if cx.is_read_only()? || cx.choices.dry_run {
        return Ok(());
    }
    let pulled = async {
        let Some(streams) = streams(cx)? else {
            return Ok(());
        };
        let store = store(cx)?;
        let known: HashMap<String, bool> =
            crate::incident::index(cx)?.incidents().map(|one| (one.id, one.phase.is_open())).collect();
        for id in streams.ids().await? {
            if known.get(&id).copied().unwrap_or(true) {
                store.merge(&id, streams.events(&id).await?)?;
            }
        }
        Ok(())
    };
    let pulled: Result<()> = match tokio::time::timeout(PATIENCE, pulled).await {
        Ok(pulled) => pulled,
        Err(_) => Err(Error::Timeout { system: "redis".into(), url: "incidents.redis".into(), after: PATIENCE }),
    };
    if let Err(error) = pulled {
        cx.voice.note(&format!("note: what others wrote is not known, this is what stands here: {error}"));
    }
    Ok(())
}

/// After a step: takes it to Redis, where one is configured. A Redis that is dead makes a note.
pub async fn push(cx: &Session, id: &str, confirmed: &Confirmed) -> Option<String> {
    let synced = async {
        let Some(streams) = streams(cx)? else {
            return Ok(());
        };
        sync_one(&store(cx)?, &streams, id, confirmed).await.map(|_| ())
    };
    let result: Result<()> = match tokio::time::timeout(PATIENCE, synced).await {
        Ok(result) => result,
        Err(_) => Err(Error::Timeout { system: "redis".into(), url: "incidents.redis".into(), after: PATIENCE }),
    };
    let error = result.err()?;
    Some(format!("not in the shared store yet, `{}` takes it there: {error}", cx.command("incident sync")))
}
