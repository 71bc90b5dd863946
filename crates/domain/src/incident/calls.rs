//! What calls for somebody: which events do, whether they were sent on their way, and whether somebody answered. Pure.
//!
//! A pager that has acknowledged a key rings nobody under it, so each call has a key of its own.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::change::journal::order::clock_of;
use crate::change::journal::{Data, Event};
use crate::incident::event::{Delivery, DeliveryState, Opened, SeverityChanged, Signal, kind};
use crate::incident::notice::About;
use crate::incident::state::Incident;
use crate::incident::transition::{Action, Phase};

/// Something for which somebody is to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    pub about: About,
    pub at: DateTime<Utc>,
    /// Is a page for it in the journal?
    pub queued: bool,
    /// Did somebody acknowledge, mitigate or resolve after it?
    pub answered: bool,
}

impl Incident {
    /// Does this event call for somebody, or answer those who called? Asked before the event changes anything.
    pub(super) fn follow_calls<D: Data, S: AsRef<str>>(&mut self, event: &Event<D, S>) {
        let about = match event.kind.as_ref() {
            kind::ACKED | kind::MITIGATED | kind::RESOLVED => {
                if event.kind.as_ref() == kind::ACKED && self.has_unanswered_call() && self.acked_by.is_some() {
                    // Who answers the latest call has it now.
                    self.acked_by = Some(event.by.as_ref().to_owned());
                }
                self.calls.values_mut().for_each(|call| call.answered = true);
                return;
            }
            kind::OPENED if event.data.read::<Opened>().is_some() => About::Opened,
            kind::ESCALATED => About::Escalated,
            kind::REOPENED if self.phase >= Phase::Mitigated => About::Reopened,
            kind::SEVERITY => match event.data.read::<SeverityChanged>() {
                Some(graded) if graded.severity < self.severity => About::Severity,
                _ => return,
            },
            kind::SIGNAL => match event.data.read::<Signal>() {
                // What one delivery tells is written at one time, and calls once.
                Some(signal) if self.is_called_by(&signal) && self.calls.values().all(|call| call.at != event.at) => {
                    About::Alert
                }
                _ => return,
            },
            _ => return,
        };
        if let Some(id) = &event.id {
            let call = Call { about, at: event.at, queued: false, answered: false };
            self.calls.entry(id.as_ref().to_owned()).or_insert(call);
        }
    }

    /// Is this alert a reason to call somebody who believes that they know all? While nobody has the incident, the call
    /// of its opening still rings.
    pub fn is_called_by(&self, signal: &Signal) -> bool {
        self.phase != Phase::Open && self.phase.is_open() && signal.firing && self.is_news(signal)
    }

    /// Does this tell anything that is not known? An alert that has ended begins anew with a later start: the old one
    /// comes only out of order.
    pub fn is_news(&self, signal: &Signal) -> bool {
        self.signals.get(&signal.fingerprint).is_none_or(|known| {
            let flips = known.firing != signal.firing && (known.firing || signal.starts_at == Signal::UNKNOWN);
            known.starts_at < signal.starts_at || (known.starts_at == signal.starts_at && flips)
        })
    }

    /// The alerts of its group that fire, as far as is known.
    pub fn firing(&self) -> impl Iterator<Item = &Signal> {
        self.signals.values().filter(|signal| signal.firing)
    }

    /// How a message went. What may have arrived once may have arrived for good.
    pub(super) fn deliver(&mut self, mut delivery: Delivery) {
        if let Some(before) = self.deliveries.get(&delivery.message) {
            delivery.may_have_arrived |= before.may_have_arrived || before.state == DeliveryState::Accepted;
            delivery.key = delivery.key.or_else(|| before.key.clone());
        }
        if delivery.page
            && let Some(call) = self.call_of(&delivery.message, &delivery.channel).map(ToOwned::to_owned)
            && let Some(call) = self.calls.get_mut(&call)
        {
            call.queued = true;
        }
        self.deliveries.insert(delivery.message.clone(), delivery);
    }

    /// The id of the event that a message in the outbox tells of.
    fn call_of<'a>(&self, message: &'a str, channel: &str) -> Option<&'a str> {
        message.strip_prefix(&self.id)?.strip_prefix('-')?.strip_suffix(channel)?.strip_suffix('-')
    }

    /// Has somebody answered the call that this message (without its channel) tells of? `None` where it is not known.
    pub fn is_answered(&self, message: &str) -> Option<bool> {
        let id = message.strip_prefix(&self.id)?.strip_prefix('-')?;
        self.calls.get(id).map(|call| call.answered)
    }

    /// Is there a call that nobody has answered?
    pub fn has_unanswered_call(&self) -> bool {
        self.calls.values().any(|call| call.queued && !call.answered)
    }

    /// May this be done now? Who is called again may acknowledge again.
    pub fn allows(&self, action: Action) -> bool {
        let called_again = action == Action::Ack && self.phase.is_open() && self.has_unanswered_call();
        called_again || action.is_allowed(self.phase)
    }

    /// Is anybody known to have been paged for the latest call, where somebody was to be? `None` when nobody was to be.
    pub fn is_paged(&self) -> Option<bool> {
        let is_page = |one: &&Delivery| one.page;
        let call = |one: &&Delivery| self.call_of(&one.message, &one.channel).map(ToOwned::to_owned);
        // Ids of events begin with their place in the journal.
        let last = self.deliveries.values().filter(is_page).map(|one| call(&one)).max()?;
        let mut pages = self.deliveries.values().filter(is_page).filter(|one| call(one) == last);
        Some(pages.any(|one| one.state == DeliveryState::Accepted))
    }

    /// Was one of these channels to hear of what happened then, as far as the journal knows? The id of an event begins
    /// with its clock.
    pub fn was_queued(&self, about: About, at: DateTime<Utc>, is_meant: impl Fn(&str) -> bool) -> bool {
        let clock = |message: &str| clock_of(message.strip_prefix(&self.id)?.strip_prefix('-')?);
        self.deliveries.values().any(|one| {
            one.about == about.word()
                && is_meant(&one.channel)
                && clock(&one.message).is_some_and(|clock| clock >= at.timestamp_millis())
        })
    }

    /// The keys under which these channels may have heard a call.
    pub fn heard(&self, is_pager: impl Fn(&str) -> bool) -> Vec<(&str, &str)> {
        let may_have = |one: &&Delivery| {
            one.page
                && is_pager(&one.channel)
                && (one.may_have_arrived || matches!(one.state, DeliveryState::Accepted | DeliveryState::Queued))
        };
        self.deliveries
            .values()
            .filter(may_have)
            .filter_map(|one| Some((one.channel.as_str(), one.key.as_deref()?)))
            .collect()
    }
}
