//! What one look shows, as data: sections of lines that can be chosen. It is drawn, recorded and replayed as it is.

use std::rc::Rc;

use chrono::{DateTime, Utc};
use liveops_domain::text::shell::word;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::output::block::{Span, Tone, span};

/// One look at everything.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Board {
    pub(crate) at: DateTime<Utc>,
    /// The verdict's word and tone.
    pub(crate) verdict: Span,
    /// Why, with names.
    pub(crate) headline: String,
    /// `project · environment`.
    pub(crate) place: String,
    /// What a good colleague would say next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
    #[serde(serialize_with = "write", deserialize_with = "read")]
    pub(crate) sections: Vec<Rc<Section>>,
}

fn write<S: Serializer>(sections: &[Rc<Section>], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(sections.iter().map(AsRef::as_ref))
}

fn read<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Rc<Section>>, D::Error> {
    Ok(Vec::<Section>::deserialize(from)?.into_iter().map(Rc::new).collect())
}

/// Lines of one kind under a title.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Section {
    pub(crate) kind: Kind,
    /// What may not be true any more, since a source is silent: `as of 03:12:40Z`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) stale: Option<String>,
    pub(crate) items: Vec<Item>,
}

/// The sections, in their order on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Incidents,
    /// Whatever is not normal, the worst first.
    Wrong,
    Changes,
    Rollouts,
    Flags,
    Sources,
    /// What is as it should be; folded into one line until it is opened.
    Normal,
}

impl Kind {
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Incidents => "Open incidents",
            Self::Wrong => "Not normal",
            Self::Changes => "Changed in the last hour",
            Self::Rollouts => "Rollouts and ramps",
            Self::Flags => "Flags",
            Self::Sources => "Sources",
            Self::Normal => "Normal",
        }
    }

    /// The words of the command that prints the same.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Incidents => "incident list",
            Self::Wrong | Self::Normal => "status",
            Self::Changes => "changes --since 1h",
            Self::Rollouts => "rollout status",
            Self::Flags => "flag list",
            Self::Sources => "doctor",
        }
    }

    /// Does it stand in the second column, where there is room for two?
    pub(crate) fn is_aside(self) -> bool {
        matches!(self, Self::Changes | Self::Rollouts | Self::Flags | Self::Sources)
    }
}

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Item {
    pub(crate) subject: Subject,
    pub(crate) tone: Tone,
    /// What sorts and filters find it by.
    pub(crate) name: String,
    /// The text behind the mark.
    pub(crate) spans: Vec<Span>,
    /// The command that takes it back, or what made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) undo: Option<String>,
    /// Where its name leads to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) link: Option<String>,
}

impl Item {
    /// A line without a way back and without a link.
    pub(crate) fn new(subject: Subject, tone: Tone, name: &str, spans: Vec<Span>) -> Self {
        Self { subject, tone, name: name.to_owned(), spans, undo: None, link: None }
    }

    /// The same as it was then, and may not be any more.
    pub(crate) fn aged(mut self, at: DateTime<Utc>) -> Self {
        self.spans.iter_mut().for_each(|span| span.tone = Tone::Dim);
        self.spans.push(span(format!("  as of {}", at.format("%H:%M:%SZ")), Tone::Unknown));
        Self { tone: Tone::Unknown, ..self }
    }

    /// The line as plain text.
    pub(crate) fn text(&self) -> String {
        self.spans.iter().map(|span| span.text.as_str()).collect()
    }

    /// The worst first: broken, unknown, in warning, the rest.
    pub(crate) fn rank(&self) -> u8 {
        match self.tone {
            Tone::Bad => 0,
            Tone::Unknown => 1,
            Tone::Warn => 2,
            _ => 3,
        }
    }
}

/// What a line is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Subject {
    Incident(String),
    Service(String),
    Kpi(String),
    /// Several, of which nothing is known.
    Kpis,
    Alert(String),
    Target(String),
    /// The id, where liveops made it and can take it back.
    Change(Option<String>),
    /// Of this flag, made by anybody.
    FlagChange(String),
    Rollout(String),
    Ramp(String),
    Flag(String),
    Objective(String),
    /// All flags.
    Flags,
    Source(String),
}

impl Subject {
    /// The commands that show it whole, without `liveops`.
    pub(crate) fn commands(&self) -> Vec<String> {
        let one = |text: String| vec![text];
        match self {
            Self::Incident(id) => {
                vec![format!("incident show -i {}", word(id)), format!("incident timeline {}", word(id))]
            }
            Self::Service(name) => one(format!("health detailed --service {}", word(name))),
            Self::Kpi(name) => {
                vec![format!("query --kpi {} --plot --changes", word(name))]
            }
            Self::Kpis => one("status".into()),
            Self::Alert(name) => one(format!("alerts explain {}", word(name))),
            Self::Target(_) | Self::Source(_) => one("doctor".into()),
            Self::Change(Some(id)) => one(format!("audit show {}", word(id))),
            Self::FlagChange(flag) => one(format!("flag history {}", word(flag))),
            Self::Change(None) => one("changes --since 1h".into()),
            Self::Rollout(service) => one(format!("rollout status {}", word(service))),
            Self::Ramp(flag) => one(format!("flag ramp status {}", word(flag))),
            Self::Flag(name) => vec![format!("flag get {}", word(name)), format!("flag history {}", word(name))],
            Self::Flags => one("flag list".into()),
            Self::Objective(name) => {
                vec![format!("slo status {}", word(name)), format!("slo budget {} --explain", word(name))]
            }
        }
    }

