//! `notify.schedule`: who is on call, by a calendar or in turn, and by which channels each is called.

use std::collections::BTreeSet;
use std::str::FromStr;

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};

use crate::config::decode::{Problems, Section};
use crate::config::node::Node;
use crate::config::notify::{Channel, parsed, texts, words};
use crate::config::trust::Place;
use liveops_domain::incident::rota::{Handover, Rota, Rotation, Shift};
use liveops_domain::text::suggest::nearest;
use liveops_domain::zone::Zone;

/// What a rule writes in the place of a channel: whoever is on call.
pub const ON_CALL: &str = "on-call";

/// Who is on call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// A calendar file, relative to the file that names it.
    pub calendar: Option<Place>,
    /// What stands in the configuration itself.
    pub rota: Rota,
    /// Person → channels, the first to be called first.
    pub people: Vec<(String, Vec<String>)>,
}

/// Reads the section.
pub fn decode(top: &mut Section<'_>, channels: &[Channel], problems: &mut Problems) -> Option<Schedule> {
    let node = top.get("schedule")?;
    let path = top.path("schedule");
    let mut section = Section::open(node, path.clone(), problems);
    let zone = section.parse("time_zone", problems, Zone::from_str).unwrap_or_default();
    let calendar = section.place("who", "the on-call calendar", problems);
    let rotation = section.get("rotation").map(|node| rotation(node, &format!("{path}.rotation"), problems));
    if calendar.is_none() && rotation.is_none() {
        let message = "`who` (a calendar: `who: rota.ics`) or `rotation` is missing";
        problems.error(&node.origin, &path, message);
    }
    let overrides = section.list("overrides", problems).iter().enumerate();
    let overrides: Vec<Shift> = overrides
        .filter_map(|(index, node)| replaced(node, &format!("{path}.overrides[{index}]"), zone, problems))
        .collect();
    let people: Vec<(String, Vec<String>)> = section
        .entries("people", problems)
        .into_iter()
        .map(|(name, node)| {
            let path = format!("{path}.people.{name}");
            let ways = texts(node, &path, problems);
            for way in ways.iter().filter(|way| channels.iter().all(|channel| channel.name != **way)) {
                let near = nearest(way, channels.iter().map(|channel| channel.name.as_str()));
                let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
                problems.error(&node.origin, &path, format!("there is no channel `{way}`{near}"));
            }
            (name.to_owned(), ways)
        })
        .collect();
    let is_reached = |who: &String| {
        people.iter().any(|(name, _)| name.eq_ignore_ascii_case(who)) || channels.iter().any(|one| one.name == *who)
    };
    let message = |who: &String| format!("nothing reaches `{who}`: write `people: {{ {who}: CHANNEL }}`");
    for who in rotation.iter().flat_map(|rotation| &rotation.order).filter(|who| !is_reached(who)) {
        problems.error(&node.origin, &path, message(who));
    }
    // Somebody else is called in the meantime: no reason to page nobody at all.
    let replacing: BTreeSet<&String> = overrides.iter().map(|shift| &shift.who).collect();
    for who in replacing.into_iter().filter(|who| !is_reached(who)) {
        problems.warning(&node.origin, &path, message(who));
    }
    section.finish(problems);
    Some(Schedule { calendar, rota: Rota { zone, rotation, calendar: Vec::new(), overrides }, people })
}

fn rotation(node: &Node, path: &str, problems: &mut Problems) -> Rotation {
    let mut section = Section::open(node, path, problems);
    let order = words(&mut section, "order", problems);
    section.require("order", !order.is_empty(), problems);
    let day = |text: &str| {
        NaiveDate::from_str(text)
            .map_err(|_| format!("`{text}` is no day: write `2026-01-05`, the first person's first"))
    };
    let from = section.parse("from", problems, day);
    section.require("from", from.is_some(), problems);
    let handovers = parsed::<Handover>(&mut section, "handover", problems);
    section.require("handover", !handovers.is_empty(), problems);
    section.finish(problems);
    Rotation { order, from: from.unwrap_or_default(), handovers }
}

