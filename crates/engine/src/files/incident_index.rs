//! The states of all incidents without replaying all journals: a cache of what each journal came to when it had its
//! present length and time. Losing it costs a replay. Its shape is that of [`StoredIncident`].

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use crate::files::cache::Cache;
use crate::files::incidents::{Incidents, StoredIncident};
use crate::files::open;
use liveops_domain::change::journal::Event;
use liveops_domain::error::{Error, Result};
use liveops_domain::incident::state::Incident;
use liveops_domain::status::source::{Source, SourceState};

/// The cache's key. Its shape is that of `Incident`: another shape is another key.
const KEY: &str = "incidents/4";

/// A journal of so many bytes is replayed in a millisecond.
const SHORT: u64 = 1 << 18;

#[derive(Debug, Default)]
pub struct Index {
    /// The oldest first.
    pub stored: Vec<StoredIncident>,
    /// Incidents that cannot be read, with the reason.
    pub broken: Vec<(String, Error)>,
}

impl Index {
    /// Those that can be read.
    pub fn incidents(self) -> impl DoubleEndedIterator<Item = Incident> {
        self.stored.into_iter().map(|stored| stored.incident)
    }

    /// What to say of those that cannot, and of journals that are not as they were written.
    pub fn warnings(&self) -> Vec<String> {
        let broken = self.broken.iter().map(|(id, error)| format!("{id} cannot be read: {error}"));
        let odd = self.stored.iter().filter_map(|stored| {
            let (id, first) = (&stored.incident.id, stored.faults.first()?);
            let more = match stored.faults.len() {
                1 => String::new(),
                n => format!(", and {} more: `liveops incident show {id}`", n - 1),
            };
            Some(format!("the journal of {id}: {first}{more}"))
        });
        broken.chain(odd).collect()
    }