    /// Does its line end with what a program said?
    pub(crate) fn ends_with_error(&self) -> bool {
        matches!(self, Self::Target(_) | Self::Source(_) | Self::Service(_))
    }

    /// The command that takes it back, where it is a change.
    pub(crate) fn undo(&self) -> Option<String> {
        match self {
            Self::Change(Some(id)) => Some(format!("undo {}", word(id))),
            Self::FlagChange(flag) => Some(format!("flag undo {}", word(flag))),
            _ => None,
        }
    }
}

impl Board {
    /// The sections that differ from those of the look before, and the frame: what a recording keeps.
    pub(crate) fn changed_since(&self, before: Option<&Self>) -> Self {
        let known = |section: &Rc<Section>| before.is_some_and(|board| board.sections.contains(section));
        let new = self.sections.iter().filter(|section| !known(section)).cloned();
        // What is gone is written as empty.
        let gone = before.into_iter().flat_map(|board| &board.sections).map(|section| section.kind);
        let gone = gone.filter(|kind| self.section(*kind).is_none());
        let gone = gone.map(|kind| Rc::new(Section { kind, stale: None, items: Vec::new() }));
        Self { sections: new.chain(gone).collect(), ..self.clone() }
    }

    /// The look that `changed` makes of this one.
    pub(crate) fn with(&self, changed: Self) -> Self {
        let kept = self.sections.iter().filter(|old| changed.sections.iter().all(|new| new.kind != old.kind));
        let all = kept.chain(&changed.sections).filter(|section| !section.items.is_empty());
        let mut sections: Vec<Rc<Section>> = all.cloned().collect();
        sections.sort_by_key(|section| section.kind);
        Self { sections, ..changed }
    }

    /// The section of this kind.
    pub(crate) fn section(&self, kind: Kind) -> Option<&Section> {
        self.sections.iter().find(|section| section.kind == kind).map(AsRef::as_ref)
    }

    /// Does it show the same, at whatever time?
    pub(crate) fn shows_same(&self, other: &Self) -> bool {
        let Self { at, verdict, headline, place, next, sections } = self;
        let minute = |at: DateTime<Utc>| at.timestamp().div_euclid(60);
        (verdict, headline, place, next) == (&other.verdict, &other.headline, &other.place, &other.next)
            && *sections == other.sections
            && minute(*at) == minute(other.at)
    }

    /// The last look of an earlier run: what it says was true then.
    pub(crate) fn remembered(mut self) -> Self {
        let then = self.at.format("%Y-%m-%d %H:%M:%SZ");
        self.headline = format!("at {then} it was {}: {}", self.verdict.text, self.headline);
        self.verdict = span("ASKING", Tone::Unknown);
        let stale = format!("as of {}", self.at.format("%H:%M:%SZ"));
        for section in &mut self.sections {
            let mut aged = Section { stale: Some(stale.clone()), ..section.as_ref().clone() };
            aged.items.iter_mut().flat_map(|item| &mut item.spans).for_each(|span| span.tone = Tone::Dim);
            *section = Rc::new(aged);
        }
        self
    }

    /// Takes what is equal from the look before, so that an hour of looks is not an hour of copies.
    pub(crate) fn share(&mut self, before: &Self) {
        for section in &mut self.sections {
            if let Some(same) = before.sections.iter().find(|old| *old == section) {
                *section = Rc::clone(same);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::block::plain;

    fn board(names: &[&str]) -> Board {
        let item = |name: &&str| Item::new(Subject::Service((*name).into()), Tone::Bad, name, vec![plain(*name)]);
        let section = |kind, items| Rc::new(Section { kind, stale: None, items });
        Board {
            at: DateTime::UNIX_EPOCH,
            verdict: span("CRITICAL", Tone::Bad),
            headline: "game down".into(),
            place: "lab".into(),
            next: None,
            sections: vec![
                section(Kind::Wrong, names.iter().map(item).collect()),
                section(Kind::Normal, vec![item(&"lobby")]),
            ],
        }
    }

    #[test]
    fn what_changed_makes_the_next_look_of_the_last() {
        let (first, second) = (board(&["game"]), board(&["game", "shop"]));
        let delta = second.changed_since(Some(&first));
        assert_eq!(delta.sections.len(), 1, "what stays is not written again");
        let read: Board = serde_json::from_str(&serde_json::to_string(&delta).expect("JSON")).expect("it reads back");
        assert_eq!(first.with(read), second);
        assert_eq!(first.changed_since(None), first);
        let calm = Board { sections: second.sections[1..].to_vec(), ..second.clone() };
        assert_eq!(second.with(calm.changed_since(Some(&second))), calm, "what is gone does not stay");
    }

    #[test]
    fn names_cannot_leave_their_word_of_a_command() {
        assert_eq!(Subject::Alert("a; rm -rf /".into()).commands(), ["alerts explain 'a; rm -rf /'"]);
    }
}
