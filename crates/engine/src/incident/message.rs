//! The message that people get.

use liveops_domain::change::journal::Event;
use liveops_domain::incident::message::Message;
use liveops_domain::incident::notice::About;
use liveops_domain::incident::state::Incident;

pub fn message(incident: &Incident, about: About, text: String, event: &Event) -> Message {
    let id = event.id.clone().unwrap_or_default();
    Message::new(
        format!("{}-{id}", incident.id),
        incident,
        about,
        text,
        (&event.by, event.at),
        format!("liveops incident show {}", incident.id),
    )
}