    /// The journals as a source of the status, where some cannot be read.
    pub fn source(&self) -> Option<Source> {
        let (id, error) = self.broken.first()?;
        let more = match self.broken.len() {
            1 => String::new(),
            n => format!("; and {} more", n - 1),
        };
        Some(Source {
            name: "incidents".into(),
            state: if self.stored.is_empty() { SourceState::Down } else { SourceState::Degraded },
            latency_ms: None,
            error: Some(format!("{id} cannot be read: {error}{more}")),
        })
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct CachedIncident {
    length: u64,
    modified: u128,
    summary: StoredIncident,
}

type CachedIncidents = BTreeMap<String, CachedIncident>;

/// The states of all incidents, in memory: for a process that looks often. Only journals that changed are read again.
#[derive(Debug, Default)]
pub struct LiveIndex(CachedIncidents);

impl LiveIndex {
    /// Looks again. One that is broken hides no other.
    ///
    /// # Errors
    /// `Io` when the folder cannot be read.
    pub fn refresh(&mut self, store: &Incidents) -> Result<()> {
        let ids = store.ids()?;
        self.0.retain(|id, _| ids.binary_search(id).is_ok());
        for id in ids {
            self.look(store, id);
        }
        Ok(())
    }

    /// Looks for new ones, and again at those that are meant only: of a thousand incidents, a delivery tells of one.
    ///
    /// # Errors
    /// As [`LiveIndex::refresh`].
    pub fn refresh_only(&mut self, store: &Incidents, is_meant: impl Fn(&Incident) -> bool) -> Result<()> {
        for id in store.folders()? {
            if self.0.get(&id).is_none_or(|known| is_meant(&known.summary.incident)) {
                self.look(store, id);
            }
        }
        Ok(())
    }

    fn look(&mut self, store: &Incidents, id: String) {
        let looked = one(store, &id, self.0.get(&id)).map(|(kept, fresh)| fresh.then(|| kept.into_owned()));
        match looked {
            Ok(None) => {}
            Ok(Some(kept)) => {
                self.0.insert(id, kept);
            }
            Err(_) => {
                self.0.remove(&id);
            }
        }
    }

    /// All that can be read.
    pub fn incidents(&self) -> impl Iterator<Item = &Incident> {
        self.0.values().map(|known| &known.summary.incident)
    }
}

/// Every incident. One that is broken hides no other.
///
/// # Errors
/// `Io` when the folder cannot be read.
pub fn read(store: &Incidents, cache: &Cache) -> Result<Index> {
    let mut ids = store.ids()?;
    let mut index = Index::default();
    if ids.is_empty() {
        return Ok(index);
    }
    let known: CachedIncidents = cache.load(KEY).unwrap_or_default();
    let mut keeping = CachedIncidents::new();
    let mut changed = known.len() != ids.len();
    let mut next = 0;
    while let Some(id) = ids.get(next).cloned() {
        next += 1;
        let followed = followed(store, cache, &id, known.get(&id));
        changed |= followed.is_some();
        match one(store, &id, followed.as_ref().or(known.get(&id))).map(|(kept, fresh)| (kept.into_owned(), fresh)) {
            Ok((kept, fresh)) => {
                changed |= fresh;
                index.stored.push(kept.summary.clone());
                keeping.insert(id, kept);
            }
            Err(error) => index.broken.push((id, error)),
        }
        if next == ids.len() && changed {
            // Reading one may have moved another out of its journal.
            let more = store.ids()?.into_iter().filter(|id| !ids.contains(id)).collect::<Vec<_>>();
            ids.extend(more);
        }
    }
    index.stored.sort_by(|a, b| a.incident.id.cmp(&b.incident.id));
    if changed {
        cache.save(KEY, &keeping);
    }
    Ok(index)
}

/// Where one incident stands. The cache holds all of them, so it is asked only where a journal is longer than that.
pub fn stored(store: &Incidents, cache: &Cache, id: &str) -> Result<StoredIncident> {
    let is_short = fs::metadata(store.journal(id).path()).is_ok_and(|data| data.len() < SHORT);
    if is_short {
        return store.summary(id);
    }
    let known = followed(store, cache, id, None).or_else(|| cache.load::<CachedIncidents>(KEY)?.remove(id));
    let (kept, fresh) = one(store, id, known.as_ref())?;
    if fresh {
        cache.save(&format!("{KEY}/{id}"), &kept);
    }
    Ok(kept.into_owned().summary)
}

/// What a step left of a long journal, where that is all of it and `known` is not.
fn followed(store: &Incidents, cache: &Cache, id: &str, known: Option<&CachedIncident>) -> Option<CachedIncident> {
    let stamp = stamp(store, id).filter(|(length, _)| *length >= SHORT)?;
    let is_now = |one: &CachedIncident| (one.length, one.modified) == stamp;
    if known.is_some_and(is_now) {
        return None;
    }
    cache.load(&format!("{KEY}/{id}")).filter(is_now)
}

/// What is known of a long journal as it is now, so that a step need not read all of it again.
#[derive(Debug)]
pub struct KnownIncident(CachedIncident);

/// What is known of this journal, if that is all of it.
pub fn known(store: &Incidents, cache: &Cache, id: &str) -> Option<KnownIncident> {
    let stamp = stamp(store, id).filter(|(length, _)| *length >= SHORT)?;
    let all = || cache.load::<CachedIncidents>(KEY)?.remove(id);
    let known = followed(store, cache, id, None).or_else(all)?;
    let is_all = (known.length, known.modified) == stamp && known.summary.faults.is_empty();
    is_all.then_some(KnownIncident(known))
}

impl KnownIncident {
    /// Takes in the one event that was written since, by the step that decided on what is known.
    pub fn follow(self, store: &Incidents, cache: &Cache, event: &Event) {
        let Self(mut known) = self;
        let id = known.summary.incident.id.clone();
        let is_its_line = || {
            let mut file = open::open(store.journal(&id).path()).ok()?;
            file.seek(SeekFrom::Start(known.length)).ok()?;
            let mut added = String::new();
            file.read_to_string(&mut added).ok()?;
            let only: Event = serde_json::from_str(added.strip_suffix('\n')?).ok()?;
            (only.hash == event.hash).then_some(known.length + added.len() as u64)
        };
        let (Some(length), Some((now, modified))) = (is_its_line(), stamp(store, &id)) else { return };
        // Of a change only the end is shown, and that is in the whole journal.
        if length == now && !event.kind.starts_with("change.") {
            known.summary.take_in(event);
            cache.save(&format!("{KEY}/{id}"), &CachedIncident { length, modified, summary: known.summary });
        }
    }
}

/// Length and time of a journal; of a link in its place there are none, so that it is looked at.
fn stamp(store: &Incidents, id: &str) -> Option<(u64, u128)> {
    let data = fs::symlink_metadata(store.journal(id).path()).ok().filter(fs::Metadata::is_file)?;
    Some((data.len(), data.modified().ok()?.duration_since(UNIX_EPOCH).ok()?.as_nanos()))
}

fn one<'a>(store: &Incidents, id: &str, known: Option<&'a CachedIncident>) -> Result<(Cow<'a, CachedIncident>, bool)> {
    let stamp = stamp(store, id);
    if let (Some(known), Some((length, modified))) = (known, stamp)
        && (known.length, known.modified) == (length, modified)
    {
        return Ok((Cow::Borrowed(known), false));
    }
    // The stamp was taken first: an event that comes in between makes the next look read again.
    let (length, modified) = stamp.unwrap_or_default();
    let summary = store.summary(id)?;
    let kept = CachedIncident { length, modified, summary };
    Ok((Cow::Owned(kept), true))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use chrono::{DateTime, Utc};

    use super::*;
    use liveops_domain::change::journal::Entry;
    use liveops_domain::incident::event::{Note, Opened, kind};
    use liveops_domain::incident::severity::Severity;

    #[test]
    fn the_index_follows_every_change_and_a_broken_one_hides_no_other() {
        let dir = tempfile::tempdir().expect("temp dir");
        let store = Incidents::at(dir.path().join("incidents"));
        let cache = Cache::new(&dir.path().join("cache"), &["x"]);
        let at: DateTime<Utc> = "2026-11-22T03:12:00Z".parse().expect("a time");
        let look = || read(&store, &cache).expect("read");
        assert!(look().stored.is_empty());
        let opened = |title: &str| Opened {
            severity: Severity::P1,
            title: title.into(),
            environment: String::new(),
            service: None,
            alert: None,
            runbook: None,
            started_at: None,
            group_key: None,
        };
        let first = store.open(at, "ada", &opened("a")).expect("open");
        let second = store.open(at, "ada", &opened("b")).expect("open");
        assert_eq!(look().stored.len(), 2);
        let note = Note { text: "x".into() };
        store.append(&first, at, "ada", kind::NOTE, &note).expect("append");
        assert_eq!(look().stored[0].incident.notes, 1);
        assert_eq!(look().stored[0].incident.notes, 1, "from the cache");
        let mut file = fs::OpenOptions::new().append(true).open(store.journal(&first).path()).expect("open");
        file.write_all(b"{\"seq\":3,").expect("tear");
        assert_eq!(look().stored[0].faults.len(), 1);
        fs::write(store.journal(&second).path(), "nonsense\n").expect("break");
        let index = look();
        assert_eq!((index.stored.len(), index.broken.len()), (1, 1));
        assert_eq!(index.broken[0].0, second);
    }

    #[test]
    fn a_long_journal_is_followed_by_ones_own_step_and_by_nothing_else() {
        let dir = tempfile::tempdir().expect("temp dir");
        let store = Incidents::at(dir.path().join("incidents"));
        let cache = Cache::new(&dir.path().join("cache"), &["x"]);
        let at: DateTime<Utc> = "2026-11-22T03:12:00Z".parse().expect("a time");
        let opened: Opened =
            serde_json::from_value(serde_json::json!({"severity": "p1", "title": "a", "environment": ""}))
                .expect("opened");
        let id = store.open(at, "ada", &opened).expect("open");
        let note = |text: &str| Entry::new(at, "ada", kind::NOTE, serde_json::json!({ "text": text }));
        let long = "x".repeat(1000);
        store.append_all(&id, (0..300).map(|_| note(&long)).collect()).expect("append");
        assert!(known(&store, &cache, &id).is_none(), "nobody has looked");
        let looked = || super::stored(&store, &cache, &id).expect("stored");
        looked();
        let step = |text: &str| {
            let before = known(&store, &cache, &id).expect("known");
            let event = store.append(&id, at, "ada", kind::NOTE, &Note { text: text.into() }).expect("append");
            (before, event)
        };
        let (before, event) = step("mine");
        before.follow(&store, &cache, &event);
        assert!(known(&store, &cache, &id).is_some(), "it need not be read again");
        let followed = looked();
        assert_eq!(followed.incident, store.summary(&id).expect("read").incident);
        assert_eq!(followed.last, store.summary(&id).expect("read").last);
        let (before, event) = step("mine");
        store.append(&id, at, "bob", kind::NOTE, &Note { text: "of somebody else".into() }).expect("append");
        before.follow(&store, &cache, &event);
        assert!(known(&store, &cache, &id).is_none());
        assert_eq!(looked().incident.notes, 303);
    }
}
