//! Incidents: the journal first, then people.

pub mod deliver;
pub mod evidence;
pub mod flush;
pub mod listen;
pub mod message;
pub mod receive;
pub mod record;
pub mod recovery;
pub mod resolve;
pub mod streams;
pub mod summary;
pub mod sync;
pub mod timeline;
pub mod unsent_pages;
pub mod wording;

use crate::files::incident_index;
use crate::files::incident_index::Index;
use crate::files::incidents::Summary;
use crate::session::Session;
use crate::session::{cache, store};
use liveops_domain::error::Result;

/// The states of all incidents.
///
/// # Errors
/// As [`incident_index::read`].
pub fn index(cx: &Session) -> Result<Index> {
    incident_index::read(&store(cx)?, &cache(cx)?)
}

/// Where one incident stands.
///
/// # Errors
/// As [`incident_index::summary`].
pub fn standing(cx: &Session, id: &str) -> Result<Summary> {
    incident_index::summary(&store(cx)?, &cache(cx)?, id)
}
