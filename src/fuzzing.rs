//! What the fuzz targets of `fuzz/` call: one thin function for each parser of outside input. Only with the feature
//! `fuzz`, and no part of what the library promises.
//!
//! Each function takes whatever bytes the fuzzer makes and must return: a panic, a hang, or a broken promise (what is
//! read can be written and read again) is a finding.

use std::rc::Rc;

use chrono::DateTime;
use serde_json::Value;

use crate::clients::prometheus_wire::{AlertsWire, DataWire, ManagersWire, RulesWire, TargetsWire};
use crate::config::decode::Problems;
use crate::config::node::Layer;
use crate::config::schema::decode;
use crate::config::{environments, yaml};
use crate::domain::exposition::{self, Format};
use crate::domain::flag::audience::audience;
use crate::domain::flag::bulk::Bulk;
use crate::domain::flag::definition::Flag;
use crate::domain::flag::edit::{Edit, ListEdit, SetEdit, apply};
use crate::domain::flag::evaluate::evaluate;
use crate::domain::flag::lint::{Surroundings, lint};
use crate::domain::flag::percent::Percent;
use crate::domain::flag::reader::Reader;
use crate::domain::flag::user::User;
use crate::domain::journal::{self, Entry, Forks, Head};
use crate::domain::matcher::Matcher;
use crate::domain::quantity::Unit;
use crate::domain::selector::Selector;
use crate::domain::threshold::Threshold;
use crate::domain::{duration, health};
use crate::output::escape::escape;

/// A metrics endpoint's body, in both formats.
pub fn exposition(data: &[u8]) {
    let body = String::from_utf8_lossy(data);
    for format in [Format::Text, Format::OpenMetrics] {
        if let Ok(found) = exposition::parse(&body, format, |_| true) {
            assert_eq!(found.samples.len() + found.duplicates, found.total);
        }
    }
}

/// A selector of a KPI: what is shown of it reads as the same selector.
pub fn selector(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(read) = Selector::parse(&text) {
        assert_eq!(Selector::parse(&read.show()), Ok(read));
    }
}

/// A matcher of a silence: what is shown of it reads as the same matcher.
pub fn matcher(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(read) = Matcher::parse(&text) {
        let _ = read.is_broad();
        assert_eq!(Matcher::parse(&read.show()).ok(), Some(read));
    }
}

/// The answer of a health API; the first byte makes the status.
pub fn health(data: &[u8]) {
    if let Some((first, body)) = data.split_first() {
        let _ = health::read(200 + 2 * u16::from(*first), body);
    }
}

/// A configuration file: the tree, and every environment of it decoded.
pub fn config(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let layer = Rc::new(Layer::Project("liveops.yaml".into()));
    if let Ok(document) = yaml::parse(&text, &layer) {
        for environment in environments(&document.root) {
            decode(&document.root, &environment, &mut Problems::default());
        }
    }
}

/// Thresholds in every unit, and durations, which come back as they were.
pub fn quantity(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for unit in ["", "ratio", "percent", "s", "ms", "bytes", "coins"] {
        if let Ok(read) = Threshold::parse(&text, &Unit::from_name(unit)) {
            let _ = read.is_breached(1.0);
        }
    }
    if let Ok(read) = duration::parse(&text) {
        assert_eq!(duration::parse(&duration::to_promql(read)), Ok(read));
        let _ = duration::human(read);
    }
}

/// Every answer of Prometheus that is read: queries, alerts, rules, targets, Alertmanagers.
pub fn prometheus(data: &[u8]) {
    let Ok(value) = serde_json::from_slice::<Value>(data) else {
        return;
    };
    fn read<T: serde::de::DeserializeOwned>(value: &Value) -> Option<T> {
        serde_json::from_value(value.clone()).ok()
    }
    let _ = read(&value).map(DataWire::into_domain);
    let _ = read(&value).map(AlertsWire::into_domain);
    let _ = read(&value).map(RulesWire::into_domain);
    let _ = read(&value).map(TargetsWire::into_domain);
    let _ = read(&value).map(ManagersWire::into_domain);
}

/// The audit log: any lines, and any text sealed into an event, which then verifies.
pub fn journal(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for forks in [Forks::Faults, Forks::Merged] {
        let _ = journal::verify::<journal::Event>(&text, None, forks);
    }
    let head = Head::default();
    let said = Value::String(text.clone().into_owned());
    let entry = Entry::new(DateTime::UNIX_EPOCH, &text, "note", said);
    let (line, event) = journal::seal(&head, entry);
    assert_eq!(journal::open(&head, &line), Ok(event));
    assert!(!line.contains('\n'), "an event is one line");
}

/// The bytes of a flag: every question and every edit takes them, or says why not; what an edit makes reads again, and
/// the same edit once more changes nothing.
pub fn flag(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (Ok(name), user) = ("flag".parse(), User::new(text.clone())) else {
        return;
    };
    for reader in Reader::ALL {
        lint(&name, data, reader, Surroundings::default());
        if let Ok(flag) = Flag::read(data) {
            let told = evaluate(Some(&flag), &name, reader, &user);
            let _ = audience(Some(&flag), &name, reader);
            assert_eq!(flag.document().bytes(), data);
            assert_eq!(Bulk::new(flag, name.clone(), reader).id(&user.id), told.answer);
        }
        let list = ListEdit { add: vec![text.clone().into_owned()], remove: vec!["a".into()] };
        let half = SetEdit { percentage: Some(Percent::whole(50)), default_value: Some(true), ..SetEdit::default() };
        for edit in [Edit::Kill, Edit::Enable, Edit::Allow(list.clone()), Edit::Block(list), Edit::Set(half)] {
            if let Ok(Some(edited)) = apply(Some(data), &edit, reader) {
                assert!(Flag::read(&edited).is_ok());
                assert_eq!(apply(Some(&edited), &edit, reader), Ok(Some(edited)));
            }
        }
    }
}

/// Text from outside on its way to a terminal: nothing that steers it comes through.
pub fn terminal(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    assert!(!escape(&text).contains(|c: char| c.is_control()));
}
