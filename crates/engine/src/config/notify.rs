//! `notify`: the channels that reach people, and who is told of what. Secrets are references, as everywhere.

use std::str::FromStr;

use crate::config::decode::{Problems, Section};
use crate::config::endpoint;
use crate::config::endpoint::{Endpoint, HTTP};
use crate::config::node::{Node, Origin, Value};
use crate::config::schedule;
use crate::config::schedule::{ON_CALL, Schedule};
use crate::config::secret::{Secret, Source};
use liveops_domain::incident::notice::{About, Reach, Rule};
use liveops_domain::incident::severity::Severity;
use liveops_domain::text::suggest::nearest;

/// Where PagerDuty takes events, unless another region is said.
pub const PAGERDUTY: &str = "https://events.pagerduty.com";

/// A way to reach people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    pub name: String,
    pub kind: ChannelKind,
    /// Where it is, with headers; none for a program.
    pub endpoint: Option<Endpoint>,
    /// Its key (PagerDuty's routing key, the secret that signs a webhook), as the one header of an endpoint, so that
    /// the same trust holds for it.
    pub key: Option<Endpoint>,
}

/// What a channel is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChannelKind {
    Slack,
    Discord,
    PagerDuty,
    Webhook,
    Email {
        from: String,
        to: Vec<String>,
        /// The name in `EHLO`; that of the machine where it is left out.
        hello: Option<String>,
    },
    /// A program with its arguments; never a shell.
    Exec {
        command: Vec<String>,
        origin: Origin,
    },
}

impl Channel {
    /// The word for its kind.
    pub fn word(&self) -> &'static str {
        match self.kind {
            ChannelKind::Slack => "slack",
            ChannelKind::Discord => "discord",
            ChannelKind::PagerDuty => "pagerduty",
            ChannelKind::Webhook => "webhook",
            ChannelKind::Email { .. } => "email",
            ChannelKind::Exec { .. } => "exec",
        }
    }

    /// Does it wake people?
    pub fn reach(&self) -> Reach {
        match self.kind {
            ChannelKind::PagerDuty | ChannelKind::Email { .. } | ChannelKind::Exec { .. } => Reach::Pager,
            ChannelKind::Slack | ChannelKind::Discord | ChannelKind::Webhook => Reach::Room,
        }
    }
}

/// Channels and rules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notify {
    pub channels: Vec<Channel>,
    pub rules: Vec<Rule>,
    /// Who is on call.
    pub schedule: Option<Schedule>,
}

/// Reads `notify`, with the environment's own laid over it.
pub fn decode(top: &mut Section<'_>, over: Option<&Node>, problems: &mut Problems) -> Notify {
    let merged = match (top.get("notify"), over) {
        (None, None) => return Notify::default(),
        (Some(node), None) => node.clone(),
        (None, Some(over)) => over.clone(),
        (Some(node), Some(over)) => {
            let mut node = node.clone();
            node.merge(over.clone());
            node
        }
    };
    let mut section = Section::open(&merged, "notify", problems);
    let mut notify = Notify::default();
    for (index, node) in section.list("channels", problems).iter().enumerate() {
        if let Some(channel) = channel(node, index, problems) {
            if notify.channels.iter().any(|known| known.name == channel.name) {
                let path = format!("notify.channels.{}", channel.name);
                problems.error(&node.origin, &path, "a channel of this name exists already");
            }
            notify.channels.push(channel);
        }
    }
    notify.schedule = schedule::decode(&mut section, &notify.channels, problems);
    for (index, node) in section.list("rules", problems).iter().enumerate() {
        let path = format!("notify.rules[{index}]");
        notify.rules.push(rule(node, &path, &notify, problems));
    }
    section.finish(problems);
    notify
}

