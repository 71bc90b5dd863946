//! A channel of the configuration with its secrets, and the test of all channels.

use futures_util::future::join_all;

use crate::change::confirmed::Confirmed;
use crate::clients::notify::{Sent, Transport, probe, send};
use crate::config::environment::variable;
use crate::config::notify::{Channel, ChannelKind};
use crate::incident::deliver::{DeliveryResult, state_of};
use crate::incident::wording::words;
use crate::session::Session;
use liveops_domain::error::{Error, Result};
use liveops_domain::incident::message::Message;
use liveops_domain::incident::notice::About;

/// The channel of this name.
pub fn channel<'a>(cx: &'a Session, name: &str) -> Result<&'a Channel> {
    let channels = &cx.config()?.settings.notify.channels;
    let found = channels.iter().find(|channel| channel.name == name);
    found.ok_or_else(|| Error::NotFound {
        what: "channel",
        name: name.to_owned(),
        candidates: channels.iter().map(|one| one.name.clone()).collect(),
    })
}

/// The channel with its secrets.
pub fn transport(cx: &Session, channel: &Channel) -> Result<Transport> {
    let target = || {
        let endpoint = channel.endpoint.as_ref();
        let endpoint = endpoint.ok_or_else(|| Error::internal("a channel without an endpoint"))?;
        cx.target(&channel.name, endpoint)
    };
    let key = || -> Result<Option<_>> {
        let Some(key) = &channel.key else {
            return Ok(None);
        };
        let (_, headers) = cx.config()?.reveal(&channel.name, key)?;
        Ok(headers.into_iter().next().map(|(_, key)| key))
    };
    Ok(match &channel.kind {
        ChannelKind::Slack => Transport::Slack(target()?.hidden()),
        ChannelKind::Discord => Transport::Discord(target()?.hidden()),
        ChannelKind::PagerDuty => Transport::PagerDuty {
            target: target()?,
            key: key()?.ok_or_else(|| Error::internal("a pager without a key"))?,
        },
        ChannelKind::Webhook => Transport::Webhook { target: target()?.hidden(), secret: key()? },
        ChannelKind::Email { from, to, hello } => {
            let endpoint = channel.endpoint.as_ref();
            let endpoint = endpoint.ok_or_else(|| Error::internal("a channel without an endpoint"))?;
            Transport::Email {
                url: cx.config()?.reveal(&channel.name, endpoint)?.0,
                from: from.clone(),
                to: to.clone(),
                hello: hello.clone(),
            }
        }
        ChannelKind::Exec { command, .. } => {
            cx.config()?.permit_channel(channel)?;
            Transport::Exec { command: command.clone(), path: variable("PATH").unwrap_or_default() }
        }
    })
}

/// Tries every channel, or one, with a message that calls nobody; with `real`, as if it were meant.
pub async fn test(
    cx: &Session,
    only: Option<&str>,
    message: &Message,
    real: bool,
    confirmed: &Confirmed,
) -> Result<Vec<DeliveryResult>> {
    if let Some(name) = only {
        channel(cx, name)?;
    }
    let channels = cx.config()?.settings.notify.channels.iter();
    let channels = channels.filter(|channel| only.is_none_or(|name| name == channel.name));
    let tried = channels.map(async |channel| {
        let sent = match (transport(cx, channel), cx.http()) {
            (Ok(transport), Ok(http)) => {
                let words = words(cx, channel.word(), message);
                let now = cx.clock.now();
                if real {
                    let sent = send(http, &transport, message, &words, now, confirmed).await;
                    // What was begun for a test is ended at once.
                    let end = Message { about: About::Resolved, ..message.clone() };
                    if channel.kind == ChannelKind::PagerDuty {
                        let _ = send(http, &transport, &end, &words, now, confirmed).await;
                    }
                    sent
                } else {
                    probe(http, &transport, message, &words, now, confirmed).await
                }
            }
            (Err(error), _) | (_, Err(error)) => Sent::Refused(error.to_string()),
        };
        let (state, reason) = state_of(sent);
        DeliveryResult { channel: channel.name.clone(), kind: channel.word(), page: false, state, reason }
    });
    Ok(join_all(tried).await)
}
