//! `liveops incident sync`: brings the journals here and those in Redis together, both ways, without loss.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use clap::Args;
use serde::{Serialize, Serializer};
use serde_json::json;

use crate::change::{Confirmed, unasked};
use crate::clients::incident_streams::Streams;
use crate::commands::incident::store;
use crate::context::Context;
use crate::domain::journal::Event;
use crate::domain::redis_url::RedisUrl;
use crate::error::{Error, Exit, Result};
use crate::output::block::{Block, Table, Tone, plain, span};
use crate::output::report::{Meta, Outcome, Recommendation, Report, Verdict};
use crate::output::view::View;
use crate::stores::incidents::Incidents;

/// How long a step waits for the shared store.
const PATIENCE: Duration = Duration::from_millis(1_500);

/// Bring the incidents here and those in Redis together
///
/// Both ways, event by event: each has an id, so that nothing is lost and nothing comes twice, in whatever order copies
/// meet. Where `incidents.redis` is set, every step does this for its own incident.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops incident sync
  liveops incident sync -o json | jq .data.incidents")]
pub(super) struct SyncArgs {}

/// What moved for one incident.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Moved {
    pub(super) id: String,
    /// Events that came from Redis.
    pub(super) received: usize,
    /// Events that went there.
    pub(super) sent: usize,
}

struct Synced {
    moved: Vec<Moved>,
    failed: Vec<(String, Error)>,
    dry_run: bool,
    url: String,
    environment: String,
}

/// The streams in Redis; `None` where none is configured.
///
/// # Errors
/// A secret that cannot be had, a URL that is none.
pub(super) fn streams(cx: &Context) -> Result<Option<Streams>> {
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

pub(super) async fn run(_: SyncArgs, cx: &Context) -> Result<Exit> {
    let streams = streams(cx)?.ok_or_else(|| Error::Unconfigured {
        what: "second store of incidents",
        environment: cx.environment().unwrap_or("default").to_owned(),
        hint: "set `incidents.redis.url` in liveops.yaml, such as `redis://127.0.0.1:6379/0`".into(),
    })?;
    let store = store(cx)?;
    let mut report = Synced {
        moved: Vec::new(),
        failed: Vec::new(),
        dry_run: true,
        url: streams.url(),
        environment: cx.environment()?.to_owned(),
    };
    let there = streams.ids().await?;
    let Some(confirmed) = unasked(cx, "bring the incidents together")? else {
        cx.output.show(&report, cx.clock.now())?;
        return Ok(Exit::Good);
    };
    report.dry_run = false;
    let ids: BTreeSet<String> = store.ids()?.into_iter().chain(there).collect();
    for id in ids {
        match one(&store, &streams, &id, &confirmed).await {
            Ok(moved) => report.moved.push(moved),
            Err(error) => report.failed.push((id, error)),
        }
    }
    cx.output.show(&report, cx.clock.now())?;
    if report.failed.is_empty() {
        return Ok(Exit::Good);
    }
    Err(Error::HalfDone {
        done: format!("{} incidents were brought together", report.moved.len()),
        left: report.failed.iter().map(|(id, error)| format!("{id}: {error}")).collect::<Vec<_>>().join("; "),
        command: cx.command("incident sync"),
    })
}

/// Brings one incident together: what is missing here is appended here, what is missing there is added there.
///
/// # Errors
/// Those of either store.
pub(super) async fn one(store: &Incidents, streams: &Streams, id: &str, confirmed: &Confirmed) -> Result<Moved> {
    let there = streams.events(id).await?;
    let here = match store.story(id) {
        Ok(story) => story.events,
        Err(Error::NotFound { .. }) => Vec::new(),
        Err(error) => return Err(error),
    };
    let known: HashSet<&str> = there.iter().filter_map(|event| event.id.as_deref()).collect();
    let missing: Vec<&Event> = here
        .iter()
        .filter(|event| is_shared(event))
        .filter(|event| event.id.as_deref().is_some_and(|id| !known.contains(id)))
        .collect();
    let sent = streams.add(id, &missing, confirmed).await?;
    let received = store.merge(id, there)?;
    Ok(Moved { id: id.to_owned(), received, sent })
}

/// What a file says of itself stays with it.
fn is_shared(event: &Event) -> bool {
    !event.kind.starts_with("journal.")
}

/// Before a look: takes over what others wrote of the incidents that are open, or not known here. Bounded, since it
/// stands before every step; a Redis that is dead makes a note.
///
/// # Errors
/// Those of the configuration.
pub(super) async fn refresh(cx: &Context) -> Result<()> {
    if cx.is_read_only()? || cx.global.dry_run {
        return Ok(());
    }
    let pulled = async {
        let Some(streams) = streams(cx)? else {
            return Ok(());
        };
        let store = store(cx)?;
        let known: HashMap<String, bool> = super::index(cx)?
            .summaries
            .into_iter()
            .map(|summary| (summary.incident.id.clone(), summary.incident.phase.is_open()))
            .collect();
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
        cx.output.note(&format!("note: what others wrote is not known, this is what stands here: {error}"));
    }
    Ok(())
}

/// After a step: takes it to Redis, where one is configured. A Redis that is dead makes a note.
pub(super) async fn push(cx: &Context, id: &str, confirmed: &Confirmed) -> Option<String> {
    let synced = async {
        let Some(streams) = streams(cx)? else {
            return Ok(());
        };
        one(&store(cx)?, &streams, id, confirmed).await.map(|_| ())
    };
    let result: Result<()> = match tokio::time::timeout(PATIENCE, synced).await {
        Ok(result) => result,
        Err(_) => Err(Error::Timeout { system: "redis".into(), url: "incidents.redis".into(), after: PATIENCE }),
    };
    let error = result.err()?;
    Some(format!("not in the shared store yet, `{}` takes it there: {error}", cx.command("incident sync")))
}

impl Synced {
    fn total(&self) -> (usize, usize) {
        let sum = |of: fn(&Moved) -> usize| self.moved.iter().map(of).sum();
        (sum(|one| one.received), sum(|one| one.sent))
    }
}

impl Serialize for Synced {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (received, sent) = self.total();
        let failed = self.failed.iter().map(|(id, error)| json!({ "id": id, "error": error.to_string() }));
        json!({
            "store": self.url,
            "dry_run": self.dry_run,
            "received": received,
            "sent": sent,
            "incidents": self.moved,
            "failed": failed.collect::<Vec<_>>(),
        })
        .serialize(serializer)
    }
}

