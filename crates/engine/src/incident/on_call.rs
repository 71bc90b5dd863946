//! Who is on call, and by which channels each is called. A schedule that cannot be read keeps nobody from being paged.

use chrono::{DateTime, Utc};

use crate::config::schedule::{ON_CALL, Schedule};
use crate::files::open;
use crate::session::Session;
use liveops_domain::error::{Error, Result};
use liveops_domain::incident::notice::Recipients;
use liveops_domain::incident::rota::{Rota, Shift, calendar};

/// Who is called, one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnCall {
    pub line: Vec<Shift>,
    /// Is the first of the line on call, or only the next to be?
    pub is_covered: bool,
    /// What is odd in the calendar.
    pub odd: Vec<String>,
}

/// Who is on call at this time; `None` without a schedule.
///
/// # Errors
/// `Io`, `Usage`: the calendar cannot be read. `Secret`: it lies outside of the project, which is not trusted.
pub fn on_call(cx: &Session, at: DateTime<Utc>) -> Result<Option<OnCall>> {
    let config = cx.config()?;
    let Some(schedule) = &config.settings.notify.schedule else {
        return Ok(None);
    };
    let mut rota = schedule.rota.clone();
    let mut odd = Vec::new();
    if let Some(place) = &schedule.calendar {
        let path = config.place_as_said(place)?;
        let text = open::read_text(&path).map_err(|source| Error::Io { action: "read", path: path.clone(), source })?;
        let read = calendar::parse(&text, rota.zone);
        (rota.calendar, odd) = read.map_err(|what| {
            Error::usage(format!("{}: {what}", path.display()), "export the on-call calendar as iCalendar (.ics) again")
        })?;
    }
    let line = rota.line(at);
    Ok(Some(OnCall { is_covered: Rota::is_covered(&line, at), line, odd }))
}

/// The channels of a person: those of the configuration, else the channel that is called as they are. A calendar may say
/// more than the name: `On call: Ada`.
pub fn ways(schedule: &Schedule, channels: &[String], who: &str) -> Vec<String> {
    let said = who.to_lowercase();
    let is_said = |name: &str| {
        let name = name.to_lowercase();
        said.match_indices(&name).any(|(at, _)| {
            let is_inside = |c: char| c.is_alphanumeric();
            !said[..at].ends_with(is_inside) && !said[at + name.len()..].starts_with(is_inside)
        })
    };
    let exact = schedule.people.iter().find(|(name, _)| name.eq_ignore_ascii_case(who));
    // Of `ada` and `ada b`, the longer one is meant where both are said.
    let known = exact.or_else(|| {
        let fitting = schedule.people.iter().filter(|(name, _)| !name.is_empty() && is_said(name));
        fitting.max_by_key(|(name, _)| name.len())
    });
    match known {
        Some((_, ways)) => ways.clone(),
        None => channels.iter().filter(|name| **name == who).cloned().collect(),
    }
}

/// Puts the people in the place of `on-call`: who is on call, then each who comes after; an escalation begins with the
/// next (`passed`).
pub fn with_people(cx: &Session, mut recipients: Recipients, passed: usize) -> Result<Recipients> {
    let notify = &cx.config()?.settings.notify;
    let Some(schedule) = &notify.schedule else {
        return Ok(recipients);
    };
    let of_people = |name: &String| schedule.people.iter().any(|(_, ways)| ways.contains(name));
    if notify.rules.is_empty() && !recipients.page.is_empty() {
        recipients.page.iter_mut().for_each(|group| group.retain(|name| !of_people(name)));
        recipients.page.retain(|group| !group.is_empty());
        recipients.page.insert(0, vec![ON_CALL.to_owned()]);
    }
    if recipients.page.iter().flatten().all(|name| name != ON_CALL) {
        return Ok(recipients);
    }
    let mut people = groups(cx, schedule, passed);
    if people.is_empty() {
        // Better too many than nobody.
        let everybody: Vec<String> = schedule.people.iter().flat_map(|(_, ways)| ways.iter().cloned()).collect();
        people.extend((!everybody.is_empty()).then_some(everybody));
    }
    let mut page = Vec::new();
    for mut group in recipients.page {
        if !group.iter().any(|name| name == ON_CALL) {
            page.push(group);
            continue;
        }
        group.retain(|name| name != ON_CALL);
        let mut people = people.clone();
        match people.first_mut() {
            Some(first) => first.extend(group),
            None => people.push(group),
        }
        page.extend(people);
    }
    page.retain(|group: &Vec<String>| !group.is_empty());
    Ok(Recipients { page, ..recipients })
}

/// A group for each channel of each person, in their order.
fn groups(cx: &Session, schedule: &Schedule, passed: usize) -> Vec<Vec<String>> {
    let line = match on_call(cx, cx.clock.now()) {
        Ok(found) => found.map(|found| found.line).unwrap_or_default(),
        Err(error) => {
            cx.voice.warn(&format!("who is on call is not known, so everybody of the schedule is called: {error}"));
            Vec::new()
        }
    };
    let names = channel_names(cx);
    let mut people: Vec<Vec<String>> = Vec::new();
    for shift in &line {
        let ways = ways(schedule, &names, &shift.who);
        if ways.is_empty() {
            cx.voice.warn(&format!("nothing reaches `{}`, who is on call: set `notify.schedule.people`", shift.who));
        } else {
            people.push(ways);
        }
    }
    let count = people.len().max(1);
    people.rotate_left(passed % count);
    people.into_iter().flatten().map(|way| vec![way]).collect()
}

/// The names of all channels.
pub fn channel_names(cx: &Session) -> Vec<String> {
    let config = cx.config().ok();
    config.into_iter().flat_map(|config| &config.settings.notify.channels).map(|one| one.name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_calendar_says_names_in_its_own_way() {
        let people = [("ada", "a"), ("ada b", "ab"), ("bob", "b")];
        let people = people.map(|(name, way)| (name.to_owned(), vec![way.to_owned()])).to_vec();
        let schedule = Schedule { calendar: None, rota: Rota::default(), people };
        let channels = ["cy".to_owned()];
        for (who, want) in [
            ("ada", &["a"][..]),
            ("On call: Ada (primary)", &["a"]),
            ("Ada B - Weekly", &["ab"]),
            ("bobby", &[]),
            ("cy", &["cy"]),
            ("nobody", &[]),
        ] {
            assert_eq!(ways(&schedule, &channels, who), want, "{who}");
        }
    }
}