/// Somebody else for a time.
fn replaced(node: &Node, path: &str, zone: Zone, problems: &mut Problems) -> Option<Shift> {
    let mut section = Section::open(node, path, problems);
    let who = section.text("who", problems);
    section.require("who", who.is_some(), problems);
    let time = |text: &str| instant(text, zone);
    let from = section.parse("from", problems, time);
    section.require("from", from.is_some(), problems);
    let to = section.parse("to", problems, time);
    section.require("to", to.is_some(), problems);
    section.finish(problems);
    let shift = Shift { who: who?, from: from?, to: to? };
    if shift.from >= shift.to {
        problems.error(&node.origin, path, format!("ends before it begins: `{}`", shift.who));
    }
    Some(shift)
}

/// A time by the schedule's clocks, or RFC 3339.
fn instant(text: &str, zone: Zone) -> Result<DateTime<Utc>, String> {
    let local = || NaiveDateTime::parse_from_str(&text.replace('T', " "), "%Y-%m-%d %H:%M").ok();
    let exact = DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc());
    exact
        .or_else(|| Some(zone.instant(local()?)))
        .ok_or_else(|| format!("`{text}` is no time: write `2026-12-24 09:00`"))
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::config::node::Layer;
    use crate::config::notify;
    use crate::config::yaml::parse;

    fn read(schedule: &str) -> (Option<Schedule>, Vec<String>) {
        let yaml = format!(
            "notify:\n  channels: [{{ name: ada-phone, type: exec, command: call }}, {{ name: bob, type: exec, command: call }}]\n  rules: [{{ page: [on-call, bob] }}]\n  schedule: {schedule}\n"
        );
        let root = parse(&yaml, &Rc::new(Layer::User("config.yaml".into()))).expect("valid").root;
        let mut problems = Problems::default();
        let notify = notify::decode(&mut Section::open(&root, "", &mut problems), None, &mut problems);
        let told = problems.errors.iter().chain(&problems.warnings);
        (notify.schedule, told.map(ToString::to_string).collect())
    }

    #[test]
    fn a_rotation_with_overrides_and_the_channels_of_people() {
        let (schedule, errors) = read(
            "{ time_zone: Europe/Berlin, rotation: { order: [ada, bob], from: 2026-10-05, handover: 'mon 09:00' }, overrides: [{ who: bob, from: '2026-12-24 09:00', to: '2026-12-27T09:00:00Z' }], people: { ada: ada-phone } }",
        );
        assert_eq!(errors, Vec::<String>::new());
        let schedule = schedule.expect("a schedule");
        assert_eq!(schedule.people, [("ada".to_owned(), vec!["ada-phone".to_owned()])]);
        assert_eq!(schedule.rota.overrides[0].from.to_rfc3339(), "2026-12-24T08:00:00+00:00");
        assert!(read("{ who: rota.ics }").1.is_empty());
    }

    #[test]
    fn every_slip_is_told() {
        let turn = "rotation: { order: [bob], from: 2026-10-05, handover: '09:00' }";
        for (schedule, want) in [
            ("{}".to_owned(), "`rotation` is missing"),
            (format!("{{ {turn}, time_zone: Berlin }}"), "did you mean `Europe/Berlin`?"),
            (format!("{{ {turn}, people: {{ ada: ada-fone }} }}"), "did you mean `ada-phone`?"),
            ("{ rotation: { order: [cy], from: 2026-10-05, handover: '09:00' } }".into(), "nothing reaches `cy`"),
            ("{ rotation: { order: [bob], from: 2026-10-05, handover: noon } }".into(), "is no handover"),
            ("{ rotation: { order: [bob], handover: '09:00' } }".into(), "`from` is missing"),
            (
                format!("{{ {turn}, overrides: [{{ who: bob, from: '2026-12-24 09:00', to: '2026-12-23 09:00' }}] }}"),
                "ends before it begins",
            ),
        ] {
            let (_, errors) = read(&schedule);
            assert!(errors.len() == 1 && errors[0].contains(want), "{schedule}: {errors:?}");
        }
        let absent = "overrides: [{ who: zed, from: '2026-12-24 09:00', to: '2026-12-25 09:00' }]";
        let (schedule, warned) = read(&format!("{{ {turn}, {absent} }}"));
        assert_eq!(schedule.expect("pages go on").rota.overrides.len(), 1);
        assert!(warned.len() == 1 && warned[0].contains("nothing reaches `zed`"), "{warned:?}");
    }
}
