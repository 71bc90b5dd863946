//! Changes as they happen: told by a notice where the store has them, and found by looking in any case, since a notice
//! can be lost and other writers send none.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::sleep;

use crate::clients::redis::session::Notices;
use crate::flagstore::{FlagStore, Flags};
use liveops_domain::error::Result;
use liveops_domain::flag::history::Revision;

/// The most changes between two looks that are told one by one.
const AT_ONCE: usize = 500;

/// A change that was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreChange {
    pub name: String,
    pub before: Option<Vec<u8>>,
    pub now: Option<Vec<u8>>,
    /// Who, when and why; `None` when it was changed by something else than liveops.
    pub revision: Option<Revision>,
}

/// A look-out for changes since it was made.
#[derive(Debug)]
pub struct Watch<'a> {
    store: &'a Flags,
    poll: Duration,
    known: BTreeMap<String, Vec<u8>>,
    /// The newest change that was told.
    told: Option<Revision>,
    notices: Option<Notices>,
}

impl<'a> Watch<'a> {
    /// Looks at what is there now; changes are told from here on.
    pub async fn begin(store: &'a Flags, poll: Duration) -> Result<Self> {
        // Listening begins before looking, so that nothing falls in between.
        let notices = store.notices().await;
        let newest = store.history(None, Some(1)).await?;
        Ok(Self {
            store,
            poll,
            known: store.all().await?.into_iter().collect(),
            told: newest.into_iter().next(),
            notices,
        })
    }

    /// Is each change told at once, rather than found at the next look?
    pub fn is_told(&self) -> bool {
        self.notices.is_some()
    }

    /// Waits for the next changes, oldest first.
    pub async fn next(&mut self) -> Result<Vec<StoreChange>> {
        loop {
            self.wait().await;
            let seen = self.look().await?;
            if !seen.is_empty() {
                return Ok(seen);
            }
        }
    }

    async fn wait(&mut self) {
        let Some(notices) = &mut self.notices else {
            sleep(self.poll).await;
            self.notices = self.store.notices().await;
            return;
        };
        tokio::select! {
            notice = notices.next() => if notice.is_none() {
                // Where it cannot be had again at once, changes are found by looking.
                self.notices = self.store.notices().await;
            },
            () = sleep(self.poll) => {}
        }
    }

    async fn look(&mut self) -> Result<Vec<StoreChange>> {
        let now: BTreeMap<String, Vec<u8>> = self.store.all().await?.into_iter().collect();
        let newest = self.store.history(None, Some(AT_ONCE)).await?;
        let fresh = since(newest, self.told.as_ref());
        if let Some(last) = fresh.last() {
            self.told = Some(last.clone());
        }
        let (seen, known) = compare(&self.known, &now, fresh);
        self.known = known;
        Ok(seen)
    }
}

/// The changes after the one that was told last, oldest first. A change of several flags may have been told half.
fn since(newest: Vec<Revision>, told: Option<&Revision>) -> Vec<Revision> {
    let known = |revision: &Revision| told.is_some_and(|told| told.is_same(revision));
    let mut fresh: Vec<Revision> = newest.into_iter().take_while(|revision| !known(revision)).collect();
    fresh.reverse();
    fresh
}

/// What was changed between two looks, and what is known after. The history is read after the flags: a flag that still
/// has a value which the history has left already is only older, not changed by somebody else.
fn compare(
    before: &BTreeMap<String, Vec<u8>>,
    now: &BTreeMap<String, Vec<u8>>,
    fresh: Vec<Revision>,
) -> (Vec<StoreChange>, BTreeMap<String, Vec<u8>>) {
    let mut known = before.clone();
    let mut seen = Vec::new();
    let mut left: BTreeMap<String, Vec<Option<Vec<u8>>>> = BTreeMap::new();
    for revision in fresh {
        let name = revision.flag.clone();
        left.entry(name.clone()).or_default().push(revision.before.clone());
        let after = revision.after.clone();
        match &after {
            Some(value) => known.insert(name.clone(), value.clone()),
            None => known.remove(&name),
        };
        seen.push(StoreChange { before: revision.before.clone(), now: after, name, revision: Some(revision) });
    }
    let names: std::collections::BTreeSet<String> = known.keys().chain(now.keys()).cloned().collect();
    for name in names {
        let (had, has) = (known.get(&name).cloned(), now.get(&name).cloned());
        let is_older = left.get(&name).is_some_and(|left| left.contains(&has));
        if had == has || is_older {
            continue;
        }
        match &has {
            Some(value) => known.insert(name.clone(), value.clone()),
            None => known.remove(&name),
        };
        seen.push(StoreChange { name, before: had, now: has, revision: None });
    }
    (seen, known)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn flags(pairs: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
        let pairs = pairs.iter();
        pairs.map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect()
    }

    fn revision(flag: &str, before: Option<&str>, after: Option<&str>) -> Revision {
        let bytes = |text: Option<&str>| text.map(|text| text.as_bytes().to_vec());
        Revision {
            op: "o".into(),
            flag: flag.into(),
            rev: 1,
            at: DateTime::from_timestamp(1_700_000_000, 0).expect("in range"),
            by: "ada".into(),
            reason: None,
            command: "c".into(),
            before: bytes(before),
            after: bytes(after),
        }
    }

    fn told(
        before: &[(&str, &str)],
        now: &[(&str, &str)],
        fresh: Vec<Revision>,
    ) -> Vec<(String, Option<String>, bool)> {
        let (seen, _) = compare(&flags(before), &flags(now), fresh);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        seen.into_iter().map(|seen| (seen.name, seen.now.map(text), seen.revision.is_some())).collect()
    }

    fn row(name: &str, now: Option<&str>, by_liveops: bool) -> (String, Option<String>, bool) {
        (name.into(), now.map(ToOwned::to_owned), by_liveops)
    }

    #[test]
    fn a_change_of_several_flags_is_told_whole_though_it_was_seen_half_done() {
        let first = revision("a", Some("1"), Some("2"));
        let second = revision("b", Some("1"), Some("2"));
        assert_eq!(since(vec![first.clone()], None).len(), 1);
        // The newest comes first, and both have the id of the one operation.
        let newest = vec![second.clone(), first.clone()];
        assert_eq!(since(newest, Some(&first)), [second]);
    }

    #[test]
    fn each_revision_is_told_and_what_it_does_not_explain_too() {
        let two = vec![revision("a", Some("1"), Some("2")), revision("a", Some("2"), Some("3"))];
        assert_eq!(
            told(&[("a", "1"), ("b", "1")], &[("a", "3"), ("b", "9")], two.clone()),
            [row("a", Some("2"), true), row("a", Some("3"), true), row("b", Some("9"), false)]
        );
        // Somebody else changed it after the last revision.
        assert_eq!(told(&[("a", "1")], &[("a", "4")], two.clone())[2], row("a", Some("4"), false));
        // The flags were read before the last revision.
        assert_eq!(told(&[("a", "1")], &[("a", "2")], two).len(), 2);
        assert_eq!(told(&[("a", "1")], &[], vec![]), [row("a", None, false)]);
        assert_eq!(told(&[("a", "1")], &[], vec![revision("a", Some("1"), None)]), [row("a", None, true)]);
        assert_eq!(told(&[("a", "1")], &[("a", "1")], vec![]), []);
    }
}
