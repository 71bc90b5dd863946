//! News in their order: what could not be told in its time is told with what came after, never after it.

use std::collections::BTreeMap;

use crate::files::outbox::{Claimed, OutboxItem};
use crate::incident::deliver::discard;
use crate::session::{Session, outbox};
use liveops_domain::incident::message::Message;
use liveops_domain::incident::notice::About;

/// Puts what waits in the outbox for the same channel, about the same incident, into the newest message.
pub fn fold(cx: &Session, fresh: Vec<OutboxItem>) -> Vec<OutboxItem> {
    let Ok(outbox) = outbox(cx) else {
        return fresh;
    };
    // A page stays what it is, and before the first word about an incident nothing was said of it.
    let may_follow = |new: &OutboxItem| !new.message.page && new.message.about != About::Opened;
    let mut items = match fresh.iter().any(may_follow) {
        true => outbox.items().unwrap_or_default(),
        false => Vec::new(),
    };
    let is_fresh = |item: &OutboxItem| fresh.iter().any(|new| new.id() == item.id());
    items.retain(|item| !is_fresh(item) && fresh.iter().any(|new| is_newer(new, item)));
    if items.is_empty() && fresh.len() < 2 {
        return fresh;
    }
    items.extend(fresh);
    let mut newest: BTreeMap<(String, String), OutboxItem> = BTreeMap::new();
    let mut others = Vec::new();
    for mut item in items {
        if item.message.page {
            others.push(item);
            continue;
        }
        let place = (item.message.incident.clone(), item.channel.clone());
        if let Some(old) = newest.remove(&place) {
            match outbox.claim(&old) {
                Claimed::Mine(_claim) => {
                    join(&mut item.message, &old.message);
                    // The newer one holds both before the older one goes.
                    if outbox.put(&item).is_ok() {
                        discard(cx, &old, &format!("sent with `{}`", item.message.about));
                    }
                }
                Claimed::Busy => others.push(old),
                Claimed::Gone => {}
            }
        }
        newest.insert(place, item);
    }
    others.extend(newest.into_values());
    others
}

fn is_newer(new: &OutboxItem, old: &OutboxItem) -> bool {
    let same = new.channel == old.channel && new.message.incident == old.message.incident;
    same && !new.message.page && !old.message.page && new.id() != old.id()
}

fn join(new: &mut Message, old: &Message) {
    let line = format!("{} {} {}: {}", old.at.format("%H:%M:%SZ"), old.severity, old.about, old.text);
    let earlier = old.earlier.iter().cloned().chain([line]);
    new.earlier = earlier.chain(new.earlier.drain(..)).collect();
    new.keys.extend(old.keys.iter().cloned());
    new.keys.sort();
    new.keys.dedup();
}
