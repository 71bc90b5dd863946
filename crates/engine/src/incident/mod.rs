//! Incidents: the journal first, then people.

pub mod deliver;
pub mod flush;
pub mod message;
pub mod news;
pub mod on_call;
pub mod record;
pub mod resolve;
pub mod streams;
pub mod summary;
pub mod sync;
pub mod timeline;
pub mod transport;
pub mod unsent_pages;
pub mod wording;

use crate::files::incident_index;
use crate::files::incident_index::Index;
use crate::files::incidents::StoredIncident;
use crate::session::{Session, cache, store};
use liveops_domain::error::Result;
use liveops_domain::incident::state::Incident;

/// The states of all incidents.
pub fn index(cx: &Session) -> Result<Index> {
    incident_index::read(&store(cx)?, &cache(cx)?)
}

/// The incidents of this environment, the oldest first.
pub fn incidents_here(cx: &Session) -> Result<impl DoubleEndedIterator<Item = Incident>> {
    let environment = cx.environment()?;
    Ok(index(cx)?.incidents().filter(move |one| one.environment == environment))
}

/// Where one incident stands, with the last lines of its journal.
pub fn stored(cx: &Session, id: &str) -> Result<StoredIncident> {
    incident_index::stored(&store(cx)?, &cache(cx)?, id)
}

/// Where one incident stands.
pub fn incident(cx: &Session, id: &str) -> Result<Incident> {
    Ok(stored(cx, id)?.incident)
}
