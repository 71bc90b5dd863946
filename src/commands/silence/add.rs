//! `liveops silence add`: preview, confirm, add.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;
use serde::Serialize;

use crate::changed::ChangeReport;
use crate::commands::alerts::{lines, matchers};
use crate::context::Context;
use crate::output::block::{Block, Tone, span};
use liveops_domain::alert::matcher::{Matcher, show};
use liveops_domain::alert::silence::{Draft, Silence, SilenceState, Unsafe, check};
use liveops_domain::alert::{Alert, AlertState, Urgency, group, urgency};
use liveops_domain::change::undo::silence::SilenceUndo;
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::text::count::count;
use liveops_domain::text::duration;
use liveops_domain::text::duration::human;
use liveops_domain::text::said;
use liveops_domain::text::suggest::nearest;
use liveops_engine::change::{Done, Plan};
use liveops_engine::clients::alertmanager::Alertmanager;
use liveops_engine::clients::http::request::Effort;
use liveops_engine::clients::prometheus::Prometheus;
use liveops_engine::session::alertmanager;

/// Groups that a preview lists; the others are counted.
const PREVIEW: usize = 8;

/// Add a silence, after a look at what it would hide
///
/// All matchers must hold for an alert to be hidden. A silence that would hide (nearly) everything is refused, and one
/// that is longer than the cap needs `--force`. When the answer of Alertmanager is lost, liveops looks before it tries
/// again, so there is never a second one.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops silence add GameServerDown instance=eu-3 --for 2h --reason \"new disk\"
  liveops silence add 'region=~\"eu-.*\"' --for 30m --reason network --dry-run
  liveops silence add TrafficFlood --for 6h --reason \"load test\" --force --yes")]
pub(crate) struct AddArgs {
    /// What to hide: NAME=VALUE, NAME!=VALUE, NAME=~REGEX, NAME!~REGEX, or the name of an alert
    #[arg(value_name = "MATCHER", required = true)]
    matchers: Vec<String>,

    /// How long, such as 2h or 30m
    #[arg(long = "for", value_name = "DURATION", value_parser = duration::parse_positive)]
    length: Duration,

    /// Why; the next engineer reads it. A dry run needs none
    #[arg(long, alias = "comment", value_name = "TEXT", value_parser = said, required_unless_present = "dry_run")]
    reason: Option<String>,

    /// Who wants it [default: you]
    #[arg(long, value_name = "NAME", value_parser = said)]
    by: Option<String>,

    /// Allow more than the cap of the configuration
    #[arg(long)]
    force: bool,
}

/// What came of it.
#[derive(Serialize)]
struct Added {
    /// Its id; none in a dry run.
    silence: Option<String>,
    draft: Draft,
    hides: Hides,
}

/// What it hides now.
#[derive(Clone, Serialize)]
struct Hides {
    count: usize,
    matches: usize,
    names: Vec<String>,
    critical: usize,
}

/// What the silence would hide, and what is odd about it.
struct Preview {
    /// Alerts that it matches, those that are quiet already too.
    alerts: Vec<Alert>,
    warnings: Vec<String>,
    notes: Vec<String>,
}

pub(super) async fn run(args: AddArgs, cx: &Context) -> Result<Exit> {
    let matchers = matchers(&args.matchers)?;
    let cap = cx.config()?.settings.max_silence;
    check(&matchers, args.length, cap, args.force).map_err(|why| refused(&why))?;
    let now = cx.clock.now();
    let by = args.by.unwrap_or_else(|| cx.actor.clone());
    let draft = draft(matchers, args.length, now, by, args.reason.unwrap_or_default())?;
    let client = alertmanager(cx)?;
    let preview = look(cx, &client, &draft).await?;
    let loud = preview.loud().len();
    let plan = Plan {
        action: "silence.add",
        summary: format!(
            "silence {} for {}, until {}; it hides {} now",
            show(&draft.matchers),
            human(args.length),
            draft.ends_at.format("%FT%TZ"),
            alerts(loud)
        ),
        undo: Some(SilenceUndo::ExpireSilenceLike { silence: draft.clone() }.into()),
        kill_switch: false,
        undoes: None,
    };
    let hides = Hides {
        count: loud,
        matches: preview.alerts.len(),
        names: preview.names(),
        critical: preview.critical().len(),
    };
    let result = |silence| Added { silence, draft: draft.clone(), hides: hides.clone() };
    let mut report = ChangeReport::of(cx, plan, preview.blocks(cx), result(None), async |confirmed| {
        let id = client.set_silence(&draft, None, confirmed).await?;
        let undo = SilenceUndo::ExpireSilence { id: id.clone(), expected: draft.ends_at };
        Ok(Done { result: result(Some(id)), undo: Some(undo.into()) })
    })
    .await?;
    if let Some(line) = report.result().silence.as_ref().map(|id| format!("silence {id}")) {
        report = report.detail(line);
    }
    // A person has read them in the preview, unless there was none.
    if cx.choices.yes || cx.output.format().is_machine() {
        report = report.warnings(preview.warnings);
    }
    report.show(cx)?;
    Ok(Exit::Good)
}