fn channel(node: &Node, index: usize, problems: &mut Problems) -> Option<Channel> {
    let name = node.get("name").and_then(Node::text);
    let path = name.map_or_else(|| format!("notify.channels[{index}]"), |name| format!("notify.channels.{name}"));
    let mut section = Section::open(node, &path, problems);
    let name = section.parse("name", problems, crate::config::decode::argument);
    section.require("name", name.is_some(), problems);
    let kinds = ["slack", "discord", "pagerduty", "webhook", "email", "exec"];
    let kind = section.parse("type", problems, |text| {
        kinds.into_iter().find(|known| *known == text).ok_or_else(|| {
            let near = nearest(text, kinds).map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            format!("must be one of {}, not `{text}`{near}", kinds.join(", "))
        })
    });
    section.require("type", kind.is_some(), problems);
    let (name, kind) = (name.unwrap_or_default(), kind?);
    let mut found = Channel { name, kind: ChannelKind::Slack, endpoint: None, key: None };
    match kind {
        "slack" | "discord" => {
            if kind == "discord" {
                found.kind = ChannelKind::Discord;
            }
            found.endpoint = url(&mut section, HTTP, problems);
            if let Some(endpoint) = &found.endpoint {
                refuse_hook(endpoint, &path, problems);
            }
        }
        "pagerduty" => {
            found.kind = ChannelKind::PagerDuty;
            found.endpoint = if section.get("url").is_some() {
                url(&mut section, HTTP, problems)
            } else {
                let source = Source::Template(PAGERDUTY.into());
                let origin = node.origin.clone();
                Some(Endpoint { url: Secret { source, origin }, headers: Vec::new(), is_channel: true })
            };
            let key = key(&mut section, "routing_key", problems);
            section.require("routing_key", key.is_some(), problems);
            found.key = beside(found.endpoint.as_ref(), "routing_key", key);
        }
        "webhook" => {
            found.kind = ChannelKind::Webhook;
            found.endpoint = url(&mut section, HTTP, problems);
            let headers = section.entries("headers", problems);
            let headers = headers.into_iter().filter_map(|(name, node)| {
                let key = format!("{path}.headers.{name}");
                Some((name.to_owned(), endpoint::header(name, node, &key, problems)?))
            });
            let headers: Vec<(String, Secret)> = headers.collect();
            if let Some(endpoint) = &mut found.endpoint {
                endpoint.headers = headers;
                // Its headers may be anything.
                endpoint.is_channel = false;
            }
            let key = key(&mut section, "secret", problems);
            found.key = beside(found.endpoint.as_ref(), "secret", key);
        }
        "email" => {
            found.endpoint = url(&mut section, &["smtp", "smtps"], problems);
            let from = section.text("from", problems);
            section.require("from", from.is_some(), problems);
            let to = words(&mut section, "to", problems);
            section.require("to", !to.is_empty(), problems);
            let hello = section.parse("hello", problems, crate::config::decode::argument);
            found.kind = ChannelKind::Email { from: from.unwrap_or_default(), to, hello };
        }
        _ => {
            // Whoever wrote the command has it run, whoever named the channel.
            let origin = node.get("command").map_or(&node.origin, |command| &command.origin).clone();
            let command = words(&mut section, "command", problems);
            section.require("command", !command.is_empty(), problems);
            found.kind = ChannelKind::Exec { command, origin };
        }
    }
    section.finish(problems);
    Some(found)
}

fn url(section: &mut Section<'_>, schemes: &[&str], problems: &mut Problems) -> Option<Endpoint> {
    let path = section.path("url");
    let url = section.get("url").and_then(|node| endpoint::checked_url(node, &path, schemes, problems));
    section.require("url", url.is_some(), problems);
    Some(Endpoint { url: url?, headers: Vec::new(), is_channel: true })
}

/// The URL of a chat's webhook is its password.
fn refuse_hook(endpoint: &Endpoint, path: &str, problems: &mut Problems) {
    let Source::Template(text) = &endpoint.url.source else {
        return;
    };
    let of_chat =
        ["hooks.slack.com/", "discord.com/api/", "discordapp.com/api/"].iter().any(|part| text.contains(part));
    if of_chat && endpoint.url.is_literal() {
        let message = "the URL of a webhook is a secret and must not stand in a file; write `${VARIABLE}` or `{file: PATH}` in its place";
        problems.error(&endpoint.url.origin, &format!("{path}.url"), message);
    }
}

fn key(section: &mut Section<'_>, name: &'static str, problems: &mut Problems) -> Option<Secret> {
    let path = section.path(name);
    let node = section.get(name)?;
    endpoint::header("secret", node, &path, problems)
}

fn beside(endpoint: Option<&Endpoint>, name: &str, key: Option<Secret>) -> Option<Endpoint> {
    Some(Endpoint { url: endpoint?.url.clone(), headers: vec![(name.to_owned(), key?)], is_channel: true })
}

/// A word, or a list of them.
pub fn words(section: &mut Section<'_>, key: &'static str, problems: &mut Problems) -> Vec<String> {
    let path = section.path(key);
    let Some(node) = section.get(key) else {
        return Vec::new();
    };
    texts(node, &path, problems)
}

/// As [`words`], of a node.
pub fn texts(node: &Node, path: &str, problems: &mut Problems) -> Vec<String> {
    if let Some(text) = node.text() {
        return vec![text.to_owned()];
    }
    let Value::List(items) = &node.value else {
        problems.error(&node.origin, path, "must be a word or a list of words");
        return Vec::new();
    };
    items
        .iter()
        .filter_map(|item| {
            if item.text().is_none() {
                problems.error(&item.origin, path, "must be a list of words");
            }
            item.text().map(ToOwned::to_owned)
        })
        .collect()
}

