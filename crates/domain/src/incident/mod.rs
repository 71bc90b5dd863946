//! Incidents: severities and their deadlines, what can happen to one, and its state, which is always the replay of
//! its journal. Pure: the caller brings the events and the time.
//!
//! - [`severity`]: P1 to P4, and what each asks for (the table can be overridden in the configuration).
//! - [`event`]: the kinds of events and their data. A kind that replay does not know is kept and shown: whoever adds
//!   one (triage, runbooks, postmortems) puts a line for people in `data.text`, and nothing here has to change.
//! - [`state`]: [`state::Incident`], made by [`state::replay`] from events in any order, with duplicates.
//! - [`transition`]: what may be done in which phase.
//! - [`deadline`]: what is due when, what was missed. A miss is never undone by an amendment.
//! - [`notice`] and [`message`]: who is told of what.
//! - [`recovery`]: whether the metrics agree that it is over.
//! - [`measures`]: how long incidents take. [`webhook`]: what Alertmanager says of one.
//! - [`name`]: the incident's id, which is also its folder's name.

pub mod calls;
pub mod deadline;
pub mod event;
pub mod measures;
pub mod message;
pub mod name;
pub mod notice;
#[cfg(test)]
mod properties;
pub mod recovery;
pub mod rota;
pub mod severity;
pub mod state;
pub mod transition;
pub mod webhook;