impl Report for Synced {
    const SCHEMA: &'static str = "liveops.incident.sync/1";

    fn blocks(&self, _view: &View) -> Vec<Block> {
        let (received, sent) = self.total();
        let head = match (self.dry_run, received + sent) {
            (true, _) => format!("dry run, nothing is changed; {} answers", self.url),
            (false, 0) => format!("{} incidents, the same here and in {}", self.moved.len(), self.url),
            (false, _) => format!("{received} events came from {}, {sent} went there", self.url),
        };
        let mut blocks = vec![Block::Whole(vec![plain(head)])];
        let mut table = Table::new(["incident", "came", "went"]).right(&[1, 2]);
        for one in self.moved.iter().filter(|one| one.received + one.sent > 0) {
            table.row(vec![plain(&one.id), plain(one.received.to_string()), plain(one.sent.to_string())]);
        }
        if !table.rows.is_empty() {
            blocks.push(Block::Table(table));
        }
        for (id, error) in &self.failed {
            blocks.push(Block::Whole(vec![span(format!("{id}: {error}"), Tone::Bad)]));
        }
        blocks.push(Block::next("next", "liveops incident list"));
        blocks
    }

    fn meta(&self) -> Meta {
        Meta {
            environment: Some(self.environment.clone()),
            outcome: if self.failed.is_empty() { Outcome::Success } else { Outcome::Partial },
            verdict: Verdict::Pass,
            recommendations: vec![Recommendation::new("next", "liveops incident list")],
            ..Meta::default()
        }
    }
}
