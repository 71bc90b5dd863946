//! Names that the last answers had, for the shell's Tab: it waits for no server.

use std::collections::BTreeMap;

use crate::session::{Session, cache};
use liveops_domain::alert::Alert;
use liveops_domain::alert::rule::Rule;
use liveops_domain::alert::silence::Silence;

/// What has names on a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    Alert,
    Silence,
    Flag,
}

impl Named {
    fn key(self) -> &'static str {
        match self {
            Self::Alert => "names/alert",
            Self::Silence => "names/silence",
            Self::Flag => "names/flag",
        }
    }
}

/// More than anybody reads; a broken exporter may have any number.
const MOST: usize = 2000;

/// The names of the last answer, each with what it is.
pub fn remembered(cx: &Session, what: Named) -> BTreeMap<String, String> {
    cache(cx).ok().and_then(|cache| cache.load(what.key())).unwrap_or_default()
}

/// Keeps the names of an answer.
pub fn remember(cx: &Session, what: Named, names: impl Iterator<Item = (String, String)>) {
    let names: BTreeMap<String, String> = names.take(MOST).collect();
    if let Ok(cache) = cache(cx)
        && cache.load::<BTreeMap<String, String>>(what.key()).as_ref() != Some(&names)
    {
        cache.save(what.key(), &names);
    }
}

/// Keeps the names of alerts: those that fire, and all that rules know.
pub fn remember_alerts(cx: &Session, alerts: &[Alert], rules: Option<&[Rule]>) {
    let of_rule = |rule: &Rule| {
        let summary = rule.alerting.as_ref()?.annotations.get("summary").cloned().unwrap_or_default();
        Some((rule.name.clone(), summary))
    };
    let firing = alerts.iter().map(|alert| {
        let summary = alert.annotations.get("summary").map_or("", String::as_str);
        (alert.name.clone(), format!("fires: {summary}").trim_end_matches(": ").to_owned())
    });
    remember(cx, Named::Alert, rules.into_iter().flatten().filter_map(of_rule).chain(firing));
}

/// Keeps the ids of silences that have not ended.
pub fn remember_silences(cx: &Session, silences: &[Silence]) {
    use liveops_domain::alert::matcher::show;
    use liveops_domain::alert::silence::SilenceState;
    let live = silences.iter().filter(|one| one.state != SilenceState::Expired);
    let words = live.map(|one| (one.id.clone(), format!("{}: {}", show(&one.draft.matchers), one.draft.comment)));
    remember(cx, Named::Silence, words);
}