fn refused(why: &Unsafe) -> Error {
    let hint = match why {
        Unsafe::Everything(_) => {
            "narrow it: name the alert, or a label with a value, such as `GameServerDown region=eu`"
        }
        Unsafe::Contradiction { .. } => "add one silence for each, or use a regular expression",
        Unsafe::TooLong { .. } => {
            "make it shorter and extend it when needed, or pass `--force`; the cap is `silences.max` of the configuration"
        }
    };
    Error::usage(why.to_string(), hint)
}

/// The silence, in whole seconds, since that is how people read its end.
fn draft(
    matchers: Vec<Matcher>,
    length: Duration,
    now: DateTime<Utc>,
    created_by: String,
    comment: String,
) -> Result<Draft> {
    let starts_at = whole(now);
    let ends_at =
        TimeDelta::from_std(length).ok().and_then(|length| starts_at.checked_add_signed(length)).ok_or_else(|| {
            Error::usage(format!("`{}` is too long for a silence", human(length)), "give it hours, such as `--for 2h`")
        })?;
    Ok(Draft { matchers, starts_at, ends_at, created_by, comment, other: serde_json::Map::new() })
}

/// A time without its part of a second.
pub(super) fn whole(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp(at.timestamp(), 0).unwrap_or(at)
}

/// `1 alert`, `3 alerts`, `nothing`.
pub(super) fn alerts(n: usize) -> String {
    if n == 0 { "nothing".into() } else { count(n, "alert") }
}

/// Asks what there is: the alerts, the silences, and the names that rules have.
async fn look(cx: &Context, client: &Alertmanager<'_>, draft: &Draft) -> Result<Preview> {
    let rules = async {
        let prometheus = Prometheus::new(cx.http()?, cx.prometheus()?, Effort::Quick);
        prometheus.rules(&cx.clock).await?.whole()
    };
    // What a regular expression hides is for Alertmanager to say.
    let judged = async {
        match draft.matchers.iter().any(|matcher| matcher.is_regex) {
            true => client.alerts(&draft.matchers).await.map(Some),
            false => Ok(None),
        }
    };
    let (all, judged, silences, rules) = tokio::join!(client.alerts(&[]), judged, client.silences(), rules);
    let (all, judged) = (all?, judged?);
    let hides = |alert: &&Alert| match &judged {
        Some(judged) => judged.iter().any(|one| one.labels == alert.labels),
        None => draft.hides(&alert.labels),
    };
    let mut preview =
        Preview { warnings: Vec::new(), notes: Vec::new(), alerts: all.iter().filter(hides).cloned().collect() };
    let critical = preview.critical();
    if !critical.is_empty() {
        preview.warnings.push(format!(
            "it hides {}: {}",
            match critical.len() {
                1 => "a CRITICAL alert".to_owned(),
                n => format!("{n} CRITICAL alerts"),
            },
            names(&critical)
        ));
    }
    let firing = all.iter().filter(|alert| alert.state.is_loud()).count();
    if firing > 2 && preview.loud().len() == firing {
        preview.warnings.push(format!("that is everything that fires now: {}", count(firing, "alert")));
    }
    preview.notes.extend(twin(cx, draft, &silences?));
    if preview.alerts.is_empty() {
        preview.warnings.extend(unknown_labels(draft, &all));
    }
    let names: Option<Vec<String>> = rules.ok().map(|rules| {
        let made = rules.into_iter().filter(|rule| rule.alerting.is_some());
        made.map(|rule| rule.name).chain(all.into_iter().map(|alert| alert.name)).collect()
    });
    preview.warnings.extend(names.and_then(|names| misspelt(draft, &names)));
    Ok(preview)
}

/// A silence that already does the same.
fn twin(cx: &Context, draft: &Draft, silences: &[Silence]) -> Option<String> {
    let found = silences
        .iter()
        .find(|silence| silence.state == SilenceState::Active && silence.draft.has_same_matchers(draft))?;
    Some(format!(
        "silence {} does the same until {}; to make it longer: {}",
        found.id,
        found.draft.ends_at.format("%FT%TZ"),
        cx.command(&format!("silence extend {} --for 1h", found.id))
    ))
}

