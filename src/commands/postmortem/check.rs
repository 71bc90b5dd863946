//! `liveops postmortem check`: what a document still lacks.

use std::io::ErrorKind;

use clap::Args;
use serde_json::Value;

use crate::context::Context;
use crate::gate::{Extra, GateArgs, finish};
use liveops_domain::check::finding::Findings;
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::postmortem::check::{RULES, check, finding};
use liveops_domain::postmortem::document::read;
use liveops_domain::status::source::Recommendation;
use liveops_domain::text::shell::word;
use liveops_domain::text::time::rfc3339;
use liveops_engine::check::gate::About;
use liveops_engine::check::input::shown;
use liveops_engine::files::open::read_text;
use liveops_engine::postmortem::source;

/// Check what a postmortem still lacks
///
/// Looks for what is left to fill in, missing sections, an impact without numbers, action items without an owner or a
/// date or past it, words of blame, and the deadline (48 hours for P1 and P2).
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops postmortem check
  liveops postmortem check matchmaking-down -o json")]
pub(crate) struct CheckArgs {
    /// Incident, or a part of its id [default: the last without a postmortem]
    #[arg(value_name = "ID")]
    pub(super) id: Option<String>,

    #[command(flatten)]
    gate: GateArgs,
}

pub(super) const ABOUT: About =
    About { name: "postmortem check", rules: RULES, nothing: "name an incident: `liveops incident list`" };

/// A document, checked.
pub(super) struct PostmortemCheck {
    pub(super) incident: String,
    pub(super) found: Findings,
    extra: Extra,
}

pub(super) async fn run(args: CheckArgs, cx: &Context) -> Result<Exit> {
    look(args.id.as_deref(), cx)?.show(&args.gate, cx).await
}

/// Reads and checks the document of an incident. That there is none is a finding once it is owed.
pub(super) fn look(id: Option<&str>, cx: &Context) -> Result<PostmortemCheck> {
    let log = source::which(cx, id)?;
    let one = &log.incident;
    let now = cx.clock.now();
    let path = source::document(cx, &one.id)?;
    let due = source::due(cx, one, now)?;
    let text = match read_text(&path) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(source) => {
            return Err(Error::Io { action: "read", path, source });
        }
    };
    let file = shown(cx, &path);
    let mut found = Findings::default();
    found.checked("postmortems", 1);
    let mut items = Vec::new();
    if let Some(text) = text {
        found.findings = check((&one.id, &file), &text, due, one.postmortem.at().is_some(), now);
        items = read(&text).items;
        found.sources.insert(file.clone(), text);
    } else {
        let why = match due {
            Some(due) if due < now => format!("it is not written, and was due at {}", rfc3339(due)),
            Some(due) => format!("it is not written; due at {}", rfc3339(due)),
            None => "it is not written".to_owned(),
        };
        let fix = format!("write it: `{}`", cx.command(&format!("postmortem new {}", word(&one.id))));
        found.add(finding("P01", &one.id, why).fix(fix));
    }
    let data = [
        ("incident", Value::from(one.id.as_str())),
        ("path", Value::from(file)),
        ("due", Value::from(due.map(rfc3339))),
        ("action_items", serde_json::to_value(items)?),
    ];
    let data = data.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let next = Some(next(cx, &one.id, &found));
    Ok(PostmortemCheck { incident: one.id.clone(), found, extra: Extra { data, next, ..Extra::default() } })
}

fn next(cx: &Context, incident: &str, found: &Findings) -> Recommendation {
    let (text, verb) = match found.findings.first().map(|one| one.id) {
        Some("P01") => ("write it", "new"),
        None => ("close it", "done"),
        Some(_) => ("check again", "check"),
    };
    Recommendation::new(text, cx.command(&format!("postmortem {verb} {}", word(incident))))
}

impl PostmortemCheck {
    /// Prints it.
    pub(super) async fn show(self, gate: &GateArgs, cx: &Context) -> Result<Exit> {
        finish(ABOUT, self.found, gate, self.extra, cx).await
    }
}