fn rule(node: &Node, path: &str, notify: &Notify, problems: &mut Problems) -> Rule {
    let mut section = Section::open(node, path, problems);
    let on = parsed::<About>(&mut section, "on", problems);
    let severity = parsed::<Severity>(&mut section, "severity", problems);
    let names: Vec<&str> = notify.channels.iter().map(|one| one.name.as_str()).collect();
    let known = |name: &String, origin: &Origin, problems: &mut Problems| {
        if !names.contains(&name.as_str()) {
            let near = nearest(name, names.iter().copied())
                .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            problems.error(origin, path, format!("there is no channel `{name}`{near}"));
        }
    };
    let mut page = Vec::new();
    if let Some(node) = section.get("page") {
        let groups = match &node.value {
            Value::List(items) => items.iter().collect(),
            _ => vec![node],
        };
        for group in groups {
            let group_names = texts(group, &format!("{path}.page"), problems);
            for name in &group_names {
                if name != ON_CALL {
                    known(name, &group.origin, problems);
                } else if notify.schedule.is_none() {
                    let message = "`on-call` needs a `schedule` below `notify`: `schedule: { who: rota.ics }`";
                    problems.error(&group.origin, path, message);
                }
            }
            page.push(group_names);
        }
    }
    let tell = words(&mut section, "tell", problems);
    for name in &tell {
        known(name, &node.origin, problems);
    }
    section.finish(problems);
    Rule { on, severity, page, tell }
}

/// Words that mean something.
pub fn parsed<T: FromStr<Err = String>>(
    section: &mut Section<'_>,
    key: &'static str,
    problems: &mut Problems,
) -> Vec<T> {
    let path = section.path(key);
    let Some(node) = section.get(key) else {
        return Vec::new();
    };
    texts(node, &path, problems)
        .iter()
        .filter_map(|text| match text.parse() {
            Ok(value) => Some(value),
            Err(what) => {
                problems.error(&node.origin, &path, what);
                None
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::config::node::Layer;
    use crate::config::yaml::parse;

    fn read(yaml: &str) -> (Notify, Vec<String>) {
        let layer = Rc::new(Layer::Project("liveops.yaml".into()));
        let root = parse(yaml, &layer).expect("valid").root;
        let mut problems = Problems::default();
        let mut top = Section::open(&root, "", &mut problems);
        let notify = decode(&mut top, None, &mut problems);
        top.finish(&mut problems);
        let errors = problems.errors.iter().map(ToString::to_string);
        (notify, errors.collect())
    }

    #[test]
    fn channels_of_every_kind_and_rules() {
        let (notify, errors) = read(
            "
notify:
  channels:
    - { name: oncall, type: pagerduty, routing_key: '${PD}' }
    - { name: team, type: slack, url: '${SLACK}' }
    - { name: guild, type: discord, url: { file: hook.txt } }
    - { name: mail, type: email, url: 'smtp://u:${PW}@h:587', from: a@h, to: [b@h, c@h] }
    - { name: hook, type: webhook, url: 'https://h/x', secret: '${S}', headers: { X-Team: ops } }
    - { name: phone, type: exec, command: [call, '{severity}'] }
  rules:
    - { on: [opened, escalated], severity: p1, page: [[oncall, phone], mail], tell: team }
    - { tell: [team, guild] }
",
        );
        assert_eq!(errors, Vec::<String>::new());
        let words: Vec<&str> = notify.channels.iter().map(Channel::word).collect();
        assert_eq!(words, ["pagerduty", "slack", "discord", "email", "webhook", "exec"]);
        assert_eq!(notify.rules[0].page, [vec!["oncall".to_owned(), "phone".into()], vec!["mail".into()]]);
        assert_eq!(notify.rules[1].tell, ["team", "guild"]);
        let pagerduty = notify.channels[0].endpoint.as_ref().expect("an endpoint");
        assert_eq!(pagerduty.url.show(), PAGERDUTY);
    }

    #[test]
    fn every_slip_is_told_and_no_secret_may_stand_in_a_file() {
        for (channel, want) in [
            ("{ name: a, type: slak, url: '${U}' }", "did you mean `slack`?"),
            ("{ name: a, type: slack }", "`url` is missing"),
            ("{ type: slack, url: '${U}' }", "`name` is missing"),
            ("{ name: a, type: slack, url: 'https://hooks.slack.com/services/T/B/canary' }", "is a secret"),
            ("{ name: a, type: discord, url: 'https://discord.com/api/webhooks/1/canary' }", "is a secret"),
            ("{ name: a, type: pagerduty, routing_key: canary }", "must not stand in a file"),
            ("{ name: a, type: pagerduty }", "`routing_key` is missing"),
            ("{ name: a, type: webhook, url: 'http://h', secret: canary }", "must not stand in a file"),
            (
                "{ name: a, type: email, url: 'smtp://u:canary@h', from: a@h, to: b@h }",
                "a password must not stand in a file",
            ),
            ("{ name: a, type: email, url: 'smtp://h', to: b@h }", "`from` is missing"),
            ("{ name: a, type: exec }", "`command` is missing"),
            ("{ name: a, type: exec, command: x, url: y }", "unknown key"),
        ] {
            let (_, errors) = read(&format!("notify: {{ channels: [{channel}] }}"));
            assert!(errors.len() == 1 && errors[0].contains(want), "{channel}: {errors:?}");
            assert!(!errors[0].contains("canary"), "{errors:?}");
        }
        let (_, errors) =
            read("notify: { channels: [{ name: team, type: exec, command: x }], rules: [{ on: closed, tell: taem }] }");
        assert!(errors[0].contains("nothing to tell of"), "{errors:?}");
        assert!(errors[1].contains("did you mean `team`?"), "{errors:?}");
    }
}