/// An alert name that nobody has heard of: probably a slip, and a silence that hides nothing.
fn misspelt(draft: &Draft, names: &[String]) -> Option<String> {
    let name = draft
        .matchers
        .iter()
        .find(|matcher| matcher.name == "alertname")
        .and_then(Matcher::exact)
        .filter(|name| !names.iter().any(|known| known == name))?;
    let near = nearest(name, names.iter().map(String::as_str));
    Some(match near {
        Some(near) => format!("no rule and no alert is called `{name}`; did you mean `{near}`?"),
        None => format!("no rule and no alert is called `{name}`"),
    })
}

/// Labels, and values of them, that no alert has now: with what comes near.
fn unknown_labels(draft: &Draft, alerts: &[Alert]) -> Vec<String> {
    let others = draft.matchers.iter().filter(|one| !alerts.is_empty() && one.name != "alertname");
    let warning = |matcher: &Matcher| {
        let values: Vec<&str> =
            alerts.iter().filter_map(|one| one.labels.get(&matcher.name)).map(String::as_str).collect();
        if values.is_empty() {
            let labels = alerts.iter().flat_map(|one| one.labels.keys()).map(String::as_str);
            let near =
                nearest(&matcher.name, labels).map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            return Some(format!("no alert has the label `{}` now{near}", matcher.name));
        }
        let value = matcher.exact().filter(|value| !values.contains(value))?;
        let near = nearest(value, values.iter().copied())?;
        Some(format!("no alert has {}=`{value}` now; did you mean `{near}`?", matcher.name))
    };
    others.filter_map(warning).collect()
}

/// Each name once, in order.
fn names(all: &[String]) -> String {
    let mut names = all.to_vec();
    names.sort();
    names.dedup();
    names.join(", ")
}

impl Preview {
    /// What pages now and would not any more.
    fn loud(&self) -> Vec<&Alert> {
        let is_loud = |alert: &&Alert| alert.state == AlertState::Firing;
        self.alerts.iter().filter(is_loud).collect()
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.loud().iter().map(|alert| alert.name.clone()).collect();
        names.sort();
        names.dedup();
        names
    }

    /// The name of each critical alert that pages now.
    fn critical(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .loud()
            .iter()
            .filter(|alert| urgency(alert.severity.as_deref()) == Urgency::Page)
            .map(|alert| alert.name.clone())
            .collect();
        names.sort();
        names
    }

    fn blocks(&self, cx: &Context) -> Vec<Block> {
        let view = cx.output.view(cx.clock.now());
        let mut blocks = Vec::new();
        if self.alerts.is_empty() {
            blocks.push(Block::text("it matches nothing now; it will hide what fires while it lasts"));
        } else {
            blocks.push(Block::heading("it matches now:"));
            blocks.extend(lines::groups(&group(&self.alerts), PREVIEW, &view));
        }
        for warning in &self.warnings {
            blocks.push(Block::Whole(vec![span("WARNING: ", Tone::Bad), span(warning, Tone::Strong)]));
        }
        for note in &self.notes {
            blocks.push(Block::Whole(vec![span(format!("note: {note}"), Tone::Dim)]));
        }
        blocks.push(Block::Blank);
        blocks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(text: &str) -> Draft {
        Draft {
            matchers: vec![Matcher::parse(text).expect("valid")],
            starts_at: DateTime::default(),
            ends_at: DateTime::default(),
            created_by: String::new(),
            comment: String::new(),
            other: serde_json::Map::new(),
        }
    }

    #[test]
    fn a_label_that_no_alert_has_is_pointed_out() {
        let alert = Alert { labels: [("region".to_owned(), "eu-3".to_owned())].into(), ..Alert::default() };
        let warned = |text: &str| unknown_labels(&draft(text), std::slice::from_ref(&alert)).pop().unwrap_or_default();
        assert_eq!(warned("regoin=eu-3"), "no alert has the label `regoin` now; did you mean `region`?");
        assert_eq!(warned("region=eu-4"), "no alert has region=`eu-4` now; did you mean `eu-3`?");
        assert_eq!(warned("region=eu-3"), "");
        assert_eq!(warned("region=asia"), "", "another place may fire later");
    }

    #[test]
    fn a_name_that_nobody_knows_is_pointed_out() {
        let names = ["GameServerDown".to_owned()];
        assert!(
            misspelt(&draft("GameSeverDown"), &names)
                .is_some_and(|text| text.ends_with("did you mean `GameServerDown`?"))
        );
        assert_eq!(misspelt(&draft("GameServerDown"), &names), None);
        assert_eq!(misspelt(&draft("region=eu"), &names), None);
        assert_eq!(misspelt(&draft("alertname=~X.*"), &names), None);
    }
}
